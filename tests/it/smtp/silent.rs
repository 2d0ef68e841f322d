//! A mail server that accepts connections and never answers delays only mails.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use actix_web::{App, HttpResponse, HttpServer, web};
use microbazaar::store::mailbox::MailState;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::smtp::{
    receiver::Receiver,
    shop::{Folder, Shop, config, text},
    until,
};

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

type Bodies = Mutex<Vec<Value>>;

async fn take(bodies: web::Data<Bodies>, body: web::Json<Value>) -> HttpResponse {
    bodies.lock().unwrap().push(body.into_inner());
    HttpResponse::NoContent().finish()
}

#[actix_rt::test]
async fn a_silent_mail_server_delays_only_mails() {
    if Receiver::plain().is_none() {
        return;
    }
    let bodies: Arc<Bodies> = Arc::default();
    let of_app = web::Data::from(Arc::clone(&bodies));
    let hook = HttpServer::new(move || App::new().app_data(of_app.clone()).default_service(web::to(take)));
    let hook = hook.workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
    let hook_url = format!("http://{}/", hook.addrs()[0]);
    let hook = hook.run();
    let ends_hook = hook.handle();
    actix_rt::spawn(hook);

    let mute = Mute::start().await;
    let folder = Folder::new();
    let url = format!("smtp://127.0.0.1:{}", mute.port);
    let more =
        [("MICROBAZAAR_WEBHOOKS__ALLOW_PRIVATE", "true"), ("MICROBAZAAR_RABBIT__RETRY_DELAYS", "500ms,1s,2s,4s")];
    let shop = Shop::start(&config(&folder.0, &url, &more)).await;
    let client = &shop.client;
    let seller = client.join("mira@example.com", "seller").await;
    let buyer = client.join("asha@example.com", "user").await;
    client.post("/api/webhooks", &seller, &json!({"url": hook_url, "events": ["order.*"]})).await;
    // A mail is being sent, and a sale comes after it: if the sale waited for the mail, it would appear only when the
    // attempt has timed out. Where a round takes that long, another one may not.
    let mut overtaken = false;
    for round in 1..=3 {
        let product = client.offer(&seller).await;
        let offered = async || {
            let log = shop.log().await;
            log.into_iter().filter(|record| record.mail.subject.starts_with("New product")).collect::<Vec<_>>()
        };
        until("the mail of the product is recorded", async || offered().await.len() == round).await;
        client.purchase(&product, &buyer).await;
        until("the dashboard shows the sale", async || {
            client.get("/api/seller/dashboard/metrics", &seller).await["sales"] == 2 * round
        })
        .await;
        overtaken = offered().await[0].attempts == 0;
        if overtaken {
            break;
        }
    }
    assert!(overtaken, "the sale is shown while a mail of before it is being sent");
    let confirmed = || bodies.lock().unwrap().iter().any(|body| body["type"] == "order.confirmed");
    until("the webhook is sent", async || confirmed()).await;
    assert_eq!(shop.app.settle(crate::smtp::DEADLINE).await.unwrap(), 0, "no event waits for the mail server");
    until("the mail server counts as away", async || {
        let ready = client.get("/readyz", "").await;
        ready["status"] == "degraded" && ready["away"] == json!(["smtp"])
    })
    .await;

    let receiver = Receiver::start(&json!({ "port": mute.stop().await })).unwrap();
    let count = shop.log().await.len();
    assert!(count >= 5, "two of welcome, of the product, of the payment's begin and end");
    shop.until_log(MailState::Sent, count).await;
    let mails = receiver.mails();
    let ids: BTreeSet<&str> = mails.iter().map(|mail| mail.header("message-id")).collect();
    assert_eq!((mails.len(), ids.len()), (count, count), "each arrives once");
    until("all is well", async || text(&client.get("/readyz", "").await["status"]) == "ready").await;
    let metrics = client.get_text("/metrics").await;
    assert!(metrics.contains("mail_attempts_total{outcome=\"sent\"}"), "{metrics}");
    until("none waits", async || client.get_text("/metrics").await.contains("mails_waiting 0")).await;
    shop.stop().await;
    ends_hook.stop(false).await;
}
