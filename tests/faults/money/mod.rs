//! Money under fire: buyers pay at a gateway that fails, webhooks come twice and out of order,
//! the program is killed at any moment and at every named point, and in the end money is kept
//! for goods that were sold, and for nothing else.

mod books;
mod documents;
mod payer;
#[path = "../../it/payments/standin/mod.rs"]
mod standin;
mod world;

use std::time::{Duration, Instant};

use microbazaar::crash::POINTS;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};

use self::{
    documents::Documents,
    payer::Way,
    world::{Goods, World},
};

/// Seeds of every run, beside one by chance.
const SEEDS: [u64; 2] = [11, 12];
/// How often the program is killed at any moment.
const KILLS: usize = 7;
/// How long it is away once: longer than stock is held for an order. Meanwhile buyers pay.
const OUTAGE: Duration = Duration::from_secs(8);
/// How long it may take until somebody comes by a point.
const PASSED_WITHIN: Duration = Duration::from_secs(60);

/// The seed that the environment names, to do again what failed.
fn seed_named() -> Option<u64> {
    std::env::var("MICROBAZAAR_TEST_SEED").ok()?.parse().ok()
}

/// Little of everything, so that buyers race for the last ones.
const SCARCE: Goods = Goods { plenty: 14, buyers: 8, refunds_wait: false };
/// Enough that every way can be gone again and again.
const AMPLE: Goods = Goods { plenty: 400, buyers: 6, refunds_wait: false };

async fn killed_at_any_moment(seed: u64) {
    println!("MICROBAZAAR_TEST_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let goods = Goods { refunds_wait: seed.is_multiple_of(2), ..SCARCE };
    let mut world = World::open(format!("seed {seed}"), seed, goods, None).await;
    let shopping = world.shopping();
    let long = random.random_range(1..KILLS);
    for kill in 0..KILLS {
        world.die_within(random.random_range(300..2_200)).await;
        if kill == long {
            tokio::time::sleep(OUTAGE).await;
        }
        world.live(None).await;
        // Also while the shop runs.
        world.check_books().await;
    }
    let buyers = shopping.end().await;
    // Once more while it takes up what was left.
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
        world.check_books().await;
        println!("{point}:{times} after {:?}", begun.elapsed());
    }
    world.live(None).await;
    let buyers = shopping.end().await;
    world.settle_and_check(&buyers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn money_is_kept_for_goods_alone_whenever_the_program_is_killed() {
    let seeds = seed_named().map_or_else(|| vec![SEEDS[0], SEEDS[1], rand::random()], |seed| vec![seed]);
    let runs: Vec<_> = seeds.into_iter().map(|seed| tokio::spawn(killed_at_any_moment(seed))).collect();
    for run in runs {
        run.await.unwrap();
    }
}

/// Walks all points, in so many shops side by side.
async fn walk_all_points(worlds: usize, open: impl Fn() -> Option<Documents>) {
    let seed = seed_named().unwrap_or_else(rand::random);
    println!("MICROBAZAAR_TEST_SEED={seed}");
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
async fn money_is_kept_for_goods_alone_at_whatever_point_the_program_dies() {
    walk_all_points(3, || None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_database_loses_no_money_at_whatever_point_the_program_dies() {
    if Documents::of_server().is_none() {
        eprintln!("left out: TEST_MONGO_URI names no server");
        return;
    }
    walk_all_points(2, Documents::of_server).await;
}
