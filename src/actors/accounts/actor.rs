//! The actors that write users.
//!
//! Writes of different users run concurrently; writes of one user run one at a time.
//! Other processes may write as well: the store's version check detects it, and the
//! actor reads and decides again, a bounded number of times. A panic in the store ends
//! only the write that caused it.
//!
//! **Invariant:** when a write is answered, the cache has the user as written; when the outcome is unknown, the cache
//! does not have the user.

use std::{sync::Arc, time::Duration};

use growing_backoff::Backoff;
use tokio::sync::Mutex;

use super::{Failure, cache::Users, calls::AccountRefusal, credentials::Requests};
use crate::{
    domain::{
        Timestamp,
        event::{AccountNotice, Envelope, Event, UserSnapshot},
        identity,
        ids::UserId,
        user::{FullName, Role, Security, User, UserError},
    },
    runtime::envelope,
    store::{AccountStore, StoreError, accounts::UserKey, document::SaveError},
};

/// How often a write is retried after a version conflict.
const TRIES: usize = 16;
/// The pauses in between. A random part of each is waited, so that concurrent writers do not conflict again.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(2), Duration::from_millis(32));
/// The number of locks; users whose ids end alike share one.
const LOCKS: usize = 64;

/// The state that the actors share.
pub(super) struct Writer {
    store: AccountStore,
    users: Arc<Users>,
    /// Serialize the writes of one user, which would otherwise only conflict.
    locks: [Mutex<()>; LOCKS],
}

/// What a change of a user causes besides.
#[derive(Default)]
pub(super) struct Effects {
    pub(super) notices: Vec<AccountNotice>,
    /// Whether all tokens of the user end.
    pub(super) ends_tokens: bool,
}

/// A user to create, with valid fields.
pub(super) struct NewUser {
    pub(super) email: String,
    /// Derived from the e-mail address if absent.
    pub(super) username: Option<String>,
    pub(super) full_name: FullName,
    pub(super) role: Role,
    /// In PHC format.
    pub(super) password_hash: String,
    /// Makes the token that confirms the e-mail address, if it is to be confirmed.
    pub(super) requests: Option<Requests>,
}

impl Writer {
    pub(super) fn new(store: AccountStore, users: Arc<Users>) -> Self {
        Self { store, users, locks: std::array::from_fn(|_| Mutex::default()) }
    }

    pub(super) async fn create(&self, new: NewUser) -> Result<User, Failure> {
        let chosen = new.username.is_some();
        let username = new.username.unwrap_or_else(|| match identity::username_from_email(&new.email, "") {
            derived if new.role != Role::Admin && identity::is_reserved(&derived) => {
                identity::username_from_email("user", &hex::encode(rand::random::<[u8; 3]>()))
            }
            derived => derived,
        });
        let now = Timestamp::now();
        let mut user = User {
            id: UserId::generate(),
            email: new.email,
            username,
            full_name: new.full_name,
            role: new.role,
            password_hash: new.password_hash,
            email_taken_by: None,
            security: Security::default(),
            no_announcements: false,
            addresses: vec![],
            created_at: now,
            updated_at: now,
            version: 0,
        };
        for longest in PAUSES.pauses().take(TRIES) {
            let mut events = vec![envelope(Event::UserCreated(snapshot(&user)), now)];
            if let Some(requests) = &new.requests {
                let (token, notice) = requests.confirmation(&user, user.email.clone(), now);
                user.security.email_confirmation = Some(token);
                events.push(envelope(Event::AccountNotice(notice), now));
            }
            match self.write(&mut user, &events).await {
                Err(SaveError::Duplicate(UserKey::Username)) if !chosen => {
                    let suffix = hex::encode(rand::random::<[u8; 3]>());
                    user.username = identity::username_from_email(&user.email, &suffix);
                }
                Err(SaveError::Store(StoreError::Conflict)) => {
                    tokio::time::sleep(longest.mul_f32(rand::random())).await;
                    user.id = UserId::generate();
                }
                Err(error) => return Err(error.into()),
                Ok(()) => return Ok(user),
            }
        }
        Err(Failure::Conflict)
    }

    pub(super) async fn change(
        &self,
        id: UserId,
        change: impl Fn(&mut User) -> Result<(), UserError>,
    ) -> Result<User, Failure> {
        self.change_with(id, move |user, _| change(user).map(|()| Effects::default())).await
    }

    /// Changes a user at a time that `change` is told, with the effects that it returns. When tokens are ended, the
    /// user's new ones are valid at once, see [`crate::actors::tokens::Tokens::issue_to`].
    pub(super) async fn change_with(
        &self,
        id: UserId,
        change: impl Fn(&mut User, Timestamp) -> Result<Effects, UserError>,
    ) -> Result<User, Failure> {
        let _lock = self.locks[usize::from(id.bytes()[11]) % LOCKS].lock().await;
        for longest in PAUSES.pauses().take(TRIES) {
            let user = self.store.get(id).await?.filter(|user| !user.is_deleted());
            let mut user = user.ok_or(AccountRefusal::NoSuchUser)?;
            let now = Timestamp::now();
            let Effects { notices, ends_tokens } = change(&mut user, now)?;
            user.updated_at = now;
            if ends_tokens {
                let from = now.as_second().saturating_add(1).max(user.security.tokens_from.unwrap_or_default());
                user.security.tokens_from = Some(from);
                user.security.login_tickets.clear();
                // First, so that a crash in between leaves no token valid that the change was to end.
                self.store.end_tokens(id, from).await?;
                self.store.sessions().delete_of(id).await?;
            }
            let deleted = user.is_deleted().then_some(Event::UserDeleted { user: id });
            let events = notices.into_iter().map(Event::AccountNotice).chain(deleted);
            let events: Vec<_> = events.map(|event| envelope(event, now)).collect();
            match self.write(&mut user, &events).await {
                Err(SaveError::Store(StoreError::Conflict)) => {
                    tokio::time::sleep(longest.mul_f32(rand::random())).await;
                }
                Err(error) => return Err(error.into()),
                Ok(()) => return Ok(user),
            }
        }
        Err(Failure::Conflict)
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

/// Removes the user from the cache when dropped: after an error, a timeout or a panic.
struct Forget<'a> {
    users: &'a Users,
    id: UserId,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.users.forget(self.id);
    }
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
