//! Payments: money is captured once, kept only while the stock is held, and refunded in full otherwise.
//!
//! Like an order's saga, a payment's state is in its document: captured money that its order was not notified of, and
//! refunds that the gateway has not accepted, become due and are continued, after a crash and on any node.
//!
//! **Invariant:** a refund is written before it is requested from the gateway, and its id is the gateway's
//! idempotency key.

pub mod calls;
mod reconcile;
mod refunds;
mod report_body;
mod reports;
mod service;
mod sweeper;

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;

use self::{
    calls::{
        FailPayment, GetCapturedPayment, GetPayment, GetPaymentOfGatewayOrder, GetPaymentOfOrder, OpenPayment,
        RefundAllOfPayment, RefundPayment, TakeGatewayReport, VerifyPayment,
    },
    service::PaymentService,
};
use crate::{
    domain::payment::Questions,
    integrations::payment::PaymentGateway,
    runtime::{
        KeyLocks, Limits, Runtime,
        calls::{Calls, Registry, Workers},
    },
    store::PaymentStore,
};

/// How many actors work on payments. Their steps interleave, because they wait for the gateway and for orders; the
/// document's version detects concurrent writes.
const WORKERS: usize = 4;
/// The deadline of a call, including the gateway's time.
const DEADLINE: Duration = Duration::from_secs(20);
/// How many locks there are for concurrent work on payments.
const LOCKS: usize = 256;

/// Starts the payment service and registers its calls. Payments that have been open for longer than `reconcile_every`
/// are checked with the gateway.
pub fn start(
    runtime: &Runtime,
    registry: &mut Registry,
    store: PaymentStore,
    gateway: Arc<dyn PaymentGateway>,
    calls: Calls,
    reconcile_every: SignedDuration,
) {
    let questions = Questions { every: reconcile_every, paid_twice: gateway.may_be_paid_twice() };
    let locks = Arc::new(KeyLocks::new(LOCKS));
    let service = Arc::new(PaymentService { store, gateway, calls, questions, locks });
    registry
        .serve::<GetPayment>(&service)
        .serve::<GetPaymentOfOrder>(&service)
        .serve::<GetPaymentOfGatewayOrder>(&service)
        .serve::<GetCapturedPayment>(&service);
    let limits = Limits { deadline: DEADLINE, ..Limits::default() };
    let workers = Workers::start(runtime, "payment", WORKERS, limits, Arc::clone(&service));
    workers
        .on::<OpenPayment>(registry)
        .on::<VerifyPayment>(registry)
        .on::<TakeGatewayReport>(registry)
        .on::<FailPayment>(registry)
        .on::<RefundPayment>(registry)
        .on::<RefundAllOfPayment>(registry);
    sweeper::start(runtime, service, workers);
}
