//! Webhooks: their bodies and signatures.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{WEBHOOK_SECRET, json as shapes};

/// A webhook to send, with a snapshot of its subject.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// The event's name.
    pub event: String,
    /// `X-Razorpay-Event-Id`.
    pub event_id: String,
    /// The raw body.
    pub body: String,
    /// `X-Razorpay-Signature`.
    pub signature: String,
}

/// The gateway's signature over `text`, in hex.
pub fn signed(secret: &str, text: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(text);
    hex::encode(mac.finalize().into_bytes())
}

pub(super) fn webhook(event: &str, entities: &[(&str, Value)]) -> Webhook {
    let payload: serde_json::Map<String, Value> =
        entities.iter().map(|(name, entity)| ((*name).to_owned(), json!({ "entity": entity }))).collect();
    let body = json!({
        "entity": "event",
        "account_id": "acc_Standin0000001",
        "event": event,
        "contains": entities.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
        "payload": payload,
        "created_at": shapes::now(),
    })
    .to_string();
    let signature = signed(WEBHOOK_SECRET, body.as_bytes());
    // Event ids are 14 characters without a prefix.
    let event_id = shapes::id("").trim_start_matches('_').to_owned();
    Webhook { event: event.to_owned(), event_id, body, signature }
}
