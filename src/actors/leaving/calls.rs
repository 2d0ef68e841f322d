//! The calls to delete an account and to export what is kept about its user.

use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    actors::accounts::calls::{AccountRefusal, password as secret},
    config::Service,
    domain::{ids::UserId, user::User},
    runtime::calls::{Call, WITHIN_NESTED},
};

/// Deletes an account: the person is removed from it at once, and from everything else by the event of it. Returns what
/// is left of the user.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeleteAccount {
    pub user: UserId,
    #[serde(serialize_with = "secret")]
    pub password: SecretString,
    /// Of the second factor, where it is enabled.
    pub code: Option<String>,
}

impl Call for DeleteAccount {
    type Reply = User;
    type Error = AccountRefusal;
    const SERVICE: Service = Service::Auth;
    const REPEATABLE: bool = false;
    const WITHIN: Duration = WITHIN_NESTED;
}

/// Returns everything that is kept about a user as one JSON object.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ExportAccount {
    pub user: UserId,
}

impl Call for ExportAccount {
    type Reply = Value;
    type Error = AccountRefusal;
    const SERVICE: Service = Service::Auth;
    const WITHIN: Duration = WITHIN_NESTED;
}
