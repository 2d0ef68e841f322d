//! Why an account could not be had or changed.

use super::passwords::PasswordError;
use crate::{
    actors::runtime::AskError,
    domain::user::UserError,
    store::{StoreError, accounts::UserKey, document::SaveError},
};

/// The accounts' own refusals.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// The e-mail address or the chosen user name is another user's.
    #[error("user already exists")]
    UserExists,
    /// No such user, or not her password: which of both is not told.
    #[error("invalid credentials")]
    BadCredentials,
    /// It is her password, and she may not come in.
    #[error("this account is blocked")]
    Blocked,
    /// There is no user of that id.
    #[error("there is no such user")]
    NoSuchUser,
    /// A field cannot be what it is.
    #[error("{field} {problem}")]
    Invalid {
        /// Which.
        field: &'static str,
        /// What it must be.
        problem: &'static str,
    },
    /// The rules of a user say no.
    #[error(transparent)]
    Rule(#[from] UserError),
    /// The store did not do it.
    #[error(transparent)]
    Store(StoreError),
    /// The password was not checked.
    #[error(transparent)]
    Password(PasswordError),
}

impl From<StoreError> for AccountError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<SaveError<UserKey>> for AccountError {
    fn from(error: SaveError<UserKey>) -> Self {
        match error {
            SaveError::Duplicate(_) => Self::UserExists,
            SaveError::Store(error) => Self::Store(error),
        }
    }
}

impl From<PasswordError> for AccountError {
    fn from(error: PasswordError) -> Self {
        Self::Password(error)
    }
}

/// A refusal as the caller sees it: that of a busy or late part is a busy or late answer.
impl From<AccountError> for AskError<AccountError> {
    fn from(error: AccountError) -> Self {
        match error {
            // A password that had no turn has changed nothing, so it is not a deadline.
            AccountError::Store(StoreError::Busy)
            | AccountError::Password(PasswordError::Busy | PasswordError::Deadline) => Self::Busy,
            AccountError::Store(StoreError::Deadline) => Self::Deadline,
            other => Self::Refused(other),
        }
    }
}

/// The actor's answer with [`AskError::from`] applied to its refusal.
pub(super) fn told(error: AskError<AccountError>) -> AskError<AccountError> {
    match error {
        AskError::Refused(refusal) => refusal.into(),
        other => other,
    }
}
