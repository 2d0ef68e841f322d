//! Many buyers of one product at once, over two replicas.

use std::sync::{Arc, atomic::Ordering};

use futures_util::future::join_all;
use microbazaar::{
    actors::tokens::Tokens,
    domain::{Timestamp, ids::UserId, user::Role},
};

use super::{
    drop_people,
    fleet::{Fleet, SECRET},
    shopper::Person,
};

const BUYERS: usize = 500;
const UNITS: u32 = 400;

#[actix_rt::test]
async fn five_hundred_buyers_of_four_hundred_units_make_four_hundred_orders_in_few_writes() {
    let Some(fleet) = Fleet::replicas("15m").await.map(Arc::new) else { return };
    let seller = Person::join(&fleet, "seller", "seller").await;
    let product = seller.product(UNITS).await;
    let tokens = Tokens::new(SECRET.as_bytes());
    let buyer = |_| Person {
        fleet: Arc::clone(&fleet),
        token: tokens.issue(UserId::generate(), Role::User, Timestamp::now()).unwrap().0,
        email: String::new(),
    };
    let buyers: Vec<Person> = (0..BUYERS).map(buyer).collect();
    join_all(buyers.iter().map(|buyer| buyer.fill_cart(&product))).await;
    let before = Counted::now(&fleet).await;
    // Clients that get `Retry-After` retry until there is an answer.
    join_all(buyers.iter().map(Person::check_out)).await;
    let after = Counted::now(&fleet).await;
    assert_eq!(seller.stock(&product).await, (u64::from(UNITS), u64::from(UNITS)), "every unit is held");
    let orders: usize = join_all(buyers.iter().map(Person::orders)).await.iter().map(Vec::len).sum();
    // On a slow machine a unit may be reserved for an order that timed out; it returns when the reservation expires.
    let unknown = fleet.unknown.load(Ordering::Relaxed);
    assert!(orders == UNITS as usize || orders < UNITS as usize && unknown > 0, "{orders} orders, {unknown} unknown");
    let (changes, writes) = (after.changes - before.changes, after.writes - before.writes);
    println!("{changes} changes in {writes} writes");
    assert!(changes >= BUYERS as f64, "each asked for the stock: {changes}");
    // A refusal is not a write: what counts is how many units one write reserves.
    assert!(writes * 3.0 <= f64::from(UNITS), "{UNITS} units took {writes} writes");
    drop(buyers);
    Arc::into_inner(drop_people(fleet, [seller])).unwrap().end().await;
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
