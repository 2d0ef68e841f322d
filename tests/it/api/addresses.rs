//! Addresses of every country, in accounts and in orders.

use serde_json::{Value, json};

use super::{Shop, address, id};

const PATH: &str = "/api/auth/users/me/addresses";

#[actix_web::test]
async fn an_address_is_kept_in_the_form_of_its_country() {
    let app = Shop::open().await;
    let asha = app.user("asha").await;
    for (sent, kept) in [
        (json!({"country": "India", "state": "Maharashtra", "zip": "411 001"}), ["IN", "MH", "411001"]),
        (json!({"country": "in", "state": "tamil nadu", "zip": "600001"}), ["IN", "TN", "600001"]),
        (json!({"country": "USA", "state": "New York", "zip": "10001-1234"}), ["US", "NY", "10001-1234"]),
        (json!({"country": "United Kingdom", "zip": "sw1a 1aa"}), ["GB", "", "SW1A 1AA"]),
        (json!({"country": "AE", "state": "Dubai"}), ["AE", "DU", ""]),
        (json!({"country": "Ireland", "state": null, "zip": null}), ["IE", "", ""]),
        (json!({"country": "HK", "state": "kowloon", "zip": ""}), ["HK", "Kowloon", ""]),
    ] {
        let mut body = json!({"street": " 1 High Street ", "city": "Somewhere"});
        body.as_object_mut().unwrap().extend(sent.as_object().unwrap().clone());
        let all = app.post(PATH).token(&asha.token).json(&body).send().await.expect(201);
        let found = all["addresses"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(found["street"], "1 High Street");
        for (field, kept) in ["country", "state", "zip"].into_iter().zip(kept) {
            assert_eq!(found[field], *kept, "{body}");
        }
        assert!(found.get("fullName").is_none() && found.get("phone").is_none(), "{found}");
    }
    app.shutdown().await;
}

#[actix_web::test]
async fn each_invalid_line_is_named() {
    let app = Shop::open().await;
    let asha = app.user("asha").await;
    let send = |change: Value| {
        let mut body = address("Pune");
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        app.post(PATH).token(&asha.token).json(&body).send()
    };
    for (missing, path) in [
        (json!({"zip": ""}), "zip"),
        (json!({"state": null}), "state"),
        (json!({"country": " "}), "country"),
        (json!({"city": ""}), "city"),
        (json!({"street": "x".repeat(201)}), "street"),
        (json!({"fullName": "x".repeat(201)}), "fullName"),
        (json!({"fullName": {"firstName": "Asha"}}), "fullName"),
        (json!({"country": "DE", "state": "", "zip": null}), "zip"),
        (json!({"fullName": "claim at evil.com"}), "fullName"),
        (json!({"fullName": "Asha\nRao"}), "fullName"),
        (json!({"street": "12 Lake Road\r\nBcc: x"}), "street"),
        (json!({"street": "see https://evil.example/x"}), "street"),
        (json!({"city": "www.evil.example"}), "city"),
        (json!({"city": "Pune\u{2028}1"}), "city"),
    ] {
        send(missing).await.invalid(path);
    }
    for (nonsense, path) in [
        (json!({"zip": "4110"}), "zip"),
        (json!({"zip": "SW1A 1AA"}), "zip"),
        (json!({"state": "Bavaria"}), "state"),
        (json!({"country": "US", "state": "MH", "zip": "94043-12"}), "zip"),
        (json!({"country": "Atlantis"}), "country"),
        (json!({"country": "IE", "state": "Bavaria", "zip": ""}), "state"),
        (json!({"phone": "call me"}), "phone"),
        (json!({"phone": "12"}), "phone"),
    ] {
        let refused = send(nonsense.clone()).await.refused(422, "auth.bad_address");
        assert!(refused["errors"].as_array().unwrap().iter().any(|one| one["path"] == path), "{nonsense}: {refused}");
    }
    assert_eq!(app.get(PATH).token(&asha.token).send().await.expect(200), json!({"addresses": []}));
    app.shutdown().await;
}

#[actix_web::test]
async fn the_recipient_is_stored_and_shown_to_the_seller() {
    let app = Shop::open().await;
    let (mira, asha) = (app.seller("mira").await, app.user("asha").await);
    let lamp = app.product(&mira, "Lamp", 10.0, 9).await;
    let mut to = address("Pune");
    to["fullName"] = json!(" Ravi Rao ");
    to["phone"] = json!("+91 98765  43210");
    let kept = app.post(PATH).token(&asha.token).json(&to).send().await.expect(201);
    assert_eq!(kept["addresses"][0]["fullName"], "Ravi Rao");
    assert_eq!(kept["addresses"][0]["phone"], "+91 98765 43210");
    app.add_to_cart(&asha, &lamp, 1).await.expect(200);
    let order = app.place_order(&asha, &json!({})).await.expect(201)["order"].clone();
    assert_eq!(order["shippingAddress"]["fullName"], "Ravi Rao");
    app.pay(&asha, &order).await;
    let seen = app.get(&format!("/api/orders/{}", id(&order))).token(&mira.token).send().await.expect(200);
    assert_eq!(seen["order"]["shippingAddress"]["phone"], "+91 98765 43210");
    let path = "/api/seller/dashboard/orders";
    let dashboard = app.until("the order", &mira.token, path, |rows| rows[0]["status"] == "CONFIRMED").await;
    assert_eq!(dashboard[0]["shippingAddress"]["fullName"], "Ravi Rao", "{dashboard}");
    app.shutdown().await;
}

#[actix_web::test]
async fn an_order_to_an_invalid_address_is_refused() {
    let app = Shop::open().await;
    let (mira, asha) = (app.seller("mira").await, app.user("asha").await);
    let lamp = app.product(&mira, "Lamp", 10.0, 9).await;
    app.add_to_cart(&asha, &lamp, 1).await.expect(200);
    let to = |country: &str, state: &str, zip: &str| json!({"shippingAddress": {"street": "1 High Street", "city": "Somewhere", "country": country, "state": state, "zip": zip}});
    for (country, state, zip, path) in [
        ("IN", "MH", "nonsense", "zip"),
        ("IN", "Ontario", "411001", "state"),
        ("Nowhere", "MH", "411001", "country"),
        ("US", "", "10001", "state"),
    ] {
        let refused = app.place_order(&asha, &to(country, state, zip)).await.refused(422, "order.bad_address");
        assert_eq!(refused["errors"][0]["path"], format!("shippingAddress.{path}"));
    }
    assert_eq!(app.stock(&lamp).await, (9, 0, 9), "a refusal holds nothing");
    let placed = app.place_order(&asha, &to("Singapore", "", "546080")).await.expect(201);
    assert_eq!(placed["order"]["shippingAddress"]["country"], "SG");
    let path = format!("/api/orders/{}/address", id(&placed["order"]));
    let change = |body: Value| app.patch(&path).token(&asha.token).json(&body).send();
    change(to("IN", "MH", "1")).await.refused(422, "order.bad_address");
    let changed = change(to("Japan", "Tokyo", "1540023")).await.expect(200);
    assert_eq!(changed["order"]["shippingAddress"]["state"], "13");
    app.shutdown().await;
}
