//! What those who run the marketplace look at and do.

use serde::{Deserialize, Serialize};

use crate::{
    config::Service,
    domain::{
        Timestamp,
        ids::{EventId, OrderId, PaymentId, UserId},
        order::{Order, OrderStatus},
        payment::Payment,
        user::User,
    },
    runtime::calls::{Call, Never, Refusal},
};

/// Reads users before one, newest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetNewestUsers {
    pub before: Option<UserId>,
    pub limit: u32,
}

impl Call for GetNewestUsers {
    type Reply = Vec<User>;
    type Error = Never;
    const SERVICE: Service = Service::Web;
}

/// Reads users whose e-mail address an older account keeps, each with that account: what the upgrade found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetUsersWithoutAddress;

impl Call for GetUsersWithoutAddress {
    type Reply = Vec<(User, Option<User>)>;
    type Error = Never;
    const SERVICE: Service = Service::Web;
}

/// Finds the user of this id, e-mail address or user name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FindUser {
    pub name: String,
}

impl Call for FindUser {
    type Reply = Option<User>;
    type Error = Never;
    const SERVICE: Service = Service::Web;
}

/// Whether a user is blocked.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct IsUserBlocked {
    pub user: UserId,
}

impl Call for IsUserBlocked {
    type Reply = bool;
    type Error = Never;
    const SERVICE: Service = Service::Web;
}

/// Blocks a user, who cannot log in then and sells nothing, or lets them in again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SetUserBlocked {
    pub user: UserId,
    pub blocked: bool,
}

impl Call for SetUserBlocked {
    type Reply = ();
    type Error = Never;
    const SERVICE: Service = Service::Web;
}

/// Reads orders before one, newest first, of one status or of all.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetNewestOrders {
    pub status: Option<OrderStatus>,
    pub before: Option<OrderId>,
    pub limit: u32,
}

impl Call for GetNewestOrders {
    type Reply = Vec<Order>;
    type Error = Never;
    const SERVICE: Service = Service::Web;
}

/// Reads payments before one, newest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetNewestPayments {
    pub before: Option<PaymentId>,
    pub limit: u32,
}

impl Call for GetNewestPayments {
    type Reply = Vec<Payment>;
    type Error = Never;
    const SERVICE: Service = Service::Web;
}

/// Counts the events on their way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetWaitingEvents;

/// Events on their way: how many, and the oldest one's name and time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingEvents {
    pub count: u64,
    pub oldest: Option<(String, Timestamp)>,
}

impl Call for GetWaitingEvents {
    type Reply = WaitingEvents;
    type Error = Never;
    const SERVICE: Service = Service::Web;
}

/// A message that no consumer could handle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadMessage {
    /// By it the message is found again.
    pub id: String,
    /// The queue whose consumer could not handle it.
    pub queue: String,
    /// The event's name.
    pub name: String,
    pub event: EventId,
    /// When the event was made.
    pub at: Option<Timestamp>,
    /// How often it was tried.
    pub attempts: u64,
    /// What failed last.
    pub reason: String,
    /// Whether the broker keeps it, and not the outbox.
    pub at_broker: bool,
}

/// The broker did not answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("the broker is away: {0}")]
pub struct BrokerAway(pub String);

impl Refusal for BrokerAway {}

/// Reads dead messages, those of the outbox first; at most a hundred of each place.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetDeadMessages;

impl Call for GetDeadMessages {
    type Reply = Vec<DeadMessage>;
    type Error = BrokerAway;
    const SERVICE: Service = Service::Web;
}

/// Lets a dead message be tried again; answers with how many there were of this id.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReplayDeadMessage {
    pub id: String,
    pub at_broker: bool,
}

impl Call for ReplayDeadMessage {
    type Reply = u64;
    type Error = BrokerAway;
    const SERVICE: Service = Service::Web;
}
