//! A report is applied only as far as it is consistent with itself and with the gateway.

use serde_json::{Value, json};
use test_support::{
    eventually,
    razorpay::{Faults, Outcome, WEBHOOK_SECRET, Webhook, signed},
    text,
};

use super::market::Shop;

/// Only reports bring news of payments.
const QUIET: [(&str, &str); 1] = [("MICROBAZAAR_RAZORPAY__RECONCILE_EVERY", "1h")];

/// The report of `event` among `reports`.
fn the<'a>(reports: &'a [Webhook], event: &str) -> &'a Webhook {
    reports.iter().find(|report| report.event == event).unwrap()
}

/// The report with one changed value, a valid signature and its own id.
fn changed(report: &Webhook, pointer: &str, value: Value) -> Webhook {
    let mut body: Value = serde_json::from_str(&report.body).unwrap();
    *body.pointer_mut(pointer).expect(pointer) = value;
    let body = body.to_string();
    let event_id = format!("{:014x}", rand::random::<u64>() >> 8);
    Webhook { event_id, signature: signed(WEBHOOK_SECRET, body.as_bytes()), body, ..report.clone() }
}

async fn send(shop: &Shop, report: &Webhook) {
    assert_eq!(report.send(&format!("{}/api/payments/webhook", shop.base())).await, Some(200), "{}", report.body);
}

#[actix_rt::test]
async fn an_inconsistent_report_of_a_payment_does_not_count() {
    let shop = Shop::open_with(&QUIET).await;
    let (buyer, order) = shop.ordered().await;
    let at_gateway = shop.opened(&buyer, &order).await;
    let (other, others) = shop.ordered_as("ravi").await;
    let others_at_gateway = shop.opened(&other, &others).await;
    shop.standin.take_webhooks();
    shop.standin.pay(&at_gateway, Outcome::Captured).unwrap();
    let reports = shop.standin.take_webhooks();
    let amount = shop.standin.truth()[&at_gateway].amount;
    let entity = "/payload/payment/entity";
    for event in ["payment.captured", "order.paid"] {
        let report = the(&reports, event);
        for (field, value) in [
            ("status", json!("failed")),
            ("status", json!("authorized")),
            ("status", json!("created")),
            ("status", json!("pending")),
            ("status", json!("")),
            ("captured", json!(false)),
            ("amount", json!(amount - 1)),
            ("amount", json!(amount + 1)),
            ("amount", json!(-amount)),
            ("currency", json!("USD")),
            ("currency", json!("XYZ")),
            ("order_id", json!(others_at_gateway)),
            ("id", json!("pay_29QQoUBi66xm2f")),
            ("id", json!("pay_1/../../orders")),
        ] {
            send(&shop, &changed(report, &format!("{entity}/{field}"), value.clone())).await;
            assert_eq!(shop.order_status(&buyer, &order).await, "PENDING", "{event} with {field} {value}");
            assert_eq!(shop.payment(&buyer, &order).await["status"], "PENDING", "{event} with {field} {value}");
        }
    }
    let paid = the(&reports, "order.paid");
    for (field, value) in
        [("status", json!("attempted")), ("amount", json!(amount - 1)), ("id", json!(others_at_gateway))]
    {
        send(&shop, &changed(paid, &format!("/payload/order/entity/{field}"), value.clone())).await;
        assert_eq!(shop.order_status(&buyer, &order).await, "PENDING", "an order with {field} {value}");
    }
    assert_eq!(shop.order_status(&other, &others).await, "PENDING");
    send(&shop, the(&reports, "payment.captured")).await;
    eventually("the order is paid", async || shop.order_status(&buyer, &order).await == "CONFIRMED").await;
    shop.check_ledger_sums("on its way 0.00").await;
    shop.stop().await;
}

#[actix_rt::test]
async fn only_captured_payments_count_whatever_is_reported() {
    let shop = Shop::open_with(&QUIET).await;
    let (buyer, order) = shop.ordered().await;
    let at_gateway = shop.opened(&buyer, &order).await;
    shop.standin.take_webhooks();
    shop.standin.pay(&at_gateway, Outcome::Failed).unwrap();
    let failed = shop.standin.take_webhooks();
    let entity = "/payload/payment/entity";
    let report = changed(the(&failed, "payment.failed"), "/event", json!("payment.captured"));
    for report in [changed(&report, &format!("{entity}/status"), json!("captured")), report] {
        send(&shop, &changed(&report, &format!("{entity}/captured"), json!(true))).await;
        assert_eq!(shop.payment(&buyer, &order).await["status"], "PENDING");
    }
    // A failure that claims to be captured or authorised does not count.
    for status in ["captured", "authorized"] {
        let report = the(&failed, "payment.failed");
        send(&shop, &changed(report, &format!("{entity}/status"), json!(status))).await;
        assert_eq!(shop.payment(&buyer, &order).await["status"], "PENDING");
    }
    send(&shop, the(&failed, "payment.failed")).await;
    eventually("it failed", async || shop.payment(&buyer, &order).await["status"] == "FAILED").await;
    assert_eq!(shop.order_status(&buyer, &order).await, "PENDING");
    shop.stop().await;
}

#[actix_rt::test]
async fn a_report_of_captured_money_waits_until_the_gateway_can_be_asked() {
    let shop = Shop::open_with(&QUIET).await;
    let (buyer, order) = shop.ordered().await;
    let at_gateway = shop.opened(&buyer, &order).await;
    shop.standin.take_webhooks();
    shop.standin.pay(&at_gateway, Outcome::Captured).unwrap();
    let reports = shop.standin.take_webhooks();
    shop.standin.set_faults(Faults { error: 1_000, ..Faults::none() });
    send(&shop, the(&reports, "payment.captured")).await;
    assert_eq!(shop.order_status(&buyer, &order).await, "PENDING");
    let asked = shop.standin.asked("GET /v1/payments");
    assert!(asked > 0, "the gateway was asked");
    shop.standin.set_faults(Faults::none());
    eventually("the order is paid", async || shop.order_status(&buyer, &order).await == "CONFIRMED").await;
    shop.stop().await;
}

#[actix_rt::test]
async fn a_report_of_a_refund_counts_only_if_the_gateway_agrees() {
    let shop = Shop::open_with(&QUIET).await;
    let (buyer, order) = shop.ordered().await;
    let at_gateway = shop.opened(&buyer, &order).await;
    let checkout = shop.standin.pay(&at_gateway, Outcome::Captured).unwrap();
    shop.post("/api/payments/verify", &buyer, &checkout.json()).await;
    shop.standin.hold_refunds(true);
    shop.standin.take_webhooks();
    let refund = shop.standin.operator_refund(&checkout.payment_id, 700).unwrap();
    let reports = shop.standin.take_webhooks();
    let created = the(&reports, "refund.created");
    let entity = "/payload/refund/entity";
    for (pointer, value) in [
        (format!("{entity}/amount"), json!(699)),
        (format!("{entity}/amount"), json!(7_000)),
        (format!("{entity}/currency"), json!("USD")),
        (format!("{entity}/status"), json!("failed")),
        (format!("{entity}/payment_id"), json!("pay_29QQoUBi66xm2f")),
        (format!("{entity}/id"), json!("rfnd_29QQoUBi66xm2f")),
    ] {
        send(&shop, &changed(created, &pointer, value.clone())).await;
        assert_eq!(shop.payment(&buyer, &order).await["refunds"], json!([]), "{pointer} {value}");
    }
    send(&shop, created).await;
    eventually("it is known", async || shop.payment(&buyer, &order).await["refunds"][0]["status"] == "pending").await;
    // Neither its name nor its status alone makes it processed or failed.
    for event in ["refund.processed", "refund.failed"] {
        let named = changed(created, "/event", json!(event));
        let said = event.trim_start_matches("refund.");
        for report in [changed(&named, &format!("{entity}/status"), json!(said)), named] {
            send(&shop, &report).await;
            let refunds = shop.payment(&buyer, &order).await["refunds"].clone();
            assert_eq!((&refunds[0]["status"], refunds.as_array().unwrap().len()), (&json!("pending"), 1), "{event}");
        }
    }
    shop.standin.settle_refund(&refund, true).unwrap();
    send(&shop, the(&shop.standin.take_webhooks(), "refund.processed")).await;
    eventually("the buyer has it", async || shop.payment(&buyer, &order).await["refunds"][0]["status"] == "processed")
        .await;
    assert_eq!(text(&shop.payment(&buyer, &order).await["status"]), "SUCCESSFUL");
    shop.check_ledger_sums("refunded 7.00").await;
    shop.stop().await;
}
