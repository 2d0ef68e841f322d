//! `PaymentActor`: one of the actors that payments are spread over.

use actix::{Actor, Context, Handler, Message, ResponseFuture};

use super::{Opened, PaymentFailure, RefundRequest, Refunded, flow::Flow};
use crate::{
    actors::runtime::takes_traced,
    domain::{
        ids::{OrderId, PaymentId, UserId},
        payment::Payment,
    },
};

/// Carries out what is asked of payments. It keeps nothing, and waits for the gateway and
/// for orders, so its handlers interleave; the document's version keeps writers apart.
pub struct PaymentActor {
    flow: Flow,
}

impl PaymentActor {
    pub(super) const fn new(flow: Flow) -> Self {
        Self { flow }
    }
}

impl Actor for PaymentActor {
    type Context = Context<Self>;
}

takes_traced!(PaymentActor: Open, Webhook, GiveBack, Task);

/// Opens a payment of an order, or finds the open one.
#[derive(Debug, Message)]
#[rtype(result = "Result<Opened, PaymentFailure>")]
pub struct Open {
    /// Of which order.
    pub order: OrderId,
    /// Who asks.
    pub user: UserId,
}

impl Handler<Open> for PaymentActor {
    type Result = ResponseFuture<Result<Opened, PaymentFailure>>;

    fn handle(&mut self, Open { order, user }: Open, _: &mut Self::Context) -> Self::Result {
        let flow = self.flow.clone();
        Box::pin(async move { flow.open(order, user).await })
    }
}

/// A webhook as it came.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), PaymentFailure>")]
pub struct Webhook {
    /// Raw.
    pub body: Vec<u8>,
    /// `X-Razorpay-Signature`.
    pub signature: String,
    /// `X-Razorpay-Event-Id`.
    pub event_id: Option<String>,
}

impl Handler<Webhook> for PaymentActor {
    type Result = ResponseFuture<Result<(), PaymentFailure>>;

    fn handle(&mut self, webhook: Webhook, _: &mut Self::Context) -> Self::Result {
        let flow = self.flow.clone();
        Box::pin(async move { flow.report(webhook.body, &webhook.signature, webhook.event_id).await })
    }
}

/// A refund at an admin's wish.
#[derive(Debug, Message)]
#[rtype(result = "Result<Refunded, PaymentFailure>")]
pub struct GiveBack(pub RefundRequest);

impl Handler<GiveBack> for PaymentActor {
    type Result = ResponseFuture<Result<Refunded, PaymentFailure>>;

    fn handle(&mut self, GiveBack(request): GiveBack, _: &mut Self::Context) -> Self::Result {
        let flow = self.flow.clone();
        Box::pin(async move { flow.refund(request).await })
    }
}

/// Something done to a payment that exists; answers with the payment after it.
#[derive(Debug, Message)]
#[rtype(result = "Result<Payment, PaymentFailure>")]
pub enum Task {
    /// A checkout handed this to the page.
    Verify { user: UserId, order_id: String, payment_id: String, signature: String },
    /// A try to pay failed.
    Failed { order_id: String, reason: String },
    /// The order cannot keep the money.
    RefundAll { payment: PaymentId, reason: String },
    /// Something is due.
    Wake { payment: PaymentId },
}

impl Handler<Task> for PaymentActor {
    type Result = ResponseFuture<Result<Payment, PaymentFailure>>;

    fn handle(&mut self, task: Task, _: &mut Self::Context) -> Self::Result {
        let flow = self.flow.clone();
        Box::pin(async move {
            match task {
                Task::Verify { user, order_id, payment_id, signature } => {
                    flow.verify(user, &order_id, &payment_id, &signature).await
                }
                Task::Failed { order_id, reason } => flow.failed(&order_id, &reason).await,
                Task::RefundAll { payment, reason } => flow.refund_all(payment, &reason).await,
                Task::Wake { payment } => flow.wake(payment).await,
            }
        })
    }
}
