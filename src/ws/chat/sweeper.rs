//! Disconnects sockets whose tokens have ended, and deletes conversations that are no longer used.
//!
//! **Invariant:** one run deletes a bounded number of conversations; the next run retries what failed.

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::Registrations;
use crate::{
    actors::tokens::RevokedTokens,
    domain::Timestamp,
    runtime::{Next, Pace, Runtime},
    store::{AccountStore, ConversationStore, conversations::day_of},
};

/// How often tokens are checked.
const EVERY: Duration = Duration::from_secs(1);
/// How often old conversations are deleted.
const CLEAR_EVERY: Duration = Duration::from_hours(1);
/// How many conversations are deleted at once.
const AT_ONCE: u32 = 500;
/// The largest clock difference between nodes and their store.
const CLOCKS_APART: SignedDuration = SignedDuration::from_secs(30);
/// For how many days the token usage is kept.
const DAYS: i64 = 7;

/// Ends sockets and conversations.
pub struct Expiry {
    pub conversations: ConversationStore,
    /// How long a conversation is kept after its last message.
    pub keep: SignedDuration,
    pub registrations: Arc<Registrations>,
    pub revoked: Arc<RevokedTokens>,
    /// Where logouts on other nodes are read; `None` if there are no other nodes.
    pub accounts: Option<AccountStore>,
}

impl Expiry {
    /// Starts the repeated task.
    pub fn start(self, runtime: &Runtime) {
        let state = Arc::new((self, Mutex::new(None)));
        runtime.repeat("chat_sweeper", Pace::every(EVERY), state, async |state| {
            let (expiry, last_cleanup) = &*state;
            expiry.run(last_cleanup).await;
            Next::Wait
        });
    }

    async fn run(&self, last_cleanup: &Mutex<Option<Instant>>) {
        self.registrations.close_expired(Timestamp::now());
        if let Some(accounts) = self.accounts.as_ref().filter(|_| !self.registrations.is_empty()) {
            self.apply_remote_logouts(accounts).await;
        }
        let now = Instant::now();
        let due = last_cleanup.lock().is_none_or(|last: Instant| now.duration_since(last) >= CLEAR_EVERY);
        if due {
            // A full batch means that there is more to delete; the next run continues.
            let more = self.clean_up().await;
            *last_cleanup.lock() = (!more).then_some(now);
        }
    }

    /// Reads logouts on other nodes and disconnects their sockets.
    async fn apply_remote_logouts(&self, accounts: &AccountStore) {
        let since = Timestamp::now().saturating_sub(CLOCKS_APART).unwrap_or(Timestamp::UNIX_EPOCH);
        match accounts.killed_since(since).await {
            Ok(killed) => {
                for (jti, end) in killed.iter().filter(|(jti, _)| self.registrations.knows(jti)) {
                    self.revoked.insert(jti, end.as_second(), Timestamp::now());
                }
            }
            // The token is checked again at the socket's next event.
            Err(error) => tracing::debug!(%error, "logouts on other nodes could not be read"),
        }
    }

    async fn clean_up(&self) -> bool {
        let now = Timestamp::now();
        let before = now.saturating_sub(self.keep).unwrap_or(Timestamp::UNIX_EPOCH);
        let last_cleanup = async {
            let expired = self.conversations.expire(before, AT_ONCE).await?;
            let forgotten = self.conversations.forget_spent(day_of(now) - DAYS, AT_ONCE).await?;
            Ok::<bool, crate::store::StoreError>(expired.max(forgotten) >= u64::from(AT_ONCE))
        };
        last_cleanup.await.unwrap_or_else(|error| {
            tracing::warn!(%error, "old conversations could not be deleted and will be deleted later");
            false
        })
    }
}
