//! One of two replicas killed in the middle of sales: the other finishes what it began.

use std::sync::Arc;

use super::{
    STOCK,
    agreement::until_all_agrees,
    drop_people,
    fleet::{Fleet, until},
    sales::Sales,
    shopper::Person,
};

/// Sales that are waited for before and after a death.
const SOME: usize = 8;

#[actix_rt::test]
async fn what_a_killed_replica_began_the_other_finishes() {
    let Some(fleet) = Fleet::replicas("6s").await.map(Arc::new) else { return };
    let seller = Person::join(&fleet, "seller", "seller").await;
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
    // This one stays dead.
    fleet.kill("one");
    sales.go_on(SOME).await;
    let people = sales.end().await;
    until_all_agrees(&fleet, &seller, &[(product, STOCK)], &people).await;
    until("every event is told of", async || fleet.metric("two", "outbox_events").await == Some(0.0)).await;
    drop(people);
    Arc::into_inner(drop_people(fleet, [seller])).unwrap().end().await;
}
