//! A refund.
//!
//! **Invariant:** no refund is requested from the gateway before it is written, and none is made twice.

use jiff::SignedDuration;

use super::{
    calls::{RefundAllOfPayment, RefundPayment, RefundedPayment},
    service::{Outcome, PaymentService, TRIES, as_stored},
};
use crate::{
    actors::order_saga::calls::NoteOrderRefund,
    config::Service,
    crash,
    domain::{
        Timestamp,
        event::Event,
        ids::{PaymentId, RefundId},
        money::Money,
        order::RefundNote,
        payment::{Changed, Payment, PaymentError, Refund, RefundStatus},
    },
    integrations::payment::{GatewayError, GatewayRefund, GatewayRefundStatus},
    runtime::calls::{CallError, Handles, Outcome as CallOutcome},
    store::StoreError,
};

/// How long the gateway certainly remembers a refund's key.
const REMEMBERED: SignedDuration = SignedDuration::from_mins(5);

impl Handles<RefundPayment> for PaymentService {
    async fn handle(&self, request: RefundPayment) -> CallOutcome<RefundPayment> {
        self.settle_first(request.payment).await?;
        let _lock = self.locks.lock(&request.payment).await.ok_or(StoreError::Busy)?;
        for _ in 0..TRIES {
            let mut payment = self.read(request.payment).await?;
            if let Some((key, hash)) = &request.key
                && let Some(known) = payment.refund_by_key(key, hash)?
            {
                let refund = known.id;
                return Ok(RefundedPayment { payment, refund });
            }
            self.gives_back(&payment, request.amount)?;
            let refund = RefundId::generate();
            let (reason, key) = (request.reason.clone(), request.key.clone());
            payment.start_refund(refund, request.amount, reason, key, Timestamp::now())?;
            if self.save(&mut payment, &[]).await? {
                crash::point("payment.refund.decided");
                let payment = self.push_refunds(payment).await?;
                self.warn_order(&payment, refund).await;
                let payment = self.note_refunds(payment).await?;
                return Ok(RefundedPayment { payment, refund });
            }
        }
        Err(StoreError::Busy.into())
    }
}

impl Handles<RefundAllOfPayment> for PaymentService {
    async fn handle(&self, call: RefundAllOfPayment) -> CallOutcome<RefundAllOfPayment> {
        self.refund_all(call.payment, &call.reason).await
    }
}

impl PaymentService {
    /// Whether the gateway can refund this part, and the rest afterwards.
    fn gives_back(&self, payment: &Payment, part: Option<Money>) -> Result<(), PaymentError> {
        let (least, left) = (self.gateway.least_refund(), payment.left());
        let Some(part) = part.filter(|part| part.currency() == left.currency() && part.minor() > 0) else {
            return Ok(());
        };
        let rest = left.minor() - part.minor();
        if rest != 0 && (part.minor() < least || (1..least).contains(&rest)) {
            return Err(PaymentError::TooLittle { least: Money::new(least, left.currency()) });
        }
        Ok(())
    }

    /// The order must be notified of captured money first, because it decides whether to keep it.
    async fn settle_first(&self, id: PaymentId) -> Outcome<()> {
        let payment = self.read(id).await?;
        if payment.has_money() && !payment.settled && !self.settle(payment).await?.settled {
            return Err(CallError::unavailable(Service::Order));
        }
        Ok(())
    }

    /// Refunds everything that is left, once: a second call finds nothing left.
    pub(super) async fn refund_all(&self, id: PaymentId, reason: &str) -> Outcome<Payment> {
        let _lock = self.locks.lock(&id).await.ok_or(StoreError::Busy)?;
        for _ in 0..TRIES {
            let mut payment = self.read(id).await?;
            if payment.left().minor() > 0 {
                payment.start_refund(RefundId::generate(), None, Some(reason.to_owned()), None, Timestamp::now())?;
                if !self.save(&mut payment, &[]).await? {
                    continue;
                }
                crash::point("payment.refund.decided");
            } else if payment.has_money() && !payment.settled {
                // Refunded at the gateway before the order was notified.
                payment.settle(Timestamp::now());
                if !self.save(&mut payment, &[]).await? {
                    continue;
                }
            }
            return self.push_refunds(payment).await;
        }
        Err(StoreError::Busy.into())
    }

    /// Requests decided refunds from the gateway. Failed ones become due again later.
    pub(super) async fn push_refunds(&self, mut payment: Payment) -> Outcome<Payment> {
        for _ in 0..TRIES {
            let now = Timestamp::now();
            let Some(refund) = payment.unsent_refund(now).cloned() else { return Ok(payment) };
            // It may have been requested before with a lost answer, and the gateway may have forgotten the key by
            // now.
            let again = payment.attempts > 0 || now.duration_since(refund.created_at) > REMEMBERED;
            match self.give(&refund, again).await {
                Ok(taken) => {
                    crash::point("payment.refund.asked");
                    payment = self.learn(payment, &refund.payment_id, &taken).await?;
                }
                Err(error) => {
                    tracing::warn!(payment.id = %payment.id, %error, "a refund failed; retrying later");
                    return self.later(payment).await;
                }
            }
        }
        Ok(payment)
    }

    /// Requests a refund from the gateway. Returns the gateway's refunds of the payment if they were read, otherwise
    /// the refund.
    async fn give(&self, refund: &Refund, again: bool) -> Result<Vec<GatewayRefund>, GatewayError> {
        if again {
            let known = self.gateway.refunds_of(&refund.payment_id).await?;
            if known.iter().any(|row| row.key == Some(refund.id)) {
                return Ok(known);
            }
        }
        crash::point("payment.refund.before");
        match self.gateway.refund(&refund.payment_id, refund.amount, refund.id).await {
            Ok(taken) => Ok(vec![GatewayRefund { key: Some(refund.id), ..taken }]),
            // It may have been refunded on the gateway's own pages.
            Err(error @ GatewayError::Refused(_)) => match self.gateway.refunds_of(&refund.payment_id).await {
                Ok(known) if !known.is_empty() => Ok(known),
                _ => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    /// Applies the gateway's refunds of one captured payment.
    pub(super) async fn learn(
        &self,
        mut payment: Payment,
        payment_id: &str,
        rows: &[GatewayRefund],
    ) -> Outcome<Payment> {
        for _ in 0..TRIES {
            let now = Timestamp::now();
            let mut changed = false;
            let mut taken = vec![];
            for row in rows {
                let (is_new, id) = learn_one(&mut payment, payment_id, row, now);
                changed |= is_new == Changed::Yes;
                taken.extend(id);
            }
            if changed {
                let stored = as_stored(&payment);
                let refunds = stored.refunds.iter().filter(|refund| taken.contains(&refund.id));
                let refunded = refunds.map(|refund| Event::PaymentRefunded {
                    payment: stored.clone(),
                    amount: refund.amount,
                    reason: refund.reason.clone(),
                });
                let events: Vec<Event> =
                    std::iter::once(Event::PaymentUpdated(stored.clone())).chain(refunded).collect();
                if self.save(&mut payment, &events).await? {
                    crash::point("payment.refund.after");
                    return Ok(payment);
                }
                payment = self.read(payment.id).await?;
            } else {
                // A refund that the gateway refuses and does not have must wait.
                return if payment.unsent_refund(now).is_some() { self.later(payment).await } else { Ok(payment) };
            }
        }
        Err(StoreError::Busy.into())
    }

    /// Notifies the order that no money is left, before the gateway has accepted the refund, so that nothing is
    /// shipped meanwhile. Failure is harmless: the order is notified of each accepted refund.
    async fn warn_order(&self, payment: &Payment, decided: RefundId) {
        let refund = payment.refunds.iter().find(|refund| refund.id == decided);
        let Some(refund) = refund.filter(|refund| refund.is_unsent() && payment.left().minor() <= 0) else { return };
        let note = NoteOrderRefund { order: payment.order, note: note_of(payment, refund.clone(), true) };
        if let Err(error) = self.calls.ask(note).await {
            tracing::warn!(payment.id = %payment.id, %error, "the order will be notified of its refund once it is accepted");
        }
    }

    /// Adds refunds to the order's timeline.
    pub(super) async fn note_refunds(&self, mut payment: Payment) -> Outcome<Payment> {
        for _ in 0..TRIES {
            let Some(refund) = payment.unnoted_refund().cloned() else { return Ok(payment) };
            let note = note_of(&payment, refund.clone(), false);
            crash::point("payment.note.before");
            if let Err(error) = self.calls.ask(NoteOrderRefund { order: payment.order, note }).await {
                tracing::warn!(payment.id = %payment.id, %error, "the order will be notified of a refund later");
                return self.later(payment).await;
            }
            crash::point("payment.note.told");
            payment.refund_noted(refund.id);
            if self.save(&mut payment, &[]).await? {
                crash::point("payment.note.after");
            } else {
                payment = self.read(payment.id).await?;
            }
        }
        Ok(payment)
    }
}

/// The order's record of a refund.
fn note_of(payment: &Payment, refund: Refund, pending: bool) -> RefundNote {
    let refunded = payment.own_refunds().map(|refund| refund.amount.minor()).sum();
    let refunded = Some(Money::new(refunded, payment.price.currency()));
    RefundNote { refund: refund.id, amount: refund.amount, reason: refund.reason, refunded, pending }
}

/// Applies one refund of the gateway; returns its id if it was accepted just now.
fn learn_one(
    payment: &mut Payment,
    payment_id: &str,
    row: &GatewayRefund,
    now: Timestamp,
) -> (Changed, Option<RefundId>) {
    let is_it = |refund: &&Refund| {
        // A refund that was given up before it was sent is unknown: if the gateway has it, it was made elsewhere.
        let given_up = refund.status == RefundStatus::Failed && refund.gateway_id.is_none();
        !given_up
            && refund.payment_id == payment_id
            && (refund.gateway_id.as_deref() == Some(&row.id) || row.key == Some(refund.id))
    };
    let known = payment.refunds.iter().find(is_it).map(|refund| refund.id);
    let (mut changed, id) = match known {
        Some(id) => (payment.refund_taken(id, &row.id, now), id),
        // A refund that failed before it was known here is ignored.
        None if row.status == GatewayRefundStatus::Failed => return (Changed::No, None),
        None => match payment.foreign_refund(payment_id, &row.id, row.amount, now) {
            Some(id) => (Changed::Yes, id),
            None => return (Changed::No, None),
        },
    };
    let taken = (changed == Changed::Yes).then_some(id);
    let ended = match row.status {
        GatewayRefundStatus::Pending => Changed::No,
        GatewayRefundStatus::Processed => payment.refund_processed(id, now),
        GatewayRefundStatus::Failed => payment.refund_failed(id, now),
    };
    if row.status == GatewayRefundStatus::Failed && ended == Changed::Yes {
        tracing::error!(payment.id = %payment.id, refund.id = %id, "a refund failed at the bank and is requested again");
    }
    if ended == Changed::Yes {
        changed = Changed::Yes;
    }
    (changed, taken)
}
