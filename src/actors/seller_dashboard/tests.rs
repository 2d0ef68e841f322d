//! Tests of the dashboard over the embedded store, and of failures.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

use parking_lot::Mutex;
use serde_json::json;

use super::*;
use crate::{
    domain::{
        Timestamp,
        event::{Envelope, Event},
        ids::{EventId, OrderId, PaymentId, ProductId},
        money::{Currency, Money},
        order::{CancelCause, NewOrder, Order, OrderItem, OrderPayment, Pricing, Shipment},
        product::{Product, ProductStatus},
        user::{Contact, FullName, PostalAddress},
    },
    runtime::calls::Calls,
    store::{
        Page,
        dashboard::{DashboardChange, Metrics, ProductRow, Range},
        sqlite::{SqliteOptions, SqliteStore},
    },
    views::event::messages,
};

struct TempDir(PathBuf);

impl Drop for TempDir {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

fn open() -> (Stores, SqliteStore, TempDir) {
    let dir = std::env::temp_dir().join(format!("microbazaar-{}", EventId::generate()));
    std::fs::create_dir_all(&dir).unwrap();
    let store = SqliteStore::open(&dir, SqliteOptions::default()).unwrap();
    (store.stores(), store, TempDir(dir))
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + second).unwrap()
}

fn item(product: &Product, quantity: u32) -> OrderItem {
    OrderItem {
        product: product.id,
        title: product.title.clone(),
        seller: product.seller,
        quantity,
        price: product.price,
        shipment: Shipment::Waiting,
        tracking_number: None,
    }
}

/// The owners' side: it writes documents with their events, as the owning actors do.
struct Owners {
    stores: Stores,
    clock: i64,
}

impl Owners {
    fn now(&mut self) -> Timestamp {
        self.clock += 1;
        at(self.clock)
    }

    async fn product(&mut self, seller: UserId, title: &str, minor: i64) -> Product {
        let now = self.now();
        let mut product = Product {
            id: ProductId::generate(),
            title: title.into(),
            description: String::new(),
            price: Money::new(minor, Currency::Inr),
            category: String::new(),
            seller,
            images: vec![],
            max_per_order: None,
            status: ProductStatus::Live,
            status_reason: None,
            created_at: now,
            updated_at: now,
            version: 0,
        };
        let contact = Contact {
            user: seller,
            email: "s@example.com".into(),
            username: "s".into(),
            full_name: FullName::default(),
        };
        let event = Event::ProductCreated { product: product.clone(), stock: 9, seller: contact, imported: false };
        product.version = self.stores.products.save(&product, &[Envelope::new(event, now)]).await.unwrap();
        product
    }

    async fn rename(&mut self, product: &mut Product, title: &str) {
        product.title = title.into();
        product.updated_at = self.now();
        let event = Event::ProductUpdated(product.clone());
        let envelope = Envelope::new(event, product.updated_at);
        product.version = self.stores.products.save(product, &[envelope]).await.unwrap();
    }

    async fn place(&mut self, items: Vec<OrderItem>) -> Order {
        let address = PostalAddress {
            street: "12 Lake Road".into(),
            city: "Pune".into(),
            state: "MH".into(),
            country: "IN".into(),
            zip: "411001".into(),
            full_name: Some("Asha Rao".into()),
            phone: Some("+91 98765 43210".into()),
        };
        let new = NewOrder {
            id: OrderId::generate(),
            user: UserId::generate(),
            items,
            shipping_address: Some(address),
            cart_version: 1,
            window: jiff::SignedDuration::from_mins(15),
        };
        let now = self.now();
        let mut order = Order::place(new, &Pricing { tax_basis_points: 1_000, shipping_minor: 5_000 }, now).unwrap();
        let event = Envelope::new(Event::OrderCreated(order.clone()), now);
        order.version = self.stores.orders.insert(&order, None, &[event]).await.unwrap();
        order
    }

    async fn save(&mut self, order: &mut Order, event: fn(Order) -> Event) {
        let envelope = Envelope::new(event(order.clone()), order.updated_at);
        order.version = self.stores.orders.save(order, &[envelope]).await.unwrap();
    }

    async fn confirm(&mut self, order: &mut Order) {
        let now = self.now();
        let payment = OrderPayment { id: PaymentId::generate(), payment_id: "pay_1".into(), at: now };
        order.confirm(payment, now).unwrap();
        self.save(order, Event::OrderConfirmed).await;
    }

    /// The deliveries of the dashboard's queues after the event `after`, and the last event's sequence.
    async fn sent(&self, after: u64) -> (Vec<Delivery>, u64) {
        let waiting = self.stores.outbox.waiting(after, 1_000).await.unwrap();
        let last = waiting.last().map_or(after, |(sequence, _)| *sequence);
        let deliveries = waiting.iter().flat_map(|(_, envelope)| {
            messages(envelope).into_iter().filter(|message| QUEUES.contains(&message.queue)).map(|message| Delivery {
                queue: message.queue,
                event: envelope.id,
                name: envelope.event.name().into(),
                occurred_at: envelope.occurred_at,
                aggregate_id: envelope.event.aggregate_id(),
                payload: message.payload,
                trace: None,
            })
        });
        (deliveries.collect(), last)
    }
}

/// Everything that the dashboard shows of these sellers.
async fn shown(calls: &Calls, sellers: &[UserId]) -> Vec<(Metrics, Page<OrderRow>, Page<ProductRow>)> {
    let mut all = vec![];
    for seller in sellers {
        let (seller, range) = (*seller, Range::default());
        all.push((
            calls.ask(GetSellerMetrics { seller, range }).await.unwrap(),
            calls.ask(GetSellerOrders { seller, to_ship: false, skip: 0, limit: 100 }).await.unwrap(),
            calls.ask(GetSellerProducts { seller, skip: 0, limit: 100 }).await.unwrap(),
        ));
    }
    all
}

fn all_taken(answers: &[Result<(), HandleError>]) -> bool {
    answers.iter().all(Result::is_ok)
}

#[actix_rt::test]
async fn a_life_of_orders_is_shown_the_same_in_any_order_of_events_and_after_a_rebuild() {
    let (stores, _store, _dir) = open();
    let runtime = Runtime::new(1);
    let mut registry = Registry::default();
    let dashboard = SellerDashboard::start(&runtime, &mut registry, &stores);
    let calls = Calls::local(registry);
    let mut owners = Owners { stores: stores.clone(), clock: 0 };
    let sellers = [UserId::generate(), UserId::generate()];

    let mut pot = owners.product(sellers[0], "Pot", 49_950).await;
    let cup = owners.product(sellers[1], "Cup", 10_000).await;
    let old = owners.product(sellers[1], "Old", 100).await;
    let mut sold = owners.place(vec![item(&pot, 2), item(&cup, 3)]).await;
    owners.rename(&mut pot, "Tea pot").await;
    owners.confirm(&mut sold).await;
    sold.ship(Some(sellers[0]), Some("TRK"), owners.now()).unwrap();
    owners.save(&mut sold, Event::OrderUpdated).await;
    let mut gone = owners.place(vec![item(&cup, 1)]).await;
    gone.cancel(CancelCause::Buyer, None, owners.now()).unwrap();
    owners.save(&mut gone, Event::OrderCancelled).await;
    owners.place(vec![item(&pot, 1)]).await;
    let deleted = Event::ProductDeleted { product: old.id, seller: old.seller };
    stores.products.delete(&old, &[Envelope::new(deleted, owners.now())]).await.unwrap();

    // Every event twice, in reverse order.
    let (deliveries, last) = owners.sent(0).await;
    assert_eq!(deliveries.len(), 11);
    let mixed: Vec<Delivery> = deliveries.iter().rev().chain(&deliveries).cloned().collect();
    assert!(all_taken(&dashboard.handle(mixed).await));
    let by_events = shown(&calls, &sellers).await;

    let (metrics, orders, products) = &by_events[0];
    assert_eq!((metrics.sales, metrics.revenue.as_slice()), (2, [Money::new(99_900, Currency::Inr)].as_slice()));
    assert_eq!((orders.total, products.total), (2, 1));
    assert_eq!((products.rows[0].document["title"].as_str(), products.rows[0].sold), (Some("Tea pot"), 2));
    let row = orders.rows.iter().find(|row| row.id == sold.id).unwrap();
    assert_eq!((row.lines.len(), row.document["items"].as_array().unwrap().len()), (1, 1));
    assert_eq!(row.document["items"][0]["shipment"], json!("shipped"));
    let (metrics, orders, products) = &by_events[1];
    assert_eq!((metrics.sales, orders.total, products.total), (3, 2, 1));

    let report = rebuild(&stores).await.unwrap();
    assert_eq!((report.orders, report.products, report.payments, report.skipped), (3, 2, 0, 0));
    assert_eq!(shown(&calls, &sellers).await, by_events);

    // Old events change nothing now, and those of later writes are not taken for old.
    assert!(all_taken(&dashboard.handle(deliveries).await));
    assert_eq!(shown(&calls, &sellers).await, by_events);
    sold.ship(Some(sellers[1]), None, owners.now()).unwrap();
    owners.save(&mut sold, Event::OrderShipped).await;
    owners.rename(&mut pot, "Big tea pot").await;
    assert!(all_taken(&dashboard.handle(owners.sent(last).await.0).await));
    let (metrics, _, products) = &shown(&calls, &sellers).await[0];
    assert!(metrics.orders_by_status.iter().any(|(status, count)| status.as_str() == "SHIPPED" && *count == 1));
    assert_eq!(products.rows[0].document["title"], json!("Big tea pot"));
    assert_eq!(runtime.shutdown(Duration::from_secs(5)).await, 0);
}

/// A dashboard that records notes and fails for some ids.
#[derive(Default)]
struct Fake {
    notes: Mutex<Vec<String>>,
    away: AtomicU32,
}

#[async_trait]
impl DashboardStore for Fake {
    async fn apply(&self, changes: &[(EventId, DashboardChange)]) -> Result<(), StoreError> {
        if self.away.load(Ordering::SeqCst) > 0 {
            self.away.fetch_sub(1, Ordering::SeqCst);
            return Err(StoreError::Unavailable("away".into()));
        }
        let ids: Vec<&str> = changes
            .iter()
            .filter_map(|(_, change)| match change {
                DashboardChange::Note { id, .. } => Some(id.as_str()),
                _ => None,
            })
            .collect();
        assert!(!ids.contains(&"panic"), "over a change, on purpose");
        if ids.contains(&"corrupt") {
            return Err(StoreError::Corrupt("on purpose".into()));
        }
        self.notes.lock().extend(ids.into_iter().map(str::to_owned));
        Ok(())
    }

    async fn metrics(&self, _: UserId, _: Range) -> Result<Metrics, StoreError> {
        Ok(Metrics::default())
    }

    async fn orders(&self, _: UserId, _: u64, _: u32) -> Result<Page<OrderRow>, StoreError> {
        Ok(Page { rows: vec![], total: 0 })
    }

    async fn to_ship(&self, _: UserId, _: u64, _: u32) -> Result<Page<OrderRow>, StoreError> {
        Ok(Page { rows: vec![], total: 0 })
    }

    async fn products(&self, _: UserId, _: u64, _: u32) -> Result<Page<ProductRow>, StoreError> {
        Ok(Page { rows: vec![], total: 0 })
    }

    async fn sellers_of(&self, _: &[ProductId]) -> Result<std::collections::HashMap<ProductId, UserId>, StoreError> {
        Ok(std::collections::HashMap::new())
    }

    async fn reset(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

fn note(id: &str) -> Delivery {
    Delivery {
        queue: queues::PAYMENT_CREATED_DASHBOARD,
        event: EventId::generate(),
        name: "PAYMENT_CREATED".into(),
        occurred_at: at(0),
        aggregate_id: id.into(),
        payload: json!({ "_id": id }),
        trace: None,
    }
}

#[actix_rt::test]
async fn one_bad_delivery_holds_up_no_other() {
    let (runtime, store) = (Runtime::new(1), Arc::new(Fake::default()));
    let dashboard = SellerDashboard::over(&runtime, store.clone());
    for (round, bad) in ["corrupt", "panic"].into_iter().enumerate() {
        let unreadable = Delivery { payload: json!(7), ..note("x") };
        let batch = vec![note("a"), unreadable, note(bad), note("b")];
        let answers = dashboard.handle(batch).await;
        assert!(
            matches!(answers[..], [Ok(()), Err(HandleError::Unreadable(_)), Err(HandleError::Transient(_)), Ok(())]),
            "{bad}: {answers:?}"
        );
        assert_eq!(store.notes.lock().len(), 2 * (round + 1));
    }
    assert!(runtime.snapshot()[0].restarts >= 1);
    assert_eq!(runtime.shutdown(Duration::from_secs(5)).await, 0);
}

#[actix_rt::test]
async fn a_store_that_is_away_is_asked_once_and_all_come_again() {
    let (runtime, store) = (Runtime::new(1), Arc::new(Fake::default()));
    let dashboard = SellerDashboard::over(&runtime, store.clone());
    store.away.store(1, Ordering::SeqCst);
    let batch = vec![note("a"), note("b")];
    let answers = dashboard.handle(batch.clone()).await;
    assert!(answers.iter().all(|answer| matches!(answer, Err(HandleError::Away(_)))), "{answers:?}");
    assert!(all_taken(&dashboard.handle(batch).await));
    assert_eq!(*store.notes.lock(), ["a", "b"]);
    assert_eq!(dashboard.handle(vec![]).await, []);
    assert_eq!(runtime.shutdown(Duration::from_secs(5)).await, 0);
}
