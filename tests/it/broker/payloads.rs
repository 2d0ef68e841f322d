//! Every event as its message on the queue, in full.
//!
//! Ids are numbered in the order in which they occur, so that the snapshots also show which messages belong together;
//! times and the gateway's ids are removed.

use std::collections::BTreeMap;

use lapin::{message::BasicGetMessage, types::AMQPValue};
use microbazaar::{
    domain::{
        Timestamp,
        ids::UserId,
        queues::{EXCHANGE, QUEUES},
    },
    trace::Trace,
};
use reqwest::Method;
use serde_json::{Map, Value, json};
use test_support::{PASSWORD, eventually, rabbit::Broker};

use super::shop::Shop;

/// Replaces what differs between runs.
#[derive(Default)]
struct Redactor {
    ids: Vec<String>,
}

impl Redactor {
    fn value(&mut self, value: &Value) -> Value {
        match value {
            Value::String(text) => json!(self.text(text)),
            Value::Array(list) => list.iter().map(|value| self.value(value)).collect(),
            Value::Object(fields) => {
                let redacted = fields.iter().map(|(key, value)| (key.clone(), self.value(value)));
                Value::Object(redacted.collect::<Map<_, _>>())
            }
            other => other.clone(),
        }
    }

    fn text(&mut self, text: &str) -> String {
        if text.ends_with('Z') && text.parse::<Timestamp>().is_ok() {
            return "[time]".to_owned();
        }
        if let Some((kind @ ("order" | "pay" | "rfnd"), _)) = text.split_once('_') {
            return format!("{kind}_[gateway]");
        }
        let id: String = text.chars().take(24).collect();
        if id.parse::<UserId>().is_err() {
            return text.to_owned();
        }
        let at = self.ids.iter().position(|known| *known == id).unwrap_or_else(|| {
            self.ids.push(id.clone());
            self.ids.len() - 1
        });
        format!("[id {}]{}", at + 1, &text[24..])
    }
}

/// A message with all its guaranteed properties.
fn whole(message: &BasicGetMessage) -> Value {
    let properties = &message.properties;
    let text = |value: &Option<lapin::types::ShortString>| value.as_ref().map(ToString::to_string);
    let mut headers = BTreeMap::new();
    for (name, value) in properties.headers().as_ref().unwrap().inner() {
        let AMQPValue::LongString(value) = value else { panic!("{name} is a text") };
        headers.insert(name.to_string(), value.to_string());
    }
    // Only for the effects of a request; the work of a timer has none.
    if let Some(trace) = headers.remove("traceparent") {
        assert!(Trace::parse(&trace).is_some(), "{trace}");
    }
    let occurred_at: Timestamp = headers["x-occurred-at"].parse().unwrap();
    assert_eq!(properties.timestamp().map(u64::cast_signed), Some(occurred_at.as_second()));
    json!({
        "exchange": message.exchange.as_str(),
        "routingKey": message.routing_key.as_str(),
        "contentType": text(properties.content_type()),
        "deliveryMode": properties.delivery_mode(),
        "messageId": text(properties.message_id()),
        "type": text(properties.kind()),
        "headers": headers,
        "payload": serde_json::from_slice::<Value>(&message.data).unwrap(),
    })
}

/// A purchase that is shipped and delivered, one whose first payment fails and that is cancelled afterwards, a
/// product that is wished for, changed and deleted, a buyer who changes password and e-mail, and one who leaves.
async fn live(shop: &Shop) {
    let address = json!({"street": "14 Lake Road", "city": "Pune", "state": "MH", "country": "IN", "zip": "411001"});
    let buyer = shop.buyer.as_str();
    let order = shop.purchase().await;
    let path = |what: &str| format!("/api/orders/{order}/{what}");
    shop.send(Method::PATCH, &path("address"), buyer, &json!({"shippingAddress": address})).await;
    shop.send(Method::POST, &path("ship"), &shop.seller, &json!({"trackingNumber": "TRACK-1"})).await;
    shop.send(Method::POST, &path("deliver"), &shop.seller, &json!({})).await;

    let product = &shop.product;
    shop.send(Method::POST, "/api/cart/items", buyer, &json!({"productId": product, "quantity": 1})).await;
    let made = shop.send(Method::POST, "/api/orders", buyer, &json!({})).await;
    let id = made["order"]["_id"].as_str().unwrap();
    let opened = shop.send(Method::POST, &format!("/api/payments/create/{id}"), buyer, &json!({})).await;
    let sandbox = format!("/sandbox/payments/{}", opened["razorpayOrderId"].as_str().unwrap());
    shop.send(Method::POST, &sandbox, buyer, &json!({"outcome": "failure"})).await;
    let paid = shop.send(Method::POST, &sandbox, buyer, &json!({"outcome": "success"})).await;
    shop.send(Method::POST, "/api/payments/verify", buyer, &paid).await;
    shop.send(Method::POST, &format!("/api/orders/{id}/cancel"), buyer, &json!({"reason": "too late"})).await;
    let refunded = async || {
        let payment = shop.send(Method::GET, &format!("/api/payments/order/{id}"), buyer, &json!({})).await;
        payment["payment"]["status"] == "REFUNDED"
    };
    eventually("the money is given back", refunded).await;
    let shown = async || {
        let order = shop.send(Method::GET, &format!("/api/orders/{id}"), buyer, &json!({})).await;
        order["order"]["timeline"].as_array().unwrap().len() == 4
    };
    eventually("the timeline shows it", shown).await;
    shop.report_dispute(&paid).await;

    shop.send(Method::PUT, &format!("/api/wishlist/{product}"), buyer, &json!({})).await;
    let path = format!("/api/products/{product}");
    shop.send(Method::PATCH, &path, &shop.seller, &json!({"title": "Tall lamp"})).await;
    shop.send(Method::DELETE, &path, &shop.seller, &json!({})).await;

    let me = shop.send(Method::GET, "/api/auth/me", buyer, &json!({})).await;
    shop.do_as("", "/api/auth/password/forgot", &json!({"email": me["user"]["email"]})).await;
    shop.do_as(buyer, "/api/auth/email/resend", &json!({})).await;
    let new = json!({"email": format!("{}@example.com", UserId::generate()), "password": PASSWORD});
    shop.do_as(buyer, "/api/auth/email/change", &new).await;
    let new = json!({"currentPassword": PASSWORD, "newPassword": "battery staple"});
    shop.send(Method::PATCH, "/api/auth/me/password", buyer, &new).await;

    let leaver = shop.user("leaver").await;
    shop.send(Method::DELETE, "/api/auth/me", &leaver.token, &json!({"password": PASSWORD})).await;
}

#[actix_rt::test]
async fn every_event_has_its_documented_message() {
    let Some(broker) = Broker::empty().await else { return };
    let listener = broker.listen_to("#").await;
    let shop = Shop::start(&broker.url, Some(vec![])).await;
    live(&shop).await;
    shop.settle().await;

    let mut redactor = Redactor::default();
    let mut output: BTreeMap<String, Value> = BTreeMap::new();
    for queue in QUEUES {
        let mut messages = vec![];
        while let Some(message) = broker.take(queue.name).await {
            let by = if queue.bound_to.is_empty() { "" } else { EXCHANGE };
            assert_eq!(message.exchange.as_str(), by, "{}", queue.name);
            let message = whole(&message);
            if queue.reader == "seller-dashboard" {
                output.insert(message["messageId"].as_str().unwrap().to_owned(), message["payload"].clone());
            }
            messages.push(message);
        }
        let mut all = json!(messages);
        // Fields have no guaranteed order.
        all.sort_all_objects();
        assert!(!["password", "hash", "argon2", "token", "eyJ"].iter().any(|secret| all.to_string().contains(secret)));
        match queue.publisher {
            // The exchange's messages, which are checked below.
            _ if !queue.bound_to.is_empty() => assert!(!messages.is_empty(), "{}", queue.name),
            Some(_) => insta::assert_json_snapshot!(queue.name, redactor.value(&all)),
            None => assert_eq!(all, json!([]), "nothing here publishes to {}", queue.name),
        }
    }

    let mut first: BTreeMap<String, Value> = BTreeMap::new();
    while let Some(message) = broker.take(&listener).await {
        let message = whole(&message);
        if let Some(payload) = output.remove(message["messageId"].as_str().unwrap()) {
            assert_eq!(message["payload"], payload, "the exchange carries what the dashboard gets");
        }
        let key = message["routingKey"].as_str().unwrap().to_owned();
        assert_eq!(json!(key.to_uppercase().replacen('.', "_", 1)), message["type"]);
        first.entry(key).or_insert(message);
    }
    assert!(output.is_empty(), "each event is at the exchange too: {output:?}");
    let mut all = json!(first);
    all.sort_all_objects();
    insta::assert_json_snapshot!("exchange", redactor.value(&all));
    shop.stop().await;
}
