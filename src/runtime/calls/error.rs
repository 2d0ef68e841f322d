//! The error of a call between services.

use std::{borrow::Cow, fmt};

use actix_guardian::AskError;
use serde::{Deserialize, Serialize};

use crate::config::Service;

/// Why a call failed; `E` holds the service's own reasons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "error", content = "detail", rename_all = "camelCase")]
pub enum CallError<E> {
    /// The service refused the call by its rules.
    #[error("{0}")]
    Refused(E),
    /// Another writer changed the same document concurrently; nothing was done.
    #[error("it was changed at the same moment; try again")]
    Conflict,
    /// The service accepts no more work at the moment; nothing was done.
    #[error("the {0} service is busy")]
    Busy(Cow<'static, str>),
    /// The service is unreachable or restarting; nothing was done, or repeating the call is harmless.
    #[error("the {0} service is not available")]
    Unavailable(Cow<'static, str>),
    /// The service did not answer in time; whether the call was done is unknown.
    #[error("the {0} service did not answer in time")]
    OutcomeUnknown(Cow<'static, str>),
    /// A bug or fault in the program; the text is for the log.
    #[error("{0}")]
    Internal(String),
}

/// The error type of a call that is never refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Never {}

impl fmt::Display for Never {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

/// Marks a service's own reasons to refuse a call. With this trait, `?` converts them into the [`CallError`] around
/// them, and converts the error of a nested call that is never refused into an error of the outer call.
pub trait Refusal {}

impl<E: Refusal> From<E> for CallError<E> {
    fn from(error: E) -> Self {
        Self::Refused(error)
    }
}

impl<E: Refusal> From<CallError<Never>> for CallError<E> {
    fn from(error: CallError<Never>) -> Self {
        error.map(|never| match never {})
    }
}

impl<E> CallError<E> {
    /// The service is not running here and cannot be reached.
    #[must_use]
    pub const fn unavailable(service: Service) -> Self {
        Self::Unavailable(Cow::Borrowed(service.name()))
    }

    /// Converts the result of asking an actor of `service`.
    pub fn of_actor(service: Service, error: AskError<Self>) -> Self {
        let name = Cow::Borrowed(service.name());
        match error {
            AskError::Refused(error) => error,
            AskError::Busy => Self::Busy(name),
            AskError::Restarting => Self::Unavailable(name),
            AskError::Died | AskError::Deadline => Self::OutcomeUnknown(name),
        }
    }

    /// Converts the service's own reasons.
    pub fn map<F>(self, map: impl FnOnce(E) -> F) -> CallError<F> {
        self.and_then(|error| CallError::Refused(map(error)))
    }

    /// Replaces a refusal by the result of `map` and keeps every other error.
    pub fn and_then<F>(self, map: impl FnOnce(E) -> CallError<F>) -> CallError<F> {
        match self {
            Self::Refused(error) => map(error),
            Self::Conflict => CallError::Conflict,
            Self::Busy(part) => CallError::Busy(part),
            Self::Unavailable(part) => CallError::Unavailable(part),
            Self::OutcomeUnknown(part) => CallError::OutcomeUnknown(part),
            Self::Internal(text) => CallError::Internal(text),
        }
    }
}
