//! The stored form of webhooks and deliveries.

use serde::{Deserialize, Serialize};

use super::{
    super::{
        StoreError,
        document::{Document, Index, NoUniqueKey, SaveError, key, stored_as},
    },
    Health,
};
use crate::{
    config::Service,
    domain::{
        Timestamp,
        ids::{UserId, WebhookDeliveryId, WebhookId},
        webhook::{SwitchedOff, Webhook, WebhookDelivery},
    },
};

/// A webhook with the store's own fields.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::store) struct StoredWebhook {
    #[serde(flatten)]
    pub(super) webhook: Webhook,
    /// Its position among its owner's webhooks, which bounds their number.
    pub(super) place: u32,
    /// No waiting delivery can be claimed before this; `None` when nothing waits.
    pub(super) due_at: Option<Timestamp>,
    /// Counts all writes, including those that the owner's version does not count.
    #[serde(skip)]
    revision: u64,
}

/// The unique keys of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum WebhookKey {
    /// Its position among its owner's webhooks.
    Place,
}

pub(super) const PLACE: Index<StoredWebhook> =
    Index::unique("place", WebhookKey::Place, |of| key((of.webhook.owner, u64::from(of.place))));
/// Whether it is switched off, and the role in which it was registered.
pub(super) const STATE: Index<StoredWebhook> =
    Index::new("state", |of| key((of.webhook.off.is_some(), of.webhook.role.as_str())));
/// For active webhooks.
pub(super) const DUE: Index<StoredWebhook> =
    Index::new("due", |of| key(of.due_at.filter(|_| of.webhook.off.is_none())?));

impl StoredWebhook {
    pub(super) fn new(webhook: &Webhook, place: u32) -> Self {
        let webhook = Webhook { version: 1, consecutive_failures: 0, off: None, ..webhook.clone() };
        Self { webhook, place, due_at: None, revision: 0 }
    }

    /// Applies the owner's changes, if they were made to this version; returns the next version.
    pub(super) fn replace(&mut self, webhook: &Webhook) -> Option<u64> {
        let (was, version) = (&self.webhook, webhook.version + 1);
        if was.version != webhook.version {
            return None;
        }
        let is_switched_on = was.off.is_some() && webhook.off.is_none();
        let consecutive_failures = if is_switched_on { 0 } else { was.consecutive_failures };
        if is_switched_on {
            // The waiting deliveries were made since then.
            self.due_at = Some(webhook.created_at);
        }
        self.webhook = Webhook { version, consecutive_failures, ..webhook.clone() };
        Some(version)
    }

    /// Switches it off; returns whether it was on.
    pub(super) fn switch_off(&mut self, reason: &str, at: Timestamp) -> bool {
        let is_on = self.webhook.off.is_none();
        if is_on {
            self.webhook.off = Some(SwitchedOff { reason: reason.to_owned(), at });
            self.webhook.version += 1;
        }
        is_on
    }

    /// Makes it due by this time; returns whether that is earlier than before.
    pub(super) fn expect_by(&mut self, at: Option<Timestamp>) -> bool {
        let is_earlier = at.is_some_and(|at| self.due_at.is_none_or(|due| at < due));
        if is_earlier {
            self.due_at = at;
        }
        is_earlier
    }

    /// Applies the result of an attempt whose delivery waits until `next`; returns whether this switches it off,
    /// `None` when nothing changes.
    pub(super) fn tried(&mut self, next: Option<Timestamp>, health: Health, now: Timestamp) -> Option<bool> {
        let is_earlier = self.expect_by(next);
        let before = self.webhook.consecutive_failures;
        let failures = match health {
            Health::Good => 0,
            Health::Bad { .. } => before.saturating_add(1),
            Health::Gone | Health::Unknown => before,
        };
        let reason = match health {
            Health::Gone => Some("the receiver answered 410 Gone".to_owned()),
            Health::Bad { switch_off_after } if failures >= switch_off_after => {
                Some(format!("{switch_off_after} attempts in a row failed"))
            }
            _ => None,
        };
        self.webhook.consecutive_failures = failures;
        let is_switched_off = reason.is_some_and(|reason| self.switch_off(&reason, now));
        (is_earlier || failures != before || is_switched_off).then_some(is_switched_off)
    }
}

impl Document for StoredWebhook {
    type Unique = WebhookKey;

    const COLLECTION: &'static str = "webhook_endpoints";
    const SERVICE: Service = Service::Notification;
    const INDEXES: &'static [Index<Self>] = &[PLACE, STATE, DUE];

    stored_as!(self, WebhookId = self.webhook.id, self.revision);
}

/// Positions never change.
impl From<SaveError<WebhookKey>> for StoreError {
    fn from(error: SaveError<WebhookKey>) -> Self {
        match error {
            SaveError::Duplicate(WebhookKey::Place) => Self::Conflict,
            SaveError::Store(error) => error,
        }
    }
}

/// A delivery with the store's own fields. It has a next attempt while it waits, even while its webhook is switched
/// off.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::store) struct StoredDelivery {
    #[serde(flatten)]
    pub(super) delivery: WebhookDelivery,
    /// The owner of its webhook.
    pub(super) owner: UserId,
    /// When its claim expires.
    pub(super) lease: Option<Timestamp>,
    #[serde(skip)]
    pub(super) version: u64,
}

/// For waiting deliveries: when each can be claimed.
pub(super) const FREE: Index<StoredDelivery> = Index::new("free", |of| key((of.delivery.webhook, of.free_at()?)));
/// For claimed deliveries: when the claim expires.
pub(super) const SENDING: Index<StoredDelivery> = Index::new("sending", |of| key((of.owner, of.lease?)));
pub(super) const LOG: Index<StoredDelivery> =
    Index::new("log", |of| key((of.delivery.webhook, of.delivery.created_at)));
/// For deliveries that are about a user, or about what they bought.
pub(super) const PERSON: Index<StoredDelivery> = Index::new("person", |of| of.delivery.person().and_then(key));
pub(super) const AGE: Index<StoredDelivery> = Index::new("age", |of| key(of.delivery.created_at));

impl StoredDelivery {
    /// When it can be claimed.
    pub(super) fn free_at(&self) -> Option<Timestamp> {
        self.delivery.next_try_at.map(|due| self.lease.map_or(due, |lease| lease.max(due)))
    }
}

impl Document for StoredDelivery {
    type Unique = NoUniqueKey;

    const COLLECTION: &'static str = "webhook_deliveries";
    const SERVICE: Service = Service::Notification;
    const INDEXES: &'static [Index<Self>] = &[FREE, SENDING, LOG, AGE, PERSON];

    stored_as!(self, WebhookDeliveryId = self.delivery.id, self.version);
}
