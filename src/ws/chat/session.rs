//! `ChatSession`: handles the messages of one conversation one at a time.
//!
//! Messages: [`Say`] accepts a message of the user, [`Forget`] cancels the turn in progress. The only state that is not
//! stored are the messages that wait; they end in an `error` if the session dies.

use std::{collections::VecDeque, sync::Arc};

use actix::{
    Actor, ActorFutureExt, AsyncContext, AtomicResponse, Context, Handler, Message, SpawnHandle, WrapFuture, fut,
};
use serde_json::json;

use super::{
    ChatState, Key,
    room_sink::RoomSink,
    turn::{self, AcceptedMessage},
};
use crate::{
    domain::{
        Timestamp,
        conversation::{Line, Speaker},
    },
    store::StoreError,
    ws::{
        agent::Shopper,
        socket::{Ack, Room},
    },
};

/// Why a message was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotAccepted {
    /// The maximum number of messages is waiting.
    #[error("too many messages wait for an answer")]
    TooMany,
    /// The conversation belongs to another user.
    #[error("this conversation is not yours")]
    NotYours,
    /// The message could not be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The actor of one conversation.
pub struct ChatSession {
    key: Key,
    state: Arc<ChatState>,
    waiting: VecDeque<AcceptedMessage>,
    running: Option<SpawnHandle>,
}

impl ChatSession {
    pub(super) const fn new(key: Key, state: Arc<ChatState>) -> Self {
        Self { key, state, waiting: VecDeque::new(), running: None }
    }

    /// Begins the next turn, unless one is in progress.
    fn next(&mut self, ctx: &mut Context<Self>) {
        if self.running.is_some() {
            return;
        }
        let Some(accepted) = self.waiting.pop_front() else { return };
        let turn = turn::run(Arc::clone(&self.state), self.key, accepted);
        self.running = Some(ctx.spawn(turn.into_actor(self).map(|(), actor, ctx| {
            actor.running = None;
            actor.next(ctx);
        })));
    }
}

impl Actor for ChatSession {
    type Context = Context<Self>;
}

/// A message of the user.
#[derive(Message)]
#[rtype(result = "Result<(), NotAccepted>")]
pub(super) struct Say {
    pub(super) shopper: Shopper,
    pub(super) text: String,
    /// Receives the events of the turn.
    pub(super) room: Arc<Room>,
    /// Receives the user's message, except for the socket that sent it.
    pub(super) pages: Arc<Room>,
    /// The id of the sending socket.
    pub(super) from: String,
    /// Sent once the message is stored.
    pub(super) ack: Option<Ack>,
}

impl Handler<Say> for ChatSession {
    type Result = AtomicResponse<Self, Result<(), NotAccepted>>;

    fn handle(&mut self, say: Say, _: &mut Self::Context) -> Self::Result {
        if self.waiting.len() >= self.state.settings.waiting {
            return AtomicResponse::new(Box::pin(fut::ready(Err(NotAccepted::TooMany))));
        }
        let Say { shopper, text, room, pages, from, ack } = say;
        let (state, key, at) = (Arc::clone(&self.state), self.key, Timestamp::now());
        let line = Line { by: Speaker::User, text: text.clone(), products: vec![], at };
        let kept = async move { turn::keep(&state, key, line).await };
        AtomicResponse::new(Box::pin(kept.into_actor(self).map(move |kept, actor, ctx| {
            kept?;
            // The acknowledgement comes before any event of the turn.
            if let Some(ack) = ack {
                let _gone = ack.send(json!({ "ok": true }));
            }
            pages.emit_to_others(&from, "user_message", &json!({ "text": text, "at": at }));
            actor.waiting.push_back(AcceptedMessage { shopper, text, at, sink: Arc::new(RoomSink::new(room)) });
            actor.next(ctx);
            Ok(())
        })))
    }
}

/// The conversation was deleted.
#[derive(Message)]
#[rtype(result = "Result<(), StoreError>")]
pub(super) struct Forget;

impl Handler<Forget> for ChatSession {
    type Result = Result<(), StoreError>;

    fn handle(&mut self, _: Forget, ctx: &mut Self::Context) -> Self::Result {
        self.waiting.clear();
        if let Some(running) = self.running.take() {
            ctx.cancel_future(running);
        }
        Ok(())
    }
}
