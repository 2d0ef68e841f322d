//! An order as clients see it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{money::MoneyView, user::PostalAddressView, words};
use crate::domain::{
    Timestamp,
    ids::{OrderId, PaymentId, ProductId, RefundId, UserId},
    money::Money,
    order::{Order, OrderItem, OrderPayment, OrderStatus, Part, Share, Shipment, TimelineEntry, Totals},
};

/// An item of an order, with title and price at the time of the order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderItemView {
    /// The product.
    #[schema(value_type = String, example = "665f1f77bcf86cd799439012")]
    pub product: ProductId,
    /// Its title.
    #[serde(default)]
    #[schema(example = "Steel bottle", required = true)]
    pub title: String,
    /// The seller.
    #[schema(value_type = String, example = "665f1f77bcf86cd799439014")]
    pub seller: UserId,
    /// The quantity.
    #[schema(example = 2)]
    pub quantity: u32,
    /// The price of one unit.
    pub price: MoneyView,
    /// `waiting`, `shipped` or `delivered`.
    #[serde(default)]
    #[schema(schema_with = words::shipment, required = true)]
    pub shipment: Shipment,
    /// The carrier's tracking number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "TRACK-1")]
    pub tracking_number: Option<String>,
}

impl From<&OrderItem> for OrderItemView {
    fn from(item: &OrderItem) -> Self {
        Self {
            product: item.product,
            title: item.title.clone(),
            seller: item.seller,
            quantity: item.quantity,
            price: item.price.into(),
            shipment: item.shipment,
            tracking_number: item.tracking_number.clone(),
        }
    }
}

/// An entry of an order's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TimelineView {
    /// The status that the order reached.
    #[schema(schema_with = words::order_status)]
    pub status: OrderStatus,
    /// When.
    #[schema(value_type = String, format = DateTime, example = "2026-01-02T03:04:05Z")]
    pub at: Timestamp,
    /// The reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "expired")]
    pub reason: Option<String>,
    /// The refund that the entry is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "665f1f77bcf86cd799439018")]
    pub refund: Option<RefundId>,
    /// The part, if the entry is about the items of one seller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<PartView>,
}

/// The items of one seller in an order with several sellers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PartView {
    /// The seller.
    #[schema(value_type = String, example = "665f1f77bcf86cd799439014")]
    pub seller: UserId,
    /// The shipment's state.
    #[schema(schema_with = words::shipment)]
    pub shipment: Shipment,
}

impl From<&TimelineEntry> for TimelineView {
    fn from(entry: &TimelineEntry) -> Self {
        let part = entry.part.map(|Part { seller, shipment }| PartView { seller, shipment });
        Self { status: entry.status, at: entry.at, reason: entry.reason.clone(), refund: entry.refund, part }
    }
}

/// The payment that paid an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderPaymentView {
    /// The payment.
    #[serde(rename = "_id")]
    #[schema(value_type = String, example = "665f1f77bcf86cd799439017")]
    pub id: PaymentId,
    /// The gateway's id of the payment.
    #[schema(example = "pay_29QQoUBi66xm2f")]
    pub payment_id: String,
}

impl From<&OrderPayment> for OrderPaymentView {
    fn from(payment: &OrderPayment) -> Self {
        Self { id: payment.id, payment_id: payment.payment_id.clone() }
    }
}

/// An order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderView {
    /// Id.
    #[serde(rename = "_id")]
    #[schema(value_type = String, example = "665f1f77bcf86cd799439016")]
    pub id: OrderId,
    /// The buyer.
    #[schema(value_type = String, example = "665f1f77bcf86cd799439011")]
    pub user: UserId,
    /// Lines.
    pub items: Vec<OrderItemView>,
    /// `PENDING`, `CONFIRMED`, `SHIPPED`, `DELIVERED` or `CANCELLED`.
    #[schema(schema_with = words::order_status)]
    pub status: OrderStatus,
    /// Price × quantity of all lines.
    pub subtotal: MoneyView,
    /// Tax on the subtotal.
    pub tax_price: MoneyView,
    /// Shipping.
    pub shipping_price: MoneyView,
    /// The sum of the three.
    pub total_price: MoneyView,
    /// The shipping address; null until it is set.
    #[serde(default)]
    #[schema(required = true)]
    pub shipping_address: Option<PostalAddressView>,
    /// The payment that paid it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<OrderPaymentView>,
    /// The refunded part of the total.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refunded_price: Option<MoneyView>,
    /// The history, oldest first.
    #[serde(default)]
    #[schema(required = true)]
    pub timeline: Vec<TimelineView>,
    /// When the order was made.
    #[schema(value_type = String, format = DateTime, example = "2026-01-02T03:04:05Z")]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime, example = "2026-01-02T03:04:05Z")]
    pub updated_at: Timestamp,
    /// The document's version; a seller's dashboard leaves it out.
    #[serde(rename = "__v", default)]
    #[schema(example = 1)]
    pub version: u64,
}

impl From<&Order> for OrderView {
    fn from(order: &Order) -> Self {
        Self {
            id: order.id,
            user: order.user,
            items: order.items.iter().map(OrderItemView::from).collect(),
            status: order.status,
            subtotal: order.subtotal.into(),
            tax_price: order.tax.into(),
            shipping_price: order.shipping.into(),
            total_price: order.total.into(),
            shipping_address: order.shipping_address.as_ref().map(PostalAddressView::from),
            payment: order.payment.as_ref().map(OrderPaymentView::from),
            refunded_price: order.refunded.map(MoneyView::from),
            timeline: order.timeline.iter().map(TimelineView::from).collect(),
            created_at: order.created_at,
            updated_at: order.updated_at,
            version: order.version,
        }
    }
}

/// The price of an order of a cart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderTotalsView {
    /// Price × quantity of all lines.
    pub subtotal: MoneyView,
    /// Tax on the subtotal.
    pub tax_price: MoneyView,
    /// Shipping.
    pub shipping_price: MoneyView,
    /// The sum of the three.
    pub total_price: MoneyView,
}

impl From<&Totals> for OrderTotalsView {
    fn from(totals: &Totals) -> Self {
        Self {
            subtotal: totals.subtotal.into(),
            tax_price: totals.tax.into(),
            shipping_price: totals.shipping.into(),
            total_price: totals.total.into(),
        }
    }
}

/// `{order}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderAnswer {
    /// The order.
    pub order: OrderView,
}

impl From<&Order> for OrderAnswer {
    fn from(order: &Order) -> Self {
        Self { order: OrderView::from(order) }
    }
}

/// Reduces an order's document to what `seller` may see: the seller's own items, their share of the sums, and the
/// address once the order is paid. If another program's document lacks the items' costs, the sums are removed.
pub fn keep_what_is_of(order: &mut Value, seller: UserId) {
    let read = |value: &Value| serde_json::from_value::<MoneyView>(value.clone()).ok().map(Money::from);
    let lines: Option<Vec<(UserId, Money)>> = order.get("items").and_then(Value::as_array).and_then(|items| {
        let line = |item: &Value| {
            let quantity = item.get("quantity")?.as_u64().and_then(|units| u32::try_from(units).ok())?;
            Some((seller_of(item)?, read(item.get("price")?)?.times(quantity).ok()?))
        };
        items.iter().map(line).collect()
    });
    let items = order.get("items").and_then(Value::as_array);
    let several = items.into_iter().flatten().any(|item| seller_of(item) != Some(seller));
    let sums = lines.and_then(|lines| {
        let sum = |key: &str| read(order.get(key)?);
        Some(Share::of(seller, &lines, sum("taxPrice")?, sum("shippingPrice")?, sum("refundedPrice")))
    });
    let status = order.get("status").and_then(Value::as_str).and_then(OrderStatus::from_word);
    let paid = order.get("payment").is_some_and(Value::is_object) || status.is_some_and(OrderStatus::is_sale);
    let Some(fields) = order.as_object_mut() else { return };
    if !paid && fields.contains_key("shippingAddress") {
        fields.insert("shippingAddress".to_owned(), Value::Null);
    }
    if !several {
        return;
    }
    if let Some(items) = fields.get_mut("items").and_then(Value::as_array_mut) {
        items.retain(|item| seller_of(item) == Some(seller));
    }
    let view = |sum: Option<Money>| sum.map(|sum| json!(MoneyView::from(sum)));
    for (key, sum) in [
        ("subtotal", view(sums.map(|share| share.subtotal))),
        ("taxPrice", view(sums.map(|share| share.tax))),
        ("shippingPrice", view(sums.map(|share| share.shipping))),
        ("totalPrice", view(sums.map(|share| share.total))),
        ("refundedPrice", view(sums.and_then(|share| share.refunded))),
    ] {
        match sum {
            Some(sum) => drop(fields.insert(key.to_owned(), sum)),
            None => drop(fields.remove(key)),
        }
    }
    if let Some(moments) = fields.get_mut("timeline").and_then(Value::as_array_mut) {
        moments.retain(|moment| moment.get("part").is_none_or(|part| seller_of(part) == Some(seller)));
        for moment in moments.iter_mut().filter(|moment| moment.get("refund").is_some()) {
            // It refers to the refund of the whole order.
            if let Some(moment) = moment.as_object_mut() {
                moment.remove("reason");
            }
        }
    }
}

fn seller_of(of: &Value) -> Option<UserId> {
    let text = ["seller", "sellerId"].iter().find_map(|key| of.get(key)?.as_str())?;
    text.trim().parse().ok()
}

/// The position of a page in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PaginationView {
    /// The page, from 1.
    #[schema(example = 1)]
    pub page: u64,
    /// Rows on a page.
    #[schema(example = 20)]
    pub limit: u32,
    /// Rows in all.
    #[schema(example = 1)]
    pub total: u64,
    /// Pages in all.
    #[schema(example = 1)]
    pub total_pages: u64,
}

/// `{orders, pagination}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrdersAnswer {
    /// Newest first.
    pub orders: Vec<OrderView>,
    /// The position in the list.
    pub pagination: PaginationView,
}
