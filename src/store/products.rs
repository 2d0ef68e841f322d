//! Products.

use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::{
    Page, StoreError,
    document::{Backend, Collection, Desc, Document, Find, Index, NoUniqueKey, key, stored_as},
};
use crate::{
    config::Service,
    domain::{
        event::Envelope,
        ids::{ProductId, UserId},
        product::Product,
    },
};

/// How many new products are written in one batch.
const AT_ONCE: usize = 512;

/// A product after a change, as a search index follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductChange {
    /// The number of the change; it grows with every change of any product. Continue from the highest one seen.
    pub sequence: u64,
    /// Which product.
    pub id: ProductId,
    /// The product now, `None` once it is deleted.
    pub product: Option<Product>,
}

const SELLER: Index<Product> = Index::new("seller", |product| key((product.seller, Desc(product.id))));

impl Document for Product {
    type Unique = NoUniqueKey;

    const COLLECTION: &'static str = "products";
    const SERVICE: Service = Service::Product;
    const INDEXES: &'static [Index<Self>] = &[SELLER];
    const PUBLISHES: bool = true;
    const FEED: bool = true;

    stored_as!(self, ProductId = self.id, self.version);
}

/// Keeps products.
#[derive(Clone)]
pub struct ProductStore(Collection<Product>);

impl ProductStore {
    /// The products in a database.
    pub fn new(backend: Arc<dyn Backend>) -> Self {
        Self(Collection::new(backend))
    }

    /// Writes a product; see the module `store` for versions. A deleted product is not written again.
    pub async fn save(&self, product: &Product, events: &[Envelope]) -> Result<u64, StoreError> {
        Ok(self.0.save(product, events).await?)
    }

    /// Writes many new products at once, all or none; for demo data and benchmarks.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when one of them is there already.
    pub async fn insert_many(&self, products: &[Product]) -> Result<(), StoreError> {
        let known = self.many(&products.iter().map(|product| product.id).collect::<Vec<_>>()).await?;
        if !known.is_empty() {
            return Err(StoreError::Conflict);
        }
        let writes: Vec<_> = products.iter().map(|product| self.save(product, &[])).collect();
        let written: Result<Vec<u64>, StoreError> = stream::iter(writes).buffer_unordered(AT_ONCE).try_collect().await;
        if written.is_err() {
            for product in products {
                // Products that were not written do not exist.
                self.0.delete(product.id).await?;
            }
        }
        written.map(|_| ())
    }

    /// Deletes a product if its version is still that of `product`.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when another write came in between.
    pub async fn delete(&self, product: &Product, events: &[Envelope]) -> Result<(), StoreError> {
        self.0.delete_read(product, events).await
    }

    /// The product of an id.
    pub async fn get(&self, id: ProductId) -> Result<Option<Product>, StoreError> {
        self.0.get(id).await
    }

    /// The products of these ids that exist, in no order.
    pub async fn many(&self, ids: &[ProductId]) -> Result<Vec<Product>, StoreError> {
        self.0.many(ids.iter().copied()).await
    }

    /// A seller's products, newest first.
    pub async fn of_seller(&self, seller: UserId, skip: u64, limit: u32) -> Result<Page<Product>, StoreError> {
        self.0.page(SELLER.of(seller).skip(skip).limit(limit)).await
    }

    /// The changes after `sequence`, the oldest first, at most `limit`. A product that changed twice appears once, at
    /// its last change.
    pub async fn changes_since(&self, sequence: u64, limit: u32) -> Result<Vec<ProductChange>, StoreError> {
        let changes = self.0.changes(sequence, limit).await?;
        Ok(changes.into_iter().map(|(sequence, id, product)| ProductChange { sequence, id, product }).collect())
    }

    /// How many products there are.
    pub async fn count(&self) -> Result<u64, StoreError> {
        self.0.count(Find::by_id()).await
    }
}
