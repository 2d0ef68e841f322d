//! Payments under faults: buyers pay at a failing gateway, webhooks come twice and out of order, and the process is
//! killed at random moments and at every crash point. In the end only the money of sold goods is kept.

mod documents;
mod invariants;
mod payer;
mod world;

use std::time::{Duration, Instant};

use microbazaar::crash::POINTS;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use test_support::{named_seed, seed};

use self::{
    documents::Documents,
    payer::Way,
    world::{Stocking, World},
};

/// The seeds of every run, in addition to a random one.
const SEEDS: [u64; 2] = [11, 12];
/// How often the process is killed at a random moment.
const KILLS: usize = 7;
/// The length of one outage: longer than stock is reserved for an order. Buyers pay meanwhile.
const OUTAGE: Duration = Duration::from_secs(8);
/// The deadline for reaching a crash point.
const PASSED_WITHIN: Duration = Duration::from_secs(60);

/// Little stock, so that buyers race for the last units.
const SCARCE: Stocking = Stocking { plenty: 14, buyers: 8, refunds_wait: false };
/// Enough stock to repeat every path.
const AMPLE: Stocking = Stocking { plenty: 400, buyers: 6, refunds_wait: false };

async fn killed_at_any_moment(seed: u64) {
    println!("MICROBAZAAR_TEST_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let stocking = Stocking { refunds_wait: seed.is_multiple_of(2), ..SCARCE };
    let mut world = World::open(format!("seed {seed}"), seed, stocking, None).await;
    let shopping = world.shopping();
    let long = random.random_range(1..KILLS);
    for kill in 0..KILLS {
        world.die_within(random.random_range(300..2_200)).await;
        if kill == long {
            tokio::time::sleep(OUTAGE).await;
        }
        world.live(None).await;
        // Also while the shop runs.
        world.check_ledger().await;
    }
    let buyers = shopping.end().await;
    // Again while it resumes pending work.
    for _ in 0..2 {
        world.die_within(random.random_range(0..1_000)).await;
        world.live(None).await;
    }
    world.settle_and_check(&buyers).await;
}

async fn killed_at_points(seed: u64, points: &[&'static str], databases: Option<Documents>) {
    let mut random = StdRng::seed_from_u64(seed);
    let mut world = World::open(format!("points of seed {seed}"), seed, AMPLE, databases).await;
    let shopping = world.shopping();
    for point in points {
        let begun = Instant::now();
        let times: u32 = random.random_range(1..=2);
        *world.hint.lock() = Way::past(point);
        world.kill().await;
        world.live(Some(&format!("{point}:{times}"))).await;
        world.dies(point, PASSED_WITHIN).await;
        world.check_ledger().await;
        println!("{point}:{times} after {:?}", begun.elapsed());
    }
    world.live(None).await;
    let buyers = shopping.end().await;
    world.settle_and_check(&buyers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn only_money_of_sold_goods_is_kept_whenever_the_process_is_killed() {
    let seeds = named_seed().map_or_else(|| vec![SEEDS[0], SEEDS[1], rand::random()], |seed| vec![seed]);
    let runs: Vec<_> = seeds.into_iter().map(|seed| tokio::spawn(killed_at_any_moment(seed))).collect();
    for run in runs {
        run.await.unwrap();
    }
}

/// Covers all crash points, in this many shops in parallel.
async fn walk_all_points(worlds: usize, open: impl Fn() -> Option<Documents>) {
    let seed = seed();
    let mut points = POINTS.to_vec();
    points.shuffle(&mut StdRng::seed_from_u64(seed));
    let parts = (0..).zip(points.chunks(points.len().div_ceil(worlds)));
    let worlds = parts.map(|(number, points)| {
        let (points, databases) = (points.to_vec(), open());
        tokio::spawn(async move { killed_at_points(seed.wrapping_add(number), &points, databases).await })
    });
    for world in worlds.collect::<Vec<_>>() {
        world.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn only_money_of_sold_goods_is_kept_at_every_crash_point() {
    walk_all_points(3, || None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn only_money_of_sold_goods_is_kept_at_every_crash_point_on_mongodb() {
    if Documents::of_server().is_none() {
        return;
    }
    walk_all_points(2, Documents::of_server).await;
}
