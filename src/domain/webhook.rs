//! Webhooks: subscriptions to events, and how deliveries are retried.
//!
//! **Invariant:** what an owner may receive is decided by their current role and their role when they registered the
//! webhook, whichever may see less.

mod scope;

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Timestamp,
    ids::{EventId, UserId, WebhookDeliveryId, WebhookId},
    user::{Contact, Role},
};
pub use scope::{concerned_sellers, payload_for};

/// How many webhooks one owner has at most.
pub const WEBHOOKS_MAX: u32 = 20;
/// How many deliveries may wait for one webhook; another one switches it off.
pub const WAITING_MAX: u32 = 10_000;
/// How many attempts of a delivery its log keeps, the newest.
pub const ATTEMPTS_KEPT: usize = 20;
/// How long an old secret is valid beside the one that replaced it.
pub const OLD_SECRET_VALID: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);
/// The event that tests a webhook.
pub const PING: &str = "ping";

/// The events that a webhook can receive, by routing key.
pub const EVENTS: [&str; 18] = [
    "user.created",
    "user.deleted",
    "product.created",
    "product.updated",
    "product.deleted",
    "order.created",
    "order.confirmed",
    "order.updated",
    "order.shipped",
    "order.delivered",
    "order.cancelled",
    "payment.created",
    "payment.initiated",
    "payment.completed",
    "payment.failed",
    "payment.updated",
    "payment.refunded",
    "payment.disputed",
];

/// A signing key. It is stored unencrypted, because signing needs it, and hidden from `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WebhookSecret(pub String);

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(..)")
    }
}

/// A secret that was replaced and is still valid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OldSecret {
    pub secret: WebhookSecret,
    /// Until when.
    pub until: Timestamp,
}

/// Why a webhook is switched off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchedOff {
    /// For the owner.
    pub reason: String,
    /// Since when.
    pub at: Timestamp,
}

/// A URL that receives events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    pub id: WebhookId,
    /// Whose it is.
    pub owner: UserId,
    /// The owner's role when it was registered: seller or admin.
    pub role: Role,
    /// The destination.
    pub url: String,
    /// `*`, `order.*` or `order.created`, each.
    pub events: Vec<String>,
    /// What the owner calls it.
    pub description: Option<String>,
    /// Signs deliveries.
    pub secret: WebhookSecret,
    /// The previous secret, valid for a while.
    pub old_secret: Option<OldSecret>,
    /// Set while it is switched off.
    #[serde(default)]
    pub off: Option<SwitchedOff>,
    /// Failed attempts since the last success.
    #[serde(default)]
    pub consecutive_failures: u32,
    /// When registered.
    pub created_at: Timestamp,
    /// When the owner changed it last.
    pub updated_at: Timestamp,
    /// Counts the owner's writes, and switching off.
    #[serde(default)]
    pub version: u64,
}

impl Webhook {
    /// Whether it is subscribed to the event `name`.
    #[must_use]
    pub fn wants(&self, name: &str) -> bool {
        name == PING || self.events.iter().any(|pattern| matches(pattern, name))
    }

    /// Replaces the secret; the old one is valid for [`OLD_SECRET_VALID`] beside it.
    pub fn rotate(&mut self, secret: WebhookSecret, now: Timestamp) {
        let until = now.saturating_add(OLD_SECRET_VALID).unwrap_or(Timestamp::MAX);
        self.old_secret = Some(OldSecret { secret: std::mem::replace(&mut self.secret, secret), until });
        self.updated_at = now;
    }

    /// The secrets to sign with at `now`, the current one first.
    pub fn secrets(&self, now: Timestamp) -> impl Iterator<Item = &WebhookSecret> {
        let old = self.old_secret.as_ref().filter(|old| now < old.until).map(|old| &old.secret);
        std::iter::once(&self.secret).chain(old)
    }
}

/// Whether the event `name` is one of `pattern`.
fn matches(pattern: &str, name: &str) -> bool {
    let of_group = || pattern.strip_suffix('*').is_some_and(|group| name.starts_with(group));
    pattern == name || (pattern == "*" && EVENTS.contains(&name)) || (pattern.ends_with(".*") && of_group())
}

/// Whether `role` may subscribe to `pattern`; `None` if no role can.
#[must_use]
pub fn may_ask(role: Role, pattern: &str) -> Option<bool> {
    let mut known = EVENTS.iter().filter(|name| matches(pattern, name)).peekable();
    known.peek()?;
    let own = |name: &&str| name.starts_with("product.") || name.starts_with("order.");
    Some(match role {
        Role::Admin => true,
        Role::Seller => pattern == "*" || known.all(own),
        Role::User | Role::Service => false,
    })
}

/// The effective role of a webhook's owner, who registered it as `registered` and has the role `now`; `None` if they
/// may receive nothing any more.
#[must_use]
pub fn effective_role(registered: Role, now: Option<Role>) -> Option<Role> {
    match (registered, now?) {
        (Role::Admin, Role::Admin) => Some(Role::Admin),
        (Role::Seller, Role::Seller | Role::Admin) => Some(Role::Seller),
        _ => None,
    }
}

/// One delivery attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// When it began.
    pub at: Timestamp,
    /// The receiver's status.
    pub status: Option<u16>,
    /// The error, if there is no valid answer.
    pub error: Option<String>,
    /// The beginning of the answer's body.
    pub response: Option<String>,
    /// How long it took, in milliseconds.
    pub millis: u64,
}

impl Attempt {
    /// Whether the receiver accepted it.
    #[must_use]
    pub fn delivered(&self) -> bool {
        self.error.is_none() && self.status.is_some_and(|status| (200..300).contains(&status))
    }

    /// Whether the receiver wants no more deliveries.
    #[must_use]
    pub fn gone(&self) -> bool {
        self.status == Some(410)
    }
}

/// The state of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// It is waiting for an attempt.
    Waiting,
    /// The receiver accepted it.
    Delivered,
    /// All its attempts failed.
    Failed,
}

impl DeliveryState {
    /// The word in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

/// The delivery of one event to one webhook, with its log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookDelivery {
    /// Derived from the webhook's and the event's id, so that a duplicate event makes one delivery.
    pub id: WebhookDeliveryId,
    /// To which webhook.
    pub webhook: WebhookId,
    /// Of which event.
    pub event: EventId,
    /// The event's name, `order.created`.
    pub name: String,
    /// The body, the same in every attempt.
    pub body: String,
    /// The newest attempts, oldest first.
    pub attempts: Vec<Attempt>,
    /// The number of attempts since it was made or requested again.
    pub tries: u32,
    /// Its state.
    pub state: DeliveryState,
    /// When it is tried next; `None` if it is finished, or its webhook is switched off.
    pub next_try_at: Option<Timestamp>,
    /// When made.
    pub created_at: Timestamp,
}

impl WebhookDelivery {
    /// A delivery that is due at `now`.
    #[must_use]
    pub fn new(
        id: WebhookDeliveryId,
        webhook: WebhookId,
        event: EventId,
        name: String,
        body: String,
        now: Timestamp,
    ) -> Self {
        let (attempts, state) = (vec![], DeliveryState::Waiting);
        Self { id, webhook, event, name, body, attempts, tries: 0, state, next_try_at: Some(now), created_at: now }
    }

    /// Records an attempt that ended at `now`. If it failed, the next one follows after the corresponding pause of
    /// `pauses` times `jitter`; after the last one the delivery has failed.
    pub fn tried(&mut self, attempt: Attempt, now: Timestamp, pauses: &[Duration], jitter: f64) {
        let pause = usize::try_from(self.tries).ok().and_then(|tries| pauses.get(tries));
        self.tries = self.tries.saturating_add(1);
        (self.state, self.next_try_at) = match pause {
            _ if attempt.delivered() => (DeliveryState::Delivered, None),
            Some(pause) if !attempt.gone() => {
                let pause = pause.mul_f64(jitter.clamp(0.0, 2.0));
                let at = now.saturating_add(pause).unwrap_or(Timestamp::MAX);
                (DeliveryState::Waiting, Some(at))
            }
            _ => (DeliveryState::Failed, None),
        };
        self.attempts.push(attempt);
        let surplus = self.attempts.len().saturating_sub(ATTEMPTS_KEPT);
        self.attempts.drain(..surplus);
    }

    /// The user whom it is about: who registered, or who bought something.
    #[must_use]
    pub fn person(&self) -> Option<UserId> {
        #[derive(Deserialize)]
        struct Body {
            data: Data,
        }
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Data {
            user: Value,
            id: Value,
        }
        let Data { user, id } = serde_json::from_str::<Body>(&self.body).ok()?.data;
        if self.name == "user.created" { &id } else { &user }.as_str()?.parse().ok()
    }

    /// Removes what names a deleted user; returns whether there was anything.
    pub fn forget(&mut self, user: UserId) -> bool {
        let Ok(mut body) = serde_json::from_str::<Value>(&self.body) else { return false };
        let Some(data) = body.get_mut("data").and_then(Value::as_object_mut) else { return false };
        let Contact { email, username, .. } = Contact::deleted(user);
        let nobody = [
            ("shippingAddress", Value::Null),
            ("email", Value::from(email)),
            ("username", Value::from(username)),
            ("fullName", json!({"firstName": "", "lastName": ""})),
        ];
        let mut changed = false;
        for (field, value) in nobody {
            if let Some(found) = data.get_mut(field).filter(|found| **found != value) {
                *found = value;
                changed = true;
            }
        }
        if changed {
            self.body = body.to_string();
        }
        changed
    }

    /// Makes it due at `now`, with all its attempts.
    pub fn again(&mut self, now: Timestamp) {
        (self.tries, self.state, self.next_try_at) = (0, DeliveryState::Waiting, Some(now));
    }
}

#[cfg(test)]
mod tests;
