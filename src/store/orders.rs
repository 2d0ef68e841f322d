//! Orders and their idempotency keys.
//!
//! One order is one write: its keys are in its document. No key is ever freed. An idempotency key that is used again
//! after it expired gets the next `generation`, and a user's orders are numbered: an insert reads the newest number
//! first and counts the unpaid orders after that, so that one of two concurrent inserts is refused.
//!
//! **Invariant:** of concurrently written orders, on any node, no more than the limit are `PENDING`; only an insert
//! sets this status.

use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

use super::{
    Page, StoreError,
    document::{Backend, CONTENDED, Collection, Document, Find, Index, SaveError, key, stored_as},
};
use crate::{
    config::Service,
    domain::{
        Timestamp,
        event::{Envelope, Event},
        ids::{OrderId, UserId},
        order::{Order, OrderItem, OrderKeys, OrderStatus, SagaStep, Shipment, UsedKey},
    },
    runtime::envelope,
};

/// How often an insert is retried when another order of the user was written first.
const TRIES: usize = 64;
/// How many of a user's orders are read at once.
const AT_ONCE: u32 = 100;
/// How many orders are read at once to look for a seller's.
const SCANNED: u32 = 500;

/// An idempotency key that a user used for an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// As the client sent it.
    pub key: String,
    /// A hash of the request it came with.
    pub request_hash: String,
    /// The order that was made.
    pub order: OrderId,
    /// When the key expires.
    pub expires_at: Timestamp,
}

/// The unique keys of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderKey {
    /// The version of its user's cart.
    Cart,
    /// The idempotency key.
    Idempotency,
    /// Its number among the user's orders.
    Number,
}

/// Why an order was not inserted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InsertError {
    /// Another order has this key.
    #[error("another order has this {0:?}")]
    Duplicate(OrderKey),
    /// The user has reached the limit of unpaid orders.
    #[error("there are as many unpaid orders as are allowed")]
    Full,
    /// Anything else.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The number of a user's next order, and whether it is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextOrder {
    number: u64,
    max_unpaid: Option<u32>,
    /// Whether the user has as many unpaid orders as are allowed.
    pub is_full: bool,
}

/// A stored order, with its keys.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub(super) struct StoredOrder(Order);

impl Serialize for StoredOrder {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Whole<'a> {
            #[serde(flatten)]
            order: &'a Order,
            keys: &'a OrderKeys,
        }
        Whole { order: &self.0, keys: &self.0.keys }.serialize(serializer)
    }
}

const CART: Index<StoredOrder> = Index::unique("cart", OrderKey::Cart, |of| key((of.0.user, of.0.cart_version)));
const IDEMPOTENCY: Index<StoredOrder> = Index::unique("idempotency", OrderKey::Idempotency, |of| {
    of.0.keys.idempotency.as_ref().and_then(|used| key((of.0.user, &used.key, used.generation)))
});
/// A user's orders, oldest first. Orders of earlier versions have no number and sort before all others.
const NUMBER: Index<StoredOrder> = Index::unique("number", OrderKey::Number, |of| match of.0.keys.number {
    Some(number) => key((of.0.user, number)),
    None => key((of.0.user, 0_u64, of.0.id)),
});
const USER_STATUS: Index<StoredOrder> = Index::new("user_status", |of| key((of.0.user, of.0.status.as_str())));
const STATUS: Index<StoredOrder> = Index::new("status", |of| key((of.0.status.as_str(), of.0.id)));
const DUE: Index<StoredOrder> = Index::new("due", |of| of.0.saga.due_at.and_then(key));

impl Document for StoredOrder {
    type Unique = OrderKey;

    const COLLECTION: &'static str = "orders";
    const SERVICE: Service = Service::Order;
    const INDEXES: &'static [Index<Self>] = &[CART, IDEMPOTENCY, NUMBER, USER_STATUS, STATUS, DUE];
    const PUBLISHES: bool = true;

    stored_as!(self, OrderId = self.0.id, self.0.version);
}

/// Keeps orders.
#[derive(Clone)]
pub struct OrderStore(Collection<StoredOrder>);

impl OrderStore {
    /// The orders in a database.
    pub fn new(backend: Arc<dyn Backend>) -> Self {
        Self(Collection::new(backend))
    }

    /// Writes a new order, and its idempotency key with it. An expired key may be used again.
    ///
    /// # Errors
    /// [`InsertError::Duplicate`] with `Idempotency` when the user used that key for another order, with
    /// `Cart` when an order was made from this version of the user's cart.
    pub async fn insert(
        &self,
        order: &Order,
        key: Option<&IdempotencyKey>,
        events: &[Envelope],
    ) -> Result<u64, InsertError> {
        self.insert_within(order, key, None, events).await
    }

    /// As [`OrderStore::insert`], and refused while the user has `max_unpaid` other orders that are `PENDING`. The
    /// limit also holds for concurrent inserts on several nodes.
    ///
    /// # Errors
    /// The errors of `insert`, which take precedence, and [`InsertError::Full`].
    pub async fn insert_within(
        &self,
        order: &Order,
        key: Option<&IdempotencyKey>,
        max_unpaid: Option<u32>,
        events: &[Envelope],
    ) -> Result<u64, InsertError> {
        let next = self.next_of(order.user, max_unpaid).await?;
        self.insert_next(order, key, next, events).await
    }

    /// As [`OrderStore::insert_within`], with what was read of the user before.
    ///
    /// # Errors
    /// Those of `insert_within`.
    pub async fn insert_next(
        &self,
        order: &Order,
        key: Option<&IdempotencyKey>,
        mut next: NextOrder,
        events: &[Envelope],
    ) -> Result<u64, InsertError> {
        let mut generation = 0;
        for pause in CONTENDED.pauses().take(TRIES) {
            let mut refused = InsertError::Full;
            if !next.is_full {
                let idempotency = key.map(|key| UsedKey {
                    key: key.key.clone(),
                    request_hash: key.request_hash.clone(),
                    expires_at: key.expires_at,
                    generation,
                });
                let keys = OrderKeys { number: Some(next.number), idempotency };
                refused = match self.0.save(&StoredOrder(Order { keys, ..order.clone() }), events).await {
                    Ok(version) => return Ok(version),
                    Err(SaveError::Duplicate(taken)) => InsertError::Duplicate(taken),
                    Err(SaveError::Store(error)) => return Err(error.into()),
                };
            }
            // A used key takes precedence over every other reason to refuse the order.
            if let Some(key) = key
                && let Some((made, used)) = self.user_of_key(order.user, &key.key).await?
            {
                if made == order.id {
                    return Err(StoreError::Conflict.into());
                }
                if used.expires_at > order.created_at {
                    return Err(InsertError::Duplicate(OrderKey::Idempotency));
                }
                generation = used.generation + 1;
            }
            match refused {
                InsertError::Full => return Err(self.full(order).await?),
                InsertError::Duplicate(OrderKey::Idempotency) => {}
                InsertError::Duplicate(OrderKey::Number) => {
                    tokio::time::sleep(pause).await;
                    next = self.next_of(order.user, next.max_unpaid).await?;
                }
                refused => return Err(refused),
            }
        }
        Err(StoreError::Busy.into())
    }

    /// The number of a user's next order, and whether it is allowed with at most `max_unpaid` orders `PENDING`.
    pub async fn next_of(&self, user: UserId, max_unpaid: Option<u32>) -> Result<NextOrder, StoreError> {
        // The number is read first: an order written before the unpaid ones are counted changes it.
        let made = match self.0.first(NUMBER.of(user).reversed()).await? {
            None => 0,
            Some(StoredOrder(newest)) => match newest.keys.number {
                Some(number) => number,
                None => self.0.count(NUMBER.of(user)).await?,
            },
        };
        let is_full = match max_unpaid.map(u64::from) {
            Some(max) if made >= max => {
                self.0.count(USER_STATUS.of((user, OrderStatus::Pending.as_str()))).await? >= max
            }
            _ => false,
        };
        Ok(NextOrder { number: made + 1, max_unpaid, is_full })
    }

    /// Why an order is refused when the limit of unpaid orders is reached.
    async fn full(&self, order: &Order) -> Result<InsertError, StoreError> {
        Ok(match self.0.first(CART.of((order.user, order.cart_version))).await? {
            Some(made) if made.id() == order.id => StoreError::Conflict.into(),
            Some(_) => InsertError::Duplicate(OrderKey::Cart),
            None => InsertError::Full,
        })
    }

    /// The order that a user made last with an idempotency key.
    async fn user_of_key(&self, user: UserId, key: &str) -> Result<Option<(OrderId, UsedKey)>, StoreError> {
        let made = self.0.first(IDEMPOTENCY.of((user, key)).reversed()).await?;
        Ok(made.and_then(|made| Some((made.id(), made.0.keys.idempotency?))))
    }

    /// Writes an order that was read; see the module `store` for versions.
    pub async fn save(&self, order: &Order, events: &[Envelope]) -> Result<u64, StoreError> {
        let mut order = order.clone();
        if order.version == 0 {
            return Err(StoreError::Conflict);
        }
        // An order that was made here and not read, or that an earlier version wrote, keeps its keys.
        if order.keys.number.is_none() {
            order.keys = self.get(order.id).await?.ok_or(StoreError::Conflict)?.keys;
        }
        self.0.save(&StoredOrder(order), events).await.map_err(|refused| match refused {
            SaveError::Duplicate(_) => StoreError::Conflict,
            SaveError::Store(error) => error,
        })
    }

    /// The order of an id.
    pub async fn get(&self, id: OrderId) -> Result<Option<Order>, StoreError> {
        Ok(self.0.get(id).await?.map(|found| found.0))
    }

    /// What `user` used `key` for, unless that is expired at `now`.
    pub async fn by_key(&self, user: UserId, key: &str, now: Timestamp) -> Result<Option<IdempotencyKey>, StoreError> {
        let known = self.user_of_key(user, key).await?.filter(|(_, used)| used.expires_at > now);
        Ok(known.map(|(order, UsedKey { key, request_hash, expires_at, .. })| IdempotencyKey {
            key,
            request_hash,
            order,
            expires_at,
        }))
    }

    /// A user's orders, newest first.
    pub async fn of_user(
        &self,
        user: UserId,
        status: Option<OrderStatus>,
        skip: u64,
        limit: u32,
    ) -> Result<Page<Order>, StoreError> {
        let found = match status {
            Some(status) => USER_STATUS.of((user, status.as_str())),
            None => NUMBER.of(user),
        };
        let Page { rows, total } = self.0.page(found.reversed().skip(skip).limit(limit)).await?;
        Ok(Page { rows: plain(rows), total })
    }

    /// Removes what names a user from a number of their orders after the first `skip`, with an update event for each;
    /// returns how many there were, and how many of them are open and stay as they are.
    pub async fn forget_buyer(&self, user: UserId, skip: u64, now: Timestamp) -> Result<(u64, u64), StoreError> {
        let found = self.0.find(NUMBER.of(user).skip(skip).limit(AT_ONCE)).await?;
        let mut open = 0;
        for StoredOrder(found) in &found {
            for pause in CONTENDED.pauses().take(TRIES) {
                let Some(mut order) = self.0.get(found.id).await? else { break };
                if order.0.is_open() {
                    open += 1;
                    break;
                }
                if !order.0.forget_buyer(now) {
                    break;
                }
                let written = Order { version: order.0.version + 1, ..order.0.clone() };
                match self.0.save(&order, &[envelope(Event::OrderUpdated(written), now)]).await {
                    Err(SaveError::Store(StoreError::Conflict)) => tokio::time::sleep(pause).await,
                    Err(SaveError::Store(error)) => return Err(error),
                    Ok(_) | Err(SaveError::Duplicate(_)) => break,
                }
            }
        }
        Ok((u64::try_from(found.len()).unwrap_or(u64::MAX), open))
    }

    /// Whether a user has an order that is open or whose money is to be refunded.
    pub async fn has_open(&self, user: UserId) -> Result<bool, StoreError> {
        for status in OrderStatus::ALL {
            let mut skip = 0;
            loop {
                let found = self.0.find(USER_STATUS.of((user, status.as_str())).skip(skip).limit(AT_ONCE)).await?;
                let is_due =
                    |StoredOrder(order): &StoredOrder| order.is_open() || order.saga.todo.contains(&SagaStep::Refund);
                if found.iter().any(is_due) {
                    return Ok(true);
                }
                skip += u64::from(AT_ONCE);
                if found.len() < usize::try_from(AT_ONCE).unwrap_or(usize::MAX) {
                    break;
                }
            }
        }
        Ok(false)
    }

    /// Whether a seller has lines that may have to be shipped.
    pub async fn has_to_ship(&self, seller: UserId) -> Result<bool, StoreError> {
        for status in [OrderStatus::Pending, OrderStatus::Confirmed] {
            let mut after = None;
            loop {
                let (all, word) = (STATUS.of(status.as_str()), status.as_str());
                let find = after.map_or_else(|| all.clone(), |after| all.clone().behind((word, after)));
                let found = self.0.find(find.limit(SCANNED)).await?;
                let waits = |item: &OrderItem| item.seller == seller && item.shipment == Shipment::Waiting;
                if found.iter().any(|StoredOrder(order)| order.items.iter().any(waits)) {
                    return Ok(true);
                }
                match found.last() {
                    Some(last) => after = Some(last.id()),
                    None => break,
                }
            }
        }
        Ok(false)
    }

    /// Orders that are due at `now` (`saga.due_at`), the longest due first, at most `limit`.
    pub async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<OrderId>, StoreError> {
        Ok(self.0.find(DUE.due(now).limit(limit)).await?.iter().map(StoredOrder::id).collect())
    }

    /// Orders that await payment (`PENDING`) with an id above `after`, by id, at most `limit`.
    pub async fn unpaid(&self, after: Option<OrderId>, limit: u32) -> Result<Vec<Order>, StoreError> {
        let pending = OrderStatus::Pending.as_str();
        let found = match after {
            Some(after) => STATUS.of(pending).behind((pending, after)),
            None => STATUS.of(pending),
        };
        Ok(plain(self.0.find(found.limit(limit)).await?))
    }

    /// All orders with an id above `after`, by id, at most `limit`.
    pub async fn all(&self, after: Option<OrderId>, limit: u32) -> Result<Vec<Order>, StoreError> {
        Ok(plain(self.0.find(Find::by_id().after(after).limit(limit)).await?))
    }

    /// Orders of a status, or of any, with an id below `before`, newest first, at most `limit`; for admins.
    pub async fn newest(
        &self,
        status: Option<OrderStatus>,
        before: Option<OrderId>,
        limit: u32,
    ) -> Result<Vec<Order>, StoreError> {
        let found = match (status.map(OrderStatus::as_str), before) {
            (None, before) => Find::by_id().before(before),
            (Some(status), None) => STATUS.of(status),
            (Some(status), Some(before)) => STATUS.of(status).below((status, before)),
        };
        Ok(plain(self.0.find(found.reversed().limit(limit)).await?))
    }
}

fn plain(orders: Vec<StoredOrder>) -> Vec<Order> {
    orders.into_iter().map(|order| order.0).collect()
}
