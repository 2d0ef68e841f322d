//! Carries out a reservation's decision on each of its products.
//!
//! A decision is written first (`Reserving`, `Committing`, ...), then carried out for each product, then written as
//! done. Each product's step is idempotent: units are held, sold and released by the order's allocation, which exists
//! once. Any caller that finds an unfinished decision, after a crash or while another caller works on it, finishes
//! it.
//!
//! **Invariant:** a product's stock changes only for a decision that is already written.

use std::{collections::BTreeMap, sync::Arc};

use bson::Document;
use futures_util::future::join_all;
use mongodb::Collection;
use parking_lot::Mutex;

use super::{
    batcher::{self, StockWrite, WriteBatcher, WriteOutcome},
    level::{AllocationKey, Stored},
    reservation::{self, Step, StoredReservation},
};
use crate::{
    domain::{
        Timestamp,
        ids::{OrderId, ProductId},
        inventory::{Shortage, StockError, StockLevel, StockLine},
    },
    store::{
        StoreError,
        inventory::{Fence, StockMove, StockStoreError},
    },
};

/// How often a decision is retried while other callers decide about the same order.
const TRIES: u32 = 30;

/// Carries out reservations in a database.
#[derive(Clone)]
pub(super) struct ReservationExecutor {
    pub reservations: Collection<Document>,
    pub stock: Stored,
    pub batcher: Arc<WriteBatcher>,
    /// The stock that this call changed, including for decisions that another caller finished.
    pub changed: Arc<Mutex<BTreeMap<ProductId, StockLevel>>>,
}

/// The result of carrying out a written decision.
enum Executed {
    /// It is done.
    Done(StockMove),
    /// Another caller decided meanwhile: read again. Contains the stock that was changed until then.
    Overtaken(Vec<StockLevel>),
}

impl ReservationExecutor {
    pub(super) async fn act(&self, product: ProductId, act: StockWrite) -> Result<WriteOutcome, StoreError> {
        let outcome = batcher::act(&self.batcher, &self.stock, product, act).await?;
        if let WriteOutcome::Done(level) = outcome {
            let mut changed = self.changed.lock();
            let newest = changed.entry(product).or_insert(level);
            if newest.version < level.version {
                *newest = level;
            }
        }
        Ok(outcome)
    }

    pub(super) async fn reserve(
        &self,
        order: OrderId,
        lines: Vec<StockLine>,
        expires_at: Timestamp,
    ) -> Result<StockMove, StockStoreError> {
        for _ in 0..TRIES {
            let next = match self.settled(order).await? {
                None => StoredReservation::new(order, Step::Reserving, lines.clone(), expires_at),
                Some(current) if current.step == Step::Failed => StoredReservation {
                    attempt: current.attempt + 1,
                    lines: lines.clone(),
                    expires_at,
                    ..current.to(Step::Reserving, None)
                },
                Some(current) => return current.unless_released(),
            };
            if let Some(decided) = reservation::put(&self.reservations, next).await?
                && let Executed::Done(moved) = self.take(decided, Step::Held, Step::Failed).await?
            {
                return Ok(moved);
            }
        }
        Err(StoreError::Busy.into())
    }

    pub(super) async fn commit(&self, order: OrderId, fence: Fence) -> Result<StockMove, StockStoreError> {
        for _ in 0..TRIES {
            let current = self.settled(order).await?.filter(|current| current.step != Step::Failed);
            let current = current.ok_or(StockError::NoReservation)?;
            if current.overrules(fence) || current.step == Step::Released {
                return current.unless_released();
            }
            if let Some(moved) = self.sell(current, fence).await? {
                return Ok(moved);
            }
        }
        Err(StoreError::Busy.into())
    }

    pub(super) async fn retake(
        &self,
        order: OrderId,
        lines: Vec<StockLine>,
        fence: Fence,
    ) -> Result<StockMove, StockStoreError> {
        for _ in 0..TRIES {
            let current = self.settled(order).await?;
            let was_released = current.as_ref().is_some_and(|current| current.step == Step::Released);
            let refused = if was_released { Step::Released } else { Step::Failed };
            let next = match current {
                None => {
                    let made = StoredReservation::new(order, Step::Retaking, lines.clone(), Timestamp::now());
                    made.to(Step::Retaking, fence)
                }
                Some(current) if current.step == Step::Failed || current.step == Step::Released => {
                    if current.overrules(fence) {
                        return current.unless_released();
                    }
                    StoredReservation {
                        attempt: current.attempt + 1,
                        lines: lines.clone(),
                        ..current.to(Step::Retaking, fence)
                    }
                }
                Some(current) if current.overrules(fence) => return current.unless_released(),
                Some(current) => match self.sell(current, fence).await? {
                    Some(moved) => return Ok(moved),
                    None => continue,
                },
            };
            let Some(decided) = reservation::put(&self.reservations, next).await? else { continue };
            if let Executed::Done(moved) = self.take(decided, Step::Committing, refused).await? {
                return Ok(moved);
            }
        }
        Err(StoreError::Busy.into())
    }

    pub(super) async fn release(&self, order: OrderId, fence: Fence) -> Result<StockMove, StoreError> {
        for _ in 0..TRIES {
            let current = match self.settled(order).await? {
                Some(current) if current.overrules(fence) => return Ok(current.unmoved()),
                Some(current) => current,
                // Written as released, so that a late `reserve` is refused.
                None => StoredReservation::new(order, Step::Failed, vec![], Timestamp::now()),
            };
            let next = match current.step {
                Step::Held => current.to(Step::Releasing, fence),
                Step::Committed => current.to(Step::Returning, fence),
                Step::Failed => StoredReservation { lines: vec![], ..current.to(Step::Released, fence) },
                _ if current.to(current.step, fence).fence == current.fence => return Ok(current.unmoved()),
                _ => current.to(Step::Released, fence),
            };
            let Some(decided) = reservation::put(&self.reservations, next).await? else { continue };
            if decided.step == Step::Released {
                return Ok(decided.unmoved());
            }
            if let Executed::Done(moved) = self.give_back(decided).await? {
                return Ok(moved);
            }
        }
        Err(StoreError::Busy)
    }

    /// Releases expired reservations, and finishes those that a crash interrupted.
    pub(super) async fn release_expired(&self, now: Timestamp, limit: u32) -> Result<Vec<StockMove>, StoreError> {
        let steps = [Step::Held, Step::Reserving, Step::Releasing];
        let mut moves = vec![];
        for current in reservation::expired(&self.reservations, &steps, now, limit).await? {
            let decided = match current.step {
                Step::Releasing => Some(current),
                _ => reservation::put(&self.reservations, current.to(Step::Releasing, None)).await?,
            };
            // Otherwise another caller sold or released it at the same moment.
            if let Some(decided) = decided
                && let Executed::Done(moved) = self.give_back(decided).await?
            {
                moves.push(moved);
            }
        }
        Ok(moves)
    }

    /// The order's reservation, after finishing any unfinished decision.
    async fn settled(&self, order: OrderId) -> Result<Option<StoredReservation>, StoreError> {
        for _ in 0..TRIES {
            let Some(current) = reservation::load(&self.reservations, order).await? else { return Ok(None) };
            let executed = match current.step {
                Step::Failed | Step::Held | Step::Committed | Step::Released => return Ok(Some(current)),
                Step::Reserving => self.take(current, Step::Held, Step::Failed).await.map(|_| ()),
                Step::Retaking => self.take(current, Step::Committing, Step::Released).await.map(|_| ()),
                Step::Committing => self.finish_selling(current).await.map(|_| ()).map_err(StockStoreError::from),
                Step::Releasing | Step::Returning => {
                    self.give_back(current).await.map(|_| ()).map_err(StockStoreError::from)
                }
            };
            match executed {
                Ok(()) | Err(StockStoreError::Rule(_)) => {}
                Err(StockStoreError::Store(error)) => return Err(error),
            }
        }
        Err(StoreError::Busy)
    }

    /// Holds all lines of a decision, or none, and writes the step `then`, or `otherwise`.
    async fn take(&self, decided: StoredReservation, then: Step, otherwise: Step) -> Result<Executed, StockStoreError> {
        let key = decided.key();
        let held = self.each(&decided.lines, |line| StockWrite::Hold(key, line.quantity)).await?;
        let (mut changed, mut short, mut missing) = (vec![], vec![], false);
        for (line, outcome) in decided.lines.iter().zip(held) {
            match outcome {
                WriteOutcome::Done(level) => changed.push(level),
                WriteOutcome::Was(_) => {}
                WriteOutcome::Short(available) => {
                    short.push(Shortage { product: line.product, requested: line.quantity, available });
                }
                WriteOutcome::NoProduct | WriteOutcome::Moved(_) => missing = true,
            }
        }
        if missing || !short.is_empty() {
            self.each(&decided.lines, |_| StockWrite::Release(key)).await?;
            // The document is written last: until then any caller continues the release.
            let Some(_) = reservation::put(&self.reservations, decided.to(otherwise, None)).await? else {
                return Ok(Executed::Overtaken(changed));
            };
            return Err(if missing { StockError::NoSuchProduct } else { StockError::Short(short) }.into());
        }
        let Some(done) = reservation::put(&self.reservations, decided.to(then, None)).await? else {
            self.undo_if_not_wanted(&decided, key).await?;
            return Ok(Executed::Overtaken(changed));
        };
        if done.step == Step::Committing {
            return Ok(match self.finish_selling(done).await? {
                Executed::Done(moved) => Executed::Done(moved),
                Executed::Overtaken(more) => Executed::Overtaken([changed, more].concat()),
            });
        }
        Ok(Executed::Done(StockMove { reservation: done.reservation(), changed }))
    }

    /// Releases what was held for a decision that another caller has ended meanwhile: it may have finished with these
    /// products before they were held here.
    async fn undo_if_not_wanted(&self, decided: &StoredReservation, key: AllocationKey) -> Result<(), StoreError> {
        let wanted = match reservation::load(&self.reservations, decided.order).await? {
            Some(now) if now.attempt == decided.attempt => {
                matches!(now.step, Step::Reserving | Step::Held | Step::Retaking | Step::Committing)
            }
            _ => false,
        };
        if !wanted {
            self.each(&decided.lines, |_| StockWrite::Release(key)).await?;
        }
        Ok(())
    }

    /// Sells what is held, or raises the fence of what is sold; `None` means read again.
    async fn sell(&self, current: StoredReservation, fence: Fence) -> Result<Option<StockMove>, StoreError> {
        let next = match current.step {
            Step::Held => current.to(Step::Committing, fence),
            _ if current.to(current.step, fence).fence == current.fence => return Ok(Some(current.unmoved())),
            step => current.to(step, fence),
        };
        let Some(decided) = reservation::put(&self.reservations, next).await? else { return Ok(None) };
        if decided.step == Step::Committed {
            return Ok(Some(decided.unmoved()));
        }
        Ok(match self.finish_selling(decided).await? {
            Executed::Done(moved) => Some(moved),
            Executed::Overtaken(_) => None,
        })
    }

    async fn finish_selling(&self, decided: StoredReservation) -> Result<Executed, StoreError> {
        let key = decided.key();
        self.finish(decided, Step::Committed, |_| StockWrite::Sell(key)).await
    }

    async fn give_back(&self, decided: StoredReservation) -> Result<Executed, StoreError> {
        let key = decided.key();
        if decided.step == Step::Returning {
            return self.finish(decided, Step::Released, |_| StockWrite::Restock(key)).await;
        }
        self.finish(decided, Step::Released, |_| StockWrite::Release(key)).await
    }

    async fn finish(
        &self,
        decided: StoredReservation,
        then: Step,
        act: impl Fn(&StockLine) -> StockWrite,
    ) -> Result<Executed, StoreError> {
        let outcomes = self.each(&decided.lines, act).await?;
        let done = |outcome| if let WriteOutcome::Done(level) = outcome { Some(level) } else { None };
        let changed: Vec<StockLevel> = outcomes.into_iter().filter_map(done).collect();
        Ok(match reservation::put(&self.reservations, decided.to(then, None)).await? {
            Some(done) => Executed::Done(StockMove { reservation: done.reservation(), changed }),
            None => Executed::Overtaken(changed),
        })
    }

    async fn each(
        &self,
        lines: &[StockLine],
        act: impl Fn(&StockLine) -> StockWrite,
    ) -> Result<Vec<WriteOutcome>, StoreError> {
        let acts = lines.iter().map(|line| self.act(line.product, act(line)));
        join_all(acts).await.into_iter().collect()
    }
}
