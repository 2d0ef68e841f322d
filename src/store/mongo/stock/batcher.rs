//! Batches the changes that wait for one product into one write.
//!
//! Without batching, many concurrent changes to one product would each try to write its document, and all writes but
//! one would conflict. Here one task applies the waiting changes in their order and writes once; changes that arrive
//! meanwhile form the next batch.
//!
//! **Invariant:** every change is answered, after the write that contains it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use metrics::counter;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::level::{Allocation, AllocationKey, AllocationState, Level, Stored};
use crate::{
    domain::{ids::ProductId, inventory::StockLevel},
    store::{StoreError, document::CONTENDED},
};

/// The most changes in one write.
const JOINED: usize = 256;
/// The most changes that may wait for one product.
const WAITING: usize = 4_096;
/// How often a write is tried while other nodes write the same product.
const TRIES: usize = 40;
/// How many allocations a stock document may contain before they are moved to documents of their own.
const CARRIED: usize = 64;

/// One change to one product's stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StockWrite {
    /// Sets what is available.
    Set(u32),
    /// Sets the available units, if the current number is the one that was read.
    SetIf { seen: i64, available: u32 },
    /// Holds that many units; repeating changes nothing.
    Hold(AllocationKey, u32),
    /// Gives held units back, if they are held.
    Release(AllocationKey),
    /// Sells held units, if they are held.
    Sell(AllocationKey),
    /// Takes sold units back, once.
    Restock(AllocationKey),
}

/// Its outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WriteOutcome {
    /// The stock was changed to this.
    Done(StockLevel),
    /// Nothing had to be changed.
    Was(StockLevel),
    /// Too few units; this many are available.
    Short(i64),
    /// The stock has changed since it was read; this many are available.
    Moved(i64),
    /// There is no stock document for this product.
    NoProduct,
}

impl StockWrite {
    const fn key(self) -> Option<AllocationKey> {
        match self {
            Self::Set(_) | Self::SetIf { .. } => None,
            Self::Hold(key, _) | Self::Release(key) | Self::Sell(key) | Self::Restock(key) => Some(key),
        }
    }
}

impl Level {
    /// Applies a change, if the rules allow it. `moved` has the allocations of the changes' keys that are in
    /// documents of their own; those in the stock document are newer.
    fn apply(&mut self, act: StockWrite, moved: &BTreeMap<AllocationKey, Allocation>) -> WriteOutcome {
        let allocation = act.key().and_then(|key| self.allocations.get(&key).or_else(|| moved.get(&key))).copied();
        let held = allocation.filter(|allocation| allocation.state == AllocationState::Held);
        let (after, next) = match act {
            StockWrite::Set(available) => (self.level.set_available(available), None),
            StockWrite::SetIf { seen, available } => match self.level.set_available_if(seen, available) {
                Ok(after) => (after, None),
                Err(_) => return WriteOutcome::Moved(self.level.available()),
            },
            _ if !self.exists => return WriteOutcome::NoProduct,
            StockWrite::Hold(key, quantity) if allocation.is_none() => match self.level.reserve(quantity) {
                Some(after) => (after, Some((key, Allocation { state: AllocationState::Held, quantity }))),
                None => return WriteOutcome::Short(self.level.available()),
            },
            StockWrite::Release(key) => match held {
                Some(held) => (
                    self.level.release(held.quantity),
                    Some((key, Allocation { state: AllocationState::Released, ..held })),
                ),
                None => return WriteOutcome::Was(self.level),
            },
            StockWrite::Sell(key) => match held {
                Some(held) => {
                    (self.level.commit(held.quantity), Some((key, Allocation { state: AllocationState::Sold, ..held })))
                }
                None => return WriteOutcome::Was(self.level),
            },
            StockWrite::Restock(key) => match allocation.filter(|allocation| allocation.state == AllocationState::Sold)
            {
                Some(sold) => (
                    self.level.restock(sold.quantity),
                    Some((key, Allocation { state: AllocationState::Returned, ..sold })),
                ),
                None => return WriteOutcome::Was(self.level),
            },
            StockWrite::Hold(..) => return WriteOutcome::Was(self.level),
        };
        self.level = after;
        self.allocations.extend(next);
        self.exists = true;
        WriteOutcome::Done(after)
    }
}

struct Waiting {
    act: StockWrite,
    answer: oneshot::Sender<Result<WriteOutcome, StoreError>>,
}

/// The waiting changes by product. A product is in the map while a task works on it.
#[derive(Default)]
pub(in crate::store::mongo) struct WriteBatcher {
    waiting: Mutex<HashMap<ProductId, Vec<Waiting>>>,
}

/// Applies a change and returns once it is written.
pub(super) async fn act(
    batcher: &Arc<WriteBatcher>,
    stored: &Stored,
    product: ProductId,
    act: StockWrite,
) -> Result<WriteOutcome, StoreError> {
    let (answer, answered) = oneshot::channel();
    let first = {
        let mut waiting = batcher.waiting.lock();
        let first = !waiting.contains_key(&product);
        let queue = waiting.entry(product).or_default();
        if queue.len() >= WAITING {
            return Err(StoreError::Busy);
        }
        queue.push(Waiting { act, answer });
        first
    };
    if first {
        // In its own task, because the first caller may give up before the others are answered.
        tokio::spawn(work(Arc::clone(batcher), stored.clone(), product));
    }
    answered.await.unwrap_or(Err(StoreError::Deadline))
}

/// Removes the product's queue when the task ends, even by a panic: the waiting callers see their channels close.
struct Open<'a>(&'a WriteBatcher, ProductId);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.waiting.lock().remove(&self.1);
    }
}

async fn work(batcher: Arc<WriteBatcher>, stored: Stored, product: ProductId) {
    let open = Open(&batcher, product);
    let mut known = None;
    loop {
        let joined = {
            let mut waiting = batcher.waiting.lock();
            let Some(queue) = waiting.get_mut(&product).filter(|queue| !queue.is_empty()) else {
                // Under the lock, so that no change can be queued between this check and the end.
                waiting.remove(&product);
                std::mem::forget(open);
                return;
            };
            let some = queue.len().min(JOINED);
            queue.drain(..some).collect::<Vec<_>>()
        };
        let acts: Vec<StockWrite> = joined.iter().map(|waiting| waiting.act).collect();
        counter!("stock_changes_total").increment(u64::try_from(acts.len()).unwrap_or(u64::MAX));
        let written = write(&stored, product, &acts, &mut known).await;
        match written {
            Ok(outcomes) => {
                for (waiting, outcome) in joined.into_iter().zip(outcomes) {
                    let _gone = waiting.answer.send(Ok(outcome));
                }
            }
            Err(error) => {
                known = None;
                for waiting in joined {
                    let _gone = waiting.answer.send(Err(error.clone()));
                }
            }
        }
        if let Some(level) = known.take_if(|level| level.allocations.len() > CARRIED) {
            // If this fails, the allocations stay in the stock document for now.
            known = stored.move_out(&level).await.unwrap_or_else(|error| {
                tracing::warn!(%error, %product, "could not move allocations out of a stock document");
                None
            });
        }
    }
}

/// Applies changes in one write. `known` is the document as this task last wrote it.
async fn write(
    stored: &Stored,
    product: ProductId,
    acts: &[StockWrite],
    known: &mut Option<Level>,
) -> Result<Vec<WriteOutcome>, StoreError> {
    for pause in CONTENDED.pauses().take(TRIES) {
        let (before, fresh) = match known.take() {
            Some(known) => (known, false),
            None => (stored.load(product).await?, true),
        };
        // Read after the stock document and before writing it: see `level`.
        let elsewhere: Vec<AllocationKey> =
            acts.iter().filter_map(|act| act.key()).filter(|key| !before.allocations.contains_key(key)).collect();
        let moved = stored.moved(product, &elsewhere).await?;
        let mut after = before.clone();
        let outcomes: Vec<WriteOutcome> = acts.iter().map(|act| after.apply(*act, &moved)).collect();
        let all_done = outcomes.iter().all(|outcome| matches!(outcome, WriteOutcome::Done(_)));
        if !fresh && !all_done {
            // The reason for the refusal may have ended on another node.
            continue;
        }
        if after == before || put(stored, &before, &after).await? {
            *known = after.exists.then_some(after);
            return Ok(outcomes);
        }
        let jitter = Duration::from_micros(rand::random_range(0..1_000));
        tokio::time::sleep(pause + jitter).await;
    }
    Err(StoreError::Busy)
}

async fn put(stored: &Stored, before: &Level, after: &Level) -> Result<bool, StoreError> {
    let written = stored.put(before, after).await?;
    let outcome = if written { "written" } else { "overtaken" };
    counter!("stock_writes_total", "outcome" => outcome).increment(1);
    Ok(written)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::ids::OrderId;

    proptest! {
        /// Changes may be repeated and allocations moved out at any time, and the sums still hold.
        #[test]
        fn reserved_and_sold_are_the_sums_of_the_shares(
            acts in proptest::collection::vec((0..7_u8, 0..6_usize, 1..9_u32), 1..200),
        ) {
            let orders: Vec<OrderId> = (0..6).map(|_| OrderId::generate()).collect();
            let (mut level, mut moved) = (Level::empty(ProductId::generate()), BTreeMap::new());
            level.apply(StockWrite::Set(20), &moved);
            let mut received = 20_i64;
            for (kind, order, quantity) in acts {
                let key = AllocationKey { order: orders[order], attempt: 1 };
                let act = match kind {
                    0 => StockWrite::Set(quantity),
                    1 => StockWrite::Hold(key, quantity),
                    2 => StockWrite::Release(key),
                    3 => StockWrite::Sell(key),
                    4 => StockWrite::Restock(key),
                    5 => StockWrite::SetIf { seen: i64::from(quantity), available: 7 },
                    _ => {
                        moved.extend(std::mem::take(&mut level.allocations));
                        continue;
                    }
                };
                let before = level.clone();
                let outcome = level.apply(act, &moved);
                if !matches!(outcome, WriteOutcome::Done(_)) {
                    prop_assert_eq!(&level, &before);
                }
                match act {
                    StockWrite::Set(available) => received += i64::from(available) - before.level.available(),
                    StockWrite::SetIf { seen, available } => {
                        prop_assert_eq!(matches!(outcome, WriteOutcome::Done(_)), before.level.available() == seen);
                        received += level.level.available() - before.level.available();
                        prop_assert!(seen != before.level.available() || level.level.available() == i64::from(available));
                    }
                    _ => {}
                }
                let mut all = moved.clone();
                all.extend(level.allocations.clone());
                let sum = |state| -> i64 {
                    all.values().filter(|allocation| allocation.state == state).map(|allocation| i64::from(allocation.quantity)).sum()
                };
                prop_assert_eq!(level.level.reserved, sum(AllocationState::Held));
                prop_assert_eq!(level.level.sold, sum(AllocationState::Sold));
                prop_assert_eq!(level.level.available() + level.level.reserved + level.level.sold, received);
                prop_assert!(level.level.available() >= 0);
            }
        }
    }
}
