//! What owners of webhooks ask.
//!
//! **Invariant:** nobody but the owner gets a secret or changes where something is sent to;
//! an admin sees all webhooks and can switch off or delete any.

use serde::{Deserialize, Serialize};

use crate::{
    config::Service,
    domain::{
        ids::{UserId, WebhookDeliveryId, WebhookId},
        user::Role,
        webhook::{Webhook, WebhookDelivery},
    },
    runtime::calls::{Call, Refusal},
    store::Page,
};

/// Why a webhook is not as its owner wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum WebhookRefusal {
    /// There is none of this id that the caller may see.
    #[error("there is no such webhook")]
    NotFound,
    /// It has no delivery of this id.
    #[error("there is no such delivery")]
    NoSuchDelivery,
    /// The caller may see it, and it is somebody else's.
    #[error("this webhook is somebody else's")]
    NotYours,
    /// A field is not as it must be.
    #[error("{field} {problem}")]
    Invalid { field: String, problem: String },
    /// As many as an owner may have are there.
    #[error("a user has at most 20 webhooks")]
    TooMany,
    /// Nothing is sent to it now.
    #[error("the webhook is switched off; switch it on first")]
    SwitchedOff,
    /// As many deliveries wait as may.
    #[error("too many deliveries wait for this webhook")]
    Overflow,
}

impl Refusal for WebhookRefusal {}

/// Who asks: a seller or an admin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    pub id: UserId,
    pub role: Role,
}

/// Registers a webhook; a secret is made when none is given.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RegisterWebhook {
    pub caller: Caller,
    pub url: String,
    pub events: Vec<String>,
    pub secret: Option<String>,
    pub description: Option<String>,
}

impl Call for RegisterWebhook {
    type Reply = Webhook;
    type Error = WebhookRefusal;
    const SERVICE: Service = Service::Notification;
    const REPEATABLE: bool = false;
}

/// Reads webhooks, newest first: the caller's own, or everybody's for an admin who asks for `all`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetWebhooks {
    pub caller: Caller,
    pub all: bool,
    pub skip: u64,
    pub limit: u32,
}

impl Call for GetWebhooks {
    type Reply = Page<Webhook>;
    type Error = WebhookRefusal;
    const SERVICE: Service = Service::Notification;
}

/// Reads a webhook that the caller may see.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetWebhook {
    pub caller: Caller,
    pub webhook: WebhookId,
}

impl Call for GetWebhook {
    type Reply = Webhook;
    type Error = WebhookRefusal;
    const SERVICE: Service = Service::Notification;
}

/// What of a webhook is to change.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct WebhookPatch {
    pub url: Option<String>,
    pub events: Option<Vec<String>>,
    /// Empty for none.
    pub description: Option<String>,
    /// Whether it is sent to.
    pub active: Option<bool>,
}

/// Changes a webhook. Switching it on forgets its failures, and what waits goes on. Another than the owner changes
/// `active` alone.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChangeWebhook {
    pub caller: Caller,
    pub webhook: WebhookId,
    pub patch: WebhookPatch,
}

impl Call for ChangeWebhook {
    type Reply = Webhook;
    type Error = WebhookRefusal;
    const SERVICE: Service = Service::Notification;
}

/// Deletes a webhook with its log. What is under way at this moment is still sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeleteWebhook {
    pub caller: Caller,
    pub webhook: WebhookId,
}

impl Call for DeleteWebhook {
    type Reply = ();
    type Error = WebhookRefusal;
    const SERVICE: Service = Service::Notification;
    const REPEATABLE: bool = false;
}

/// Gives a webhook a new secret; the old one is valid beside it for a day.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RotateWebhookSecret {
    pub caller: Caller,
    pub webhook: WebhookId,
    pub secret: Option<String>,
}

impl Call for RotateWebhookSecret {
    type Reply = Webhook;
    type Error = WebhookRefusal;
    const SERVICE: Service = Service::Notification;
    const REPEATABLE: bool = false;
}

/// Sends something that is no event, to try a webhook out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PingWebhook {
    pub caller: Caller,
    pub webhook: WebhookId,
}

impl Call for PingWebhook {
    type Reply = WebhookDelivery;
    type Error = WebhookRefusal;
    const SERVICE: Service = Service::Notification;
    const REPEATABLE: bool = false;
}

/// Reads the deliveries of a webhook, newest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetWebhookDeliveries {
    pub caller: Caller,
    pub webhook: WebhookId,
    pub skip: u64,
    pub limit: u32,
}

impl Call for GetWebhookDeliveries {
    type Reply = Page<WebhookDelivery>;
    type Error = WebhookRefusal;
    const SERVICE: Service = Service::Notification;
}

/// Sends a delivery again, with all its tries.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RedeliverWebhook {
    pub caller: Caller,
    pub webhook: WebhookId,
    pub delivery: WebhookDeliveryId,
}

impl Call for RedeliverWebhook {
    type Reply = WebhookDelivery;
    type Error = WebhookRefusal;
    const SERVICE: Service = Service::Notification;
    const REPEATABLE: bool = false;
}
