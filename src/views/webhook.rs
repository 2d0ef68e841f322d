//! Webhooks as their owners see them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::{
    Timestamp,
    ids::{EventId, UserId, WebhookDeliveryId, WebhookId},
    webhook::{Attempt, Webhook, WebhookDelivery},
};

/// A webhook. Its secret is shown only when it is created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookView {
    /// Id.
    #[serde(rename = "_id")]
    #[schema(value_type = String, example = "665f1f77bcf86cd799439021")]
    pub id: WebhookId,
    /// The owner.
    #[schema(value_type = String, example = "665f1f77bcf86cd799439014")]
    pub owner: UserId,
    /// The URL.
    #[schema(example = "https://seller.example/hooks/microbazaar")]
    pub url: String,
    /// The event patterns.
    #[schema(example = json!(["order.*", "product.deleted"]))]
    pub events: Vec<String>,
    /// The owner's description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "Warehouse")]
    pub description: Option<String>,
    /// Whether it is enabled.
    pub active: bool,
    /// Why it is disabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "50 attempts in a row failed")]
    pub switched_off_reason: Option<String>,
    /// When it was disabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, example = "2026-01-02T03:04:05Z")]
    pub switched_off_at: Option<Timestamp>,
    /// Failed attempts since the last success.
    #[schema(example = 0)]
    pub consecutive_failures: u32,
    /// Until when the previous secret is valid as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, example = "2026-01-02T03:04:05Z")]
    pub old_secret_until: Option<Timestamp>,
    /// When it was registered.
    #[schema(value_type = String, format = DateTime, example = "2026-01-02T03:04:05Z")]
    pub created_at: Timestamp,
    /// When the owner last changed it.
    #[schema(value_type = String, format = DateTime, example = "2026-01-02T03:04:05Z")]
    pub updated_at: Timestamp,
    /// The secret that signs deliveries; only in the responses to registering and rotating.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    pub secret: Option<String>,
}

impl From<&Webhook> for WebhookView {
    fn from(webhook: &Webhook) -> Self {
        Self {
            id: webhook.id,
            owner: webhook.owner,
            url: webhook.url.clone(),
            events: webhook.events.clone(),
            description: webhook.description.clone(),
            active: webhook.off.is_none(),
            switched_off_reason: webhook.off.as_ref().map(|off| off.reason.clone()),
            switched_off_at: webhook.off.as_ref().map(|off| off.at),
            consecutive_failures: webhook.consecutive_failures,
            old_secret_until: webhook.old_secret.as_ref().map(|old| old.until),
            created_at: webhook.created_at,
            updated_at: webhook.updated_at,
            secret: None,
        }
    }
}

impl WebhookView {
    /// The view with the secret, for the responses that contain it.
    #[must_use]
    pub fn with_secret(webhook: &Webhook) -> Self {
        Self { secret: Some(webhook.secret.0.clone()), ..Self::from(webhook) }
    }
}

/// `{message, webhook}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WebhookAnswer {
    /// A message for people.
    #[schema(example = "Webhook registered")]
    pub message: String,
    /// The webhook.
    pub webhook: WebhookView,
}

/// An attempt to deliver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AttemptView {
    /// When it was made.
    #[schema(value_type = String, format = DateTime, example = "2026-01-02T03:04:05Z")]
    pub at: Timestamp,
    /// The response status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 503)]
    pub status: Option<u16>,
    /// Why there is no response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "no answer in time")]
    pub error: Option<String>,
    /// The start of the response's body, at most 1 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "upstream is away")]
    pub response: Option<String>,
    /// How long it took.
    #[schema(example = 120)]
    pub milliseconds: u64,
}

impl From<&Attempt> for AttemptView {
    fn from(attempt: &Attempt) -> Self {
        Self {
            at: attempt.at,
            status: attempt.status,
            error: attempt.error.clone(),
            response: attempt.response.clone(),
            milliseconds: attempt.millis,
        }
    }
}

/// A delivery of an event to a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookDeliveryView {
    /// Id.
    #[serde(rename = "_id")]
    #[schema(value_type = String, example = "665f1f77bcf86cd799439022")]
    pub id: WebhookDeliveryId,
    /// The event, sent as `webhook-id`.
    #[schema(value_type = String, example = "665f1f77bcf86cd799439023")]
    pub event: EventId,
    /// The event's name.
    #[serde(rename = "type")]
    #[schema(example = "order.created")]
    pub name: String,
    /// `waiting`, `delivered` or `failed`.
    #[schema(example = "delivered")]
    pub state: String,
    /// The newest attempts, oldest first.
    pub attempts: Vec<AttemptView>,
    /// When the next attempt is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, example = "2026-01-02T03:04:05Z")]
    pub next_try_at: Option<Timestamp>,
    /// When the delivery was created.
    #[schema(value_type = String, format = DateTime, example = "2026-01-02T03:04:05Z")]
    pub created_at: Timestamp,
}

impl From<&WebhookDelivery> for WebhookDeliveryView {
    fn from(delivery: &WebhookDelivery) -> Self {
        Self {
            id: delivery.id,
            event: delivery.event,
            name: delivery.name.clone(),
            state: delivery.state.as_str().to_owned(),
            attempts: delivery.attempts.iter().map(AttemptView::from).collect(),
            next_try_at: delivery.next_try_at,
            created_at: delivery.created_at,
        }
    }
}

/// `{message, delivery}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WebhookDeliveryAnswer {
    /// A message for people.
    #[schema(example = "Delivery is sent again")]
    pub message: String,
    /// The delivery.
    pub delivery: WebhookDeliveryView,
}
