//! Refunds.
//!
//! **Invariant:** refunds of a captured payment together never exceed it, and each refund is one row with its own id,
//! which is also the gateway's idempotency key: requesting it twice refunds once.

use std::time::Duration;

use growing_backoff::Backoff;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Changed, Payment, PaymentError, PaymentStatus};
use crate::domain::{Timestamp, ids::RefundId, money::Money};

/// How often a failed refund is requested again.
pub const REFUND_TRIES: u32 = 8;
/// The pauses before a failed refund is requested again.
const PAUSES: Backoff = Backoff::new(Duration::from_secs(10), Duration::from_secs(24 * 3_600)).by(6);
/// The reason of a refund that was made on the gateway's own pages.
const FOREIGN: &str = "made at the gateway";
/// The reason of a refund whose money was refunded on the gateway's own pages meanwhile.
const OVERTAKEN: &str = "the money was given back at the gateway meanwhile";

/// The status of a refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RefundStatus {
    /// Decided; accepted by the gateway once there is a `gateway_id`, but not yet with the buyer.
    Pending,
    /// The buyer has it.
    Processed,
    /// It failed. Another refund replaces it.
    Failed,
}

/// A refund.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refund {
    /// Id, and the gateway's idempotency key.
    pub id: RefundId,
    /// The gateway's captured payment that it refunds.
    pub payment_id: String,
    pub amount: Money,
    /// Why.
    pub reason: Option<String>,
    /// Its status.
    pub status: RefundStatus,
    /// The gateway's id, once the gateway has it.
    pub gateway_id: Option<String>,
    /// The caller's idempotency key and the hash of its request.
    pub key: Option<(String, String)>,
    /// When decided.
    pub created_at: Timestamp,
    /// The earliest time to request it; set if it replaces a failed one.
    #[serde(default)]
    pub not_before: Option<Timestamp>,
    /// How many refunds of the same money failed before.
    #[serde(default)]
    pub tries: u32,
    /// Whether the order's timeline shows it.
    #[serde(default)]
    pub noted: bool,
}

impl Refund {
    /// Decided, and not known to be accepted by the gateway.
    #[must_use]
    pub fn is_unsent(&self) -> bool {
        self.status == RefundStatus::Pending && self.gateway_id.is_none()
    }

    /// Accepted by the gateway, and not known to have reached the buyer.
    #[must_use]
    pub fn is_on_its_way(&self) -> bool {
        self.status == RefundStatus::Pending && self.gateway_id.is_some()
    }
}

impl Payment {
    /// Captured money for the order without refunds and decided refunds.
    #[must_use]
    pub fn left(&self) -> Money {
        let captured = if self.has_money() { self.price.minor() } else { 0 };
        let refunded: i64 = self.own_refunds().map(|refund| refund.amount.minor()).sum();
        Money::new(captured - refunded, self.price.currency())
    }

    /// Refunds of the payment that paid the order, without failed ones.
    pub fn own_refunds(&self) -> impl Iterator<Item = &Refund> {
        let own = |refund: &&Refund| Some(&refund.payment_id) == self.payment_id.as_ref();
        self.refunds.iter().filter(own).filter(|refund| refund.status != RefundStatus::Failed)
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
        let Some(payment_id) = self.payment_id.clone().filter(|_| self.has_money()) else {
            return Err(PaymentError::NotCaptured);
        };
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
        self.refunds.push(Refund { reason, key, ..decided(id, payment_id, amount, now) });
        self.settled = true;
        self.touch(now);
        Ok(())
    }

    /// Decides to refund money that is not for the order.
    pub(super) fn give_back(&mut self, payment_id: &str, amount: Money, reason: &str, now: Timestamp) {
        let refund = decided(RefundId::generate(), payment_id.to_owned(), amount, now);
        self.refunds.push(Refund { reason: Some(reason.to_owned()), ..refund });
        self.touch(now);
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

    /// Records that the gateway has accepted the refund.
    pub fn refund_taken(&mut self, id: RefundId, gateway_id: &str, now: Timestamp) -> Changed {
        let Some(refund) = self.refunds.iter_mut().find(|refund| refund.id == id && refund.is_unsent()) else {
            return Changed::No;
        };
        refund.gateway_id = Some(gateway_id.to_owned());
        let refund = refund.clone();
        self.ledger.refunded(&refund, now);
        let all_taken = self.own_refunds().all(|refund| !refund.is_unsent());
        if self.has_money() && all_taken && self.left().minor() == 0 {
            self.status = PaymentStatus::Refunded;
        }
        self.touch(now);
        Changed::Yes
    }

    /// Records that the money of an accepted refund has reached the buyer.
    pub fn refund_processed(&mut self, id: RefundId, now: Timestamp) -> Changed {
        let Some(refund) = self.refunds.iter_mut().find(|refund| refund.id == id && refund.is_on_its_way()) else {
            return Changed::No;
        };
        refund.status = RefundStatus::Processed;
        self.touch(now);
        Changed::Yes
    }

    /// Records that a refund failed and the money came back to the shop. Another refund replaces it, with backoff;
    /// after [`REFUND_TRIES`] it is left to the operator.
    pub fn refund_failed(&mut self, id: RefundId, now: Timestamp) -> Changed {
        let came_back = |refund: &&mut Refund| {
            refund.id == id && refund.gateway_id.is_some() && refund.status != RefundStatus::Failed
        };
        let Some(refund) = self.refunds.iter_mut().find(came_back) else { return Changed::No };
        refund.status = RefundStatus::Failed;
        let failed = refund.clone();
        self.ledger.came_back(&failed, now);
        let tries = failed.tries + 1;
        if tries < REFUND_TRIES {
            let not_before = now.saturating_add(PAUSES.after(tries)).ok();
            let (id, reason, key) = (RefundId::generate(), failed.reason, None);
            let again = decided(id, failed.payment_id, failed.amount, now);
            self.refunds.push(Refund { reason, key, not_before, tries, noted: failed.noted, ..again });
        } else if self.status == PaymentStatus::Refunded {
            self.status = PaymentStatus::Successful;
        }
        self.touch(now);
        Changed::Yes
    }

    /// Records a refund that the gateway has but the shop did not request: an operator made it there. Decided refunds
    /// for which no money is left are dropped. `None`: it was known.
    pub fn foreign_refund(
        &mut self,
        payment_id: &str,
        gateway_id: &str,
        amount: Money,
        now: Timestamp,
    ) -> Option<RefundId> {
        let known = self.refunds.iter().any(|refund| refund.gateway_id.as_deref() == Some(gateway_id));
        if known || !self.ledger.has_captured(payment_id) {
            return None;
        }
        // Always the same id for the same refund, however often it is found.
        let digest = Sha256::digest(gateway_id.as_bytes());
        let id = RefundId::try_from(&digest[..12]).unwrap_or_else(|_| RefundId::generate());
        let reason = Some(FOREIGN.to_owned());
        self.refunds.push(Refund { reason, ..decided(id, payment_id.to_owned(), amount, now) });
        self.make_room(payment_id, id, now);
        self.refund_taken(id, gateway_id, now);
        Some(id)
    }

    /// Drops decided refunds, from the newest, for which no money is left besides the refund `beside`; the remainder
    /// of the last dropped one is decided again with a new id, because the gateway may know the old id with the old
    /// amount.
    fn make_room(&mut self, payment_id: &str, beside: RefundId, now: Timestamp) {
        let unsent = |refund: &&Refund| refund.payment_id == payment_id && refund.is_unsent();
        let about: i64 = self.refunds.iter().filter(unsent).map(|refund| refund.amount.minor()).sum();
        let mut excess = about - self.ledger.owed(payment_id);
        while excess > 0 {
            let own =
                |refund: &&mut Refund| refund.payment_id == payment_id && refund.is_unsent() && refund.id != beside;
            let Some(refund) = self.refunds.iter_mut().rfind(own) else { break };
            refund.status = RefundStatus::Failed;
            let given_up = Refund { reason: refund.reason.replace(OVERTAKEN.to_owned()), ..refund.clone() };
            let rest = given_up.amount.minor() - excess;
            excess -= given_up.amount.minor();
            if rest > 0 {
                let amount = Money::new(rest, given_up.amount.currency());
                let again = decided(RefundId::generate(), payment_id.to_owned(), amount, now);
                self.refunds.push(Refund { reason: given_up.reason, ..again });
            }
        }
    }

    /// The oldest refund to request from the gateway now.
    #[must_use]
    pub fn unsent_refund(&self, now: Timestamp) -> Option<&Refund> {
        let due = |refund: &&Refund| refund.not_before.is_none_or(|at| at <= now);
        self.refunds.iter().filter(|refund| refund.is_unsent()).find(due)
    }

    /// The oldest refund for the order that the gateway has and the order's timeline does not show.
    #[must_use]
    pub fn unnoted_refund(&self) -> Option<&Refund> {
        self.own_refunds().find(|refund| refund.gateway_id.is_some() && !refund.noted)
    }

    /// The order's timeline shows a refund.
    pub fn refund_noted(&mut self, id: RefundId) {
        if let Some(refund) = self.refunds.iter_mut().find(|refund| refund.id == id) {
            refund.noted = true;
            self.attempts = 0;
        }
    }

    /// Notifies the order of its refunds again, at `now`: earlier versions reported each refund, but not that no
    /// money is left. The notification contains the total, so that one refund is enough: a pending one, otherwise one
    /// in the timeline.
    pub fn notify_refunds_again(&mut self, now: Timestamp) -> Changed {
        let taken = self.own_refunds().filter(|refund| refund.gateway_id.is_some());
        // A replacement counts as shown if the replaced refund is.
        let Some(id) = taken.min_by_key(|refund| (refund.noted, refund.tries)).map(|refund| refund.id) else {
            return Changed::No;
        };
        for refund in self.refunds.iter_mut().filter(|refund| refund.id == id) {
            refund.noted = false;
        }
        self.due_at = Some(self.due_at.map_or(now, |due| due.min(now)));
        Changed::Yes
    }
}

fn decided(id: RefundId, payment_id: String, amount: Money, now: Timestamp) -> Refund {
    Refund {
        id,
        payment_id,
        amount,
        reason: None,
        status: RefundStatus::Pending,
        gateway_id: None,
        key: None,
        created_at: now,
        not_before: None,
        tries: 0,
        noted: false,
    }
}
