//! What the accounts actor is asked.

use actix::Message;

use super::error::AccountError;
use crate::domain::{
    ids::{AddressId, UserId},
    user::{FullName, PostalAddress, Role, User},
};

/// Makes a user. The password is hashed already.
#[derive(Message)]
#[rtype(result = "Result<User, AccountError>")]
pub struct Register {
    /// As typed, valid.
    pub email: String,
    /// As typed, valid; made from the e-mail address when absent.
    pub username: Option<String>,
    /// Name.
    pub full_name: FullName,
    /// Role.
    pub role: Role,
    /// In PHC format.
    pub password_hash: String,
}

/// Adds an address; the answer is the user as she is then.
#[derive(Message)]
#[rtype(result = "Result<User, AccountError>")]
pub struct AddAddress {
    /// Whose.
    pub user: UserId,
    /// The lines.
    pub postal: PostalAddress,
    /// Whether it becomes the default.
    pub is_default: bool,
}

/// Replaces the hash of a password, if it still is the `old` one.
#[derive(Message)]
#[rtype(result = "Result<User, AccountError>")]
pub struct ReplaceHash {
    /// Whose.
    pub user: UserId,
    /// In PHC format.
    pub old: String,
    /// The same password's, in PHC format.
    pub new: String,
}

/// Gives a user who has no e-mail address of their own another one.
#[derive(Message)]
#[rtype(result = "Result<User, AccountError>")]
pub struct ReplaceEmail {
    /// Whose.
    pub user: UserId,
    /// As typed, valid.
    pub email: String,
}

/// Gives a user another role; the answer is the user as they are then.
#[derive(Message)]
#[rtype(result = "Result<User, AccountError>")]
pub struct SetRole {
    /// Who.
    pub user: UserId,
    /// What they may do.
    pub role: Role,
}

/// Removes an address; the answer is the user as she is then.
#[derive(Message)]
#[rtype(result = "Result<User, AccountError>")]
pub struct RemoveAddress {
    /// Whose.
    pub user: UserId,
    /// Which.
    pub address: AddressId,
}
