//! The process is killed while events are being transported over the broker.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use microbazaar::domain::queues::QUEUES;
use rand::{Rng, SeedableRng, rngs::StdRng};
use test_support::{
    Process, eventually,
    rabbit::{Broker, ReceivedEvent, check_order, keys_of, once_each},
    seed, servers,
};

use super::{
    buyer::Buyer,
    market::{
        Seller, Shown, check_dashboards, check_orders, check_people, check_stock, check_store, settled, shop_until,
    },
    settings,
};

const BUYERS: usize = 12;
const KILLS: usize = 5;

/// Messages in the named queues and in the retry queues, read or not.
async fn on_their_way() -> u64 {
    let listed = Broker::ctl("list_queues name messages").await.expect("rabbitmqctl");
    let ours = |name: &str| QUEUES.iter().any(|queue| name.starts_with(queue.name)) && !name.ends_with(".dead");
    let rows = listed.lines().filter_map(|line| line.split_once('\t')).filter(|(name, _)| ours(name));
    rows.filter_map(|(_, count)| count.trim().parse::<u64>().ok()).sum()
}

/// Another program received every event of each order.
fn check_received(received: &[ReceivedEvent], shown: &Shown) {
    let once = once_each(received);
    check_order(&once);
    for (id, (order, _)) in &shown.orders {
        let keys = keys_of(&once, id);
        assert_eq!(keys.first(), Some(&"order.created"), "{order}");
        let last = match order["status"].as_str().unwrap() {
            "CONFIRMED" => "order.confirmed",
            _ => "order.cancelled",
        };
        // The refund's event comes later.
        assert_eq!(keys.iter().rfind(|key| **key != "order.updated"), Some(&last), "{keys:?} of {order}");
    }
    println!("{} events, {} of them delivered again", once.len(), received.len() - once.len());
}

#[actix_rt::test]
async fn a_killed_process_loses_no_events() {
    let Some(broker) = Broker::empty().await else { return };
    if servers::rabbitmqctl().is_none() {
        return;
    }
    let seed = seed();
    let mut random = StdRng::seed_from_u64(seed);
    let settings = settings().rabbit(&broker.url);
    let listener = broker.bind_all().await;
    let start = async || {
        let settings = settings.clone();
        tokio::task::spawn_blocking(move || Process::start(&settings)).await.unwrap()
    };
    let mut process = start().await;
    let client = process.client.clone().patient();
    let sellers = [Seller::join(&client, 0).await, Seller::join(&client, 1).await];
    let products: Vec<String> = sellers.iter().flat_map(|seller| seller.products.clone()).collect();

    let ended = Arc::new(AtomicBool::new(false));
    let shopping: Vec<_> = (0..BUYERS)
        .map(|number| {
            let (client, ended, products) = (client.clone(), Arc::clone(&ended), products.clone());
            actix_rt::spawn(async move { shop_until(ended, Buyer::join(client, number, seed).await, products).await })
        })
        .collect();
    for _ in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(random.random_range(300..1_200))).await;
        process.kill();
        process = start().await;
        client.redirect(&process.base());
    }
    ended.store(true, Ordering::SeqCst);
    let mut buyers = vec![];
    for buyer in shopping {
        buyers.push(buyer.await.unwrap());
    }

    let shown = settled(&client, &buyers, &products).await;
    eventually("every message is applied", async || on_their_way().await == 0).await;
    println!("{} orders, {KILLS} kills", shown.orders.len());
    check_orders(&buyers, &shown);
    check_stock(&client, &shown, &products).await;
    check_people(&client, &buyers, products.last().unwrap()).await;
    check_dashboards(&client, &sellers, &shown).await;
    broker.nothing_is_dead().await;
    check_received(&broker.drain(&listener).await, &shown);
    assert_eq!(process.terminate().code(), Some(0));
    check_store(&settings.data(), BUYERS + sellers.len(), &shown, &products).await;
}
