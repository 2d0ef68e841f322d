//! When to look at a payment next.
//!
//! **Invariant:** a payment with something left to do is due some time.

use jiff::SignedDuration;

use super::Payment;
use crate::domain::Timestamp;

/// Whoever wrote what is to do is still at it; after this somebody else looks.
const GRACE: SignedDuration = SignedDuration::from_secs(5);
/// The same while only the order's timeline has to show a refund, which nobody is at: its order
/// asked for it and is busy until it has its answer.
const NOTE_AFTER: SignedDuration = SignedDuration::from_secs(1);
/// The longest pause between two tries of what has to be done.
const TRY_PAUSE_MAX: SignedDuration = SignedDuration::from_hours(1);
/// The same while only the order is to be told: a service of our own, which costs little to ask.
const TELL_PAUSE_MAX: SignedDuration = SignedDuration::from_secs(30);
/// How long the gateway is asked about a payment that brought no money, or about a second one.
const ASK_FOR: SignedDuration = SignedDuration::from_hours(72);
/// The longest pause between two questions meanwhile.
const ASK_PAUSE_MAX: SignedDuration = SignedDuration::from_hours(6);
/// How long the gateway is asked, once a day after the first three, about a refund that it has.
const ASK_REFUND_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);
/// The pause between two of those questions.
const ASK_REFUND_EVERY: SignedDuration = SignedDuration::from_hours(24);

/// How the gateway is asked about what nobody reported.
#[derive(Debug, Clone, Copy)]
pub struct Questions {
    /// The first pause.
    pub every: SignedDuration,
    /// Whether a paid order may be paid again at the gateway.
    pub paid_twice: bool,
}

impl Questions {
    /// About money that has not come: each pause as long as the payment is old.
    fn without_money(self, since: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let age = now.duration_since(since);
        let pause = age.max(self.every).min(ASK_PAUSE_MAX.max(self.every));
        (age < ASK_FOR).then(|| now.saturating_add(pause).ok()).flatten()
    }

    /// About a second payment of a paid order: seldom, a handful of times in three days.
    fn paid(self, since: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let age = now.duration_since(since);
        let pause = (age * 3).max(self.every);
        (self.paid_twice && age < ASK_FOR).then(|| now.saturating_add(pause).ok()).flatten()
    }

    /// About a refund that the gateway has.
    fn refund(self, since: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let age = now.duration_since(since);
        let daily = (age < ASK_REFUND_FOR).then(|| now.saturating_add(ASK_REFUND_EVERY).ok()).flatten();
        self.without_money(since, now).or(daily)
    }
}

impl Payment {
    /// Plans when to look next, after whatever was done now.
    pub fn plan(&mut self, questions: Questions, now: Timestamp) {
        self.due_at = if self.attempts > 0 {
            let longest = if self.only_tells(now) { TELL_PAUSE_MAX } else { TRY_PAUSE_MAX };
            let pause = SignedDuration::from_secs(1_i64 << self.attempts.min(12)).min(longest);
            now.saturating_add(pause).ok()
        } else if self.has_work(now) {
            let moves_money = self.unsent_refund(now).is_some() || (self.has_money() && !self.settled);
            now.saturating_add(if moves_money { GRACE } else { NOTE_AFTER }).ok()
        } else {
            self.next_question(questions, now)
        };
    }

    /// Whether something is to be done that needs no answer of the gateway's first.
    #[must_use]
    pub fn has_work(&self, now: Timestamp) -> bool {
        let unsettled = self.has_money() && !self.settled;
        unsettled || self.unsent_refund(now).is_some() || self.unnoted_refund().is_some()
    }

    /// Whether the order has to hear of money, and the gateway has nothing to do.
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

    /// What is left to do failed for now; the pause before the next try doubles up to an hour.
    pub const fn retry_later(&mut self) {
        self.attempts = self.attempts.saturating_add(1);
    }

    pub(super) const fn touch(&mut self, now: Timestamp) {
        self.updated_at = now;
        self.attempts = 0;
    }
}
