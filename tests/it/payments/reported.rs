//! Reports of the gateway: in any order, any number of times, or never.

use serde_json::json;
use test_support::{
    eventually,
    razorpay::{Faults, Outcome},
    text,
};

use super::market::Shop;

fn hook(shop: &Shop) -> String {
    format!("{}/api/payments/webhook", shop.base())
}

#[actix_rt::test]
async fn an_order_is_paid_once_for_any_sequence_of_reports() {
    let shop = Shop::open().await;
    let (buyer, order) = shop.ordered().await;
    let at_gateway = shop.opened(&buyer, &order).await;
    shop.standin.pay(&at_gateway, Outcome::Failed).unwrap();
    shop.standin.pay(&at_gateway, Outcome::Captured).unwrap();
    shop.standin.unknown_event();
    let reports = shop.standin.take_webhooks();
    let output: Vec<_> = reports.iter().map(|report| report.event.as_str()).collect();
    for event in ["payment.failed", "payment.captured", "order.paid"] {
        assert!(output.contains(&event), "{output:?}");
    }
    // The failure comes last, and everything twice.
    for report in reports.iter().rev().chain(&reports) {
        assert_eq!(report.send(&hook(&shop)).await, Some(200), "{}", report.event);
    }
    eventually("the order is paid", async || shop.order_status(&buyer, &order).await == "CONFIRMED").await;
    let truth = &shop.standin.truth()[&at_gateway];
    assert_eq!((truth.captures, truth.refunds), (1, 0));
    let timeline = shop.get(&format!("/api/orders/{order}"), &buyer).await["order"]["timeline"].clone();
    assert_eq!(timeline.as_array().unwrap().len(), 2, "{timeline}");
    let report = &reports[0];
    let forged = test_support::razorpay::Webhook { signature: "0".repeat(64), ..report.clone() };
    assert_eq!(forged.send(&hook(&shop)).await, Some(400));
    shop.stop().await;
}

#[actix_rt::test]
async fn an_authorised_payment_is_captured_whoever_reports_it() {
    let shop = Shop::open_with(&[("MICROBAZAAR_RAZORPAY__RECONCILE_EVERY", "1s")]).await;
    for teller in ["verify", "report", "reconciliation"] {
        let (buyer, order) = shop.ordered_as(teller).await;
        let at_gateway = shop.opened(&buyer, &order).await;
        shop.standin.take_webhooks();
        let checkout = shop.standin.pay(&at_gateway, Outcome::Authorized).unwrap();
        match teller {
            "verify" => {
                let (status, output) = shop.post("/api/payments/verify", &buyer, &checkout.json()).await;
                assert_eq!((status, &output["payment"]["status"]), (200, &json!("SUCCESSFUL")), "{output}");
            }
            "report" => {
                let reports = shop.standin.take_webhooks();
                let report = reports.iter().find(|report| report.event == "payment.authorized").unwrap();
                assert_eq!(report.send(&hook(&shop)).await, Some(200));
            }
            _ => {}
        }
        eventually(teller, async || shop.order_status(&buyer, &order).await == "CONFIRMED").await;
        let truth = &shop.standin.truth()[&at_gateway];
        assert_eq!((truth.captured, truth.captures), (truth.amount, 1), "{teller}");
    }
    shop.stop().await;
}

#[actix_rt::test]
async fn a_report_is_answered_while_the_gateway_hangs_and_processed_later() {
    let shop = Shop::open().await;
    let (buyer, order) = shop.ordered().await;
    let at_gateway = shop.opened(&buyer, &order).await;
    shop.standin.take_webhooks();
    shop.standin.pay(&at_gateway, Outcome::Authorized).unwrap();
    let reports = shop.standin.take_webhooks();
    shop.standin.set_faults(Faults { error: 1_000, ..Faults::none() });
    for report in &reports {
        assert_eq!(report.send(&hook(&shop)).await, Some(200));
    }
    assert_eq!(shop.order_status(&buyer, &order).await, "PENDING");
    shop.standin.set_faults(Faults::none());
    eventually("the order is paid", async || shop.order_status(&buyer, &order).await == "CONFIRMED").await;
    shop.stop().await;
}

#[actix_rt::test]
async fn a_payment_during_an_outage_is_settled_without_the_buyer() {
    let shop = Shop::open_with(&[("MICROBAZAAR_RAZORPAY__RECONCILE_EVERY", "1h")]).await;
    let (buyer, order) = shop.ordered().await;
    let at_gateway = shop.opened(&buyer, &order).await;
    let checkout = shop.standin.pay(&at_gateway, Outcome::Captured).unwrap();
    shop.standin.set_faults(Faults { error: 1_000, ..Faults::none() });
    let (status, output) = shop.post("/api/payments/verify", &buyer, &checkout.json()).await;
    assert_eq!(status, 503, "{output}");
    shop.standin.set_faults(Faults::none());
    eventually("the order is paid", async || shop.order_status(&buyer, &order).await == "CONFIRMED").await;
    shop.stop().await;
}

#[actix_rt::test]
async fn admins_get_one_mail_about_a_dispute() {
    let shop = Shop::open().await;
    let (buyer, order) = shop.ordered().await;
    let at_gateway = shop.opened(&buyer, &order).await;
    let checkout = shop.standin.pay(&at_gateway, Outcome::Captured).unwrap();
    shop.post("/api/payments/verify", &buyer, &checkout.json()).await;
    shop.standin.take_webhooks();
    let dispute = shop.standin.dispute(&checkout.payment_id).unwrap();
    let reports = shop.standin.take_webhooks();
    for report in reports.iter().chain(&reports) {
        assert_eq!(report.send(&hook(&shop)).await, Some(200));
    }
    let mails = async || {
        let mails = shop.mailbox().await;
        mails.into_iter().filter(|mail| text(&mail["subject"]).starts_with("Payment disputed")).collect::<Vec<_>>()
    };
    eventually("there is a mail", async || !mails().await.is_empty()).await;
    // A mail that comes after this one would be the dispute's second.
    shop.user("later").await;
    eventually("the next mail is there", async || {
        shop.mailbox().await.iter().any(|mail| text(&mail["to"]) == "later@example.com")
    })
    .await;
    let mails = mails().await;
    assert_eq!((mails.len(), &mails[0]["to"]), (1, &json!("root@example.com")));
    let said = text(&mails[0]["text"]);
    assert!(said.contains(&dispute) && said.contains(&order) && said.contains(&checkout.payment_id), "{said}");
    assert_eq!(shop.order_status(&buyer, &order).await, "CONFIRMED");
    shop.stop().await;
}

#[actix_rt::test]
async fn an_operator_sees_differences_and_the_server_corrects_them() {
    let shop = Shop::open_with(&[("MICROBAZAAR_RAZORPAY__RECONCILE_EVERY", "1h")]).await;
    let (buyer, order) = shop.ordered().await;
    let at_gateway = shop.opened(&buyer, &order).await;
    let checkout = shop.standin.pay(&at_gateway, Outcome::Captured).unwrap();
    let (well, said) = shop.command(&["payments", "reconcile", "--since", "1h"]).await;
    assert!(well && said.contains("1 payments compared, 1 differ"), "{said}");
    assert!(said.contains(&checkout.payment_id) && said.contains(&order), "{said}");
    assert!(!said.contains(test_support::razorpay::KEY_SECRET), "{said}");
    eventually("the order is paid", async || shop.order_status(&buyer, &order).await == "CONFIRMED").await;
    let (well, said) = shop.command(&["payments", "reconcile", "--since", "2020-01-01"]).await;
    assert!(well && said.contains("1 payments compared, 0 differ"), "{said}");
    let (well, said) = shop.command(&["ledger", "check"]).await;
    assert!(well && said.contains("1 payments and 1 orders"), "{said}");
    shop.stop().await;
}
