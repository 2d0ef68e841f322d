//! Makes deliveries from an event.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Webhooks;
use crate::{
    actors::accounts::calls::GetRole,
    bus::{Delivery, HandleError},
    domain::{
        ids::{EventId, UserId, WebhookDeliveryId, WebhookId},
        queues,
        user::Role,
        webhook::{EVENTS, WAITING_MAX, Webhook, WebhookDelivery, concerned_sellers, effective_role, payload_for},
    },
    store::{StoreError, webhooks::Enqueued},
    views::order::keep_what_is_of,
};

/// The largest body, in bytes: far above what the largest order has.
const BODY_MAX: usize = 4 << 20;

/// What is sent.
#[derive(Serialize)]
struct Body<'a> {
    id: EventId,
    r#type: &'a str,
    timestamp: Timestamp,
    data: &'a Value,
}

impl Webhooks {
    /// Stores a delivery for each webhook that is subscribed to an event and allowed to receive it.
    pub async fn notify(&self, event: &Delivery) -> Result<(), HandleError> {
        let name = event.name.to_lowercase().replacen('_', ".", 1);
        let known = EVENTS.contains(&name.as_str());
        if !known && !queues::queue(event.queue).is_some_and(|queue| queue.takes(&name)) {
            return Err(HandleError::Unreadable(format!("{} is no event that webhooks are told of", event.name)));
        }
        // An event of another program on a bound routing key is no error, and is delivered to no webhook.
        if !known || !self.is_listening() {
            return Ok(());
        }
        let sellers = concerned_sellers(&name, &event.payload);
        let listeners = self.state.store.listeners(&sellers, Role::Admin).await.map_err(later)?;
        let mut roles: HashMap<UserId, Option<Role>> = HashMap::new();
        let mut any = false;
        for webhook in listeners.iter().filter(|webhook| webhook.wants(&name)) {
            let role = match roles.get(&webhook.owner) {
                Some(role) => *role,
                None => {
                    let role = self.role(webhook.owner).await?;
                    roles.insert(webhook.owner, role);
                    role
                }
            };
            let payload = effective_role(webhook.role, role)
                .and_then(|role| payload_for(role, webhook.owner, &name, &event.payload, keep_what_is_of));
            if let Some(payload) = payload {
                any |= self.put_in(webhook, event, &name, &payload).await?;
            }
        }
        if any {
            self.state.sending.notify();
        }
        Ok(())
    }

    async fn role(&self, user: UserId) -> Result<Option<Role>, HandleError> {
        self.state.calls.ask(GetRole { user }).await.map_err(later)
    }

    async fn put_in(
        &self,
        webhook: &Webhook,
        event: &Delivery,
        name: &str,
        payload: &Value,
    ) -> Result<bool, HandleError> {
        let unreadable = |error: StoreError| HandleError::Unreadable(error.to_string());
        let delivery = delivery(webhook, event.event, name, event.occurred_at, payload).map_err(unreadable)?;
        match self.state.store.enqueue(&delivery, WAITING_MAX).await.map_err(later)? {
            Enqueued::New => Ok(true),
            Enqueued::AlreadyQueued | Enqueued::NotActive => Ok(false),
            Enqueued::Overflow => {
                tracing::warn!(webhook.id = %webhook.id, "switched off a webhook: too many deliveries wait");
                self.state.changed();
                Ok(false)
            }
        }
    }
}

fn later(error: impl ToString) -> HandleError {
    HandleError::Away(error.to_string())
}

/// The delivery of an event to a webhook.
///
/// # Errors
/// When it cannot be written as JSON.
pub(super) fn delivery(
    webhook: &Webhook,
    event: EventId,
    name: &str,
    occurred_at: Timestamp,
    data: &Value,
) -> Result<WebhookDelivery, StoreError> {
    let body = Body { id: event, r#type: name, timestamp: occurred_at, data };
    let body = serde_json::to_string(&body).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    if body.len() > BODY_MAX {
        return Err(StoreError::Corrupt(format!("an event of {} bytes is more than is sent", body.len())));
    }
    let id = delivery_id(webhook.id, event);
    Ok(WebhookDelivery::new(id, webhook.id, event, name.to_owned(), body, Timestamp::now()))
}

/// The id of a delivery, derived from the webhook and the event; it begins with the event's time, as the event's own
/// id does.
fn delivery_id(webhook: WebhookId, event: EventId) -> WebhookDeliveryId {
    let hash = Sha256::new().chain_update(webhook.bytes()).chain_update(event.bytes()).finalize();
    let mut bytes = event.bytes();
    bytes[4..].copy_from_slice(&hash[..8]);
    WebhookDeliveryId::from_bytes(bytes)
}
