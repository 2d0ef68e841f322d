//! The mails of a purchase, as they arrive.

use std::collections::BTreeSet;

use microbazaar::store::mailbox::MailState;
use serde_json::json;

use crate::smtp::{
    receiver::Receiver,
    shop::{Folder, Shop, config},
    until,
};

#[actix_rt::test]
async fn every_mail_of_a_purchase_arrives_once_with_its_headers() {
    let Some(receiver) = Receiver::plain() else { return };
    let folder = Folder::new();
    let shop = Shop::start(&config(&folder.0, &receiver.url(), &[])).await;
    let client = &shop.client;
    let (mira, asha) = ("mira@example.com", "asha@example.com");
    let (seller, buyer) = (client.join(mira, "seller").await, client.join(asha, "user").await);
    let order = client.purchase(&client.offer(&seller).await, &buyer).await;
    client.post(&format!("/api/orders/{order}/ship"), &seller, &json!({})).await;

    let records = shop.until_log(MailState::Sent, 7).await;
    assert_eq!(records.len(), 7);
    until("all arrive", async || receiver.mails().len() >= 7).await;
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
        assert!(!mail.has("list-unsubscribe-post"), "no such endpoint exists");
        if announces {
            assert_eq!(mail.header("list-unsubscribe"), "<mailto:shop@shop.example?subject=unsubscribe>");
            assert_eq!(mail.to, mira);
        }
        assert_eq!((record.attempts, &record.reason), (1, &None));
    }
    assert_eq!(client.mailbox().await.len(), 7, "the mailbox shows what is sent");
    shop.stop().await;
}

#[actix_rt::test]
async fn announcements_have_an_unsubscribe_header() {
    let Some(receiver) = Receiver::plain() else { return };
    let folder = Folder::new();
    let page = [("MICROBAZAAR_EMAIL__UNSUBSCRIBE", "https://shop.example/mails?stop=1")];
    let shop = Shop::start(&config(&folder.0, &receiver.url(), &page)).await;
    let seller = shop.client.join("mira@example.com", "seller").await;
    let new = json!({"title": "Lamp", "priceAmount": 10, "stock": 1});
    shop.client.post("/api/products", &seller, &new).await;
    until("both arrive", async || receiver.mails().len() == 2).await;
    let mails = receiver.mails();
    let announced = mails.iter().find(|mail| mail.has("list-unsubscribe")).unwrap();
    assert_eq!(announced.header("list-unsubscribe"), "<https://shop.example/mails?stop=1>");
    shop.stop().await;
}
