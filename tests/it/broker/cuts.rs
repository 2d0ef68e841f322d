//! The connection is cut during publishing and consuming.

use lapin::BasicProperties;
use microbazaar::domain::queues;
use rand::Rng;
use serde_json::json;
use test_support::{
    Proxy, eventually,
    rabbit::{Broker, check_order, keys_of, once_each},
};

use super::shop::Shop;

/// How often the connection is cut within a frame.
const CUTS: usize = 6;

/// Messages reach the broker, its confirms are lost, and then the connection is cut.
async fn cut_before_confirms(broker: &Broker, proxy: &Proxy, shop: &Shop, listener: &str) -> [String; 2] {
    // It has reconnected after this one.
    let first = shop.purchase().await;
    shop.settle().await;
    let before = broker.count(listener).await;
    proxy.hold_to_client(true);
    let order = shop.purchase().await;
    eventually("messages are at the broker", async || broker.count(listener).await > before).await;
    assert!(shop.waiting().await > 0, "no event leaves the outbox without its confirm");
    proxy.cut();
    proxy.hold_to_client(false);
    proxy.mend();
    shop.settle().await;
    [first, order]
}

/// A message is delivered and its effect is stored, its acknowledgement is lost, and then the connection is cut.
async fn cut_before_acknowledgements(broker: &Broker, proxy: &Proxy, shop: &Shop, round: usize) {
    let queue = queues::USER_CREATED_NOTIFICATION;
    let address = |which: &str| format!("{which}{round}@example.com");
    let welcome = async |which: &str| {
        let user =
            json!({"id": microbazaar::domain::ids::UserId::generate(), "username": "x", "email": address(which)});
        broker.put(queue, user.to_string().as_bytes(), BasicProperties::default()).await;
    };
    welcome("first").await;
    eventually("the queue is read", async || shop.mails_to(&address("first")).await == 1).await;
    proxy.hold_to_server(true);
    welcome("held").await;
    eventually("it is delivered and applied", async || shop.mails_to(&address("held")).await == 1).await;
    proxy.cut();
    proxy.hold_to_server(false);
    eventually("it is back at the broker", async || broker.count(queue).await == 1).await;
    proxy.mend();
    // Later messages are handled after it.
    welcome("next").await;
    eventually("the next is applied", async || shop.mails_to(&address("next")).await == 1).await;
    assert_eq!(shop.mails_to(&address("held")).await, 1, "a message that came twice is applied once");
}

#[actix_rt::test]
async fn cut_connections_lose_and_duplicate_nothing() {
    let Some(broker) = Broker::empty().await else { return };
    let mut random = test_support::random();
    let listener = broker.bind_all().await;
    let proxy = Proxy::start(&broker.url);
    let shop = Shop::start(&proxy.url, None).await;
    let mut orders = vec![shop.purchase().await];
    shop.until_shown(&orders).await;
    for round in 0..2 {
        orders.extend(cut_before_confirms(&broker, &proxy, &shop, &listener).await);
        cut_before_acknowledgements(&broker, &proxy, &shop, round).await;
    }
    for _ in 0..CUTS {
        proxy.cut_after(random.random_range(1..4_000));
        orders.push(shop.purchase().await);
        eventually("the connection is cut", async || proxy.is_cut()).await;
        proxy.mend();
        shop.settle().await;
    }
    shop.until_shown(&orders).await;
    broker.nothing_is_dead().await;
    let received = broker.drain(&listener).await;
    let once = once_each(&received);
    assert!(once.len() < received.len(), "some were sent again after a cut");
    check_order(&once);
    for order in &orders {
        assert_eq!(keys_of(&once, order), ["order.created", "order.confirmed"], "{order}");
    }
    println!("{} orders, {} events, {} sent again", orders.len(), once.len(), received.len() - once.len());
    shop.stop().await;
}
