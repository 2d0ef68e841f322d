//! `TokenSweeper`: forgets dead tokens that have expired.

use std::time::Duration;

use actix::{Actor, ActorFutureExt, AsyncContext, Context, WrapFuture};

use crate::{domain::Timestamp, store::AccountStore};

/// How often to look; a node looks when it starts as well.
const EVERY: Duration = Duration::from_mins(15);

/// Runs on every node: forgetting twice is forgetting once.
pub(super) struct TokenSweeper(pub(super) AccountStore);

impl TokenSweeper {
    fn look_later(&self, ctx: &mut Context<Self>) {
        ctx.run_later(EVERY, |actor, ctx| {
            let store = actor.0.clone();
            let look = async move {
                if let Err(error) = store.forget_expired(Timestamp::now()).await {
                    tracing::warn!(%error, "expired tokens could not be forgotten for now");
                }
            };
            ctx.spawn(look.into_actor(actor).map(|(), actor, ctx| actor.look_later(ctx)));
        });
    }
}

impl Actor for TokenSweeper {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.look_later(ctx);
    }
}
