//! The admin service: users, orders, payments, the outbox and dead letters. It has no actor of its own: reads go to
//! the store, and changes to money, accounts or events use the calls of their services.
//!
//! **Invariant:** nothing here is cached; each answer is read when it is requested.

pub mod calls;

use std::{sync::Arc, time::Duration};

use secrecy::SecretString;

use self::calls::{
    BrokerAway, DeadMessage, FindUser, GetDeadMessages, GetNewestOrders, GetNewestPayments, GetNewestUsers,
    GetUsersWithoutAddress, GetWaitingEvents, IsUserBlocked, ReplayDeadMessage, SetUserBlocked, WaitingEvents,
};
use super::blocked_users::BlockedUsers;
use crate::{
    bus::rabbit::{dead::DeadQueues, wire::DeadLetter},
    domain::{
        Timestamp,
        identity::{email_key, username_key},
        queues::QUEUES,
    },
    runtime::calls::{Handles, Outcome, Registry},
    store::{Stores, outbox::Parked},
};

/// How long the broker may take to list or move its dead letters.
const BROKER_WITHIN: Duration = Duration::from_secs(10);
/// How many accounts without an e-mail address of their own are listed.
const SHARED_MAX: u32 = 100;
/// How many dead letters are listed.
const DEAD_MAX: u32 = 100;

/// The handler of the admin calls.
struct Admin {
    stores: Stores,
    broker: Option<SecretString>,
    blocked: Arc<BlockedUsers>,
}

/// Registers the calls. Dead letters are read from these stores and, if given, from the broker.
pub fn register(registry: &mut Registry, stores: Stores, broker: Option<SecretString>, blocked: Arc<BlockedUsers>) {
    let admin = Arc::new(Admin { stores, broker, blocked });
    registry
        .serve::<GetNewestUsers>(&admin)
        .serve::<GetUsersWithoutAddress>(&admin)
        .serve::<FindUser>(&admin)
        .serve::<IsUserBlocked>(&admin)
        .serve::<SetUserBlocked>(&admin)
        .serve::<GetNewestOrders>(&admin)
        .serve::<GetNewestPayments>(&admin)
        .serve::<GetWaitingEvents>(&admin)
        .serve::<GetDeadMessages>(&admin)
        .serve::<ReplayDeadMessage>(&admin);
}

impl Handles<GetNewestUsers> for Admin {
    async fn handle(&self, call: GetNewestUsers) -> Outcome<GetNewestUsers> {
        Ok(self.stores.accounts.users(call.before, call.limit).await?)
    }
}

impl Handles<GetUsersWithoutAddress> for Admin {
    async fn handle(&self, _: GetUsersWithoutAddress) -> Outcome<GetUsersWithoutAddress> {
        let (accounts, mut pairs) = (&self.stores.accounts, vec![]);
        for user in accounts.without_address(SHARED_MAX).await? {
            let older = match user.email_taken_by {
                Some(older) => accounts.get(older).await?,
                None => None,
            };
            pairs.push((user, older));
        }
        Ok(pairs)
    }
}

impl Handles<FindUser> for Admin {
    async fn handle(&self, FindUser { name }: FindUser) -> Outcome<FindUser> {
        let accounts = &self.stores.accounts;
        if let Ok(id) = name.parse() {
            return Ok(accounts.get(id).await?);
        }
        match accounts.by_email(&email_key(&name)).await? {
            Some(user) => Ok(Some(user)),
            None => Ok(accounts.by_username(&username_key(&name)).await?),
        }
    }
}

impl Handles<IsUserBlocked> for Admin {
    async fn handle(&self, call: IsUserBlocked) -> Outcome<IsUserBlocked> {
        Ok(!self.blocked.among(&[call.user]).await?.is_empty())
    }
}

impl Handles<SetUserBlocked> for Admin {
    async fn handle(&self, SetUserBlocked { user, blocked }: SetUserBlocked) -> Outcome<SetUserBlocked> {
        if blocked { Ok(self.blocked.block(user).await?) } else { Ok(self.blocked.unblock(user).await?) }
    }
}

impl Handles<GetNewestOrders> for Admin {
    async fn handle(&self, call: GetNewestOrders) -> Outcome<GetNewestOrders> {
        Ok(self.stores.orders.newest(call.status, call.before, call.limit).await?)
    }
}

impl Handles<GetNewestPayments> for Admin {
    async fn handle(&self, call: GetNewestPayments) -> Outcome<GetNewestPayments> {
        Ok(self.stores.payments.newest(call.before, call.limit).await?)
    }
}

impl Handles<GetWaitingEvents> for Admin {
    async fn handle(&self, _: GetWaitingEvents) -> Outcome<GetWaitingEvents> {
        let oldest = self.stores.outbox.waiting(0, 1).await?;
        let count = self.stores.outbox.depth().await?;
        let oldest = oldest.first().map(|(_, envelope)| (envelope.event.name().to_owned(), envelope.occurred_at));
        Ok(WaitingEvents { count, oldest })
    }
}

impl Handles<GetDeadMessages> for Admin {
    async fn handle(&self, _: GetDeadMessages) -> Outcome<GetDeadMessages> {
        let of_outbox = self.stores.outbox.dead(0, DEAD_MAX).await?;
        let mut dead: Vec<DeadMessage> = of_outbox.into_iter().map(DeadMessage::from).collect();
        if let Some(url) = &self.broker {
            let read = async {
                let queues = DeadQueues::connect(url.clone()).await.map_err(away)?;
                let mut found = vec![];
                for queue in QUEUES {
                    let read = queues.read(queue, 20, |_| true).await;
                    found.extend(read.map_err(away)?.letters.into_iter().map(DeadMessage::from));
                }
                queues.close().await;
                Ok(found)
            };
            dead.extend(in_time(read).await?);
        }
        Ok(dead)
    }
}

impl Handles<ReplayDeadMessage> for Admin {
    async fn handle(&self, ReplayDeadMessage { id, at_broker }: ReplayDeadMessage) -> Outcome<ReplayDeadMessage> {
        let Some(url) = self.broker.as_ref().filter(|_| at_broker) else {
            let Ok(id) = id.parse() else { return Ok(0) };
            return Ok(self.stores.outbox.revive(&[id], Timestamp::now()).await?);
        };
        let replay = async {
            let queues = DeadQueues::connect(url.clone()).await.map_err(away)?;
            let mut replayed = 0;
            for queue in QUEUES {
                replayed += queues.replay(queue, |dead_letter| dead_letter.id == id).await.map_err(away)?;
            }
            queues.close().await;
            Ok(replayed)
        };
        Ok(in_time(replay).await?)
    }
}

async fn in_time<T>(asked: impl Future<Output = Result<T, BrokerAway>>) -> Result<T, BrokerAway> {
    let late = |_| Err(away("it did not answer in time"));
    tokio::time::timeout(BROKER_WITHIN, asked).await.unwrap_or_else(late)
}

fn away(error: impl std::fmt::Display) -> BrokerAway {
    BrokerAway(error.to_string())
}

impl From<Parked> for DeadMessage {
    fn from(row: Parked) -> Self {
        Self {
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
}

impl From<DeadLetter> for DeadMessage {
    fn from(dead_letter: DeadLetter) -> Self {
        Self {
            id: dead_letter.id,
            queue: dead_letter.queue.to_owned(),
            name: dead_letter.name,
            event: dead_letter.event,
            at: dead_letter.occurred_at,
            attempts: u64::try_from(dead_letter.attempts).unwrap_or(u64::MAX),
            reason: dead_letter.reason,
            at_broker: true,
        }
    }
}
