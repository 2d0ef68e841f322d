//! Forgets dead tokens that have expired.

use std::{sync::Arc, time::Duration};

use crate::{
    domain::Timestamp,
    runtime::{Next, Pace, Runtime},
    store::AccountStore,
};

/// How often to look.
const EVERY: Duration = Duration::from_mins(15);

/// Starts to look. Runs on every node: forgetting twice is forgetting once.
pub(super) fn start(runtime: &Runtime, store: AccountStore) {
    runtime.repeat("token_sweeper", Pace::every(EVERY), Arc::new(store), async |store| {
        if let Err(error) = store.forget_expired(Timestamp::now()).await {
            tracing::warn!(%error, "expired tokens could not be forgotten for now");
        }
        Next::Wait
    });
}
