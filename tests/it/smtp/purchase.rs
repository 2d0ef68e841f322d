//! The mails of a purchase, as they arrive.

use std::collections::BTreeSet;

use microbazaar::store::mailbox::MailState;
use serde_json::json;
use test_support::{Settings, Shop, eventually, smtp::Receiver};

use super::until_log;

#[actix_rt::test]
async fn every_mail_of_a_purchase_arrives_once_with_its_headers() {
    let Some(receiver) = Receiver::plain() else { return };
    let shop = Shop::start(Settings::new().smtp(&receiver.url())).await;
    let (mira, asha) = ("mira@example.com", "asha@example.com");
    let (seller, buyer) = (shop.seller("mira").await, shop.user("asha").await);
    let order = shop.buy(&buyer, &shop.product(&seller, "Brass lamp ✨", 10.0, 100).await, 2).await;
    shop.do_as(&seller.token, &format!("/api/orders/{order}/ship"), &json!({})).await;

    let records = until_log(&shop, MailState::Sent, 7).await;
    assert_eq!(records.len(), 7);
    eventually("all arrive", async || receiver.mails().len() >= 7).await;
    let mails = receiver.mails();
    assert_eq!(mails.len(), 7, "each arrives once");
    let output = receiver.mails_to(mira);
    assert_eq!(
        output.iter().filter(|mail| mail.header("subject").starts_with("New order")).count(),
        1,
        "the seller has a mail"
    );
    let begin = ["Welcome", "Payment initiated", "Payment received", "Order shipped"];
    let subjects: Vec<String> = receiver.mails_to(asha).iter().map(|mail| mail.header("subject").to_owned()).collect();
    for begin in begin {
        assert_eq!(subjects.iter().filter(|subject| subject.starts_with(begin)).count(), 1, "{begin}: {subjects:?}");
    }
    let ids: BTreeSet<&str> = mails.iter().map(|mail| mail.header("message-id")).collect();
    assert_eq!(ids.len(), 7);
    for mail in &mails {
        let record = records.iter().find(|record| mail.header("message-id").contains(&record.event.to_hex()));
        let record = record.expect("a record of each mail");
        assert!(mail.header("message-id").ends_with("@shop.example>"), "{}", mail.header("message-id"));
        assert_eq!(mail.from, "shop@shop.example");
        assert_eq!(mail.header("from"), "\"The Shop\" <shop@shop.example>");
        assert_eq!(mail.header("to"), mail.to);
        assert_eq!(mail.header("auto-submitted"), "auto-generated");
        assert_eq!(mail.header("mime-version"), "1.0");
        assert!(mail.header("content-type").starts_with("multipart/alternative; boundary="));
        assert!(mail.body.contains("text/plain") && mail.body.contains("text/html"));
        let date = jiff::fmt::rfc2822::parse(mail.header("date")).unwrap().timestamp();
        assert_eq!(date.as_second(), record.mail.at.as_second(), "the date is the event's");
        let announces = record.mail.subject.starts_with("New product");
        assert_eq!(mail.has("list-unsubscribe"), announces);
        assert_eq!(mail.has("list-unsubscribe-post"), announces);
        if announces {
            assert_eq!(mail.header("list-unsubscribe-post"), "List-Unsubscribe=One-Click");
            let (here, address) = mail.header("list-unsubscribe").split_once(", ").unwrap();
            assert!(here.starts_with("<http") && here.contains("/unsubscribe/"), "{here}");
            assert_eq!(address.trim(), "<mailto:shop@shop.example?subject=unsubscribe>");
            assert_eq!(mail.to, mira);
        }
        assert_eq!((record.attempts, &record.reason), (1, &None));
    }
    assert_eq!(shop.mailbox().await.len(), 7, "the mailbox shows what is sent");
    shop.stop().await;
}

#[actix_rt::test]
async fn announcements_have_an_unsubscribe_header() {
    let Some(receiver) = Receiver::plain() else { return };
    let settings = Settings::new().smtp(&receiver.url());
    let shop = Shop::start(settings.set("MICROBAZAAR_EMAIL__UNSUBSCRIBE", "https://shop.example/mails?stop=1")).await;
    let seller = shop.seller("mira").await;
    shop.product(&seller, "Lamp", 10.0, 1).await;
    eventually("both arrive", async || receiver.mails().len() == 2).await;
    let mails = receiver.mails();
    let announced = mails.iter().find(|mail| mail.has("list-unsubscribe")).unwrap();
    assert_eq!(announced.header("list-unsubscribe"), "<https://shop.example/mails?stop=1>");
    shop.stop().await;
}
