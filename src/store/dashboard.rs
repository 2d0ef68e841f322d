//! The seller dashboard's read model: a projection made from events alone.
//!
//! Applying is idempotent in two ways: by the event's id, and by the version of the document that a row was made
//! from, so that an older event never overwrites a newer row.

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
    pub seller: UserId,
    pub product: ProductId,
    /// Its title when ordered.
    pub title: String,
    pub quantity: u32,
    /// The price of one unit.
    pub price: Money,
    /// Whether it is paid and waits to be shipped.
    pub to_ship: bool,
    /// How many units were refunded.
    pub refunded_units: u32,
    /// The refunded part of price × quantity, in minor units.
    pub refunded_minor: i64,
}

/// An order in the read model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRow {
    pub id: OrderId,
    /// Its status.
    pub status: OrderStatus,
    /// The order document's version that this row was made from.
    pub version: u64,
    /// When ordered.
    pub created_at: Timestamp,
    /// The order as events show it (`views::order`); a seller sees only their own lines.
    pub document: serde_json::Value,
    /// Its lines, of all sellers.
    pub lines: Vec<SoldLine>,
}

/// A change to the read model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DashboardChange {
    /// An order was made or changed.
    Order(OrderRow),
    /// A product was made or changed.
    Product {
        id: ProductId,
        seller: UserId,
        /// The product document's version.
        version: u64,
        /// The product as events show it, without stock.
        document: serde_json::Value,
    },
    /// A product was deleted.
    ProductGone(ProductId),
    /// A user or payment event, stored unchanged.
    Note {
        /// `user` or `payment`.
        kind: &'static str,
        /// The id of the user or payment.
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
    /// The revenue in each currency, by code.
    pub revenue: Vec<Money>,
    /// Best sold first, at most ten.
    pub top_products: Vec<TopProduct>,
    /// How many of the seller's orders are in each status, without zeros.
    pub orders_by_status: Vec<(OrderStatus, u64)>,
    /// A row for each day (UTC) and currency with sales, oldest first.
    pub daily: Vec<DailySales>,
}

/// A product's sales.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopProduct {
    pub id: ProductId,
    /// Its title when it was last ordered.
    pub title: String,
    /// Units sold.
    pub sold: u64,
    /// The revenue.
    pub revenue: Money,
}

/// A day's sales in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DailySales {
    /// The day, UTC.
    pub date: jiff::civil::Date,
    /// Units sold.
    pub sales: u64,
    /// The revenue.
    pub revenue: Money,
}

/// A product of a seller, with its sales.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductRow {
    pub id: ProductId,
    /// The product as events show it, without stock.
    pub document: serde_json::Value,
    /// Units sold.
    pub sold: u64,
}

/// The range of days: from (inclusive) to (exclusive), by the time an order was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Range {
    /// The first moment in the range.
    pub from: Option<Timestamp>,
    /// The first moment after the range.
    pub to: Option<Timestamp>,
}

/// Stores the read model.
#[async_trait]
pub trait DashboardStore: Send + Sync {
    /// Applies changes, each once by its event's id, in one atomic write.
    async fn apply(&self, changes: &[(EventId, DashboardChange)]) -> Result<(), StoreError>;

    /// Sales of a seller: units and revenue count orders whose status [`OrderStatus::is_sale`], less refunds. A line
    /// that was refunded in full does not count as sold.
    async fn metrics(&self, seller: UserId, range: Range) -> Result<Metrics, StoreError>;

    /// Orders with lines of a seller, newest first; each with all its lines.
    async fn orders(&self, seller: UserId, skip: u64, limit: u32) -> Result<Page<OrderRow>, StoreError>;

    /// Orders with lines of a seller that wait to be shipped, the oldest first; each with all its lines.
    async fn to_ship(&self, seller: UserId, skip: u64, limit: u32) -> Result<Page<OrderRow>, StoreError>;

    /// Products of a seller, newest first.
    async fn products(&self, seller: UserId, skip: u64, limit: u32) -> Result<Page<ProductRow>, StoreError>;

    /// The sellers of these products, as far as the read model knows or knew them.
    async fn sellers_of(&self, products: &[ProductId]) -> Result<HashMap<ProductId, UserId>, StoreError>;

    /// Deletes the read model and the record of applied events.
    async fn reset(&self) -> Result<(), StoreError>;
}

/// The currencies in the order in which revenue is listed.
pub const CURRENCIES: [Currency; 2] = [Currency::Inr, Currency::Usd];
