//! A shop of an earlier version, opened by this one.
//!
//! `data/shop_schema_10.sql.gz` is the data file of the version before documents were declared once; that program
//! filled it over HTTP. Three of its orders are as even earlier versions left them: they were refunded, in full or in
//! part, and do not count it.

use std::io::Read;

use flate2::read::GzDecoder;
use microbazaar::app::ledger_check;

use super::*;

const SHOP: &[u8] = include_bytes!("../data/shop_schema_10.sql.gz");

async fn login(app: &Shop, name: &str) -> Person {
    let email = format!("{name}@example.com");
    let session = app.login(&json!({"email": email, "password": PASSWORD})).await.expect(200);
    Person { id: text(&session["user"]["_id"]), email, token: text(&session["token"]) }
}

#[actix_web::test]
async fn a_shop_of_an_earlier_version_is_upgraded_and_works() {
    let mut sql = String::new();
    GzDecoder::new(SHOP).read_to_string(&mut sql).unwrap();
    let settings = Settings::new();
    let file = rusqlite::Connection::open(settings.data().join("microbazaar.db")).unwrap();
    file.execute_batch(&sql).unwrap();
    // So that it has not expired, whenever this runs.
    let now = Timestamp::now();
    let said = "UPDATE conversations SET updated_at = ?1,
                    doc = CAST(json_set(CAST(doc AS TEXT), '$.updatedAt', ?2) AS BLOB)";
    assert_eq!(file.execute(said, (now.as_microsecond(), now.to_string())).unwrap(), 1);
    file.close().unwrap();
    let config = Shop::usual(&settings);
    let app = Shop::over(config.clone(), settings).await;
    let (mira, asha, ravi) = (login(&app, "mira").await, login(&app, "asha").await, login(&app, "ravi").await);

    let cart = app.get("/api/cart").token(&ravi.token).send().await.expect(200);
    let lines = cart["cart"]["items"].as_array().unwrap();
    assert_eq!((lines.len(), &lines[0]["quantity"]), (1, &json!(4)), "{cart}");
    let chats = app.get("/api/ai/conversations").token(&ravi.token).send().await.expect(200);
    assert_eq!(chats.as_array().map(Vec::len), Some(1), "{chats}");
    let addresses = app.get("/api/auth/users/me/addresses").token(&asha.token).send().await.expect(200);
    assert_eq!(addresses["addresses"][0]["fullName"], "Asha Rao");
    let hooks = app.get("/api/webhooks").token(&mira.token).send().await.expect(200);
    assert_eq!(hooks.as_array().map(Vec::len), Some(1), "{hooks}");

    // The newest order is pending, or was until its payment window ended.
    let output = |orders: &Value| {
        let orders = orders["orders"].as_array().unwrap();
        orders.iter().map(|order| (text(&order["status"]), order["refundedPrice"].clone())).collect::<Vec<_>>()
    };
    let orders = app.until("what went back", &asha.token, "/api/orders/me", |orders| {
        output(orders).iter().skip(1).map(|(status, _)| status.as_str()).eq(["CONFIRMED", "SHIPPED", "CANCELLED"])
            && output(orders)[1..].iter().map(|(_, back)| back.clone()).eq([money(135.0), money(270.0), money(270.0)])
    });
    let orders = orders.await;
    let lamp = text(&orders["orders"][1]["items"][0]["product"]);
    // Of a hundred, twenty were shipped; twenty and three are to be shipped.
    let level = format!("/api/inventory/{lamp}");
    app.until("the stock", &mira.token, &level, |level| level["onHand"] == 57).await;
    // Ten of those that were half refunded, and three.
    let sold = |metrics: &Value| metrics["sales"] == 13;
    app.until("the seller's figures", &mira.token, "/api/seller/dashboard/metrics", sold).await;

    let (cart, order) = (&cart["cart"]["items"][0]["productId"], json!({"shippingAddress": address("Pune")}));
    let order = app.place_order(&ravi, &order).await.expect(201)["order"].clone();
    assert_eq!(&order["items"][0]["product"], cart);
    app.pay(&ravi, &order).await;
    assert_eq!(app.order_now(&ravi, &order).await["status"], "CONFIRMED");
    app.settle().await;
    let _settings = app.end().await;
    actix_web::web::block(move || ledger_check(&config)).await.unwrap().unwrap();
}
