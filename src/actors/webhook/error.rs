//! Why a webhook is not as its owner wanted.

use crate::store::StoreError;

/// A call's failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookFailure {
    /// There is none of this id that the caller may see.
    #[error("there is no such webhook")]
    NotFound,
    /// It has no delivery of this id.
    #[error("there is no such delivery")]
    NoSuchDelivery,
    /// The caller may see it, and it is somebody else's.
    #[error("this webhook is somebody else's")]
    NotYours,
    /// A field is not as it must be.
    #[error("{field} {problem}")]
    Invalid {
        /// Which.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
    /// As many as an owner may have are there.
    #[error("a user has at most 20 webhooks")]
    TooMany,
    /// Nothing is sent to it now.
    #[error("the webhook is switched off; switch it on first")]
    SwitchedOff,
    /// As many deliveries wait as may.
    #[error("too many deliveries wait for this webhook")]
    Overflow,
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}
