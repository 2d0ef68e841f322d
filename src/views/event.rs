//! The queues and payloads of each event.
//!
//! **Invariant:** other programs rely on queue names and payloads; a field may be added, none is removed or renamed.

use serde_json::{Value, json};

use super::{
    inventory::StockView, money::Amount, order::OrderView, payment::PaymentView, product::ProductView,
    user::FullNameView, user::UserView,
};
use crate::domain::queues;
use crate::domain::{
    event::{About, Envelope, Event},
    order::{Order, Part, Shipment},
    payment::{Dispute, Payment},
    user::Contact,
};

/// A message for a named queue.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The queue ([`queues::QUEUES`]).
    pub queue: &'static str,
    pub payload: Value,
}

fn message(queue: &'static str, payload: Value) -> Message {
    Message { queue, payload }
}

/// The messages that an event sends to named queues; none for events that only the topic exchange carries.
#[must_use]
pub fn messages(envelope: &Envelope) -> Vec<Message> {
    let event = &envelope.event;
    match event {
        Event::UserCreated(user) => {
            let name = FullNameView::from(&user.full_name);
            let notice = json!({"id": user.id, "username": user.username, "email": user.email, "fullName": name});
            vec![
                message(queues::USER_CREATED_NOTIFICATION, notice),
                message(queues::USER_CREATED_DASHBOARD, exchange_payload(envelope)),
            ]
        }
        Event::ProductCreated { product, seller, imported, .. } => {
            let notice = json!({
                "productId": product.id, "sellerId": product.seller, "email": seller.email,
                "username": seller.username, "title": product.title,
            });
            let notice = if *imported { with(notice, [("imported", json!(true))]) } else { notice };
            vec![
                message(queues::PRODUCT_CREATED_NOTIFICATION, notice),
                message(queues::PRODUCT_CREATED_DASHBOARD, exchange_payload(envelope)),
            ]
        }
        Event::ProductImportFinished { seller, .. } => {
            let payload = with(
                exchange_payload(envelope),
                [("email", json!(seller.email)), ("username", json!(seller.username))],
            );
            vec![message(queues::PRODUCT_IMPORT_FINISHED_NOTIFICATION, payload)]
        }
        Event::OrderConfirmed(order) => vec![
            message(queues::ORDER_UPDATED_DASHBOARD, order_payload(order)),
            message(queues::ORDER_CONFIRMED_NOTIFICATION, order_payload(order)),
        ],
        Event::OrderPartMoved { order, part } => {
            let queue = match part.shipment {
                Shipment::Waiting => None,
                Shipment::Shipped => Some(queues::ORDER_SHIPPED_NOTIFICATION),
                Shipment::Delivered => Some(queues::ORDER_DELIVERED_NOTIFICATION),
            };
            let notification = queue.map(|queue| message(queue, part_payload(order, *part)));
            std::iter::once(message(queues::ORDER_UPDATED_DASHBOARD, order_payload(order)))
                .chain(notification)
                .collect()
        }
        Event::OrderDelivered(order) => {
            // With one seller the mail about the part has informed the buyer already; with several, this one is sent
            // in addition.
            let notification = order
                .has_several_sellers()
                .then(|| message(queues::ORDER_DELIVERED_NOTIFICATION, order_payload(order)));
            std::iter::once(message(queues::ORDER_UPDATED_DASHBOARD, order_payload(order)))
                .chain(notification)
                .collect()
        }
        Event::OrderShipped(order) => vec![
            message(queues::ORDER_UPDATED_DASHBOARD, order_payload(order)),
            message(queues::ORDER_SHIPPED_NOTIFICATION, order_payload(order)),
        ],
        Event::OrderCancelled(order) => vec![
            message(queues::ORDER_UPDATED_DASHBOARD, order_payload(order)),
            message(queues::ORDER_CANCELLED_NOTIFICATION, order_payload(order)),
        ],
        Event::PaymentInitiated(payment) => vec![message(queues::PAYMENT_INITIATED_NOTIFICATION, notice(payment))],
        Event::PaymentCompleted(payment) => {
            vec![message(queues::PAYMENT_COMPLETED_NOTIFICATION, full_notice(payment))]
        }
        Event::PaymentFailed { payment, reason } => {
            let payload = with(full_notice(payment), [("reason", json!(reason))]);
            vec![message(queues::PAYMENT_FAILED_NOTIFICATION, payload)]
        }
        Event::PaymentRefunded { payment, amount, reason } => {
            let amount = json!(Amount::from_minor(amount.minor()));
            let payload = with(full_notice(payment), [("refundAmount", amount), ("reason", json!(reason))]);
            vec![message(queues::PAYMENT_REFUNDED_NOTIFICATION, payload)]
        }
        Event::PaymentDisputed { payment, dispute, admins } => {
            let name = |admin: &Contact| json!({"id": admin.user, "email": admin.email, "username": admin.username, "fullName": FullNameView::from(&admin.full_name)});
            let admins: Vec<Value> = admins.iter().map(name).collect();
            let payload =
                with(disputed(payment, dispute), [("orderId", json!(payment.order)), ("admins", json!(admins))]);
            vec![message(queues::PAYMENT_DISPUTED_NOTIFICATION, payload)]
        }
        // Its queues get the exchange's payload.
        event => {
            let published =
                queues::QUEUES.iter().filter(|queue| queue.publisher.is_some() && queue.event == event.name());
            published.map(|queue| message(queue.name, exchange_payload(envelope))).collect()
        }
    }
}

/// The payload of an event on the topic exchange.
#[must_use]
pub fn exchange_payload(envelope: &Envelope) -> Value {
    let event = &envelope.event;
    let payload = match event.about() {
        About::User(user) => json!(UserView::from(user)),
        About::Product(product) => json!(ProductView::new(product, None)),
        About::Stock(level) => with(json!(StockView::from(level)), [("__v", json!(level.version))]),
        About::Order(order) => order_payload(order),
        About::Payment(payment) => json!(PaymentView::from(payment)),
        About::Other { payload, .. } => payload,
    };
    match event {
        Event::ProductCreated { stock, .. } => with(payload, [("stock", json!(stock))]),
        Event::PaymentFailed { reason, .. } => with(payload, [("reason", json!(reason))]),
        Event::PaymentRefunded { amount, reason, .. } => {
            let amount = json!(Amount::from_minor(amount.minor()));
            with(payload, [("refundAmount", amount), ("reason", json!(reason))])
        }
        Event::PaymentDisputed { payment, dispute, .. } => with(payload, [("dispute", disputed(payment, dispute))]),
        _ => payload,
    }
}

fn order_payload(order: &Order) -> Value {
    json!(OrderView::from(order))
}

/// The order with only the lines of the part.
fn part_payload(order: &Order, part: Part) -> Value {
    let mut moved = order.clone();
    moved.items.retain(|item| item.seller == part.seller && item.shipment == part.shipment);
    with(order_payload(&moved), [("part", json!(true))])
}

/// The data of a mail about a payment.
fn notice(payment: &Payment) -> Value {
    json!({
        "user": payment.contact.user,
        "email": payment.contact.email,
        "username": payment.contact.username,
        "orderId": payment.order,
        "amount": Amount::from_minor(payment.price.minor()),
        "currency": payment.price.currency().code(),
    })
}

fn disputed(payment: &Payment, dispute: &Dispute) -> Value {
    json!({
        "disputeId": dispute.id,
        "paymentId": dispute.payment_id,
        "amount": Amount::from_minor(dispute.amount.minor()),
        "currency": payment.price.currency().code(),
        "reason": dispute.reason,
        "respondBy": dispute.respond_by,
    })
}

fn full_notice(payment: &Payment) -> Value {
    let name = json!(FullNameView::from(&payment.contact.full_name));
    let full = with(notice(payment), [("fullName", name)]);
    match &payment.payment_id {
        Some(id) => with(full, [("paymentId", json!(id))]),
        None => full,
    }
}

fn with<const N: usize>(mut payload: Value, more: [(&str, Value); N]) -> Value {
    if let Some(fields) = payload.as_object_mut() {
        fields.extend(more.map(|(key, value)| (key.to_owned(), value)));
    }
    payload
}

#[cfg(test)]
mod tests;
