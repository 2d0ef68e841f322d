//! Deleting an account, as far as the account itself goes. [`crate::actors::leaving`] does the rest.

use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::{
    Accounts,
    actor::Effects,
    calls::{AccountRefusal, password as secret},
};
use crate::{
    config::Service,
    domain::{ids::UserId, user::User},
    runtime::calls::{Call, Handles, Outcome, Registry, WITHIN_NESTED},
};

/// Returns the user if the password is theirs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CheckPassword {
    pub user: UserId,
    #[serde(serialize_with = "secret")]
    pub password: SecretString,
}

impl Call for CheckPassword {
    type Reply = User;
    type Error = AccountRefusal;
    const SERVICE: Service = Service::Auth;
    const WITHIN: Duration = WITHIN_NESTED;
}

/// Removes the person from an account for good, and ends all their tokens. The caller has checked that they may leave.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CloseAccount {
    pub user: UserId,
    /// Of the second factor, where it is enabled.
    pub code: Option<String>,
}

impl Call for CloseAccount {
    type Reply = User;
    type Error = AccountRefusal;
    const SERVICE: Service = Service::Auth;
    const REPEATABLE: bool = false;
}

/// Registers the calls.
pub(super) fn register(registry: &mut Registry, accounts: &std::sync::Arc<Accounts>) {
    registry.serve::<CheckPassword>(accounts).serve::<CloseAccount>(accounts);
}

impl Handles<CheckPassword> for Accounts {
    async fn handle(&self, CheckPassword { user, password }: CheckPassword) -> Outcome<CheckPassword> {
        self.check_current(user, password).await.map(super::bare)
    }
}

impl Handles<CloseAccount> for Accounts {
    async fn handle(&self, CloseAccount { user, code }: CloseAccount) -> Outcome<CloseAccount> {
        let leave = move |user: &mut User, now| {
            user.check_code(code.as_deref(), now)?;
            user.leave(now);
            Ok(Effects { notices: vec![], ends_tokens: true })
        };
        self.change_with(user, leave).await
    }
}
