//! Converts a delivery into a change of the read model.
//!
//! A row's version is that of its document (`__v`), so that events may arrive in any order; a document without a
//! version uses the time of its last change.
//!
//! **Invariant:** the same document makes the same row, whatever the event; no row's document contains stock (which
//! is always read from the inventory), a version or a password.

use serde_json::Value;

use super::legacy_payloads::PRODUCT;
use crate::{
    actors::payload::{Payload, missing},
    bus::{Delivery, HandleError},
    domain::{
        Timestamp,
        ids::{ProductId, UserId},
        money::{Money, apportion},
        order::OrderStatus,
    },
    store::dashboard::{DashboardChange, OrderRow, SoldLine},
};

/// The default status of an order.
const NEW: &str = OrderStatus::Pending.as_str();

/// The largest price × quantity of a line, in minor units, so that sums stay exact.
const LINE_MAX_MINOR: i64 = 100_000_000_000_000;

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
            let id = Payload::of(document)?.id(&["_id", "id", "productId"])?;
            Ok(DashboardChange::ProductGone(id))
        }
        "USER_CREATED" => note("user", document),
        "PAYMENT_CREATED" | "PAYMENT_UPDATED" | "PAYMENT_UPDATE" => note("payment", document),
        _ => Err(HandleError::Unreadable(format!("the dashboard does not read the queue {}", delivery.queue))),
    }
}

/// The row of an order's document from an event at `at`.
///
/// # Errors
/// As [`project`].
pub fn order(document: &Value, at: Timestamp) -> Result<OrderRow, HandleError> {
    let payload = Payload::of(document)?;
    // Other programs may omit the defaults of a new order.
    let status = if payload.is_missing("status") { NEW } else { payload.need_text("status")? };
    let items = payload.objects("items");
    if items.is_empty() || items.len() != payload.len("items") {
        return Err(missing("items"));
    }
    let status = OrderStatus::from_word(status).ok_or_else(|| missing("status"))?;
    let mut lines: Vec<SoldLine> =
        items.into_iter().map(|item| line(item, status)).collect::<Result<_, HandleError>>()?;
    take_refunds(&mut lines, payload);
    Ok(OrderRow {
        id: payload.id(&["_id", "id"])?,
        status,
        version: version(payload, at)?,
        created_at: payload.time("createdAt").unwrap_or(at),
        document: without(document, &["__v"]),
        lines,
    })
}

/// Distributes the order's refunds over its lines. A refund has an amount but no lines: it is split over lines, tax
/// and shipping by their prices (largest remainder), and a unit counts as refunded once its whole price is.
fn take_refunds(lines: &mut [SoldLine], payload: Payload<'_>) {
    let minor = |key| payload.object(key).and_then(Payload::money).map_or(0, Money::minor);
    let refunded = minor("refundedPrice");
    if refunded <= 0 {
        return;
    }
    let of_line = |line: &SoldLine| line.price.minor().saturating_mul(i64::from(line.quantity));
    let mut weights: Vec<i64> = lines.iter().map(of_line).collect();
    weights.extend([minor("taxPrice"), minor("shippingPrice")]);
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

fn line(item: Payload<'_>, status: OrderStatus) -> Result<SoldLine, HandleError> {
    let quantity = item.count("quantity").and_then(|count| u32::try_from(count).ok()).filter(|count| *count > 0);
    let quantity = quantity.ok_or_else(|| missing("quantity"))?;
    let price = item.need_money("price")?;
    let together = price.times(quantity).map_or(-1, Money::minor);
    if price.minor() < 0 || !(0..=LINE_MAX_MINOR).contains(&together) {
        return Err(missing("price"));
    }
    Ok(SoldLine {
        seller: item.id(&["seller", "sellerId"])?,
        product: item.id(&PRODUCT)?,
        title: item.text("title").unwrap_or_default().to_owned(),
        quantity,
        price,
        to_ship: status == OrderStatus::Confirmed && item.text("shipment").is_none_or(|how| how == "waiting"),
        refunded_units: 0,
        refunded_minor: 0,
    })
}

/// The change of a product's document from an event at `at`.
///
/// # Errors
/// As [`project`].
pub fn product(document: &Value, at: Timestamp) -> Result<DashboardChange, HandleError> {
    let payload = Payload::of(document)?;
    let id: ProductId = payload.id(&["_id", "id", "productId"])?;
    let seller: UserId = payload.id(&["seller", "sellerId"])?;
    let document = without(document, &["__v", "stock"]);
    Ok(DashboardChange::Product { id, seller, version: version(payload, at)?, document })
}

/// The note of a user's or payment's document.
///
/// # Errors
/// As [`project`].
pub fn note(kind: &'static str, document: &Value) -> Result<DashboardChange, HandleError> {
    let payload = Payload::of(document)?;
    // A payment of another program may be known by its order alone.
    let keys: &[&str] = if kind == "payment" { &["_id", "id", "orderId", "order"] } else { &["_id", "id"] };
    let id = keys.iter().find_map(|key| payload.text(key)).ok_or_else(|| missing("_id"))?;
    let document = without(document, &["__v", "password", "passwordHash"]);
    Ok(DashboardChange::Note { kind, id: id.to_owned(), document })
}

/// Bounded by the largest integer of every store.
fn version(payload: Payload<'_>, at: Timestamp) -> Result<u64, HandleError> {
    let by_time = || {
        let changed = payload.time("updatedAt").unwrap_or(at);
        u64::try_from(changed.as_millisecond()).unwrap_or(0)
    };
    let version = payload.count("__v").unwrap_or_else(by_time);
    i64::try_from(version).map(|_| version).map_err(|_| missing("__v"))
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
