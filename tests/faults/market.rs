//! Sellers and buyers of the program, and the final invariants.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use microbazaar::{
    domain::{ids::ProductId, money::apportion},
    store::sqlite::{SqliteOptions, SqliteStore},
};
use serde_json::{Value, json};
use test_support::{Client, PASSWORD, text};

use super::buyer::Buyer;

const STOCK: u64 = 150;
/// The most orders of a buyer.
const ORDERS: usize = 12;
const SETTLES_WITHIN: Duration = Duration::from_secs(45);

/// A seller and their products.
pub struct Seller {
    pub id: String,
    pub token: String,
    pub products: Vec<String>,
}

impl Seller {
    pub async fn join(client: &Client, number: usize) -> Self {
        Self::join_with(client, number, &[("Lamp", STOCK), ("Chair", STOCK), ("Desk", STOCK)]).await
    }

    /// Registers and offers these titles with this stock.
    pub async fn join_with(client: &Client, number: usize, goods: &[(&str, u64)]) -> Self {
        let seller = client.seller(&format!("seller{number}")).await;
        let mut products = vec![];
        for (title, stock) in goods {
            let body = json!({ "title": title, "priceAmount": 19.99, "stock": stock });
            let answer = client.post("/api/products").token(&seller.token).json(&body).send().await;
            assert_eq!((answer.status, answer.tries), (201, 1), "{answer:?}");
            products.push(text(&answer.json()["product"]["_id"]));
        }
        Self { id: seller.id, token: seller.token, products }
    }
}

pub async fn shop_until(ended: Arc<AtomicBool>, mut buyer: Buyer, products: Vec<String>) -> Buyer {
    buyer.add_address().await;
    while !ended.load(Ordering::SeqCst) && buyer.orders.len() < ORDERS {
        buyer.shop(&products[..products.len() - 1]).await;
    }
    // The last product is never ordered.
    buyer.leave(products.last().unwrap()).await;
    buyer
}

/// Everything that the program shows of orders, after everything has settled.
#[derive(Debug, Default, PartialEq)]
pub struct Shown {
    /// By order: the order and its payment.
    pub orders: BTreeMap<String, (Value, Option<Value>)>,
}

impl Shown {
    pub async fn of(buyers: &[Buyer]) -> Self {
        let mut orders = BTreeMap::new();
        for buyer in buyers {
            for order in buyer.orders_shown().await {
                let id = text(&order["_id"]);
                let payment = buyer.payment_of(&id).await;
                orders.insert(id, (order, payment));
            }
        }
        Self { orders }
    }

    /// Orders whose state does not match the money; empty once all is settled.
    fn unsettled(&self) -> Vec<&(Value, Option<Value>)> {
        let agrees = |(order, payment): &&(Value, Option<Value>)| {
            let money = payment.as_ref().and_then(|payment| payment["status"].as_str());
            match order["status"].as_str().unwrap() {
                "CONFIRMED" => money == Some("SUCCESSFUL"),
                "CANCELLED" => matches!(money, None | Some("PENDING" | "FAILED" | "REFUNDED")),
                _ => false,
            }
        };
        self.orders.values().filter(|row| !agrees(row)).collect()
    }

    /// Units of a product in orders that are confirmed.
    pub fn sold(&self, product: &str) -> u64 {
        let items = self.orders.values().filter(|(order, _)| order["status"] == "CONFIRMED");
        let items = items.flat_map(|(order, _)| order["items"].as_array().unwrap());
        items.filter(|item| item["product"] == product).map(|item| item["quantity"].as_u64().unwrap()).sum()
    }
}

/// How many units of these products are held.
pub async fn reserved(client: &Client, products: &[String]) -> u64 {
    let mut reserved = 0;
    for product in products {
        let level = client.read("", &format!("/api/inventory/{product}")).await;
        reserved += level["reserved"].as_u64().unwrap();
    }
    reserved
}

/// The outbox size, from the program's metrics.
pub async fn events_waiting(client: &Client) -> Option<String> {
    let answer = client.http.get(format!("{}/metrics", client.base())).send().await.ok()?;
    let text = answer.text().await.ok()?;
    let row = text.lines().find(|line| line.contains("outbox_events") && !line.starts_with('#'))?;
    row.split_whitespace().last().map(str::to_owned)
}

/// Waits until orders, money, stock and events have settled.
pub async fn settled(client: &Client, buyers: &[Buyer], products: &[String]) -> Shown {
    let ends = Instant::now() + SETTLES_WITHIN;
    loop {
        let shown = Shown::of(buyers).await;
        let (held, events) = (reserved(client, products).await, events_waiting(client).await);
        if shown.unsettled().is_empty() && held == 0 && events.as_deref() == Some("0") {
            return shown;
        }
        assert!(Instant::now() < ends, "all settles in time: held {held}, events {events:?}, {:?}", shown.unsettled());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

pub fn check_orders(buyers: &[Buyer], shown: &Shown) {
    for known in buyers.iter().flat_map(|buyer| &buyer.orders) {
        let (order, payment) = shown.orders.get(&known.id).unwrap_or_else(|| panic!("an answered order: {known:?}"));
        let status = order["status"].as_str().unwrap();
        assert!(!known.cancelled || status == "CANCELLED", "{known:?} {order}");
        assert!(!known.confirmed || known.cancelling || status == "CONFIRMED", "{known:?} {order}");
        assert!(known.given_back == 0 || status == "CONFIRMED", "{known:?} {order}");
        let Some(payment) = payment else {
            assert!(!known.paid, "{known:?} {order}");
            continue;
        };
        let money = payment["status"].as_str().unwrap();
        assert!(!known.paid || matches!(money, "SUCCESSFUL" | "REFUNDED"), "{known:?} {payment}");
        let amounts: Vec<_> = payment["refunds"].as_array().unwrap().iter().map(|row| row["amount"].clone()).collect();
        if money == "REFUNDED" {
            assert_eq!(amounts, [payment["price"].clone()], "all of it, once: {payment}");
        } else {
            assert!(amounts.is_empty(), "{payment}");
        }
    }
}

pub async fn check_stock(client: &Client, shown: &Shown, products: &[String]) {
    for product in products {
        check_stock_of(client, shown, product, STOCK).await;
    }
}

/// The initial stock of a product equals what is available, reserved and sold.
pub async fn check_stock_of(client: &Client, shown: &Shown, product: &str, received: u64) {
    let level = client.read("", &format!("/api/inventory/{product}")).await;
    let sum = level["available"].as_u64().unwrap() + level["reserved"].as_u64().unwrap() + shown.sold(product);
    assert_eq!(sum, received, "no unit of {product} is lost or sold twice: {level}");
}

pub async fn check_people(client: &Client, buyers: &[Buyer], last: &str) {
    for buyer in buyers {
        client.login(&json!({ "email": buyer.person.email, "password": PASSWORD })).await.expect(200);
        let kept = client.read(&buyer.person.token, "/api/auth/users/me/addresses").await;
        let kept: Vec<_> = kept["addresses"].as_array().unwrap().iter().map(|row| text(&row["_id"])).collect();
        let email = &buyer.person.email;
        assert!(buyer.addresses.iter().all(|address| kept.contains(address)), "{email}: {kept:?}");
        let cart = client.read(&buyer.person.token, "/api/cart").await;
        let items = cart["cart"]["items"].as_array().unwrap();
        let left =
            items.iter().find(|item| item["productId"] == last).map_or(0, |item| item["quantity"].as_u64().unwrap());
        let (surely, at_most) = (u64::from(buyer.left.0), u64::from(buyer.left.1));
        assert!((surely..=at_most).contains(&left), "{email}: {cart}");
    }
}

/// The expected dashboard of a seller, computed from the orders.
fn expected_metrics(seller: &Seller, shown: &Shown) -> (u64, i64, BTreeMap<String, u64>) {
    let (mut sales, mut revenue, mut by_status) = (0, 0, BTreeMap::new());
    for (order, _) in shown.orders.values() {
        let sum = |item: &Value| minor(&item["price"]) * item["quantity"].as_i64().unwrap();
        let items = order["items"].as_array().unwrap();
        // A refund is split over lines, tax and shipping in proportion to their costs.
        let total = minor(&order["totalPrice"]);
        let refunded = order.get("refundedPrice").map_or(0, minor);
        let mut weights: Vec<i64> = items.iter().map(sum).collect();
        weights.extend([minor(&order["taxPrice"]), minor(&order["shippingPrice"])]);
        let back = apportion(refunded, &weights);
        let mine: Vec<_> = items.iter().zip(back).filter(|(item, _)| item["seller"] == seller.id.as_str()).collect();
        if mine.is_empty() {
            continue;
        }
        let status = text(&order["status"]);
        for (item, back) in mine.iter().filter(|_| status == "CONFIRMED") {
            let quantity = item["quantity"].as_i64().unwrap();
            sales += u64::try_from(quantity - quantity * refunded / total).unwrap();
            revenue += sum(item) - back;
        }
        *by_status.entry(status).or_default() += 1;
    }
    (sales, revenue, by_status)
}

/// Money in minor units.
pub fn minor(money: &Value) -> i64 {
    (money["amount"].as_f64().unwrap() * 100.0).round() as i64
}

/// The dashboards show what the orders say; they follow the orders within moments.
pub async fn check_dashboards(client: &Client, sellers: &[Seller], shown: &Shown) {
    for seller in sellers {
        let expected = expected_metrics(seller, shown);
        let ends = Instant::now() + SETTLES_WITHIN;
        loop {
            let metrics = client.read(&seller.token, "/api/seller/dashboard/metrics").await;
            let revenue = metrics["revenue"].as_array().unwrap().iter().map(minor).sum();
            let by_status = metrics["ordersByStatus"].as_object().unwrap().iter();
            let by_status = by_status.map(|(word, count)| (word.clone(), count.as_u64().unwrap()));
            let by_status = by_status.filter(|(_, count)| *count > 0).collect();
            let found = (metrics["sales"].as_u64().unwrap(), revenue, by_status);
            if found == expected {
                break;
            }
            assert!(Instant::now() < ends, "{found:?} in place of {expected:?}: {metrics}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Checks what only the store contains: mails, dead letters, units sold.
pub async fn check_store(data: &Path, people: usize, shown: &Shown, products: &[String]) {
    let sqlite = SqliteStore::open(data, SqliteOptions::default()).unwrap();
    let stores = sqlite.stores();
    let mails = stores.mailbox.list(1_000_000).await.unwrap();
    let subjects = |start: &str| mails.iter().filter(|mail| mail.subject.starts_with(start)).count();
    assert_eq!(subjects("Welcome"), people, "one welcome a person");
    for (id, (order, payment)) in &shown.orders {
        let received = mails.iter().filter(|mail| mail.subject == format!("Payment received for order {id}")).count();
        let confirmed = order["status"] == "CONFIRMED";
        assert!(received <= 1 && (received == 1 || !confirmed), "{received} mails of {order}");
        let refunded = mails.iter().filter(|mail| mail.subject == format!("Refund for order {id}")).count();
        let money = payment.as_ref().and_then(|payment| payment["status"].as_str());
        assert_eq!(refunded, usize::from(money == Some("REFUNDED")), "{order} {payment:?}");
    }
    assert_eq!(stores.outbox.dead(0, 10).await.unwrap(), [], "no message is dead");
    for product in products {
        let id: ProductId = product.parse().unwrap();
        let level = stores.stock.get(id).await.unwrap().unwrap();
        assert_eq!(u64::try_from(level.sold).unwrap(), shown.sold(product), "{level:?}");
    }
    sqlite.close().unwrap();
}
