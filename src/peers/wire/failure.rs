//! How a call fails: on the wire, and as an error of whoever called.

use serde::{Deserialize, Serialize};

use crate::{
    domain::cart::CartError,
    peers::{CartChangeError, PeerError},
};

/// Why a call was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "failure", content = "of", rename_all = "camelCase")]
pub enum Failure {
    /// This service takes on no more.
    Busy(String),
    /// This service is away.
    Unavailable(String),
    /// This service did not answer in time.
    Deadline(String),
    /// There is no such product.
    NoSuchProduct,
    /// The cart's rules say no.
    Cart(CartError),
}

impl Failure {
    /// Whether a rule said no, and the service works.
    #[must_use]
    pub const fn is_rule(&self) -> bool {
        match self {
            Self::Busy(_) | Self::Unavailable(_) | Self::Deadline(_) => false,
            Self::NoSuchProduct | Self::Cart(_) => true,
        }
    }

    /// The error that it is to whoever called `service`.
    #[must_use]
    pub fn into_error(self, service: &'static str) -> CallError {
        let named = |name: String| name_of(&name).unwrap_or(service);
        match self {
            Self::Busy(name) => PeerError::Busy(named(name)).into(),
            Self::Unavailable(name) => PeerError::Unavailable(named(name)).into(),
            Self::Deadline(name) => PeerError::Deadline(named(name)).into(),
            Self::Cart(rule) => CallError::Cart(rule),
            Self::NoSuchProduct => CallError::NoSuchProduct,
        }
    }
}

/// The service of this name, as errors name it.
fn name_of(name: &str) -> Option<&'static str> {
    ["auth", "product", "inventory", "cart", "order", "payment"].into_iter().find(|known| *known == name)
}

impl From<PeerError> for Failure {
    fn from(error: PeerError) -> Self {
        match error {
            PeerError::Busy(name) => Self::Busy(name.to_owned()),
            PeerError::Unavailable(name) => Self::Unavailable(name.to_owned()),
            PeerError::Deadline(name) => Self::Deadline(name.to_owned()),
        }
    }
}

impl From<CartChangeError> for Failure {
    fn from(error: CartChangeError) -> Self {
        match error {
            CartChangeError::Peer(error) => error.into(),
            CartChangeError::NoSuchProduct => Self::NoSuchProduct,
            CartChangeError::Rule(rule) => Self::Cart(rule),
        }
    }
}

/// Why a call was not done, of any service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallError {
    /// The service did not answer.
    Peer(PeerError),
    /// There is no such product.
    NoSuchProduct,
    /// The rules of carts say no.
    Cart(CartError),
}

impl From<PeerError> for CallError {
    fn from(error: PeerError) -> Self {
        Self::Peer(error)
    }
}

impl CallError {
    /// As the error of a call of `service` that knows no rule.
    #[must_use]
    pub fn into_plain(self, service: &'static str) -> PeerError {
        match self {
            Self::Peer(error) => error,
            Self::NoSuchProduct | Self::Cart(_) => PeerError::Unavailable(service),
        }
    }

    /// As the error of a call of `service` that changes a cart.
    #[must_use]
    pub fn into_cart(self, service: &'static str) -> CartChangeError {
        match self {
            Self::NoSuchProduct => CartChangeError::NoSuchProduct,
            Self::Cart(rule) => rule.into(),
            other => other.into_plain(service).into(),
        }
    }
}
