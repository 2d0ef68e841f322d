use super::*;
use crate::{
    domain::{
        Timestamp,
        event::UserSnapshot,
        ids::{EventId, OrderId, PaymentId, ProductId, RefundId, UserId},
        inventory::StockLevel,
        money::{Currency, Money},
        order::{NewOrder, OrderItem, OrderPayment, Part, Pricing, Shipment},
        product::{Product, ProductStatus},
        user::{Contact, FullName, Role, User},
    },
    views::read,
};

const NOW: &str = "2026-01-02T03:04:05Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn id<T>(make: fn([u8; 12]) -> T, last: u8) -> T {
    make([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last])
}

fn hex(last: u8) -> String {
    format!("{last:024x}")
}

fn contact() -> Contact {
    Contact {
        user: id(UserId::from_bytes, 1),
        email: "asha@example.com".into(),
        username: "asha".into(),
        full_name: FullName { first_name: "Asha".into(), last_name: "Rao".into() },
    }
}

fn product() -> Product {
    Product {
        id: id(ProductId::from_bytes, 2),
        title: "Bottle".into(),
        description: "Cold".into(),
        price: Money::new(49_950, Currency::Inr),
        category: "kitchen".into(),
        seller: id(UserId::from_bytes, 3),
        images: vec![],
        max_per_order: None,
        status: ProductStatus::Live,
        status_reason: None,
        created_at: now(),
        updated_at: now(),
        version: 4,
    }
}

fn order() -> Order {
    let item = OrderItem {
        product: id(ProductId::from_bytes, 2),
        title: "Bottle".into(),
        seller: id(UserId::from_bytes, 3),
        quantity: 2,
        price: Money::new(49_950, Currency::Inr),
        shipment: Shipment::Waiting,
        tracking_number: None,
    };
    let new = NewOrder {
        id: id(OrderId::from_bytes, 5),
        user: id(UserId::from_bytes, 1),
        items: vec![item],
        shipping_address: None,
        cart_version: 1,
        window: jiff::SignedDuration::from_mins(15),
    };
    Order::place(new, &Pricing { tax_basis_points: 1_000, shipping_minor: 5_000 }, now()).unwrap()
}

fn payment() -> Payment {
    let price = Money::new(114_890, Currency::Inr);
    let payment = Payment::open(id(OrderId::from_bytes, 5), contact(), "order_1".into(), price, now());
    Payment { id: id(PaymentId::from_bytes, 6), version: 1, ..payment }
}

fn envelope(event: Event) -> Envelope {
    Envelope { id: id(EventId::from_bytes, 9), occurred_at: now(), event, trace: None }
}

fn sent(event: Event) -> Vec<(&'static str, Value)> {
    messages(&envelope(event)).into_iter().map(|message| (message.queue, message.payload)).collect()
}

fn user_created() -> Event {
    let Contact { user, email, username, full_name } = contact();
    Event::UserCreated(UserSnapshot { id: user, email, username, full_name, role: Role::User, created_at: now() })
}

#[test]
fn a_new_user_is_welcomed_and_shown_without_a_hash() {
    let name = json!({"firstName": "Asha", "lastName": "Rao"});
    let notice = json!({"id": hex(1), "username": "asha", "email": "asha@example.com", "fullName": name});
    let user = json!({
        "_id": hex(1), "id": hex(1), "email": "asha@example.com", "username": "asha", "fullName": name,
        "role": "user", "addresses": [], "createdAt": NOW, "updatedAt": NOW,
    });
    assert_eq!(
        sent(user_created()),
        [("AUTH_NOTIFICATION.USER_CREATED", notice), ("AUTH_SELLER_DASHBOARD.USER_CREATED", user)]
    );
}

#[test]
fn a_new_product_goes_to_its_seller_and_the_dashboard() {
    let notice = json!({
        "productId": hex(2), "sellerId": hex(3), "email": "asha@example.com", "username": "asha", "title": "Bottle",
    });
    let shown = json!({
        "_id": hex(2), "title": "Bottle", "description": "Cold", "price": {"amount": 499.5, "currency": "INR"},
        "stock": 7, "category": "kitchen", "seller": hex(3), "images": [], "status": "live", "createdAt": NOW, "updatedAt": NOW, "__v": 4,
    });
    assert_eq!(
        sent(Event::ProductCreated { product: product(), stock: 7, seller: contact(), imported: false }),
        [("PRODUCT_NOTIFICATION.PRODUCT_CREATED", notice), ("PRODUCT_SELLER_DASHBOARD.PRODUCT_CREATED", shown)]
    );
}

#[test]
fn an_order_event_has_totals_and_lines() {
    let inr = |amount: f64| json!({"amount": amount, "currency": "INR"});
    let whole = |amount: i64| json!({"amount": amount, "currency": "INR"});
    let item = json!({
        "product": hex(2), "title": "Bottle", "seller": hex(3), "quantity": 2, "price": inr(499.5), "shipment": "waiting",
    });
    let shown = json!({
        "_id": hex(5), "user": hex(1), "items": [item], "status": "PENDING", "subtotal": whole(999),
        "taxPrice": inr(99.9), "shippingPrice": whole(50), "totalPrice": inr(1148.9), "shippingAddress": null,
        "timeline": [{"status": "PENDING", "at": NOW}], "createdAt": NOW, "updatedAt": NOW, "__v": 0,
    });
    assert_eq!(sent(Event::OrderCreated(order())), [("ORDER_SELLER_DASHBOARD.ORDER_CREATED", shown.clone())]);
    let updated = ("ORDER_SELLER_DASHBOARD.ORDER_UPDATED", shown.clone());
    for event in [Event::OrderUpdated(order()), Event::OrderDelivered(order())] {
        assert_eq!(sent(event), std::slice::from_ref(&updated));
    }
    let confirmed = ("ORDER_NOTIFICATION.ORDER_CONFIRMED", shown.clone());
    assert_eq!(sent(Event::OrderConfirmed(order())), [updated.clone(), confirmed]);
    let shipped = ("ORDER_NOTIFICATION.ORDER_SHIPPED", shown.clone());
    assert_eq!(sent(Event::OrderShipped(order())), [updated.clone(), shipped]);
    let cancelled = ("ORDER_NOTIFICATION.ORDER_CANCELLED", shown);
    assert_eq!(sent(Event::OrderCancelled(order())), [updated, cancelled]);
}

#[test]
fn a_part_event_has_only_the_lines_of_its_seller() {
    let mut order = order();
    let other = OrderItem { seller: id(UserId::from_bytes, 4), title: "Cup".into(), ..order.items[0].clone() };
    order.items.push(other);
    for (shipment, queue) in [
        (Shipment::Shipped, "ORDER_NOTIFICATION.ORDER_SHIPPED"),
        (Shipment::Delivered, "ORDER_NOTIFICATION.ORDER_DELIVERED"),
    ] {
        order.items[1].shipment = shipment;
        let part = Part { seller: id(UserId::from_bytes, 4), shipment };
        let event = Event::OrderPartMoved { order: order.clone(), part };
        assert_eq!((event.name(), event.routing_key().as_str()), ("ORDER_UPDATED", "order.updated"));
        let messages = sent(event);
        assert_eq!((messages.len(), messages[0].0, messages[1].0), (2, "ORDER_SELLER_DASHBOARD.ORDER_UPDATED", queue));
        assert_eq!(messages[0].1["items"].as_array().unwrap().len(), 2);
        let lines = messages[1].1["items"].as_array().unwrap();
        assert_eq!((lines.len(), &lines[0]["title"], &messages[1].1["part"]), (1, &json!("Cup"), &json!(true)));
    }
    let delivered = sent(Event::OrderDelivered(order));
    assert_eq!(delivered[1].0, "ORDER_NOTIFICATION.ORDER_DELIVERED", "of several sellers");
}

#[test]
fn a_confirmed_order_shows_its_payment() {
    let mut order = order();
    let paid = OrderPayment { id: id(PaymentId::from_bytes, 6), payment_id: "pay_1".into(), at: now() };
    order.confirm(paid, now()).unwrap();
    let shown = exchange_payload(&envelope(Event::OrderConfirmed(order)));
    assert_eq!(shown["payment"], json!({"_id": hex(6), "paymentId": "pay_1"}));
    assert_eq!(shown["status"], "CONFIRMED");
}

#[test]
fn payment_events_go_to_the_buyer_and_the_dashboard() {
    let notice = json!({
        "user": hex(1), "email": "asha@example.com", "username": "asha", "orderId": hex(5), "amount": 1148.9, "currency": "INR",
    });
    assert_eq!(sent(Event::PaymentInitiated(payment())), [("PAYMENT_NOTIFICATION.PAYMENT_INITIATED", notice.clone())]);
    let mut paid = payment();
    paid.capture("pay_1", paid.price, now());
    let name = json!({"firstName": "Asha", "lastName": "Rao"});
    let full = with(notice.clone(), [("fullName", name.clone()), ("paymentId", json!("pay_1"))]);
    let completed = sent(Event::PaymentCompleted(paid.clone()));
    assert_eq!(completed, [("PAYMENT_NOTIFICATION.PAYMENT_COMPLETED", full.clone())]);
    let failed = with(notice, [("fullName", name), ("reason", json!("declined"))]);
    assert_eq!(
        sent(Event::PaymentFailed { payment: payment(), reason: "declined".into() }),
        [("PAYMENT_NOTIFICATION.PAYMENT_FAILED", failed)]
    );
    let shown = json!({
        "_id": hex(6), "order": hex(5), "user": hex(1), "razorpayOrderId": "order_1", "paymentId": "pay_1",
        "status": "SUCCESSFUL", "price": {"amount": 1148.9, "currency": "INR"}, "refunds": [],
        "createdAt": NOW, "updatedAt": NOW,
    });
    assert_eq!(
        sent(Event::PaymentCreated(paid.clone())),
        [("PAYMENT_SELLER_DASHBOARD.PAYMENT_CREATED", shown.clone())]
    );
    assert_eq!(sent(Event::PaymentUpdated(paid.clone())), [("PAYMENT_SELLER_DASHBOARD.PAYMENT_UPDATED", shown)]);

    let amount = Money::new(100, Currency::Inr);
    paid.start_refund(id(RefundId::from_bytes, 8), Some(amount), None, None, now()).unwrap();
    let refunded = with(full, [("refundAmount", json!(1)), ("reason", Value::Null)]);
    let event = Event::PaymentRefunded { payment: paid.clone(), amount, reason: None };
    assert_eq!(sent(event), [("PAYMENT_NOTIFICATION.PAYMENT_REFUNDED", refunded)]);
    assert_eq!(
        json!(PaymentView::from(&paid))["refunds"],
        json!([{"_id": hex(8), "amount": {"amount": 1, "currency": "INR"}, "reason": null, "status": "pending", "paymentId": "pay_1",
            "refundId": null, "createdAt": NOW}])
    );
}

fn every_event() -> Vec<Event> {
    let amount = Money::new(100, Currency::Inr);
    let (product_id, seller) = (id(ProductId::from_bytes, 2), id(UserId::from_bytes, 3));
    vec![
        user_created(),
        Event::UserDeleted { user: seller },
        Event::ProductCreated { product: product(), stock: 7, seller: contact(), imported: false },
        Event::ProductUpdated(product()),
        Event::ProductDeleted { product: product_id, seller },
        Event::StockChanged(StockLevel::empty(product_id)),
        Event::WishlistChanged { user: seller, products: vec![product_id], saved: true },
        Event::OrderCreated(order()),
        Event::OrderConfirmed(order()),
        Event::OrderUpdated(order()),
        Event::OrderShipped(order()),
        Event::OrderDelivered(order()),
        Event::OrderCancelled(order()),
        Event::PaymentCreated(payment()),
        Event::PaymentInitiated(payment()),
        Event::PaymentCompleted(payment()),
        Event::PaymentFailed { payment: payment(), reason: "declined".into() },
        Event::PaymentUpdated(payment()),
        Event::PaymentRefunded { payment: payment(), amount, reason: None },
    ]
}

#[test]
fn a_changed_wishlist_is_only_for_consumers_of_the_exchange() {
    let (user, product) = (id(UserId::from_bytes, 1), id(ProductId::from_bytes, 2));
    let changed = envelope(Event::WishlistChanged { user, products: vec![product], saved: false });
    assert_eq!((messages(&changed), changed.event.routing_key()), (vec![], "wishlist.changed".to_owned()));
    assert_eq!(exchange_payload(&changed), json!({"user": hex(1), "products": [hex(2)], "saved": false}));
    assert_eq!((changed.event.aggregate_id(), queues::is_queued(changed.event.name())), (hex(1), false));
}

#[test]
fn a_deleted_user_is_only_an_id_to_every_service() {
    let sent = sent(Event::UserDeleted { user: id(UserId::from_bytes, 1) });
    assert!(sent.iter().all(|(_, payload)| *payload == json!({"id": hex(1)})), "{sent:?}");
    assert_eq!(sent.len(), 7);
}

#[test]
fn every_message_goes_to_a_declared_queue() {
    for event in every_event() {
        for message in messages(&envelope(event.clone())) {
            assert!(queues::queue(message.queue).is_some_and(|queue| queue.publisher.is_some()), "{}", message.queue);
        }
        assert!(exchange_payload(&envelope(event)).is_object());
    }
}

#[test]
fn no_payload_and_no_view_has_a_password_hash() {
    let hash = "$argon2id$v=19$m=19456";
    let Contact { user, email, username, full_name } = contact();
    let user = User {
        id: user,
        email,
        username,
        full_name,
        role: Role::User,
        password_hash: hash.into(),
        email_taken_by: None,
        security: Default::default(),
        no_announcements: false,
        addresses: vec![],
        created_at: now(),
        updated_at: now(),
        version: 1,
    };
    let mut all = vec![json!(UserView::from(&user))];
    for event in every_event() {
        all.push(exchange_payload(&envelope(event.clone())));
        all.extend(messages(&envelope(event)).into_iter().map(|message| message.payload));
    }
    for payload in all {
        let text = payload.to_string();
        assert!(!text.contains("passwordHash") && !text.contains("argon2") && !text.contains("password"), "{text}");
    }
}

#[test]
fn payloads_of_other_programs_may_have_either_id_and_unknown_fields() {
    let sent = OrderView::from(&order());
    let mut payload = json!(sent);
    assert_eq!(read::<OrderView>(&payload).unwrap(), sent);
    let fields = payload.as_object_mut().unwrap();
    let order_id = fields.remove("_id").unwrap();
    fields.insert("id".into(), order_id);
    fields.insert("somethingNew".into(), json!([1]));
    assert_eq!(read::<OrderView>(&payload).unwrap(), sent);
    let user = exchange_payload(&envelope(user_created()));
    let mut only_id = user.clone();
    only_id.as_object_mut().unwrap().remove("id");
    assert_eq!(read::<UserView>(&only_id).unwrap(), read::<UserView>(&user).unwrap());
    let payment = PaymentView::from(&payment());
    assert_eq!(read::<PaymentView>(&json!(payment)).unwrap(), payment);
    let product = ProductView::new(&product(), None);
    assert_eq!(read::<ProductView>(&json!(product)).unwrap(), product);
}
