//! The simulation's webhooks are like Razorpay's.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use serde_json::Value;
use test_support::{
    eventually,
    razorpay::{Fault, Habits, Outcome, StandIn},
};

use super::{gateways::keys, tiny::Tiny};

/// An order of the simulation, made over its API.
async fn order(standin: &StandIn, amount: i64) -> String {
    use microbazaar::{domain::ids::OrderId, integrations::payment::PaymentGateway};
    let gateway = super::gateways::hasty(&standin.base_url());
    gateway.create_order(OrderId::generate(), super::gateways::inr(amount)).await.unwrap()
}

#[tokio::test]
async fn each_event_has_its_entity_and_a_signature() {
    let standin = StandIn::start();
    let order = order(&standin, 500).await;
    standin.pay(&order, Outcome::Failed).unwrap();
    let payment = standin.pay(&order, Outcome::Captured).unwrap().payment_id;
    standin.hold_refunds(true);
    let lost = standin.operator_refund(&payment, 100).unwrap();
    standin.settle_refund(&lost, false).unwrap();
    standin.operator_refund(&payment, 200).unwrap();
    standin.settle_all_refunds(true);
    standin.dispute(&payment).unwrap();
    standin.unknown_event();
    let output = standin.take_webhooks();
    let names: Vec<_> = output.iter().map(|webhook| webhook.event.as_str()).collect();
    assert_eq!(
        names,
        [
            "payment.failed",
            "payment.authorized",
            "payment.captured",
            "order.paid",
            "refund.created",
            "refund.failed",
            "refund.created",
            "refund.processed",
            "payment.dispute.created",
            "subscription.charged"
        ]
    );
    for webhook in &output {
        assert!(keys().webhook_is_signed(webhook.body.as_bytes(), &webhook.signature));
        assert_eq!(webhook.event_id.len(), 14);
        let body: Value = serde_json::from_str(&webhook.body).unwrap();
        assert_eq!((body["entity"].as_str(), body["event"].as_str()), (Some("event"), Some(webhook.event.as_str())));
        for name in body["contains"].as_array().unwrap() {
            let entity = &body["payload"][name.as_str().unwrap()]["entity"];
            assert_eq!(entity["entity"], *name, "{body}");
        }
        let status = match webhook.event.as_str() {
            "payment.failed" => "failed",
            "payment.authorized" => "authorized",
            "payment.captured" | "order.paid" | "refund.created" => "captured",
            _ => continue,
        };
        assert_eq!(body["payload"]["payment"]["entity"]["status"], status, "a snapshot of that moment");
    }
}

#[tokio::test]
async fn webhooks_are_retried_until_they_are_accepted() {
    let standin = StandIn::start();
    let seen = Arc::new(Mutex::new(HashMap::<String, usize>::new()));
    let counted = Arc::clone(&seen);
    let receiver = Tiny::start(move |asked| {
        assert!(keys().webhook_is_signed(asked.body.as_bytes(), asked.header("x-razorpay-signature")));
        let mut seen = counted.lock();
        let times = seen.entry(asked.header("x-razorpay-event-id").to_owned()).or_default();
        *times += 1;
        (if *times == 1 { 500 } else { 200 }, String::new())
    })
    .await;
    let habits = Habits { lost: 0, ..Habits::bad(3) };
    let post = standin.post_to("http://127.0.0.1:9/", habits);
    for _ in 0..5 {
        let order = order(&standin, 500).await;
        standin.pay(&order, Outcome::Captured).unwrap();
    }
    post.redirect(&format!("{}/api/payments/webhook", receiver.url()));
    eventually("all are taken", async || post.is_idle()).await;
    let seen = seen.lock();
    assert_eq!(seen.len(), 15, "three events each");
    assert!(seen.values().all(|times| *times >= 2), "{seen:?}");
}

#[tokio::test]
async fn a_fault_is_seen_by_one_request() {
    let standin = StandIn::start();
    standin.next("POST /v1/orders", Fault::Error);
    order(&standin, 500).await;
    assert_eq!(standin.asked("POST /v1/orders"), 2);
}
