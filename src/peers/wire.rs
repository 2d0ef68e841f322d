//! What one process of the platform says to another: the calls of the peers' traits as JSON.
//!
//! Every call is a POST of one JSON object under [`ROOT`]. It is answered with 200 and the
//! result, or with 409 or 503 and a [`Failure`]; whatever else comes was not said by a peer.
//! `peers::http` calls and `http::internal` answers, both by this page.
//!
//! **Invariant:** a failure comes out of the wire as the error that went in.

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::failure::Failure;
use crate::domain::ids::{OrderId, PaymentId};

mod failure;

/// Where these calls live; no gateway leads here.
pub const ROOT: &str = "/internal/v1";
/// The header that tells how long the caller will wait, in milliseconds.
pub const DEADLINE: &str = "x-deadline-ms";
/// The largest body of a call or an answer.
pub const BODY_MAX: usize = 8 << 20;

/// How long a caller waits for an answer, all tries together.
const WITHIN: Duration = Duration::from_millis(2_500);
/// The same for a look at whether it is there.
const PING_WITHIN: Duration = Duration::from_secs(1);
/// The same where the callee calls others in turn.
const WITHIN_FURTHER: Duration = Duration::from_secs(6);

/// One call of one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// The service.
    pub service: &'static str,
    /// Its path below the service.
    pub name: &'static str,
    /// Whether doing it twice is doing it once.
    pub repeatable: bool,
    /// How long the caller waits, all tries together.
    pub within: Duration,
}

impl Call {
    const fn of(service: &'static str, name: &'static str) -> Self {
        Self { service, name, repeatable: true, within: WITHIN }
    }

    const fn calls_further(self) -> Self {
        Self { within: WITHIN_FURTHER, ..self }
    }

    /// Whether the service is there and takes this caller's word.
    #[must_use]
    pub const fn ping(service: &'static str) -> Self {
        Self { within: PING_WITHIN, ..Self::of(service, "ping") }
    }

    /// The path of the call.
    #[must_use]
    pub fn path(&self) -> String {
        format!("{ROOT}/{}/{}", self.service, self.name)
    }
}

/// [`super::Payments::captured`].
pub const CAPTURED: Call = Call::of("payment", "captured");
/// [`super::Payments::refund`]: all that is left, once.
pub const REFUND: Call = Call::of("payment", "refund").calls_further();

/// A call about nothing in particular.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Nothing {}

/// A call about an order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OfOrder {
    /// Which.
    pub order: OrderId,
}

/// Money to be given back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Refund {
    /// Of which payment.
    pub payment: PaymentId,
    /// Why.
    pub reason: String,
}
