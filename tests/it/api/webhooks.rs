//! Webhooks, from the registration to the received request.

use std::{process::Stdio, time::Duration};

use hmac::{Hmac, KeyInit, Mac};
use microbazaar::config::Config;
use serde_json::{Value, json};
use sha2::Sha256;
use test_support::{Received, Receiver, Reply, servers};

use super::{Person, Shop, address, id, text};

const SECRET: &str = "a secret that the receiver has too";

/// Receivers of tests have private addresses, and retries are fast.
fn quick(config: &mut Config) {
    config.webhooks.allow_private = true;
    config.webhooks.retry_delays = vec![Duration::from_millis(50); 4];
    config.webhooks.timeout = Duration::from_secs(2);
}

async fn register(app: &Shop, who: &Person, url: &str, events: &[&str]) -> Value {
    let body = json!({"url": url, "events": events, "secret": SECRET});
    app.post("/api/webhooks").token(&who.token).json(&body).send().await.expect(201)["webhook"].clone()
}

fn path(webhook: &Value) -> String {
    format!("/api/webhooks/{}", id(webhook))
}

async fn switch(app: &Shop, who: &Person, webhook: &Value, active: bool) -> Value {
    let body = json!({"active": active});
    app.patch(&path(webhook)).token(&who.token).json(&body).send().await.expect(200)["webhook"].clone()
}

/// Checks what every request has in common, and its signature.
fn check(received: &Received) {
    let (body, id) = (received.json(), received.header("webhook-id"));
    assert_eq!(body["id"], id);
    assert_eq!(body["type"], received.header("x-microbazaar-event"));
    assert!(super::is_moment(&body["timestamp"]) && body["data"].is_object(), "{body}");
    assert_eq!(received.header("content-type"), "application/json");
    assert!(received.header("user-agent").starts_with("microBazaar/"));
    let mac = |text: &[u8]| {
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update(text);
        mac.finalize().into_bytes()
    };
    let timestamp = received.header("webhook-timestamp");
    let signed = format!("{id}.{timestamp}.{}", received.body);
    let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, mac(signed.as_bytes()));
    assert_eq!(received.header("webhook-signature"), format!("v1,{encoded}"));
    let plain = format!("sha256={}", hex::encode(mac(received.body.as_bytes())));
    assert_eq!(received.header("x-microbazaar-signature"), plain);
}

fn of_kind<'a>(received: &'a [Received], kind: &str) -> Vec<&'a Received> {
    received.iter().filter(|one| one.kind() == kind).collect()
}

#[actix_web::test]
async fn webhooks_report_a_purchase_to_sellers_and_admins() {
    let app = Shop::open_with(quick).await;
    let (mira, ravi, asha) = (app.seller("mira").await, app.seller("ravi").await, app.user("asha").await);
    let (sellers, admins) = (Receiver::start(), Receiver::start());
    let admin = app.admin().await;
    let webhook = register(&app, &mira, &sellers.url, &["*"]).await;
    register(&app, &admin, &admins.url, &["*"]).await;
    let (lamp, cup) = (app.product(&mira, "Lamp", 99.5, 20).await, app.product(&ravi, "Cup", 5.0, 20).await);
    app.add_to_cart(&asha, &lamp, 3).await.expect(200);
    let order = app.order(&asha, &cup, 2).await;
    app.pay(&asha, &order).await;
    let other = app.order(&asha, &cup, 1).await;
    app.pay(&asha, &other).await;

    let all = admins.until("both orders", |all| of_kind(all, "order.confirmed").len() == 2).await;
    for kind in ["product.created", "order.created", "payment.created", "payment.initiated", "payment.completed"] {
        admins.until(kind, |all| !of_kind(all, kind).is_empty()).await;
    }
    all.iter().for_each(check);
    let output = sellers.until("the seller's order", |all| of_kind(all, "order.confirmed").len() == 1).await;
    output.iter().for_each(check);
    let mut kinds: Vec<_> = output.iter().map(Received::kind).collect();
    kinds.sort();
    assert_eq!(kinds, ["order.confirmed", "order.created", "product.created"]);
    for one in of_kind(&output, "order.created") {
        let data = &one.json()["data"];
        let items = data["items"].as_array().unwrap();
        assert_eq!((data["_id"].as_str(), items.len(), &items[0]["title"]), (order["_id"].as_str(), 1, &json!("Lamp")));
        assert!(!one.body.contains("Cup") && !one.body.contains(&ravi.id), "{}", one.body);
    }
    let created = of_kind(&all, "order.created");
    assert!(created.iter().any(|one| one.json()["data"]["items"].as_array().unwrap().len() == 2));
    let deliveries = format!("{}/deliveries", path(&webhook));
    let delivered = |log: &Value| log.as_array().unwrap().iter().all(|one| one["state"] == "delivered");
    let log = app.until("the log", &mira.token, &deliveries, delivered).await;
    assert_eq!(log.as_array().unwrap().len(), 3);
    assert_eq!(log[0]["attempts"][0]["status"], 204);
    let metrics = app.http.get(format!("{}/metrics", app.base())).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("webhook_attempts_total{outcome=\"delivered\"}"));
    app.shutdown().await;
    sellers.stop().await;
    admins.stop().await;
}

#[actix_web::test]
async fn a_failed_delivery_is_retried_with_the_same_id() {
    let app = Shop::open_with(quick).await;
    let (mira, receiver) = (app.seller("mira").await, Receiver::start());
    let webhook = register(&app, &mira, &receiver.url, &["product.*"]).await;
    let elsewhere = Receiver::start();
    let redirect = Reply { location: Some(elsewhere.url.clone()), ..Reply::of(307) };
    receiver.then([Reply::of(500), redirect, Reply::of(200)]);
    app.product(&mira, "Lamp", 1.0, 1).await;
    let received = receiver.until("three tries", |all| all.len() == 3).await;
    received.iter().for_each(check);
    assert!(received.iter().all(|one| one.header("webhook-id") == received[0].header("webhook-id")));
    assert!(received.iter().all(|one| one.body == received[0].body));
    let deliveries = format!("{}/deliveries", path(&webhook));
    let log = app.until("the log", &mira.token, &deliveries, |log| log[0]["state"] == "delivered").await;
    let statuses: Vec<_> = log[0]["attempts"].as_array().unwrap().iter().map(|one| one["status"].clone()).collect();
    assert_eq!(statuses, [500, 307, 200]);
    assert_eq!(text(&log[0]["attempts"][0]["response"]).len(), 1_024, "the beginning of the answer");
    assert!(elsewhere.received().is_empty(), "no redirect is followed");

    // On request it is sent again.
    let again = format!("{deliveries}/{}/redeliver", id(&log[0]));
    app.post(&again).token(&mira.token).send().await.expect(202);
    let received = receiver.until("a fourth", |all| all.len() == 4).await;
    assert_eq!(received[3].header("webhook-id"), received[0].header("webhook-id"));

    // After the last attempt it has failed.
    receiver.always(Reply::of(503));
    app.product(&mira, "Bulb", 1.0, 1).await;
    let log = app.until("the failure", &mira.token, &deliveries, |log| log[0]["state"] == "failed").await;
    assert_eq!(log[0]["attempts"].as_array().unwrap().len(), 5);
    app.until("the count", &mira.token, &path(&webhook), |webhook| webhook["consecutiveFailures"] == 5).await;
    app.shutdown().await;
    receiver.stop().await;
    elsewhere.stop().await;
}

#[actix_web::test]
async fn a_webhook_is_disabled_and_enabled_again() {
    let app = Shop::open_with(|config| {
        quick(config);
        config.webhooks.switch_off_after = 3;
        config.webhooks.retry_delays = vec![Duration::from_millis(50); 20];
    })
    .await;
    let (mira, receiver) = (app.seller("mira").await, Receiver::start());
    let webhook = register(&app, &mira, &receiver.url, &["product.created"]).await;
    receiver.always(Reply::of(500));
    app.product(&mira, "Lamp", 1.0, 1).await;
    let off = app.until("the end", &mira.token, &path(&webhook), |now| now["active"] == false).await;
    assert_eq!(off["switchedOffReason"], "3 attempts in a row failed");
    let before = receiver.received().len();
    app.product(&mira, "Not reported", 1.0, 1).await;
    app.settle().await;
    app.post(&format!("{}/ping", path(&webhook))).token(&mira.token).send().await.refused(409, "webhook.switched_off");
    assert_eq!(receiver.received().len(), before);

    receiver.always(Reply::of(200));
    assert_eq!(switch(&app, &mira, &webhook, true).await["active"], true);
    let received = receiver.until("what waited", |all| all.len() == before + 1).await;
    assert_eq!(received.last().unwrap().header("webhook-id"), received[0].header("webhook-id"));

    receiver.then([Reply::of(410)]);
    app.post(&format!("{}/ping", path(&webhook))).token(&mira.token).send().await.expect(202);
    let off = app.until("410", &mira.token, &path(&webhook), |now| now["active"] == false).await;
    assert_eq!(off["switchedOffReason"], "the receiver answered 410 Gone");
    assert_eq!(of_kind(&receiver.received(), "ping").len(), 1);
    app.shutdown().await;
    receiver.stop().await;
}

#[actix_web::test]
async fn a_slow_receiver_delays_no_other() {
    let app = Shop::open_with(quick).await;
    let (mira, slow, quick) = (app.seller("mira").await, Receiver::start(), Receiver::start());
    slow.always(Reply { after: Duration::from_secs(60), ..Reply::of(200) });
    let webhook = register(&app, &mira, &slow.url, &["product.*"]).await;
    register(&app, &mira, &quick.url, &["product.*"]).await;
    for number in 0..20 {
        app.product(&mira, &format!("Lamp {number}"), 1.0, 1).await;
    }
    quick.until("all twenty", |all| all.len() == 20).await;
    let deliveries = format!("{}/deliveries?limit=100", path(&webhook));
    let tried =
        |log: &Value| log.as_array().unwrap().iter().any(|one| one["attempts"][0]["error"] == "no answer in time");
    let log = app.until("a try that ended", &mira.token, &deliveries, tried).await;
    assert!(log.as_array().unwrap().iter().all(|one| one["state"] == "waiting"));
    app.shutdown().await;
    slow.stop().await;
    quick.stop().await;
}

#[actix_web::test]
async fn a_restart_in_the_middle_loses_nothing() {
    let app = Shop::open_with(|config| {
        quick(config);
        config.webhooks.retry_delays = vec![Duration::from_millis(50); 20];
        config.webhooks.switch_off_after = 1_000;
    })
    .await;
    let (mira, receiver) = (app.seller("mira").await, Receiver::start());
    register(&app, &mira, &receiver.url, &["product.*"]).await;
    receiver.always(Reply { after: Duration::from_millis(200), ..Reply::of(500) });
    for number in 0..5 {
        app.product(&mira, &format!("Lamp {number}"), 1.0, 1).await;
    }
    receiver.until("a try", |all| !all.is_empty()).await;
    let app = app.restart().await;
    let failed = receiver.received().len();
    receiver.always(Reply::of(200));
    let ids = |all: &[Received]| {
        all.iter().map(|one| one.header("webhook-id").to_owned()).collect::<std::collections::BTreeSet<_>>()
    };
    let received = receiver.until("all five", |all| ids(&all[failed..]).len() == 5).await;
    assert_eq!(ids(&received).len(), 5, "with the ids that they had before");
    app.shutdown().await;
    receiver.stop().await;
}

#[actix_web::test]
async fn private_addresses_are_refused_unless_allowed() {
    let app = Shop::open().await;
    let (mira, receiver) = (app.seller("mira").await, Receiver::start());
    let port = receiver.url.rsplit(':').next().unwrap();
    for host in ["127.0.0.1", "localhost", "[::1]", "2130706433", "10.0.0.7", "169.254.169.254"] {
        let body = json!({"url": format!("http://{host}:{port}"), "events": ["*"]});
        let refused = app.post("/api/webhooks").token(&mira.token).json(&body).send().await;
        refused.invalid("url");
        assert!(refused.json()["errors"][0]["msg"].as_str().unwrap().contains("webhooks.allow_private"));
    }
    app.shutdown().await;

    // Registered while they were allowed, and not called any more.
    let app = Shop::open_with(quick).await;
    let mira = app.seller("mira").await;
    let webhook = register(&app, &mira, &receiver.url, &["product.*"]).await;
    let mut config = app.config.clone();
    config.webhooks.allow_private = false;
    let settings = app.end().await;
    let app = Shop::over(config, settings).await;
    app.product(&mira, "Lamp", 1.0, 1).await;
    let deliveries = format!("{}/deliveries", path(&webhook));
    let log = app.until("the failure", &mira.token, &deliveries, |log| log[0]["state"] == "failed").await;
    assert!(text(&log[0]["attempts"][0]["error"]).contains("webhooks.allow_private"), "{log}");
    assert!(receiver.received().is_empty());
    app.shutdown().await;
    receiver.stop().await;
}

#[actix_web::test]
async fn webhooks_belong_to_their_seller_or_admin() {
    let app = Shop::open_with(quick).await;
    let (mira, ravi, asha, admin) =
        (app.seller("mira").await, app.seller("ravi").await, app.user("asha").await, app.admin().await);
    let valid =
        json!({"url": "https://seller.example/hook", "events": ["order.*", "product.deleted"], "description": "Ware"});
    let post = |who: &Person| app.post("/api/webhooks").token(&who.token);
    app.post("/api/webhooks").json(&valid).send().await.expect(401);
    post(&asha).json(&valid).send().await.expect(403);
    app.get("/api/webhooks").token(&asha.token).send().await.expect(403);
    let made = post(&mira).json(&valid).send().await.expect(201)["webhook"].clone();
    assert!(text(&made["secret"]).starts_with("whsec_"));
    assert_eq!(
        (&made["active"], &made["description"], &made["owner"]),
        (&json!(true), &json!("Ware"), &json!(mira.id))
    );
    for (field, change) in [
        ("url", json!({"url": "ftp://seller.example"})),
        ("url", json!({"url": "https://me:hush@seller.example"})),
        ("url", json!({"url": ""})),
        ("events", json!({"events": []})),
        ("events[1]", json!({"events": ["order.*", "stock.changed"]})),
        ("events[0]", json!({"events": ["payment.completed"]})),
        ("events[0]", json!({"events": ["user.*"]})),
        ("secret", json!({"secret": "short"})),
        ("secret", json!({"secret": "whsec_!!!!!!!!!!!!!!!!"})),
        ("description", json!({"description": "x".repeat(201)})),
    ] {
        let mut body = valid.clone();
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        post(&mira).json(&body).send().await.invalid(field);
    }
    let path = path(&made);
    let shown = app.get(&path).token(&mira.token).send().await.expect(200);
    assert!(shown.get("secret").is_none(), "{shown}");
    let listed = app.get("/api/webhooks").token(&mira.token).send().await;
    assert!(!String::from_utf8_lossy(&listed.body).contains("whsec_"));
    assert_eq!((listed.header("x-total-count"), listed.json()[0]["_id"].clone()), (Some("1"), made["_id"].clone()));

    // Other users do not see it; an admin does, and may only disable it.
    assert_eq!(app.get("/api/webhooks").token(&ravi.token).send().await.json(), json!([]));
    assert_eq!(app.get("/api/webhooks").token(&admin.token).send().await.json(), json!([]));
    assert_eq!(app.get("/api/webhooks?all=true").token(&admin.token).send().await.json()[0]["_id"], made["_id"]);
    app.get("/api/webhooks?all=true").token(&ravi.token).send().await.expect(403);
    let change = json!({"url": "https://elsewhere.example"});
    for call in
        [app.get(&path), app.patch(&path).json(&change), app.delete(&path), app.get(&format!("{path}/deliveries"))]
    {
        call.token(&ravi.token).send().await.expect(404);
    }
    for (who, status) in [(&ravi, 404), (&admin, 403)] {
        for last in ["rotate-secret", "ping"] {
            app.post(&format!("{path}/{last}")).token(&who.token).send().await.expect(status);
        }
    }
    app.patch(&path).json(&change).token(&admin.token).send().await.expect(403);
    let off = switch(&app, &admin, &made, false).await;
    assert_eq!(off["switchedOffReason"], "switched off by an admin");
    app.post(&format!("{path}/deliveries/{}/redeliver", mira.id)).token(&mira.token).send().await.expect(409);
    switch(&app, &mira, &made, true).await;
    app.post(&format!("{path}/deliveries/{}/redeliver", mira.id)).token(&mira.token).send().await.expect(404);
    let changed = app.patch(&path).json(&change).token(&mira.token).send().await.expect(200);
    assert_eq!(changed["webhook"]["url"], change["url"]);

    for _ in 0..19 {
        post(&mira).json(&valid).send().await.expect(201);
    }
    post(&mira).json(&valid).send().await.refused(409, "webhook.too_many");
    app.delete(&path).token(&mira.token).send().await.expect(204);
    app.delete(&path).token(&mira.token).send().await.expect(404);
    post(&mira).json(&valid).send().await.expect(201);
    app.shutdown().await;
}

#[actix_web::test]
async fn two_secrets_sign_for_a_day_and_a_published_library_agrees() {
    let app = Shop::open_with(quick).await;
    let (mira, receiver) = (app.seller("mira").await, Receiver::start());
    let webhook = register(&app, &mira, &receiver.url, &["product.*"]).await;
    let rotated = app.post(&format!("{}/rotate-secret", path(&webhook))).token(&mira.token).send().await.expect(200);
    let made = text(&rotated["webhook"]["secret"]);
    assert!(made.starts_with("whsec_") && super::is_moment(&rotated["webhook"]["oldSecretUntil"]));
    app.post(&format!("{}/ping", path(&webhook))).token(&mira.token).send().await.expect(202);
    let ping = receiver.until("the ping", |all| all.len() == 1).await.remove(0);
    let signatures: Vec<_> = ping.header("webhook-signature").split(' ').collect();
    assert_eq!(signatures.len(), 2);
    let id = ping.header("webhook-id");
    let headers = json!({
        "webhook-id": id,
        "webhook-timestamp": ping.header("webhook-timestamp"),
        "webhook-signature": ping.header("webhook-signature"),
    });
    let plain = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, SECRET);
    for secret in [made, plain] {
        for (body, verdict) in [(ping.body.clone(), "valid"), (format!("{} ", ping.body), "invalid")] {
            let Some(said) = verify_by_library(&secret, &body, &headers) else { continue };
            assert_eq!(said, verdict);
        }
    }
    app.shutdown().await;
    receiver.stop().await;
}

/// The result of the npm package `standardwebhooks` for a request; `None` where it is not installed.
fn verify_by_library(secret: &str, body: &str, headers: &Value) -> Option<String> {
    let program = "const { Webhook } = require('standardwebhooks');
        const [secret, body, headers] = process.argv.slice(1);
        try { new Webhook(secret).verify(body, JSON.parse(headers)); console.log('valid') } catch { console.log('invalid') }";
    let mut node = servers::node_with_packages()?;
    let done =
        node.args(["-e", program, secret, body, &headers.to_string()]).stderr(Stdio::inherit()).output().unwrap();
    Some(String::from_utf8(done.stdout).unwrap().trim().to_owned())
}

#[actix_web::test]
async fn other_sellers_get_no_delivery_of_an_order() {
    let app = Shop::open_with(quick).await;
    let (mira, ravi, asha, receiver) =
        (app.seller("mira").await, app.seller("ravi").await, app.user("asha").await, Receiver::start());
    register(&app, &mira, &receiver.url, &["*"]).await;
    let cup = app.product(&ravi, "Cup", 5.0, 20).await;
    app.add_to_cart(&asha, &cup, 1).await.expect(200);
    app.place_order(&asha, &json!({"shippingAddress": address("Pune")})).await.expect(201);
    app.settle().await;
    app.product(&mira, "Lamp", 1.0, 1).await;
    let received = receiver.until("the seller's own", |all| !all.is_empty()).await;
    assert_eq!(received.iter().map(Received::kind).collect::<Vec<_>>(), ["product.created"]);
    app.shutdown().await;
    receiver.stop().await;
}
