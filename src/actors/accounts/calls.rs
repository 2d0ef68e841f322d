//! The calls of the account service.

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

/// Why a call of the account service is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
pub enum AccountRefusal {
    /// The e-mail address or the chosen user name belongs to another user.
    #[error("user already exists")]
    UserExists,
    /// There is no such user, or the password is wrong; the answer does not tell which.
    #[error("invalid credentials")]
    BadCredentials,
    /// The password is right, but the user is blocked.
    #[error("this account is blocked")]
    Blocked,
    /// The password with which a user is to confirm a change is wrong.
    #[error("the password is wrong")]
    WrongPassword,
    /// There is no user with this id.
    #[error("there is no such user")]
    NoSuchUser,
    /// The account is to be deleted, and an order or a refund of the user is not finished.
    #[error("an order or a refund of yours is not finished; delete the account after that")]
    HasOpenOrders,
    /// A field has an invalid value.
    #[error("{field} {problem}")]
    Invalid { field: Cow<'static, str>, problem: Cow<'static, str> },
    /// A domain rule refused the change.
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
            // A password that was not hashed has changed nothing, so the outcome is known.
            PasswordError::Busy | PasswordError::Deadline => Self::Busy(Service::Auth.name().into()),
            PasswordError::Failed => Self::unavailable(Service::Auth),
        }
    }
}

/// Serializes a password, which happens only in a call to another process.
pub(in crate::actors) fn password<S: Serializer>(password: &SecretString, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(password.expose_secret())
}

/// Where a password comes from. Those of one source wait for each other, and not for those of others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Names the queue of this source: a hash of the address, or of the device and account.
    pub flow: u64,
    /// Whether this account has been logged in to from there before.
    pub known: bool,
}

/// Creates a user or seller; any other role is refused. A repeated call would be refused because the user exists.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Register {
    pub email: String,
    /// Derived from the e-mail address if absent.
    pub username: Option<String>,
    pub full_name: FullName,
    pub role: Role,
    /// 8 to 128 characters.
    #[serde(serialize_with = "password")]
    pub password: SecretString,
    #[serde(default)]
    pub source: Source,
}

impl Call for Register {
    type Reply = User;
    type Error = AccountRefusal;
    const SERVICE: Service = Service::Auth;
    const REPEATABLE: bool = false;
    const WITHIN: Duration = WITHIN_NESTED;
}

/// Creates an admin; used by the command line.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CreateAdmin {
    pub email: String,
    /// Derived from the e-mail address if absent.
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

/// Makes the user with this e-mail address an admin, or refuses if there is none; used by the command line. The user
/// keeps the password, and has the new role after the next login.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PromoteToAdmin {
    pub email: String,
}

impl Call for PromoteToAdmin {
    type Reply = Option<User>;
    type Error = AccountRefusal;
    const SERVICE: Service = Service::Auth;
}

/// The name with which a user logs in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum LoginName {
    Email(String),
    Username(String),
}

/// What somebody with the right password gets.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum LoggedIn {
    User(Box<User>),
    /// The second factor is enabled: the ticket and a code finish the login.
    CodeNeeded {
        user: UserId,
        #[serde(serialize_with = "password")]
        ticket: SecretString,
    },
}

impl LoggedIn {
    #[must_use]
    pub const fn user(&self) -> UserId {
        match self {
            Self::User(user) => user.id,
            Self::CodeNeeded { user, .. } => *user,
        }
    }
}

/// Logs the user with this name in if the password is right. An unknown user and a wrong password are refused alike.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LogIn {
    pub name: LoginName,
    #[serde(serialize_with = "password")]
    pub password: SecretString,
    #[serde(default)]
    pub source: Source,
}

impl Call for LogIn {
    type Reply = LoggedIn;
    type Error = AccountRefusal;
    const SERVICE: Service = Service::Auth;
    const WITHIN: Duration = WITHIN_NESTED;
}

/// Sets a new e-mail address for a user whose address was left to an older account by the upgrade. A repeated call
/// would be refused because the user has an address.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReplaceEmail {
    pub user: UserId,
    pub email: String,
    #[serde(serialize_with = "password")]
    pub password: SecretString,
    #[serde(default)]
    pub source: Source,
}

impl Call for ReplaceEmail {
    type Reply = User;
    type Error = AccountRefusal;
    const SERVICE: Service = Service::Auth;
    const REPEATABLE: bool = false;
    const WITHIN: Duration = WITHIN_NESTED;
}

/// Sets whether a user gets mails that announce something.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SetAnnouncements {
    pub user: UserId,
    pub wanted: bool,
}

impl Call for SetAnnouncements {
    type Reply = ();
    type Error = AccountRefusal;
    const SERVICE: Service = Service::Auth;
}

/// Returns a user, unless the account was deleted. A change that another process made less than a minute ago may be missing; [`GetAddresses`] is exact.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetUser {
    pub user: UserId,
}

impl Call for GetUser {
    type Reply = Option<User>;
    type Error = Never;
    const SERVICE: Service = Service::Auth;
}

/// Returns a user's contact data; of a deleted user those that nobody can be reached by.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetContact {
    pub user: UserId,
}

impl Call for GetContact {
    type Reply = Option<Contact>;
    type Error = Never;
    const SERVICE: Service = Service::Auth;
}

/// Returns a user's role, unless the account was deleted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetRole {
    pub user: UserId,
}

impl Call for GetRole {
    type Reply = Option<Role>;
    type Error = Never;
    const SERVICE: Service = Service::Auth;
}

/// Returns the contact data of the shop's admins, up to the number that one mail is sent to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetAdmins {}

impl Call for GetAdmins {
    type Reply = Vec<Contact>;
    type Error = Never;
    const SERVICE: Service = Service::Auth;
}

/// Returns one of the user's addresses, or the default one.
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

/// Returns a user's addresses, oldest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetAddresses {
    pub user: UserId,
}

impl Call for GetAddresses {
    type Reply = Vec<Address>;
    type Error = AccountRefusal;
    const SERVICE: Service = Service::Auth;
}

/// Adds an address and returns all of them; the first one is the default.
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

/// Removes an address and returns the remaining ones. A repeated call would find no address to remove.
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

/// Stores that a token is revoked, until it would have expired.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RevokeToken {
    pub jti: String,
    pub expires_at: Timestamp,
}

impl Call for RevokeToken {
    type Reply = ();
    type Error = Never;
    const SERVICE: Service = Service::Auth;
}
