//! How a call fails.

use std::{borrow::Cow, fmt};

use actix_guardian::AskError;
use serde::{Deserialize, Serialize};

use crate::config::Service;

/// Why a call was not done, around the service's own reasons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "error", content = "detail", rename_all = "camelCase")]
pub enum CallError<E> {
    /// The service's rules say no.
    #[error("{0}")]
    Refused(E),
    /// It was changed by somebody else at the same moment; nothing was done.
    #[error("it was changed at the same moment; try again")]
    Conflict,
    /// This part takes on no more work; nothing was done.
    #[error("the {0} service is busy")]
    Busy(Cow<'static, str>),
    /// This part is away or being restarted; nothing was done, or repeating is harmless.
    #[error("the {0} service is not available")]
    Unavailable(Cow<'static, str>),
    /// This part did not answer in time; whether it was done is unknown.
    #[error("the {0} service did not answer in time")]
    OutcomeUnknown(Cow<'static, str>),
    /// A fault of the program; the text is for the log.
    #[error("{0}")]
    Internal(String),
}

/// The error of a call that no rule refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Never {}

impl fmt::Display for Never {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

/// A service's own reasons to refuse a call. By this mark `?` turns them into the [`CallError`] around them, and the
/// failure of a nested call that no rule refuses into a failure of the outer one.
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
    /// This service does not run, or cannot be reached.
    #[must_use]
    pub const fn unavailable(service: Service) -> Self {
        Self::Unavailable(Cow::Borrowed(service.name()))
    }

    /// What `service`'s own actor answered, or how it failed to.
    pub fn of_actor(service: Service, error: AskError<Self>) -> Self {
        let name = Cow::Borrowed(service.name());
        match error {
            AskError::Refused(error) => error,
            AskError::Busy => Self::Busy(name),
            AskError::Restarting => Self::Unavailable(name),
            AskError::Died | AskError::Deadline => Self::OutcomeUnknown(name),
        }
    }

    /// The same failure around another service's reasons.
    pub fn map<F>(self, map: impl FnOnce(E) -> F) -> CallError<F> {
        self.and_then(|error| CallError::Refused(map(error)))
    }

    /// The same failure, and in the place of a refusal what `map` makes of it.
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
