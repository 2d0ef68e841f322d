//! Carts: one actor per user with an active cart.
//!
//! The handler asks for the product's offer before it asks the cart's actor,
//! so that the actor waits only for its own store.
//!
//! **Invariant:** after the answer, what a user added is in the cart exactly once, even with
//! crashes and with other processes that write the same cart.

mod actor;
pub mod calls;

use std::{sync::Arc, time::Duration};

use self::{
    actor::{CartActor, Command, Run},
    calls::{AddToCart, CheckOutCart, ClearCart, GetCart, RemoveFromCart, RestoreCart, SetQuantity},
};
use super::catalogue::calls::GetOffers;
use crate::{
    config::Service,
    domain::{
        cart::{Buyable, Cart, CartError},
        ids::{ProductId, UserId},
        product::Offer,
    },
    runtime::{
        Keyed, KeyedLimits, Runtime,
        calls::{CallError, Calls, Handles, Never, Outcome, Registry},
    },
    store::CartStore,
};

/// Is notified of every changed cart.
pub trait CartListener: Send + Sync {
    /// Called with the changed cart. Must not block.
    fn cart_changed(&self, cart: &Cart);
}

struct Carts {
    actors: Keyed<UserId, CartActor>,
    calls: Calls,
    listener: Option<Arc<dyn CartListener>>,
}

/// Starts the cart service and registers its calls. A cart's actor stops after `idle`. With a `shared` store other
/// nodes write carts too, and each command reads the store. `listener` is notified of changes made by this process.
pub fn start(
    runtime: &Runtime,
    registry: &mut Registry,
    store: CartStore,
    calls: Calls,
    listener: Option<Arc<dyn CartListener>>,
    idle: Duration,
    shared: bool,
) {
    let limits = KeyedLimits { idle, ..KeyedLimits::default() };
    let actors = runtime.keyed("cart", limits, move |user| CartActor::new(*user, store.clone(), shared));
    let carts = Arc::new(Carts { actors, calls, listener });
    registry
        .serve::<GetCart>(&carts)
        .serve::<AddToCart>(&carts)
        .serve::<SetQuantity>(&carts)
        .serve::<RemoveFromCart>(&carts)
        .serve::<ClearCart>(&carts)
        .serve::<CheckOutCart>(&carts)
        .serve::<RestoreCart>(&carts);
}

/// The offers of the products in a cart; a product that no longer exists has none.
///
/// # Errors
/// Those of [`GetOffers`]; an empty cart causes no call.
pub async fn offers_of(calls: &Calls, cart: &Cart) -> Result<Vec<Offer>, CallError<Never>> {
    if cart.lines.is_empty() {
        return Ok(vec![]);
    }
    calls.ask(GetOffers { products: cart.lines.iter().map(|line| line.product).collect() }).await
}

impl Carts {
    async fn run(&self, user: UserId, command: Command) -> Result<Cart, CallError<CartError>> {
        let reads = matches!(command, Command::Get);
        let done = self.actors.ask(&user, Run(command)).await;
        let cart = done.map_err(|error| CallError::of_actor(Service::Cart, error))?;
        if let Some(listener) = self.listener.as_ref().filter(|_| !reads) {
            listener.cart_changed(&cart);
        }
        Ok(cart)
    }

    /// Runs a command that is never refused.
    async fn run_any(&self, user: UserId, command: Command) -> Result<Cart, CallError<Never>> {
        let done = self.run(user, command).await;
        done.map_err(|error| error.and_then(|refusal| CallError::Internal(refusal.to_string())))
    }

    async fn buyable(&self, product: ProductId) -> Result<Buyable, CallError<CartError>> {
        let offers = self.calls.ask(GetOffers { products: vec![product] }).await?;
        match offers.first().ok_or(CartError::NoSuchProduct)? {
            offer if offer.for_sale => Ok(offer.buyable()),
            _ => Err(CartError::NotForSale { product }.into()),
        }
    }
}

impl Handles<GetCart> for Carts {
    async fn handle(&self, call: GetCart) -> Outcome<GetCart> {
        self.run_any(call.user, Command::Get).await
    }
}

impl Handles<AddToCart> for Carts {
    async fn handle(&self, AddToCart { user, product, quantity }: AddToCart) -> Outcome<AddToCart> {
        let offered = self.buyable(product).await?;
        self.run(user, Command::Add { product, quantity, offered }).await
    }
}

impl Handles<SetQuantity> for Carts {
    async fn handle(&self, SetQuantity { user, product, quantity }: SetQuantity) -> Outcome<SetQuantity> {
        let offered = self.buyable(product).await.map_err(|error| match error {
            // A line whose product no longer exists is not in the cart that the user sees.
            CallError::Refused(CartError::NoSuchProduct) => CartError::NotInCart.into(),
            error => error,
        })?;
        self.run(user, Command::Set { product, quantity, offered }).await
    }
}

impl Handles<RemoveFromCart> for Carts {
    async fn handle(&self, call: RemoveFromCart) -> Outcome<RemoveFromCart> {
        self.run(call.user, Command::Remove { product: call.product }).await
    }
}

impl Handles<ClearCart> for Carts {
    async fn handle(&self, call: ClearCart) -> Outcome<ClearCart> {
        self.run_any(call.user, Command::Clear).await
    }
}

impl Handles<CheckOutCart> for Carts {
    async fn handle(&self, CheckOutCart { user, order, bought }: CheckOutCart) -> Outcome<CheckOutCart> {
        self.run_any(user, Command::CheckOut { order, bought }).await
    }
}

impl Handles<RestoreCart> for Carts {
    async fn handle(&self, RestoreCart { user, order, bought }: RestoreCart) -> Outcome<RestoreCart> {
        self.run_any(user, Command::Restore { order, bought }).await
    }
}
