//! `microbazaar dead` over the broker's dead-letter queues.

use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable},
};
use microbazaar::{
    bus::rabbit::topology::dead_queue,
    domain::{ids::EventId, queues},
};
use serde_json::json;
use test_support::{Settings, done, eventually, rabbit::Broker};

use super::shop::Shop;

const QUEUE: &str = queues::USER_CREATED_NOTIFICATION;

/// The command over the broker: a folder without a store is enough for it.
async fn dead(url: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let settings = Settings::new().rabbit(url);
    let mut command = settings.command(&["dead"]);
    command.args(arguments);
    done(command).await
}

async fn said(url: &str, arguments: &[&str]) -> String {
    let (code, out, complaint) = dead(url, arguments).await;
    assert_eq!(code, Some(0), "{arguments:?}: {complaint}");
    out
}

/// A message as a consumer left it.
fn failed(id: Option<&str>) -> BasicProperties {
    let mut headers = FieldTable::default();
    headers.insert("x-attempts".into(), AMQPValue::LongLongInt(5));
    headers.insert("x-reason".into(), AMQPValue::LongString("the mail server said no".into()));
    headers.insert("x-own".into(), AMQPValue::LongString("kept".into()));
    let properties = BasicProperties::default().with_headers(headers);
    match id {
        Some(id) => properties.with_message_id(id.into()),
        None => properties,
    }
}

fn user(name: &str) -> Vec<u8> {
    json!({"id": "665f1f77bcf86cd799439011", "username": name, "email": format!("{name}@example.com")})
        .to_string()
        .into_bytes()
}

#[actix_rt::test]
async fn dead_letters_are_listed_shown_and_replayed_and_none_is_lost() {
    let Some(broker) = Broker::empty().await else { return };
    let (id, resting) = (EventId::generate().to_hex(), dead_queue(QUEUE));
    assert_eq!(said(&broker.url, &["list"]).await, "no message is dead\n");
    broker.put(&resting, &user("asha"), failed(Some(&id))).await;
    broker.put(&resting, &user("node"), failed(None)).await;
    broker.put(&resting, b"no JSON", failed(Some("of their own making"))).await;

    for _ in 0..2 {
        let listed = said(&broker.url, &["list", "--queue", QUEUE]).await;
        assert_eq!(listed.lines().count(), 4, "{listed}");
        assert!(listed.contains(&id) && listed.contains("of their own making"), "{listed}");
        assert!(listed.contains("the mail server said no"), "{listed}");
        assert_eq!(said(&broker.url, &["list", "--limit", "2"]).await.lines().count(), 4, "two and a note");
        assert!(said(&broker.url, &["show", &id]).await.contains("asha@example.com"));
    }
    assert!(said(&broker.url, &["show", "of their own making"]).await.contains("no JSON"));
    let missing = dead(&broker.url, &["replay", "665f1f77bcf86cd799439099"]).await;
    assert_eq!(missing.0, Some(1), "{missing:?}");
    assert_eq!(broker.count(&resting).await, 3, "looking takes nothing away");

    assert_eq!(said(&broker.url, &["replay", &id]).await, "1 message is tried again\n");
    let again = broker.take(QUEUE).await.expect("it is in its queue");
    let headers = again.properties.headers().as_ref().unwrap().inner();
    assert_eq!(
        headers.keys().map(lapin::types::ShortString::as_str).collect::<Vec<_>>(),
        ["x-own"],
        "its retries start again"
    );
    assert_eq!(again.properties.message_id().as_ref().map(ToString::to_string), Some(id));
    assert_eq!(again.data, user("asha"));
    assert_eq!(broker.count(&resting).await, 2);

    // A replay that was killed after publishing leaves the message in both queues.
    broker.put(QUEUE, &user("node"), BasicProperties::default()).await;
    let shop = Shop::start(&broker.url, None).await;
    eventually("the foreign user is welcomed", async || shop.mails_to("node@example.com").await == 1).await;
    assert_eq!(said(&broker.url, &["replay", "--all"]).await, "2 messages are tried again\n");
    let unreadable = broker.until_dead(QUEUE).await;
    assert_eq!(unreadable.data, b"no JSON", "it is dead again, and alone");
    eventually("nothing waits", async || broker.count(QUEUE).await == 0).await;
    assert_eq!(shop.mails_to("node@example.com").await, 1, "applied once");
    broker.nothing_is_dead().await;
    shop.stop().await;
}

#[actix_rt::test]
async fn without_the_broker_the_command_says_so() {
    // A port that was free a moment ago: nothing listens there.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (code, _, sentence) = dead(&format!("amqp://guest:a-secret@{free}/%2f"), &["list"]).await;
    assert_eq!(code, Some(1), "{sentence}");
    assert_eq!(sentence.trim().lines().count(), 1, "one sentence: {sentence}");
    assert!(sentence.contains("the broker is away") && !sentence.contains("a-secret"), "{sentence}");
}
