//! Processes the requests of a channel, and continues after a panic.
//!
//! **Invariant:** after a panic, the requests in progress get an error, and all others wait for a pause at most.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt;
use growing_backoff::Backoff;
use tokio::sync::mpsc;

use super::Fault;

/// The pauses after panics in a row; the longest is well below the deadline of a call.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(20), Duration::from_secs(1));

/// Starts a task that passes waiting requests to `work`, at most `most` at once, until all senders are dropped. A
/// waiting caller sees a dropped request by its closed channel.
pub(super) fn serve<T, F>(
    mut waiting: mpsc::Receiver<T>,
    most: usize,
    fault: Option<Fault>,
    work: impl Fn(Vec<T>) -> F + Send + Sync + 'static,
) where
    T: Send + 'static,
    F: Future<Output = ()> + Send,
{
    tokio::spawn(async move {
        let mut batch = vec![];
        let mut panics: u32 = 0;
        while waiting.recv_many(&mut batch, most).await > 0 {
            let requests = std::mem::take(&mut batch);
            let done = async {
                if let Some(fault) = &fault {
                    fault();
                }
                work(requests).await;
            };
            // Unfinished work of a panic is dropped with its requests.
            if AssertUnwindSafe(done).catch_unwind().await.is_ok() {
                panics = 0;
            } else {
                tracing::error!("a batch for MongoDB panicked");
                panics = panics.saturating_add(1);
                tokio::time::sleep(PAUSES.after(panics)).await;
            }
        }
    });
}
