//! Stock and reservations, without multi-document transactions.
//!
//! A product's stock is one document with its counts; what an order has of it is an *allocation* (`level`), written
//! together with the counts. Every change is one conditional write (`batcher`), which batches the changes that wait
//! for the same product. A reservation is another document that says what is to happen to the order's lines
//! (`reservation`); its steps over the products are idempotent, so that any caller may finish what another began
//! (`executor`).
//!
//! **Invariant:** `reserved` of a stock document is the sum of the held allocations, after every write; a reservation
//! that says held, committed or released has no step left to do.

pub(super) mod batcher;
mod executor;
mod imported;
mod level;
mod reservation;

use std::sync::Arc;

use async_trait::async_trait;
use bson::{Document, doc};

use self::{
    batcher::{StockWrite, WriteOutcome},
    executor::ReservationExecutor,
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
    imported::{reservation_documents, stock_document},
    level::read,
};

/// Projects a stock document to its counts.
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
        let (levels, executor) = (levels.to_vec(), self.executor());
        let changed = self
            .run(async move {
                let mut changed = vec![];
                // Many at once, as an import sends them, but not all.
                for some in levels.chunks(64) {
                    let acts =
                        some.iter().map(|(product, available)| executor.act(*product, StockWrite::Set(*available)));
                    for outcome in futures_util::future::join_all(acts).await {
                        match outcome? {
                            WriteOutcome::Done(level) | WriteOutcome::Was(level) => changed.push(level),
                            WriteOutcome::Short(_) | WriteOutcome::Moved(_) | WriteOutcome::NoProduct => {}
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
        let executor = self.executor();
        let set = self.run(async move { executor.act(product, StockWrite::SetIf { seen, available }).await }).await?;
        match set {
            WriteOutcome::Done(level) | WriteOutcome::Was(level) => {
                self.stock_moved(true);
                Ok(level)
            }
            WriteOutcome::Moved(available) | WriteOutcome::Short(available) => {
                Err(StockError::Moved { available }.into())
            }
            WriteOutcome::NoProduct => Err(StockError::NoSuchProduct.into()),
        }
    }

    async fn reserve(
        &self,
        order: OrderId,
        lines: &[StockLine],
        expires_at: Timestamp,
    ) -> Result<StockMove, StockStoreError> {
        let (lines, executor) = (added_up(lines), self.executor());
        let expires_at = codec::time(codec::micros_up(expires_at))?;
        self.moved(executor.clone(), async move { executor.reserve(order, lines, expires_at).await }).await
    }

    async fn commit(&self, order: OrderId, fence: Fence) -> Result<StockMove, StockStoreError> {
        let executor = self.executor();
        self.moved(executor.clone(), async move { executor.commit(order, fence).await }).await
    }

    async fn retake(&self, order: OrderId, lines: &[StockLine], fence: Fence) -> Result<StockMove, StockStoreError> {
        let (lines, executor) = (added_up(lines), self.executor());
        self.moved(executor.clone(), async move { executor.retake(order, lines, fence).await }).await
    }

    async fn release(&self, order: OrderId, fence: Fence) -> Result<StockMove, StoreError> {
        let executor = self.executor();
        self.moved(executor.clone(), async move { executor.release(order, fence).await }).await
    }

    async fn release_expired(&self, now: Timestamp, limit: u32) -> Result<Vec<StockMove>, StoreError> {
        let executor = self.executor();
        let moves = self.run(async move { executor.release_expired(now, limit).await }).await?;
        self.stock_moved(!moves.is_empty());
        Ok(moves)
    }
}

impl Engine {
    fn executor(&self) -> ReservationExecutor {
        ReservationExecutor {
            reservations: self.collections.reservations.clone(),
            stock: Stored {
                collection: self.collections.stock.clone(),
                allocations: self.collections.allocations.clone(),
                sequence: self.keeps(STOCK_CHANGED).then(|| self.sequence.clone()),
            },
            batcher: self.batcher.clone(),
            changed: Arc::default(),
        }
    }

    async fn moved<E, F>(&self, executor: ReservationExecutor, work: F) -> Result<StockMove, E>
    where
        F: Future<Output = Result<StockMove, E>> + Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let mut moved = self.run(work).await?;
        moved.changed = executor.changed.lock().values().copied().collect();
        self.stock_moved(!moved.changed.is_empty());
        Ok(moved)
    }

    fn stock_moved(&self, any: bool) {
        self.notify(any && self.keeps(STOCK_CHANGED));
    }
}
