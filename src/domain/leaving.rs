//! Deleted accounts: what is left of a user, and how their name and address are removed from what stays.
//!
//! **Invariant:** removing a person twice has the effect of removing them once, and no amount or id changes.

use super::{
    Timestamp,
    event::{Event, UserSnapshot},
    ids::UserId,
    order::{Order, OrderStatus},
    payment::Payment,
    user::{Contact, FullName, Security, User},
};

/// Begins the user name of deleted users, which is their e-mail key as well. No valid name or address begins like this.
const DELETED: &str = "deleted:";
/// The domain of deleted users' addresses; no mail can be sent there (RFC 2606).
const DOMAIN: &str = "@deleted.invalid";

/// The address that replaces a deleted user's.
#[must_use]
pub fn deleted_email(user: UserId) -> String {
    format!("{user}{DOMAIN}")
}

/// Whether it is the address of a deleted user.
#[must_use]
pub fn is_deleted_email(email: &str) -> bool {
    email.strip_suffix(DOMAIN).is_some_and(|id| id.parse::<UserId>().is_ok())
}

fn deleted_username(user: UserId) -> String {
    format!("{DELETED}{user}")
}

impl User {
    /// Removes the person. The e-mail address and the user name can be registered again.
    pub fn leave(&mut self, now: Timestamp) {
        self.email = deleted_email(self.id);
        self.username = deleted_username(self.id);
        self.full_name = FullName::default();
        self.password_hash = String::new();
        self.email_taken_by = None;
        let tokens_from = self.security.tokens_from;
        self.security = Security { deleted_at: Some(now), tokens_from, ..Security::default() };
        self.no_announcements = true;
        self.addresses.clear();
    }

    /// Whether the account was deleted.
    #[must_use]
    pub const fn is_deleted(&self) -> bool {
        self.security.deleted_at.is_some()
    }
}

impl Contact {
    /// The contact data of a deleted user.
    #[must_use]
    pub fn deleted(user: UserId) -> Self {
        let (email, username) = (deleted_email(user), deleted_username(user));
        Self { user, email, username, full_name: FullName::default() }
    }

    /// Whether it is that of a deleted user.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        is_deleted_email(&self.email)
    }

    fn forget(&mut self, user: UserId) -> bool {
        let is_theirs = self.user == user && !self.is_deleted();
        if is_theirs {
            *self = Self::deleted(user);
        }
        is_theirs
    }
}

impl Order {
    /// Whether it keeps its buyer and sellers from leaving: it may still be paid, shipped or delivered.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.status, OrderStatus::Pending | OrderStatus::Confirmed | OrderStatus::Shipped)
    }

    /// Removes what names the buyer; returns whether there was anything.
    pub fn forget_buyer(&mut self, now: Timestamp) -> bool {
        let named = self.shipping_address.take().is_some() | self.keys.idempotency.take().is_some();
        if named {
            self.updated_at = now;
        }
        named
    }
}

impl Payment {
    /// Removes the buyer's contact data; returns whether there was any.
    pub fn forget_buyer(&mut self, user: UserId) -> bool {
        self.contact.forget(user)
    }
}

impl UserSnapshot {
    fn forget(&mut self, user: UserId) -> bool {
        let is_theirs = self.id == user && !is_deleted_email(&self.email);
        if is_theirs {
            self.email = deleted_email(user);
            self.username = deleted_username(user);
            self.full_name = FullName::default();
        }
        is_theirs
    }
}

impl Event {
    /// Removes what names a deleted user; returns whether there was anything.
    pub fn forget(&mut self, user: UserId) -> bool {
        match self {
            Self::UserCreated(snapshot) => snapshot.forget(user),
            Self::AccountNotice(notice) => {
                let is_theirs = notice.user == user && !is_deleted_email(&notice.email);
                if is_theirs {
                    notice.email = deleted_email(user);
                }
                is_theirs
            }
            Self::ProductCreated { seller, .. } | Self::ProductImportFinished { seller, .. } => seller.forget(user),
            Self::OrderCreated(order)
            | Self::OrderConfirmed(order)
            | Self::OrderUpdated(order)
            | Self::OrderPartMoved { order, .. }
            | Self::OrderShipped(order)
            | Self::OrderDelivered(order)
            | Self::OrderCancelled(order) => order.user == user && order.forget_buyer(order.updated_at),
            Self::PaymentCreated(payment)
            | Self::PaymentInitiated(payment)
            | Self::PaymentCompleted(payment)
            | Self::PaymentFailed { payment, .. }
            | Self::PaymentUpdated(payment)
            | Self::PaymentRefunded { payment, .. } => payment.forget_buyer(user),
            Self::PaymentDisputed { payment, admins, .. } => {
                admins.iter_mut().fold(payment.forget_buyer(user), |changed, admin| admin.forget(user) | changed)
            }
            Self::UserDeleted { .. }
            | Self::ProductUpdated(_)
            | Self::ProductDeleted { .. }
            | Self::StockChanged(_)
            | Self::WishlistChanged { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        event::{AccountNotice, NoticeKind},
        identity::{is_email, is_username, username_key},
        user::Role,
    };

    fn user() -> User {
        User {
            id: UserId::generate(),
            email: "asha@example.com".into(),
            username: "asha".into(),
            full_name: FullName { first_name: "Asha".into(), last_name: "Rao".into() },
            role: Role::User,
            password_hash: "hash".into(),
            email_taken_by: Some(UserId::generate()),
            security: Security { email_verified: true, tokens_from: Some(7), ..Security::default() },
            no_announcements: false,
            addresses: vec![],
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
            version: 3,
        }
    }

    #[test]
    fn nothing_of_a_deleted_user_names_them_or_can_be_registered() {
        let mut user = user();
        user.leave(Timestamp::UNIX_EPOCH);
        assert!(user.is_deleted() && is_deleted_email(&user.email));
        assert!(!is_email(&user.email_key()) && !is_username(&username_key(&user.username)));
        let left = serde_json::to_string(&user).unwrap().to_lowercase();
        assert!(["asha", "rao", "hash\":\"h"].iter().all(|part| !left.contains(part)), "{left}");
        assert_eq!(user.security.tokens_from, Some(7), "ended tokens stay ended");
        assert!(!is_deleted_email("asha@deleted.invalid"));
    }

    #[test]
    fn events_forget_one_user_and_once() {
        let (user, other) = (UserId::generate(), UserId::generate());
        let email = "asha@example.com".to_owned();
        let notice = AccountNotice { kind: NoticeKind::PasswordChanged, user, email, request: None };
        let mut event = Event::AccountNotice(notice);
        let before = event.clone();
        assert!(!event.forget(other) && event == before);
        assert!(event.forget(user) && !event.forget(user));
        assert!(!serde_json::to_string(&event).unwrap().contains("asha"));
    }
}
