//! Looking after payments that nobody reported on.
//!
//! **Invariant:** captured money and refunds are asked about until they are settled; only
//! payments without money are given up.

use jiff::SignedDuration;

use super::flow::{Flow, Outcome};
use crate::{
    domain::{Timestamp, ids::PaymentId, payment::Payment},
    integrations::razorpay::GatewayStatus,
};

/// How long a payment without money is asked about.
const GIVE_UP_AFTER: SignedDuration = SignedDuration::from_hours(72);
/// The longest pause between two questions.
const PAUSE_MAX: SignedDuration = SignedDuration::from_hours(6);

impl Flow {
    /// Does what is due: tells the order of captured money, pushes refunds, or asks the
    /// gateway about a payment that has been open for long.
    pub(super) async fn wake(&self, id: PaymentId) -> Outcome<Payment> {
        let payment = self.read(id).await?;
        if payment.due_at.is_none_or(|due| due > Timestamp::now()) {
            return Ok(payment);
        }
        if payment.pending_refund().is_some() {
            return self.push_refunds(payment).await;
        }
        if payment.has_money() {
            return if payment.settled { self.rest(payment, None).await } else { self.settle(payment).await };
        }
        self.ask_gateway(payment).await
    }

    async fn ask_gateway(&self, payment: Payment) -> Outcome<Payment> {
        let known = match self.gateway.payments_of(&payment.razorpay_order_id).await {
            Ok(known) => known,
            Err(error) => {
                tracing::warn!(payment.id = %payment.id, %error, "the gateway is asked again later");
                return self.later(payment).await;
            }
        };
        let paid = |row: &&crate::integrations::razorpay::GatewayPayment| {
            row.status == GatewayStatus::Captured && row.amount == payment.price
        };
        if let Some(captured) = known.iter().find(paid) {
            return self.captured(&payment.razorpay_order_id, &captured.id).await;
        }
        let now = Timestamp::now();
        let open_for = now.duration_since(payment.created_at);
        let pause = open_for.max(self.reconcile_every).min(PAUSE_MAX);
        let next = (open_for < GIVE_UP_AFTER).then(|| now.saturating_add(pause).ok()).flatten();
        self.rest(payment, next).await
    }

    async fn rest(&self, mut payment: Payment, until: Option<Timestamp>) -> Outcome<Payment> {
        payment.due_at = until;
        // Who was first knows better when to look next.
        let _first = self.save(&mut payment, &[]).await?;
        Ok(payment)
    }
}
