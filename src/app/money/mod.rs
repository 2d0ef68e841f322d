//! Commands about money: whether the ledgers agree with each other and with the gateway.
//!
//! They work while a server runs.
//!
//! **Invariant:** no command here moves money; the server does.

mod ledger;
mod reconcile;

use anyhow::Result;
pub use ledger::ledger_check;
pub use reconcile::payments_reconcile;

use super::Storage;
use crate::{config::Config, store::Stores};

/// How many documents are read at once.
const PAGE: u32 = 500;

/// Works on the stores, which other processes may be using.
fn beside<T, F: Future<Output = Result<T>>>(config: &Config, work: impl FnOnce(Stores) -> F) -> Result<T> {
    actix_rt::System::new().block_on(async {
        let storage = Storage::open_beside(config).await?;
        let done = work(storage.stores()).await;
        storage.close().await?;
        done
    })
}
