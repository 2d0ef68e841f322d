//! Converts a delivery into a change of the read model.
//!
//! A row's version is that of its document (`__v`), so that events may arrive in any order; a document without a
//! version uses the time of its last change.
//!
//! **Invariant:** the same document makes the same row, whatever the event; no row's document contains stock (which
//! is always read from the inventory), a version or a password.

use std::str::FromStr;

use serde::Deserialize;
use serde_json::Value;

use crate::{
    actors::payload::{Loose, Text, missing, read},
    bus::{Delivery, HandleError},
    domain::{
        Timestamp,
        ids::{ProductId, UserId},
        money::{Money, apportion},
        order::OrderStatus,
    },
    store::dashboard::{DashboardChange, OrderRow, SoldLine},
    views::money::MoneyView,
};

/// The largest price × quantity of a line, in minor units, so that sums stay exact.
const LINE_MAX_MINOR: i64 = 100_000_000_000_000;

/// The fields that all documents share.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Document {
    #[serde(rename = "_id")]
    own_id: Text,
    id: Text,
    product_id: Text,
    order_id: Text,
    order: Text,
    seller: Text<UserId>,
    seller_id: Text<UserId>,
    created_at: Text<Timestamp>,
    updated_at: Text<Timestamp>,
    #[serde(rename = "__v")]
    version: Loose<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct OrderDocument {
    #[serde(flatten)]
    document: Document,
    /// Unparsed: it may be missing, but an invalid one is refused.
    status: Value,
    items: Loose<Vec<Item>>,
    refunded_price: Loose<MoneyView>,
    tax_price: Loose<MoneyView>,
    shipping_price: Loose<MoneyView>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Item {
    product: Text<ProductId>,
    product_id: Text<ProductId>,
    seller: Text<UserId>,
    seller_id: Text<UserId>,
    title: Text,
    quantity: Loose<u32>,
    price: Loose<MoneyView>,
    shipment: Text,
}

/// The change that a delivery makes.
///
/// # Errors
/// [`HandleError::Unreadable`], naming what is missing.
pub fn project(delivery: &Delivery) -> Result<DashboardChange, HandleError> {
    let (_, event) = delivery.queue.rsplit_once('.').unwrap_or_default();
    let (document, at) = (&delivery.payload, delivery.occurred_at);
    match event {
        "ORDER_CREATED" | "ORDER_UPDATED" => order(document, at).map(DashboardChange::Order),
        "PRODUCT_CREATED" | "PRODUCT_UPDATED" => product(document, at),
        "PRODUCT_DELETED" => {
            let Document { own_id, id, product_id, .. } = read(document)?;
            Ok(DashboardChange::ProductGone(id_of(own_id.or(id).or(product_id))?))
        }
        // The payload of a deleted user is their id, which replaces all that was known.
        "USER_CREATED" | "USER_DELETED" => note("user", document),
        "PAYMENT_CREATED" | "PAYMENT_UPDATED" | "PAYMENT_UPDATE" => note("payment", document),
        _ => Err(HandleError::Unreadable(format!("the dashboard does not read the queue {}", delivery.queue))),
    }
}

fn id_of<T: FromStr>(text: Text) -> Result<T, HandleError> {
    text.need("_id")?.parse().map_err(|_| missing("_id"))
}

/// The row of an order's document from an event at `at`.
///
/// # Errors
/// As [`project`].
pub fn order(document: &Value, at: Timestamp) -> Result<OrderRow, HandleError> {
    let mut order: OrderDocument = read(document)?;
    // Other programs may omit the defaults of a new order.
    let status = if order.status.is_null() { Some(OrderStatus::Pending) } else { status(&order.status) };
    let status = status.ok_or_else(|| missing("status"))?;
    let items = order.items.0.take().filter(|items| !items.is_empty()).ok_or_else(|| missing("items"))?;
    let mut lines: Vec<SoldLine> =
        items.into_iter().map(|item| line(item, status)).collect::<Result<_, HandleError>>()?;
    take_refunds(&mut lines, &order);
    Ok(OrderRow {
        status,
        version: order.document.version(at)?,
        created_at: order.document.created_at.0.unwrap_or(at),
        id: id_of(order.document.own_id.or(order.document.id))?,
        document: without(document, &["__v"]),
        lines,
    })
}

fn status(word: &Value) -> Option<OrderStatus> {
    OrderStatus::from_word(word.as_str()?.trim())
}

/// Distributes the order's refunds over its lines. A refund has an amount but no lines: it is split over lines, tax
/// and shipping by their prices (largest remainder), and a unit counts as refunded once its whole price is.
fn take_refunds(lines: &mut [SoldLine], order: &OrderDocument) {
    let minor = |money: Loose<MoneyView>| money.money().map_or(0, Money::minor);
    let refunded = minor(order.refunded_price);
    if refunded <= 0 {
        return;
    }
    let of_line = |line: &SoldLine| line.price.minor().saturating_mul(i64::from(line.quantity));
    let mut weights: Vec<i64> = lines.iter().map(of_line).collect();
    weights.extend([minor(order.tax_price), minor(order.shipping_price)]);
    let total: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
    let refunded = i128::from(refunded).min(total);
    let parts = apportion(i64::try_from(refunded).unwrap_or(0), &weights);
    for (line, part) in lines.iter_mut().zip(parts) {
        let units = (i128::from(line.quantity) * refunded).checked_div(total).unwrap_or(0);
        line.refunded_units = u32::try_from(units).unwrap_or(line.quantity);
        line.refunded_minor = part;
        line.to_ship = line.to_ship && refunded < total;
    }
}

fn line(item: Item, status: OrderStatus) -> Result<SoldLine, HandleError> {
    let quantity = item.quantity.0.filter(|count| *count > 0).ok_or_else(|| missing("quantity"))?;
    let price = item.price.money().ok_or_else(|| missing("price"))?;
    let together = price.times(quantity).map_or(-1, Money::minor);
    if price.minor() < 0 || !(0..=LINE_MAX_MINOR).contains(&together) {
        return Err(missing("price"));
    }
    Ok(SoldLine {
        seller: item.seller.or(item.seller_id).need("seller")?,
        product: item.product.or(item.product_id).need("product")?,
        title: item.title.0.unwrap_or_default(),
        quantity,
        price,
        to_ship: status == OrderStatus::Confirmed && item.shipment.as_deref().is_none_or(|how| how == "waiting"),
        refunded_units: 0,
        refunded_minor: 0,
    })
}

/// The change of a product's document from an event at `at`.
///
/// # Errors
/// As [`project`].
pub fn product(document: &Value, at: Timestamp) -> Result<DashboardChange, HandleError> {
    let product: Document = read(document)?;
    let version = product.version(at)?;
    let id = id_of(product.own_id.or(product.id).or(product.product_id))?;
    let seller = product.seller.or(product.seller_id).need("seller")?;
    Ok(DashboardChange::Product { id, seller, version, document: without(document, &["__v", "stock"]) })
}

/// The note of a user's or payment's document.
///
/// # Errors
/// As [`project`].
pub fn note(kind: &'static str, document: &Value) -> Result<DashboardChange, HandleError> {
    let Document { own_id, id, order_id, order, .. } = read(document)?;
    let mut id = own_id.or(id);
    if kind == "payment" {
        // A payment of another program may be known by its order alone.
        id = id.or(order_id).or(order);
    }
    let document = without(document, &["__v", "password", "passwordHash"]);
    Ok(DashboardChange::Note { kind, id: id.need("_id")?, document })
}

impl Document {
    /// Bounded by the largest integer of every store.
    fn version(&self, at: Timestamp) -> Result<u64, HandleError> {
        let by_time = || {
            let changed = self.updated_at.0.unwrap_or(at);
            u64::try_from(changed.as_millisecond()).unwrap_or(0)
        };
        let version = self.version.0.unwrap_or_else(by_time);
        i64::try_from(version).map(|_| version).map_err(|_| missing("__v"))
    }
}

fn without(document: &Value, keys: &[&str]) -> Value {
    let mut document = document.clone();
    if let Some(fields) = document.as_object_mut() {
        fields.retain(|key, _| !keys.contains(&key.as_str()));
    }
    document
}

#[cfg(test)]
mod tests;
