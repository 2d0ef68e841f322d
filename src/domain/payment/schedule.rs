//! When a payment is due next.
//!
//! **Invariant:** a payment with something left to do is due some time.

use std::time::Duration;

use growing_backoff::Backoff;
use jiff::SignedDuration;

use super::Payment;
use crate::domain::Timestamp;

/// The writer of pending work does it first; after this time another worker does.
const GRACE: SignedDuration = SignedDuration::from_secs(5);
/// The same while only the order's timeline has to show a refund: its order requested it and is busy until it has its
/// answer.
const NOTE_AFTER: SignedDuration = SignedDuration::from_secs(1);
/// The pauses between attempts of pending work.
const TRY_PAUSES: Backoff = Backoff::new(Duration::from_secs(2), Duration::from_secs(3_600));
/// The same while only the order has to be notified, which is a cheap call of an own service.
const TELL_PAUSES: Backoff = Backoff::new(Duration::from_secs(2), Duration::from_secs(30));
/// How long the gateway is checked for an unpaid payment, or for a second one.
const ASK_FOR: SignedDuration = SignedDuration::from_hours(72);
/// The longest pause between two checks meanwhile.
const ASK_PAUSE_MAX: SignedDuration = SignedDuration::from_hours(6);
/// How long an accepted refund is checked at the gateway, once a day after the first three days.
const ASK_REFUND_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);
/// The pause between two of those checks.
const ASK_REFUND_EVERY: SignedDuration = SignedDuration::from_hours(24);

/// How the gateway is checked for unreported changes.
#[derive(Debug, Clone, Copy)]
pub struct Questions {
    /// The first pause.
    pub every: SignedDuration,
    /// Whether a paid order may be paid again at the gateway.
    pub paid_twice: bool,
}

impl Questions {
    /// For an unpaid payment: each pause is as long as the payment is old.
    fn without_money(self, since: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let age = now.duration_since(since);
        let pause = age.max(self.every).min(ASK_PAUSE_MAX.max(self.every));
        (age < ASK_FOR).then(|| now.saturating_add(pause).ok()).flatten()
    }

    /// For a second payment of a paid order: a handful of times in three days.
    fn paid(self, since: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let age = now.duration_since(since);
        let pause = (age * 3).max(self.every);
        (self.paid_twice && age < ASK_FOR).then(|| now.saturating_add(pause).ok()).flatten()
    }

    /// For an accepted refund.
    fn refund(self, since: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let age = now.duration_since(since);
        let daily = (age < ASK_REFUND_FOR).then(|| now.saturating_add(ASK_REFUND_EVERY).ok()).flatten();
        self.without_money(since, now).or(daily)
    }
}

impl Payment {
    /// Schedules the next check, after the current work.
    pub fn plan(&mut self, questions: Questions, now: Timestamp) {
        self.due_at = if self.attempts > 0 {
            let pauses = if self.only_tells(now) { TELL_PAUSES } else { TRY_PAUSES };
            now.saturating_add(pauses.after(self.attempts)).ok()
        } else if self.has_work(now) {
            let moves_money = self.unsent_refund(now).is_some() || (self.has_money() && !self.settled);
            now.saturating_add(if moves_money { GRACE } else { NOTE_AFTER }).ok()
        } else {
            self.next_question(questions, now)
        };
    }

    /// Whether work is pending that needs no answer from the gateway first.
    #[must_use]
    pub fn has_work(&self, now: Timestamp) -> bool {
        let unsettled = self.has_money() && !self.settled;
        unsettled || self.unsent_refund(now).is_some() || self.unnoted_refund().is_some()
    }

    /// Whether only the order has to be notified of money.
    fn only_tells(&self, now: Timestamp) -> bool {
        self.has_work(now) && self.unsent_refund(now).is_none()
    }

    fn next_question(&self, questions: Questions, now: Timestamp) -> Option<Timestamp> {
        let put_off = self.refunds.iter().filter(|refund| refund.is_unsent()).filter_map(|refund| refund.not_before);
        let on_its_way = self.refunds.iter().filter(|refund| refund.is_on_its_way());
        let refunds = on_its_way.filter_map(|refund| questions.refund(refund.created_at, now));
        let money = if self.has_money() {
            questions.paid(self.created_at, now)
        } else {
            questions.without_money(self.created_at, now)
        };
        put_off.chain(refunds).chain(money).min()
    }

    /// Records failed work; the pause before the next attempt doubles up to an hour.
    pub const fn retry_later(&mut self) {
        self.attempts = self.attempts.saturating_add(1);
    }

    pub(super) const fn touch(&mut self, now: Timestamp) {
        self.updated_at = now;
        self.attempts = 0;
    }
}
