//! The process is killed repeatedly at random moments, and keeps all that it answered.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use microbazaar::store::sqlite::{SqliteOptions, SqliteStore};
use rand::{Rng, SeedableRng, rngs::StdRng};
use test_support::{Client, Process, Settings, finish, seed};

use super::{
    buyer::Buyer,
    market::{Seller, check_dashboards, check_orders, check_people, check_stock, check_store, settled, shop_until},
    settings,
};

const BUYERS: usize = 30;
const KILLS: usize = 6;

/// Kills and restarts the program while buyers shop; returns the last process.
async fn kill_again_and_again(
    client: &Client,
    settings: &Settings,
    mut process: Process,
    random: &mut StdRng,
) -> Process {
    for _ in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(random.random_range(300..1_500))).await;
        process.kill();
        process = started(client, settings);
    }
    process
}

/// The program, which is called from now on.
fn started(client: &Client, settings: &Settings) -> Process {
    let process = Process::start(settings);
    client.redirect(&process.base());
    process
}

fn check_refused_twice(settings: &Settings) {
    let second = finish(settings.command(&["serve"]));
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(!second.status.success());
    assert_eq!(said.trim().lines().count(), 1, "one sentence: {said}");
    assert!(said.contains("in use"), "{said}");
}

/// A backup made while the program runs opens as a store.
async fn check_backup(settings: &Settings) {
    let copied = settings.folder().join("copy");
    std::fs::create_dir_all(&copied).unwrap();
    let file = copied.join("microbazaar.db");
    let done = finish(settings.command(&["backup", file.to_str().unwrap()]));
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let store = SqliteStore::open(&copied, SqliteOptions::default()).unwrap();
    store.integrity_check().await.unwrap();
    assert!(!store.stores().orders.all(None, 1).await.unwrap().is_empty());
    store.close().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_at_any_moment_keeps_all_answered_writes() {
    let seed = seed();
    let mut random = StdRng::seed_from_u64(seed);
    let settings = settings();
    let process = Process::start(&settings);
    let client = process.client.clone().patient();
    let sellers = [Seller::join(&client, 0).await, Seller::join(&client, 1).await];
    let products: Vec<String> = sellers.iter().flat_map(|seller| seller.products.clone()).collect();

    let ended = Arc::new(AtomicBool::new(false));
    let shopping: Vec<_> = (0..BUYERS)
        .map(|number| {
            let (client, ended, products) = (client.clone(), Arc::clone(&ended), products.clone());
            tokio::spawn(async move {
                let buyer = Buyer::join(client, number, seed).await;
                shop_until(ended, buyer, products).await
            })
        })
        .collect();
    let process = kill_again_and_again(&client, &settings, process, &mut random).await;
    ended.store(true, Ordering::SeqCst);
    let mut buyers = vec![];
    for buyer in shopping {
        buyers.push(buyer.await.unwrap());
    }
    process.kill();
    let process = started(&client, &settings);

    let shown = settled(&client, &buyers, &products).await;
    println!("{} orders, {} kills", shown.orders.len(), KILLS + 1);
    check_orders(&buyers, &shown);
    check_stock(&client, &shown, &products).await;
    check_people(&client, &buyers, products.last().unwrap()).await;
    check_dashboards(&client, &sellers, &shown).await;
    check_refused_twice(&settings);
    check_backup(&settings).await;

    assert_eq!(process.terminate().code(), Some(0));
    let rebuilt = finish(settings.command(&["projections", "rebuild"]));
    assert!(rebuilt.status.success(), "{}", String::from_utf8_lossy(&rebuilt.stderr));
    let process = started(&client, &settings);
    check_dashboards(&client, &sellers, &shown).await;
    assert_eq!(process.terminate().code(), Some(0));
    check_store(&settings.data(), BUYERS + sellers.len(), &shown, &products).await;
}
