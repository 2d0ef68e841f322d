//! Many buyers at once.

use futures_util::{StreamExt, future::join_all, stream};
use serde_json::{Value, json};

use super::{Person, Shop, id, money};

const BUYERS: usize = 200;
const UNITS: u32 = 50;

#[actix_web::test]
async fn two_hundred_buyers_of_fifty_units_make_fifty_orders() {
    let app = Shop::open().await;
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

/// The total of a cart with this subtotal, in minor units.
fn total(cart: &Value) -> f64 {
    let amount = cart["totals"]["subtotal"]["amount"].as_f64().unwrap();
    let subtotal = (amount * 100.0).round();
    (subtotal + (subtotal / 10.0 + 0.5).floor() + 5_000.0) / 100.0
}

#[actix_web::test]
async fn no_order_is_made_at_a_total_that_its_buyer_was_not_shown() {
    let app = Shop::open().await;
    let seller = app.seller("mira").await;
    let lamp = app.product(&seller, "Lamp", 100.0, 900).await;
    let buyers: Vec<Person> = (0..12).map(|_| app.stranger()).collect();
    let selling = async {
        for round in 0..150_u32 {
            let price = json!({"price": {"amount": 100 + round % 7}});
            app.patch(&format!("/api/products/{lamp}")).token(&seller.token).json(&price).send().await.expect(200);
        }
    };
    let buying = join_all(buyers.iter().map(|buyer| {
        let (app, lamp) = (&app, &lamp);
        async move {
            let mut made = 0_u32;
            for _ in 0..8 {
                app.add_to_cart(buyer, lamp, 1).await.expect(200);
                let cart = app.get("/api/cart").token(&buyer.token).send().await.expect(200);
                let mut shown = money(total(&cart));
                // The buyer agrees to the new total of the refusal at the next attempt.
                for _ in 0..200 {
                    let answer = app.place_order(buyer, &json!({"expectedTotal": shown})).await;
                    if answer.status == 201 {
                        assert_eq!(answer.json()["order"]["totalPrice"], shown);
                        made += 1;
                        break;
                    }
                    shown = answer.refused(409, "order.total_changed")["totals"]["totalPrice"].clone();
                }
            }
            made
        }
    }));
    let ((), made) = tokio::join!(selling, buying);
    assert_eq!(made.iter().sum::<u32>(), 12 * 8, "each is made in the end");
    app.shutdown().await;
}

#[actix_web::test]
async fn twenty_orders_of_a_user_at_once_leave_ten_unpaid() {
    let app = Shop::open().await;
    let seller = app.seller("mira").await;
    let (asha, ravi) = (app.user("asha").await, app.stranger());
    let lamp = app.product(&seller, "Lamp", 10.0, 100).await;
    let one = || async {
        app.add_to_cart(&asha, &lamp, 1).await.expect(200);
        app.place_order(&asha, &json!({})).await
    };
    let mut left = 20;
    while left > 0 {
        for answer in join_all((0..left).map(|_| one())).await {
            match answer.status {
                201 | 400 => {}
                _ => drop(answer.refused(409, "order.too_many_unpaid")),
            }
        }
        left /= 2;
    }
    let unpaid = async || {
        let mine = app.get("/api/orders/me?status=PENDING&limit=100").token(&asha.token).send().await.expect(200);
        mine["orders"].as_array().unwrap().clone()
    };
    // Attempts that found the cart emptied by another made no order; the rest is added one by one.
    for _ in unpaid().await.len()..10 {
        one().await.expect(201);
    }
    assert_eq!(unpaid().await.len(), 10);
    app.add_to_cart(&asha, &lamp, 3).await.expect(200);
    let (held, cart) = (app.stock(&lamp).await, app.get("/api/cart").token(&asha.token).send().await.expect(200));
    let keyed = || app.post("/api/orders").token(&asha.token).header("idempotency-key", "again").json(&json!({}));
    keyed().send().await.refused(409, "order.too_many_unpaid");
    assert_eq!(app.stock(&lamp).await, held, "nothing is held for it");
    assert_eq!(
        app.get("/api/cart").token(&asha.token).send().await.expect(200)["cart"]["items"],
        cart["cart"]["items"]
    );
    app.order(&ravi, &lamp, 1).await;
    // The number falls when an order is paid or cancelled.
    let mine = unpaid().await;
    app.pay(&asha, &mine[0]).await;
    keyed().send().await.expect(201);
    app.add_to_cart(&asha, &lamp, 1).await.expect(200);
    app.place_order(&asha, &json!({})).await.refused(409, "order.too_many_unpaid");
    app.post(&format!("/api/orders/{}/cancel", id(&mine[1]))).token(&asha.token).send().await.expect(200);
    app.place_order(&asha, &json!({})).await.expect(201);
    app.shutdown().await;
}
