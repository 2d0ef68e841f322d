//! Payments that come late, or twice.

use serde_json::json;
use test_support::{eventually, razorpay::Outcome, text};

use super::market::Shop;

const SOON: [(&str, &str); 2] =
    [("MICROBAZAAR_ORDER__PAYMENT_WINDOW", "1s"), ("MICROBAZAAR_RAZORPAY__RECONCILE_EVERY", "1s")];

#[actix_rt::test]
async fn an_unreported_payment_is_found_even_after_the_window() {
    let shop = Shop::open_with(&SOON).await;
    let (buyer, order) = shop.ordered().await;
    let at_gateway = shop.opened(&buyer, &order).await;
    eventually("the window has ended", async || shop.order_status(&buyer, &order).await == "CANCELLED").await;
    shop.standin.pay(&at_gateway, Outcome::Captured).unwrap();
    eventually("the stock is taken again", async || shop.order_status(&buyer, &order).await == "CONFIRMED").await;
    assert_eq!(shop.standin.truth()[&at_gateway].refunds, 0);
    shop.check_ledger_sums("on its way 0.00").await;
    shop.stop().await;
}

#[actix_rt::test]
async fn money_for_a_cancelled_order_is_refunded_and_the_buyer_gets_a_mail() {
    let shop = Shop::open_with(&SOON[1..]).await;
    let (buyer, order) = shop.ordered().await;
    let at_gateway = shop.opened(&buyer, &order).await;
    let (status, output) = shop.post(&format!("/api/orders/{order}/cancel"), &buyer, &json!({})).await;
    assert_eq!(status, 200, "{output}");
    shop.standin.pay(&at_gateway, Outcome::Captured).unwrap();
    eventually("the money is back", async || shop.payment(&buyer, &order).await["status"] == "REFUNDED").await;
    let truth = &shop.standin.truth()[&at_gateway];
    assert_eq!((truth.refunded, truth.refunds), (truth.captured, 1));
    eventually("the buyer has a mail", async || {
        let mails = shop.mailbox().await;
        mails.iter().any(|mail| text(&mail["subject"]) == format!("Refund for order {order}"))
    })
    .await;
    assert_eq!(shop.order_status(&buyer, &order).await, "CANCELLED");
    eventually("the timeline shows it", async || {
        let timeline = shop.get(&format!("/api/orders/{order}"), &buyer).await["order"]["timeline"].clone();
        timeline
            .as_array()
            .unwrap()
            .iter()
            .any(|entry| entry["reason"].as_str().is_some_and(|why| why.contains("refunded")))
    })
    .await;
    shop.check_ledger_sums("on its way 0.00").await;
    shop.stop().await;
}

#[actix_rt::test]
async fn an_order_paid_twice_refunds_the_second_payment() {
    let shop = Shop::open_with(&SOON[1..]).await;
    let (buyer, order) = shop.ordered().await;
    let at_gateway = shop.opened(&buyer, &order).await;
    // A failed attempt does not make a second order at the gateway.
    shop.standin.pay(&at_gateway, Outcome::Failed).unwrap();
    assert_eq!(shop.opened(&buyer, &order).await, at_gateway);
    let first = shop.standin.pay(&at_gateway, Outcome::Captured).unwrap();
    let second = shop.standin.pay(&at_gateway, Outcome::Captured).unwrap();
    for (checkout, _) in [(&first, 1), (&second, 2)] {
        let (status, output) = shop.post("/api/payments/verify", &buyer, &checkout.json()).await;
        assert_eq!((status, &output["payment"]["status"]), (200, &json!("SUCCESSFUL")), "{output}");
        assert_eq!(output["payment"]["paymentId"], first.payment_id.as_str());
    }
    let truth = &shop.standin.truth()[&at_gateway];
    assert_eq!((truth.captures, truth.captured - truth.refunded, truth.refunds), (2, truth.amount, 1));
    // There is no webhook about the third one.
    shop.standin.pay(&at_gateway, Outcome::Captured).unwrap();
    eventually("it is found and given back", async || {
        let truth = &shop.standin.truth()[&at_gateway];
        truth.captures == 3 && truth.captured - truth.refunded == truth.amount
    })
    .await;
    eventually("all of it is written", async || {
        let refunds = shop.payment(&buyer, &order).await["refunds"].clone();
        refunds.as_array().unwrap().len() == 2
            && refunds.as_array().unwrap().iter().all(|row| row["status"] == "processed")
    })
    .await;
    assert_eq!(shop.order_status(&buyer, &order).await, "CONFIRMED");
    assert_eq!(shop.standin.orders_for(&order).len(), 1);
    shop.check_ledger_sums("on its way 0.00").await;
    shop.stop().await;
}
