use serde_json::json;

use super::*;
use crate::{
    domain::{
        event::{Envelope, Event},
        ids::EventId,
        money::Currency,
        queues,
    },
    views::event::messages,
};

const ORDER: &str = "665f1f77bcf86cd799439016";
const SELLER: &str = "665f1f77bcf86cd799439011";

fn delivery(queue: &'static str, payload: Value) -> Delivery {
    Delivery {
        queue,
        event: EventId::generate(),
        name: String::new(),
        occurred_at: "2026-01-02T03:04:05Z".parse().unwrap(),
        aggregate_id: ORDER.into(),
        payload,
        trace: None,
    }
}

fn order_payload() -> Value {
    let price = json!({"amount": 499.5, "currency": "INR"});
    json!({
        "_id": ORDER, "status": "CONFIRMED", "createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:01Z",
        "items": [{"product": ORDER, "title": "Pot", "seller": SELLER, "quantity": 2, "price": price}], "__v": 3,
    })
}

fn with(mut payload: Value, pointer: &str, value: Value) -> Value {
    *payload.pointer_mut(pointer).unwrap() = value;
    payload
}

#[test]
fn an_order_becomes_a_row_with_every_line() {
    let Ok(DashboardChange::Order(row)) = project(&delivery(queues::ORDER_UPDATED_DASHBOARD, order_payload())) else {
        panic!("an order's change")
    };
    assert_eq!((row.id.to_hex().as_str(), row.status, row.version), (ORDER, OrderStatus::Confirmed, 3));
    assert_eq!(row.created_at.to_string(), "2026-01-01T00:00:00Z");
    assert_eq!(row.lines.len(), 1);
    assert_eq!((row.lines[0].quantity, row.lines[0].price), (2, Money::new(49_950, Currency::Inr)));
    assert_eq!(row.document.get("__v"), None);
    assert_eq!(row.document["items"], order_payload()["items"]);
}

#[test]
fn a_document_without_a_version_counts_by_its_last_change() {
    let mut payload = order_payload();
    payload.as_object_mut().unwrap().remove("__v");
    let version = |payload: &Value| order(payload, Timestamp::UNIX_EPOCH).unwrap().version;
    assert_eq!(version(&payload), 1_767_225_601_000);
    payload["updatedAt"] = json!("2026-01-01T00:00:02Z");
    assert_eq!(version(&payload), 1_767_225_602_000);
}

#[test]
fn a_product_keeps_no_stock_and_its_end_is_one() {
    let shown = json!({"_id": ORDER, "title": "Pot", "seller": SELLER, "stock": 7, "__v": 4});
    let document = json!({"_id": ORDER, "title": "Pot", "seller": SELLER});
    let expected =
        DashboardChange::Product { id: ORDER.parse().unwrap(), seller: SELLER.parse().unwrap(), version: 4, document };
    assert_eq!(project(&delivery(queues::PRODUCT_CREATED_DASHBOARD, shown)), Ok(expected));
    for payload in [json!({"productId": ORDER, "sellerId": SELLER}), json!({"_id": ORDER})] {
        let gone = project(&delivery(queues::PRODUCT_DELETED_DASHBOARD, payload));
        assert_eq!(gone, Ok(DashboardChange::ProductGone(ORDER.parse().unwrap())));
    }
}

#[test]
fn users_and_payments_are_noted_without_a_password() {
    let user = json!({"_id": SELLER, "email": "a@example.com", "password": "x", "passwordHash": "y"});
    let document = json!({"_id": SELLER, "email": "a@example.com"});
    let expected = DashboardChange::Note { kind: "user", id: SELLER.into(), document };
    assert_eq!(project(&delivery(queues::USER_CREATED_DASHBOARD, user)), Ok(expected));
    for queue in
        [queues::PAYMENT_CREATED_DASHBOARD, queues::PAYMENT_UPDATED_DASHBOARD, queues::PAYMENT_UPDATE_DASHBOARD]
    {
        let noted = project(&delivery(queue, json!({"id": ORDER, "status": "PENDING"}))).unwrap();
        assert!(matches!(noted, DashboardChange::Note { kind: "payment", ref id, .. } if id == ORDER));
    }
    // A payment of another program, identified by its order.
    let noted = project(&delivery(queues::PAYMENT_UPDATE_DASHBOARD, json!({"orderId": ORDER, "status": "COMPLETED"})));
    assert!(matches!(noted, Ok(DashboardChange::Note { kind: "payment", ref id, .. }) if id == ORDER));
    assert!(project(&delivery(queues::USER_CREATED_DASHBOARD, json!({"orderId": ORDER}))).is_err());
}

#[test]
fn an_order_as_mongoose_writes_it_becomes_a_row() {
    let price = json!({"amount": 499.5, "currency": "INR", "_id": SELLER});
    let item = json!({"productId": ORDER, "sellerId": SELLER, "quantity": 2, "price": price, "_id": SELLER});
    let order =
        json!({"_id": ORDER, "user": SELLER, "items": [item], "createdAt": "2026-01-01T00:00:00.123Z", "__v": 0});
    let Ok(DashboardChange::Order(row)) = project(&delivery(queues::ORDER_CREATED_DASHBOARD, order)) else {
        panic!("an order's change")
    };
    assert_eq!((row.status, row.version, row.lines.len()), (OrderStatus::Pending, 0, 1));
    assert_eq!((row.lines[0].quantity, row.lines[0].price), (2, Money::new(49_950, Currency::Inr)));
}

#[test]
fn what_would_falsify_a_number_is_unreadable() {
    let good = order_payload();
    let bad = [
        Value::Null,
        json!([]),
        json!({}),
        with(good.clone(), "/_id", json!("x")),
        with(good.clone(), "/status", json!("PAID")),
        with(good.clone(), "/status", json!(7)),
        with(good.clone(), "/items", json!([])),
        with(good.clone(), "/items", json!([1])),
        with(good.clone(), "/items/0/seller", json!(null)),
        with(good.clone(), "/items/0/product", json!({})),
        with(good.clone(), "/items/0/quantity", json!(0)),
        with(good.clone(), "/items/0/quantity", json!(-1)),
        with(good.clone(), "/items/0/quantity", json!(1.5)),
        with(good.clone(), "/items/0/quantity", json!(5_000_000_000_u64)),
        with(good.clone(), "/items/0/price", json!(499.5)),
        with(good.clone(), "/items/0/price/amount", json!(-1)),
        with(good.clone(), "/items/0/price/amount", json!(0.001)),
        with(good.clone(), "/items/0/price/currency", json!("EUR")),
        with(with(good.clone(), "/items/0/price/amount", json!(9e9)), "/items/0/quantity", json!(4_000_000)),
        with(good, "/__v", json!(u64::MAX)),
    ];
    for payload in bad {
        let answer = project(&delivery(queues::ORDER_CREATED_DASHBOARD, payload.clone()));
        assert!(matches!(answer, Err(HandleError::Unreadable(_))), "{payload}: {answer:?}");
    }
    assert!(project(&delivery("OTHER.QUEUE", order_payload())).is_err());
    assert!(project(&delivery(queues::PRODUCT_CREATED_DASHBOARD, json!({"_id": ORDER}))).is_err());
    assert!(project(&delivery(queues::PAYMENT_CREATED_DASHBOARD, json!({"status": "x"}))).is_err());
}

#[test]
fn the_shops_own_word_of_a_deleted_product_is_read() {
    let id: ProductId = ORDER.parse().unwrap();
    let event = Event::ProductDeleted { product: id, seller: SELLER.parse().unwrap() };
    let envelope = Envelope::new(event, Timestamp::UNIX_EPOCH);
    let sent = messages(&envelope);
    assert_eq!(sent.len(), 1);
    assert_eq!(project(&delivery(sent[0].queue, sent[0].payload.clone())), Ok(DashboardChange::ProductGone(id)));
}

#[test]
fn what_was_given_back_is_taken_from_lines_tax_and_shipping_alike() {
    let inr = |amount: f64| json!({"amount": amount, "currency": "INR"});
    let mut payload = order_payload();
    for (key, amount) in [("taxPrice", 99.9), ("shippingPrice", 50.0), ("totalPrice", 1148.9)] {
        payload[key] = inr(amount);
    }
    let line = |payload: &Value| order(payload, Timestamp::UNIX_EPOCH).unwrap().lines.remove(0);
    let line_state =
        |payload: &Value| (line(payload).to_ship, line(payload).refunded_units, line(payload).refunded_minor);
    assert_eq!(line_state(&payload), (true, 0, 0));
    for (refunded, expected) in [
        (574.45, (true, 1, 49_950)),
        (10.0, (true, 0, 870)),
        (1148.9, (false, 2, 99_900)),
        // More than the total, or in an invalid format.
        (2000.0, (false, 2, 99_900)),
    ] {
        payload["refundedPrice"] = inr(refunded);
        assert_eq!(line_state(&payload), expected, "{refunded}");
    }
    payload["refundedPrice"] = json!("all");
    assert_eq!(line_state(&payload), (true, 0, 0));
    payload["items"][0]["shipment"] = json!("shipped");
    assert!(!line(&payload).to_ship);
    payload["items"][0]["shipment"] = json!("waiting");
    payload["status"] = json!("PENDING");
    assert!(!line(&payload).to_ship);
}
