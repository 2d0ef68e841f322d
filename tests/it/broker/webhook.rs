//! Webhooks whose events come over the broker.

use microbazaar::domain::queues;
use test_support::{Receiver, eventually, rabbit::Broker, text};

use super::shop::Shop;

#[actix_rt::test]
async fn events_of_the_exchange_reach_webhooks_once() {
    let Some(broker) = Broker::empty().await else { return };
    let hook = Receiver::start();
    // By its name, as an operator writes it.
    let shop = Shop::start(&broker.url, Some(vec![queues::EVENTS_WEBHOOK.to_owned()])).await;
    shop.register_webhook(&hook.url).await;
    let orders = [shop.purchase().await, shop.purchase().await];
    let output = |kind: &str| {
        let of_kind = hook.received().into_iter().filter(|told| told.kind() == kind);
        let mut ids: Vec<_> = of_kind.map(|told| text(&told.json()["data"]["_id"])).collect();
        ids.sort();
        ids
    };
    for kind in ["order.created", "order.confirmed"] {
        eventually(kind, async || output(kind).len() >= 2).await;
    }
    shop.settle().await;
    eventually("the queue is empty", async || broker.count(queues::EVENTS_WEBHOOK).await == 0).await;
    let mut expected = orders.to_vec();
    expected.sort();
    assert_eq!(output("order.created"), expected);
    assert_eq!(output("order.confirmed"), expected);
    assert_eq!(broker.count(queues::ORDER_CREATED_DASHBOARD).await, 2, "what is not to be read is left");
    shop.stop().await;
    hook.stop().await;
}
