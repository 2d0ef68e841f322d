//! Tools that report the user's own orders, without addresses and payments.

use crate::actors::order_saga::calls::{GetOrder, GetOrdersOfUser};
use serde_json::{Value as Json, json};

use super::{
    Work, answer,
    refusal::{Refused, ToolRefusal},
};
use crate::domain::{
    ids::{OrderId, ProductId},
    order::{Order, OrderStatus},
};

/// The maximum number of orders in one result.
const ORDERS_MAX: u32 = 8;
/// The maximum number of lines of an order in a result.
const LINES_MAX: usize = 20;

impl Work<'_, '_> {
    pub(super) async fn list_orders(&mut self, status: Option<OrderStatus>) -> Refused<Json> {
        let user = self.context.shopper.id;
        let page = self.ask(GetOrdersOfUser { user, status, skip: 0, limit: ORDERS_MAX }).await?;
        let orders: Vec<Json> = page.rows.iter().map(brief).collect();
        Ok(json!({ "total": page.total, "orders": orders }))
    }

    pub(super) async fn order_status(&mut self, id: Option<OrderId>) -> Refused<Json> {
        let user = self.context.shopper.id;
        let order = match id {
            Some(id) => self.ask(GetOrder { order: id }).await?.filter(|order| order.user == user),
            None => self.ask(GetOrdersOfUser { user, status: None, skip: 0, limit: 1 }).await?.rows.pop(),
        };
        let order = order.ok_or_else(|| match id {
            Some(_) => ToolRefusal::new("tool.unknown_order", "There is no such order among the shopper's."),
            None => ToolRefusal::new("tool.no_orders", "The shopper has no orders yet."),
        })?;
        let products: Vec<ProductId> = order.items.iter().take(LINES_MAX).map(|item| item.product).collect();
        self.context.known.note(&products);
        let mut data = brief(&order);
        let moments: Vec<Json> = order.timeline.iter().map(moment).collect();
        data["timeline"] = json!(moments);
        if order.status == OrderStatus::Pending {
            data["payBefore"] = json!(order.expires_at);
        }
        Ok(json!({ "order": data }))
    }
}

fn brief(order: &Order) -> Json {
    let line = |item: &crate::domain::order::OrderItem| {
        let tracking = item.tracking_number.as_deref().map(|number| answer::sanitize(number, 100));
        json!({
            "productId": item.product,
            "quantity": item.quantity,
            "price": answer::money(item.price),
            "shipment": item.shipment,
            "untrusted": { "title": answer::sanitize(&item.title, 200), "trackingNumber": tracking },
        })
    };
    json!({
        "orderId": order.id,
        "status": order.status,
        "placedAt": order.created_at,
        "items": order.items.iter().take(LINES_MAX).map(line).collect::<Vec<_>>(),
        "itemCount": order.items.len(),
        "total": answer::money(order.total),
    })
}

fn moment(entry: &crate::domain::order::TimelineEntry) -> Json {
    let mut moment = json!({ "status": entry.status, "at": entry.at });
    if let Some(reason) = &entry.reason {
        moment["untrusted"] = json!({ "reason": answer::sanitize(reason, 200) });
    }
    moment
}
