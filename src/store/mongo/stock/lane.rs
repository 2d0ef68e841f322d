//! What waits for one product is joined into one write.
//!
//! A product that many want at once would otherwise be written by each of them, and each
//! write but one would be in vain. Here the first comer carries out what waits, in the order
//! in which it came, and writes once; what comes meanwhile is the next write.
//!
//! **Invariant:** every act is answered, after the write that it is part of.

use std::{collections::HashMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::level::{HoldKey, Level, Stored};
use crate::{
    domain::{Timestamp, ids::ProductId, inventory::StockLevel},
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
/// For how long it is remembered that a hold ended: longer than any call takes.
const REMEMBER_ENDED: i64 = 30_000_000;
/// For how long it is remembered that units came back.
const REMEMBER_RETURNS: i64 = 600_000_000;

/// One change to one product's stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// Sets what is available.
    Set(u32),
    /// Holds that many units, once.
    Hold(HoldKey, u32),
    /// Gives held units back, if they are held.
    Release(HoldKey),
    /// Sells held units, if they are held.
    Sell(HoldKey),
    /// Takes that many sold units back, once.
    Restock(HoldKey, u32),
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
    /// No stock is kept of it.
    NoProduct,
}

impl Level {
    /// Carries an act out, if the rules allow it.
    fn apply(&mut self, act: Act, now: i64) -> Outcome {
        let after = match act {
            Act::Set(available) => Some(self.level.set_available(available)),
            _ if !self.exists => return Outcome::NoProduct,
            Act::Hold(key, _) if self.holds.contains_key(&key) || self.ended.contains_key(&key) => None,
            Act::Hold(key, quantity) => {
                let Some(held) = self.level.reserve(quantity) else { return Outcome::Short(self.level.available()) };
                self.holds.insert(key, quantity);
                Some(held)
            }
            Act::Release(key) => self.end(key, now).map(|quantity| self.level.release(quantity)),
            Act::Sell(key) => self.end(key, now).map(|quantity| self.level.commit(quantity)),
            Act::Restock(key, _) if self.returns.contains_key(&key) => None,
            Act::Restock(key, quantity) => {
                self.returns.retain(|_, at| *at > now - REMEMBER_RETURNS);
                self.returns.insert(key, now);
                Some(self.level.restock(quantity))
            }
        };
        let Some(after) = after else { return Outcome::Was(self.level) };
        self.level = after;
        self.exists = true;
        Outcome::Done(after)
    }

    /// Takes a hold out; returns how many units it was of, if it was there.
    fn end(&mut self, key: HoldKey, now: i64) -> Option<u32> {
        let quantity = self.holds.remove(&key)?;
        self.ended.retain(|_, at| *at > now - REMEMBER_ENDED);
        self.ended.insert(key, now);
        Some(quantity)
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
        match write(&stored, product, &acts, &mut known).await {
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
        let mut after = before.clone();
        let now = Timestamp::now().as_microsecond();
        let outcomes: Vec<Outcome> = acts.iter().map(|act| after.apply(*act, now)).collect();
        let all_done = outcomes.iter().all(|outcome| matches!(outcome, Outcome::Done(_)));
        if !fresh && !all_done {
            // What refuses may be long over on another node.
            continue;
        }
        if after == before || stored.put(&before, &after).await? {
            *known = after.exists.then_some(after);
            return Ok(outcomes);
        }
        let jitter = Duration::from_micros(rand::random_range(0..1_000));
        tokio::time::sleep(pause + jitter).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    Err(StoreError::Busy)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::ids::OrderId;

    fn act() -> impl Strategy<Value = (u8, u8, u32)> {
        (0..5_u8, 0..6_u8, 1..9_u32)
    }

    proptest! {
        /// Each act may come again at any time, and the sums hold.
        #[test]
        fn reserved_is_the_sum_of_the_holds(acts in proptest::collection::vec(act(), 1..200)) {
            let orders: Vec<OrderId> = (0..6).map(|_| OrderId::generate()).collect();
            let mut level = Level::empty(ProductId::generate());
            level.apply(Act::Set(20), 0);
            let mut received = 20_i64;
            let mut sold: BTreeMap<HoldKey, u32> = BTreeMap::new();
            for (kind, order, quantity) in acts {
                let key = HoldKey { order: orders[usize::from(order)], attempt: 1 };
                let act = match kind {
                    0 => Act::Set(quantity),
                    1 => Act::Hold(key, quantity),
                    2 => Act::Release(key),
                    3 => Act::Sell(key),
                    // Only what was sold comes back: the reservation's state sees to that.
                    _ => match sold.get(&key) {
                        Some(quantity) => Act::Restock(key, *quantity),
                        None => continue,
                    },
                };
                let (before, held) = (level.clone(), level.holds.get(&key).copied());
                let outcome = level.apply(act, 1);
                let done = matches!(outcome, Outcome::Done(_));
                if !done {
                    prop_assert_eq!(&level, &before);
                }
                match act {
                    Act::Set(available) => received += i64::from(available) - before.level.available(),
                    Act::Sell(key) if done => { sold.insert(key, held.unwrap_or(0)); }
                    _ => {}
                }
                let holds: i64 = level.holds.values().map(|quantity| i64::from(*quantity)).sum();
                prop_assert_eq!(level.level.reserved, holds);
                prop_assert_eq!(level.level.available() + level.level.reserved + level.level.sold, received);
                prop_assert!(level.level.available() >= 0);
            }
        }
    }
}
