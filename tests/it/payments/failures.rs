//! A gateway that is slow, unavailable, busy, inconsistent or different.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures_util::future::join_all;
use microbazaar::{
    domain::ids::{OrderId, RefundId},
    integrations::payment::{GatewayError, GatewayPayment, GatewayStatus, PaymentGateway, RazorpayGateway, Timeouts},
};
use serde_json::{Value, json};
use test_support::{
    eventually,
    razorpay::{Fault, Faults, KEY_ID, Outcome, StandIn},
};

use super::{
    gateways::{HASTE, Razorpay, hasty, inr, keys},
    tiny::Tiny,
};

const CREATE: &str = "POST /v1/orders";

/// A paid order; the order's and the payment's id.
async fn paid(razorpay: &Razorpay) -> (String, String) {
    let order = razorpay.gateway.create_order(OrderId::generate(), inr(500)).await.unwrap();
    let payment = razorpay.standin.pay(&order, Outcome::Captured).unwrap().payment_id;
    (order, payment)
}

#[tokio::test]
async fn a_read_is_tried_again() {
    let razorpay = Razorpay::open();
    let (order, payment) = paid(&razorpay).await;
    for fault in [
        Fault::Error,
        Fault::ErrorAfter,
        Fault::TooMany(None),
        Fault::CutBefore,
        Fault::CutAfter,
        Fault::Garbage,
        Fault::Endless,
    ] {
        let before = razorpay.standin.asked("GET");
        razorpay.standin.next("GET", fault);
        let read = razorpay.gateway.signed_payment(&order, &payment).await;
        assert!(read.is_ok(), "{fault:?}: {read:?}");
        assert_eq!(razorpay.standin.asked("GET") - before, 2, "{fault:?}");
    }
}

#[tokio::test]
async fn an_order_whose_response_was_lost_is_found() {
    let Razorpay { standin, gateway } = Razorpay::open();
    for (fault, tries) in [(Fault::CutAfter, 1), (Fault::ErrorAfter, 1), (Fault::CutBefore, 2), (Fault::Error, 2)] {
        let (receipt, before) = (OrderId::generate(), standin.asked(CREATE));
        standin.next(CREATE, fault);
        let order = gateway.create_order(receipt, inr(500)).await.unwrap();
        assert_eq!(standin.orders_for(&receipt.to_string()), [order], "{fault:?}");
        assert_eq!(standin.asked(CREATE) - before, tries, "{fault:?}");
    }
}

#[tokio::test]
async fn an_order_is_found_by_the_next_call_as_well() {
    let standin = StandIn::start();
    // The pause is longer than the call may take, so that it is tried once.
    let once = Timeouts { pause: Duration::from_secs(60), ..HASTE };
    let gateway = RazorpayGateway::with_patience(&standin.base_url(), KEY_ID.to_owned(), keys(), once).unwrap();
    let receipt = OrderId::generate();
    standin.next(CREATE, Fault::CutAfter);
    let lost = gateway.create_order(receipt, inr(500)).await;
    assert!(matches!(lost, Err(GatewayError::Unavailable(_))), "{lost:?}");
    let mut found = Err(GatewayError::Unknown);
    eventually("there is an answer in time", async || {
        found = gateway.create_order(receipt, inr(500)).await;
        found.is_ok()
    })
    .await;
    assert_eq!(standin.orders_for(&receipt.to_string()), [found.unwrap()]);
    // A paid order is not returned, and neither is one of another amount.
    let paid = standin.orders_for(&receipt.to_string());
    standin.pay(&paid[0], Outcome::Captured).unwrap();
    eventually("a new one is opened", async || {
        gateway.create_order(receipt, inr(500)).await.is_ok_and(|order| order != paid[0])
    })
    .await;
}

#[tokio::test]
async fn an_order_is_opened_although_the_lost_one_cannot_be_looked_up() {
    let Razorpay { standin, gateway } = Razorpay::open();
    for fault in [Fault::Garbage, Fault::Error, Fault::Locked] {
        let receipt = OrderId::generate();
        standin.next(CREATE, Fault::CutAfter);
        standin.next("GET /v1/orders", fault);
        let order = gateway.create_order(receipt, inr(500)).await.unwrap();
        let opened = standin.orders_for(&receipt.to_string());
        assert_eq!((opened.len(), opened.last()), (2, Some(&order)), "{fault:?}");
    }
}

#[tokio::test]
async fn a_capture_whose_response_was_lost_is_done_once() {
    let Razorpay { standin, gateway } = Razorpay::open();
    for fault in [Fault::CutAfter, Fault::ErrorAfter, Fault::CutBefore, Fault::Error, Fault::TooMany(None)] {
        let order = gateway.create_order(OrderId::generate(), inr(500)).await.unwrap();
        let payment = standin.pay(&order, Outcome::Authorized).unwrap().payment_id;
        standin.next("POST /v1/payments", fault);
        let captured = gateway.capture(&payment, inr(500)).await.unwrap();
        assert_eq!((captured.status, captured.amount), (GatewayStatus::Captured, inr(500)), "{fault:?}");
        assert_eq!(standin.truth()[&order].captures, 1, "{fault:?}");
    }
}

#[tokio::test]
async fn a_refund_over_cut_connections_is_made_once() {
    let razorpay = Razorpay::open();
    for fault in [Fault::CutAfter, Fault::ErrorAfter, Fault::CutBefore, Fault::Error, Fault::TooMany(None)] {
        let (order, payment) = paid(&razorpay).await;
        let key = RefundId::generate();
        for _ in 0..3 {
            razorpay.standin.next("POST /v1/payments", fault);
        }
        let refund = razorpay.gateway.refund(&payment, inr(200), key).await.unwrap();
        assert_eq!((refund.key, refund.amount), (Some(key), inr(200)), "{fault:?}");
        let truth = &razorpay.standin.truth()[&order];
        assert_eq!((truth.refunded, truth.refunds), (200, 1), "{fault:?}");
    }
}

#[tokio::test]
async fn a_refund_whose_every_response_was_lost_is_found() {
    let razorpay = Razorpay::open();
    let (order, payment) = paid(&razorpay).await;
    for _ in 0..4 {
        razorpay.standin.next("POST /v1/payments", Fault::CutAfter);
    }
    let key = RefundId::generate();
    let refund = razorpay.gateway.refund(&payment, inr(500), key).await.unwrap();
    assert_eq!(refund.key, Some(key));
    // With another amount it is still the refund of that key.
    assert_eq!(razorpay.gateway.refund(&payment, inr(100), key).await, Ok(refund));
    assert_eq!(razorpay.standin.truth()[&order].refunded, 500);
}

#[tokio::test]
async fn a_response_after_the_deadline_is_done_once() {
    let standin = StandIn::start();
    let short = (Duration::from_secs(1), Duration::from_secs(15));
    let patience = Timeouts { read: short, capture: short, write: short, pause: Duration::from_millis(5) };
    let gateway = RazorpayGateway::with_patience(&standin.base_url(), KEY_ID.to_owned(), keys(), patience).unwrap();
    let late = Fault::Slow(Duration::from_secs(30));
    let receipt = OrderId::generate();
    standin.next(CREATE, late);
    let order = gateway.create_order(receipt, inr(500)).await.unwrap();
    assert_eq!(standin.orders_for(&receipt.to_string()), std::slice::from_ref(&order));
    let payment = standin.pay(&order, Outcome::Authorized).unwrap().payment_id;
    standin.next("POST /v1/payments", late);
    assert_eq!(gateway.capture(&payment, inr(500)).await.unwrap().status, GatewayStatus::Captured);
    // The gateway is still working on it and answers 409 to every further attempt.
    standin.next("POST /v1/payments", late);
    let key = RefundId::generate();
    assert_eq!(gateway.refund(&payment, inr(500), key).await.unwrap().key, Some(key));
    let truth = &standin.truth()[&order];
    assert_eq!((truth.captures, truth.refunds, truth.refunded), (1, 1, 500));
}

#[tokio::test]
async fn a_busy_gateway_is_retried_until_the_deadline() {
    let razorpay = Razorpay::open();
    let (order, _) = paid(&razorpay).await;
    razorpay.standin.next("GET", Fault::TooMany(Some(1)));
    assert_eq!(razorpay.gateway.payments_of(&order).await.unwrap().len(), 1);
    let before = razorpay.standin.asked("GET");
    razorpay.standin.next("GET", Fault::TooMany(Some(3_600)));
    let refused = razorpay.gateway.payments_of(&order).await;
    assert_eq!(refused, Err(GatewayError::Unavailable("it has too much to do".to_owned())));
    assert_eq!(razorpay.standin.asked("GET") - before, 1, "it asked for more time than there is");
    assert!(razorpay.gateway.is_up(), "it is there");
}

#[tokio::test]
async fn a_wrong_key_is_reported_until_it_is_corrected() {
    let razorpay = Razorpay::open();
    let (order, payment) = paid(&razorpay).await;
    for call in 0..3 {
        razorpay.standin.next("", Fault::Locked);
        let output = match call {
            0 => razorpay.gateway.create_order(OrderId::generate(), inr(500)).await.unwrap_err(),
            1 => razorpay.gateway.capture(&payment, inr(500)).await.unwrap_err(),
            _ => razorpay.gateway.refund(&payment, inr(500), RefundId::generate()).await.unwrap_err(),
        };
        let sentence = "it does not accept razorpay.key_id with razorpay.key_secret (401)";
        assert_eq!(output, GatewayError::Unavailable(sentence.to_owned()));
        assert!(razorpay.gateway.is_locked_out() && !razorpay.gateway.is_up());
    }
    assert!(razorpay.gateway.look().await, "the key is good again");
    razorpay.gateway.refund(&payment, inr(500), RefundId::generate()).await.unwrap();
    assert_eq!(razorpay.standin.truth()[&order].refunded, 500);
    let mut other = keys();
    other.key_secret = "another".into();
    let stranger = RazorpayGateway::try_new(&razorpay.standin.base_url(), KEY_ID.to_owned(), other).unwrap();
    assert!(matches!(stranger.payments_of(&order).await, Err(GatewayError::Unavailable(_))));
    assert!(stranger.is_locked_out());
}

#[tokio::test]
async fn an_unavailable_gateway_is_not_called_until_it_is_back() {
    let razorpay = Razorpay::open();
    let (order, _) = paid(&razorpay).await;
    razorpay.standin.set_faults(Faults { error: 1_000, ..Faults::none() });
    for _ in 0..2 {
        assert!(razorpay.gateway.payments_of(&order).await.is_err());
    }
    assert!(!razorpay.gateway.is_up());
    razorpay.standin.set_faults(Faults::none());
    eventually("it is found back", async || razorpay.gateway.look().await).await;
    assert_eq!(razorpay.gateway.payments_of(&order).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_unused_address_is_reported() {
    let gateway = {
        // Its port is free again when it is dropped.
        let standin = StandIn::start();
        hasty(&standin.base_url())
    };
    let output = gateway.create_order(OrderId::generate(), inr(500)).await.unwrap_err();
    assert!(output.to_string().starts_with("the payment gateway is not available: no connection: "), "{output}");
    let mut output = output;
    eventually("it is known", async || {
        output = gateway.refunds_of("pay_1").await.unwrap_err();
        output == GatewayError::Unavailable("it has not answered lately".to_owned())
    })
    .await;
}

#[tokio::test]
async fn responses_with_few_fields_are_understood() {
    let foreign = Tiny::start(|asked| {
        let payment = |status: &str| {
            json!({"id": "pay_1", "amount": 500, "currency": "INR", "status": status, "order_id": "order_1"})
        };
        let answer = match asked.call.as_str() {
            "POST /v1/orders" => json!({"id": "order_1", "amount": 500, "currency": "INR", "status": "created"}),
            "GET /v1/orders/order_1/payments" => json!({"items": [payment("authorized")]}),
            "GET /v1/payments/pay_1" => payment("captured"),
            "POST /v1/payments/pay_1/capture" => {
                let output = json!({"error": {"description": "This payment has already been captured"}});
                return (400, output.to_string());
            }
            "POST /v1/payments/pay_1/refund" => json!({"id": "rfnd_1", "amount": 500}),
            _ => return (404, String::new()),
        };
        (200, answer.to_string())
    })
    .await;
    let gateway = hasty(&format!("{}/", foreign.url()));
    assert_eq!(gateway.create_order(OrderId::generate(), inr(500)).await, Ok("order_1".to_owned()));
    let payment = |status| GatewayPayment { id: "pay_1".to_owned(), status, amount: inr(500), refunded: 0 };
    assert_eq!(gateway.payments_of("order_1").await, Ok(vec![payment(GatewayStatus::Authorized)]));
    assert_eq!(gateway.signed_payment("order_1", "pay_1").await, Ok(payment(GatewayStatus::Captured)));
    assert_eq!(gateway.signed_payment("order_2", "pay_1").await, Err(GatewayError::Unknown));
    assert_eq!(gateway.capture("pay_1", inr(500)).await, Ok(payment(GatewayStatus::Captured)));
    let key = RefundId::generate();
    let refund = gateway.refund("pay_1", inr(500), key).await.unwrap();
    assert_eq!((refund.key, refund.amount), (Some(key), inr(500)));
    let asked = foreign.asked();
    let sent = asked.iter().find(|asked| asked.call == "POST /v1/payments/pay_1/refund").unwrap();
    assert_eq!(sent.header("x-refund-idempotency"), key.to_string());
    let body: Value = serde_json::from_str(&sent.body).unwrap();
    assert_eq!((&body["amount"], &body["speed"], &body["receipt"]), (&json!(500), &json!("normal"), &json!(key)));
    let sent = asked.iter().find(|asked| asked.call == "POST /v1/orders").unwrap();
    let body: Value = serde_json::from_str(&sent.body).unwrap();
    assert_eq!((&body["payment_capture"], &body["currency"]), (&json!(true), &json!("INR")));
    assert!(sent.header("authorization").starts_with("Basic "));
}

#[tokio::test]
async fn an_invalid_response_counts_as_none() {
    for order in [
        json!({"id": "order/1", "amount": 500}),
        json!({"id": "order_1", "amount": 400, "currency": "INR"}),
        json!({"id": "order_1", "amount": 500, "currency": "EUR"}),
        json!({"id": "order_1", "amount": "much"}),
        json!([]),
    ] {
        let output = order.to_string();
        let foreign = Tiny::start(move |asked| match asked.call.as_str() {
            "POST /v1/orders" => (200, output.clone()),
            _ => (302, String::new()),
        })
        .await;
        let gateway = hasty(&foreign.url());
        let opened = gateway.create_order(OrderId::generate(), inr(500)).await;
        assert!(matches!(opened, Err(GatewayError::Unavailable(_))), "{order}: {opened:?}");
        let read = gateway.payments_of("order_1").await;
        assert!(matches!(read, Err(GatewayError::Unavailable(_))), "a redirect is not followed: {read:?}");
    }
}

#[tokio::test]
async fn a_secret_in_a_response_is_not_shown() {
    let secret = test_support::razorpay::KEY_SECRET;
    let foreign = Tiny::start(move |_| (400, json!({"error": {"description": format!("bad: {secret}")}}).to_string()));
    let output = hasty(&foreign.await.url()).payments_of("order_1").await;
    assert_eq!(output, Err(GatewayError::Refused("it answered 400".to_owned())));
}

/// Repeats until there is an answer, as the payment service does.
async fn insist<T, F: Future<Output = Result<T, GatewayError>>>(what: &str, ask: impl Fn() -> F) -> T {
    let mut answer = None;
    eventually(what, async || match ask().await {
        Ok(done) => {
            answer = Some(done);
            true
        }
        Err(GatewayError::Unavailable(_)) => false,
        Err(error) => panic!("{what}: {error}"),
    })
    .await;
    answer.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_random_faults_everything_is_done_once() {
    for seed in [1, 7, 42] {
        println!("seed {seed}");
        let storm =
            Faults { late_by: Duration::from_secs(30), slowest: Duration::from_millis(50), ..Faults::storm(seed) };
        let standin = StandIn::start_with(storm);
        let gateway = Arc::new(hasty(&standin.base_url()));
        let standin = &standin;
        let buyers = (0..24_i64).map(|number| {
            let gateway = Arc::clone(&gateway);
            async move {
                let (receipt, amount) = (OrderId::generate(), inr(1_000 + number));
                let order = insist("an order", || gateway.create_order(receipt, amount)).await;
                let outcome = if number % 2 == 0 { Outcome::Captured } else { Outcome::Authorized };
                let payment = standin.pay(&order, outcome).unwrap().payment_id;
                let captured = insist("a capture", || gateway.capture(&payment, amount)).await;
                assert_eq!(captured.status, GatewayStatus::Captured);
                let back = inr(100 + number);
                let key = RefundId::generate();
                let refund = insist("a refund", || gateway.refund(&payment, back, key)).await;
                assert_eq!(insist("it again", || gateway.refund(&payment, back, key)).await.id, refund.id);
                (order, (amount.minor(), back.minor()))
            }
        });
        let done: HashMap<_, _> = join_all(buyers).await.into_iter().collect();
        let truth = standin.truth();
        for (order, (amount, back)) in done {
            let of = &truth[&order];
            assert_eq!(
                (of.captured, of.captures, of.refunded, of.refunds),
                (amount, 1, back, 1),
                "seed {seed}: {order}"
            );
        }
        let moved = truth.values().filter(|of| of.captured > 0).count();
        assert_eq!(moved, 24, "seed {seed}");
    }
}
