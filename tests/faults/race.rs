//! Two processes on one store with concurrent operations on the same order: both get its money, its buyer cancels,
//! its window ends, and a rival reserves and releases every free unit.

use std::{future::ready, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::{FutureExt, StreamExt, future::join_all};
use microbazaar::{
    actors::{
        order_saga::{Party, calls::CancelOrder},
        payment::calls::VerifyPayment,
    },
    domain::{inventory::StockLine, order::OrderStatus},
    integrations::payment::Checkout,
    store::sqlite::{SqliteOptions, SqliteStore},
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use test_support::Folder;

use super::{
    crash::Life,
    run::{Client, Run, Scenario, Step},
    shop::Shop,
};

const ROUNDS: u64 = 150;

static RACE: Scenario =
    Scenario { name: "race", steps: &[Step::Place, Step::Open, Step::Pay], ends: OrderStatus::Confirmed, keyed: true };

/// A short pause of random length.
async fn pause(random: &mut StdRng) {
    tokio::time::sleep(Duration::from_micros(random.random_range(0..4_000))).await;
}

/// Pays, and reports it to this process.
async fn verify(run: &Run, shop: &Shop, mut random: StdRng) {
    pause(&mut random).await;
    let Checkout { order_id, payment_id, signature } = run.checkout.clone().unwrap();
    let payment = shop.calls.ask(VerifyPayment { user: run.user, order_id, payment_id, signature }).await;
    assert!(payment.unwrap().has_money());
}

/// Whether the cancellation succeeded.
async fn cancel(run: &Run, shop: &Shop, mut random: StdRng) -> bool {
    pause(&mut random).await;
    let cancel = CancelOrder { order: run.order.unwrap(), who: Party::Buyer(run.user), reason: None };
    shop.calls.ask(cancel).await.is_ok()
}

/// Ends the window, so that both processes' sweepers and this call find it expired.
async fn expire(run: &Run, mut random: StdRng) {
    for _ in 0..3 {
        pause(&mut random).await;
        let order = run.stores.orders.get(run.order.unwrap()).await.unwrap().unwrap();
        run.hasten(&order, true).await;
    }
}

/// Reserves free units and releases them, finally for good.
async fn rival(run: &Run, mut random: StdRng) {
    for _ in 0..12 {
        for product in run.products {
            let level = run.stores.stock.get(product).await.unwrap().unwrap();
            let quantity = u32::try_from(level.available()).unwrap();
            if quantity > 0 {
                let _too_late = run.stores.stock.retake(run.other, &[StockLine { product, quantity }], None).await;
                pause(&mut random).await;
                run.stores.stock.release(run.other, None).await.unwrap();
            }
        }
        pause(&mut random).await;
    }
}

async fn round(seed: u64) -> OrderStatus {
    let mut random = StdRng::seed_from_u64(seed);
    let dir = Folder::new();
    let sqlite = SqliteStore::open(&dir.0, SqliteOptions { readers: 1, ..SqliteOptions::default() }).unwrap();
    let mut run = Run::new(&RACE, format!("race {seed}"), sqlite.stores()).await;
    let lives = [0, 1].map(|_| Life::new(run.stores.clone(), Arc::clone(&run.refunds), None));
    let [here, there] = lives.each_ref().map(Shop::start);
    for step in RACE.steps {
        run.step(&here, &lives[0], *step).await.unwrap();
    }
    if random.random_bool(0.5) {
        // The money is late from the start.
        run.step(&here, &lives[0], Step::Expire).await.unwrap();
    }
    let (cancels, expires) = (random.random_bool(0.4), random.random_bool(0.6));
    let mut next = || StdRng::from_rng(&mut random);
    let output =
        join_all([(&here, next()), (&there, next()), (&there, next())].map(|(shop, own)| verify(&run, shop, own)));
    let cancelled = async |own| cancels && cancel(&run, &there, own).await;
    let expired = async |own| {
        if expires {
            expire(&run, own).await;
        }
    };
    let (_, cancelled, (), ()) = tokio::join!(output, cancelled(next()), expired(next()), rival(&run, next()));
    run.verified = true;
    run.cancelled = cancelled;
    run.settle(&lives[0]).await;
    here.end().await;
    there.end().await;
    run.check(Client::IsGone).await;
    let order = run.stores.orders.get(run.order.unwrap()).await.unwrap().unwrap();
    sqlite.close().unwrap();
    order.status
}

#[actix_rt::test]
async fn a_raced_order_has_either_goods_and_kept_money_or_neither() {
    let rounds = (0..ROUNDS).map(|seed| AssertUnwindSafe(round(seed)).catch_unwind());
    let ends: Vec<_> = futures_util::stream::iter(rounds).buffer_unordered(24).collect().await;
    let count = |wanted| ends.iter().filter(|end| end.as_ref().ok() == Some(&wanted)).count();
    let (confirmed, cancelled) = (count(OrderStatus::Confirmed), count(OrderStatus::Cancelled));
    println!("{confirmed} confirmed, {cancelled} cancelled");
    let failed = futures_util::stream::iter(&ends).filter(|end| ready(end.is_err())).count().await;
    assert_eq!(failed, 0, "races of {ROUNDS} that failed");
    assert!(confirmed > 10 && cancelled > 10, "both happen: {confirmed}, {cancelled}");
}
