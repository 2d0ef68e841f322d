//! Users, their roles and addresses.

use serde::{Deserialize, Serialize};

use super::{
    Timestamp, identity,
    ids::{AddressId, EventId, UserId},
    two_factor::{LoginTicket, TICKETS, TRIES, TwoFactor},
};

/// What a user may do. Users cannot register as admins; the command line creates them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Buys.
    User,
    /// Sells, and cannot buy with this account.
    Seller,
    /// Runs the marketplace.
    Admin,
    /// One of the platform's own processes; never a stored user.
    Service,
}

impl Role {
    /// The word in tokens and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Seller => "seller",
            Self::Admin => "admin",
            Self::Service => "service",
        }
    }
}

/// A person's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct FullName {
    /// Given name, up to 100 characters.
    pub first_name: String,
    /// Family name, up to 100 characters.
    pub last_name: String,
}

/// A postal address with its recipient. Its rules are in [`super::address`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PostalAddress {
    /// Whom it goes to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_name: Option<String>,
    /// For the carrier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// Street and number.
    pub street: String,
    /// City; empty where the country's addresses need none.
    pub city: String,
    /// State or province, as its ISO 3166-2 code if known; empty if there is none.
    pub state: String,
    /// Country, as its ISO code; in addresses of earlier versions as the user typed it.
    pub country: String,
    /// Postal code; empty where there is none.
    pub zip: String,
}

/// A saved address of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Address {
    /// Its id within the user.
    pub id: AddressId,
    /// The lines.
    #[serde(flatten)]
    pub postal: PostalAddress,
    /// Whether it is the default for orders without an address; at most one is.
    pub is_default: bool,
}

/// A registered user, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    pub id: UserId,
    /// As typed; unique in its normalised form ([`identity::email_key`]).
    pub email: String,
    /// As typed; unique in its normalised form ([`identity::username_key`]).
    pub username: String,
    pub full_name: FullName,
    pub role: Role,
    /// Argon2id in PHC format. Never leaves the store and the accounts actor.
    pub password_hash: String,
    /// The older account that keeps the e-mail address, if an upgrade found that both have the same one. This user
    /// logs in by user name, and is asked for another address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email_taken_by: Option<UserId>,
    #[serde(default, skip_serializing_if = "Security::is_default")]
    pub security: Security,
    /// Whether the user wants no mails that announce something.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_announcements: bool,
    /// Up to [`ADDRESSES_MAX`].
    pub addresses: Vec<Address>,
    /// When registered.
    pub created_at: Timestamp,
    /// When last changed.
    pub updated_at: Timestamp,
    /// Counts writes; a write names the version it read.
    pub version: u64,
}

/// What protects an account besides its password.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Security {
    /// Whether the user has shown that the e-mail address is theirs.
    pub email_verified: bool,
    /// The last requested reset of the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_reset: Option<MailedToken>,
    /// The last requested confirmation of an e-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_confirmation: Option<MailedToken>,
    /// In seconds: tokens that were issued before are not valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_from: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub two_factor: Option<TwoFactor>,
    /// The secret of a second factor that is not enabled yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub two_factor_setup: Option<String>,
    /// Logins that wait for their code, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub login_tickets: Vec<LoginTicket>,
    /// When the account was deleted; see [`super::leaving`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
}

impl Security {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What a mailed token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TokenPurpose {
    ResetPassword,
    ConfirmEmail,
}

/// A token that was mailed to a user. It is derived from `request` and the shop's secret, and only its hash is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MailedToken {
    /// Names the request in events, which must not contain the token.
    pub request: EventId,
    /// SHA-256 of the token, in hexadecimal.
    pub hash: String,
    pub expires_at: Timestamp,
    /// The address that it confirms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Whether it was used. A confirmation can be repeated, so it is kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub used: bool,
}

impl MailedToken {
    /// Whether it is the token with this hash, and still valid at `now`.
    #[must_use]
    pub fn is_valid(&self, hash: &str, now: Timestamp) -> bool {
        self.hash == hash && now < self.expires_at
    }
}

/// How many addresses a user keeps at most.
pub const ADDRESSES_MAX: usize = 20;

/// Why a change of an account is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
pub enum UserError {
    #[error("there is no such address")]
    NoSuchAddress,
    /// [`ADDRESSES_MAX`] are there already.
    #[error("a user keeps at most 20 addresses")]
    TooManyAddresses,
    /// The user has an e-mail address and keeps it.
    #[error("this account has its e-mail address")]
    EmailKept,
    /// A mailed token is unknown, expired or used, or a later one replaced it.
    #[error("this link is not valid any more; ask for a new one")]
    TokenInvalid,
    #[error("the password was changed at the same moment; log in again")]
    PasswordChanged,
    /// A code of the second factor is wrong or was used, or the ticket of the login is not valid.
    #[error("the code is not right; enter the one that your app shows now")]
    CodeInvalid,
    #[error("two-factor authentication is on already")]
    TwoFactorOn,
}

/// The key prefix of a user whose e-mail address belongs to another account; no address begins like this.
pub const NO_ADDRESS: &str = "taken:";
/// Sorts after all keys that begin with [`NO_ADDRESS`].
pub const BEHIND_NO_ADDRESS: &str = "taken;";

impl User {
    /// The user's unique e-mail key: the normalised address, or a key that no input produces if the address belongs
    /// to another account.
    #[must_use]
    pub fn email_key(&self) -> String {
        match self.email_taken_by {
            // No input produces this either.
            None if self.is_deleted() => self.username.clone(),
            None => identity::email_key(&self.email),
            Some(_) => format!("{NO_ADDRESS}{}", self.id.to_hex()),
        }
    }

    /// Whether this account was there before the other.
    #[must_use]
    pub fn is_older_than(&self, other: &Self) -> bool {
        (self.created_at, self.id) < (other.created_at, other.id)
    }

    /// Leaves the e-mail address to the older account that has it as well.
    pub const fn leave_email_to(&mut self, keeper: UserId) {
        self.email_taken_by = Some(keeper);
    }

    /// Replaces an e-mail address that belongs to another account.
    ///
    /// # Errors
    /// [`UserError::EmailKept`].
    pub fn replace_email(&mut self, email: &str) -> Result<(), UserError> {
        if self.email_taken_by.take().is_none() {
            return Err(UserError::EmailKept);
        }
        email.clone_into(&mut self.email);
        self.security.email_verified = false;
        self.security.email_confirmation = None;
        Ok(())
    }

    /// Sets a new password with the token of a requested reset, which is then used up.
    ///
    /// # Errors
    /// [`UserError::TokenInvalid`].
    pub fn reset_password(&mut self, token: &str, password_hash: String, now: Timestamp) -> Result<(), UserError> {
        let reset = self.security.password_reset.take();
        reset.filter(|reset| reset.is_valid(token, now)).ok_or(UserError::TokenInvalid)?;
        self.password_hash = password_hash;
        // The token came by mail.
        self.security.email_verified |= self.email_taken_by.is_none();
        Ok(())
    }

    /// Confirms an e-mail address with a mailed token: the user's own, or one to change to. Returns whether the address
    /// changed. A repetition changes nothing.
    ///
    /// # Errors
    /// [`UserError::TokenInvalid`].
    pub fn confirm_email(&mut self, token: &str, now: Timestamp) -> Result<bool, UserError> {
        let confirmation = self.security.email_confirmation.as_mut();
        let confirmation = confirmation.filter(|of| of.is_valid(token, now)).ok_or(UserError::TokenInvalid)?;
        if std::mem::replace(&mut confirmation.used, true) {
            return Ok(false);
        }
        let email = confirmation.email.clone().filter(|email| *email != self.email);
        let Some(email) = email else {
            self.security.email_verified |= self.email_taken_by.is_none();
            return Ok(false);
        };
        self.security.email_verified = true;
        self.email = email;
        self.email_taken_by = None;
        // A reset that was mailed to the former address ends with it.
        self.security.password_reset = None;
        Ok(true)
    }

    /// Accepts a code of the second factor, if that is enabled.
    ///
    /// # Errors
    /// [`UserError::CodeInvalid`].
    pub fn check_code(&mut self, code: Option<&str>, now: Timestamp) -> Result<(), UserError> {
        let Some(factor) = &mut self.security.two_factor else { return Ok(()) };
        if code.is_some_and(|code| factor.accept(code, now)) { Ok(()) } else { Err(UserError::CodeInvalid) }
    }

    /// Sets the secret of a second factor, which is enabled by a code.
    ///
    /// # Errors
    /// [`UserError::TwoFactorOn`].
    pub fn set_up_two_factor(&mut self, secret: String) -> Result<(), UserError> {
        if self.security.two_factor.is_some() {
            return Err(UserError::TwoFactorOn);
        }
        self.security.two_factor_setup = Some(secret);
        Ok(())
    }

    /// Enables the second factor with a code for its secret.
    ///
    /// # Errors
    /// [`UserError::CodeInvalid`], [`UserError::TwoFactorOn`].
    pub fn enable_two_factor(&mut self, code: &str, recovery: Vec<String>, now: Timestamp) -> Result<(), UserError> {
        if self.security.two_factor.is_some() {
            return Err(UserError::TwoFactorOn);
        }
        let secret = self.security.two_factor_setup.clone().ok_or(UserError::CodeInvalid)?;
        let factor = TwoFactor::enable(secret, code, recovery, now).ok_or(UserError::CodeInvalid)?;
        self.security.two_factor = Some(factor);
        self.security.two_factor_setup = None;
        Ok(())
    }

    /// Disables the second factor.
    pub fn disable_two_factor(&mut self) {
        self.security.two_factor = None;
        self.security.two_factor_setup = None;
        self.security.login_tickets.clear();
    }

    /// Remembers the ticket of a login that waits for its code.
    pub fn add_login_ticket(&mut self, ticket: LoginTicket, now: Timestamp) {
        let tickets = &mut self.security.login_tickets;
        tickets.retain(|ticket| now < ticket.expires_at);
        let excess = (tickets.len() + 1).saturating_sub(TICKETS);
        tickets.drain(..excess);
        tickets.push(ticket);
    }

    /// Tries a code with a ticket, which is used up if the code is right; otherwise the attempt counts. Returns whether
    /// the code is right.
    ///
    /// # Errors
    /// [`UserError::CodeInvalid`] when the ticket is not valid.
    pub fn use_login_ticket(&mut self, hash: &str, code: &str, now: Timestamp) -> Result<bool, UserError> {
        let Security { two_factor, login_tickets, .. } = &mut self.security;
        let is_valid = |ticket: &LoginTicket| ticket.hash == hash && now < ticket.expires_at && ticket.tries < TRIES;
        let at = login_tickets.iter().position(is_valid).ok_or(UserError::CodeInvalid)?;
        // Without a second factor, it was disabled since the password was checked.
        let is_right = two_factor.as_mut().is_none_or(|factor| factor.accept(code, now));
        if is_right {
            login_tickets.remove(at);
        } else {
            login_tickets[at].tries += 1;
        }
        Ok(is_right)
    }

    /// The address that a confirmation is to be mailed to: the one to change to, or the user's own if it is not
    /// confirmed.
    #[must_use]
    pub fn unconfirmed_email(&self, now: Timestamp) -> Option<&str> {
        let pending = self.security.email_confirmation.as_ref().filter(|of| !of.used && now < of.expires_at);
        let pending = pending.and_then(|of| of.email.as_deref()).filter(|email| *email != self.email);
        let own = (!self.security.email_verified && self.email_taken_by.is_none()).then_some(self.email.as_str());
        pending.or(own)
    }

    /// Adds an address; the first is the default, and a new default replaces the old.
    ///
    /// # Errors
    /// [`UserError::TooManyAddresses`].
    pub fn add_address(&mut self, id: AddressId, postal: PostalAddress, is_default: bool) -> Result<(), UserError> {
        if self.addresses.len() >= ADDRESSES_MAX {
            return Err(UserError::TooManyAddresses);
        }
        let is_default = is_default || self.addresses.is_empty();
        if is_default {
            self.addresses.iter_mut().for_each(|address| address.is_default = false);
        }
        self.addresses.push(Address { id, postal, is_default });
        Ok(())
    }

    /// Replaces an address; a new default replaces the old.
    ///
    /// # Errors
    /// [`UserError::NoSuchAddress`].
    pub fn update_address(&mut self, id: AddressId, postal: PostalAddress, is_default: bool) -> Result<(), UserError> {
        let at = self.addresses.iter().position(|address| address.id == id).ok_or(UserError::NoSuchAddress)?;
        if is_default {
            self.addresses.iter_mut().for_each(|address| address.is_default = false);
        }
        let address = &mut self.addresses[at];
        address.postal = postal;
        address.is_default |= is_default;
        Ok(())
    }

    /// Removes an address; if it was the default, the oldest that is left becomes it.
    ///
    /// # Errors
    /// [`UserError::NoSuchAddress`].
    pub fn remove_address(&mut self, id: AddressId) -> Result<(), UserError> {
        let at = self.addresses.iter().position(|address| address.id == id).ok_or(UserError::NoSuchAddress)?;
        let removed = self.addresses.remove(at);
        if removed.is_default
            && let Some(first) = self.addresses.first_mut()
        {
            first.is_default = true;
        }
        Ok(())
    }

    /// The address that orders without one go to.
    #[must_use]
    pub fn default_address(&self) -> Option<&Address> {
        self.addresses.iter().find(|address| address.is_default)
    }

    /// How to reach the user.
    #[must_use]
    pub fn contact(&self) -> Contact {
        Contact {
            user: self.id,
            email: self.email.clone(),
            username: self.username.clone(),
            full_name: self.full_name.clone(),
        }
    }
}

/// What other services need to contact a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Contact {
    /// Whom.
    pub user: UserId,
    /// E-mail address.
    pub email: String,
    /// User name.
    pub username: String,
    pub full_name: FullName,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user() -> User {
        User {
            id: UserId::generate(),
            email: "a@b.cd".into(),
            username: "abc".into(),
            full_name: FullName::default(),
            role: Role::User,
            password_hash: String::new(),
            email_taken_by: None,
            security: Security::default(),
            no_announcements: false,
            addresses: vec![],
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
            version: 0,
        }
    }

    fn postal() -> PostalAddress {
        let line = || "x".to_owned();
        PostalAddress { street: line(), city: line(), ..PostalAddress::default() }
    }

    #[test]
    fn the_first_address_is_the_default_and_one_always_is() {
        let (mut user, first, second) = (user(), AddressId::generate(), AddressId::generate());
        user.add_address(first, postal(), false).unwrap();
        user.add_address(second, postal(), true).unwrap();
        assert_eq!(user.default_address().map(|a| a.id), Some(second));
        user.remove_address(second).unwrap();
        assert_eq!(user.default_address().map(|a| a.id), Some(first));
        assert_eq!(user.remove_address(second), Err(UserError::NoSuchAddress));
    }

    #[test]
    fn addresses_are_bounded() {
        let mut user = user();
        for _ in 0..ADDRESSES_MAX {
            user.add_address(AddressId::generate(), postal(), false).unwrap();
        }
        assert_eq!(user.add_address(AddressId::generate(), postal(), false), Err(UserError::TooManyAddresses));
    }
}
