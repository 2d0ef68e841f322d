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

use crate::domain::{
    ids::{OrderId, PaymentId},
    payment::Payment,
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
    calls: Calls,
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

slot!(payments, set_payments, Payments, "payment");
