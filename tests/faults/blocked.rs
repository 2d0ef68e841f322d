//! The program is killed while it ends the unpaid orders of a seller who was blocked.

use std::time::{Duration, Instant};

use microbazaar::{
    crash::BLOCK_POINTS,
    domain::Timestamp,
    store::{
        accounts::block_key,
        sqlite::{SqliteOptions, SqliteStore},
    },
};
use serde_json::{Value, json};

use super::{
    client::Line,
    process::{Process, data_of},
    shop::TempDir,
};

const WITHIN: Duration = Duration::from_secs(40);
const SETTINGS: [(&str, &str); 1] = [("MICROBAZAAR_ORDER__PAYMENT_WINDOW", "10m")];
const ORDERS: usize = 3;

async fn product(line: &Line, token: &str, title: &str) -> String {
    let body = json!({"title": title, "priceAmount": 10, "stock": 100});
    let ((_, made), _) = line.post("/api/products", token, &body).await;
    made["product"]["_id"].as_str().unwrap().to_owned()
}

async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < WITHIN, "{what} did not come");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn killed_at(point: &str) {
    let dir = TempDir::new();
    let data = data_of(&dir.0);
    let process = Process::start_with(&data, &SETTINGS);
    let line = Line::new(&process.base);
    let (mira, mira_token) = line.join("mira@example.com", "seller").await;
    let (_, ravi_token) = line.join("ravi@example.com", "seller").await;
    let (lamp, cup) = (product(&line, &mira_token, "Lamp").await, product(&line, &ravi_token, "Cup").await);
    let mut buyers = vec![];
    for number in 0..ORDERS {
        let (_, token) = line.join(&format!("buyer{number}@example.com"), "user").await;
        for product in [&lamp, &cup] {
            line.post("/api/cart/items", &token, &json!({"productId": product, "quantity": 2})).await;
        }
        let ((status, _), _) = line.post("/api/orders", &token, &json!({})).await;
        assert_eq!(status, 201);
        buyers.push(token);
    }
    process.kill();
    // The block is answered once this row is written.
    let store = SqliteStore::open(&data, SqliteOptions::default()).unwrap();
    store.stores().accounts.kill_token(&block_key(&mira), Timestamp::MAX).await.unwrap();
    store.close().unwrap();

    let crash = [SETTINGS[0], ("CRASH_AT", point)];
    if let Ok(mut process) = Process::launch(&data, &crash) {
        let started = Instant::now();
        while process.ended().is_none() {
            assert!(started.elapsed() < WITHIN, "nobody comes by {point}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let process = Process::start_with(&data, &SETTINGS);
    line.redirect(&process.base);
    for token in &buyers {
        until("an order's end", async || {
            let (_, mine) = line.get("/api/orders/me", token).await;
            let last = mine["orders"][0]["timeline"].as_array().unwrap().last().unwrap().clone();
            last["status"] == "CANCELLED" && last["reason"] == "seller suspended"
        })
        .await;
        until("what can be bought still", async || {
            let (_, cart) = line.get("/api/cart", token).await;
            !cart["cart"]["items"].as_array().unwrap().is_empty()
        })
        .await;
    }
    let free = async || {
        let mut held = 0;
        for product in [&lamp, &cup] {
            let (_, level): (_, Value) = line.get(&format!("/api/inventory/{product}"), &buyers[0]).await;
            held += level["reserved"].as_i64().unwrap();
        }
        held == 0
    };
    until("the stock", free).await;
    for token in &buyers {
        let (_, cart) = line.get("/api/cart", token).await;
        let items = cart["cart"]["items"].as_array().unwrap();
        assert_eq!(
            (items.len(), &items[0]["productId"], &items[0]["quantity"]),
            (1, &json!(cup), &json!(2)),
            "{point}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_takes_full_effect_whenever_the_process_is_killed() {
    for point in BLOCK_POINTS.iter().chain(&["order.restore_cart.before", "order.restore_cart.after"]) {
        killed_at(point).await;
    }
}
