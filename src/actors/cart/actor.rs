//! `CartActor`: holds one user's cart, applies commands, and answers after the write.
//!
//! **Invariant:** after a write with an unknown outcome no command uses the cart in memory: the actor discards it, and
//! the next command reads the store.

use actix::{Actor, ActorFutureExt, AsyncContext, AtomicResponse, Context, Handler, Message, WrapFuture};

use crate::{
    domain::{
        Timestamp,
        cart::{Buyable, Cart, CartError},
        ids::{CartId, OrderId, ProductId, UserId},
        inventory::StockLine,
    },
    runtime::calls::CallError,
    store::{CartStore, StoreError},
};

/// How often a write is retried after a version conflict with another process.
const TRIES: u32 = 16;

/// The actor of one user's cart. The cart is read when the actor starts, and again before the next command
/// whenever memory and store may differ.
pub struct CartActor {
    user: UserId,
    store: CartStore,
    /// Whether other nodes write carts too; then each command reads the store.
    shared: bool,
    cart: Option<Cart>,
}

impl CartActor {
    pub(super) const fn new(user: UserId, store: CartStore, shared: bool) -> Self {
        Self { user, store, shared, cart: None }
    }
}

impl Actor for CartActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if self.shared {
            return;
        }
        let (store, user) = (self.store.clone(), self.user);
        let load = async move { load(&store, user).await };
        ctx.wait(load.into_actor(self).map(|loaded, actor, _| match loaded {
            Ok(cart) => actor.cart = Some(cart),
            Err(error) => tracing::warn!(%error, "a cart could not be loaded"),
        }));
    }
}

async fn load(store: &CartStore, user: UserId) -> Result<Cart, StoreError> {
    let stored = store.of_user(user).await?;
    Ok(stored.unwrap_or_else(|| Cart::empty(CartId::generate(), user, Timestamp::now())))
}

/// A change to the cart.
#[derive(Debug, Clone)]
pub enum Command {
    /// No change; returns the cart.
    Get,
    /// Adds units to a line.
    Add { product: ProductId, quantity: u32, offered: Buyable },
    /// Sets a line's quantity.
    Set { product: ProductId, quantity: u32, offered: Buyable },
    /// Removes a line.
    Remove { product: ProductId },
    /// Removes all lines.
    Clear,
    /// Removes what an order bought, once per order.
    CheckOut { order: OrderId, bought: Vec<StockLine> },
    /// Restores what an order had removed, once per order.
    Restore { order: OrderId, bought: Vec<StockLine> },
}

impl Command {
    /// Applies the command in memory. Returns whether there is something to write.
    fn apply(&self, cart: &mut Cart, now: Timestamp) -> Result<bool, CartError> {
        match self {
            Self::Get => return Ok(false),
            Self::Add { product, quantity, offered } => cart.add(*product, *quantity, *offered, now)?,
            Self::Set { product, quantity, offered } => cart.set(*product, *quantity, *offered, now)?,
            Self::Remove { product } => cart.remove(*product, now)?,
            Self::Clear if cart.lines.is_empty() => return Ok(false),
            Self::Clear => cart.clear(now),
            Self::CheckOut { order, bought } => return Ok(cart.check_out(*order, bought, now)),
            Self::Restore { order, bought } => return Ok(cart.restore(*order, bought, now)),
        }
        Ok(true)
    }
}

/// Runs a command and returns the resulting cart.
#[derive(Debug, Message)]
#[rtype(result = "Result<Cart, CallError<CartError>>")]
pub struct Run(pub Command);

impl Handler<Run> for CartActor {
    type Result = AtomicResponse<Self, Result<Cart, CallError<CartError>>>;

    fn handle(&mut self, Run(command): Run, _: &mut Self::Context) -> Self::Result {
        let (store, user, known) = (self.store.clone(), self.user, self.cart.clone());
        let work = async move {
            let cart = match known {
                Some(cart) => cart,
                None => load(&store, user).await?,
            };
            run(&store, cart, &command).await
        };
        AtomicResponse::new(Box::pin(work.into_actor(self).map(
            |done: Result<Cart, CallError<CartError>>, actor, _| {
                match &done {
                    Ok(cart) => actor.cart = (!actor.shared).then(|| cart.clone()),
                    Err(CallError::Refused(_)) => {}
                    Err(_) => actor.cart = None,
                }
                done
            },
        )))
    }
}

async fn run(store: &CartStore, known: Cart, command: &Command) -> Result<Cart, CallError<CartError>> {
    let mut known = known;
    for _ in 0..TRIES {
        let mut next = known.clone();
        if !command.apply(&mut next, Timestamp::now())? {
            return Ok(next);
        }
        match store.save(&next).await {
            Ok(version) => {
                next.version = version;
                return Ok(next);
            }
            Err(StoreError::Conflict) => known = load(store, next.user).await?,
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Busy.into())
}
