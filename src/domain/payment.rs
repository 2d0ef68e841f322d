//! Payments and refunds.
//!
//! **Invariant:** refunded never exceeds captured, and each refund is one row with its
//! own id, which is also the gateway's idempotency key: asking twice gives once.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{
    Timestamp,
    ids::{OrderId, PaymentId, RefundId, UserId},
    money::Money,
    user::Contact,
};

/// Where a payment stands. It only moves forward; a failed one may still succeed, since
/// the same gateway order can be paid again until the window ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum PaymentStatus {
    /// No money yet.
    Pending,
    /// Captured.
    Successful,
    /// The last try failed.
    Failed,
    /// All of it was given back.
    Refunded,
}

impl PaymentStatus {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Successful => "SUCCESSFUL",
            Self::Failed => "FAILED",
            Self::Refunded => "REFUNDED",
        }
    }
}

/// Where a refund stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RefundStatus {
    /// Decided; the gateway may or may not have it yet.
    Pending,
    /// The gateway has it.
    Processed,
}

/// Money on its way back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refund {
    /// Id, and the gateway's idempotency key.
    pub id: RefundId,
    /// How much.
    pub amount: Money,
    /// Why.
    pub reason: Option<String>,
    /// Where it stands.
    pub status: RefundStatus,
    /// The gateway's id, once processed.
    pub gateway_id: Option<String>,
    /// The caller's idempotency key and the hash of what was asked with it.
    pub key: Option<(String, String)>,
    /// When decided.
    pub created_at: Timestamp,
}

/// A payment, as stored: one for each order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payment {
    /// Id.
    pub id: PaymentId,
    /// For which order.
    pub order: OrderId,
    /// Who pays, and how to reach her.
    pub contact: Contact,
    /// The gateway's order.
    pub razorpay_order_id: String,
    /// The gateway's captured payment.
    pub payment_id: Option<String>,
    /// Where it stands.
    pub status: PaymentStatus,
    /// The order's total.
    pub price: Money,
    /// From the oldest.
    pub refunds: Vec<Refund>,
    /// Whether the order has been told of the captured money.
    pub settled: bool,
    /// Failed tries of what is left to do.
    pub attempts: u32,
    /// When to look at it next; `None` when nothing is left to do.
    pub due_at: Option<Timestamp>,
    /// When made.
    pub created_at: Timestamp,
    /// When last changed.
    pub updated_at: Timestamp,
    /// Counts writes.
    pub version: u64,
}

/// What a payment's state does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PaymentError {
    /// Only captured money can be given back.
    #[error("there is no captured money to refund")]
    NotCaptured,
    /// More than is left.
    #[error("only {left} is left to refund")]
    MoreThanLeft {
        /// What is left.
        left: Money,
    },
    /// Nothing, or less.
    #[error("a refund is more than nothing")]
    NotPositive,
    /// Another currency than the payment's.
    #[error("a refund is in the payment's currency")]
    CurrencyMismatch,
    /// The same idempotency key with another request.
    #[error("this idempotency key was used for another request")]
    KeyReused,
    /// Another captured payment is there already.
    #[error("this order was paid by another payment")]
    PaidByAnother,
}

/// Whether a call changed something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// It did.
    Yes,
    /// It was so before.
    No,
}

/// Whoever wrote what is to do is still at it; after this somebody else looks.
const GRACE: SignedDuration = SignedDuration::from_secs(5);

fn grace(now: Timestamp) -> Option<Timestamp> {
    now.saturating_add(GRACE).ok()
}

/// The longest pause between two tries.
const PAUSE_MAX: SignedDuration = SignedDuration::from_hours(1);
/// The same while the order is to be told of captured money: a service of our own, which costs
/// little to ask.
const UNSETTLED_MAX: SignedDuration = SignedDuration::from_secs(30);

impl Payment {
    /// Who pays.
    #[must_use]
    pub const fn user(&self) -> UserId {
        self.contact.user
    }

    /// The gateway has captured the money as `payment_id`.
    ///
    /// # Errors
    /// [`PaymentError::PaidByAnother`].
    pub fn capture(&mut self, payment_id: &str, now: Timestamp) -> Result<Changed, PaymentError> {
        match &self.payment_id {
            Some(known) if known == payment_id && self.has_money() => return Ok(Changed::No),
            Some(_) if self.has_money() => return Err(PaymentError::PaidByAnother),
            _ => {}
        }
        self.payment_id = Some(payment_id.to_owned());
        self.status = PaymentStatus::Successful;
        self.settled = false;
        self.touch(now, grace(now));
        Ok(Changed::Yes)
    }

    /// A try failed. Captured money is not undone by a late report of a failure.
    pub fn fail(&mut self, now: Timestamp) -> Changed {
        if self.status != PaymentStatus::Pending {
            return Changed::No;
        }
        self.status = PaymentStatus::Failed;
        let due_at = self.due_at;
        self.touch(now, due_at);
        Changed::Yes
    }

    /// The order keeps the money.
    pub fn settle(&mut self, now: Timestamp) {
        self.settled = true;
        self.touch(now, None);
    }

    /// Captured money that is not refunded, nor about to be.
    #[must_use]
    pub fn left(&self) -> Money {
        let refunded: i64 = self.refunds.iter().map(|refund| refund.amount.minor()).sum();
        let captured = if self.has_money() { self.price.minor() } else { 0 };
        Money::new(captured - refunded, self.price.currency())
    }

    /// Decides a refund of `amount` (`None`: all that is left).
    ///
    /// # Errors
    /// [`PaymentError`]; the payment is then as it was.
    pub fn start_refund(
        &mut self,
        id: RefundId,
        amount: Option<Money>,
        reason: Option<String>,
        key: Option<(String, String)>,
        now: Timestamp,
    ) -> Result<(), PaymentError> {
        if !self.has_money() {
            return Err(PaymentError::NotCaptured);
        }
        let left = self.left();
        let amount = amount.unwrap_or(left);
        if amount.currency() != left.currency() {
            return Err(PaymentError::CurrencyMismatch);
        }
        if left.minor() <= 0 || amount.minor() > left.minor() {
            return Err(PaymentError::MoreThanLeft { left });
        }
        if amount.minor() <= 0 {
            return Err(PaymentError::NotPositive);
        }
        let status = RefundStatus::Pending;
        self.refunds.push(Refund { id, amount, reason, status, gateway_id: None, key, created_at: now });
        self.settled = true;
        self.touch(now, grace(now));
        Ok(())
    }

    /// The refund made earlier under this idempotency key, if the request was the same.
    ///
    /// # Errors
    /// [`PaymentError::KeyReused`].
    pub fn refund_by_key(&self, key: &str, request_hash: &str) -> Result<Option<&Refund>, PaymentError> {
        let of_key = |refund: &&Refund| refund.key.as_ref().is_some_and(|(known, _)| known == key);
        match self.refunds.iter().find(of_key) {
            Some(refund) if refund.key.as_ref().is_some_and(|(_, hash)| hash != request_hash) => {
                Err(PaymentError::KeyReused)
            }
            found => Ok(found),
        }
    }

    /// The gateway has taken the refund.
    pub fn refund_processed(&mut self, id: RefundId, gateway_id: &str, now: Timestamp) -> Changed {
        let Some(refund) = self.refunds.iter_mut().find(|refund| refund.id == id) else { return Changed::No };
        if refund.status == RefundStatus::Processed {
            return Changed::No;
        }
        refund.status = RefundStatus::Processed;
        refund.gateway_id = Some(gateway_id.to_owned());
        let more = self.pending_refund().is_some();
        if !more && self.left().minor() == 0 {
            self.status = PaymentStatus::Refunded;
        }
        self.touch(now, if more { grace(now) } else { None });
        Changed::Yes
    }

    /// The oldest refund that the gateway has not taken yet.
    #[must_use]
    pub fn pending_refund(&self) -> Option<&Refund> {
        self.refunds.iter().find(|refund| refund.status == RefundStatus::Pending)
    }

    /// Whether the money is captured.
    #[must_use]
    pub const fn has_money(&self) -> bool {
        matches!(self.status, PaymentStatus::Successful | PaymentStatus::Refunded)
    }

    /// What is left to do failed for now; the pause before the next try doubles up to an hour, and
    /// to half a minute while only the order has not heard of the money.
    pub fn retry_later(&mut self, now: Timestamp) {
        self.attempts = self.attempts.saturating_add(1);
        let awaits_order = self.has_money() && !self.settled && self.pending_refund().is_none();
        let longest = if awaits_order { UNSETTLED_MAX } else { PAUSE_MAX };
        let pause = SignedDuration::from_secs(1_i64 << self.attempts.min(12)).min(longest);
        self.due_at = now.saturating_add(pause).ok();
    }

    fn touch(&mut self, now: Timestamp, due_at: Option<Timestamp>) {
        self.updated_at = now;
        self.attempts = 0;
        self.due_at = due_at;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{money::Currency, user::FullName};

    fn payment(minor: i64) -> Payment {
        let contact = Contact {
            user: UserId::generate(),
            email: String::new(),
            username: String::new(),
            full_name: FullName::default(),
        };
        Payment {
            id: PaymentId::generate(),
            order: OrderId::generate(),
            contact,
            razorpay_order_id: "order_x".into(),
            payment_id: None,
            status: PaymentStatus::Pending,
            price: Money::new(minor, Currency::Inr),
            refunds: vec![],
            settled: false,
            attempts: 0,
            due_at: None,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
            version: 0,
        }
    }

    #[derive(Debug, Clone)]
    enum Act {
        Capture(bool),
        Fail,
        Refund(Option<i64>),
        Process,
    }

    proptest! {
        #[test]
        fn refunds_never_exceed_what_was_captured(
            acts in proptest::collection::vec(prop_oneof![
                any::<bool>().prop_map(Act::Capture),
                Just(Act::Fail),
                proptest::option::of(-5..600_i64).prop_map(Act::Refund),
                Just(Act::Process),
            ], 1..60),
        ) {
            let (mut payment, now) = (payment(1_000), Timestamp::UNIX_EPOCH);
            for act in acts {
                let had_money = payment.has_money();
                match act {
                    Act::Capture(same) => {
                        let result = payment.capture(if same { "pay_1" } else { "pay_2" }, now);
                        prop_assert!(payment.has_money());
                        prop_assert_eq!(result == Ok(Changed::Yes), !had_money);
                    }
                    Act::Fail => { payment.fail(now); }
                    Act::Refund(amount) => {
                        let amount = amount.map(|minor| Money::new(minor, Currency::Inr));
                        let allowed = had_money && payment.left().minor() > 0
                            && amount.is_none_or(|a| a.minor() > 0 && a.minor() <= payment.left().minor());
                        let result = payment.start_refund(RefundId::generate(), amount, None, None, now);
                        prop_assert_eq!(result.is_ok(), allowed);
                    }
                    Act::Process => {
                        if let Some(id) = payment.pending_refund().map(|refund| refund.id) {
                            prop_assert_eq!(payment.refund_processed(id, "rfnd_1", now), Changed::Yes);
                            prop_assert_eq!(payment.refund_processed(id, "rfnd_1", now), Changed::No);
                        }
                    }
                }
                prop_assert!(payment.left().minor() >= 0);
                prop_assert!(!had_money || payment.has_money(), "captured money does not vanish");
                if payment.status == PaymentStatus::Refunded {
                    prop_assert_eq!(payment.left().minor(), 0);
                }
            }
        }
    }

    #[test]
    fn a_refund_asked_again_with_its_key_is_the_same_refund() {
        let (mut payment, now) = (payment(1_000), Timestamp::UNIX_EPOCH);
        payment.capture("pay_1", now).unwrap();
        let id = RefundId::generate();
        payment.start_refund(id, None, None, Some(("k".into(), "h".into())), now).unwrap();
        assert_eq!(payment.refund_by_key("k", "h").unwrap().map(|refund| refund.id), Some(id));
        assert_eq!(payment.refund_by_key("k", "other"), Err(PaymentError::KeyReused));
        assert_eq!(payment.refund_by_key("new", "h"), Ok(None));
    }
}
