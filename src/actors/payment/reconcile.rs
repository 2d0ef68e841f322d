//! Reconciles payments: does due work, and finds what was not reported.
//!
//! **Invariant:** captured money and refunds are checked until they are settled; only payments without money are
//! given up.

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
    /// Does what is due: notifies the order of captured money and of refunds, requests refunds, or checks with the
    /// gateway.
    pub(super) async fn resume(&self, id: PaymentId) -> Outcome<Payment> {
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

    /// Compares with the gateway, and corrects differences.
    async fn ask_gateway(&self, payment: Payment) -> Outcome<Payment> {
        let id = payment.id;
        match self.compare(payment).await? {
            Ok(()) => {
                let mut payment = self.read(id).await?;
                payment.attempts = 0;
                // The other writer has already scheduled the next check.
                let _first = self.save(&mut payment, &[]).await?;
                Ok(payment)
            }
            Err(error) => {
                tracing::warn!(payment.id = %id, %error, "checking a payment with the gateway failed; retrying later");
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
        // Captured ones first, because an authorised one is not captured besides them.
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

/// Whether the gateway's refunds of a captured payment have to be read.
fn is_news(payment: &Payment, row: &GatewayPayment) -> bool {
    let own = payment.refunds.iter().filter(|refund| refund.payment_id == row.id);
    let back: i64 = row.amount.minor() - payment.ledger.owed(&row.id);
    let open = own.clone().any(Refund::is_on_its_way);
    payment.knows_capture(&row.id) && (open || row.refunded != back)
}
