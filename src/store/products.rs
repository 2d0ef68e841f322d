//! Products.

use async_trait::async_trait;

use super::{Page, StoreError};
use crate::domain::{
    event::Envelope,
    ids::{ProductId, UserId},
    product::Product,
};

/// A product as it is after a change: what a search index needs to follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductChange {
    /// Grows with every change of any product; follow on from the highest one seen.
    pub sequence: u64,
    /// Which product.
    pub id: ProductId,
    /// The product now, `None` once it is deleted.
    pub product: Option<Product>,
}

/// Keeps products.
#[async_trait]
pub trait ProductStore: Send + Sync {
    /// Writes a product; see the module for versions. A deleted product is not written again.
    async fn save(&self, product: &Product, events: &[Envelope]) -> Result<u64, StoreError>;

    /// Writes many new products at once, all or none; for demo data, imports and benchmarks.
    async fn insert_many(&self, products: &[Product]) -> Result<(), StoreError>;

    /// Deletes a product if its version is still that of `product`.
    async fn delete(&self, product: &Product, events: &[Envelope]) -> Result<(), StoreError>;

    /// The product of an id.
    async fn get(&self, id: ProductId) -> Result<Option<Product>, StoreError>;

    /// The products of many ids, in no order, those that exist.
    async fn many(&self, ids: &[ProductId]) -> Result<Vec<Product>, StoreError>;

    /// A seller's products, newest first.
    async fn of_seller(&self, seller: UserId, skip: u64, limit: u32) -> Result<Page<Product>, StoreError>;

    /// The changes after `sequence`, oldest first, at most `limit`. A product changed
    /// twice shows once, at its last change.
    async fn changes_since(&self, sequence: u64, limit: u32) -> Result<Vec<ProductChange>, StoreError>;

    /// How many products there are.
    async fn count(&self) -> Result<u64, StoreError>;
}
