//! The limits for clients.

use std::time::Duration;

use actix_socketio::{
    engine::{CloseReason, EngineConfig},
    socket::{DisconnectReason, EventRate, SocketConfig},
};

use crate::{server::TestServer, until};

fn unlimited() -> SocketConfig {
    SocketConfig { rate: None, ..SocketConfig::default() }
}

#[actix_rt::test]
async fn a_body_too_large_or_with_too_many_packets_ends_its_session() {
    let config = EngineConfig { max_payload: 1_000, max_packets: 4, ..EngineConfig::default() };
    let server = TestServer::with(config, unlimited());
    let sid = server.join("ann").await;
    assert_eq!(server.post(&sid, format!("4{}", "2".repeat(999))).await.status(), 200, "the maximum size");
    let sid = server.join("ann").await;
    assert_eq!(server.post(&sid, "4".repeat(1_001)).await.status(), 413);
    assert_eq!(server.poll(&sid).await.status(), 400);
    let sid = server.join("ann").await;
    assert_eq!(server.post(&sid, ["3"; 5].join("\u{1e}")).await.status(), 400);
    assert_eq!(server.poll(&sid).await.status(), 400);
    server.stop().await;
}

#[actix_rt::test]
async fn the_number_of_sockets_per_user_is_limited_and_decreases_again() {
    let server = TestServer::with(EngineConfig::default(), SocketConfig { sockets_per_user: 2, ..unlimited() });
    let first = server.join("ann").await;
    let _second = server.join("ann").await;
    let third = server.open().await;
    let connect = r#"40{"token":"token-of-ann"}"#;
    server.post(&third, connect).await;
    assert_eq!(server.packets(&third, 1).await, [r#"44{"message":"Too many connections"}"#]);
    let _of_another = server.join("bob").await;
    server.post(&first, "1").await;
    until("the place is free", async || {
        server.post(&third, connect).await;
        server.packets(&third, 1).await[0].starts_with("40{")
    })
    .await;
    server.stop().await;
}

#[actix_rt::test]
async fn the_number_of_sessions_is_limited() {
    let server = TestServer::with(EngineConfig { max_sessions: 2, ..EngineConfig::default() }, unlimited());
    let first = server.open().await;
    let _second = server.open().await;
    assert_eq!(server.get("EIO=4&transport=polling").await.status(), 503);
    server.post(&first, "1").await;
    server.poll(&first).await;
    until("there is room again", async || server.get("EIO=4&transport=polling").await.status() == 200).await;
    server.stop().await;
}

#[actix_rt::test]
async fn those_who_do_not_join_end_the_oldest_of_them_and_nobody_who_joined() {
    let config = EngineConfig { max_anonymous_per_address: 3, ..EngineConfig::default() };
    let server = TestServer::with(config, unlimited());
    let joined = server.join("ann").await;
    let strangers = [server.open().await, server.open().await, server.open().await];
    let late = server.join("bob").await;
    until("the oldest ends", async || server.engine.len() == 4).await;
    assert_eq!(server.post(&strangers[0], "3").await.status(), 400);
    assert_eq!(server.post(&strangers[1], "3").await.status(), 200);
    for _ in 0..10 {
        server.open().await;
    }
    until("three are left", async || server.engine.len() == 5).await;
    for sid in [&joined, &late] {
        assert_eq!(server.post(sid, "3").await.status(), 200);
    }
    server.stop().await;
}

#[actix_rt::test]
async fn half_a_surrogate_pair_is_read_and_the_session_stays() {
    let server = TestServer::start();
    let sid = server.join("ann").await;
    for text in [r#"\ud800"#, r#"\uDC00a"#] {
        assert_eq!(server.post(&sid, format!(r#"42["message","{text}"]"#)).await.status(), 200);
        let packets = server.packets(&sid, 1).await;
        assert!(packets[0].contains('\u{fffd}'), "{packets:?}");
    }
    let stranger = server.open().await;
    assert_eq!(server.post(&stranger, r#"40{"token":"\ud800"}"#).await.status(), 200);
    assert_eq!(server.packets(&stranger, 1).await, [r#"44{"message":"Invalid token"}"#]);
    server.stop().await;
}

#[actix_rt::test]
async fn packets_over_the_rate_limit_get_an_error_and_a_flood_ends_the_session() {
    let rate = EventRate { per_second: 0, burst: 3 };
    let server = TestServer::with(EngineConfig::default(), SocketConfig { rate: Some(rate), ..unlimited() });
    let sid = server.join("ann").await;
    let event = r#"42["message","a"]"#;
    assert_eq!(server.post(&sid, [event; 4].join("\u{1e}")).await.status(), 200);
    let packets = server.packets(&sid, 4).await;
    assert_eq!(packets[..2], [r#"42["message","1: a"]"#, r#"42["message","2: a"]"#], "the third packet was the join");
    for error in &packets[2..] {
        assert!(error.contains("rate_limited"), "{packets:?}");
    }
    server.post(&sid, [event; 20].join("\u{1e}")).await;
    until("the session ends", async || server.engine.is_empty()).await;
    assert_eq!(*server.chats.ended.lock(), [DisconnectReason::Closed(CloseReason::Slow)]);
    server.stop().await;
}

#[actix_rt::test]
async fn without_a_rate_limit_a_fast_client_waits_and_loses_nothing() {
    let server = TestServer::with(EngineConfig { inbox: 2, ..EngineConfig::default() }, unlimited());
    let sid = server.join("ann").await;
    let event = r#"42["message","a"]"#;
    assert_eq!(server.post(&sid, [event; 200].join("\u{1e}")).await.status(), 200);
    let packets = server.packets(&sid, 200).await;
    assert_eq!(packets.last().unwrap(), r#"42["message","200: a"]"#);
    server.stop().await;
}

#[actix_rt::test]
async fn a_client_that_does_not_read_loses_its_session_and_memory_stays_bounded() {
    let server = TestServer::with(EngineConfig { outbox_bytes: 2_000, ..EngineConfig::default() }, unlimited());
    let (slow, other) = (server.join("ann").await, server.join("ann").await);
    let event = format!(r#"42["message","{}"]"#, "a".repeat(300));
    for _ in 0..10 {
        assert_eq!(server.post(&other, event.clone()).await.status(), 200);
        server.packets(&other, 1).await;
    }
    assert_eq!(server.poll(&slow).await.status(), 400);
    until("the handler is notified", async || {
        server.chats.ended.lock().contains(&DisconnectReason::Closed(CloseReason::Slow))
    })
    .await;
    server.stop().await;
}

#[actix_rt::test]
async fn attachments_have_a_time_limit() {
    let sockets = SocketConfig { attachments_within: Duration::from_millis(50), ..unlimited() };
    let server = TestServer::with(EngineConfig::default(), sockets);
    let sid = server.join("ann").await;
    server.post(&sid, r#"451-["message",{"_placeholder":true,"num":0}]"#).await;
    until("the session ends", async || server.engine.is_empty()).await;
    server.stop().await;
}
