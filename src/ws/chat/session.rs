//! `ChatSession`: one conversation's messages, one after the other.
//!
//! Messages: [`Say`] takes one, [`Forget`] ends what is under way. It keeps nothing that is not
//! stored but the messages that wait, which end in an `error` if it dies.

use std::{collections::VecDeque, sync::Arc};

use actix::{
    Actor, ActorFutureExt, AsyncContext, AtomicResponse, Context, Handler, Message, SpawnHandle, WrapFuture, fut,
};
use serde_json::json;

use super::{
    Key, Shared,
    audience::Stage,
    turn::{self, Taken},
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

/// Why a message was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotTaken {
    /// As many wait as may.
    #[error("too many messages wait for an answer")]
    TooMany,
    /// The conversation is somebody else's.
    #[error("this conversation is not yours")]
    NotYours,
    /// It could not be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A conversation that somebody speaks in.
pub struct ChatSession {
    key: Key,
    shared: Arc<Shared>,
    waiting: VecDeque<Taken>,
    running: Option<SpawnHandle>,
}

impl ChatSession {
    pub(super) const fn new(key: Key, shared: Arc<Shared>) -> Self {
        Self { key, shared, waiting: VecDeque::new(), running: None }
    }

    /// Begins the next turn, unless one is under way.
    fn next(&mut self, ctx: &mut Context<Self>) {
        if self.running.is_some() {
            return;
        }
        let Some(taken) = self.waiting.pop_front() else { return };
        let turn = turn::run(Arc::clone(&self.shared), self.key, taken);
        self.running = Some(ctx.spawn(turn.into_actor(self).map(|(), actor, ctx| {
            actor.running = None;
            actor.next(ctx);
        })));
    }
}

impl Actor for ChatSession {
    type Context = Context<Self>;
}

/// The user says something.
#[derive(Message)]
#[rtype(result = "Result<(), NotTaken>")]
pub(super) struct Say {
    /// Who.
    pub(super) shopper: Shopper,
    /// What.
    pub(super) text: String,
    /// Who hears of the turn.
    pub(super) room: Arc<Room>,
    /// Who is told what was said, but for the socket that said it.
    pub(super) pages: Arc<Room>,
    /// The id of that socket.
    pub(super) from: String,
    /// Acknowledged once it is stored.
    pub(super) ack: Option<Ack>,
}

impl Handler<Say> for ChatSession {
    type Result = AtomicResponse<Self, Result<(), NotTaken>>;

    fn handle(&mut self, say: Say, _: &mut Self::Context) -> Self::Result {
        if self.waiting.len() >= self.shared.settings.waiting {
            return AtomicResponse::new(Box::pin(fut::ready(Err(NotTaken::TooMany))));
        }
        let Say { shopper, text, room, pages, from, ack } = say;
        let (shared, key, at) = (Arc::clone(&self.shared), self.key, Timestamp::now());
        let line = Line { by: Speaker::User, text: text.clone(), products: vec![], at };
        let kept = async move { turn::keep(&shared, key, line).await };
        AtomicResponse::new(Box::pin(kept.into_actor(self).map(move |kept, actor, ctx| {
            kept?;
            // Before anything that the turn tells.
            if let Some(ack) = ack {
                let _gone = ack.send(json!({ "ok": true }));
            }
            pages.emit_to_others(&from, "user_message", &json!({ "text": text, "at": at }));
            actor.waiting.push_back(Taken { shopper, text, at, stage: Arc::new(Stage::new(room)) });
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
