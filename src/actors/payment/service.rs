//! Processes payments, from opening to keeping or refunding the money.
//!
//! **Invariant:** captured money is written before its order is notified, and kept only if the order keeps it.

use std::sync::Arc;

use super::calls::{
    FailPayment, GetCapturedPayment, GetPayment, GetPaymentOfGatewayOrder, GetPaymentOfOrder, OpenPayment,
    OpenedPayment, PaymentRefusal, VerifyPayment,
};
use crate::{
    actors::{
        accounts::calls::GetContact,
        order_saga::calls::{GetOrder, RefuseOrderPayment, SettleOrder, Settlement},
    },
    config::Service,
    crash,
    domain::{
        Timestamp,
        event::{Envelope, Event},
        ids::{OrderId, PaymentId},
        money::Money,
        order::{OrderPayment, OrderStatus},
        payment::{Captured, Changed, Payment, Questions},
    },
    integrations::payment::{GatewayError, GatewayPayment, GatewayStatus, PaymentGateway},
    runtime::{
        KeyLocks,
        calls::{CallError, Calls, Handles, Outcome as CallOutcome},
        envelope,
    },
    store::{PaymentStore, StoreError, document::SaveError},
};

/// How often a decision is retried after a conflict.
pub(super) const TRIES: u32 = 16;

/// The reason for refunding money that an order cannot keep.
const NOT_KEPT: &str = "the order could not be kept";

/// What the actors share.
#[derive(Clone)]
pub(super) struct PaymentService {
    pub(super) store: PaymentStore,
    pub(super) gateway: Arc<dyn PaymentGateway>,
    pub(super) calls: Calls,
    pub(super) questions: Questions,
    /// Refunds of one payment, and openings for one order, are serialised here, so that none fails repeatedly with
    /// conflicts and no order is opened twice at the gateway.
    pub(super) locks: Arc<KeyLocks>,
}

pub(super) type Outcome<T> = Result<T, CallError<PaymentRefusal>>;

impl Handles<OpenPayment> for PaymentService {
    async fn handle(&self, OpenPayment { order: order_id, user }: OpenPayment) -> CallOutcome<OpenPayment> {
        let opened = |payment, is_new| Ok(OpenedPayment { payment, is_new, key_id: self.gateway.key_id().to_owned() });
        let order = self.calls.ask(GetOrder { order: order_id }).await?.ok_or(PaymentRefusal::NoSuchOrder)?;
        if order.user != user {
            return Err(PaymentRefusal::NotYours.into());
        }
        let now = Timestamp::now();
        if order.status != OrderStatus::Pending || order.expires_at <= now {
            return Err(PaymentRefusal::NotPayable.into());
        }
        let _lock = self.locks.lock(&order_id).await.ok_or(StoreError::Busy)?;
        if let Some(payment) = self.still_open(order_id).await? {
            return opened(payment, false);
        }
        let contact = self.calls.ask(GetContact { user }).await?.ok_or(PaymentRefusal::NoSuchOrder)?;
        crash::point("payment.open.before");
        let razorpay_order_id = match self.gateway.create_order(order_id, order.total).await {
            Ok(id) => id,
            Err(error @ GatewayError::Refused(_)) => {
                crash::point("payment.open.refused");
                tracing::warn!(order.id = %order_id, %error, "an order that cannot be paid is cancelled");
                let ended = self.calls.ask(RefuseOrderPayment { order: order_id }).await;
                ended.map_err(|error| error.and_then(|_| CallError::<PaymentRefusal>::unavailable(Service::Order)))?;
                return Err(error.into());
            }
            Err(error) => return Err(error.into()),
        };
        crash::point("payment.open.asked");
        let mut payment = Payment::open(order_id, contact, razorpay_order_id, order.total, now);
        payment.plan(self.questions, now);
        let stored = as_stored(&payment);
        let events = [Event::PaymentCreated(stored.clone()), Event::PaymentInitiated(stored)];
        match self.store.save(&payment, &events.map(|event| envelope(event, now))).await {
            Ok(version) => {
                crash::point("payment.open.after");
                payment.version = version;
                opened(payment, true)
            }
            // Another call was first; the gateway order just made is never paid.
            Err(SaveError::Duplicate(_) | SaveError::Store(StoreError::Conflict)) => {
                opened(self.still_open(order_id).await?.ok_or(PaymentRefusal::NotPayable)?, false)
            }
            Err(SaveError::Store(error)) => Err(error.into()),
        }
    }
}

impl Handles<VerifyPayment> for PaymentService {
    async fn handle(&self, call: VerifyPayment) -> CallOutcome<VerifyPayment> {
        let VerifyPayment { user, order_id, payment_id, signature } = call;
        let payment = self.by_gateway_order(&order_id).await?;
        if payment.user() != user {
            return Err(PaymentRefusal::NotYours.into());
        }
        if !self.gateway.keys().payment_is_signed(&order_id, &payment_id, &signature) {
            return Err(PaymentRefusal::BadSignature.into());
        }
        // Known already: the gateway need not be called, nor be available.
        if payment.knows_capture(&payment_id) {
            return if payment.settled { Ok(payment) } else { self.settle(payment).await };
        }
        let known = match self.gateway.signed_payment(&order_id, &payment_id).await {
            Ok(known) => known,
            Err(error) => {
                // The buyer has apparently paid: check again soon, even if they do not return.
                self.later(payment).await?;
                return Err(error.into());
            }
        };
        self.seen(payment, &known).await
    }
}

impl Handles<FailPayment> for PaymentService {
    async fn handle(&self, FailPayment { order_id, reason }: FailPayment) -> CallOutcome<FailPayment> {
        self.failed(&order_id, &reason).await
    }
}

impl Handles<GetPayment> for PaymentService {
    async fn handle(&self, call: GetPayment) -> CallOutcome<GetPayment> {
        self.read(call.payment).await
    }
}

impl Handles<GetPaymentOfOrder> for PaymentService {
    async fn handle(&self, call: GetPaymentOfOrder) -> CallOutcome<GetPaymentOfOrder> {
        Ok(self.store.of_order(call.order).await?)
    }
}

impl Handles<GetPaymentOfGatewayOrder> for PaymentService {
    async fn handle(&self, call: GetPaymentOfGatewayOrder) -> CallOutcome<GetPaymentOfGatewayOrder> {
        Ok(self.store.by_razorpay_order(&call.order_id).await?)
    }
}

impl Handles<GetCapturedPayment> for PaymentService {
    async fn handle(&self, call: GetCapturedPayment) -> CallOutcome<GetCapturedPayment> {
        let payment = self.store.of_order(call.order).await?;
        Ok(payment.filter(|payment| payment.has_money() && payment.own_refunds().next().is_none()))
    }
}

impl PaymentService {
    async fn still_open(&self, order: OrderId) -> Outcome<Option<Payment>> {
        match self.store.of_order(order).await? {
            Some(payment) if payment.has_money() => Err(PaymentRefusal::NotPayable.into()),
            found => Ok(found),
        }
    }

    /// The gateway's payment for this order.
    pub(super) async fn seen(&self, payment: Payment, known: &GatewayPayment) -> Outcome<Payment> {
        let captured = match known.status {
            GatewayStatus::Captured => known.clone(),
            // Only money that can be kept is captured; other authorisations lapse without a charge.
            GatewayStatus::Authorized if !payment.has_money() && known.amount == payment.price => {
                crash::around("payment.take", self.gateway.capture(&known.id, known.amount)).await?
            }
            GatewayStatus::Authorized | GatewayStatus::Created | GatewayStatus::Failed => return Ok(payment),
        };
        if captured.status != GatewayStatus::Captured {
            tracing::warn!(payment.id = %payment.id, status = ?captured.status, "an authorised payment is not captured");
            return Ok(payment);
        }
        self.captured(&payment.razorpay_order_id, &captured.id, captured.amount).await
    }

    /// Applies captured money. Money that is not for the order is refunded.
    pub(super) async fn captured(&self, order_id: &str, payment_id: &str, amount: Money) -> Outcome<Payment> {
        for _ in 0..TRIES {
            let mut payment = self.by_gateway_order(order_id).await?;
            let captured = payment.capture(payment_id, amount, Timestamp::now());
            if captured != Captured::Known && !crash::around("payment.capture", self.save(&mut payment, &[])).await? {
                continue;
            }
            if captured == Captured::NotForOrder {
                tracing::warn!(payment.id = %payment.id, %amount, "captured money is not for the order and is refunded");
                return self.push_refunds(payment).await;
            }
            return if payment.settled { Ok(payment) } else { self.settle(payment).await };
        }
        Err(StoreError::Busy.into())
    }

    /// An attempt to pay failed.
    pub(super) async fn failed(&self, order_id: &str, reason: &str) -> Outcome<Payment> {
        for _ in 0..TRIES {
            let mut payment = self.by_gateway_order(order_id).await?;
            if payment.fail(Timestamp::now()) == Changed::No {
                return Ok(payment);
            }
            let stored = as_stored(&payment);
            let reason = reason.to_owned();
            let events = [Event::PaymentFailed { payment: stored.clone(), reason }, Event::PaymentUpdated(stored)];
            if crash::around("payment.fail", self.save(&mut payment, &events)).await? {
                return Ok(payment);
            }
        }
        Err(StoreError::Busy.into())
    }

    /// Notifies the order of captured money, and refunds what it cannot keep. A failed step becomes due again later.
    pub(super) async fn settle(&self, payment: Payment) -> Outcome<Payment> {
        let now = Timestamp::now();
        let Some(payment_id) = payment.payment_id.clone().filter(|_| payment.has_money()) else { return Ok(payment) };
        let paid = OrderPayment { id: payment.id, payment_id, at: now };
        crash::point("payment.settle.before");
        match self.calls.ask(SettleOrder { order: payment.order, payment: paid }).await {
            Ok(Settlement::Kept) => {
                crash::point("payment.settle.after");
                self.keep(payment).await
            }
            Ok(Settlement::GiveBack) => {
                crash::point("payment.give_back.before");
                self.refund_all(payment.id, NOT_KEPT).await
            }
            Err(error) => {
                tracing::warn!(payment.id = %payment.id, %error, "captured money could not be settled; retrying later");
                self.later(payment).await
            }
        }
    }

    async fn keep(&self, mut payment: Payment) -> Outcome<Payment> {
        for _ in 0..TRIES {
            if payment.settled {
                break;
            }
            payment.settle(Timestamp::now());
            let stored = as_stored(&payment);
            let events = [Event::PaymentCompleted(stored.clone()), Event::PaymentUpdated(stored)];
            if crash::around("payment.keep", self.save(&mut payment, &events)).await? {
                break;
            }
            payment = self.read(payment.id).await?;
        }
        Ok(payment)
    }

    /// Postpones the next attempt.
    pub(super) async fn later(&self, mut payment: Payment) -> Outcome<Payment> {
        payment.retry_later();
        // The other writer has either done or postponed it.
        let _first = self.save(&mut payment, &[]).await?;
        Ok(payment)
    }

    pub(super) async fn read(&self, id: PaymentId) -> Outcome<Payment> {
        self.store.get(id).await?.ok_or_else(|| PaymentRefusal::NotFound.into())
    }

    pub(super) async fn by_gateway_order(&self, order_id: &str) -> Outcome<Payment> {
        self.store.by_razorpay_order(order_id).await?.ok_or_else(|| PaymentRefusal::NotFound.into())
    }

    /// Schedules the next check, and writes; `false` after a conflict.
    pub(super) async fn save(&self, payment: &mut Payment, events: &[Event]) -> Outcome<bool> {
        let now = Timestamp::now();
        payment.plan(self.questions, now);
        let events: Vec<Envelope> = events.iter().map(|event| envelope(event.clone(), now)).collect();
        match self.store.save(payment, &events).await.map_err(StoreError::from) {
            Ok(version) => {
                payment.version = version;
                Ok(true)
            }
            Err(StoreError::Conflict) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// The payment with its next version, for events.
pub(super) fn as_stored(payment: &Payment) -> Payment {
    Payment { version: payment.version + 1, ..payment.clone() }
}
