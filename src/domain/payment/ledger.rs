//! The ledger of a payment: every movement of money, in double entry.
//!
//! The gateway's balance for the shop is debited when money is captured and credited when it is refunded; the counter
//! account is what is owed to the order, as goods or money.
//!
//! **Invariant:** an entry is never changed and never removed; a correction is another entry.

use serde::{Deserialize, Serialize};

use super::Refund;
use crate::domain::{Timestamp, ids::RefundId, money::Money};

/// An account of the ledger. Commission will be a third.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Account {
    /// What the gateway holds for the shop.
    Gateway,
    /// What is owed to the order: its goods, or its money back.
    Order,
}

/// The reason of a movement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Movement {
    /// The gateway captured it.
    Captured,
    /// The gateway accepted a refund.
    Refunded,
    /// A refund failed and the money came back.
    RefundFailed,
}

impl Movement {
    /// The account that is debited and the one that is credited.
    #[must_use]
    pub const fn accounts(self) -> (Account, Account) {
        match self {
            Self::Captured | Self::RefundFailed => (Account::Gateway, Account::Order),
            Self::Refunded => (Account::Order, Account::Gateway),
        }
    }
}

/// A movement of money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Counts from 1 within the payment.
    pub number: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// Why.
    pub movement: Movement,
    /// The debited account.
    pub debit: Account,
    /// The credited account.
    pub credit: Account,
    /// The amount, above zero.
    pub amount: Money,
    /// The gateway's payment that it is about.
    pub payment_id: String,
    /// The refund that it is about.
    pub refund: Option<RefundId>,
}

/// The entries of one payment, from the oldest.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ledger(Vec<Entry>);

impl Ledger {
    /// Oldest first.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.0
    }

    pub(super) fn captured(&mut self, payment_id: &str, amount: Money, at: Timestamp) {
        self.enter(Movement::Captured, amount, payment_id, None, at);
    }

    pub(super) fn refunded(&mut self, refund: &Refund, at: Timestamp) {
        self.enter(Movement::Refunded, refund.amount, &refund.payment_id, Some(refund.id), at);
    }

    pub(super) fn came_back(&mut self, refund: &Refund, at: Timestamp) {
        self.enter(Movement::RefundFailed, refund.amount, &refund.payment_id, Some(refund.id), at);
    }

    /// Whether this payment of the gateway is known to be captured.
    #[must_use]
    pub fn has_captured(&self, payment_id: &str) -> bool {
        self.0.iter().any(|entry| entry.movement == Movement::Captured && entry.payment_id == payment_id)
    }

    /// What is owed to the order out of one payment of the gateway, in minor units.
    #[must_use]
    pub fn owed(&self, payment_id: &str) -> i64 {
        let own = self.0.iter().filter(|entry| entry.payment_id == payment_id);
        own.map(|entry| if entry.credit == Account::Order { entry.amount.minor() } else { -entry.amount.minor() }).sum()
    }

    /// The gateway's payments that were captured, from the oldest.
    pub fn captures(&self) -> impl Iterator<Item = &Entry> {
        self.0.iter().filter(|entry| entry.movement == Movement::Captured)
    }

    /// The sum of the movements with a reason, in minor units.
    #[must_use]
    pub fn moved(&self, movement: Movement) -> i64 {
        self.0.iter().filter(|entry| entry.movement == movement).map(|entry| entry.amount.minor()).sum()
    }

    fn enter(&mut self, movement: Movement, amount: Money, payment_id: &str, refund: Option<RefundId>, at: Timestamp) {
        let number = self.0.last().map_or(1, |last| last.number + 1);
        let (debit, credit) = movement.accounts();
        let payment_id = payment_id.to_owned();
        self.0.push(Entry { number, at, movement, debit, credit, amount, payment_id, refund });
    }
}
