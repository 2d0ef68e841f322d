//! Money on its way back.
//!
//! **Invariant:** no refund is asked of the gateway before it is written, and none is made
//! twice.

use super::{
    PaymentFailure, RefundRequest, Refunded,
    flow::{Flow, Outcome, TRIES, told},
};
use crate::{
    domain::{
        Timestamp,
        event::Event,
        ids::{PaymentId, RefundId},
        payment::{Payment, RefundStatus},
    },
    peers::PeerError,
    store::StoreError,
};

impl Flow {
    /// Gives back what an admin asks for.
    pub(super) async fn refund(&self, request: RefundRequest) -> Outcome<Refunded> {
        self.settle_first(request.payment).await?;
        let _turn = self.turns.lock(&request.payment).await.ok_or(StoreError::Busy)?;
        for _ in 0..TRIES {
            let mut payment = self.read(request.payment).await?;
            if let Some((key, hash)) = &request.key
                && let Some(known) = payment.refund_by_key(key, hash)?
            {
                let refund = known.id;
                return Ok(Refunded { payment, refund });
            }
            let refund = RefundId::generate();
            let (reason, key) = (request.reason.clone(), request.key.clone());
            payment.start_refund(refund, request.amount, reason, key, Timestamp::now())?;
            if self.save(&mut payment, &[]).await? {
                let payment = self.push_refunds(payment).await?;
                return Ok(Refunded { payment, refund });
            }
        }
        Err(StoreError::Busy.into())
    }

    /// Money that the order has not heard of is its business first: it may keep it, or not.
    async fn settle_first(&self, id: PaymentId) -> Outcome<()> {
        let payment = self.read(id).await?;
        if payment.has_money() && !payment.settled && !self.settle(payment).await?.settled {
            return Err(PeerError::Unavailable("order").into());
        }
        Ok(())
    }

    /// Gives back all that is left, once: a second call finds nothing left.
    pub(super) async fn refund_all(&self, id: PaymentId, reason: &str) -> Outcome<Payment> {
        let _turn = self.turns.lock(&id).await.ok_or(StoreError::Busy)?;
        for _ in 0..TRIES {
            let mut payment = self.read(id).await?;
            if payment.left().minor() > 0 {
                payment.start_refund(RefundId::generate(), None, Some(reason.to_owned()), None, Timestamp::now())?;
                if !self.save(&mut payment, &[]).await? {
                    continue;
                }
            }
            return self.push_refunds(payment).await;
        }
        Err(StoreError::Busy.into())
    }

    /// Hands decided refunds to the gateway. What fails now is due again later.
    pub(super) async fn push_refunds(&self, mut payment: Payment) -> Outcome<Payment> {
        for _ in 0..TRIES {
            let Some(refund) = payment.pending_refund().cloned() else { return Ok(payment) };
            let Some(payment_id) = payment.payment_id.clone() else { return Err(PaymentFailure::NotFound) };
            let gateway_id = match self.gateway.refund(&payment_id, refund.amount, refund.id).await {
                Ok(taken) => taken.id,
                Err(error) => {
                    tracing::warn!(payment.id = %payment.id, %error, "a refund is tried again later");
                    return self.later(payment).await;
                }
            };
            payment = self.refund_taken(payment, refund.id, &gateway_id).await?;
        }
        Ok(payment)
    }

    async fn refund_taken(&self, mut payment: Payment, refund: RefundId, gateway_id: &str) -> Outcome<Payment> {
        for _ in 0..TRIES {
            payment.refund_processed(refund, gateway_id, Timestamp::now());
            let told = told(&payment);
            let Some(row) = told.refunds.iter().find(|row| row.id == refund) else { break };
            let refunded =
                Event::PaymentRefunded { payment: told.clone(), amount: row.amount, reason: row.reason.clone() };
            if self.save(&mut payment, &[Event::PaymentUpdated(told.clone()), refunded]).await? {
                break;
            }
            payment = self.read(payment.id).await?;
            let taken =
                |row: &crate::domain::payment::Refund| row.id == refund && row.status == RefundStatus::Processed;
            if payment.refunds.iter().any(taken) {
                break;
            }
        }
        Ok(payment)
    }
}
