//! Which users are blocked, as every service of this process knows it.
//!
//! A block is one row in the store. Its effects (tokens are refused, sockets are closed, the user's products are not
//! for sale) are derived from the rows wherever they are needed, so that a crash leaves nothing half done. A process
//! with its own store keeps all of them in memory; where nodes share a store, each reads them again a few times a
//! second, and at once when Redis notifies it.
//!
//! **Invariant:** [`BlockedUsers::among`] sees every block that any node has confirmed.

use std::{
    collections::HashSet,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::RwLock;
use tokio::time::timeout;

use crate::{
    domain::{Timestamp, ids::UserId},
    integrations::redis::{ChangeNotifier, topic},
    store::{AccountStore, StoreError, Stores, accounts::block_key},
};

/// How often to poll for blocks by other nodes; less often where they send notifications.
const LOOK_EVERY: Duration = Duration::from_millis(400);
/// How long the store may take.
const STORE_WITHIN: Duration = Duration::from_secs(2);

/// Is notified when a user is blocked or unblocked.
type Listener = Box<dyn Fn(UserId, bool) + Send + Sync>;

pub struct BlockedUsers {
    accounts: AccountStore,
    /// Notifies the other nodes, where there are any.
    notifier: Option<ChangeNotifier>,
    known: RwLock<Arc<HashSet<UserId>>>,
    /// Counts the changes of `known`.
    version: AtomicU64,
    listeners: RwLock<Vec<Listener>>,
    /// One read or change at a time, so that an older result does not replace a newer one.
    turn: tokio::sync::Mutex<()>,
}

impl BlockedUsers {
    /// The blocks in these stores; none is known before [`BlockedUsers::read`].
    #[must_use]
    pub fn new(stores: &Stores, notifier: &ChangeNotifier) -> Self {
        Self {
            accounts: stores.accounts.clone(),
            notifier: stores.cluster.is_some().then(|| notifier.clone()),
            known: RwLock::default(),
            version: AtomicU64::new(0),
            listeners: RwLock::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// Reads all blocks, and starts to follow the other nodes where there are any. Must be called within a runtime.
    pub async fn start(self: &Arc<Self>) -> Result<(), StoreError> {
        self.read().await?;
        if let Some(notifier) = &self.notifier {
            tokio::spawn(follow(Arc::downgrade(self), notifier.clone()));
        }
        Ok(())
    }

    /// Has `listener` called with each user who is blocked or unblocked from now on.
    pub fn on_change(&self, listener: impl Fn(UserId, bool) + Send + Sync + 'static) {
        self.listeners.write().push(Box::new(listener));
    }

    /// The blocked users that this node knows of.
    #[must_use]
    pub fn known(&self) -> Arc<HashSet<UserId>> {
        Arc::clone(&self.known.read())
    }

    /// Whether this node knows that a user is blocked.
    #[must_use]
    pub fn knows(&self, user: UserId) -> bool {
        let known = self.known.read();
        !known.is_empty() && known.contains(&user)
    }

    /// Changes whenever [`BlockedUsers::known`] does.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Which of these users are blocked, by any node.
    ///
    /// # Errors
    /// [`StoreError`], where nodes share a store that does not answer.
    pub async fn among(&self, users: &[UserId]) -> Result<Vec<UserId>, StoreError> {
        let mut blocked = vec![];
        for user in users {
            let is = match &self.notifier {
                None => self.knows(*user),
                Some(_) => {
                    let key = block_key(&user.to_hex());
                    within(self.accounts.is_dead(&key)).await?
                }
            };
            if is {
                blocked.push(*user);
            }
        }
        Ok(blocked)
    }

    /// Blocks a user. When this returns, the store has it and this node acts on it.
    pub async fn block(&self, user: UserId) -> Result<(), StoreError> {
        let _turn = self.turn.lock().await;
        self.accounts.kill_token(&block_key(&user.to_hex()), forever()).await?;
        self.changed(user, true);
        Ok(())
    }

    /// Unblocks a user.
    pub async fn unblock(&self, user: UserId) -> Result<(), StoreError> {
        let _turn = self.turn.lock().await;
        self.accounts.revive_token(&block_key(&user.to_hex())).await?;
        self.changed(user, false);
        Ok(())
    }

    /// Only called with the lock held.
    fn changed(&self, user: UserId, blocked: bool) {
        let mut now = (*self.known()).clone();
        if blocked {
            now.insert(user);
        } else {
            now.remove(&user);
        }
        self.replace(now);
        if let Some(notifier) = &self.notifier {
            notifier.notify_others(topic::BLOCKS);
        }
    }

    /// Reads them from the store.
    pub async fn read(&self) -> Result<(), StoreError> {
        let _turn = self.turn.lock().await;
        let found = within(self.accounts.blocked_users()).await?;
        self.replace(found.into_iter().collect());
        Ok(())
    }

    /// Only called with the lock held.
    fn replace(&self, now: HashSet<UserId>) {
        let before = self.known();
        if *before == now {
            return;
        }
        *self.known.write() = Arc::new(now.clone());
        self.version.fetch_add(1, Ordering::AcqRel);
        let listeners = self.listeners.read();
        for listener in &*listeners {
            now.difference(&before).for_each(|user| listener(*user, true));
            before.difference(&now).for_each(|user| listener(*user, false));
        }
    }
}

async fn within<T>(asked: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    timeout(STORE_WITHIN, asked).await.unwrap_or(Err(StoreError::Deadline))
}

/// Effectively forever.
fn forever() -> Timestamp {
    Timestamp::from_second(32_503_680_000).unwrap_or(Timestamp::MAX)
}

async fn follow(blocked: Weak<BlockedUsers>, notifier: ChangeNotifier) {
    let heard = notifier.listen(topic::BLOCKS);
    loop {
        let _either = timeout(notifier.look_every(LOOK_EVERY), heard.notified()).await;
        let Some(blocked) = blocked.upgrade() else { return };
        if let Err(error) = blocked.read().await {
            tracing::debug!(%error, "could not read the blocks of other nodes");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::{SqliteOptions, SqliteStore};

    /// As a node that shares its store has it.
    fn node(stores: &Stores) -> Arc<BlockedUsers> {
        let mut node = BlockedUsers::new(stores, &ChangeNotifier::default());
        node.notifier = Some(ChangeNotifier::default());
        Arc::new(node)
    }

    #[tokio::test]
    async fn a_block_is_known_at_once_here_and_soon_on_other_nodes() {
        let dir = std::env::temp_dir().join(format!("microbazaar-blocked-{}", UserId::generate()));
        std::fs::create_dir_all(&dir).unwrap();
        let sqlite = SqliteStore::open(&dir, SqliteOptions::default()).unwrap();
        let (one, other) = (node(&sqlite.stores()), node(&sqlite.stores()));
        let (ana, ben) = (UserId::generate(), UserId::generate());
        one.block(ben).await.unwrap();
        one.start().await.unwrap();
        other.start().await.unwrap();
        assert!(other.knows(ben), "what was there at the start");
        let listener = Arc::new(parking_lot::Mutex::new(vec![]));
        let recorder = Arc::clone(&listener);
        other.on_change(move |user, blocked| recorder.lock().push((user, blocked)));
        let until = async |count| {
            let wait = async {
                while listener.lock().len() < count {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            assert!(timeout(Duration::from_secs(10), wait).await.is_ok(), "the other node hears of it");
        };
        let version = other.version();
        one.block(ana).await.unwrap();
        assert!(one.knows(ana));
        assert_eq!(other.among(&[ana, ben]).await, Ok(vec![ana, ben]), "asked, it knows at once");
        until(1).await;
        assert!(other.knows(ana) && other.version() > version);
        one.unblock(ana).await.unwrap();
        assert!(!one.knows(ana));
        until(2).await;
        assert_eq!(*listener.lock(), [(ana, true), (ana, false)]);
        assert_eq!(*other.known(), HashSet::from([ben]));
        drop((one, other));
        sqlite.close().unwrap();
        std::fs::remove_dir_all(dir).unwrap();
    }
}
