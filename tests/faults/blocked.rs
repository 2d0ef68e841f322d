//! The program is killed while it ends the unpaid orders of a seller who was blocked.

use microbazaar::{
    crash::BLOCK_POINTS,
    domain::Timestamp,
    store::{
        accounts::block_key,
        sqlite::{SqliteOptions, SqliteStore},
    },
};
use serde_json::json;
use test_support::{Person, Process, eventually};

use super::settings;

const ORDERS: usize = 3;

async fn killed_at(point: &str) {
    let settings = settings().set("MICROBAZAAR_ORDER__PAYMENT_WINDOW", "10m");
    let process = Process::start(&settings);
    let client = process.client.clone().patient();
    let (mira, ravi) = (client.seller("mira").await, client.seller("ravi").await);
    let lamp = client.product(&mira, "Lamp", 10.0, 100).await;
    let cup = client.product(&ravi, "Cup", 10.0, 100).await;
    let mut buyers: Vec<Person> = vec![];
    for number in 0..ORDERS {
        let buyer = client.user(&format!("buyer{number}")).await;
        for product in [&lamp, &cup] {
            client.add_to_cart(&buyer, product, 2).await.expect(200);
        }
        client.place_order(&buyer, &json!({})).await.expect(201);
        buyers.push(buyer);
    }
    process.kill();
    // The block is answered once this row is written.
    let store = SqliteStore::open(&settings.data(), SqliteOptions::default()).unwrap();
    store.stores().accounts.kill_token(&block_key(&mira.id), Timestamp::MAX).await.unwrap();
    store.close().unwrap();

    if let Ok(mut process) = Process::launch(&settings, &[("CRASH_AT", point)]) {
        eventually(&format!("somebody comes by {point}"), async || process.ended().is_some()).await;
    }
    let process = Process::start(&settings);
    client.redirect(&process.base());
    for buyer in &buyers {
        client
            .until("an order's end", &buyer.token, "/api/orders/me", |mine| {
                let last = mine["orders"][0]["timeline"].as_array().unwrap().last().unwrap();
                last["status"] == "CANCELLED" && last["reason"] == "seller suspended"
            })
            .await;
        let some = |cart: &serde_json::Value| !cart["cart"]["items"].as_array().unwrap().is_empty();
        client.until("what can be bought still", &buyer.token, "/api/cart", some).await;
    }
    eventually("the stock", async || client.stock(&lamp).await.1 + client.stock(&cup).await.1 == 0).await;
    for buyer in &buyers {
        let cart = client.read(&buyer.token, "/api/cart").await;
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
