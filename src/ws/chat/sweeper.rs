//! Ends sockets whose tokens are over, and conversations that nobody goes on with.
//!
//! **Invariant:** one look deletes a bounded number; whatever fails is looked at again.

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::Doors;
use crate::{
    actors::tokens::DeadTokens,
    domain::Timestamp,
    runtime::{Next, Pace, Runtime},
    store::{AccountStore, ConversationStore, conversations::day_of},
};

/// How often to look at tokens.
const EVERY: Duration = Duration::from_secs(1);
/// How often to look for old conversations.
const CLEAR_EVERY: Duration = Duration::from_hours(1);
/// How many to delete at once.
const AT_ONCE: u32 = 500;
/// How far the clocks of nodes and of their store may be apart.
const CLOCKS_APART: SignedDuration = SignedDuration::from_secs(30);
/// For how many days it is remembered what was spent.
const DAYS: i64 = 7;

/// What is ended, and when.
pub struct Expiry {
    /// Where conversations are kept.
    pub conversations: ConversationStore,
    /// How long one is kept in which nothing is said.
    pub keep: SignedDuration,
    /// The sockets by their tokens.
    pub doors: Arc<Doors>,
    /// The tokens that logouts have ended.
    pub dead: Arc<DeadTokens>,
    /// Where logouts of other nodes are found; `None` where there are no other nodes.
    pub accounts: Option<AccountStore>,
}

impl Expiry {
    /// Starts looking.
    pub fn start(self, runtime: &Runtime) {
        let state = Arc::new((self, Mutex::new(None)));
        runtime.repeat("chat_sweeper", Pace::every(EVERY), state, async |state| {
            let (expiry, cleared) = &*state;
            expiry.look(cleared).await;
            Next::Wait
        });
    }

    async fn look(&self, cleared: &Mutex<Option<Instant>>) {
        self.doors.close_expired(Timestamp::now());
        if let Some(accounts) = self.accounts.as_ref().filter(|_| !self.doors.is_empty()) {
            self.follow(accounts).await;
        }
        let now = Instant::now();
        let due = cleared.lock().is_none_or(|last: Instant| now.duration_since(last) >= CLEAR_EVERY);
        if due {
            // A full batch has more behind it: the next look sees to it.
            let more = self.clear().await;
            *cleared.lock() = (!more).then_some(now);
        }
    }

    /// Hears of logouts on other nodes, and ends their sockets.
    async fn follow(&self, accounts: &AccountStore) {
        let since = Timestamp::now().saturating_sub(CLOCKS_APART).unwrap_or(Timestamp::UNIX_EPOCH);
        match accounts.killed_since(since).await {
            Ok(killed) => {
                for (jti, end) in killed.iter().filter(|(jti, _)| self.doors.knows(jti)) {
                    self.dead.insert(jti, end.as_second(), Timestamp::now());
                }
            }
            // Their next event asks again.
            Err(error) => tracing::debug!(%error, "logouts of other nodes are not heard of"),
        }
    }

    async fn clear(&self) -> bool {
        let now = Timestamp::now();
        let before = now.saturating_sub(self.keep).unwrap_or(Timestamp::UNIX_EPOCH);
        let cleared = async {
            let expired = self.conversations.expire(before, AT_ONCE).await?;
            let forgotten = self.conversations.forget_spent(day_of(now) - DAYS, AT_ONCE).await?;
            Ok::<bool, crate::store::StoreError>(expired.max(forgotten) >= u64::from(AT_ONCE))
        };
        cleared.await.unwrap_or_else(|error| {
            tracing::warn!(%error, "old conversations could not be deleted for now");
            false
        })
    }
}
