//! Stock and reservations, without a transaction over documents.
//!
//! A product's stock is one document with its counts; what an order has of it is a *share*
//! (`level`), exact with the counts and bounded in the document. Whatever changes them is one
//! conditional write (`lane`), which joins what waits for the same product. A reservation is
//! another document that says what is to become of the order's lines (`reservation`); its steps over
//! the products are each idempotent, so that anybody may finish what somebody began (`drive`).
//!
//! **Invariant:** `reserved` of a stock document is the sum of the held shares, after every write;
//! a reservation that says held, committed or released has no step left to do.

mod drive;
pub(super) mod lane;
mod level;
mod moved_in;
mod reservation;

use std::sync::Arc;

use async_trait::async_trait;
use bson::{Document, doc};

use self::{
    drive::Drive,
    lane::{Act, Outcome},
    level::Stored,
};
use super::{codec, engine::Engine};
use crate::{
    domain::{
        Timestamp,
        ids::{OrderId, ProductId},
        inventory::{StockError, StockLevel, StockLine, added_up},
    },
    store::{
        StockStore, StoreError,
        inventory::{Fence, StockMove, StockStoreError},
    },
};

pub(super) use self::{
    level::read,
    moved_in::{reservation_documents, stock_document},
};

/// Leaves out of a stock document what is not its counts.
pub(super) fn counts() -> Document {
    doc! { "shares": 0, "outbox": 0 }
}

/// The name of [`crate::domain::event::Event::StockChanged`].
const STOCK_CHANGED: &str = "STOCK_CHANGED";

#[async_trait]
impl StockStore for Engine {
    async fn get(&self, product: ProductId) -> Result<Option<StockLevel>, StoreError> {
        let stock = self.collections.stock.clone();
        self.run(async move { codec::first(&stock, doc! { "_id": codec::oid(product.bytes()) }, level::read).await })
            .await
    }

    async fn many(&self, products: &[ProductId]) -> Result<Vec<StockLevel>, StoreError> {
        let stock = self.collections.stock.clone();
        let ids: Vec<_> = products.iter().map(|product| codec::oid(product.bytes())).collect();
        self.run(async move {
            let find = stock.find(doc! { "_id": { "$in": ids } }).projection(counts());
            codec::all(find, level::read).await
        })
        .await
    }

    async fn set_available(&self, levels: &[(ProductId, u32)]) -> Result<Vec<StockLevel>, StoreError> {
        let (levels, drive) = (levels.to_vec(), self.drive());
        let changed = self
            .run(async move {
                let mut changed = vec![];
                // Many at once, as an import sends them, but not all.
                for some in levels.chunks(64) {
                    let acts = some.iter().map(|(product, available)| drive.act(*product, Act::Set(*available)));
                    for outcome in futures_util::future::join_all(acts).await {
                        match outcome? {
                            Outcome::Done(level) | Outcome::Was(level) => changed.push(level),
                            Outcome::Short(_) | Outcome::Moved(_) | Outcome::NoProduct => {}
                        }
                    }
                }
                Ok::<_, StoreError>(changed)
            })
            .await?;
        self.stock_moved(!changed.is_empty());
        Ok(changed)
    }

    async fn set_available_if(
        &self,
        product: ProductId,
        seen: i64,
        available: u32,
    ) -> Result<StockLevel, StockStoreError> {
        let drive = self.drive();
        let set = self.run(async move { drive.act(product, Act::SetIf { seen, available }).await }).await?;
        match set {
            Outcome::Done(level) | Outcome::Was(level) => {
                self.stock_moved(true);
                Ok(level)
            }
            Outcome::Moved(available) | Outcome::Short(available) => Err(StockError::Moved { available }.into()),
            Outcome::NoProduct => Err(StockError::NoSuchProduct.into()),
        }
    }

    async fn reserve(
        &self,
        order: OrderId,
        lines: &[StockLine],
        expires_at: Timestamp,
    ) -> Result<StockMove, StockStoreError> {
        let (lines, drive) = (added_up(lines), self.drive());
        let expires_at = codec::time(codec::micros_up(expires_at))?;
        self.moved(drive.clone(), async move { drive.reserve(order, lines, expires_at).await }).await
    }

    async fn commit(&self, order: OrderId, fence: Fence) -> Result<StockMove, StockStoreError> {
        let drive = self.drive();
        self.moved(drive.clone(), async move { drive.commit(order, fence).await }).await
    }

    async fn retake(&self, order: OrderId, lines: &[StockLine], fence: Fence) -> Result<StockMove, StockStoreError> {
        let (lines, drive) = (added_up(lines), self.drive());
        self.moved(drive.clone(), async move { drive.retake(order, lines, fence).await }).await
    }

    async fn release(&self, order: OrderId, fence: Fence) -> Result<StockMove, StoreError> {
        let drive = self.drive();
        self.moved(drive.clone(), async move { drive.release(order, fence).await }).await
    }

    async fn release_expired(&self, now: Timestamp, limit: u32) -> Result<Vec<StockMove>, StoreError> {
        let drive = self.drive();
        let moves = self.run(async move { drive.release_expired(now, limit).await }).await?;
        self.stock_moved(!moves.is_empty());
        Ok(moves)
    }
}

impl Engine {
    fn drive(&self) -> Drive {
        Drive {
            reservations: self.collections.reservations.clone(),
            stock: Stored {
                collection: self.collections.stock.clone(),
                shares: self.collections.shares.clone(),
                sequence: self.keeps(STOCK_CHANGED).then(|| self.sequence.clone()),
            },
            lanes: self.lanes.clone(),
            changed: Arc::default(),
        }
    }

    async fn moved<E, F>(&self, drive: Drive, work: F) -> Result<StockMove, E>
    where
        F: Future<Output = Result<StockMove, E>> + Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let mut moved = self.run(work).await?;
        moved.changed = drive.changed.lock().values().copied().collect();
        self.stock_moved(!moved.changed.is_empty());
        Ok(moved)
    }

    fn stock_moved(&self, any: bool) {
        self.wake(any && self.keeps(STOCK_CHANGED));
    }
}
