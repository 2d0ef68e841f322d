//! Change notifications between nodes.

use test_support::{DEADLINE, OwnServer, eventually, servers};
use tokio::time::timeout;

use super::{node, prefix};

async fn is_notified(what: &str, listener: &tokio::sync::Notify) {
    assert!(timeout(DEADLINE, listener.notified()).await.is_ok(), "in time: {what}");
}

#[actix_rt::test]
async fn a_notification_reaches_its_topic_on_every_node() {
    let Some(url) = servers::redis() else { return };
    let prefix = prefix();
    let (one, two) = (node(&url, &prefix).await, node(&url, &prefix).await);
    let elsewhere = node(&url, &super::prefix()).await;
    let (here, there) = (one.notifier().listen("mail"), two.notifier().listen("mail"));
    let (other, stranger) = (two.notifier().listen("outbox"), elsewhere.notifier().listen("mail"));
    for _ in 0..20 {
        one.notifier().notify("mail");
        is_notified("this node", &here).await;
        is_notified("the other node", &there).await;
    }
    // Sent after the others, which would have arrived at a wrong place by now.
    one.notifier().notify("outbox");
    is_notified("the other topic", &other).await;
    elsewhere.notifier().notify("mail");
    is_notified("the other shop's own message", &stranger).await;
    let quiet = std::time::Duration::from_millis(200);
    assert!(timeout(quiet, stranger.notified()).await.is_err(), "another prefix is another shop");
    assert!(timeout(quiet, here.notified()).await.is_err(), "the own message comes once");
}

#[actix_rt::test]
async fn after_a_lost_connection_every_topic_is_notified_once() {
    let Some(mut server) = OwnServer::redis() else { return };
    let prefix = prefix();
    let (one, two) = (node(&server.url(), &prefix).await, node(&server.url(), &prefix).await);
    let (mail, outbox) = (two.notifier().listen("mail"), two.notifier().listen("outbox"));
    server.kill();
    eventually("the loss is noticed", async || !one.is_up() && !two.is_up()).await;
    is_notified("who is to look by herself now", &mail).await;
    is_notified("who else", &outbox).await;
    one.notifier().notify("mail");
    server.start_again();
    is_notified("a lost topic", &mail).await;
    is_notified("who had none", &outbox).await;
    eventually("both are back", async || one.is_up() && two.is_up()).await;
    let late = one.notifier();
    late.notify("outbox");
    is_notified("as before", &outbox).await;
}

#[actix_rt::test]
async fn many_notifications_are_few_messages() {
    let Some(url) = servers::redis() else { return };
    let prefix = prefix();
    let one = node(&url, &prefix).await;
    let mut heard = redis::Client::open(url).unwrap().get_connection().unwrap();
    heard.set_read_timeout(Some(DEADLINE)).unwrap();
    let (channel, (subscribed, ready)) = (format!("{prefix}wake"), tokio::sync::oneshot::channel());
    let counting = tokio::task::spawn_blocking(move || {
        let mut words = heard.as_pubsub();
        words.subscribe(channel).unwrap();
        subscribed.send(()).unwrap();
        let mut count = 0_u128;
        while !words.get_message().unwrap().get_payload::<String>().unwrap().ends_with(" last") {
            count += 1;
        }
        count
    });
    ready.await.unwrap();
    let (notifier, began) = (one.notifier(), std::time::Instant::now());
    for _ in 0..300 {
        (0..200).for_each(|_| notifier.notify("stock"));
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    notifier.notify("last");
    let count = counting.await.unwrap();
    // At most one in 25 ms, however long it took, plus the last one.
    let most = began.elapsed().as_millis() / 25 + 2;
    assert!(count > 0 && count <= most, "{count} of at most {most}");
}

#[actix_rt::test]
async fn a_connection_lost_during_a_message_is_restored() {
    let Some(mut server) = OwnServer::redis() else { return };
    let one = node(&server.url(), &prefix()).await;
    let notifier = one.notifier();
    for _ in 0..4 {
        let talking = actix_rt::spawn({
            let notifier = notifier.clone();
            async move {
                loop {
                    notifier.notify("stock");
                    tokio::task::yield_now().await;
                }
            }
        });
        eventually("words go out", async || one.is_up()).await;
        server.kill();
        eventually("the loss is noticed", async || !one.is_up()).await;
        talking.abort();
        server.start_again();
        eventually("it is back, and stays", async || {
            let Ok(session) = one.session() else { return false };
            let mut ping = redis::pipe();
            ping.cmd("PING");
            for _ in 0..200 {
                if session.send::<Vec<String>>(&ping).await.is_err() {
                    return false;
                }
            }
            one.session().is_ok_and(|now| now.generation() == session.generation())
        })
        .await;
    }
}
