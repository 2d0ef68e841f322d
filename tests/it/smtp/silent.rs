//! A mail server that accepts connections and never answers delays only mails.

use std::collections::BTreeSet;

use microbazaar::store::mailbox::MailState;
use serde_json::json;
use test_support::{Receiver as Webhook, Settings, Shop, eventually, smtp::Receiver};
use tokio::{net::TcpListener, task::JoinHandle};

use super::{log, until_log};

/// Accepts connections and keeps them, without an answer.
struct Mute {
    port: u16,
    task: JoinHandle<()>,
}

impl Mute {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let task = actix_rt::spawn(async move {
            let mut kept = vec![];
            while let Ok((stream, _)) = listener.accept().await {
                kept.push(stream);
            }
        });
        Self { port, task }
    }

    /// Closes it with all its connections; returns its port.
    async fn stop(self) -> u16 {
        self.task.abort();
        let _aborted = self.task.await;
        self.port
    }
}

#[actix_rt::test]
async fn a_silent_mail_server_delays_only_mails() {
    if Receiver::plain().is_none() {
        return;
    }
    let hook = Webhook::start();
    let mute = Mute::start().await;
    let settings = Settings::new()
        .smtp(&format!("smtp://127.0.0.1:{}", mute.port))
        .set("MICROBAZAAR_WEBHOOKS__ALLOW_PRIVATE", "true")
        .set("MICROBAZAAR_RABBIT__RETRY_DELAYS", "500ms,1s,2s,4s");
    let shop = Shop::start(settings).await;
    let seller = shop.seller("mira").await;
    let buyer = shop.user("asha").await;
    shop.do_as(&seller.token, "/api/webhooks", &json!({"url": hook.url, "events": ["order.*"]})).await;
    // A mail is being sent, and a sale comes after it: if the sale waited for the mail, it would appear only when the
    // attempt has timed out. Where a round takes that long, another one may not.
    let mut overtaken = false;
    for round in 1..=3 {
        let product = shop.product(&seller, "Brass lamp ✨", 10.0, 100).await;
        let offered = async || {
            let log = log(&shop).await;
            log.into_iter().filter(|record| record.mail.subject.starts_with("New product")).collect::<Vec<_>>()
        };
        eventually("the mail of the product is recorded", async || {
            offered().await.len() == usize::try_from(round).unwrap()
        })
        .await;
        shop.buy(&buyer, &product, 2).await;
        eventually("the dashboard shows the sale", async || shop.sales(&seller).await == 2 * round).await;
        overtaken = offered().await[0].attempts == 0;
        if overtaken {
            break;
        }
    }
    assert!(overtaken, "the sale is shown while a mail of before it is being sent");
    hook.until("the webhook is sent", |told| told.iter().any(|one| one.kind() == "order.confirmed")).await;
    // No event waits for the mail server.
    shop.settle().await;
    eventually("the mail server counts as away", async || {
        let (_, ready) = shop.readyz().await;
        ready["status"] == "degraded" && ready["away"] == json!(["smtp"])
    })
    .await;

    let receiver = Receiver::start(&json!({ "port": mute.stop().await })).unwrap();
    let count = log(&shop).await.len();
    assert!(count >= 5, "two of welcome, of the product, of the payment's begin and end");
    until_log(&shop, MailState::Sent, count).await;
    let mails = receiver.mails();
    let ids: BTreeSet<&str> = mails.iter().map(|mail| mail.header("message-id")).collect();
    assert_eq!((mails.len(), ids.len()), (count, count), "each arrives once");
    eventually("all is well", async || shop.readyz().await.1["status"] == "ready").await;
    let metrics = shop.metrics().await;
    assert!(metrics.contains("mail_attempts_total{outcome=\"sent\"}"), "{metrics}");
    eventually("none waits", async || shop.metrics().await.contains("mails_waiting 0")).await;
    shop.stop().await;
    hook.stop().await;
}
