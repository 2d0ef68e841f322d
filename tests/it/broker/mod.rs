//! A real RabbitMQ. Its tests share it, so that they run one after the other and empty its queues first.

mod cuts;
mod dead;
mod listeners;
mod mailed_tokens;
mod payloads;
mod peer;
mod shop;
mod stopped;
mod tls;
mod webhook;

use lapin::BasicProperties;
use microbazaar::domain::queues::{self, QUEUES};
use serde_json::json;
use test_support::{Proxy, eventually, rabbit::Broker};

use self::shop::Shop;

#[actix_rt::test]
async fn messages_of_other_programs_are_applied_and_bad_ones_delay_none() {
    let Some(broker) = Broker::empty().await else { return };
    let shop = Shop::start(&broker.url, None).await;
    let queue = queues::USER_CREATED_NOTIFICATION;
    broker.put(queue, b"no JSON at all", BasicProperties::default()).await;
    broker.put(queue, br#"{"id":"1"}"#, BasicProperties::default()).await;
    // As a program without our headers and ids writes it, twice.
    let foreign =
        json!({"_id": "665f1f77bcf86cd799439011", "username": "node", "email": "node@example.com", "more": 1});
    for _ in 0..2 {
        broker.put(queue, foreign.to_string().as_bytes(), BasicProperties::default()).await;
    }
    let update =
        json!({"orderId": "665f1f77bcf86cd799439016", "status": "SUCCESSFUL", "userId": "665f1f77bcf86cd799439011"});
    broker.put(queues::PAYMENT_UPDATE_DASHBOARD, update.to_string().as_bytes(), BasicProperties::default()).await;
    shop.purchase().await;
    eventually("the dashboard counts the sale", async || shop.sales().await == 2).await;
    eventually("the foreign user is welcomed", async || shop.mails_to("node@example.com").await >= 1).await;
    for _ in 0..2 {
        let dead = broker.until_dead(queue).await;
        assert!(dead.properties.headers().as_ref().unwrap().inner().contains_key("x-reason"));
    }
    assert_eq!(shop.mails_to("node@example.com").await, 1, "the same message twice is one event");
    for queue in QUEUES {
        eventually(queue.name, async || broker.count(queue.name).await == 0).await;
    }
    shop.stop().await;
}

#[actix_rt::test]
async fn without_the_broker_the_shop_works_and_events_arrive_later() {
    let Some(broker) = Broker::empty().await else { return };
    let proxy = Proxy::start(&broker.url);
    let shop = Shop::start(&proxy.url, None).await;
    shop.purchase().await;
    eventually("the first sale is counted", async || shop.sales().await == 2).await;
    shop.settle().await;
    proxy.cut();
    // Also while there is nothing to send.
    shop.until_it_is("degraded").await;
    let orders = [shop.purchase().await, shop.purchase().await];
    for order in &orders {
        assert_eq!(shop.order_status(order).await, "CONFIRMED");
    }
    shop.until_it_is("degraded").await;
    assert!(shop.waiting().await > 0, "events wait in the outbox");
    proxy.mend();
    eventually("all sales are counted", async || shop.sales().await == 6).await;
    shop.until_it_is("ready").await;
    for _ in 0..5 {
        // During publishing and reading.
        let cut = async {
            proxy.cut();
            tokio::task::yield_now().await;
            proxy.mend();
        };
        tokio::join!(shop.purchase(), cut);
    }
    eventually("every sale is counted once", async || shop.sales().await == 16).await;
    shop.settle().await;
    shop.stop().await;
}
