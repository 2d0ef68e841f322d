//! Razorpay's formats: entities, collections and errors.

use jiff::Timestamp;
use rand::Rng;
use serde_json::{Value, json};

use super::ledger::{Order, Payment, Refund};

/// A refusal: the status, and the error's description and field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The error body's `code`.
    pub code: &'static str,
    /// The error body's `description`.
    pub description: String,
    /// The field concerned.
    pub field: Option<&'static str>,
}

impl Refusal {
    pub(super) fn json(&self) -> Value {
        let known = self.field.is_some();
        let mut error = json!({
            "code": self.code,
            "description": self.description,
            "source": if known { "business" } else { "NA" },
            "step": if known { "payment_initiation" } else { "NA" },
            "reason": if known { "input_validation_failed" } else { "NA" },
            "metadata": {},
        });
        if let Some(field) = self.field {
            error["field"] = json!(field);
        }
        json!({ "error": error })
    }
}

fn bad_request(status: u16, description: &str, field: Option<&'static str>) -> Refusal {
    Refusal { status, code: "BAD_REQUEST_ERROR", description: description.to_owned(), field }
}

pub(super) fn refused(description: &str) -> Refusal {
    bad_request(400, description, None)
}

pub(super) fn invalid(description: &str, field: &'static str) -> Refusal {
    bad_request(400, description, Some(field))
}

pub(super) fn required(field: &'static str) -> Refusal {
    bad_request(400, &format!("The {field} field is required."), Some(field))
}

pub(super) fn unknown() -> Refusal {
    refused("The id provided does not exist")
}

pub(super) fn no_such_page() -> Refusal {
    bad_request(404, "The requested URL was not found on the server.", None)
}

pub(super) fn unauthorised() -> Refusal {
    bad_request(401, "Authentication failed", None)
}

pub(super) fn in_progress() -> Refusal {
    bad_request(409, "Another request with the same idempotency key is in progress.", None)
}

pub(super) fn too_many() -> Refusal {
    bad_request(429, "Too many requests", None)
}

pub(super) fn broken() -> Refusal {
    let description =
        "We are facing some trouble completing your request at the moment. Please try again shortly.".to_owned();
    Refusal { status: 500, code: "SERVER_ERROR", description, field: None }
}

/// The amount of a request, which must be a whole number if present.
pub(super) fn amount(asked: &Value) -> Result<Option<i64>, Refusal> {
    match &asked["amount"] {
        Value::Null => Ok(None),
        // The gateway accepts whole numbers as text too.
        Value::String(text) if text.parse::<i64>().is_ok() => Ok(text.parse().ok()),
        value => value.as_i64().map(Some).ok_or_else(|| invalid("The amount must be an integer.", "amount")),
    }
}

pub(super) fn now() -> i64 {
    Timestamp::now().as_second()
}

/// An id in the gateway's format: `pay_` and 14 characters.
pub(super) fn id(kind: &str) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut random = rand::rng();
    let tail: String = (0..14).map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())])).collect();
    format!("{kind}_{tail}")
}

pub(super) fn order(order: &Order, payments: &[&Payment]) -> Value {
    let paid: i64 = payments.iter().filter(|payment| payment.captured).map(|payment| payment.amount).sum();
    let paid = paid.min(order.amount);
    let status = match (paid, payments.len()) {
        (0, 0) => "created",
        (0, _) => "attempted",
        _ => "paid",
    };
    json!({
        "id": order.id, "entity": "order", "amount": order.amount, "amount_paid": paid,
        "amount_due": order.amount - paid, "currency": order.currency, "receipt": order.receipt,
        "offer_id": null, "status": status, "attempts": payments.len(), "notes": order.notes,
        "created_at": order.created_at,
    })
}

pub(super) fn payment(payment: &Payment) -> Value {
    let failed = payment.status == "failed";
    let output = |text: &str| if failed { json!(text) } else { Value::Null };
    let refunds = match payment.refunded {
        0 => Value::Null,
        all if all == payment.amount => json!("full"),
        _ => json!("partial"),
    };
    json!({
        "id": payment.id, "entity": "payment", "amount": payment.amount, "currency": payment.currency,
        "status": payment.status, "order_id": payment.order_id, "invoice_id": null, "international": false,
        "method": "card", "amount_refunded": payment.refunded, "refund_status": refunds,
        "captured": payment.captured, "description": null, "card_id": "card_Standin0000001", "bank": null,
        "wallet": null, "vpa": null, "email": "buyer@example.com", "contact": "+919000090000", "notes": [],
        "fee": if payment.captured { json!(payment.amount / 50) } else { Value::Null },
        "tax": if payment.captured { json!(0) } else { Value::Null },
        "error_code": output("BAD_REQUEST_ERROR"),
        "error_description": output("Your payment was declined by your bank."),
        "error_source": output("bank"), "error_step": output("payment_authorization"),
        "error_reason": output("payment_failed"), "acquirer_data": {"auth_code": "828553"},
        "created_at": payment.created_at,
    })
}

pub(super) fn refund(refund: &Refund) -> Value {
    json!({
        "id": refund.id, "entity": "refund", "amount": refund.amount, "currency": refund.currency,
        "payment_id": refund.payment_id, "notes": refund.notes, "receipt": refund.receipt,
        "acquirer_data": {"arn": null}, "created_at": refund.created_at, "batch_id": null,
        "status": refund.status, "speed_processed": "normal", "speed_requested": "normal",
    })
}

pub(super) fn dispute(id: &str, payment: &Payment) -> Value {
    json!({
        "id": id, "entity": "dispute", "payment_id": payment.id, "amount": payment.amount,
        "currency": payment.currency, "amount_deducted": 0, "reason_code": "goods_or_services_not_received",
        "respond_by": now() + 7 * 24 * 3600, "status": "open", "phase": "chargeback", "created_at": now(),
    })
}

pub(super) fn collection(items: Vec<Value>) -> Value {
    json!({"entity": "collection", "count": items.len(), "items": items})
}
