//! A cache of products as HTTP answers, shared by all workers, so that reads do not call an actor.
//!
//! A snapshot stores its JSON in two pieces around the stock, so that selling a unit costs an atomic store and no
//! serialising. Writers of one shard are serialised, and readers never wait. After a cache miss a reader loads from
//! the store under a [`Ticket`], which becomes void as soon as the product may have changed.
//!
//! **Invariant:** while a product is cached, neither its version nor its stock's version goes back, and a removed
//! product does not come back: a new snapshot is only made under a valid ticket.

mod json;
#[cfg(test)]
mod tests;

use std::{
    hash::{BuildHasherDefault, Hasher},
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use bytes::{BufMut, Bytes, BytesMut};
use moka::{policy::EvictionPolicy, sync::Cache};
use parking_lot::{Mutex, MutexGuard};

use crate::domain::{cart::Buyable, ids::ProductId, inventory::StockLevel, product::Product};

/// The number of shards.
const SHARDS: usize = 256;
/// The size of a snapshot besides its texts.
const OVERHEAD_BYTES: usize = 600;

/// A product and its stock as one answer.
#[derive(Debug)]
pub struct Snapshot {
    pub product: Arc<Product>,
    head: Bytes,
    tail: Bytes,
    stock: AtomicI64,
    stock_version: AtomicU64,
}

impl Snapshot {
    fn new(product: Arc<Product>, stock: &StockLevel) -> Self {
        let (head, tail) = json::around_stock(&product);
        Self {
            product,
            head,
            tail,
            stock: AtomicI64::new(stock.available()),
            stock_version: AtomicU64::new(stock.version),
        }
    }

    /// How many units can be bought in one order.
    #[must_use]
    pub fn buyable(&self) -> Buyable {
        Buyable { available: self.stock(), max_per_order: self.product.max_per_order }
    }

    /// The units that can be bought now.
    #[must_use]
    pub fn stock(&self) -> i64 {
        self.stock.load(Ordering::Acquire)
    }

    /// Changes whenever the answer does. Read it before the answer, so that it is never newer than the answer.
    #[must_use]
    pub fn etag(&self) -> String {
        let (mut product, mut stock) = (itoa::Buffer::new(), itoa::Buffer::new());
        let product = product.format(self.product.version);
        let stock = stock.format(self.stock_version.load(Ordering::Acquire));
        ["\"", product, "-", stock, "\""].concat()
    }

    /// The answer.
    #[must_use]
    pub fn json(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(self.json_capacity());
        self.write_json(&mut out);
        out.freeze()
    }

    /// Appends the answer.
    pub fn write_json(&self, out: &mut BytesMut) {
        out.put_slice(&self.head);
        out.put_slice(itoa::Buffer::new().format(self.stock()).as_bytes());
        out.put_slice(&self.tail);
    }

    fn json_capacity(&self) -> usize {
        self.head.len() + self.tail.len() + 20
    }

    fn weight(&self) -> u32 {
        let product = &*self.product;
        let images: usize = product.images.iter().map(|image| image.url.len() + image.thumbnail.len() + 64).sum();
        let texts = product.title.len() + product.description.len() + product.category.len() + images;
        u32::try_from(OVERHEAD_BYTES + self.head.len() + self.tail.len() + texts).unwrap_or(u32::MAX)
    }

    /// Only called with the product's shard locked.
    fn take_stock(&self, level: &StockLevel) {
        if level.version > self.stock_version.load(Ordering::Relaxed) {
            // In this order, so that a reader of the version sees the stock too.
            self.stock.store(level.available(), Ordering::Release);
            self.stock_version.store(level.version, Ordering::Release);
        }
    }
}

/// Appends the JSON array of `snapshots`.
pub fn write_array<'a>(snapshots: impl IntoIterator<Item = &'a Arc<Snapshot>>, out: &mut BytesMut) {
    out.put_u8(b'[');
    for (at, snapshot) in snapshots.into_iter().enumerate() {
        if at > 0 {
            out.put_u8(b',');
        }
        snapshot.write_json(out);
    }
    out.put_u8(b']');
}

/// A load in progress; see [`Snapshots::ticket`].
#[derive(Debug, Clone, Copy)]
pub struct Ticket {
    id: ProductId,
    generation: u64,
}

/// The snapshots, bounded by their bytes; the least recently used are evicted first.
pub struct Snapshots {
    cache: Cache<ProductId, Arc<Snapshot>, BuildHasherDefault<IdHasher>>,
    /// The shards, each with a counter of changes; a ticket with an older count is void.
    generations: Box<[Mutex<u64>]>,
}

impl Snapshots {
    /// Room for about `max_bytes` of snapshots.
    #[must_use]
    pub fn new(max_bytes: u64) -> Self {
        let cache = Cache::builder()
            .max_capacity(max_bytes)
            .weigher(|_: &ProductId, snapshot: &Arc<Snapshot>| snapshot.weight())
            // A new entry must be readable at once, so there is no admission by frequency.
            .eviction_policy(EvictionPolicy::lru())
            .build_with_hasher(BuildHasherDefault::default());
        Self { cache, generations: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }

    /// The snapshot of a product, if it is cached.
    #[must_use]
    pub fn get(&self, id: ProductId) -> Option<Arc<Snapshot>> {
        self.cache.get(&id)
    }

    /// Updates the snapshot of a written product, if there is one, so that no reader sees the older version. Without
    /// one nothing is cached, because `stock` may be older than a change that found no snapshot; [`Snapshots::fill`]
    /// makes new ones.
    pub fn put_product(&self, product: &Product, stock: StockLevel) {
        let _held = self.begin_change(product.id);
        if let Some(held) = self.cache.get(&product.id) {
            self.merge(Some(held), product, &stock);
        }
    }

    /// Updates the stock in the snapshot, if there is one.
    pub fn set_stock(&self, level: &StockLevel) {
        let _held = self.begin_change(level.product);
        if let Some(snapshot) = self.cache.get(&level.product) {
            snapshot.take_stock(level);
        }
    }

    /// Removes a product that was deleted or changed elsewhere.
    pub fn remove(&self, id: ProductId) {
        let _held = self.begin_change(id);
        self.cache.invalidate(&id);
    }

    /// Begins a load: take a ticket, read product and stock from the store, then call [`Snapshots::fill`].
    #[must_use]
    pub fn ticket(&self, id: ProductId) -> Ticket {
        Ticket { id, generation: *self.shard(id) }
    }

    /// The snapshot of a loaded product. It is cached only if nothing in its shard has changed since the ticket was
    /// taken.
    pub fn fill(&self, ticket: Ticket, product: Product, stock: &StockLevel) -> Arc<Snapshot> {
        let generation = self.shard(ticket.id);
        if ticket.generation == *generation && ticket.id == product.id {
            self.merge(self.cache.get(&product.id), &product, stock)
        } else {
            Arc::new(Snapshot::new(Arc::new(product), stock))
        }
    }

    /// Appends the JSON array of these products and returns nothing, or returns the uncached ones and appends
    /// nothing. Load the missing ones, and write all with [`write_array`] then.
    pub fn write_list(&self, ids: &[ProductId], out: &mut BytesMut) -> Vec<ProductId> {
        let (found, missing) = self.find(ids);
        if missing.is_empty() {
            out.reserve(found.iter().flatten().map(|snapshot| snapshot.json_capacity() + 1).sum::<usize>() + 2);
            write_array(found.iter().flatten(), out);
        }
        missing
    }

    /// The cached snapshots of these products, in order, and the ids of the others.
    #[must_use]
    pub fn find(&self, ids: &[ProductId]) -> (Vec<Option<Arc<Snapshot>>>, Vec<ProductId>) {
        let found: Vec<_> = ids.iter().map(|id| self.cache.get(id)).collect();
        let missing = ids.iter().zip(&found).filter(|(_, found)| found.is_none()).map(|(id, _)| *id).collect();
        (found, missing)
    }

    /// Caches the newer of the existing and the given snapshot, and returns it. Only called with the product's shard
    /// locked.
    fn merge(&self, held: Option<Arc<Snapshot>>, product: &Product, stock: &StockLevel) -> Arc<Snapshot> {
        let fresh = Snapshot::new(Arc::new(product.clone()), stock);
        if let Some(held) = held {
            held.take_stock(stock);
            if held.product.version >= product.version {
                return held;
            }
            fresh.stock.store(held.stock.load(Ordering::Relaxed), Ordering::Relaxed);
            fresh.stock_version.store(held.stock_version.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        let fresh = Arc::new(fresh);
        self.cache.insert(product.id, Arc::clone(&fresh));
        fresh
    }

    /// Locks the product's shard and voids its tickets.
    fn begin_change(&self, id: ProductId) -> MutexGuard<'_, u64> {
        let mut generation = self.shard(id);
        *generation += 1;
        generation
    }

    fn shard(&self, id: ProductId) -> MutexGuard<'_, u64> {
        // The last byte of an id counts up, so it spreads evenly.
        self.generations[usize::from(id.bytes()[11])].lock()
    }
}

/// Hashes ids, which users cannot choose, by mixing their last eight bytes.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        let mut last = [0; 8];
        let taken = bytes.len().min(8);
        last[8 - taken..].copy_from_slice(&bytes[bytes.len() - taken..]);
        let mixed = (self.0 ^ u64::from_le_bytes(last)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    }

    fn write_usize(&mut self, _length: usize) {}

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }
}
