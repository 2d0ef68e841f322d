//! The calls of the webhook service.
//!
//! **Invariant:** only the owner gets the secret or changes the URL; an admin sees all webhooks and can switch off or
//! delete any.

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

/// Why a call on a webhook was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum WebhookRefusal {
    /// There is no webhook with this id that the caller may see.
    #[error("there is no such webhook")]
    NotFound,
    /// It has no delivery of this id.
    #[error("there is no such delivery")]
    NoSuchDelivery,
    /// The caller may see the webhook but does not own it.
    #[error("this webhook is somebody else's")]
    NotYours,
    /// A field is invalid.
    #[error("{field} {problem}")]
    Invalid { field: String, problem: String },
    /// The owner has as many webhooks as allowed.
    #[error("a user has at most 20 webhooks")]
    TooMany,
    /// Nothing is sent to it now.
    #[error("the webhook is switched off; switch it on first")]
    SwitchedOff,
    /// The limit of waiting deliveries is reached.
    #[error("too many deliveries wait for this webhook")]
    Overflow,
}

impl Refusal for WebhookRefusal {}

/// The caller: a seller or an admin.
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

/// Lists webhooks, newest first: the caller's own, or all of them for an admin who asks for `all`.
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

/// The changes to a webhook.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct WebhookPatch {
    pub url: Option<String>,
    pub events: Option<Vec<String>>,
    /// Empty for none.
    pub description: Option<String>,
    /// Whether it is sent to.
    pub active: Option<bool>,
}

/// Changes a webhook. Switching it on resets its failures and resumes waiting deliveries. A caller other than the
/// owner changes `active` only.
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

/// Deletes a webhook and its log. Deliveries in progress are still sent.
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

/// Sends a test message to a webhook.
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

/// Sends a delivery again, with all its attempts.
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
