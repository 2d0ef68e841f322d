//! Deletes revoked tokens and sessions that have expired.

use std::{sync::Arc, time::Duration};

use crate::{
    domain::Timestamp,
    runtime::{Next, Pace, Runtime},
    store::AccountStore,
};

/// How often expired tokens are deleted.
const EVERY: Duration = Duration::from_mins(15);

/// Starts the repeated task. It runs on every node; deleting is idempotent.
pub(super) fn start(runtime: &Runtime, store: AccountStore) {
    runtime.repeat("token_sweeper", Pace::every(EVERY), Arc::new(store), async |store| {
        let now = Timestamp::now();
        let deleted = tokio::try_join!(store.forget_expired(now), store.sessions().delete_expired(now));
        if let Err(error) = deleted {
            tracing::warn!(%error, "expired tokens could not be deleted and will be deleted later");
        }
        Next::Wait
    });
}
