//! A program in another language, with amqplib of npm, that declares, reads and writes the queues.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Stdio},
    sync::{Arc, Mutex},
};

use microbazaar::{
    bus::rabbit::topology::{RETRIES, dead_queue, retry_queue},
    domain::{
        ids::UserId,
        queues::{self, EXCHANGE, QUEUES},
    },
};
use serde_json::{Value, json};
use test_support::{DEADLINE, eventually, rabbit::Broker, servers};

use super::shop::Shop;

/// `tests/programs/amqp-peer.cjs`, running.
struct Peer {
    child: Child,
    pipes: Arc<Mutex<(ChildStdin, BufReader<ChildStdout>)>>,
}

impl Peer {
    /// Starts it; prints a note and returns `None` where amqplib is not installed.
    fn start(url: &str) -> Option<Self> {
        let mut command = servers::node("amqp-peer.cjs")?;
        let mut child = command.arg(url).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let pipes = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Some(Self { child, pipes: Arc::new(Mutex::new(pipes)) })
    }

    /// Sends it a command and returns what it printed.
    async fn ask(&self, command: Value) -> Vec<Value> {
        let pipes = Arc::clone(&self.pipes);
        let output = command.to_string();
        let answer = tokio::task::spawn_blocking(move || {
            let mut pipes = pipes.lock().unwrap();
            writeln!(pipes.0, "{command}").unwrap();
            let mut printed = vec![];
            loop {
                let mut line = String::new();
                assert!(pipes.1.read_line(&mut line).unwrap() > 0, "the program ended over {command}");
                let value: Value = serde_json::from_str(&line).unwrap();
                if value.get("done").is_some() {
                    return printed;
                }
                printed.push(value);
            }
        });
        tokio::time::timeout(DEADLINE, answer).await.unwrap_or_else(|_| panic!("in time: {output}")).unwrap()
    }

    async fn declare(&self) {
        let queues: Vec<&str> = QUEUES.iter().map(|queue| queue.name).collect();
        self.ask(json!({"do": "declare", "queues": queues, "exchange": EXCHANGE})).await;
    }

    async fn take(&self, queue: &str, count: usize) -> Vec<Value> {
        self.ask(json!({"do": "take", "queue": queue, "count": count})).await
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

#[actix_rt::test]
async fn a_program_with_amqplib_declares_and_reads_the_queues() {
    let Some(broker) = Broker::empty().await else { return };
    let Some(peer) = Peer::start(&broker.url) else { return };
    for queue in QUEUES {
        broker.delete(queue.name).await;
    }
    peer.declare().await;
    let shop = Shop::start(&broker.url, Some(vec![])).await;
    peer.ask(json!({"do": "bind", "exchange": EXCHANGE, "key": "order.*"})).await;
    let order = shop.purchase().await;
    shop.settle().await;
    peer.declare().await;
    for (queue, count, field) in [
        (queues::USER_CREATED_NOTIFICATION, 2, "/fullName"),
        (queues::USER_CREATED_DASHBOARD, 2, "/_id"),
        (queues::PRODUCT_CREATED_NOTIFICATION, 1, "/sellerId"),
        (queues::PRODUCT_CREATED_DASHBOARD, 1, "/seller"),
        (queues::ORDER_CREATED_DASHBOARD, 1, "/items/0/price/amount"),
        (queues::PAYMENT_INITIATED_NOTIFICATION, 1, "/orderId"),
        (queues::PAYMENT_COMPLETED_NOTIFICATION, 1, "/paymentId"),
        (queues::PAYMENT_CREATED_DASHBOARD, 1, "/_id"),
    ] {
        let event = queues::queue(queue).unwrap().event;
        for message in peer.take(queue, count).await {
            assert_eq!(message["type"], event, "{queue}");
            assert_eq!((&message["contentType"], &message["deliveryMode"]), (&json!("application/json"), &json!(2)));
            assert!(message["headers"]["x-occurred-at"].is_string() && message["timestamp"].is_u64(), "{message}");
            assert!(message["payload"].pointer(field).is_some_and(|value| !value.is_null()), "{queue}: {message}");
        }
    }
    let own = peer.ask(json!({"do": "take", "count": 2})).await;
    let keys: Vec<&str> = own.iter().filter_map(|message| message["routingKey"].as_str()).collect();
    assert_eq!(keys, ["order.created", "order.confirmed"], "what its own queue asked for, and nothing else");
    assert!(own.iter().all(|message| message["payload"]["_id"] == order.as_str()));
    shop.stop().await;
}

#[actix_rt::test]
async fn messages_written_with_amqplib_are_applied() {
    let Some(broker) = Broker::empty().await else { return };
    let Some(peer) = Peer::start(&broker.url) else { return };
    let shop = Shop::start(&broker.url, None).await;
    let new_id = || UserId::generate().to_string();
    let (user, product, orders) = (new_id(), new_id(), [new_id(), new_id()]);
    let (email, seller) = (format!("{user}@example.com"), shop.seller_id().await);
    let write =
        json!({"do": "write", "user": user, "email": email, "seller": seller, "product": product, "orders": orders});
    peer.ask(write).await;
    eventually("each mail is there", async || shop.mails_to(&email).await == 5).await;
    eventually("the user without a name is welcomed", async || shop.mails_to(&format!("bare.{email}")).await == 1)
        .await;
    eventually("the confirmed order is a sale", async || shop.sales().await == 2).await;
    let dashboard = async |what: &str| shop.of_seller(&format!("/api/seller/dashboard/{what}")).await;
    eventually("both orders are shown", async || dashboard("orders").await.as_array().unwrap().len() == 2).await;
    let shown = dashboard("orders").await;
    for order in &orders {
        let of_id = shown.as_array().unwrap().iter().find(|shown| shown["_id"] == order.as_str()).unwrap();
        assert_eq!((&of_id["items"][0]["quantity"], &of_id["items"][0]["seller"]), (&json!(2), &json!(seller)));
    }
    let products = dashboard("products").await;
    let lamp = products.as_array().unwrap().iter().find(|shown| shown["_id"] == product.as_str()).unwrap();
    assert_eq!((&lamp["title"], &lamp["sold"]), (&json!("Node lamp"), &json!(2)));
    let metrics = dashboard("metrics").await;
    assert_eq!(metrics["ordersByStatus"], json!({"PENDING": 1, "CONFIRMED": 1}));
    assert_eq!(metrics["revenue"], json!([{"amount": 999, "currency": "INR"}]));
    for queue in QUEUES {
        let waits = (1..=RETRIES).map(|attempt| retry_queue(queue.name, attempt));
        for name in waits.chain([queue.name.to_owned()]) {
            eventually(&name, async || broker.waiting_in(&name).await == 0).await;
        }
        assert_eq!(broker.waiting_in(&dead_queue(queue.name)).await, 0, "{}", queue.name);
    }
    shop.stop().await;
}
