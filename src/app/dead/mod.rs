//! Commands for dead messages: list, show, replay.
//!
//! Dead messages are in the embedded outbox, and with `RABBIT_URL` also in the dead queues at the broker. Both are
//! read without the data directory's lock, so that a server may run.
//!
//! **Invariant:** reading changes nothing, and a replay removes a message only after it is queued again.

mod broker;
mod embedded;
mod text;

use anyhow::{Result, bail};
use async_trait::async_trait;

use self::{broker::BrokerDeadLetters, embedded::OutboxDeadLetters};
use crate::{
    config::Config,
    domain::{Timestamp, ids::EventId, queues::Queue},
};

/// A dead message.
#[derive(Debug, Clone, PartialEq, Eq)]
struct DeadMessage {
    /// The id by which commands find the message; several may have the same.
    id: String,
    /// The queue whose consumer could not handle it.
    queue: String,
    /// The event's name.
    name: String,
    /// The id by which it is applied once.
    event: EventId,
    /// When it happened.
    occurred_at: Option<Timestamp>,
    /// How many attempts were made.
    attempts: usize,
    /// Why it was not handled.
    reason: String,
    /// The payload as received.
    payload: Vec<u8>,
}

/// A filter of dead messages.
#[derive(Debug, Clone)]
pub enum Filter {
    /// Those with this id, or of this event.
    Id(String),
    /// Those of this queue.
    Queue(&'static Queue),
    All,
}

impl Filter {
    fn takes_queue(&self, name: &str) -> bool {
        match self {
            Self::Queue(queue) => queue.name == name,
            Self::Id(_) | Self::All => true,
        }
    }

    fn takes_id(&self, id: &str, event: EventId) -> bool {
        match self {
            Self::Id(wanted) => wanted == id || wanted.parse() == Ok(event),
            Self::Queue(_) | Self::All => true,
        }
    }
}

/// The messages found.
#[derive(Debug, Default)]
struct Page {
    messages: Vec<DeadMessage>,
    /// Whether there may be more.
    more: bool,
}

/// A store of dead messages.
#[async_trait]
trait DeadLetterStore {
    /// The messages that match, the oldest first within a queue, at most `limit`.
    async fn find(&self, filter: &Filter, limit: usize) -> Result<Page>;

    /// Replays the messages that match; returns how many.
    async fn replay(&self, filter: &Filter) -> Result<u64>;

    /// Closes the store.
    async fn close(self: Box<Self>) -> Result<()>;
}

/// Prints the dead messages, of one queue or of all.
///
/// # Errors
/// When the store or the broker is unavailable.
pub fn list(config: &Config, filter: &Filter, limit: usize) -> Result<String> {
    let found = look(config, filter, limit)?;
    Ok(text::table(&found.messages, found.more))
}

/// Prints all details of a message.
///
/// # Errors
/// When there is none with this id, or the store or the broker is unavailable.
pub fn show(config: &Config, id: &str) -> Result<String> {
    // An event may be dead in several queues.
    let found = look(config, &Filter::Id(id.to_owned()), crate::domain::queues::QUEUES.len())?;
    if found.messages.is_empty() {
        return nothing(id);
    }
    Ok(found.messages.iter().map(text::page).collect::<Vec<_>>().join("\n"))
}

/// Replays messages as if they were new.
///
/// # Errors
/// When there is none with this id, or the store or the broker is unavailable.
pub fn replay(config: &Config, filter: &Filter) -> Result<String> {
    let replayed = actix_rt::System::new().block_on(async {
        let mut replayed = 0;
        for place in places(config).await? {
            let done = place.replay(filter).await;
            let closed = place.close().await;
            replayed += done?;
            closed?;
        }
        anyhow::Ok(replayed)
    })?;
    match (replayed, filter) {
        (0, Filter::Id(id)) => nothing(id),
        (0, Filter::Queue(_) | Filter::All) => Ok("no message is dead".to_owned()),
        (1, _) => Ok("1 message is tried again".to_owned()),
        (many, _) => Ok(format!("{many} messages are tried again")),
    }
}

fn nothing(id: &str) -> Result<String> {
    bail!("no dead message has the id {id:?}; microbazaar dead list shows those that are there")
}

fn look(config: &Config, filter: &Filter, limit: usize) -> Result<Page> {
    actix_rt::System::new().block_on(async {
        let mut all = Page::default();
        for place in places(config).await? {
            let found = place.find(filter, limit - all.messages.len()).await;
            let closed = place.close().await;
            let found = found?;
            closed?;
            all.messages.extend(found.messages);
            all.more |= found.more;
            if all.messages.len() >= limit {
                break;
            }
        }
        Ok(all)
    })
}

/// The stores of dead messages. Messages that died before a broker was used are still in the outbox.
async fn places(config: &Config) -> Result<Vec<Box<dyn DeadLetterStore>>> {
    let mut places: Vec<Box<dyn DeadLetterStore>> = vec![];
    let url = config.rabbit.url.clone();
    if url.is_none() || OutboxDeadLetters::is_there(config) {
        places.push(Box::new(OutboxDeadLetters::open(config).await?));
    }
    if let Some(url) = url {
        places.push(Box::new(BrokerDeadLetters::connect(url).await?));
    }
    Ok(places)
}
