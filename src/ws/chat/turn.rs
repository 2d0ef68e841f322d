//! One turn: an accepted message and its reply.
//!
//! **Invariant:** a turn ends in one `message` within the sum of its own and the store's deadline, whatever the
//! assistant does.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use metrics::{counter, histogram};
use tokio::{task::JoinHandle, time::timeout};

use super::{ChatState, Key, room_sink::RoomSink, session::NotAccepted};
use crate::{
    domain::{
        Timestamp,
        conversation::{Conversation, KnownProducts, Line, Speaker},
    },
    store::StoreError,
    ws::{
        agent::{Reply, Shopper, Turn},
        socket::Refusal,
    },
};

/// How often a write is retried after a version conflict.
const TRIES: u32 = 16;
/// The reply of a turn that failed.
const FAILURE_REPLY: &str = "Sorry, I could not answer that just now. Please try again in a moment.";

pub(super) struct AcceptedMessage {
    pub(super) shopper: Shopper,
    pub(super) text: String,
    /// When the message was accepted; identifies its line.
    pub(super) at: Timestamp,
    pub(super) sink: Arc<RoomSink>,
}

impl Drop for AcceptedMessage {
    fn drop(&mut self) {
        // The session died or the turn was cancelled; after a reply this sends nothing.
        self.sink.fail(&Refusal::new("interrupted", "This answer was interrupted. Please ask again."));
    }
}

/// Counts a turn while it is in progress.
struct Running(Arc<ChatState>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
        self.0.turn_ended.notify_waiters();
    }
}

/// Aborts the assistant's task when it is dropped.
struct AssistantTask(JoinHandle<(Reply, KnownProducts)>);

impl Drop for AssistantTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Stores the user's message before it is acknowledged.
pub(super) async fn keep(state: &ChatState, (user, id): Key, line: Line) -> Result<(), NotAccepted> {
    let store = &state.store;
    for _ in 0..TRIES {
        let mut conversation = match store.get(id).await? {
            Some(conversation) if conversation.user == user => conversation,
            Some(_) => return Err(NotAccepted::NotYours),
            None => Conversation::new(id, user, line.at),
        };
        conversation.say(line.clone());
        match store.save(&conversation).await {
            Ok(_) => {
                if conversation.version == 0
                    && let Err(error) = store.keep_newest(user, state.settings.per_user).await
                {
                    tracing::warn!(%error, "old conversations could not be deleted and will be deleted later");
                }
                return Ok(());
            }
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Busy.into())
}

/// Runs the assistant, then stores and sends the reply.
pub(super) async fn run(state: Arc<ChatState>, key: Key, accepted: AcceptedMessage) {
    state.running.fetch_add(1, Ordering::SeqCst);
    let _running = Running(Arc::clone(&state));
    let started = Instant::now();
    let (reply, known, outcome) = match state.store.get(key.1).await {
        Ok(Some(conversation)) => answer(&state, conversation, &accepted).await,
        // It was deleted in the meantime.
        Ok(None) => (failure_reply(), None, "gone"),
        Err(error) => {
            tracing::warn!(%error, "a conversation could not be read");
            (failure_reply(), None, "failed")
        }
    };
    counter!("chat_turns_total", "outcome" => outcome).increment(1);
    counter!("chat_tokens_total", "direction" => "input").increment(reply.usage.input_tokens);
    counter!("chat_tokens_total", "direction" => "output").increment(reply.usage.output_tokens);
    histogram!("chat_turn_seconds").record(started.elapsed().as_secs_f64());
    tracing::debug!(outcome, tools = reply.usage.tool_calls, ms = started.elapsed().as_millis(), "a turn ended");
    if let Err(error) = keep_reply(&state, key, accepted.at, &reply, known).await {
        tracing::warn!(%error, "a reply could not be stored");
    }
    accepted.sink.reply(&reply.text);
}

async fn answer(
    state: &Arc<ChatState>,
    conversation: Conversation,
    accepted: &AcceptedMessage,
) -> (Reply, Option<KnownProducts>, &'static str) {
    let Some(threads) = &state.threads else { return (failure_reply(), None, "failed") };
    let (assistant, sink) = (Arc::clone(&state.assistant), Arc::clone(&accepted.sink));
    let (shopper, text, at) = (accepted.shopper, accepted.text.clone(), accepted.at);
    let mut task = AssistantTask(threads.spawn(async move {
        let mut known = conversation.known.clone();
        let turn =
            Turn { shopper, text: &text, history: conversation.before(at), known: &mut known, sink: sink.as_ref() };
        let reply = assistant.answer(turn).await;
        (reply, known)
    }));
    match timeout(state.settings.answer_within, &mut task.0).await {
        Ok(Ok((reply, known))) if reply.text.trim().is_empty() => {
            (Reply { text: FAILURE_REPLY.to_owned(), ..reply }, Some(known), "empty")
        }
        Ok(Ok((reply, known))) => (reply, Some(known), "answered"),
        Ok(Err(error)) => {
            tracing::error!(panicked = error.is_panic(), "the assistant's task ended without an answer");
            (failure_reply(), None, "panicked")
        }
        Err(_) => {
            tracing::warn!("the assistant did not answer in time");
            (failure_reply(), None, "late")
        }
    }
}

fn failure_reply() -> Reply {
    Reply { text: FAILURE_REPLY.to_owned(), ..Reply::default() }
}

/// Adds the reply to the conversation, unless the conversation was deleted in the meantime.
async fn keep_reply(
    state: &ChatState,
    (user, id): Key,
    to: Timestamp,
    reply: &Reply,
    known: Option<KnownProducts>,
) -> Result<(), StoreError> {
    let store = &state.store;
    let (text, products, at) = (reply.text.clone(), reply.products.clone(), Timestamp::now());
    let line = Line { by: Speaker::Assistant, text, products, at };
    for _ in 0..TRIES {
        let Some(mut conversation) = store.get(id).await?.filter(|conversation| conversation.user == user) else {
            return Ok(());
        };
        conversation.reply(to, line.clone());
        if let Some(known) = &known {
            conversation.known = known.clone();
        }
        match store.save(&conversation).await {
            Ok(_) => return Ok(()),
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error),
        }
    }
    Err(StoreError::Busy)
}
