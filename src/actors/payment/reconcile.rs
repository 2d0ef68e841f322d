//! Looking after payments: what is to be done, and what nobody reported.
//!
//! **Invariant:** captured money and refunds are asked about until they are settled; only
//! payments without money are given up.

use super::{
    calls::PaymentRefusal,
    service::{Outcome, PaymentService},
};
use crate::{
    domain::{
        Timestamp,
        ids::PaymentId,
        payment::{Payment, Refund},
    },
    integrations::payment::{GatewayError, GatewayPayment, GatewayStatus},
    runtime::calls::CallError,
};

impl PaymentService {
    /// Does what is due: tells the order of captured money and of refunds, pushes refunds, or
    /// asks the gateway what it knows.
    pub(super) async fn wake(&self, id: PaymentId) -> Outcome<Payment> {
        let payment = self.read(id).await?;
        let now = Timestamp::now();
        if payment.due_at.is_none_or(|due| due > now) {
            return Ok(payment);
        }
        if payment.unsent_refund(now).is_some() {
            return self.push_refunds(payment).await;
        }
        if payment.has_money() && !payment.settled {
            return self.settle(payment).await;
        }
        if payment.unnoted_refund().is_some() {
            return self.note_refunds(payment).await;
        }
        self.ask_gateway(payment).await
    }

    /// Compares with the gateway, and puts right what differs.
    async fn ask_gateway(&self, payment: Payment) -> Outcome<Payment> {
        let id = payment.id;
        match self.compare(payment).await? {
            Ok(()) => {
                let mut payment = self.read(id).await?;
                payment.attempts = 0;
                // Who was first knows better when to look next.
                let _first = self.save(&mut payment, &[]).await?;
                Ok(payment)
            }
            Err(error) => {
                tracing::warn!(payment.id = %id, %error, "the gateway is asked again later");
                self.later(self.read(id).await?).await
            }
        }
    }

    async fn compare(&self, payment: Payment) -> Outcome<Result<(), GatewayError>> {
        let (id, order) = (payment.id, payment.razorpay_order_id.clone());
        let rows = match self.gateway.payments_of(&order).await {
            Ok(rows) => rows,
            Err(error) => return Ok(Err(error)),
        };
        let mut payment = payment;
        // Captured ones first: what is only authorised is not captured beside them.
        let (captured, others): (Vec<_>, Vec<_>) =
            rows.into_iter().partition(|row| row.status == GatewayStatus::Captured);
        for row in captured.iter().chain(&others) {
            if !payment.knows_capture(&row.id) {
                match self.seen(payment, row).await {
                    Err(CallError::Refused(PaymentRefusal::Gateway(error))) => return Ok(Err(error)),
                    seen => seen?,
                };
                payment = self.read(id).await?;
            }
            if is_news(&payment, row) {
                let refunds = match self.gateway.refunds_of(&row.id).await {
                    Ok(refunds) => refunds,
                    Err(error) => return Ok(Err(error)),
                };
                payment = self.learn(payment, &row.id, &refunds).await?;
            }
        }
        Ok(Ok(()))
    }
}

/// Whether the gateway's refunds of a captured payment are worth looking at.
fn is_news(payment: &Payment, row: &GatewayPayment) -> bool {
    let own = payment.refunds.iter().filter(|refund| refund.payment_id == row.id);
    let back: i64 = row.amount.minor() - payment.ledger.owed(&row.id);
    let open = own.clone().any(Refund::is_on_its_way);
    payment.knows_capture(&row.id) && (open || row.refunded != back)
}
