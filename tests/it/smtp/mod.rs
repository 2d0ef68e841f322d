//! Mails over a real SMTP receiver.

mod headers;
mod login;
mod lost;

mod purchase;
mod silent;

use microbazaar::store::mailbox::{MailRecord, MailState};
use test_support::{Shop, eventually};

/// The delivery log, newest first.
async fn log(shop: &Shop) -> Vec<MailRecord> {
    shop.stores().mailbox.records(None, 1_000).await.unwrap()
}

/// Waits until the log has this many mails in a state.
async fn until_log(shop: &Shop, state: MailState, count: usize) -> Vec<MailRecord> {
    let in_state = async || log(shop).await.into_iter().filter(|record| record.state == state).collect::<Vec<_>>();
    eventually(&format!("{count} mails are {state:?}"), async || in_state().await.len() >= count).await;
    in_state().await
}
