//! Carts: one actor for each user who is using hers.
//!
//! Whether a product exists and how many there are is asked before the cart's actor is,
//! so that the actor waits for nothing but its own store.
//!
//! **Invariant:** what a user added is in her cart exactly once after the answer, over
//! crashes and over other processes writing the same cart.

mod actor;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;

use self::actor::{CartActor, Command, Run};
use super::runtime::{AskError, Keyed, KeyedLimits, Runtime};
use crate::{
    domain::{
        cart::{Buyable, Cart, CartError},
        ids::{OrderId, ProductId, UserId},
        inventory::StockLine,
    },
    peers::{self, CartChangeError, Offer, PeerError, Peers},
    store::{CartStore, StoreError},
};

/// Why a cart did not change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CartFailure {
    /// There is no such product.
    #[error("there is no such product")]
    NoSuchProduct,
    /// The rules say no.
    #[error(transparent)]
    Rule(#[from] CartError),
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another service did not answer.
    #[error(transparent)]
    Peer(#[from] PeerError),
}

/// A cart and the offers of what is in it.
#[derive(Debug, Clone)]
pub struct PricedCart {
    /// The cart.
    pub cart: Cart,
    /// Its products as they are offered now; one that is gone is not among them.
    pub offers: Vec<Offer>,
}

/// Is told of every cart that was changed.
pub trait CartListener: Send + Sync {
    /// The cart is now so. Must not wait.
    fn cart_changed(&self, cart: &Cart);
}

/// The cart service.
#[derive(Clone)]
pub struct Carts {
    actors: Keyed<UserId, CartActor>,
    peers: Peers,
    listener: Arc<OnceLock<Arc<dyn CartListener>>>,
}

type Answer = Result<PricedCart, AskError<CartFailure>>;

impl Carts {
    /// Makes the registry. A cart's actor sleeps after `idle`. With a `shared` store other
    /// nodes write carts too, and each command begins with what is stored.
    pub fn start(runtime: &Runtime, store: CartStore, peers: Peers, idle: Duration, shared: bool) -> Self {
        let limits = KeyedLimits { idle, ..KeyedLimits::default() };
        let actors = runtime.keyed("cart", limits, move |user| CartActor::new(*user, store.clone(), shared));
        Self { actors, peers, listener: Arc::default() }
    }

    /// Tells `listener` of carts that change by this process; the first one stays.
    pub fn tell(&self, listener: Arc<dyn CartListener>) {
        let _first_stays = self.listener.set(listener);
    }

    /// The user's cart.
    ///
    /// # Errors
    /// [`CartFailure`], as for every call here.
    pub async fn get(&self, user: UserId) -> Answer {
        self.run(user, Command::Get).await
    }

    /// Adds to what is there.
    ///
    /// # Errors
    /// `NoSuchProduct`, and those of [`Cart::add`].
    pub async fn add(&self, user: UserId, product: ProductId, quantity: u32) -> Answer {
        let command = self.adding(product, quantity).await.map_err(AskError::Refused)?;
        self.run(user, command).await
    }

    /// Sets a line's quantity.
    ///
    /// # Errors
    /// Those of [`Cart::set`].
    pub async fn set(&self, user: UserId, product: ProductId, quantity: u32) -> Answer {
        let command = self.setting(product, quantity).await.map_err(AskError::Refused)?;
        self.run(user, command).await
    }

    /// Takes a line out.
    ///
    /// # Errors
    /// `NotInCart`.
    pub async fn remove(&self, user: UserId, product: ProductId) -> Answer {
        self.run(user, Command::Remove { product }).await
    }

    /// Takes everything out.
    ///
    /// # Errors
    /// [`CartFailure`].
    pub async fn clear(&self, user: UserId) -> Answer {
        self.run(user, Command::Clear).await
    }

    async fn run(&self, user: UserId, command: Command) -> Answer {
        let cart = self.command(user, command).await?;
        let products: Vec<ProductId> = cart.lines.iter().map(|line| line.product).collect();
        let offers = self.offers(&products).await.map_err(|error| AskError::Refused(error.into()))?;
        Ok(PricedCart { cart, offers })
    }

    async fn command(&self, user: UserId, command: Command) -> Result<Cart, AskError<CartFailure>> {
        let reads = matches!(command, Command::Get);
        let cart = self.actors.ask(&user, Run(command)).await?;
        if let Some(listener) = self.listener.get().filter(|_| !reads) {
            listener.cart_changed(&cart);
        }
        Ok(cart)
    }

    async fn adding(&self, product: ProductId, quantity: u32) -> Result<Command, CartFailure> {
        let offered = self.buyable(product).await?;
        Ok(Command::Add { product, quantity, offered })
    }

    async fn setting(&self, product: ProductId, quantity: u32) -> Result<Command, CartFailure> {
        match self.buyable(product).await {
            Ok(offered) => Ok(Command::Set { product, quantity, offered }),
            // A line whose product is gone is not in the cart that the user sees.
            Err(CartFailure::NoSuchProduct) => Err(CartError::NotInCart.into()),
            Err(error) => Err(error),
        }
    }

    async fn change(&self, user: UserId, command: Result<Command, CartFailure>) -> Result<Cart, CartChangeError> {
        let changed = match command {
            Ok(command) => self.command(user, command).await,
            Err(error) => Err(AskError::Refused(error)),
        };
        changed.map_err(|error| match error {
            AskError::Refused(CartFailure::NoSuchProduct) => CartChangeError::NoSuchProduct,
            AskError::Refused(CartFailure::Rule(rule)) => rule.into(),
            other => peer_error(other).into(),
        })
    }

    async fn buyable(&self, product: ProductId) -> Result<Buyable, CartFailure> {
        let offers = self.offers(&[product]).await?;
        match offers.first().ok_or(CartFailure::NoSuchProduct)? {
            offer if offer.for_sale => Ok(offer.buyable()),
            _ => Err(CartError::NotForSale { product }.into()),
        }
    }

    async fn offers(&self, products: &[ProductId]) -> Result<Vec<Offer>, PeerError> {
        if products.is_empty() {
            return Ok(vec![]);
        }
        self.peers.catalogue()?.offers(products).await
    }
}

fn peer_error(error: AskError<CartFailure>) -> PeerError {
    match error {
        AskError::Refused(CartFailure::Peer(error)) => error,
        AskError::Refused(CartFailure::Store(error)) => PeerError::of("cart", &AskError::Refused(error)),
        AskError::Refused(_) => PeerError::Unavailable("cart"),
        AskError::Busy => PeerError::Busy("cart"),
        AskError::Restarting => PeerError::Unavailable("cart"),
        AskError::Died | AskError::Deadline => PeerError::Deadline("cart"),
    }
}

#[async_trait]
impl peers::Carts for Carts {
    async fn cart(&self, user: UserId) -> Result<Cart, PeerError> {
        self.actors.ask(&user, Run(Command::Get)).await.map_err(peer_error)
    }

    async fn add(&self, user: UserId, product: ProductId, quantity: u32) -> Result<Cart, CartChangeError> {
        self.change(user, self.adding(product, quantity).await).await
    }

    async fn set(&self, user: UserId, product: ProductId, quantity: u32) -> Result<Cart, CartChangeError> {
        self.change(user, self.setting(product, quantity).await).await
    }

    async fn remove(&self, user: UserId, product: ProductId) -> Result<Cart, CartChangeError> {
        self.change(user, Ok(Command::Remove { product })).await
    }

    async fn check_out(&self, user: UserId, order: OrderId, bought: Vec<StockLine>) -> Result<(), PeerError> {
        let command = Command::CheckOut { order, bought };
        self.command(user, command).await.map(|_| ()).map_err(peer_error)
    }

    async fn restore(&self, user: UserId, order: OrderId, bought: Vec<StockLine>) -> Result<(), PeerError> {
        let command = Command::Restore { order, bought };
        self.command(user, command).await.map(|_| ()).map_err(peer_error)
    }
}
