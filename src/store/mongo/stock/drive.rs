//! Carries a reservation's decision out over its products.
//!
//! A decision is written first (`Reserving`, `Committing`, ...), then done to each product,
//! then written as done. Each product's step may be repeated: units are held, sold and given
//! back by the order's hold, which is there once, and come back once. Whoever finds a
//! decision that is not done, after a crash or beside the one who is at it, finishes it.
//!
//! **Invariant:** nothing is done to a product for a decision that is not written.

use std::{collections::BTreeMap, sync::Arc};

use bson::Document;
use futures_util::future::join_all;
use mongodb::Collection;
use parking_lot::Mutex;

use super::{
    lane::{self, Act, Lanes, Outcome},
    level::{HoldKey, Stored},
    reservation::{self, Known, Step},
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

/// How often a decision is made anew while others decide about the same order.
const TRIES: u32 = 30;

/// Whatever a reservation's steps need.
#[derive(Clone)]
pub(super) struct Drive {
    pub reservations: Collection<Document>,
    pub stock: Stored,
    pub lanes: Arc<Lanes>,
    /// What this call changed, also for decisions that somebody else ended.
    pub changed: Arc<Mutex<BTreeMap<ProductId, StockLevel>>>,
}

/// What came of a written decision.
enum Driven {
    /// It is done.
    Done(StockMove),
    /// Somebody else decided meanwhile: look again. What was changed on the way.
    Overtaken(Vec<StockLevel>),
}

impl Drive {
    pub(super) async fn act(&self, product: ProductId, act: Act) -> Result<Outcome, StoreError> {
        let outcome = lane::act(&self.lanes, &self.stock, product, act).await?;
        if let Outcome::Done(level) = outcome {
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
                None => Known::new(order, Step::Reserving, lines.clone(), expires_at),
                Some(known) if known.step == Step::Failed => Known {
                    attempt: known.attempt + 1,
                    lines: lines.clone(),
                    expires_at,
                    ..known.to(Step::Reserving, None)
                },
                Some(known) => return known.unless_released(),
            };
            if let Some(decided) = reservation::put(&self.reservations, next).await?
                && let Driven::Done(moved) = self.take(decided, Step::Held, Step::Failed).await?
            {
                return Ok(moved);
            }
        }
        Err(StoreError::Busy.into())
    }

    pub(super) async fn commit(&self, order: OrderId, fence: Fence) -> Result<StockMove, StockStoreError> {
        for _ in 0..TRIES {
            let known = self.settled(order).await?.filter(|known| known.step != Step::Failed);
            let known = known.ok_or(StockError::NoReservation)?;
            if known.overrules(fence) || known.step == Step::Released {
                return known.unless_released();
            }
            if let Some(moved) = self.sell(known, fence).await? {
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
            let known = self.settled(order).await?;
            let was_released = known.as_ref().is_some_and(|known| known.step == Step::Released);
            let refused = if was_released { Step::Released } else { Step::Failed };
            let next = match known {
                None => {
                    let made = Known::new(order, Step::Retaking, lines.clone(), Timestamp::now());
                    made.to(Step::Retaking, fence)
                }
                Some(known) if known.step == Step::Failed || known.step == Step::Released => {
                    if known.overrules(fence) {
                        return known.unless_released();
                    }
                    Known { attempt: known.attempt + 1, lines: lines.clone(), ..known.to(Step::Retaking, fence) }
                }
                Some(known) if known.overrules(fence) => return known.unless_released(),
                Some(known) => match self.sell(known, fence).await? {
                    Some(moved) => return Ok(moved),
                    None => continue,
                },
            };
            let Some(decided) = reservation::put(&self.reservations, next).await? else { continue };
            if let Driven::Done(moved) = self.take(decided, Step::Committing, refused).await? {
                return Ok(moved);
            }
        }
        Err(StoreError::Busy.into())
    }

    pub(super) async fn release(&self, order: OrderId, fence: Fence) -> Result<StockMove, StoreError> {
        for _ in 0..TRIES {
            let known = match self.settled(order).await? {
                Some(known) if known.overrules(fence) => return Ok(known.unmoved()),
                Some(known) => known,
                // Written as released, so that a late `reserve` is refused.
                None => Known::new(order, Step::Failed, vec![], Timestamp::now()),
            };
            let next = match known.step {
                Step::Held => known.to(Step::Releasing, fence),
                Step::Committed => known.to(Step::Returning, fence),
                Step::Failed => Known { lines: vec![], ..known.to(Step::Released, fence) },
                _ if known.to(known.step, fence).fence == known.fence => return Ok(known.unmoved()),
                _ => known.to(Step::Released, fence),
            };
            let Some(decided) = reservation::put(&self.reservations, next).await? else { continue };
            if decided.step == Step::Released {
                return Ok(decided.unmoved());
            }
            if let Driven::Done(moved) = self.give_back(decided).await? {
                return Ok(moved);
            }
        }
        Err(StoreError::Busy)
    }

    /// Releases what is held longer than it may be, and finishes what a crash left half done.
    pub(super) async fn release_expired(&self, now: Timestamp, limit: u32) -> Result<Vec<StockMove>, StoreError> {
        let steps = [Step::Held, Step::Reserving, Step::Releasing];
        let mut moves = vec![];
        for known in reservation::expired(&self.reservations, &steps, now, limit).await? {
            let decided = match known.step {
                Step::Releasing => Some(known),
                _ => reservation::put(&self.reservations, known.to(Step::Releasing, None)).await?,
            };
            // Otherwise it was sold or released by somebody in the same moment.
            if let Some(decided) = decided
                && let Driven::Done(moved) = self.give_back(decided).await?
            {
                moves.push(moved);
            }
        }
        Ok(moves)
    }

    /// The order's reservation, with no decision of it left half done.
    async fn settled(&self, order: OrderId) -> Result<Option<Known>, StoreError> {
        for _ in 0..TRIES {
            let Some(known) = reservation::load(&self.reservations, order).await? else { return Ok(None) };
            let driven = match known.step {
                Step::Failed | Step::Held | Step::Committed | Step::Released => return Ok(Some(known)),
                Step::Reserving => self.take(known, Step::Held, Step::Failed).await.map(|_| ()),
                Step::Retaking => self.take(known, Step::Committing, Step::Released).await.map(|_| ()),
                Step::Committing => self.finish_selling(known).await.map(|_| ()).map_err(StockStoreError::from),
                Step::Releasing | Step::Returning => {
                    self.give_back(known).await.map(|_| ()).map_err(StockStoreError::from)
                }
            };
            match driven {
                Ok(()) | Err(StockStoreError::Rule(_)) => {}
                Err(StockStoreError::Store(error)) => return Err(error),
            }
        }
        Err(StoreError::Busy)
    }

    /// Holds all lines of a decision, or none; then `then`, or `otherwise`.
    async fn take(&self, decided: Known, then: Step, otherwise: Step) -> Result<Driven, StockStoreError> {
        let key = decided.key();
        let held = self.each(&decided.lines, |line| Act::Hold(key, line.quantity)).await?;
        let (mut changed, mut short, mut missing) = (vec![], vec![], false);
        for (line, outcome) in decided.lines.iter().zip(held) {
            match outcome {
                Outcome::Done(level) => changed.push(level),
                Outcome::Was(_) => {}
                Outcome::Short(available) => {
                    short.push(Shortage { product: line.product, requested: line.quantity, available });
                }
                Outcome::NoProduct | Outcome::Moved(_) => missing = true,
            }
        }
        if missing || !short.is_empty() {
            self.each(&decided.lines, |_| Act::Release(key)).await?;
            // The document is told last: until then anybody who looks goes on giving back.
            let Some(_) = reservation::put(&self.reservations, decided.to(otherwise, None)).await? else {
                return Ok(Driven::Overtaken(changed));
            };
            return Err(if missing { StockError::NoSuchProduct } else { StockError::Short(short) }.into());
        }
        let Some(done) = reservation::put(&self.reservations, decided.to(then, None)).await? else {
            self.undo_if_not_wanted(&decided, key).await?;
            return Ok(Driven::Overtaken(changed));
        };
        if done.step == Step::Committing {
            return Ok(match self.finish_selling(done).await? {
                Driven::Done(moved) => Driven::Done(moved),
                Driven::Overtaken(more) => Driven::Overtaken([changed, more].concat()),
            });
        }
        Ok(Driven::Done(StockMove { reservation: done.reservation(), changed }))
    }

    /// Gives back what was held for a decision that somebody else has ended meanwhile: he
    /// may have been done with these products before we came to them.
    async fn undo_if_not_wanted(&self, decided: &Known, key: HoldKey) -> Result<(), StoreError> {
        let wanted = match reservation::load(&self.reservations, decided.order).await? {
            Some(now) if now.attempt == decided.attempt => {
                matches!(now.step, Step::Reserving | Step::Held | Step::Retaking | Step::Committing)
            }
            _ => false,
        };
        if !wanted {
            self.each(&decided.lines, |_| Act::Release(key)).await?;
        }
        Ok(())
    }

    /// Sells what is held, or raises the fence of what is sold; `None` to look again.
    async fn sell(&self, known: Known, fence: Fence) -> Result<Option<StockMove>, StoreError> {
        let next = match known.step {
            Step::Held => known.to(Step::Committing, fence),
            _ if known.to(known.step, fence).fence == known.fence => return Ok(Some(known.unmoved())),
            step => known.to(step, fence),
        };
        let Some(decided) = reservation::put(&self.reservations, next).await? else { return Ok(None) };
        if decided.step == Step::Committed {
            return Ok(Some(decided.unmoved()));
        }
        Ok(match self.finish_selling(decided).await? {
            Driven::Done(moved) => Some(moved),
            Driven::Overtaken(_) => None,
        })
    }

    async fn finish_selling(&self, decided: Known) -> Result<Driven, StoreError> {
        let key = decided.key();
        self.finish(decided, Step::Committed, |_| Act::Sell(key)).await
    }

    async fn give_back(&self, decided: Known) -> Result<Driven, StoreError> {
        let key = decided.key();
        if decided.step == Step::Returning {
            return self.finish(decided, Step::Released, |_| Act::Restock(key)).await;
        }
        self.finish(decided, Step::Released, |_| Act::Release(key)).await
    }

    async fn finish(&self, decided: Known, then: Step, act: impl Fn(&StockLine) -> Act) -> Result<Driven, StoreError> {
        let outcomes = self.each(&decided.lines, act).await?;
        let done = |outcome| if let Outcome::Done(level) = outcome { Some(level) } else { None };
        let changed: Vec<StockLevel> = outcomes.into_iter().filter_map(done).collect();
        Ok(match reservation::put(&self.reservations, decided.to(then, None)).await? {
            Some(done) => Driven::Done(StockMove { reservation: done.reservation(), changed }),
            None => Driven::Overtaken(changed),
        })
    }

    async fn each(&self, lines: &[StockLine], act: impl Fn(&StockLine) -> Act) -> Result<Vec<Outcome>, StoreError> {
        let acts = lines.iter().map(|line| self.act(line.product, act(line)));
        join_all(acts).await.into_iter().collect()
    }
}
