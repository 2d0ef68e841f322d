//! The seller dashboard's read model: a projection made from events alone.
//!
//! **Invariant:** the lines of an order have its status and are replaced together with it.

mod apply;
mod metrics;

use std::collections::HashMap;

use async_trait::async_trait;
use rusqlite::{Connection, Row};

use super::{StoreError, codec, engine::Engine};
use crate::{
    domain::{
        ids::{EventId, OrderId, ProductId, UserId},
        money::{Currency, Money},
        order::OrderStatus,
    },
    store::{
        DashboardStore, Page,
        dashboard::{DashboardChange, Metrics, OrderRow, ProductRow, Range, SoldLine},
    },
};

#[async_trait]
impl DashboardStore for Engine {
    async fn apply(&self, changes: &[(EventId, DashboardChange)]) -> Result<(), StoreError> {
        let prepare = |(event, change): &(EventId, DashboardChange)| Ok((*event, apply::Change::prepare(change)?));
        let changes: Vec<_> = changes.iter().map(prepare).collect::<Result<_, StoreError>>()?;
        self.write(move |writing| changes.iter().try_for_each(|(event, change)| change.apply(writing, *event))).await
    }

    async fn metrics(&self, seller: UserId, range: Range) -> Result<Metrics, StoreError> {
        self.read_snapshot(move |connection| metrics::metrics(connection, seller, range)).await
    }

    async fn orders(&self, seller: UserId, skip: u64, limit: u32) -> Result<Page<OrderRow>, StoreError> {
        self.read_snapshot(move |connection| orders(connection, seller, skip, limit)).await
    }

    async fn to_ship(&self, seller: UserId, skip: u64, limit: u32) -> Result<Page<OrderRow>, StoreError> {
        self.read_snapshot(move |connection| to_ship(connection, seller, skip, limit)).await
    }

    async fn products(&self, seller: UserId, skip: u64, limit: u32) -> Result<Page<ProductRow>, StoreError> {
        self.read_snapshot(move |connection| products(connection, seller, skip, limit)).await
    }

    async fn sellers_of(&self, products: &[ProductId]) -> Result<HashMap<ProductId, UserId>, StoreError> {
        let products = products.to_vec();
        self.read(move |connection| {
            // A row of a product whose deletion arrived first has no seller.
            let sql = "SELECT seller FROM dashboard_products WHERE id = ?1 AND length(seller) = 12";
            let mut sellers = HashMap::new();
            for product in products {
                let seller = codec::first(connection, sql, [product.as_slice()], |row| codec::id(row, 0))?;
                sellers.extend(seller.map(|seller| (product, seller)));
            }
            Ok(sellers)
        })
        .await
    }

    async fn reset(&self) -> Result<(), StoreError> {
        self.write(|writing| {
            for table in ["applied", "orders", "lines", "products", "notes"] {
                writing.execute(&format!("DELETE FROM dashboard_{table}"), [])?;
            }
            Ok(())
        })
        .await
    }
}

fn orders(connection: &Connection, seller: UserId, skip: u64, limit: u32) -> Result<Page<OrderRow>, StoreError> {
    let ids: Vec<OrderId> = codec::all(
        connection,
        "SELECT DISTINCT created_at, order_id FROM dashboard_lines WHERE seller = ?1
         ORDER BY created_at DESC, order_id DESC LIMIT ?2 OFFSET ?3",
        (seller.as_slice(), limit, codec::offset(skip)),
        |row| codec::id(row, 1),
    )?;
    let rows = ids.iter().filter_map(|id| order(connection, *id).transpose()).collect::<Result<_, _>>()?;
    let sql = "SELECT count(DISTINCT order_id) FROM dashboard_lines WHERE seller = ?1";
    Ok(Page { rows, total: codec::count(connection, sql, [seller.as_slice()])? })
}

fn to_ship(connection: &Connection, seller: UserId, skip: u64, limit: u32) -> Result<Page<OrderRow>, StoreError> {
    let ids: Vec<OrderId> = codec::all(
        connection,
        "SELECT DISTINCT created_at, order_id FROM dashboard_lines WHERE seller = ?1 AND to_ship = 1
         ORDER BY created_at, order_id LIMIT ?2 OFFSET ?3",
        (seller.as_slice(), limit, codec::offset(skip)),
        |row| codec::id(row, 1),
    )?;
    let rows = ids.iter().filter_map(|id| order(connection, *id).transpose()).collect::<Result<_, _>>()?;
    let sql = "SELECT count(DISTINCT order_id) FROM dashboard_lines WHERE seller = ?1 AND to_ship = 1";
    Ok(Page { rows, total: codec::count(connection, sql, [seller.as_slice()])? })
}

pub(super) fn order(connection: &Connection, id: OrderId) -> Result<Option<OrderRow>, StoreError> {
    let lines = codec::all(
        connection,
        "SELECT seller, product, title, quantity, price_minor, currency, to_ship, refunded_units, refunded_minor
         FROM dashboard_lines WHERE order_id = ?1 ORDER BY line",
        [id.as_slice()],
        |row| {
            Ok(SoldLine {
                seller: codec::id(row, 0)?,
                product: codec::id(row, 1)?,
                title: row.get(2)?,
                quantity: row.get(3)?,
                price: Money::new(row.get(4)?, currency(row, 5)?),
                to_ship: row.get(6)?,
                refunded_units: row.get(7)?,
                refunded_minor: row.get(8)?,
            })
        },
    )?;
    let sql = "SELECT status, version, created_at, doc FROM dashboard_orders WHERE id = ?1";
    codec::first(connection, sql, [id.as_slice()], |row| {
        Ok(OrderRow {
            id,
            status: status(row, 0)?,
            version: row.get(1)?,
            created_at: codec::time(row.get(2)?)?,
            document: codec::document(row, 3)?,
            lines,
        })
    })
}

fn products(connection: &Connection, seller: UserId, skip: u64, limit: u32) -> Result<Page<ProductRow>, StoreError> {
    // One pass over the seller's lines rather than one for each product.
    let sold: HashMap<ProductId, u64> = codec::all(
        connection,
        "SELECT product, sum(quantity - refunded_units) FROM dashboard_lines WHERE seller = ?1 AND is_sale = 1 GROUP BY product",
        [seller.as_slice()],
        |row| Ok((codec::id(row, 0)?, row.get(1)?)),
    )?
    .into_iter()
    .collect();
    let rows = codec::all(
        connection,
        "SELECT id, doc FROM dashboard_products WHERE seller = ?1 AND gone = 0
         ORDER BY id DESC LIMIT ?2 OFFSET ?3",
        (seller.as_slice(), limit, codec::offset(skip)),
        |row| {
            let id = codec::id(row, 0)?;
            Ok(ProductRow { id, document: codec::document(row, 1)?, sold: sold.get(&id).copied().unwrap_or(0) })
        },
    )?;
    let sql = "SELECT count(*) FROM dashboard_products WHERE seller = ?1 AND gone = 0";
    Ok(Page { rows, total: codec::count(connection, sql, [seller.as_slice()])? })
}

fn currency(row: &Row<'_>, column: usize) -> Result<Currency, StoreError> {
    let code: String = row.get(column)?;
    Currency::from_code(&code).ok_or_else(|| StoreError::Corrupt(format!("a price in {code}")))
}

fn status(row: &Row<'_>, column: usize) -> Result<OrderStatus, StoreError> {
    let word: String = row.get(column)?;
    OrderStatus::from_word(&word).ok_or_else(|| StoreError::Corrupt(format!("an order that is {word}")))
}
