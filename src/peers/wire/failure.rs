//! How a call fails: on the wire, and as an error of whoever called.

use serde::{Deserialize, Serialize};

use crate::peers::PeerError;

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
}

impl Failure {
    /// The error that it is to whoever called `service`.
    #[must_use]
    pub fn into_error(self, service: &'static str) -> PeerError {
        let named = |name: String| name_of(&name).unwrap_or(service);
        match self {
            Self::Busy(name) => PeerError::Busy(named(name)),
            Self::Unavailable(name) => PeerError::Unavailable(named(name)),
            Self::Deadline(name) => PeerError::Deadline(named(name)),
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
