//! The seller dashboard's read model: one document for each order, with its lines.
//!
//! **Invariant:** the lines of an order have its status and are replaced together with it.

pub(super) mod apply;
mod metrics;

use std::collections::HashMap;

use async_trait::async_trait;
use bson::{Document, doc};

use super::{
    codec::{self, Failed},
    engine::Engine,
};
use crate::{
    domain::{
        ids::{EventId, OrderId, ProductId, UserId},
        money::{Currency, Money},
        order::OrderStatus,
    },
    store::{
        DashboardStore, Page, StoreError,
        dashboard::{DashboardChange, Metrics, OrderRow, ProductRow, Range, SoldLine},
    },
};

#[async_trait]
impl DashboardStore for Engine {
    async fn apply(&self, changes: &[(EventId, DashboardChange)]) -> Result<(), StoreError> {
        let (all, changes) = (self.collections.clone(), changes.to_vec());
        self.run(async move { apply::all(&all, &changes).await }).await
    }

    async fn metrics(&self, seller: UserId, range: Range) -> Result<Metrics, StoreError> {
        let orders = self.collections.dashboard_orders.clone();
        self.run(async move { metrics::metrics(&orders, seller, range).await }).await
    }

    async fn orders(&self, seller: UserId, skip: u64, limit: u32) -> Result<Page<OrderRow>, StoreError> {
        let orders = self.collections.dashboard_orders.clone();
        self.run(async move {
            let theirs = doc! { "lines.seller": codec::oid(seller.bytes()) };
            codec::page(&orders, theirs, doc! { "createdAt": -1, "_id": -1 }, skip, limit, order).await
        })
        .await
    }

    async fn to_ship(&self, seller: UserId, skip: u64, limit: u32) -> Result<Page<OrderRow>, StoreError> {
        let orders = self.collections.dashboard_orders.clone();
        let seller = codec::oid(seller.bytes());
        // Rows of older programs lack this field: paid orders may have lines to ship.
        let older = doc! { "toShip": { "$exists": false }, "lines.seller": seller, "status": "CONFIRMED" };
        let waiting = doc! { "$or": [{ "toShip": seller }, older] };
        self.run(
            async move { codec::page(&orders, waiting, doc! { "createdAt": 1, "_id": 1 }, skip, limit, order).await },
        )
        .await
    }

    async fn products(&self, seller: UserId, skip: u64, limit: u32) -> Result<Page<ProductRow>, StoreError> {
        let all = self.collections.clone();
        self.run(async move {
            let sold: HashMap<ProductId, u64> = metrics::sold(&all.dashboard_orders, seller).await?;
            let theirs = doc! { "seller": codec::oid(seller.bytes()), "gone": { "$ne": true } };
            codec::page(&all.dashboard_products, theirs, doc! { "_id": -1 }, skip, limit, |row| {
                let id = ProductId::from_bytes(codec::id(row, "_id")?);
                Ok(ProductRow { id, document: codec::json(row, "json")?, sold: sold.get(&id).copied().unwrap_or(0) })
            })
            .await
        })
        .await
    }

    async fn sellers_of(&self, products: &[ProductId]) -> Result<HashMap<ProductId, UserId>, StoreError> {
        let known = self.collections.dashboard_products.clone();
        let ids: Vec<_> = products.iter().map(|product| codec::oid(product.bytes())).collect();
        self.run(async move {
            // A row of a product whose deletion arrived first has no seller.
            let find = known.find(doc! { "_id": { "$in": ids }, "seller": { "$exists": true } });
            let rows = codec::all(find.projection(doc! { "seller": 1 }), |row| {
                Ok((ProductId::from_bytes(codec::id(row, "_id")?), UserId::from_bytes(codec::id(row, "seller")?)))
            });
            Ok(rows.await?.into_iter().collect())
        })
        .await
    }

    async fn reset(&self) -> Result<(), StoreError> {
        let all = self.collections.clone();
        self.run(async move {
            for collection in
                [&all.dashboard_applied, &all.dashboard_orders, &all.dashboard_products, &all.dashboard_notes]
            {
                collection.delete_many(doc! {}).await.map_err(|error| Failed::write(&error))?;
            }
            Ok(())
        })
        .await
    }
}

fn order(row: &Document) -> Result<OrderRow, StoreError> {
    let lines = row.get_array("lines").into_iter().flatten().filter_map(bson::Bson::as_document);
    Ok(OrderRow {
        id: OrderId::from_bytes(codec::id(row, "_id")?),
        status: status(codec::string(row, "status")?)?,
        version: codec::count(row, "version")?,
        created_at: codec::time(codec::whole(row, "createdAt")?)?,
        document: codec::json(row, "json")?,
        lines: lines.map(line).collect::<Result<_, _>>()?,
    })
}

fn line(row: &Document) -> Result<SoldLine, StoreError> {
    Ok(SoldLine {
        seller: UserId::from_bytes(codec::id(row, "seller")?),
        product: ProductId::from_bytes(codec::id(row, "product")?),
        title: codec::string(row, "title")?.to_owned(),
        quantity: u32::try_from(codec::whole(row, "quantity")?).map_err(codec::corrupt)?,
        price: Money::new(codec::whole(row, "priceMinor")?, currency(codec::string(row, "currency")?)?),
        to_ship: row.get_bool("toShip").unwrap_or(false),
        refunded_units: u32::try_from(codec::whole(row, "refundedUnits").unwrap_or(0)).map_err(codec::corrupt)?,
        refunded_minor: codec::whole(row, "refundedMinor").unwrap_or(0),
    })
}

fn currency(code: &str) -> Result<Currency, StoreError> {
    Currency::from_code(code).ok_or_else(|| codec::corrupt(format!("a price in {code}")))
}

fn status(word: &str) -> Result<OrderStatus, StoreError> {
    OrderStatus::from_word(word).ok_or_else(|| codec::corrupt(format!("an order that is {word}")))
}
