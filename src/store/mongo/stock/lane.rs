//! What waits for one product is joined into one write.
//!
//! A product that many want at once would otherwise be written by each of them, and each
//! write but one would be in vain. Here the first comer carries out what waits, in the order
//! in which it came, and writes once; what comes meanwhile is the next write.
//!
//! **Invariant:** every act is answered, after the write that it is part of.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use metrics::counter;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::level::{HoldKey, Level, Share, Stage, Stored};
use crate::{
    domain::{ids::ProductId, inventory::StockLevel},
    store::StoreError,
};

/// How many acts one write carries out at most.
const JOINED: usize = 256;
/// How many acts wait for one product at most.
const WAITING: usize = 4_096;
/// How often a write is tried while other nodes write the same product.
const TRIES: u32 = 40;
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_millis(40);
/// How many shares a stock document carries before they are moved out of it.
const CARRIED: usize = 64;

/// One change to one product's stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// Sets what is available.
    Set(u32),
    /// Sets what is available, if that is what was seen.
    SetIf { seen: i64, available: u32 },
    /// Holds that many units, once.
    Hold(HoldKey, u32),
    /// Gives held units back, if they are held.
    Release(HoldKey),
    /// Sells held units, if they are held.
    Sell(HoldKey),
    /// Takes sold units back, once.
    Restock(HoldKey),
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The stock is so now.
    Done(StockLevel),
    /// It was so before.
    Was(StockLevel),
    /// Not enough; so many are available.
    Short(i64),
    /// It is not what was seen; so many are available.
    Moved(i64),
    /// No stock is kept of it.
    NoProduct,
}

impl Act {
    const fn key(self) -> Option<HoldKey> {
        match self {
            Self::Set(_) | Self::SetIf { .. } => None,
            Self::Hold(key, _) | Self::Release(key) | Self::Sell(key) | Self::Restock(key) => Some(key),
        }
    }
}

impl Level {
    /// Carries an act out, if the rules allow it. `moved` are the shares of the acts' keys
    /// that are in documents of their own; what the stock document carries is newer.
    fn apply(&mut self, act: Act, moved: &BTreeMap<HoldKey, Share>) -> Outcome {
        let share = act.key().and_then(|key| self.shares.get(&key).or_else(|| moved.get(&key))).copied();
        let held = share.filter(|share| share.stage == Stage::Held);
        let (after, next) = match act {
            Act::Set(available) => (self.level.set_available(available), None),
            Act::SetIf { seen, available } => match self.level.set_available_if(seen, available) {
                Ok(after) => (after, None),
                Err(_) => return Outcome::Moved(self.level.available()),
            },
            _ if !self.exists => return Outcome::NoProduct,
            Act::Hold(key, quantity) if share.is_none() => match self.level.reserve(quantity) {
                Some(after) => (after, Some((key, Share { stage: Stage::Held, quantity }))),
                None => return Outcome::Short(self.level.available()),
            },
            Act::Release(key) => match held {
                Some(held) => {
                    (self.level.release(held.quantity), Some((key, Share { stage: Stage::Released, ..held })))
                }
                None => return Outcome::Was(self.level),
            },
            Act::Sell(key) => match held {
                Some(held) => (self.level.commit(held.quantity), Some((key, Share { stage: Stage::Sold, ..held }))),
                None => return Outcome::Was(self.level),
            },
            Act::Restock(key) => match share.filter(|share| share.stage == Stage::Sold) {
                Some(sold) => {
                    (self.level.restock(sold.quantity), Some((key, Share { stage: Stage::Returned, ..sold })))
                }
                None => return Outcome::Was(self.level),
            },
            Act::Hold(..) => return Outcome::Was(self.level),
        };
        self.level = after;
        self.shares.extend(next);
        self.exists = true;
        Outcome::Done(after)
    }
}

struct Waiting {
    act: Act,
    answer: oneshot::Sender<Result<Outcome, StoreError>>,
}

/// What waits, by product. A product is in here while somebody works on it.
#[derive(Default)]
pub(in crate::store::mongo) struct Lanes {
    waiting: Mutex<HashMap<ProductId, Vec<Waiting>>>,
}

/// Carries an act out and answers when it is written.
pub(super) async fn act(
    lanes: &Arc<Lanes>,
    stored: &Stored,
    product: ProductId,
    act: Act,
) -> Result<Outcome, StoreError> {
    let (answer, answered) = oneshot::channel();
    let first = {
        let mut waiting = lanes.waiting.lock();
        let first = !waiting.contains_key(&product);
        let lane = waiting.entry(product).or_default();
        if lane.len() >= WAITING {
            return Err(StoreError::Busy);
        }
        lane.push(Waiting { act, answer });
        first
    };
    if first {
        // On its own, since the first comer may give up before the others are served.
        tokio::spawn(work(Arc::clone(lanes), stored.clone(), product));
    }
    answered.await.unwrap_or(Err(StoreError::Deadline))
}

/// Ends the lane when whoever works on it goes away, even by a panic: those who wait are
/// told by their closed channels.
struct Open<'a>(&'a Lanes, ProductId);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.waiting.lock().remove(&self.1);
    }
}

async fn work(lanes: Arc<Lanes>, stored: Stored, product: ProductId) {
    let open = Open(&lanes, product);
    let mut known = None;
    loop {
        let joined = {
            let mut waiting = lanes.waiting.lock();
            let Some(lane) = waiting.get_mut(&product).filter(|lane| !lane.is_empty()) else {
                // Under the lock: nobody comes in between this look and the end.
                waiting.remove(&product);
                std::mem::forget(open);
                return;
            };
            let some = lane.len().min(JOINED);
            lane.drain(..some).collect::<Vec<_>>()
        };
        let acts: Vec<Act> = joined.iter().map(|waiting| waiting.act).collect();
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
        if let Some(level) = known.take_if(|level| level.shares.len() > CARRIED) {
            // If it fails they are carried a while longer.
            known = stored.move_out(&level).await.unwrap_or_else(|error| {
                tracing::warn!(%error, %product, "shares of a stock were not moved out");
                None
            });
        }
    }
}

/// Carries acts out in one write. `known` is the document as this lane wrote it last.
async fn write(
    stored: &Stored,
    product: ProductId,
    acts: &[Act],
    known: &mut Option<Level>,
) -> Result<Vec<Outcome>, StoreError> {
    let mut pause = Duration::from_millis(1);
    for _ in 0..TRIES {
        let (before, fresh) = match known.take() {
            Some(known) => (known, false),
            None => (stored.load(product).await?, true),
        };
        // After the stock document and before it is written: see `level`.
        let elsewhere: Vec<HoldKey> =
            acts.iter().filter_map(|act| act.key()).filter(|key| !before.shares.contains_key(key)).collect();
        let moved = stored.moved(product, &elsewhere).await?;
        let mut after = before.clone();
        let outcomes: Vec<Outcome> = acts.iter().map(|act| after.apply(*act, &moved)).collect();
        let all_done = outcomes.iter().all(|outcome| matches!(outcome, Outcome::Done(_)));
        if !fresh && !all_done {
            // What refuses may be long over on another node.
            continue;
        }
        if after == before || put(stored, &before, &after).await? {
            *known = after.exists.then_some(after);
            return Ok(outcomes);
        }
        let jitter = Duration::from_micros(rand::random_range(0..1_000));
        tokio::time::sleep(pause + jitter).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
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
        /// Each act may come again at any time, shares may be moved out between any two, and
        /// the sums hold.
        #[test]
        fn reserved_and_sold_are_the_sums_of_the_shares(
            acts in proptest::collection::vec((0..7_u8, 0..6_usize, 1..9_u32), 1..200),
        ) {
            let orders: Vec<OrderId> = (0..6).map(|_| OrderId::generate()).collect();
            let (mut level, mut moved) = (Level::empty(ProductId::generate()), BTreeMap::new());
            level.apply(Act::Set(20), &moved);
            let mut received = 20_i64;
            for (kind, order, quantity) in acts {
                let key = HoldKey { order: orders[order], attempt: 1 };
                let act = match kind {
                    0 => Act::Set(quantity),
                    1 => Act::Hold(key, quantity),
                    2 => Act::Release(key),
                    3 => Act::Sell(key),
                    4 => Act::Restock(key),
                    5 => Act::SetIf { seen: i64::from(quantity), available: 7 },
                    _ => {
                        moved.extend(std::mem::take(&mut level.shares));
                        continue;
                    }
                };
                let before = level.clone();
                let outcome = level.apply(act, &moved);
                if !matches!(outcome, Outcome::Done(_)) {
                    prop_assert_eq!(&level, &before);
                }
                match act {
                    Act::Set(available) => received += i64::from(available) - before.level.available(),
                    Act::SetIf { seen, available } => {
                        prop_assert_eq!(matches!(outcome, Outcome::Done(_)), before.level.available() == seen);
                        received += level.level.available() - before.level.available();
                        prop_assert!(seen != before.level.available() || level.level.available() == i64::from(available));
                    }
                    _ => {}
                }
                let mut all = moved.clone();
                all.extend(level.shares.clone());
                let sum = |stage| -> i64 {
                    all.values().filter(|share| share.stage == stage).map(|share| i64::from(share.quantity)).sum()
                };
                prop_assert_eq!(level.level.reserved, sum(Stage::Held));
                prop_assert_eq!(level.level.sold, sum(Stage::Sold));
                prop_assert_eq!(level.level.available() + level.level.reserved + level.level.sold, received);
                prop_assert!(level.level.available() >= 0);
            }
        }
    }
}
