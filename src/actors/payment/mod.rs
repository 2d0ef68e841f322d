//! Payments: money taken once, kept only for goods held, given back in full otherwise.
//!
//! Like an order's saga, a payment's state is in its document: captured money that its
//! order has not heard of, and refunds that the gateway has not taken, are found due and
//! gone on with, after a crash and on any node.
//!
//! **Invariant:** a refund is written before the gateway is asked for it, and its id is the
//! gateway's idempotency key.

mod actor;
mod flow;
mod reconcile;
mod refunds;
mod report_body;
mod reports;
mod sweeper;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::SignedDuration;

use self::{
    actor::{PaymentActor, Task},
    flow::Flow,
    sweeper::PaymentSweeper,
};
use super::runtime::{AskError, Limits, Runtime, Sharded, StripedLocks, Traced};
use crate::{
    domain::{
        ids::{OrderId, PaymentId, RefundId, UserId},
        money::{Currency, Money},
        payment::{Payment, PaymentError, Questions},
    },
    integrations::razorpay::{GatewayError, PaymentGateway},
    peers::{self, PeerError, Peers},
    store::{PaymentStore, StoreError},
};

/// How many payments can be refunded at once without waiting needlessly.
const TURNS: usize = 256;

/// Why a payment was not made or did not change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PaymentFailure {
    /// There is no such payment.
    #[error("there is no such payment")]
    NotFound,
    /// There is no such order.
    #[error("there is no such order")]
    NoSuchOrder,
    /// It is somebody else's.
    #[error("this payment is not yours")]
    NotYours,
    /// The order awaits no money.
    #[error("this order cannot be paid now")]
    NotPayable,
    /// The signature is not the gateway's.
    #[error("Invalid signature")]
    BadSignature,
    /// The webhook's body is not what the gateway sends.
    #[error("the webhook's body is not readable")]
    Unreadable,
    /// The rules say no.
    #[error(transparent)]
    Rule(#[from] PaymentError),
    /// The gateway did not do it.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another service did not answer.
    #[error(transparent)]
    Peer(#[from] PeerError),
}

/// A payment, and whether this call opened it.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The payment.
    pub payment: Payment,
    /// Opened now.
    pub new: bool,
}

/// A refund that an admin asks for.
#[derive(Debug, Clone)]
pub struct RefundRequest {
    /// Of which payment.
    pub payment: PaymentId,
    /// How much; all that is left when absent.
    pub amount: Option<Money>,
    /// Why.
    pub reason: Option<String>,
    /// The client's idempotency key and a hash of the request.
    pub key: Option<(String, String)>,
}

/// A payment with a refund of it.
#[derive(Debug, Clone)]
pub struct Refunded {
    /// The payment.
    pub payment: Payment,
    /// Which of its refunds.
    pub refund: RefundId,
}

/// The payment service.
#[derive(Clone)]
pub struct Payments {
    shards: Sharded<PaymentActor>,
    store: PaymentStore,
    gateway: Arc<dyn PaymentGateway>,
}

type Answer<T> = Result<T, AskError<PaymentFailure>>;

impl Payments {
    /// Starts the actors. Whatever has been open for longer than `reconcile_every` is asked
    /// about at the gateway.
    pub fn start(
        runtime: &Runtime,
        store: PaymentStore,
        gateway: Arc<dyn PaymentGateway>,
        peers: Peers,
        reconcile_every: SignedDuration,
    ) -> Self {
        let turns = Arc::new(StripedLocks::new(TURNS));
        let questions = Questions { every: reconcile_every, paid_twice: gateway.may_be_paid_twice() };
        let flow = Flow { store: store.clone(), gateway: Arc::clone(&gateway), peers, questions, turns };
        let limits = Limits { deadline: std::time::Duration::from_secs(20), ..Limits::default() };
        let (of_actors, of_sweeper) = (flow.clone(), flow);
        let shards = runtime.supervise_sharded("payment", 4, limits, move || PaymentActor::new(of_actors.clone()));
        let to_sweeper = shards.clone();
        runtime.supervise("payment_sweeper", Limits::default(), move || {
            PaymentSweeper::new(of_sweeper.clone(), to_sweeper.clone())
        });
        Self { shards, store, gateway }
    }

    /// The gateway's public key id.
    #[must_use]
    pub fn key_id(&self) -> &str {
        self.gateway.key_id()
    }

    /// Opens a payment of the user's order, or gives the one that is open.
    ///
    /// # Errors
    /// `NoSuchOrder`, `NotYours`, `NotPayable`.
    pub async fn open(&self, order: OrderId, user: UserId) -> Answer<Opened> {
        self.shards.of(&order).ask(Traced::new(actor::Open { order, user })).await
    }

    /// Takes what a checkout handed to the page.
    ///
    /// # Errors
    /// `NotFound`, `NotYours`, `BadSignature`.
    pub async fn verify(
        &self,
        user: UserId,
        order_id: String,
        payment_id: String,
        signature: String,
    ) -> Answer<Payment> {
        self.shards.of(&order_id).ask(Traced::new(Task::Verify { user, order_id, payment_id, signature })).await
    }

    /// Takes a webhook: the raw body, its signature and its event id.
    ///
    /// # Errors
    /// `BadSignature`, `Unreadable`.
    pub async fn webhook(&self, body: Vec<u8>, signature: String, event_id: Option<String>) -> Answer<()> {
        self.shards.of(&body).ask(Traced::new(actor::Webhook { body, signature, event_id })).await
    }

    /// The gateway says that a try to pay failed.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn failed(&self, order_id: String, reason: String) -> Answer<Payment> {
        self.shards.of(&order_id).ask(Traced::new(Task::Failed { order_id, reason })).await
    }

    /// Gives money back at an admin's wish.
    ///
    /// # Errors
    /// `NotFound`, or a rule.
    pub async fn refund(&self, request: RefundRequest) -> Answer<Refunded> {
        self.shards.of(&request.payment).ask(Traced::new(actor::GiveBack(request))).await
    }

    /// A payment.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn get(&self, payment: PaymentId) -> Result<Payment, PaymentFailure> {
        self.store.get(payment).await?.ok_or(PaymentFailure::NotFound)
    }

    /// The currency of a payment.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn currency_of(&self, payment: PaymentId) -> Result<Currency, PaymentFailure> {
        Ok(self.get(payment).await?.price.currency())
    }

    /// The payment of an order.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn of_order(&self, order: OrderId) -> Result<Option<Payment>, StoreError> {
        self.store.of_order(order).await
    }

    /// The payment of a gateway order.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn by_gateway_order(&self, order_id: &str) -> Result<Option<Payment>, StoreError> {
        self.store.by_razorpay_order(order_id).await
    }
}

fn peer_error(error: AskError<PaymentFailure>) -> PeerError {
    match error {
        AskError::Refused(PaymentFailure::Peer(error)) => error,
        AskError::Refused(PaymentFailure::Store(error)) => PeerError::of("payment", &AskError::Refused(error)),
        AskError::Refused(_) | AskError::Restarting => PeerError::Unavailable("payment"),
        AskError::Busy => PeerError::Busy("payment"),
        AskError::Died | AskError::Deadline => PeerError::Deadline("payment"),
    }
}

#[async_trait]
impl peers::Payments for Payments {
    async fn captured(&self, order: OrderId) -> Result<Option<Payment>, PeerError> {
        let payment = self.store.of_order(order).await;
        let payment = payment.map_err(|error| PeerError::of("payment", &AskError::Refused(error)))?;
        Ok(payment.filter(|payment| payment.has_money() && payment.own_refunds().next().is_none()))
    }

    async fn refund(&self, payment: PaymentId, reason: String) -> Result<(), PeerError> {
        self.shards
            .of(&payment)
            .ask(Traced::new(Task::RefundAll { payment, reason }))
            .await
            .map(|_| ())
            .map_err(peer_error)
    }
}
