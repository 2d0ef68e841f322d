//! Razorpay's answers, parsed leniently: unknown fields are ignored, and fields that are not needed may be absent.
//!
//! **Invariant:** only what the gateway reports as captured becomes [`GatewayStatus::Captured`].

use serde::Deserialize;

use super::super::{GatewayPayment, GatewayRefund, GatewayRefundStatus, GatewayStatus};
use crate::domain::money::{Currency, Money};

/// How much of the gateway's message an error repeats, in characters.
const TOLD_MAX: usize = 200;

#[derive(Debug, Deserialize)]
pub(super) struct Order {
    pub(super) id: String,
    amount: Option<i64>,
    currency: Option<String>,
    receipt: Option<String>,
    status: Option<String>,
}

impl Order {
    /// Whether its amount is `amount`, if it has one.
    pub(super) fn is_of(&self, amount: Money) -> bool {
        self.amount.is_none_or(|minor| minor == amount.minor())
            && self.currency.as_deref().is_none_or(|currency| currency == amount.currency().code())
    }

    /// Whether it certainly is the unpaid order of `receipt` and `amount`.
    pub(super) fn can_be_paid(&self, receipt: &str, amount: Money) -> bool {
        self.receipt.as_deref() == Some(receipt)
            && self.amount.is_some()
            && self.is_of(amount)
            && matches!(self.status.as_deref(), Some("created" | "attempted"))
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Payment {
    pub(super) id: String,
    amount: i64,
    currency: String,
    status: String,
    pub(super) order_id: Option<String>,
    amount_refunded: Option<i64>,
    captured: Option<bool>,
}

impl Payment {
    /// `None` for one in a currency that the marketplace does not trade in.
    pub(super) fn read(self) -> Option<GatewayPayment> {
        let amount = Money::new(self.amount, Currency::from_code(&self.currency)?);
        let status = match (self.status.as_str(), self.captured) {
            // Authorised, never captured, and returned by the gateway itself.
            ("refunded", Some(false)) | ("failed", _) => GatewayStatus::Failed,
            ("captured" | "refunded", _) => GatewayStatus::Captured,
            ("authorized", _) => GatewayStatus::Authorized,
            _ => GatewayStatus::Created,
        };
        let whole = if self.status == "refunded" { self.amount } else { 0 };
        let refunded = match status {
            GatewayStatus::Captured => self.amount_refunded.unwrap_or(whole).clamp(0, self.amount.max(0)),
            GatewayStatus::Created | GatewayStatus::Authorized | GatewayStatus::Failed => 0,
        };
        Some(GatewayPayment { id: self.id, status, amount, refunded })
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Refund {
    id: String,
    amount: i64,
    currency: Option<String>,
    status: Option<String>,
    receipt: Option<String>,
}

impl Refund {
    /// `None` for one in a currency that the marketplace does not trade in. One without a currency has that of its
    /// payment, `paid_in`.
    pub(super) fn read(self, paid_in: Currency) -> Option<GatewayRefund> {
        let currency = self.currency.as_deref().map_or(Some(paid_in), Currency::from_code)?;
        let status = match self.status.as_deref() {
            Some("processed") => GatewayRefundStatus::Processed,
            Some("failed") => GatewayRefundStatus::Failed,
            _ => GatewayRefundStatus::Pending,
        };
        let key = self.receipt.as_deref().and_then(|receipt| receipt.parse().ok());
        Some(GatewayRefund { id: self.id, key, amount: Money::new(self.amount, currency), status })
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Collection<T> {
    #[serde(default = "Vec::new")]
    pub(super) items: Vec<T>,
}

#[derive(Debug, Deserialize)]
struct ErrorBody {
    error: ErrorShape,
}

#[derive(Debug, Deserialize)]
struct ErrorShape {
    description: Option<String>,
    field: Option<String>,
}

/// Whether an error is about an amount or a currency: by the field that it names, otherwise by its text.
pub(super) fn is_about_money(body: &[u8]) -> bool {
    let Ok(ErrorBody { error }) = serde_json::from_slice::<ErrorBody>(body) else { return false };
    let about = |text: &str| {
        let text = text.to_ascii_lowercase();
        text.contains("amount") || text.contains("currency")
    };
    match error.field.as_deref().filter(|field| !field.is_empty()) {
        Some(field) => about(field),
        None => error.description.as_deref().is_some_and(about),
    }
}

/// The message of an error's body, on one line and bounded; `None` if there is none.
pub(super) fn description(body: &[u8]) -> Option<String> {
    let logged = serde_json::from_slice::<ErrorBody>(body).ok()?.error.description?;
    let line: String = logged.chars().map(|c| if c.is_control() { ' ' } else { c }).take(TOLD_MAX).collect();
    let line = line.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

/// Whether `id` is safe in a path.
pub(super) fn is_id(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn payment(more: &Value) -> GatewayPayment {
        let mut shape = json!({"id": "pay_1", "amount": 500, "currency": "INR", "status": "created"});
        shape.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value::<Payment>(shape).unwrap().read().unwrap()
    }

    #[test]
    fn only_captured_money_is_money() {
        for (more, status, refunded) in [
            (json!({}), GatewayStatus::Created, 0),
            (json!({"status": "pending"}), GatewayStatus::Created, 0),
            (json!({"status": "authorized", "captured": false}), GatewayStatus::Authorized, 0),
            (json!({"status": "captured"}), GatewayStatus::Captured, 0),
            (json!({"status": "captured", "amount_refunded": 200}), GatewayStatus::Captured, 200),
            (json!({"status": "refunded", "amount_refunded": 500, "captured": true}), GatewayStatus::Captured, 500),
            (json!({"status": "refunded"}), GatewayStatus::Captured, 500),
            (json!({"status": "refunded", "amount_refunded": 500, "captured": false}), GatewayStatus::Failed, 0),
            (json!({"status": "failed", "captured": false}), GatewayStatus::Failed, 0),
            (json!({"status": "captured", "amount_refunded": 9_000}), GatewayStatus::Captured, 500),
        ] {
            let read = payment(&more);
            assert_eq!((read.status, read.refunded), (status, refunded), "{more}");
        }
        let foreign: Payment =
            serde_json::from_value(json!({"id": "p", "amount": 1, "currency": "EUR", "status": "captured"})).unwrap();
        assert_eq!(foreign.read(), None);
    }

    #[test]
    fn a_description_is_one_short_line() {
        let logged = |text: &str| description(json!({"error": {"description": text}}).to_string().as_bytes());
        assert_eq!(logged(" no\nway\u{1b} "), Some("no way".to_owned()));
        assert_eq!(logged(&"ä".repeat(5_000)).unwrap().chars().count(), TOLD_MAX);
        assert_eq!(logged("  "), None);
        for odd in ["", "<html>", "{}", "{\"error\":\"no\"}", "{\"error\":{}}"] {
            assert_eq!(description(odd.as_bytes()), None, "{odd}");
        }
    }

    #[test]
    fn an_error_about_money_is_distinguished_from_others() {
        let about = |error: Value| is_about_money(json!({ "error": error }).to_string().as_bytes());
        for of_money in [
            json!({"description": "Amount exceeds maximum amount allowed.", "field": "amount"}),
            json!({"description": "No.", "field": "currency"}),
            json!({"description": "Currency is not supported"}),
            json!({"description": "Order amount less than minimum amount allowed", "field": null}),
        ] {
            assert!(about(of_money.clone()), "{of_money}");
        }
        for of_other in [
            json!({"description": "The amount is good, the receipt is not", "field": "receipt"}),
            json!({"description": "Authentication failed"}),
            json!({}),
            json!("amount"),
        ] {
            assert!(!about(of_other.clone()), "{of_other}");
        }
        assert!(!is_about_money(b"<html>amount</html>"));
    }

    #[test]
    fn nothing_leads_a_path_astray() {
        assert!(is_id("pay_29QQoUBi66xm2f"));
        for bad in ["", "pay/../orders", "pay_1?x", "pay 1", "pä", &"p".repeat(65)] {
            assert!(!is_id(bad), "{bad}");
        }
    }
}
