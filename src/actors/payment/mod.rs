//! Payments: money taken once, kept only for goods held, given back in full otherwise.
//!
//! Like an order's saga, a payment's state is in its document: captured money that its
//! order has not heard of, and refunds that the gateway has not taken, are found due and
//! gone on with, after a crash and on any node.
//!
//! **Invariant:** a refund is written before the gateway is asked for it, and its id is the
//! gateway's idempotency key.

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

/// How many actors work on payments. Their steps interleave, since they wait for the gateway and for orders; the
/// document's version keeps writers apart.
const WORKERS: usize = 4;
/// How long a call may take, with all that the gateway takes.
const DEADLINE: Duration = Duration::from_secs(20);
/// How many payments can be refunded at once without waiting needlessly.
const TURNS: usize = 256;

/// Starts the payment service and registers its calls. Whatever has been open for longer than `reconcile_every` is
/// asked about at the gateway.
pub fn start(
    runtime: &Runtime,
    registry: &mut Registry,
    store: PaymentStore,
    gateway: Arc<dyn PaymentGateway>,
    calls: Calls,
    reconcile_every: SignedDuration,
) {
    let questions = Questions { every: reconcile_every, paid_twice: gateway.may_be_paid_twice() };
    let turns = Arc::new(KeyLocks::new(TURNS));
    let service = Arc::new(PaymentService { store, gateway, calls, questions, turns });
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
