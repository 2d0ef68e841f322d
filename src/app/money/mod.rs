//! Commands about money: whether the books agree, and whether the gateway's agree with ours.
//!
//! They work beside a running server.
//!
//! **Invariant:** no command here moves money; what has to be moved, the server moves.

mod ledger;
mod reconcile;

use anyhow::Result;
pub use ledger::ledger_check;
pub use reconcile::payments_reconcile;

use super::Storage;
use crate::{config::Config, store::Stores};

/// How many documents are read at once.
const PAGE: u32 = 500;

/// Works on the stores beside whoever else uses them.
fn beside<T, F: Future<Output = Result<T>>>(config: &Config, work: impl FnOnce(Stores) -> F) -> Result<T> {
    actix_rt::System::new().block_on(async {
        let storage = Storage::open_beside(config).await?;
        let done = work(storage.stores()).await;
        storage.close().await?;
        done
    })
}
