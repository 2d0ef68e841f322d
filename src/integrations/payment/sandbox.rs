//! The sandbox gateway: keeps its records in the payment store and moves no real money.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{GatewayError, GatewayPayment, GatewayRefund, GatewayRefundStatus, GatewayStatus, Keys, PaymentGateway};
use crate::{
    domain::{
        ids::{EventId, OrderId, RefundId},
        money::Money,
    },
    store::{PaymentStore, StoreError},
};

/// The largest amount of an order, in minor units of either currency: the sandbox has a limit like Razorpay, so that
/// a refusal can be tested. Razorpay's own limit depends on the account.
pub const MOST: i64 = 5_000_000_000;

/// The outcome that a sandbox payment should have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The payment is captured.
    Success,
    /// Without.
    Failure,
}

/// What Razorpay's checkout returns to the page that opened it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    /// The gateway's order.
    pub order_id: String,
    /// The gateway's payment.
    pub payment_id: String,
    /// The signature over both; empty for a payment that failed.
    pub signature: String,
}

/// The record of a gateway order.
#[derive(Debug, Serialize, Deserialize)]
struct Page {
    receipt: OrderId,
    amount: Money,
    payments: Vec<GatewayPayment>,
}

/// The record of a payment.
#[derive(Debug, Default, Serialize, Deserialize)]
struct RecordedPayment {
    /// The gateway order that it was made for; `None` when only its id is known.
    order: Option<String>,
    /// The captured amount; `None` when nothing was captured.
    amount: Option<Money>,
    refunds: Vec<GatewayRefund>,
}

impl RecordedPayment {
    fn in_all(&self) -> i64 {
        self.refunds.iter().map(|refund| refund.amount.minor()).sum()
    }
}

/// Replaces Razorpay. Refused in production.
pub struct SandboxGateway {
    key_id: String,
    keys: Keys,
    store: PaymentStore,
    /// One writer at a time, because a record is read, changed and written.
    writing: tokio::sync::Mutex<()>,
}

impl SandboxGateway {
    /// A sandbox that signs with `keys` and keeps its records in `store`.
    #[must_use]
    pub fn new(key_id: String, keys: Keys, store: PaymentStore) -> Self {
        Self { key_id, keys, store, writing: tokio::sync::Mutex::new(()) }
    }

    /// Lets a buyer pay, or fail to. Paying a paid order returns the first payment again.
    ///
    /// # Errors
    /// `Unknown` for an unknown order; `Refused` to fail a paid one.
    pub async fn pay(&self, gateway_order: &str, outcome: Outcome) -> Result<Checkout, GatewayError> {
        let _writing = self.writing.lock().await;
        let mut page = self.page(gateway_order).await?;
        let captured = page.payments.iter().find(|payment| payment.status == GatewayStatus::Captured);
        let payment_id = match (captured, outcome) {
            (Some(paid), Outcome::Success) => paid.id.clone(),
            (Some(_), Outcome::Failure) => return Err(GatewayError::Refused("the order is paid".to_owned())),
            (None, _) => {
                // The id is derived from the order, so that two nodes that pay it at once make one payment.
                let (id, status) = match outcome {
                    Outcome::Success => (gateway_order.replacen("order_", "pay_", 1), GatewayStatus::Captured),
                    Outcome::Failure => (format!("pay_{}", EventId::generate()), GatewayStatus::Failed),
                };
                page.payments.push(GatewayPayment { id: id.clone(), status, amount: page.amount, refunded: 0 });
                if status == GatewayStatus::Captured {
                    self.begin(gateway_order, &id, page.amount).await?;
                }
                self.write(gateway_order, &page).await?;
                id
            }
        };
        let signature = match outcome {
            Outcome::Success => self.keys.sign_payment(gateway_order, &payment_id),
            Outcome::Failure => String::new(),
        };
        Ok(Checkout { order_id: gateway_order.to_owned(), payment_id, signature })
    }

    async fn page(&self, gateway_order: &str) -> Result<Page, GatewayError> {
        let page = self.store.get_sandbox(gateway_order).await.map_err(away)?.ok_or(GatewayError::Unknown)?;
        serde_json::from_value(page).map_err(|error| GatewayError::Unavailable(error.to_string()))
    }

    /// The refunds of a payment; none for an unknown one.
    async fn given(&self, payment_id: &str) -> Result<RecordedPayment, GatewayError> {
        match self.store.get_sandbox(payment_id).await.map_err(away)? {
            Some(page) => serde_json::from_value(page).map_err(|error| GatewayError::Unavailable(error.to_string())),
            None => Ok(RecordedPayment::default()),
        }
    }

    /// Inserts the record of a captured payment, which another node may have inserted.
    async fn begin(&self, gateway_order: &str, payment_id: &str, amount: Money) -> Result<(), GatewayError> {
        let given = self.given(payment_id).await?;
        if given.amount.is_some() {
            return Ok(());
        }
        let begun = RecordedPayment { order: Some(gateway_order.to_owned()), amount: Some(amount), ..given };
        self.write(payment_id, &begun).await
    }

    /// `payment` with its refunded amount.
    async fn up_to_date(&self, payment: GatewayPayment) -> Result<GatewayPayment, GatewayError> {
        let refunded = self.given(&payment.id).await?.in_all();
        Ok(GatewayPayment { refunded, ..payment })
    }

    async fn write(&self, id: &str, page: &(impl Serialize + Sync)) -> Result<(), GatewayError> {
        let page = serde_json::to_value(page).map_err(|error| GatewayError::Unavailable(error.to_string()))?;
        self.store.put_sandbox(id, &page).await.map_err(away)
    }
}

fn away(error: StoreError) -> GatewayError {
    GatewayError::Unavailable(error.to_string())
}

#[async_trait]
impl PaymentGateway for SandboxGateway {
    fn key_id(&self) -> &str {
        &self.key_id
    }

    fn keys(&self) -> &Keys {
        &self.keys
    }

    fn may_be_paid_twice(&self) -> bool {
        false
    }

    async fn create_order(&self, receipt: OrderId, amount: Money) -> Result<String, GatewayError> {
        if amount.minor() > MOST {
            return Err(GatewayError::Refused("Amount exceeds maximum amount allowed.".to_owned()));
        }
        let id = format!("order_{}", EventId::generate());
        self.write(&id, &Page { receipt, amount, payments: vec![] }).await?;
        Ok(id)
    }

    async fn payments_of(&self, gateway_order: &str) -> Result<Vec<GatewayPayment>, GatewayError> {
        let mut payments = vec![];
        for payment in self.page(gateway_order).await?.payments {
            payments.push(self.up_to_date(payment).await?);
        }
        Ok(payments)
    }

    async fn signed_payment(&self, gateway_order: &str, payment_id: &str) -> Result<GatewayPayment, GatewayError> {
        let _writing = self.writing.lock().await;
        let mut page = self.page(gateway_order).await?;
        if let Some(known) = page.payments.iter().find(|payment| payment.id == payment_id) {
            return self.up_to_date(known.clone()).await;
        }
        if self.given(payment_id).await?.order.is_some() {
            return Err(GatewayError::Unknown);
        }
        // Only the holder of the secret can have signed it, so it counts as a payment made elsewhere.
        let status = GatewayStatus::Captured;
        let payment = GatewayPayment { id: payment_id.to_owned(), status, amount: page.amount, refunded: 0 };
        page.payments.push(payment.clone());
        self.begin(gateway_order, payment_id, page.amount).await?;
        self.write(gateway_order, &page).await?;
        Ok(payment)
    }

    async fn reported_payment(&self, gateway_order: &str, payment_id: &str) -> Result<GatewayPayment, GatewayError> {
        let page = self.page(gateway_order).await?;
        let known = page.payments.into_iter().find(|payment| payment.id == payment_id);
        self.up_to_date(known.ok_or(GatewayError::Unknown)?).await
    }

    async fn capture(&self, payment_id: &str, amount: Money) -> Result<GatewayPayment, GatewayError> {
        // The sandbox never only authorises: a payment that is not captured was not made here.
        let known = self.given(payment_id).await?.amount;
        let status = if known.is_some() { GatewayStatus::Captured } else { GatewayStatus::Authorized };
        let payment =
            GatewayPayment { id: payment_id.to_owned(), status, amount: known.unwrap_or(amount), refunded: 0 };
        self.up_to_date(payment).await
    }

    async fn refund(&self, payment_id: &str, amount: Money, key: RefundId) -> Result<GatewayRefund, GatewayError> {
        let _writing = self.writing.lock().await;
        let mut given = self.given(payment_id).await?;
        if let Some(refund) = given.refunds.iter().find(|refund| refund.key == Some(key)) {
            return Ok(refund.clone());
        }
        if given.amount.is_some_and(|captured| given.in_all() + amount.minor() > captured.minor()) {
            return Err(GatewayError::Refused("there is not as much left of the payment".to_owned()));
        }
        let status = GatewayRefundStatus::Processed;
        let refund = GatewayRefund { id: format!("rfnd_{key}"), key: Some(key), amount, status };
        given.refunds.push(refund.clone());
        self.write(payment_id, &given).await?;
        Ok(refund)
    }

    async fn refunds_of(&self, payment_id: &str) -> Result<Vec<GatewayRefund>, GatewayError> {
        Ok(self.given(payment_id).await?.refunds)
    }
}
