//! Razorpay, by its HTTP API.
//!
//! When it is unavailable or gives an invalid answer, calls end as [`GatewayError::Unavailable`], at once while the
//! breaker is open. A wrong key is `Unavailable` too: refunds are retried once the operator has fixed it.
//!
//! **Invariant:** one refund key refunds once, even if answers are lost: the refunds of a payment are read before an
//! attempt, and after one with an unknown outcome.

mod call;
mod wire;

use std::{fmt, time::Duration};

use async_trait::async_trait;
use moka::sync::Cache;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

pub use self::call::Timeouts;
use self::call::{Api, Call, CallFailure};
use super::{GatewayError, GatewayPayment, GatewayRefund, GatewayStatus, Keys, PaymentGateway};
use crate::{
    domain::{
        ids::{OrderId, RefundId},
        money::{Currency, Money},
    },
    runtime::http_client,
};

/// The caller.
const USER_AGENT: &str = concat!("microbazaar/", env!("CARGO_PKG_VERSION"));
/// The most entries in one page of the gateway.
const PAGE: usize = 100;
/// The most pages of refunds that are read for one payment.
const PAGES_MAX: usize = 20;
/// Receipts whose order may have been opened although the answer was lost: how many are remembered, and for how long.
const UNSEEN: (u64, Duration) = (10_000, Duration::from_secs(3600));

/// The least amount of an order, in minor units. For INR it is the API's own rule ("The amount
/// must be at least INR 1.00"). The API's reference names none for USD; 100 of the smallest
/// unit is the bound that it applies to an order's `amount`.
const fn least(currency: Currency) -> i64 {
    match currency {
        Currency::Inr | Currency::Usd => 100,
    }
}

/// Takes payments and refunds them through Razorpay.
pub struct RazorpayGateway {
    api: Api,
    keys: Keys,
    timeouts: Timeouts,
    unseen: Cache<OrderId, ()>,
}

impl fmt::Debug for RazorpayGateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("RazorpayGateway");
        shown.field("base", &self.api.base()).field("key_id", &self.api.key_id()).finish_non_exhaustive()
    }
}

impl RazorpayGateway {
    /// The gateway at `base_url`, which has no path.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn try_new(base_url: &str, key_id: String, keys: Keys) -> Result<Self, reqwest::Error> {
        Self::with_patience(base_url, key_id, keys, Timeouts::default())
    }

    /// As [`RazorpayGateway::try_new`], for a gateway that may take as long as `timeouts` says.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn with_patience(
        base_url: &str,
        key_id: String,
        keys: Keys,
        timeouts: Timeouts,
    ) -> Result<Self, reqwest::Error> {
        let mut client = http_client::builder().user_agent(USER_AGENT);
        if is_on_this_machine(base_url) {
            client = client.no_proxy();
        }
        let api = Api::new(base_url, key_id, keys.key_secret.clone(), client.build()?, timeouts.pause);
        let unseen = Cache::builder().max_capacity(UNSEEN.0).time_to_live(UNSEEN.1).build();
        Ok(Self { api, keys, timeouts, unseen })
    }

    /// Whether the gateway is neither known to be unavailable nor refuses the key.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.api.is_up()
    }

    /// Whether the gateway refused the key in the last call.
    #[must_use]
    pub fn is_locked_out(&self) -> bool {
        self.api.is_locked_out()
    }

    /// Makes a small call, so that [`RazorpayGateway::is_up`] is current.
    pub async fn look(&self) -> bool {
        let call = self.read("look", "orders?count=1".to_owned());
        let _seen: Result<Value, _> = self.api.attempt(&call, Instant::now() + self.timeouts.read.0).await;
        self.is_up()
    }

    fn read(&self, name: &'static str, path: String) -> Call {
        let each = self.timeouts.read.0;
        Call { name, method: Method::GET, path, body: None, key: None, each, repeatable: true }
    }

    async fn get<T: serde::de::DeserializeOwned>(
        &self,
        name: &'static str,
        path: String,
        ends: Instant,
    ) -> Result<T, GatewayError> {
        Ok(self.api.call(&self.read(name, path), ends).await?)
    }

    async fn payment(&self, id: &str, ends: Instant) -> Result<wire::Payment, GatewayError> {
        let payment: wire::Payment = self.get("payment", format!("payments/{}", known_form(id)?), ends).await?;
        if payment.id == id { Ok(payment) } else { Err(odd()) }
    }

    async fn refunds(
        &self,
        payment: &str,
        paid_in: Currency,
        ends: Instant,
    ) -> Result<Vec<GatewayRefund>, GatewayError> {
        let payment = known_form(payment)?;
        let mut all: Vec<GatewayRefund> = vec![];
        for page in 0..PAGES_MAX {
            let path = format!("payments/{payment}/refunds?count={PAGE}&skip={}", page * PAGE);
            let found: wire::Collection<wire::Refund> = self.get("refunds_of", path, ends).await?;
            let (count, known) = (found.items.len(), all.len());
            for refund in found.items {
                let refund = refund.read(paid_in).ok_or_else(odd)?;
                if !all.iter().any(|known| known.id == refund.id) {
                    all.push(refund);
                }
            }
            if count < PAGE || all.len() == known {
                break;
            }
        }
        Ok(all)
    }

    /// The refund with this `key`, if it was made.
    async fn given(
        &self,
        payment: &str,
        paid_in: Currency,
        key: RefundId,
        ends: Instant,
    ) -> Result<Option<GatewayRefund>, GatewayError> {
        match self.refunds(payment, paid_in, ends).await {
            Ok(refunds) => Ok(refunds.into_iter().find(|refund| refund.key == Some(key))),
            // Then the refund call itself reports it.
            Err(GatewayError::Unknown | GatewayError::Refused(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The order of `receipt` that was opened before and can still be paid. If it cannot be found, a second order is
    /// opened; an unused order is harmless.
    async fn opened(&self, receipt: &str, amount: Money, ends: Instant) -> Option<String> {
        let path = format!("orders?receipt={receipt}&count={PAGE}");
        let call = self.read("orders_of", path);
        let found: wire::Collection<wire::Order> = self.api.attempt(&call, ends).await.ok()?;
        let order = found.items.into_iter().find(|order| order.can_be_paid(receipt, amount))?;
        wire::is_id(&order.id).then_some(order.id)
    }
}

fn is_on_this_machine(base: &str) -> bool {
    let url = reqwest::Url::parse(base).ok();
    url.is_some_and(|url| matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]")))
}

fn odd() -> GatewayError {
    GatewayError::Unavailable("its answer makes no sense".to_owned())
}

/// An id that cannot be the gateway's is not requested.
fn known_form(id: &str) -> Result<&str, GatewayError> {
    if wire::is_id(id) { Ok(id) } else { Err(GatewayError::Unknown) }
}

#[async_trait]
impl PaymentGateway for RazorpayGateway {
    fn key_id(&self) -> &str {
        self.api.key_id()
    }

    fn keys(&self) -> &Keys {
        &self.keys
    }

    fn may_be_paid_twice(&self) -> bool {
        true
    }

    fn least_refund(&self) -> i64 {
        // As for payments, in both currencies.
        least(Currency::Inr)
    }

    async fn create_order(&self, receipt: OrderId, amount: Money) -> Result<String, GatewayError> {
        let least = Money::new(least(amount.currency()), amount.currency());
        if amount.minor() < least.minor() {
            return Err(GatewayError::Refused(format!("a payment must be {least} or more")));
        }
        let (each, within) = self.timeouts.write;
        let (ends, named) = (Instant::now() + within, receipt.to_string());
        let body = json!({
            "amount": amount.minor(), "currency": amount.currency().code(), "receipt": named,
            "payment_capture": true, "notes": {"order": named},
        });
        let (name, path) = ("create_order", "orders".to_owned());
        let call = Call { name, method: Method::POST, path, body: Some(body), key: None, each, repeatable: false };
        let mut tried = 1;
        loop {
            if self.unseen.contains_key(&receipt)
                && let Some(id) = self.opened(&named, amount, ends).await
            {
                return Ok(id);
            }
            let failure = match self.api.attempt::<wire::Order>(&call, ends).await {
                Ok(order) if wire::is_id(&order.id) && order.is_of(amount) => return Ok(order.id),
                Ok(_) => return Err(odd()),
                Err(failure) => failure,
            };
            if failure.is_unsure() {
                self.unseen.insert(receipt, ());
            }
            match self.api.pause_before(tried, &failure, ends) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => {
                    return Err(match self.api.logged(&call, failure) {
                        CallFailure::Unknown => {
                            GatewayError::Unavailable("there is no such API at its address".to_owned())
                        }
                        // Not the order's fault: another attempt may succeed once it is fixed.
                        CallFailure::Refused { why, of_money: false } => {
                            tracing::error!("the payment gateway refuses to open orders: {why}");
                            GatewayError::Unavailable(why)
                        }
                        failure => failure.into(),
                    });
                }
            }
            tried += 1;
        }
    }

    async fn payments_of(&self, gateway_order: &str) -> Result<Vec<GatewayPayment>, GatewayError> {
        let ends = Instant::now() + self.timeouts.read.1;
        let path = format!("orders/{}/payments", known_form(gateway_order)?);
        let found: wire::Collection<wire::Payment> = self.get("payments_of", path, ends).await?;
        let ours = |payment: &wire::Payment| payment.order_id.as_deref().is_none_or(|order| order == gateway_order);
        found.items.into_iter().filter(ours).map(|payment| payment.read().ok_or_else(odd)).collect()
    }

    async fn signed_payment(&self, gateway_order: &str, payment_id: &str) -> Result<GatewayPayment, GatewayError> {
        let payment = self.payment(payment_id, Instant::now() + self.timeouts.read.1).await?;
        if payment.order_id.as_deref() != Some(gateway_order) {
            return Err(GatewayError::Unknown);
        }
        payment.read().ok_or_else(odd)
    }

    async fn capture(&self, payment_id: &str, amount: Money) -> Result<GatewayPayment, GatewayError> {
        let (each, within) = self.timeouts.capture;
        let ends = Instant::now() + within;
        let path = format!("payments/{}/capture", known_form(payment_id)?);
        let body = Some(json!({"amount": amount.minor(), "currency": amount.currency().code()}));
        let call = Call { name: "capture", method: Method::POST, path, body, key: None, each, repeatable: true };
        let refusal = match self.api.call::<wire::Payment>(&call, ends).await {
            Ok(payment) if payment.id == payment_id => return payment.read().ok_or_else(odd),
            Ok(_) => return Err(odd()),
            Err(CallFailure::Refused { why, .. }) => why,
            Err(failure) => return Err(failure.into()),
        };
        // It may be refused because it was captured already, by this program or by the gateway itself.
        let payment = self.payment(payment_id, ends).await?.read().ok_or_else(odd)?;
        if payment.status == GatewayStatus::Captured { Ok(payment) } else { Err(GatewayError::Refused(refusal)) }
    }

    async fn refund(&self, payment_id: &str, amount: Money, key: RefundId) -> Result<GatewayRefund, GatewayError> {
        let (each, within) = self.timeouts.write;
        let (ends, paid_in) = (Instant::now() + within, amount.currency());
        if let Some(given) = self.given(payment_id, paid_in, key, ends).await? {
            return Ok(given);
        }
        let path = format!("payments/{}/refund", known_form(payment_id)?);
        let key_text = key.to_string();
        let body = json!({
            "amount": amount.minor(), "speed": "normal", "receipt": key_text, "notes": {"refund": key_text},
        });
        let (name, method) = ("refund", Method::POST);
        let call = Call { name, method, path, body: Some(body), key: Some(key_text), each, repeatable: true };
        let failure = match self.api.call::<wire::Refund>(&call, ends).await {
            Ok(refund) => {
                let refund = refund.read(paid_in).ok_or_else(odd)?;
                return Ok(GatewayRefund { key: Some(key), ..refund });
            }
            Err(failure) => failure,
        };
        // An attempt whose answer was lost may have made it.
        if matches!(failure, CallFailure::Refused { .. } | CallFailure::InProgress | CallFailure::Unsure(_))
            && let Ok(Some(given)) = self.given(payment_id, paid_in, key, ends).await
        {
            return Ok(given);
        }
        Err(failure.into())
    }

    async fn refunds_of(&self, payment_id: &str) -> Result<Vec<GatewayRefund>, GatewayError> {
        // A payment is in rupees unless its refunds say otherwise.
        self.refunds(payment_id, Currency::Inr, Instant::now() + self.timeouts.read.1).await
    }
}
