//! Many buyers at once.

use futures_util::{StreamExt, future::join_all, stream};
use serde_json::json;

use super::{Person, TestApp, id};

const BUYERS: usize = 200;
const UNITS: u32 = 50;

#[actix_web::test]
async fn two_hundred_buyers_of_fifty_units_make_fifty_orders() {
    let app = TestApp::spawn().await;
    let seller = app.seller("mira").await;
    let lamp = app.product(&seller, "Lamp", 10.0, UNITS).await;
    let buyers: Vec<Person> = (0..BUYERS).map(|_| app.stranger()).collect();
    for answer in join_all(buyers.iter().map(|buyer| app.add_to_cart(buyer, &lamp, 1))).await {
        answer.expect(200);
    }
    let body = json!({});
    let answers = join_all(buyers.iter().map(|buyer| app.place_order(buyer, &body))).await;
    let mut orders: Vec<String> = vec![];
    for answer in &answers {
        if answer.status == 201 {
            orders.push(id(&answer.json()["order"]));
        } else {
            let refused = answer.refused(409, "order.insufficient_stock");
            assert_eq!(refused["items"][0]["productId"], lamp.as_str());
        }
    }
    orders.sort();
    orders.dedup();
    assert_eq!(orders.len(), usize::try_from(UNITS).unwrap());
    assert_eq!(app.stock(&lamp).await, (50, 50, 0));
    let totals: Vec<u64> = stream::iter(&buyers)
        .map(|buyer| async { app.get("/api/orders/me").token(&buyer.token).send().await.expect(200) })
        .buffer_unordered(16)
        .map(|mine| mine["pagination"]["total"].as_u64().unwrap())
        .collect()
        .await;
    assert_eq!(totals.iter().sum::<u64>(), u64::from(UNITS), "every order is some buyer's");
    assert!(totals.iter().all(|total| *total <= 1));
    app.shutdown().await;
}
