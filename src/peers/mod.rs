//! The other services as this process sees them.
//!
//! Each service's facade in `actors` implements its trait here for calls within the
//! process. Facades hold [`Peers`], which is filled once all of them are made, because
//! orders and payments know one another.
//!
//! Where a service runs in another process, `http` implements its trait by calls as `wire`
//! has them.
//!
//! **Invariant:** a service reaches another's state only through these traits.

pub mod http;
pub mod wire;

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;

pub use crate::actors::catalogue::index::{ListQuery, Sort};
use crate::domain::{
    cart::{Buyable, Cart, CartError},
    ids::{AddressId, OrderId, PaymentId, ProductId, UserId},
    inventory::StockLine,
    payment::Payment,
    product::Product,
    user::{Contact, PostalAddress, Role},
};
pub use crate::store::Page;
use crate::{
    config::Service,
    runtime::{
        AskError,
        calls::{CallError, Calls},
    },
    store::StoreError,
};

/// Why another service did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// It takes on no more work; nothing was done.
    #[error("the {0} service is busy")]
    Busy(&'static str),
    /// It is away or being restarted; nothing was done, or repeating is harmless.
    #[error("the {0} service is not available")]
    Unavailable(&'static str),
    /// It did not answer in time; whether it was done is unknown.
    #[error("the {0} service did not answer in time")]
    Deadline(&'static str),
}

impl<E> From<CallError<E>> for PeerError {
    fn from(error: CallError<E>) -> Self {
        let named =
            |name: &str| Service::ALL.map(Service::name).into_iter().find(|known| *known == name).unwrap_or("document");
        match error {
            CallError::Busy(part) => Self::Busy(named(&part)),
            CallError::OutcomeUnknown(part) => Self::Deadline(named(&part)),
            CallError::Unavailable(part) => Self::Unavailable(named(&part)),
            CallError::Refused(_) | CallError::Conflict | CallError::Internal(_) => Self::Unavailable("requested"),
        }
    }
}

impl<E> From<PeerError> for CallError<E> {
    fn from(error: PeerError) -> Self {
        match error {
            PeerError::Busy(part) => Self::Busy(part.into()),
            PeerError::Unavailable(part) => Self::Unavailable(part.into()),
            PeerError::Deadline(part) => Self::OutcomeUnknown(part.into()),
        }
    }
}

impl PeerError {
    /// What a failed call on the `service`'s own actors is to its callers.
    pub(crate) fn of(service: &'static str, error: &AskError<StoreError>) -> Self {
        match error {
            AskError::Busy | AskError::Refused(StoreError::Busy) => Self::Busy(service),
            AskError::Died | AskError::Deadline | AskError::Refused(StoreError::Deadline) => Self::Deadline(service),
            AskError::Restarting | AskError::Refused(_) => Self::Unavailable(service),
        }
    }
}

/// A product with what can be bought of it now.
#[derive(Debug, Clone)]
pub struct Offer {
    /// The product.
    pub product: Arc<Product>,
    /// What can be bought now.
    pub available: i64,
    /// Whether it is on sale at all: neither taken down nor of a blocked seller.
    pub for_sale: bool,
}

impl Offer {
    /// What of it can be bought in one order.
    #[must_use]
    pub fn buyable(&self) -> Buyable {
        Buyable { available: self.available, max_per_order: self.product.max_per_order }
    }
}

/// The product service.
#[async_trait]
pub trait Catalogue: Send + Sync {
    /// The offers of these products, those that exist, in no order.
    async fn offers(&self, products: &[ProductId]) -> Result<Vec<Offer>, PeerError>;
    /// A page of a search or list, in its order.
    async fn search(&self, _query: &ListQuery) -> Result<Page<Offer>, PeerError> {
        Err(PeerError::Unavailable("product"))
    }
    /// The commonest categories with how many products each has, most first.
    async fn categories(&self) -> Result<Vec<(String, u64)>, PeerError> {
        Err(PeerError::Unavailable("product"))
    }
}

/// Why a cart did not change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CartChangeError {
    /// There is no such product.
    #[error("there is no such product")]
    NoSuchProduct,
    /// The rules say no.
    #[error(transparent)]
    Rule(#[from] CartError),
    /// The service did not answer.
    #[error(transparent)]
    Peer(#[from] PeerError),
}

/// The cart service.
#[async_trait]
pub trait Carts: Send + Sync {
    /// The user's cart, an empty one when there is none.
    async fn cart(&self, user: UserId) -> Result<Cart, PeerError>;
    /// Adds to what is in it.
    async fn add(&self, _user: UserId, _product: ProductId, _quantity: u32) -> Result<Cart, CartChangeError> {
        Err(PeerError::Unavailable("cart").into())
    }
    /// Sets how many of a product are in it.
    async fn set(&self, _user: UserId, _product: ProductId, _quantity: u32) -> Result<Cart, CartChangeError> {
        Err(PeerError::Unavailable("cart").into())
    }
    /// Takes a product out of it.
    async fn remove(&self, _user: UserId, _product: ProductId) -> Result<Cart, CartChangeError> {
        Err(PeerError::Unavailable("cart").into())
    }
    /// Takes what `order` bought out of the cart, once for each order.
    async fn check_out(&self, user: UserId, order: OrderId, bought: Vec<StockLine>) -> Result<(), PeerError>;
    /// Puts back into the cart what `order` had taken out, once for each order.
    async fn restore(&self, _user: UserId, _order: OrderId, _bought: Vec<StockLine>) -> Result<(), PeerError> {
        Err(PeerError::Unavailable("cart"))
    }
}

/// The auth service.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// How to reach a user.
    async fn contact(&self, user: UserId) -> Result<Option<Contact>, PeerError>;
    /// What a user may do; `None` when there is no such user.
    async fn role(&self, _user: UserId) -> Result<Option<Role>, PeerError> {
        Err(PeerError::Unavailable("auth"))
    }
    /// How to reach the shop's admins, as many as a mail is sent to.
    async fn admins(&self) -> Result<Vec<Contact>, PeerError> {
        Err(PeerError::Unavailable("auth"))
    }
    /// One of the user's addresses, or her default one.
    async fn address(&self, user: UserId, id: Option<AddressId>) -> Result<Option<PostalAddress>, PeerError>;
}

/// The payment service.
#[async_trait]
pub trait Payments: Send + Sync {
    /// The order's payment, if its money is captured.
    async fn captured(&self, order: OrderId) -> Result<Option<Payment>, PeerError>;
    /// Gives all captured money of a payment back, once.
    async fn refund(&self, payment: PaymentId, reason: String) -> Result<(), PeerError>;
}

/// Every peer, filled once at start.
#[derive(Clone, Default)]
pub struct Peers(Arc<Slots>);

#[derive(Default)]
struct Slots {
    catalogue: OnceLock<Arc<dyn Catalogue>>,
    calls: Calls,
    carts: OnceLock<Arc<dyn Carts>>,
    accounts: OnceLock<Arc<dyn Accounts>>,
    payments: OnceLock<Arc<dyn Payments>>,
}

macro_rules! slot {
    ($name:ident, $set:ident, $trait:ident, $word:literal) => {
        impl Peers {
            #[doc = concat!("The ", $word, " service.")]
            ///
            /// # Errors
            /// [`PeerError::Unavailable`] before it is set.
            pub fn $name(&self) -> Result<&dyn $trait, PeerError> {
                self.0.$name.get().map(AsRef::as_ref).ok_or(PeerError::Unavailable($word))
            }

            #[doc = concat!("Sets the ", $word, " service; the first one stays.")]
            pub fn $set(&self, service: Arc<dyn $trait>) {
                let _first_stays = self.0.$name.set(service);
            }
        }
    };
}

impl Peers {
    /// The services whose calls are declared one by one.
    #[must_use]
    pub fn calls(&self) -> &Calls {
        &self.0.calls
    }
}

slot!(catalogue, set_catalogue, Catalogue, "product");
slot!(carts, set_carts, Carts, "cart");
slot!(accounts, set_accounts, Accounts, "auth");
slot!(payments, set_payments, Payments, "payment");
