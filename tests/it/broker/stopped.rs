//! The broker is stopped during sales, and started again.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use test_support::{
    eventually,
    rabbit::{Broker, check_order, keys_of, once_each},
};

use super::shop::Shop;

/// How many sales are made while the broker is stopped.
const AWAY: usize = 8;

#[actix_rt::test]
async fn the_shop_works_while_the_broker_is_stopped_and_events_arrive_later() {
    let Some(mut broker) = Broker::empty().await else { return };
    if Broker::ctl("await_startup").await.is_none() {
        return;
    }
    let listener = broker.bind_all().await;
    let shop = Shop::start(&broker.url, None).await;
    let (ended, placed) = (AtomicBool::new(false), AtomicUsize::new(0));
    let selling = async {
        let mut orders = vec![];
        while !ended.load(Ordering::SeqCst) {
            let order = shop.purchase().await;
            assert_eq!(shop.order_status(&order).await, "CONFIRMED");
            orders.push(order);
            placed.store(orders.len(), Ordering::SeqCst);
        }
        orders
    };
    let stopping = async {
        eventually("sales are on the dashboard", async || shop.sales().await >= 6).await;
        Broker::ctl("stop_app").await;
        shop.until_it_is("degraded").await;
        let output = shop.sales().await;
        let before = placed.load(Ordering::SeqCst);
        eventually("the shop sells on", async || placed.load(Ordering::SeqCst) >= before + AWAY).await;
        assert!(shop.sales().await <= output + 2 && shop.waiting().await > 0, "events wait in the outbox");
        Broker::ctl("start_app").await;
        shop.until_it_is("ready").await;
        ended.store(true, Ordering::SeqCst);
    };
    let (orders, ()) = tokio::join!(selling, stopping);

    shop.settle().await;
    broker.reconnect().await;
    shop.until_shown(&orders).await;
    broker.nothing_is_dead().await;
    let received = broker.drain(&listener).await;
    let received = once_each(&received);
    check_order(&received);
    for order in &orders {
        assert_eq!(keys_of(&received, order)[..2], ["order.created", "order.confirmed"], "{order}");
    }
    println!("{} sales, {} events", orders.len(), received.len());
    shop.stop().await;
}
