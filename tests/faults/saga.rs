//! One process dies at each write of an order's saga, and the next one finishes it.
//!
//! Every scenario is run once without faults to count its writes, then once for each write, dying before or after it.
//! The second process has a client that repeats unanswered requests and continues, or no client: then the program
//! must finish alone.

use std::{future::ready, panic::AssertUnwindSafe, sync::Arc, time::Instant};

use futures_util::{FutureExt, StreamExt};
use microbazaar::{
    domain::order::OrderStatus,
    store::sqlite::{SqliteOptions, SqliteStore},
};
use test_support::Folder;

use super::{
    crash::{Life, Side},
    run::{
        Client, Run, Scenario,
        Step::{AddMore, Cancel, Expire, Open, OpenTooDear, Pay, Place, SellOut, Verify},
    },
};

const SCENARIOS: [Scenario; 9] = [
    Scenario { name: "paid", steps: &[Place, AddMore, Open, Pay, Verify], ends: OrderStatus::Confirmed, keyed: true },
    Scenario {
        name: "placed without a key and cancelled",
        steps: &[Place, Cancel],
        ends: OrderStatus::Cancelled,
        keyed: false,
    },
    Scenario {
        name: "paid and cancelled",
        steps: &[Place, Open, Pay, Verify, Cancel],
        ends: OrderStatus::Cancelled,
        keyed: true,
    },
    Scenario { name: "never paid", steps: &[Place, AddMore, Expire], ends: OrderStatus::Cancelled, keyed: false },
    Scenario {
        name: "refused by the gateway",
        steps: &[Place, AddMore, OpenTooDear],
        ends: OrderStatus::Cancelled,
        keyed: true,
    },
    Scenario {
        name: "late money, stock there",
        steps: &[Place, Open, Expire, Pay, Verify],
        ends: OrderStatus::Confirmed,
        keyed: true,
    },
    Scenario {
        name: "late money, stock gone",
        steps: &[Place, Open, Expire, SellOut, Pay, Verify],
        ends: OrderStatus::Cancelled,
        keyed: true,
    },
    Scenario {
        name: "late money after a cancellation",
        steps: &[Place, Open, Cancel, Pay, Verify],
        ends: OrderStatus::Cancelled,
        keyed: true,
    },
    Scenario {
        name: "money that nobody verified before the window ended",
        steps: &[Place, Open, Pay, Expire, Verify],
        ends: OrderStatus::Confirmed,
        keyed: true,
    },
];

/// Runs a scenario with a first process that dies at a write, if any; returns how many writes it started.
async fn run(scenario: &'static Scenario, dies_at: Option<(u64, Side)>, client: Client) -> u64 {
    let dir = Folder::new();
    let sqlite = SqliteStore::open(&dir.0, SqliteOptions { readers: 1, ..SqliteOptions::default() }).unwrap();
    let label = format!("{}, dies at {dies_at:?}, client {client:?}", scenario.name);
    let mut run = Run::new(scenario, label, sqlite.stores()).await;
    let first = Life::new(run.stores.clone(), Arc::clone(&run.refunds), dies_at);
    let stuck = run.live(&first, 0).await;
    if dies_at.is_some() {
        let second = Life::new(run.stores.clone(), Arc::clone(&run.refunds), None);
        let from = match (client, stuck) {
            (Client::Returns, Some((at, _))) => at,
            _ => scenario.steps.len(),
        };
        let again = run.live(&second, from).await;
        assert!(again.is_none(), "{}: a healthy process answers: {again:?}", run.label);
    } else {
        assert!(stuck.is_none(), "{}: {stuck:?}", run.label);
    }
    run.check(client).await;
    sqlite.close().unwrap();
    first.writes()
}

#[actix_rt::test]
async fn the_next_process_finishes_an_order_after_a_death_at_any_write() {
    let began = Instant::now();
    let mut cases = vec![];
    for scenario in &SCENARIOS {
        let writes = run(scenario, None, Client::Returns).await;
        assert!(writes >= 5, "{} writes {writes} times", scenario.name);
        for write in 1..=writes {
            for side in [Side::Before, Side::After] {
                cases.push((scenario, Some((write, side)), Client::Returns));
                cases.push((scenario, Some((write, side)), Client::IsGone));
            }
        }
    }
    let count = cases.len();
    // All are run, so that all failures are reported together.
    let runs = cases.into_iter().map(|(scenario, dies_at, client)| async move {
        AssertUnwindSafe(run(scenario, dies_at, client)).catch_unwind().await.is_err()
    });
    let failed = futures_util::stream::iter(runs).buffer_unordered(48).filter(|failed| ready(*failed)).count().await;
    println!("{count} crash points in {:?}", began.elapsed());
    assert_eq!(failed, 0, "crash points of {count} that failed");
}
