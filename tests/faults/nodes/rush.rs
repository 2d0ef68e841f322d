//! Many buyers of one product at once, over two replicas.

use futures_util::future::join_all;
use microbazaar::domain::{ids::UserId, user::Role};
use test_support::{Person, issue};

use super::{fleet::Fleet, shopper::Shopper};

const BUYERS: usize = 500;
const UNITS: u32 = 400;

#[actix_rt::test]
async fn five_hundred_buyers_of_four_hundred_units_make_four_hundred_orders_in_few_writes() {
    let Some(fleet) = Fleet::replicas("15m").await else { return };
    let seller = Shopper::join(&fleet, "seller", "seller").await;
    let product = seller.product(UNITS).await;
    let buyer = |_| {
        let person = Person::of(&issue(UserId::generate(), Role::User));
        Shopper { client: fleet.client.clone(), person }
    };
    let buyers: Vec<Shopper> = (0..BUYERS).map(buyer).collect();
    join_all(buyers.iter().map(|buyer| buyer.fill_cart(&product))).await;
    let before = Counted::now(&fleet).await;
    // Clients that get `Retry-After` retry until there is an answer.
    join_all(buyers.iter().map(Shopper::check_out)).await;
    let after = Counted::now(&fleet).await;
    assert_eq!(seller.stock(&product).await, (i64::from(UNITS), i64::from(UNITS)), "every unit is held");
    let orders: usize = join_all(buyers.iter().map(Shopper::orders)).await.iter().map(Vec::len).sum();
    // On a slow machine a unit may be reserved for an order that timed out; it returns when the reservation expires.
    let unknown = fleet.client.unknown();
    assert!(orders == UNITS as usize || orders < UNITS as usize && unknown > 0, "{orders} orders, {unknown} unknown");
    let (changes, writes) = (after.changes - before.changes, after.writes - before.writes);
    println!("{changes} changes in {writes} writes");
    assert!(changes >= BUYERS as f64, "each asked for the stock: {changes}");
    // A refusal is not a write: what counts is how many units one write reserves.
    assert!(writes * 3.0 <= f64::from(UNITS), "{UNITS} units took {writes} writes");
    fleet.end().await;
}

/// Metrics of both replicas.
struct Counted {
    changes: f64,
    /// Including writes that lost a conflict.
    writes: f64,
}

impl Counted {
    async fn now(fleet: &Fleet) -> Self {
        let mut counted = Self { changes: 0.0, writes: 0.0 };
        for name in fleet.shape.names() {
            counted.changes += fleet.metric(name, "stock_changes_total").await.unwrap_or(0.0);
            counted.writes += fleet.metric(name, "stock_writes_total").await.unwrap_or(0.0);
        }
        counted
    }
}
