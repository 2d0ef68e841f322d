//! What the gateway reports by itself.
//!
//! **Invariant:** nothing is read from a body whose signature is not the gateway's.

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{
    PaymentFailure,
    flow::{Flow, Outcome},
};
use crate::domain::{
    Timestamp,
    money::{Currency, Money},
    payment::PaymentError,
};

/// The parts of a webhook that matter here; the gateway sends many more.
#[derive(Debug, Deserialize)]
struct Report {
    event: String,
    #[serde(default)]
    payload: Payload,
}

#[derive(Debug, Default, Deserialize)]
struct Payload {
    payment: Option<Entity>,
}

#[derive(Debug, Deserialize)]
struct Entity {
    entity: PaymentEntity,
}

#[derive(Debug, Deserialize)]
struct PaymentEntity {
    id: String,
    order_id: Option<String>,
    amount: Option<i64>,
    currency: Option<String>,
    error_description: Option<String>,
}

impl Flow {
    /// Applies a webhook once by its event id. Disorder and repetition change nothing,
    /// since a payment only moves forward.
    pub(super) async fn webhook(&self, body: &[u8], signature: &str, event_id: Option<String>) -> Outcome<()> {
        if !self.gateway.keys().webhook_is_signed(body, signature) {
            return Err(PaymentFailure::BadSignature);
        }
        let report: Report = serde_json::from_slice(body).map_err(|_| PaymentFailure::Unreadable)?;
        let event_id = event_id.unwrap_or_else(|| hex::encode(Sha256::digest(body)));
        if self.store.knows_webhook(&event_id).await? {
            return Ok(());
        }
        self.apply(&report).await?;
        self.store.remember_webhook(&event_id, Timestamp::now()).await?;
        Ok(())
    }

    async fn apply(&self, report: &Report) -> Outcome<()> {
        let Some(Entity { entity }) = &report.payload.payment else { return Ok(()) };
        let Some(order_id) = entity.order_id.as_deref() else { return Ok(()) };
        let done = match report.event.as_str() {
            "payment.captured" | "order.paid" => self.reported_captured(order_id, entity).await,
            "payment.failed" => {
                let reason = entity.error_description.as_deref().unwrap_or("the payment failed");
                self.failed(order_id, reason).await.map(|_| ())
            }
            _ => Ok(()),
        };
        match done {
            // Somebody else's payment, or one that is settled otherwise: nothing to do here.
            Err(PaymentFailure::NotFound | PaymentFailure::Rule(PaymentError::PaidByAnother)) => {
                tracing::warn!(payment.order = order_id, event = report.event, "a webhook tells of no payment of ours");
                Ok(())
            }
            done => done,
        }
    }

    async fn reported_captured(&self, order_id: &str, entity: &PaymentEntity) -> Outcome<()> {
        let payment = self.store.by_razorpay_order(order_id).await?.ok_or(PaymentFailure::NotFound)?;
        let currency = entity.currency.as_deref().and_then(Currency::from_code).unwrap_or(payment.price.currency());
        let amount = entity.amount.map_or(payment.price, |minor| Money::new(minor, currency));
        if amount != payment.price {
            tracing::error!(payment.id = %payment.id, %amount, price = %payment.price, "captured money is not the price");
            return Ok(());
        }
        self.captured(order_id, &entity.id).await.map(|_| ())
    }
}
