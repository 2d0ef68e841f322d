//! The process is killed while events are being transported over the broker.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use microbazaar::domain::{ids::EventId, queues::QUEUES};
use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::broker::{
    DEADLINE,
    client::{Buyer, Line},
    market::{
        Seller, Shown, check_dashboards, check_orders, check_people, check_stock, check_store, settled, shop_until,
    },
    process::{Process, data_of},
    received::{check_order, keys_of, once_each},
    server::Broker,
};

const BUYERS: usize = 12;
const KILLS: usize = 5;

/// A folder that is removed after the test.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

/// Messages in the named queues and in the retry queues, read or not.
async fn on_their_way() -> Option<u64> {
    let listed = Broker::ctl("list_queues name messages").await?;
    let ours = |name: &str| QUEUES.iter().any(|queue| name.starts_with(queue.name)) && !name.ends_with(".dead");
    let rows = listed.lines().filter_map(|line| line.split_once('\t')).filter(|(name, _)| ours(name));
    Some(rows.filter_map(|(_, count)| count.trim().parse::<u64>().ok()).sum())
}

async fn until_applied() {
    let ends = Instant::now() + DEADLINE;
    while on_their_way().await.is_some_and(|count| count > 0) {
        assert!(Instant::now() < ends, "in time: every message is applied");
    }
}

/// Another program received every event of each order.
fn check_received(received: &[crate::broker::received::ReceivedEvent], shown: &Shown) {
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
    if on_their_way().await.is_none() {
        return;
    }
    let seed = std::env::var("MICROBAZAAR_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(rand::random);
    println!("MICROBAZAAR_TEST_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let folder = Folder(std::env::temp_dir().join(format!("microbazaar-broker-{}", EventId::generate())));
    let data = data_of(&folder.0);
    let listener = broker.bind_all().await;
    let url = broker.url.clone();
    let start = async || {
        let (data, url) = (data.clone(), url.clone());
        let start = move || Process::start_with(&data, &[("RABBIT_URL", url.as_str())]);
        tokio::task::spawn_blocking(start).await.unwrap()
    };
    let mut process = start().await;
    let line = Line::new(&process.base);
    let sellers = [Seller::join(&line, 0).await, Seller::join(&line, 1).await];
    let products: Vec<String> = sellers.iter().flat_map(|seller| seller.products.clone()).collect();

    let ended = Arc::new(AtomicBool::new(false));
    let shopping: Vec<_> = (0..BUYERS)
        .map(|number| {
            let (line, ended, products) = (line.clone(), Arc::clone(&ended), products.clone());
            actix_rt::spawn(async move { shop_until(ended, Buyer::join(line, number, seed).await, products).await })
        })
        .collect();
    for _ in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(random.random_range(300..1_200))).await;
        process.kill();
        process = start().await;
        line.redirect(&process.base);
    }
    ended.store(true, Ordering::SeqCst);
    let mut buyers = vec![];
    for buyer in shopping {
        buyers.push(buyer.await.unwrap());
    }

    let shown = settled(&line, &process.base, &buyers, &products).await;
    until_applied().await;
    println!("{} orders, {KILLS} kills", shown.orders.len());
    check_orders(&buyers, &shown);
    check_stock(&line, &shown, &products).await;
    check_people(&line, &buyers, products.last().unwrap()).await;
    check_dashboards(&line, &sellers, &shown).await;
    broker.nothing_is_dead().await;
    check_received(&broker.drain(&listener).await, &shown);
    assert_eq!(process.terminate().code(), Some(0));
    check_store(&data, BUYERS + sellers.len(), &shown, &products).await;
}
