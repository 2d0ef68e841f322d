//! A store whose process dies at a chosen write.
//!
//! At the chosen write the process dies either before it, or after it without an answer. Then every call of that
//! process fails, because a dead process does nothing.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use microbazaar::{
    domain::{
        Timestamp,
        ids::{OrderId, ProductId},
        inventory::{StockLevel, StockLine},
    },
    integrations::payment::GatewayRefund,
    store::{
        StockStore, StoreError, Stores,
        document::Backend,
        inventory::{Fence, StockMove, StockStoreError},
    },
};
use parking_lot::Mutex;
use test_support::{Around, Asked, Forward};

/// The name of the sandbox's ledger.
const SANDBOX: &str = "sandbox";

/// Whether the process dies before or after the write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The write is not made.
    Before,
    /// The write is made, without an answer.
    After,
}

/// The gateway's refunds, which survive every process: by payment, the id and amount of each that was ever made.
#[derive(Default)]
pub struct Refunds(Mutex<BTreeMap<String, BTreeMap<String, i64>>>);

impl Refunds {
    /// Records a page of the sandbox's ledger that is being written.
    fn note(&self, written: &serde_json::Value) {
        let key = written["key"].as_str().unwrap();
        if key.starts_with("pay_") {
            let page: serde_json::Value = serde_json::from_str(written["page"].as_str().unwrap()).unwrap();
            let refunds: Vec<GatewayRefund> = serde_json::from_value(page["refunds"].clone()).unwrap();
            let refunds = refunds.into_iter().map(|refund| (refund.id, refund.amount.minor()));
            self.0.lock().entry(key.to_owned()).or_default().extend(refunds);
        }
    }

    /// The refunded amounts of a payment.
    pub fn of(&self, payment_id: &str) -> Vec<i64> {
        self.0.lock().get(payment_id).map(|refunds| refunds.values().copied().collect()).unwrap_or_default()
    }
}

/// One process over stores that survive it.
pub struct Life {
    stores: Stores,
    refunds: Arc<Refunds>,
    dies_at: Option<(u64, Side)>,
    writes: AtomicU64,
    dead: AtomicBool,
}

impl Life {
    /// A process that dies at the n-th write, counted from 1, or never.
    pub fn new(stores: Stores, refunds: Arc<Refunds>, dies_at: Option<(u64, Side)>) -> Arc<Self> {
        Arc::new(Self { stores, refunds, dies_at, writes: AtomicU64::new(0), dead: AtomicBool::new(false) })
    }

    /// The store's documents, as this life has them.
    pub fn documents(self: &Arc<Self>) -> Arc<dyn Backend> {
        Forward::backend(self, Arc::clone(&self.stores.backend))
    }

    /// How many writes it started.
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::SeqCst)
    }

    /// Whether it has died.
    pub fn is_dead(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }

    fn alive(&self) -> Result<(), StoreError> {
        if self.is_dead() { Err(StoreError::Unavailable("the process is dead".to_owned())) } else { Ok(()) }
    }

    async fn write<T, E: From<StoreError>>(&self, call: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        self.alive()?;
        let write = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        match self.dies_at {
            Some((at, Side::Before)) if write == at => self.dead.store(true, Ordering::SeqCst),
            Some((at, Side::After)) if write == at => {
                let _lost = call.await;
                self.dead.store(true, Ordering::SeqCst);
                return Err(StoreError::Unavailable("the process is dead".to_owned()).into());
            }
            _ => {}
        }
        self.alive()?;
        let answer = call.await;
        self.alive()?;
        answer
    }

    async fn read<T, E: From<StoreError>>(&self, call: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        self.alive()?;
        let answer = call.await;
        self.alive()?;
        answer
    }
}

#[async_trait]
impl StockStore for Life {
    async fn get(&self, product: ProductId) -> Result<Option<StockLevel>, StoreError> {
        self.read(self.stores.stock.get(product)).await
    }

    async fn many(&self, products: &[ProductId]) -> Result<Vec<StockLevel>, StoreError> {
        self.read(self.stores.stock.many(products)).await
    }

    async fn set_available(&self, levels: &[(ProductId, u32)]) -> Result<Vec<StockLevel>, StoreError> {
        self.write(self.stores.stock.set_available(levels)).await
    }

    async fn set_available_if(
        &self,
        product: ProductId,
        seen: i64,
        available: u32,
    ) -> Result<StockLevel, StockStoreError> {
        self.write(self.stores.stock.set_available_if(product, seen, available)).await
    }

    async fn reserve(
        &self,
        order: OrderId,
        lines: &[StockLine],
        expires_at: Timestamp,
    ) -> Result<StockMove, StockStoreError> {
        self.write(self.stores.stock.reserve(order, lines, expires_at)).await
    }

    async fn commit(&self, order: OrderId, fence: Fence) -> Result<StockMove, StockStoreError> {
        self.write(self.stores.stock.commit(order, fence)).await
    }

    async fn retake(&self, order: OrderId, lines: &[StockLine], fence: Fence) -> Result<StockMove, StockStoreError> {
        self.write(self.stores.stock.retake(order, lines, fence)).await
    }

    async fn release(&self, order: OrderId, fence: Fence) -> Result<StockMove, StoreError> {
        self.write(self.stores.stock.release(order, fence)).await
    }

    /// A timer triggers this, not the test, so that it does not count as a write.
    async fn release_expired(&self, now: Timestamp, limit: u32) -> Result<Vec<StockMove>, StoreError> {
        self.read(self.stores.stock.release_expired(now, limit)).await
    }
}

impl Around for Life {
    async fn around<T: Send, E: From<StoreError> + Send>(
        &self,
        asked: Asked<'_>,
        call: impl Future<Output = Result<T, E>> + Send,
    ) -> Result<T, E> {
        match asked {
            Asked::Save(of, body) => {
                let saved = async {
                    if of.collection == SANDBOX {
                        self.refunds.note(&body.value()?);
                    }
                    call.await
                };
                self.write(saved).await
            }
            Asked::Delete(_) => self.write(call).await,
            Asked::Get(..) | Asked::Find(_) | Asked::Changes(_) => self.read(call).await,
        }
    }
}
