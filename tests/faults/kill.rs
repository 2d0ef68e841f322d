//! The process is killed repeatedly at random moments, and keeps all that it answered.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use microbazaar::store::sqlite::{SqliteOptions, SqliteStore};
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{
    client::{Buyer, Line},
    market::{Seller, check_dashboards, check_orders, check_people, check_stock, check_store, settled, shop_until},
    process::{Process, data_of, finish},
    shop::TempDir,
};

const BUYERS: usize = 30;
const KILLS: usize = 6;

/// Kills and restarts the program while buyers shop; returns the last process.
async fn kill_again_and_again(line: &Line, data: &Path, mut process: Process, random: &mut StdRng) -> Process {
    for _ in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(random.random_range(300..1_500))).await;
        process.kill();
        process = Process::start(data);
        line.redirect(&process.base);
    }
    process
}

fn check_refused_twice(data: &Path) {
    let second = finish(data, &["serve", "--port", "0"]);
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(!second.status.success());
    assert_eq!(said.trim().lines().count(), 1, "one sentence: {said}");
    assert!(said.contains("in use"), "{said}");
}

/// A backup made while the program runs opens as a store.
async fn check_backup(data: &Path, dir: &Path) {
    let copied = dir.join("copy");
    std::fs::create_dir_all(&copied).unwrap();
    let file = copied.join("microbazaar.db");
    let done = finish(data, &["backup", file.to_str().unwrap()]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let store = SqliteStore::open(&copied, SqliteOptions::default()).unwrap();
    store.integrity_check().await.unwrap();
    assert!(!store.stores().orders.all(None, 1).await.unwrap().is_empty());
    store.close().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_at_any_moment_keeps_all_answered_writes() {
    let seed =
        std::env::var("MICROBAZAAR_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    println!("MICROBAZAAR_TEST_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let dir = TempDir::new();
    let data = data_of(&dir.0);
    let process = Process::start(&data);
    let line = Line::new(&process.base);
    let sellers = [Seller::join(&line, 0).await, Seller::join(&line, 1).await];
    let products: Vec<String> = sellers.iter().flat_map(|seller| seller.products.clone()).collect();

    let ended = Arc::new(AtomicBool::new(false));
    let shopping: Vec<_> = (0..BUYERS)
        .map(|number| {
            let (line, ended, products) = (line.clone(), Arc::clone(&ended), products.clone());
            tokio::spawn(async move {
                let buyer = Buyer::join(line, number, seed).await;
                shop_until(ended, buyer, products).await
            })
        })
        .collect();
    let process = kill_again_and_again(&line, &data, process, &mut random).await;
    ended.store(true, Ordering::SeqCst);
    let mut buyers = vec![];
    for buyer in shopping {
        buyers.push(buyer.await.unwrap());
    }
    process.kill();
    let process = Process::start(&data);
    line.redirect(&process.base);

    let shown = settled(&line, &process.base, &buyers, &products).await;
    println!("{} orders, {} kills", shown.orders.len(), KILLS + 1);
    check_orders(&buyers, &shown);
    check_stock(&line, &shown, &products).await;
    check_people(&line, &buyers, products.last().unwrap()).await;
    check_dashboards(&line, &sellers, &shown).await;
    check_refused_twice(&data);
    check_backup(&data, &dir.0).await;

    assert_eq!(process.terminate().code(), Some(0));
    let rebuilt = finish(&data, &["projections", "rebuild"]);
    assert!(rebuilt.status.success(), "{}", String::from_utf8_lossy(&rebuilt.stderr));
    let process = Process::start(&data);
    line.redirect(&process.base);
    check_dashboards(&line, &sellers, &shown).await;
    assert_eq!(process.terminate().code(), Some(0));
    check_store(&data, BUYERS + sellers.len(), &shown, &products).await;
}
