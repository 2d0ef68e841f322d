//! Refunds.

use serde_json::json;
use test_support::{
    eventually,
    razorpay::{Fault, Outcome},
    text,
};

use super::market::Shop;

const ASK_SOON: [(&str, &str); 1] = [("MICROBAZAAR_RAZORPAY__RECONCILE_EVERY", "1s")];

async fn paid(shop: &Shop) -> (String, String, String) {
    let (buyer, order) = shop.ordered().await;
    let at_gateway = shop.opened(&buyer, &order).await;
    let checkout = shop.standin.pay(&at_gateway, Outcome::Captured).unwrap();
    shop.post("/api/payments/verify", &buyer, &checkout.json()).await;
    assert_eq!(shop.order_status(&buyer, &order).await, "CONFIRMED");
    (buyer, order, at_gateway)
}

#[actix_rt::test]
async fn an_admin_refunds_parts_and_the_timeline_shows_them() {
    let shop = Shop::open().await;
    let (buyer, order, at_gateway) = paid(&shop).await;
    let (admin, payment) = (shop.admin.clone(), shop.payment(&buyer, &order).await);
    let path = format!("/api/payments/{}/refunds", text(&payment["_id"]));
    // The answer is lost after the gateway has done it: it is done once nevertheless.
    shop.standin.next("POST /v1/payments", Fault::CutAfter);
    let (status, output) = shop.post(&path, &admin, &json!({"amount": {"amount": 5}, "reason": "a dent"})).await;
    assert_eq!(status, 201, "{output}");
    let timeline = shop.get(&format!("/api/orders/{order}"), &buyer).await["order"]["timeline"].clone();
    let last = timeline.as_array().unwrap().last().unwrap().clone();
    let reason = text(&last["reason"]);
    assert!(last["status"] == "CONFIRMED" && reason.contains("5.00") && reason.contains("a dent"), "{last}");
    let (status, output) = shop.post(&path, &admin, &json!({"amount": {"amount": 1_000_000}})).await;
    assert_eq!(status, 409, "{output}");
    // The rest would be too little to refund.
    for amount in [json!({"amount": 66.5}), json!({"amount": 0.5})] {
        let (status, output) = shop.post(&path, &admin, &json!({ "amount": amount })).await;
        assert_eq!((status, &output["code"]), (409, &json!("payment.too_little")), "{output}");
    }
    assert_eq!(shop.post(&path, &buyer, &json!({})).await.0, 403);
    let truth = &shop.standin.truth()[&at_gateway];
    assert_eq!((truth.refunded, truth.refunds), (500, 1));
    shop.check_ledger_sums("refunded 5.00").await;
    shop.stop().await;
}

#[actix_rt::test]
async fn a_refund_is_followed_until_the_buyer_has_it() {
    let shop = Shop::open_with(&ASK_SOON).await;
    let (buyer, order, at_gateway) = paid(&shop).await;
    shop.standin.hold_refunds(true);
    shop.post(&format!("/api/orders/{order}/cancel"), &buyer, &json!({})).await;
    eventually("the gateway has it", async || shop.payment(&buyer, &order).await["status"] == "REFUNDED").await;
    assert_eq!(shop.payment(&buyer, &order).await["refunds"][0]["status"], "pending");
    shop.standin.settle_all_refunds(true);
    eventually("the buyer has it", async || shop.payment(&buyer, &order).await["refunds"][0]["status"] == "processed")
        .await;
    assert_eq!(shop.standin.truth()[&at_gateway].refunds, 1);
    shop.stop().await;
}

#[actix_rt::test]
async fn a_failed_refund_is_requested_again() {
    let shop = Shop::open_with(&ASK_SOON).await;
    let (buyer, order, at_gateway) = paid(&shop).await;
    shop.standin.hold_refunds(true);
    shop.post(&format!("/api/orders/{order}/cancel"), &buyer, &json!({})).await;
    eventually("the gateway has it", async || shop.payment(&buyer, &order).await["status"] == "REFUNDED").await;
    shop.standin.settle_all_refunds(false);
    eventually("it is known to be back", async || {
        shop.payment(&buyer, &order).await["refunds"][0]["status"] == "failed"
    })
    .await;
    shop.standin.hold_refunds(false);
    eventually("it is given again", async || shop.payment(&buyer, &order).await["refunds"][1]["status"] == "processed")
        .await;
    let truth = &shop.standin.truth()[&at_gateway];
    assert_eq!(truth.refunded, truth.captured);
    shop.check_ledger_sums("kept 0.00 INR, on its way 0.00 INR").await;
    shop.stop().await;
}

#[actix_rt::test]
async fn a_refund_made_at_the_gateways_own_pages_is_counted() {
    let shop = Shop::open().await;
    let (buyer, order, at_gateway) = paid(&shop).await;
    let payment_id = text(&shop.payment(&buyer, &order).await["paymentId"]);
    shop.standin.take_webhooks();
    shop.standin.operator_refund(&payment_id, 700).unwrap();
    let reports = shop.standin.take_webhooks();
    for report in reports.iter().rev().chain(&reports) {
        assert_eq!(report.send(&format!("{}/api/payments/webhook", shop.base())).await, Some(200));
    }
    eventually("it is known", async || {
        let refunds = shop.payment(&buyer, &order).await["refunds"].clone();
        refunds[0]["amount"]["amount"] == 7 && refunds[0]["status"] == "processed"
    })
    .await;
    // The rest is refunded when the order is cancelled, and no more.
    shop.post(&format!("/api/orders/{order}/cancel"), &buyer, &json!({})).await;
    eventually("all is back", async || shop.payment(&buyer, &order).await["status"] == "REFUNDED").await;
    let truth = &shop.standin.truth()[&at_gateway];
    assert_eq!((truth.refunded, truth.refunds), (truth.captured, 2));
    shop.check_ledger_sums("kept 0.00 INR, on its way 0.00 INR").await;
    shop.stop().await;
}
