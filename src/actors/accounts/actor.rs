//! The actor that writes users.
//!
//! Messages interleave while the store works, except that those of one user take turns.
//! Other processes may write as well: the store's version check notices it, and the
//! message reads and decides again, a bounded number of times. A panic in the store ends
//! the actor with what it was working on; its guardian starts a fresh one, which has
//! nothing to load.
//!
//! **Invariant:** a user is in the cache as written before the answer is given, or not in
//! it at all when the outcome is unknown.

use std::{sync::Arc, time::Duration};

use actix::{Actor, Context, Handler, ResponseActFuture, WrapFuture};
use tokio::sync::Mutex;

use super::{
    cache::Users,
    error::AccountError,
    messages::{AddAddress, Register, RemoveAddress, ReplaceEmail, ReplaceHash, SetRole},
};
use crate::{
    actors::runtime::{Traced, envelope, within},
    domain::{
        Timestamp,
        event::{Envelope, Event, UserSnapshot},
        identity,
        ids::{AddressId, UserId},
        user::{User, UserError},
    },
    store::{AccountStore, StoreError, accounts::UserKey, document::SaveError},
};

/// How often a message is decided anew when others were faster.
const TRIES: u32 = 16;
/// What one message may take, a little less than its caller waits.
const DEADLINE: Duration = Duration::from_secs(9);
/// Users share a lane with those whose id ends alike.
const LANES: usize = 64;

/// Registers users and keeps their addresses.
pub struct AccountsActor(Arc<Inner>);

struct Inner {
    store: AccountStore,
    users: Arc<Users>,
    /// Turns of the messages on one user: they would only make each other start anew.
    lanes: [Mutex<()>; LANES],
}

impl AccountsActor {
    pub(super) fn new(store: AccountStore, users: Arc<Users>) -> Self {
        Self(Arc::new(Inner { store, users, lanes: std::array::from_fn(|_| Mutex::default()) }))
    }
}

impl Actor for AccountsActor {
    type Context = Context<Self>;
}

type Answer = ResponseActFuture<AccountsActor, Result<User, AccountError>>;

impl Handler<Traced<Register>> for AccountsActor {
    type Result = Answer;

    fn handle(&mut self, Traced(message, trace): Traced<Register>, _: &mut Self::Context) -> Answer {
        let inner = Arc::clone(&self.0);
        let work = within(trace, Box::pin(in_time(async move { inner.register(message).await })));
        Box::pin(work.into_actor(self))
    }
}

impl Handler<AddAddress> for AccountsActor {
    type Result = Answer;

    fn handle(&mut self, message: AddAddress, _: &mut Self::Context) -> Answer {
        let inner = Arc::clone(&self.0);
        let AddAddress { user, postal, is_default } = message;
        // One id for all tries: it is the same address.
        let id = AddressId::generate();
        let change = move |user: &mut User| user.add_address(id, postal.clone(), is_default);
        Box::pin(in_time(async move { inner.change(user, change).await }).into_actor(self))
    }
}

impl Handler<SetRole> for AccountsActor {
    type Result = Answer;

    fn handle(&mut self, SetRole { user, role }: SetRole, _: &mut Self::Context) -> Answer {
        let inner = Arc::clone(&self.0);
        let change = move |user: &mut User| {
            user.role = role;
            Ok(())
        };
        Box::pin(in_time(async move { inner.change(user, change).await }).into_actor(self))
    }
}

impl Handler<RemoveAddress> for AccountsActor {
    type Result = Answer;

    fn handle(&mut self, message: RemoveAddress, _: &mut Self::Context) -> Answer {
        let inner = Arc::clone(&self.0);
        let change = move |user: &mut User| user.remove_address(message.address);
        Box::pin(in_time(async move { inner.change(message.user, change).await }).into_actor(self))
    }
}

impl Handler<ReplaceHash> for AccountsActor {
    type Result = Answer;

    fn handle(&mut self, message: ReplaceHash, _: &mut Self::Context) -> Answer {
        let inner = Arc::clone(&self.0);
        let ReplaceHash { user, old, new } = message;
        let change = move |user: &mut User| {
            if user.password_hash == old {
                user.password_hash.clone_from(&new);
            }
            Ok(())
        };
        Box::pin(in_time(async move { inner.change(user, change).await }).into_actor(self))
    }
}

impl Handler<ReplaceEmail> for AccountsActor {
    type Result = Answer;

    fn handle(&mut self, message: ReplaceEmail, _: &mut Self::Context) -> Answer {
        let inner = Arc::clone(&self.0);
        let change = move |user: &mut User| user.replace_email(&message.email);
        Box::pin(in_time(async move { inner.change(message.user, change).await }).into_actor(self))
    }
}

/// Ends `work` at the deadline; then it is unknown whether it was done.
async fn in_time(work: impl Future<Output = Result<User, AccountError>>) -> Result<User, AccountError> {
    tokio::time::timeout(DEADLINE, work).await.unwrap_or(Err(AccountError::Store(StoreError::Deadline)))
}

impl Inner {
    async fn register(&self, message: Register) -> Result<User, AccountError> {
        let chosen = message.username.is_some();
        let username = message.username.unwrap_or_else(|| identity::username_from_email(&message.email, ""));
        let now = Timestamp::now();
        let mut user = User {
            id: UserId::generate(),
            email: message.email,
            username,
            full_name: message.full_name,
            role: message.role,
            password_hash: message.password_hash,
            email_taken_by: None,
            addresses: vec![],
            created_at: now,
            updated_at: now,
            version: 0,
        };
        for attempt in 0..TRIES {
            let events = [envelope(Event::UserCreated(snapshot(&user)), now)];
            match self.write(&mut user, &events).await {
                Err(SaveError::Duplicate(UserKey::Username)) if !chosen => {
                    let suffix = hex::encode(rand::random::<[u8; 3]>());
                    user.username = identity::username_from_email(&user.email, &suffix);
                }
                Err(SaveError::Store(StoreError::Conflict)) => {
                    pause(attempt).await;
                    user.id = UserId::generate();
                }
                Err(error) => return Err(error.into()),
                Ok(()) => return Ok(user),
            }
        }
        Err(AccountError::Store(StoreError::Conflict))
    }

    async fn change(
        &self,
        id: UserId,
        change: impl Fn(&mut User) -> Result<(), UserError>,
    ) -> Result<User, AccountError> {
        let _turn = self.lanes[usize::from(id.bytes()[11]) % LANES].lock().await;
        for attempt in 0..TRIES {
            let mut user = self.store.get(id).await?.ok_or(AccountError::NoSuchUser)?;
            change(&mut user)?;
            user.updated_at = Timestamp::now();
            match self.write(&mut user, &[]).await {
                Err(SaveError::Store(StoreError::Conflict)) => pause(attempt).await,
                Err(error) => return Err(error.into()),
                Ok(()) => return Ok(user),
            }
        }
        Err(AccountError::Store(StoreError::Conflict))
    }

    /// Writes the user to the store and then to the cache.
    async fn write(&self, user: &mut User, events: &[Envelope]) -> Result<(), SaveError<UserKey>> {
        let forget = Forget { users: &self.users, id: user.id };
        let version = self.store.save(user, events).await?;
        std::mem::forget(forget);
        user.version = version;
        self.users.put_written(user);
        Ok(())
    }
}

/// Forgets the user when dropped: by an error, by the deadline or by a panic.
struct Forget<'a> {
    users: &'a Users,
    id: UserId,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.users.forget(self.id);
    }
}

/// Waits a random little, growing with the attempts, so that rivals part.
async fn pause(attempt: u32) {
    let most = 2 * u64::from(attempt + 1);
    tokio::time::sleep(Duration::from_millis(rand::random_range(0..=most))).await;
}

fn snapshot(user: &User) -> UserSnapshot {
    UserSnapshot {
        id: user.id,
        email: user.email.clone(),
        username: user.username.clone(),
        full_name: user.full_name.clone(),
        role: user.role,
        created_at: user.created_at,
    }
}
