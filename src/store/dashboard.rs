//! The seller dashboard's read model: rows made from events and from nothing else.
//!
//! Applying is idempotent twice over: by the event's id, and by the version of the
//! document a row was made from, so that an older event never overwrites a newer row.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use async_trait::async_trait;

use super::{Page, StoreError};
use crate::domain::{
    Timestamp,
    ids::{EventId, OrderId, ProductId, UserId},
    money::{Currency, Money},
    order::OrderStatus,
};

/// A seller's line of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoldLine {
    /// Whose.
    pub seller: UserId,
    /// What.
    pub product: ProductId,
    /// Its title when ordered.
    pub title: String,
    /// How many.
    pub quantity: u32,
    /// Of one unit.
    pub price: Money,
    /// Whether it is paid and waits to be shipped.
    pub to_ship: bool,
    /// How many units' worth was given back.
    pub refunded_units: u32,
    /// Minor units of price × quantity that were given back.
    pub refunded_minor: i64,
}

/// An order as the dashboard keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRow {
    /// Id.
    pub id: OrderId,
    /// Where it stands.
    pub status: OrderStatus,
    /// The order document's version that this row was made from.
    pub version: u64,
    /// When ordered.
    pub created_at: Timestamp,
    /// The order as events show it (`views::order`), of which a seller sees her lines.
    pub document: serde_json::Value,
    /// Its lines, of all sellers.
    pub lines: Vec<SoldLine>,
}

/// A change to the read model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DashboardChange {
    /// An order is now so.
    Order(OrderRow),
    /// A product is now so.
    Product {
        /// Id.
        id: ProductId,
        /// Whose.
        seller: UserId,
        /// The product document's version.
        version: u64,
        /// The product as events show it, without stock.
        document: serde_json::Value,
    },
    /// A product is gone.
    ProductGone(ProductId),
    /// A user or payment event, kept as it is for whoever looks.
    Note {
        /// `user` or `payment`.
        kind: &'static str,
        /// Id of what it tells of.
        id: String,
        /// The payload.
        document: serde_json::Value,
    },
}

/// Sales within a range.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Metrics {
    /// Units sold.
    pub sales: u64,
    /// One money for each currency, by its code.
    pub revenue: Vec<Money>,
    /// Best sold first, at most ten.
    pub top_products: Vec<TopProduct>,
    /// How many of the seller's orders are in each status, those with any.
    pub orders_by_status: Vec<(OrderStatus, u64)>,
    /// A row for each day (UTC) and currency with sales, oldest first.
    pub daily: Vec<DailySales>,
}

/// A product and what it sold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopProduct {
    /// Id.
    pub id: ProductId,
    /// Its title when it was last ordered.
    pub title: String,
    /// Units sold.
    pub sold: u64,
    /// For how much.
    pub revenue: Money,
}

/// A day's sales in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DailySales {
    /// The day, UTC.
    pub date: jiff::civil::Date,
    /// Units sold.
    pub sales: u64,
    /// For how much.
    pub revenue: Money,
}

/// The products of a seller, with what each sold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductRow {
    /// Id.
    pub id: ProductId,
    /// The product as events show it, without stock.
    pub document: serde_json::Value,
    /// Units sold.
    pub sold: u64,
}

/// Which days count: from (inclusive) to (exclusive), by when an order was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Range {
    /// First moment.
    pub from: Option<Timestamp>,
    /// First moment after.
    pub to: Option<Timestamp>,
}

/// Keeps the read model.
#[async_trait]
pub trait DashboardStore: Send + Sync {
    /// Applies changes, each once by its event's id, in one atomic write.
    async fn apply(&self, changes: &[(EventId, DashboardChange)]) -> Result<(), StoreError>;

    /// Sales of a seller: units and revenue count orders whose status [`OrderStatus::is_sale`], less
    /// what was given back. Where nothing is left, nothing was sold.
    async fn metrics(&self, seller: UserId, range: Range) -> Result<Metrics, StoreError>;

    /// Orders with lines of a seller, newest first; each with all its lines.
    async fn orders(&self, seller: UserId, skip: u64, limit: u32) -> Result<Page<OrderRow>, StoreError>;

    /// Orders with lines of a seller that wait to be shipped, the oldest first; each with all its lines.
    async fn to_ship(&self, seller: UserId, skip: u64, limit: u32) -> Result<Page<OrderRow>, StoreError>;

    /// Products of a seller, newest first.
    async fn products(&self, seller: UserId, skip: u64, limit: u32) -> Result<Page<ProductRow>, StoreError>;

    /// The sellers of these products, those that the read model knows or knew.
    async fn sellers_of(&self, products: &[ProductId]) -> Result<HashMap<ProductId, UserId>, StoreError>;

    /// Throws the read model away, and the memory of which events it has seen.
    async fn reset(&self) -> Result<(), StoreError>;
}

/// The currencies in the order in which revenue is listed.
pub const CURRENCIES: [Currency; 2] = [Currency::Inr, Currency::Usd];
