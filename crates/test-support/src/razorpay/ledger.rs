//! The gateway's ledger and its rules.
//!
//! **Invariant:** never more is refunded of a payment than was captured.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use super::{
    json::{self, Refusal},
    webhooks::{Webhook, webhook},
};

/// The gateway's result of a request.
pub type Answer<T> = Result<T, Refusal>;

/// The least amount of an order, in minor units.
const LEAST: i64 = 100;

/// The result of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The money is captured.
    Captured,
    /// The money is only authorised and has to be captured.
    Authorized,
    /// It fails.
    Failed,
}

#[derive(Debug, Clone)]
pub(super) struct Order {
    pub(super) id: String,
    pub(super) receipt: Option<String>,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) notes: Value,
    pub(super) created_at: i64,
}

#[derive(Debug, Clone)]
pub(super) struct Payment {
    pub(super) id: String,
    pub(super) order_id: String,
    pub(super) amount: i64,
    pub(super) currency: String,
    /// `authorized`, `captured`, `refunded` or `failed`.
    pub(super) status: &'static str,
    pub(super) captured: bool,
    pub(super) refunded: i64,
    pub(super) created_at: i64,
}

#[derive(Debug, Clone)]
pub(super) struct Refund {
    pub(super) id: String,
    pub(super) payment_id: String,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) receipt: Option<String>,
    pub(super) notes: Value,
    /// `pending`, `processed` or `failed`.
    pub(super) status: &'static str,
    pub(super) created_at: i64,
}

/// The state of a request with an idempotency key.
#[derive(Debug, Clone)]
pub(super) enum Key {
    /// In progress.
    InProgress,
    /// Done: the request's body, and the response.
    Done(Value, Value),
}

/// The true state of an order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Truth {
    /// The shop's order.
    pub receipt: Option<String>,
    /// The amount.
    pub amount: i64,
    /// The captured sum of all payments.
    pub captured: i64,
    /// The sum of refunds that are processed or pending.
    pub refunded: i64,
    /// Payments with captured money.
    pub captures: usize,
    /// Refunds that did not fail.
    pub refunds: usize,
}

#[derive(Default)]
pub(super) struct Ledger {
    pub(super) orders: Vec<Order>,
    pub(super) payments: BTreeMap<String, Payment>,
    pub(super) refunds: Vec<Refund>,
    pub(super) keys: HashMap<String, Key>,
    pub(super) hold_refunds: bool,
    /// The most that an order may cost, if there is a limit.
    pub(super) most: Option<i64>,
    pub(super) outgoing: Vec<Webhook>,
    disputes: usize,
}

impl Ledger {
    pub(super) fn open(&mut self, asked: &Value) -> Answer<Value> {
        let amount = json::amount(asked)?.ok_or_else(|| json::required("amount"))?;
        let currency = asked["currency"].as_str().ok_or_else(|| json::required("currency"))?;
        if !["INR", "USD"].contains(&currency) {
            return Err(json::invalid("Currency is not supported", "currency"));
        }
        if amount < LEAST {
            return Err(json::invalid("Order amount less than minimum amount allowed", "amount"));
        }
        if self.most.is_some_and(|most| amount > most) {
            return Err(json::invalid("Amount exceeds maximum amount allowed.", "amount"));
        }
        let receipt = asked["receipt"].as_str().map(str::to_owned);
        if receipt.as_ref().is_some_and(|receipt| receipt.len() > 40) {
            return Err(json::invalid("The receipt may not be greater than 40 characters.", "receipt"));
        }
        let notes = if asked["notes"].is_object() { asked["notes"].clone() } else { json!([]) };
        let (id, created_at) = (json::id("order"), json::now());
        let order = Order { id, receipt, amount, currency: currency.to_owned(), notes, created_at };
        let shown = json::order(&order, &[]);
        self.orders.push(order);
        Ok(shown)
    }

    pub(super) fn order(&self, id: &str) -> Answer<&Order> {
        self.orders.iter().find(|order| order.id == id).ok_or_else(json::unknown)
    }

    pub(super) fn payment(&self, id: &str) -> Answer<&Payment> {
        self.payments.get(id).ok_or_else(json::unknown)
    }

    fn payment_mut(&mut self, id: &str) -> Answer<&mut Payment> {
        self.payments.get_mut(id).ok_or_else(json::unknown)
    }

    pub(super) fn payments_of(&self, order_id: &str) -> Vec<&Payment> {
        self.payments.values().filter(|payment| payment.order_id == order_id).collect()
    }

    pub(super) fn refunds_of(&self, payment_id: &str) -> Vec<&Refund> {
        self.refunds.iter().filter(|refund| refund.payment_id == payment_id).collect()
    }

    pub(super) fn shown_order(&self, order: &Order) -> Value {
        json::order(order, &self.payments_of(&order.id))
    }

    pub(super) fn pay(&mut self, order_id: &str, outcome: Outcome) -> Answer<String> {
        let order = self.order(order_id)?;
        let payment = Payment {
            id: json::id("pay"),
            order_id: order_id.to_owned(),
            amount: order.amount,
            currency: order.currency.clone(),
            status: if outcome == Outcome::Failed { "failed" } else { "authorized" },
            captured: false,
            refunded: 0,
            created_at: json::now(),
        };
        let id = payment.id.clone();
        self.payments.insert(id.clone(), payment);
        match outcome {
            Outcome::Failed => self.emit("payment.failed", &id, None),
            Outcome::Authorized => self.emit("payment.authorized", &id, None),
            Outcome::Captured => {
                self.emit("payment.authorized", &id, None);
                self.capture(&id, None)?;
            }
        }
        Ok(id)
    }

    /// Captures the money; `amount` is what the caller expects.
    pub(super) fn capture(&mut self, id: &str, amount: Option<(i64, &str)>) -> Answer<()> {
        let payment = self.payment_mut(id)?;
        if payment.captured {
            return Err(json::refused("This payment has already been captured"));
        }
        if payment.status != "authorized" {
            let why = "Only payments which have been authorized and not yet captured can be captured";
            return Err(json::refused(why));
        }
        if amount.is_some_and(|(amount, currency)| amount != payment.amount || currency != payment.currency) {
            return Err(json::invalid("Capture amount must be equal to the amount authorized", "amount"));
        }
        (payment.captured, payment.status) = (true, "captured");
        self.emit("payment.captured", id, None);
        self.emit("order.paid", id, None);
        Ok(())
    }

    pub(super) fn give_up(&mut self, id: &str) -> Answer<()> {
        let payment = self.payment_mut(id)?;
        if payment.status != "authorized" {
            return Err(json::refused("it is not only authorised"));
        }
        (payment.status, payment.refunded) = ("refunded", payment.amount);
        Ok(())
    }

    pub(super) fn refund(
        &mut self,
        id: &str,
        amount: Option<i64>,
        receipt: Option<String>,
        notes: Value,
    ) -> Answer<String> {
        let hold = self.hold_refunds;
        let payment = self.payment_mut(id)?;
        if !payment.captured {
            return Err(json::refused("The payment status should be captured for action to be taken"));
        }
        let left = payment.amount - payment.refunded;
        if left == 0 {
            return Err(json::refused("The payment has been fully refunded already"));
        }
        let amount = amount.unwrap_or(left);
        if amount < LEAST {
            return Err(json::invalid("The amount must be at least INR 1.00", "amount"));
        }
        if amount > left {
            let why = "The total refund amount is greater than the refund payment amount";
            return Err(json::invalid(why, "amount"));
        }
        payment.refunded += amount;
        payment.status = if payment.refunded == payment.amount { "refunded" } else { "captured" };
        let refund = Refund {
            id: json::id("rfnd"),
            payment_id: id.to_owned(),
            amount,
            currency: payment.currency.clone(),
            receipt,
            notes,
            status: if hold { "pending" } else { "processed" },
            created_at: json::now(),
        };
        let refund_id = refund.id.clone();
        self.refunds.push(refund);
        self.emit("refund.created", id, Some(&refund_id));
        if !hold {
            self.emit("refund.processed", id, Some(&refund_id));
        }
        Ok(refund_id)
    }

    pub(super) fn shown_refund(&self, id: &str) -> Answer<Value> {
        self.refunds.iter().find(|refund| refund.id == id).map(json::refund).ok_or_else(json::unknown)
    }

    pub(super) fn pending_refunds(&self) -> Vec<String> {
        self.refunds.iter().filter(|refund| refund.status == "pending").map(|refund| refund.id.clone()).collect()
    }

    pub(super) fn settle_refund(&mut self, id: &str, processed: bool) -> Answer<()> {
        let found = self.refunds.iter_mut().find(|refund| refund.id == id).ok_or_else(json::unknown)?;
        if found.status != "pending" {
            return Err(json::refused("it is settled"));
        }
        found.status = if processed { "processed" } else { "failed" };
        let refund = found.clone();
        if !processed {
            let payment = self.payment_mut(&refund.payment_id)?;
            payment.refunded -= refund.amount;
            payment.status = "captured";
        }
        let event = if processed { "refund.processed" } else { "refund.failed" };
        self.emit(event, &refund.payment_id, Some(id));
        Ok(())
    }

    pub(super) fn dispute(&mut self, payment_id: &str) -> Answer<String> {
        let payment = self.payment(payment_id)?;
        let id = json::id("disp");
        let report = webhook(
            "payment.dispute.created",
            &[("payment", json::payment(payment)), ("dispute", json::dispute(&id, payment))],
        );
        self.disputes += 1;
        self.outgoing.push(report);
        Ok(id)
    }

    pub(super) fn emit_unknown(&mut self) {
        let entity = json!({"id": json::id("sub"), "entity": "subscription", "status": "active"});
        self.outgoing.push(webhook("subscription.charged", &[("subscription", entity)]));
    }

    fn emit(&mut self, event: &str, payment_id: &str, refund_id: Option<&str>) {
        let Ok(payment) = self.payment(payment_id) else { return };
        let mut entities = vec![("payment", json::payment(payment))];
        if event == "order.paid"
            && let Ok(order) = self.order(&payment.order_id)
        {
            entities.push(("order", self.shown_order(order)));
        }
        if let Some(Ok(refund)) = refund_id.map(|id| self.shown_refund(id)) {
            entities.insert(0, ("refund", refund));
        }
        let report = webhook(event, &entities);
        self.outgoing.push(report);
    }

    pub(super) fn truth(&self) -> BTreeMap<String, Truth> {
        let mut all = BTreeMap::new();
        for order in &self.orders {
            let mut truth = Truth { receipt: order.receipt.clone(), amount: order.amount, ..Truth::default() };
            for payment in self.payments_of(&order.id).iter().filter(|payment| payment.captured) {
                truth.captured += payment.amount;
                truth.captures += 1;
                for refund in self.refunds_of(&payment.id).iter().filter(|refund| refund.status != "failed") {
                    truth.refunded += refund.amount;
                    truth.refunds += 1;
                }
            }
            all.insert(order.id.clone(), truth);
        }
        all
    }
}
