//! Messages that no consumer could handle: listed, shown, tried again.
//!
//! They rest in the embedded outbox, and with `RABBIT_URL` also in the dead queues at the
//! broker. Both are looked at without the data directory's lock, so a server may run.
//!
//! **Invariant:** looking changes nothing, and a replay never takes a message from where it
//! rests before it is where it is tried again.

mod broker;
mod embedded;
mod text;

use anyhow::{Result, bail};
use async_trait::async_trait;

use self::{broker::AtBroker, embedded::InOutbox};
use crate::{
    config::Config,
    domain::{Timestamp, ids::EventId, queues::Queue},
};

/// A message that rests.
#[derive(Debug, Clone, PartialEq, Eq)]
struct DeadMessage {
    /// By it the commands find the message; several may have the same.
    id: String,
    /// The queue whose consumer could not handle it.
    queue: String,
    /// The event's name.
    name: String,
    /// The id by which it is applied once.
    event: EventId,
    /// When it happened.
    occurred_at: Option<Timestamp>,
    /// How often it was tried.
    attempts: usize,
    /// Why it was not handled.
    reason: String,
    /// What it says, as it came.
    payload: Vec<u8>,
}

/// Which messages are meant.
#[derive(Debug, Clone)]
pub enum Which {
    /// Those with this id, or of this event.
    Id(String),
    /// Those of this queue.
    Queue(&'static Queue),
    /// All.
    All,
}

impl Which {
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

/// What was found.
#[derive(Debug, Default)]
struct Found {
    messages: Vec<DeadMessage>,
    /// Whether there may be more.
    more: bool,
}

/// A place where dead messages rest.
#[async_trait]
trait Resting {
    /// Those that are meant, oldest first within a queue, at most `limit`.
    async fn find(&self, which: &Which, limit: usize) -> Result<Found>;

    /// Lets those that are meant be tried again; returns how many.
    async fn replay(&self, which: &Which) -> Result<u64>;

    /// Lets go of what it holds.
    async fn close(self: Box<Self>) -> Result<()>;
}

/// Prints the dead messages, of one queue or of all.
///
/// # Errors
/// When the store or the broker is away.
pub fn list(config: &Config, which: &Which, limit: usize) -> Result<String> {
    let found = look(config, which, limit)?;
    Ok(text::table(&found.messages, found.more))
}

/// Prints all of what is known of a message.
///
/// # Errors
/// When there is none with this id, or the store or the broker is away.
pub fn show(config: &Config, id: &str) -> Result<String> {
    // An event may be dead in several queues.
    let found = look(config, &Which::Id(id.to_owned()), crate::domain::queues::QUEUES.len())?;
    if found.messages.is_empty() {
        return nothing(id);
    }
    Ok(found.messages.iter().map(text::page).collect::<Vec<_>>().join("\n"))
}

/// Lets messages be tried again, as if they were new.
///
/// # Errors
/// When there is none with the id that is meant, or the store or the broker is away.
pub fn replay(config: &Config, which: &Which) -> Result<String> {
    let replayed = actix_rt::System::new().block_on(async {
        let mut replayed = 0;
        for place in places(config).await? {
            let done = place.replay(which).await;
            let closed = place.close().await;
            replayed += done?;
            closed?;
        }
        anyhow::Ok(replayed)
    })?;
    match (replayed, which) {
        (0, Which::Id(id)) => nothing(id),
        (0, Which::Queue(_) | Which::All) => Ok("no message is dead".to_owned()),
        (1, _) => Ok("1 message is tried again".to_owned()),
        (many, _) => Ok(format!("{many} messages are tried again")),
    }
}

fn nothing(id: &str) -> Result<String> {
    bail!("no dead message has the id {id:?}; microbazaar dead list shows those that are there")
}

fn look(config: &Config, which: &Which, limit: usize) -> Result<Found> {
    actix_rt::System::new().block_on(async {
        let mut all = Found::default();
        for place in places(config).await? {
            let found = place.find(which, limit - all.messages.len()).await;
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

/// Where dead messages may rest. What died before there was a broker is in the outbox still.
async fn places(config: &Config) -> Result<Vec<Box<dyn Resting>>> {
    let mut places: Vec<Box<dyn Resting>> = vec![];
    let url = config.rabbit.url.clone();
    if url.is_none() || InOutbox::is_there(config) {
        places.push(Box::new(InOutbox::open(config).await?));
    }
    if let Some(url) = url {
        places.push(Box::new(AtBroker::connect(url).await?));
    }
    Ok(places)
}
