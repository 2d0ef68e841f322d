//! One turn: a message that was taken, and its reply.
//!
//! **Invariant:** it ends within the deadline and the store's, in one `message`, whatever the
//! assistant does.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use metrics::{counter, histogram};
use tokio::{task::JoinHandle, time::timeout};

use super::{Key, Shared, audience::Stage, session::NotTaken};
use crate::{
    domain::{
        Timestamp,
        conversation::{Conversation, Known, Line, Speaker},
    },
    store::StoreError,
    ws::{
        agent::{Reply, Shopper, Turn},
        socket::Refusal,
    },
};

/// How often a write is decided anew when another one was first.
const TRIES: u32 = 16;
/// What a turn that failed ends in.
const SORRY: &str = "Sorry, I could not answer that just now. Please try again in a moment.";

/// A message that was taken.
pub(super) struct Taken {
    pub(super) shopper: Shopper,
    pub(super) text: String,
    /// When its line was said, which names it.
    pub(super) at: Timestamp,
    pub(super) stage: Arc<Stage>,
}

impl Drop for Taken {
    fn drop(&mut self) {
        // Its session died or was told to forget; after a reply this tells nothing.
        self.stage.fail(&Refusal::new("interrupted", "This answer was interrupted. Please ask again."));
    }
}

/// Counts a turn for as long as it lives.
struct Running(Arc<Shared>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
        self.0.turn_ended.notify_waiters();
    }
}

/// Ends the assistant's work when nobody waits for it any more.
struct Working(JoinHandle<(Reply, Known)>);

impl Drop for Working {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Keeps the user's line, before it is acknowledged.
pub(super) async fn keep(shared: &Shared, (user, id): Key, line: Line) -> Result<(), NotTaken> {
    let store = &shared.store;
    for _ in 0..TRIES {
        let mut talk = match store.get(id).await? {
            Some(talk) if talk.user == user => talk,
            Some(_) => return Err(NotTaken::NotYours),
            None => Conversation::new(id, user, line.at),
        };
        talk.say(line.clone());
        match store.save(&talk).await {
            Ok(_) => {
                if talk.version == 0
                    && let Err(error) = store.keep_newest(user, shared.settings.per_user).await
                {
                    tracing::warn!(%error, "old conversations are deleted later");
                }
                return Ok(());
            }
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Busy.into())
}

/// Has the assistant answer, and keeps and tells the reply.
pub(super) async fn run(shared: Arc<Shared>, key: Key, taken: Taken) {
    shared.running.fetch_add(1, Ordering::SeqCst);
    let _running = Running(Arc::clone(&shared));
    let started = Instant::now();
    let (reply, known, outcome) = match shared.store.get(key.1).await {
        Ok(Some(talk)) => answer(&shared, talk, &taken).await,
        // It was deleted since.
        Ok(None) => (sorry(), None, "gone"),
        Err(error) => {
            tracing::warn!(%error, "a conversation could not be read");
            (sorry(), None, "failed")
        }
    };
    counter!("chat_turns_total", "outcome" => outcome).increment(1);
    counter!("chat_tokens_total", "direction" => "input").increment(reply.usage.input_tokens);
    counter!("chat_tokens_total", "direction" => "output").increment(reply.usage.output_tokens);
    histogram!("chat_turn_seconds").record(started.elapsed().as_secs_f64());
    tracing::debug!(outcome, tools = reply.usage.tool_calls, ms = started.elapsed().as_millis(), "a turn ended");
    if let Err(error) = keep_reply(&shared, key, taken.at, &reply, known).await {
        tracing::warn!(%error, "a reply was not kept");
    }
    taken.stage.reply(&reply.text);
}

async fn answer(shared: &Arc<Shared>, talk: Conversation, taken: &Taken) -> (Reply, Option<Known>, &'static str) {
    let Some(threads) = &shared.threads else { return (sorry(), None, "failed") };
    let (assistant, stage) = (Arc::clone(&shared.assistant), Arc::clone(&taken.stage));
    let (shopper, text, at) = (taken.shopper, taken.text.clone(), taken.at);
    let mut working = Working(threads.spawn(async move {
        let mut known = talk.known.clone();
        let turn = Turn { shopper, text: &text, history: talk.before(at), known: &mut known, audience: stage.as_ref() };
        let reply = assistant.answer(turn).await;
        (reply, known)
    }));
    match timeout(shared.settings.answer_within, &mut working.0).await {
        Ok(Ok((reply, known))) if reply.text.trim().is_empty() => {
            (Reply { text: SORRY.to_owned(), ..reply }, Some(known), "empty")
        }
        Ok(Ok((reply, known))) => (reply, Some(known), "answered"),
        Ok(Err(error)) => {
            tracing::error!(panicked = error.is_panic(), "the assistant broke off an answer");
            (sorry(), None, "panicked")
        }
        Err(_) => {
            tracing::warn!("the assistant did not answer in time");
            (sorry(), None, "late")
        }
    }
}

fn sorry() -> Reply {
    Reply { text: SORRY.to_owned(), ..Reply::default() }
}

/// Adds the reply to the conversation, unless that was deleted meanwhile.
async fn keep_reply(
    shared: &Shared,
    (user, id): Key,
    to: Timestamp,
    reply: &Reply,
    known: Option<Known>,
) -> Result<(), StoreError> {
    let store = &shared.store;
    let (text, products, at) = (reply.text.clone(), reply.products.clone(), Timestamp::now());
    let line = Line { by: Speaker::Assistant, text, products, at };
    for _ in 0..TRIES {
        let Some(mut talk) = store.get(id).await?.filter(|talk| talk.user == user) else { return Ok(()) };
        talk.reply(to, line.clone());
        if let Some(known) = &known {
            talk.known = known.clone();
        }
        match store.save(&talk).await {
            Ok(_) => return Ok(()),
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error),
        }
    }
    Err(StoreError::Busy)
}
