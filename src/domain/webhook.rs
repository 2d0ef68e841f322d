//! Webhooks: who wants to be told of which events, and how telling is repeated.
//!
//! **Invariant:** what an owner may be told of is decided by the role she has now and the
//! role she had when she registered the webhook, whichever may see less.

mod scope;

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    Timestamp,
    ids::{EventId, UserId, WebhookDeliveryId, WebhookId},
    user::Role,
};
pub use scope::{concerned_sellers, payload_for};

/// How many webhooks one owner has at most.
pub const WEBHOOKS_MAX: u32 = 20;
/// How many deliveries may wait for one webhook; one more switches it off.
pub const WAITING_MAX: u32 = 10_000;
/// How many attempts of a delivery its log keeps, the newest.
pub const ATTEMPTS_KEPT: usize = 20;
/// How long an old secret is valid beside the one that replaced it.
pub const OLD_SECRET_VALID: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);
/// The event that tries a webhook out.
pub const PING: &str = "ping";

/// The events that a webhook can be told of, by routing key.
pub const EVENTS: [&str; 17] = [
    "user.created",
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

/// A key that signs. It is stored as it is, for signing needs it, and shown by no `Debug`.
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
    /// The secret.
    pub secret: WebhookSecret,
    /// Until when.
    pub until: Timestamp,
}

/// Why nothing is sent to a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchedOff {
    /// For the owner.
    pub reason: String,
    /// Since when.
    pub at: Timestamp,
}

/// An address that is told of events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// Id.
    pub id: WebhookId,
    /// Whose it is.
    pub owner: UserId,
    /// The owner's role when it was registered: seller or admin.
    pub role: Role,
    /// Where to.
    pub url: String,
    /// `*`, `order.*` or `order.created`, each.
    pub events: Vec<String>,
    /// What the owner calls it.
    pub description: Option<String>,
    /// Signs what is sent.
    pub secret: WebhookSecret,
    /// Signs as well, for a while.
    pub old_secret: Option<OldSecret>,
    /// Set when nothing is sent to it.
    #[serde(default)]
    pub off: Option<SwitchedOff>,
    /// Attempts that failed since one succeeded.
    #[serde(default)]
    pub consecutive_failures: u32,
    /// When registered.
    pub created_at: Timestamp,
    /// When the owner changed it last.
    pub updated_at: Timestamp,
    /// Counts the owner's writes and switching off.
    #[serde(default)]
    pub version: u64,
}

impl Webhook {
    /// Whether its owner asked to be told of the event `name`.
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

/// Whether somebody of `role` may ask for `pattern`; `None` when nobody can.
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

/// As whom the owner of a webhook is told, who registered it as `registered` and is `now`;
/// `None` when she may be told of nothing any more.
#[must_use]
pub fn told_as(registered: Role, now: Option<Role>) -> Option<Role> {
    match (registered, now?) {
        (Role::Admin, Role::Admin) => Some(Role::Admin),
        (Role::Seller, Role::Seller | Role::Admin) => Some(Role::Seller),
        _ => None,
    }
}

/// One try to deliver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// When it began.
    pub at: Timestamp,
    /// What the receiver answered.
    pub status: Option<u16>,
    /// Why there is no answer, or why it does not count.
    pub error: Option<String>,
    /// The beginning of the answer's body.
    pub response: Option<String>,
    /// How long it took, in milliseconds.
    pub millis: u64,
}

impl Attempt {
    /// Whether the receiver took it.
    #[must_use]
    pub fn delivered(&self) -> bool {
        self.error.is_none() && self.status.is_some_and(|status| (200..300).contains(&status))
    }

    /// Whether the receiver wants nothing any more.
    #[must_use]
    pub fn gone(&self) -> bool {
        self.status == Some(410)
    }
}

/// Where a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// It is to be tried, or tried again.
    Waiting,
    /// The receiver took it.
    Delivered,
    /// It was tried as often as is tried.
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

/// One event on its way to one webhook, and the log of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookDelivery {
    /// Made of the webhook's and the event's id, so that an event that comes twice is one.
    pub id: WebhookDeliveryId,
    /// To which webhook.
    pub webhook: WebhookId,
    /// Of which event.
    pub event: EventId,
    /// The event's name, `order.created`.
    pub name: String,
    /// The body that is sent, the same each time.
    pub body: String,
    /// The newest attempts, oldest first.
    pub attempts: Vec<Attempt>,
    /// How often it was tried since it was made or asked for again.
    pub tries: u32,
    /// Where it is.
    pub state: DeliveryState,
    /// When it is tried next; `None` when it is not, or its webhook is switched off.
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

    /// Enters an attempt that ended at `now`. If it failed, the next one is after a pause of
    /// `pauses`, by its place, times `jitter`; after the last the delivery has failed.
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

    /// Makes it due at `now`, with all its tries.
    pub fn again(&mut self, now: Timestamp) {
        (self.tries, self.state, self.next_try_at) = (0, DeliveryState::Waiting, Some(now));
    }
}

#[cfg(test)]
mod tests;
