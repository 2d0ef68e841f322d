//! What those who run the marketplace look at and do: users, orders, payments, the outbox and dead
//! messages. It has no actor of its own: reads go to the store, and what changes money, accounts or
//! events goes the way it always goes.
//!
//! **Invariant:** nothing here is a copy; each answer is read when it is asked for.

use std::{sync::Arc, time::Duration};

use secrecy::SecretString;

use super::blocked_users::BlockedUsers;
use crate::{
    bus::{
        rabbit::{dead::DeadQueues, wire::Letter},
        table::QUEUES,
    },
    domain::{
        Timestamp,
        identity::{email_key, username_key},
        ids::{EventId, OrderId, PaymentId, UserId},
        order::{Order, OrderStatus},
        payment::Payment,
        user::User,
    },
    store::{AccountStore, OrderStore, OutboxStore, PaymentStore, StoreError, Stores, outbox::Parked},
};

/// How long the broker may take to show its dead messages, or to take them up again.
const BROKER_WITHIN: Duration = Duration::from_secs(10);
/// How many accounts without an address of their own are shown.
const SHARED_MAX: u32 = 100;
/// How many dead messages are looked at.
const DEAD_MAX: u32 = 100;

/// Why something cannot be looked at or done.
#[derive(Debug, thiserror::Error)]
pub enum OfficeError {
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The broker is away.
    #[error("the broker is away: {0}")]
    Broker(String),
}

/// A message that no consumer could handle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadMessage {
    /// By it the message is found again.
    pub id: String,
    /// The queue whose consumer could not handle it.
    pub queue: String,
    /// The event's name.
    pub name: String,
    /// The event.
    pub event: EventId,
    /// When it happened.
    pub at: Option<Timestamp>,
    /// How often it was tried.
    pub attempts: u64,
    /// What went wrong last.
    pub reason: String,
    /// Whether it rests at the broker.
    pub at_broker: bool,
}

/// Events on their way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// How many.
    pub count: u64,
    /// The oldest: what it is, and when it happened.
    pub oldest: Option<(&'static str, Timestamp)>,
}

/// The office of those who run the marketplace.
#[derive(Clone)]
pub struct Office {
    orders: OrderStore,
    accounts: AccountStore,
    payments: PaymentStore,
    outbox: Arc<dyn OutboxStore>,
    broker: Option<SecretString>,
    blocked: Arc<BlockedUsers>,
}

impl Office {
    /// Over these stores, with dead messages also at this broker.
    #[must_use]
    pub fn new(stores: &Stores, broker: Option<SecretString>, blocked: Arc<BlockedUsers>) -> Self {
        Self {
            orders: stores.orders.clone(),
            accounts: stores.accounts.clone(),
            payments: stores.payments.clone(),
            outbox: Arc::clone(&stores.outbox),
            broker,
            blocked,
        }
    }

    /// Users before one, newest first.
    ///
    /// # Errors
    /// [`StoreError`], as for every read here.
    pub async fn users(&self, before: Option<UserId>, limit: u32) -> Result<Vec<User>, StoreError> {
        self.accounts.users(before, limit).await
    }

    /// Users whose e-mail address an older account keeps, each with that account: what the upgrade found.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn shared_addresses(&self) -> Result<Vec<(User, Option<User>)>, StoreError> {
        let mut pairs = vec![];
        for user in self.accounts.without_address(SHARED_MAX).await? {
            let keeper = match user.email_taken_by {
                Some(keeper) => self.accounts.get(keeper).await?,
                None => None,
            };
            pairs.push((user, keeper));
        }
        Ok(pairs)
    }

    /// The user of this id, e-mail address or user name.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_user(&self, name: &str) -> Result<Option<User>, StoreError> {
        if let Ok(id) = name.parse() {
            return self.accounts.get(id).await;
        }
        match self.accounts.by_email(&email_key(name)).await? {
            Some(user) => Ok(Some(user)),
            None => self.accounts.by_username(&username_key(name)).await,
        }
    }

    /// Whether a user may not come in.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn is_blocked(&self, user: UserId) -> Result<bool, StoreError> {
        Ok(!self.blocked.among(&[user]).await?.is_empty())
    }

    /// Lets a user in no more, and sells nothing more that they offer.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn block(&self, user: UserId) -> Result<(), StoreError> {
        self.blocked.block(user).await
    }

    /// Lets a user in again.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn unblock(&self, user: UserId) -> Result<(), StoreError> {
        self.blocked.unblock(user).await
    }

    /// Orders before one, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn orders(
        &self,
        status: Option<OrderStatus>,
        before: Option<OrderId>,
        limit: u32,
    ) -> Result<Vec<Order>, StoreError> {
        self.orders.newest(status, before, limit).await
    }

    /// Payments before one, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn payments(&self, before: Option<PaymentId>, limit: u32) -> Result<Vec<Payment>, StoreError> {
        self.payments.newest(before, limit).await
    }

    /// Events on their way.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn waiting(&self) -> Result<Waiting, StoreError> {
        let oldest = self.outbox.waiting(0, 1).await?;
        let count = self.outbox.depth().await?;
        let oldest = oldest.first().map(|(_, envelope)| (envelope.event.name(), envelope.occurred_at));
        Ok(Waiting { count, oldest })
    }

    /// Dead messages, those of the outbox first; at most a hundred of each place.
    ///
    /// # Errors
    /// When the store or the broker is away.
    pub async fn dead(&self) -> Result<Vec<DeadMessage>, OfficeError> {
        let mut dead: Vec<DeadMessage> = self.outbox.dead(0, DEAD_MAX).await?.into_iter().map(of_outbox).collect();
        if let Some(url) = &self.broker {
            let read = async {
                let queues = DeadQueues::connect(url.clone()).await.map_err(away)?;
                let mut found = vec![];
                for queue in QUEUES {
                    let read = queues.read(queue, 20, |_| true).await;
                    found.extend(read.map_err(away)?.letters.into_iter().map(of_broker));
                }
                queues.close().await;
                Ok(found)
            };
            let late = || Err(OfficeError::Broker("it did not answer in time".to_owned()));
            dead.extend(tokio::time::timeout(BROKER_WITHIN, read).await.unwrap_or_else(|_| late())?);
        }
        Ok(dead)
    }

    /// Lets a dead message be tried again; how many there were of this id.
    ///
    /// # Errors
    /// When the store or the broker is away.
    pub async fn replay(&self, id: &str, at_broker: bool) -> Result<u64, OfficeError> {
        let Some(url) = self.broker.as_ref().filter(|_| at_broker) else {
            let Ok(id) = id.parse() else { return Ok(0) };
            return Ok(self.outbox.revive(&[id], Timestamp::now()).await?);
        };
        let replay = async {
            let queues = DeadQueues::connect(url.clone()).await.map_err(away)?;
            let mut replayed = 0;
            for queue in QUEUES {
                replayed += queues.replay(queue, |letter| letter.id == id).await.map_err(away)?;
            }
            queues.close().await;
            Ok(replayed)
        };
        let late = || Err(OfficeError::Broker("it did not answer in time".to_owned()));
        tokio::time::timeout(BROKER_WITHIN, replay).await.unwrap_or_else(|_| late())
    }
}

fn away(error: impl std::fmt::Display) -> OfficeError {
    OfficeError::Broker(error.to_string())
}

fn of_outbox(row: Parked) -> DeadMessage {
    DeadMessage {
        id: row.id.to_string(),
        queue: row.queue,
        name: row.envelope.event.name().to_owned(),
        event: row.envelope.id,
        at: Some(row.envelope.occurred_at),
        attempts: row.attempts.into(),
        reason: row.reason,
        at_broker: false,
    }
}

fn of_broker(letter: Letter) -> DeadMessage {
    DeadMessage {
        id: letter.id,
        queue: letter.queue.to_owned(),
        name: letter.name,
        event: letter.event,
        at: letter.occurred_at,
        attempts: u64::try_from(letter.attempts).unwrap_or(u64::MAX),
        reason: letter.reason,
        at_broker: true,
    }
}
