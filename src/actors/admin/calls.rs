//! The calls of the admin pages.

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

/// Lists users, newest first, starting after a given one.
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

/// Lists the users whose e-mail address was left to an older account by the upgrade, each with that account.
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

/// Blocks a user, who then cannot log in or sell, or unblocks the user.
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

/// Lists orders, newest first, starting after a given one, optionally of one status.
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

/// Lists payments, newest first, starting after a given one.
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

/// Counts the events in the outbox.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetWaitingEvents;

/// The events in the outbox: their number, and the name and time of the oldest one.
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

/// A dead letter: a message that no consumer could handle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadMessage {
    /// Identifies the message.
    pub id: String,
    /// The queue whose consumer could not handle it.
    pub queue: String,
    /// The name of the event.
    pub name: String,
    pub event: EventId,
    /// When the event was created.
    pub at: Option<Timestamp>,
    /// How often delivery was tried.
    pub attempts: u64,
    /// The last error.
    pub reason: String,
    /// Whether the message is at the broker rather than in the outbox.
    pub at_broker: bool,
}

/// The broker did not answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("the broker is unavailable: {0}")]
pub struct BrokerAway(pub String);

impl Refusal for BrokerAway {}

/// Lists dead letters, those of the outbox first; at most a hundred of each source.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetDeadMessages;

impl Call for GetDeadMessages {
    type Reply = Vec<DeadMessage>;
    type Error = BrokerAway;
    const SERVICE: Service = Service::Web;
}

/// Moves a dead letter back to its queue and returns how many messages had this id.
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
