//! The seller dashboard as clients see it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{money::MoneyView, order::keep_what_is_of, product::ProductView};
use crate::{
    domain::ids::{ProductId, UserId},
    store::dashboard::{DailySales, Metrics, OrderRow, ProductRow, TopProduct},
};

/// A product and its sales.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TopProductView {
    /// Id.
    #[schema(value_type = String, example = "665f1f77bcf86cd799439012")]
    pub id: ProductId,
    /// Title.
    #[schema(example = "Steel bottle")]
    pub title: String,
    /// Units sold.
    #[schema(example = 7)]
    pub sold: u64,
    /// Their revenue.
    pub revenue: MoneyView,
}

impl From<&TopProduct> for TopProductView {
    fn from(top: &TopProduct) -> Self {
        Self { id: top.id, title: top.title.clone(), sold: top.sold, revenue: top.revenue.into() }
    }
}

/// A day's sales in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DailySalesView {
    /// The day, UTC.
    #[schema(value_type = String, format = Date, example = "2026-01-02")]
    pub date: jiff::civil::Date,
    /// Units sold.
    #[schema(example = 3)]
    pub sales: u64,
    /// Their revenue.
    pub revenue: MoneyView,
}

impl From<&DailySales> for DailySalesView {
    fn from(day: &DailySales) -> Self {
        Self { date: day.date, sales: day.sales, revenue: day.revenue.into() }
    }
}

/// Sales within a range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MetricsView {
    /// Units in orders that are confirmed, shipped or delivered, minus refunded ones.
    #[schema(example = 10)]
    pub sales: u64,
    /// The revenue in each currency, without tax and shipping, minus refunds. A partial refund is split over lines,
    /// tax and shipping in proportion to their costs (largest remainder).
    pub revenue: Vec<MoneyView>,
    /// Best sold first.
    pub top_products: Vec<TopProductView>,
    /// How many orders are in each status.
    #[schema(example = json!({"CONFIRMED": 4, "CANCELLED": 1}))]
    pub orders_by_status: BTreeMap<String, u64>,
    /// A row for each day and currency with sales, oldest first.
    pub daily: Vec<DailySalesView>,
}

impl From<&Metrics> for MetricsView {
    fn from(metrics: &Metrics) -> Self {
        Self {
            sales: metrics.sales,
            revenue: metrics.revenue.iter().map(|money| MoneyView::from(*money)).collect(),
            top_products: metrics.top_products.iter().map(TopProductView::from).collect(),
            orders_by_status: metrics
                .orders_by_status
                .iter()
                .map(|(status, count)| (status.as_str().to_owned(), *count))
                .collect(),
            daily: metrics.daily.iter().map(DailySalesView::from).collect(),
        }
    }
}

/// A product with its sales.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SoldProductView {
    /// The product as of its last event.
    #[serde(flatten)]
    pub product: ProductView,
    /// Units in orders that are confirmed, shipped or delivered.
    #[schema(example = 7)]
    pub sold: u64,
}

/// An order as `seller` sees it: their own lines and sums, and the address once it is paid.
#[must_use]
pub fn order_for_seller(row: &OrderRow, seller: UserId) -> Value {
    let mut document = row.document.clone();
    keep_what_is_of(&mut document, seller);
    document
}

/// A product of the dashboard, with its stock (if known) and its sales.
#[must_use]
pub fn product_with_sold(row: &ProductRow, stock: Option<i64>) -> Value {
    let mut document = row.document.clone();
    if let Some(fields) = document.as_object_mut() {
        fields.insert("stock".into(), stock.into());
        fields.insert("sold".into(), row.sold.into());
    }
    document
}
