//! What other services and the shop's own routes and pages ask about users.

use std::{borrow::Cow, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

use super::passwords::PasswordError;
use crate::{
    config::Service,
    domain::{
        Timestamp,
        ids::{AddressId, UserId},
        user::{Address, Contact, FullName, PostalAddress, Role, User, UserError},
    },
    runtime::calls::{Call, CallError, Never, Refusal, WITHIN_NESTED},
    store::{accounts::UserKey, document::SaveError},
};

/// Why an account could not be had or changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
pub enum AccountRefusal {
    /// The e-mail address or the chosen user name is another user's.
    #[error("user already exists")]
    UserExists,
    /// No such user, or not their password: which of both is not told.
    #[error("invalid credentials")]
    BadCredentials,
    /// It is their password, and they may not come in.
    #[error("this account is blocked")]
    Blocked,
    /// There is no user of that id.
    #[error("there is no such user")]
    NoSuchUser,
    /// A field cannot be what it is.
    #[error("{field} {problem}")]
    Invalid { field: Cow<'static, str>, problem: Cow<'static, str> },
    /// The rules of a user say no.
    #[error("{0}")]
    Rule(UserError),
}

impl Refusal for AccountRefusal {}

impl From<UserError> for CallError<AccountRefusal> {
    fn from(error: UserError) -> Self {
        Self::Refused(AccountRefusal::Rule(error))
    }
}

impl From<SaveError<UserKey>> for CallError<AccountRefusal> {
    fn from(error: SaveError<UserKey>) -> Self {
        match error {
            SaveError::Duplicate(_) => Self::Refused(AccountRefusal::UserExists),
            SaveError::Store(error) => error.into(),
        }
    }
}

impl From<PasswordError> for CallError<AccountRefusal> {
    fn from(error: PasswordError) -> Self {
        match error {
            // A password that had no turn has changed nothing, so the outcome is known.
            PasswordError::Busy | PasswordError::Deadline => Self::Busy(Service::Auth.name().into()),
            PasswordError::Failed => Self::unavailable(Service::Auth),
        }
    }
}

/// Writes a password out, which only a call to another process does: its `Debug` hides it.
fn password<S: Serializer>(password: &SecretString, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(password.expose_secret())
}

/// Makes a user or seller; any other role is refused. Done again it would find the user there.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Register {
    pub email: String,
    /// Made from the e-mail address when absent.
    pub username: Option<String>,
    pub full_name: FullName,
    pub role: Role,
    /// 8 to 128 characters.
    #[serde(serialize_with = "password")]
    pub password: SecretString,
}

impl Call for Register {
    type Reply = User;
    type Error = AccountRefusal;
    const SERVICE: Service = Service::Auth;
    const REPEATABLE: bool = false;
    const WITHIN: Duration = WITHIN_NESTED;
}

/// Makes an admin, as the command line does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CreateAdmin {
    pub email: String,
    /// Made from the e-mail address when absent.
    pub username: Option<String>,
    #[serde(serialize_with = "password")]
    pub password: SecretString,
}

impl Call for CreateAdmin {
    type Reply = User;
    type Error = AccountRefusal;
    const SERVICE: Service = Service::Auth;
    const REPEATABLE: bool = false;
    const WITHIN: Duration = WITHIN_NESTED;
}

/// Makes the user of this e-mail address an admin, as the command line does; nobody may have it. They keep their
/// password, and log in again to have the new role.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PromoteToAdmin {
    pub email: String,
}

impl Call for PromoteToAdmin {
    type Reply = Option<User>;
    type Error = AccountRefusal;
    const SERVICE: Service = Service::Auth;
}

/// What users call themselves when they log in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum LoginName {
    Email(String),
    Username(String),
}

/// Finds the user of a name, if this is their password. An unknown user and a wrong password are refused alike.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LogIn {
    pub name: LoginName,
    #[serde(serialize_with = "password")]
    pub password: SecretString,
}

impl Call for LogIn {
    type Reply = User;
    type Error = AccountRefusal;
    const SERVICE: Service = Service::Auth;
    const WITHIN: Duration = WITHIN_NESTED;
}

/// Gives a user whose address the upgrade left to an older account another one. Done again it would find that the
/// user has an address.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReplaceEmail {
    pub user: UserId,
    pub email: String,
    #[serde(serialize_with = "password")]
    pub password: SecretString,
}

impl Call for ReplaceEmail {
    type Reply = User;
    type Error = AccountRefusal;
    const SERVICE: Service = Service::Auth;
    const REPEATABLE: bool = false;
    const WITHIN: Duration = WITHIN_NESTED;
}

/// Reads a user. What another process wrote less than a minute ago may be missing; [`GetAddresses`] is exact.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetUser {
    pub user: UserId,
}

impl Call for GetUser {
    type Reply = Option<User>;
    type Error = Never;
    const SERVICE: Service = Service::Auth;
}

/// Reads how to reach a user.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetContact {
    pub user: UserId,
}

impl Call for GetContact {
    type Reply = Option<Contact>;
    type Error = Never;
    const SERVICE: Service = Service::Auth;
}

/// Reads what a user may do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetRole {
    pub user: UserId,
}

impl Call for GetRole {
    type Reply = Option<Role>;
    type Error = Never;
    const SERVICE: Service = Service::Auth;
}

/// Reads how to reach the shop's admins, as many as a mail is sent to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetAdmins {}

impl Call for GetAdmins {
    type Reply = Vec<Contact>;
    type Error = Never;
    const SERVICE: Service = Service::Auth;
}

/// Reads one of the user's addresses, or the default one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetAddress {
    pub user: UserId,
    pub address: Option<AddressId>,
}

impl Call for GetAddress {
    type Reply = Option<PostalAddress>;
    type Error = Never;
    const SERVICE: Service = Service::Auth;
}

/// Reads a user's addresses, oldest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetAddresses {
    pub user: UserId,
}

impl Call for GetAddresses {
    type Reply = Vec<Address>;
    type Error = AccountRefusal;
    const SERVICE: Service = Service::Auth;
}

/// Adds an address and answers with all; the first is the default.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AddAddress {
    pub user: UserId,
    pub postal: PostalAddress,
    pub is_default: bool,
}

impl Call for AddAddress {
    type Reply = Vec<Address>;
    type Error = AccountRefusal;
    const SERVICE: Service = Service::Auth;
    const REPEATABLE: bool = false;
}

/// Removes an address and answers with those that are left. Done again it would find none to remove.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RemoveAddress {
    pub user: UserId,
    pub address: AddressId,
}

impl Call for RemoveAddress {
    type Reply = Vec<Address>;
    type Error = AccountRefusal;
    const SERVICE: Service = Service::Auth;
    const REPEATABLE: bool = false;
}

/// Remembers that a token is dead, until it would have expired anyway.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KillToken {
    pub jti: String,
    pub expires_at: Timestamp,
}

impl Call for KillToken {
    type Reply = ();
    type Error = Never;
    const SERVICE: Service = Service::Auth;
}
