//! `OrderSaga`: what is done to one order.

use actix::{Actor, Context, Handler, Message, ResponseFuture};

use super::{OrderFailure, Party, place::Draft, saga::SagaContext};
use crate::{
    actors::runtime::takes_traced,
    domain::{
        ids::OrderId,
        order::{Order, OrderPayment, RefundNote},
        user::PostalAddress,
    },
    peers::Settlement,
};

/// One order's saga. It keeps nothing but the id: the order's document is the state, and
/// its version is what keeps two writers apart. It waits for other actors, so its
/// handlers interleave: none may hold the mailbox while another service is asked.
pub struct OrderSaga {
    order: OrderId,
    context: SagaContext,
}

impl OrderSaga {
    pub(super) const fn new(order: OrderId, context: SagaContext) -> Self {
        Self { order, context }
    }
}

impl Actor for OrderSaga {
    type Context = Context<Self>;
}

takes_traced!(OrderSaga: Place, Task, Settle, NoteRefund);

/// Reserves, writes the order and empties the cart.
#[derive(Debug, Message)]
#[rtype(result = "Result<Order, OrderFailure>")]
pub struct Place(pub Box<Draft>);

impl Handler<Place> for OrderSaga {
    type Result = ResponseFuture<Result<Order, OrderFailure>>;

    fn handle(&mut self, Place(draft): Place, _: &mut Self::Context) -> Self::Result {
        let context = self.context.clone();
        Box::pin(async move { context.place(*draft).await })
    }
}

/// Something done to an order that exists; answers with the order after it.
#[derive(Debug, Message)]
#[rtype(result = "Result<Order, OrderFailure>")]
pub enum Task {
    /// The buyer, or an admin, wants out.
    Cancel { who: Party, reason: Option<String> },
    /// Goods go elsewhere.
    SetAddress { who: Party, address: PostalAddress },
    /// Lines are on their way.
    Ship { who: Party, tracking: Option<String> },
    /// Lines have arrived.
    Deliver { who: Party, tracking: Option<String> },
    /// The payment gateway will never take it.
    RefusePayment,
    /// A seller in it is blocked, and nobody has paid.
    Suspend,
    /// Something is due.
    Wake,
}

impl Handler<Task> for OrderSaga {
    type Result = ResponseFuture<Result<Order, OrderFailure>>;

    fn handle(&mut self, task: Task, _: &mut Self::Context) -> Self::Result {
        let (context, id) = (self.context.clone(), self.order);
        Box::pin(async move {
            match task {
                Task::Cancel { who, reason } => context.cancel(id, who, reason).await,
                Task::SetAddress { who, address } => context.set_address(id, who, &address).await,
                Task::Ship { who, tracking } => context.ship(id, who, tracking.as_deref()).await,
                Task::Deliver { who, tracking } => context.deliver(id, who, tracking.as_deref()).await,
                Task::RefusePayment => context.refuse_payment(id).await,
                Task::Suspend => context.suspend(id).await,
                Task::Wake => context.wake(id).await,
            }
        })
    }
}

/// Captured money has come for the order.
#[derive(Debug, Message)]
#[rtype(result = "Result<Settlement, OrderFailure>")]
pub struct Settle {
    /// The payment.
    pub payment: OrderPayment,
}

impl Handler<Settle> for OrderSaga {
    type Result = ResponseFuture<Result<Settlement, OrderFailure>>;

    fn handle(&mut self, Settle { payment }: Settle, _: &mut Self::Context) -> Self::Result {
        let (context, id) = (self.context.clone(), self.order);
        Box::pin(async move { context.settle(id, &payment).await })
    }
}

/// Money of the order went back.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), OrderFailure>")]
pub struct NoteRefund(pub RefundNote);

impl Handler<NoteRefund> for OrderSaga {
    type Result = ResponseFuture<Result<(), OrderFailure>>;

    fn handle(&mut self, NoteRefund(note): NoteRefund, _: &mut Self::Context) -> Self::Result {
        let (context, id) = (self.context.clone(), self.order);
        Box::pin(async move { context.note_refund(id, &note).await })
    }
}
