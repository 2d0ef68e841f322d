//! One of two replicas is killed during sales: the other finishes its work.

use test_support::eventually;

use super::{STOCK, agreement::until_all_agrees, fleet::Fleet, sales::Sales, shopper::Shopper};

/// Sales that the test waits for before and after the kill.
const SOME: usize = 8;

#[actix_rt::test]
async fn a_replica_finishes_the_work_of_a_killed_one() {
    let Some(fleet) = Fleet::replicas("6s").await else { return };
    let seller = Shopper::join(&fleet, "seller", "seller").await;
    let product = seller.product(STOCK).await;
    let sales = Sales::start(&fleet, std::slice::from_ref(&product), 4).await;
    for name in ["one", "two"] {
        sales.go_on(SOME).await;
        fleet.kill(name);
        sales.go_on(SOME).await;
        fleet.restart(name);
        fleet.until_all_ready().await;
    }
    sales.go_on(SOME).await;
    // This one is not restarted.
    fleet.kill("one");
    sales.go_on(SOME).await;
    let people = sales.end().await;
    until_all_agrees(&fleet, &seller, &[(product, STOCK)], &people).await;
    eventually("every event is published", async || fleet.metric("two", "outbox_events").await == Some(0.0)).await;
    fleet.end().await;
}
