//! Sessions over plain HTTP, without a client library.

use std::time::Duration;

use actix_socketio::{engine::EngineConfig, socket::SocketConfig};
use serde_json::Value;

use crate::{server::TestServer, until};

#[actix_rt::test]
async fn a_handshake_returns_the_parameters_and_a_bad_one_is_refused_with_its_code() {
    let server = TestServer::start();
    let opened = server.get("EIO=4&transport=polling").await;
    assert_eq!(opened.headers()["content-type"], "text/plain; charset=UTF-8");
    let handshake: Value = serde_json::from_str(&opened.text().await.unwrap()[1..]).unwrap();
    assert_eq!(handshake["upgrades"], serde_json::json!(["websocket"]));
    assert_eq!((&handshake["pingInterval"], &handshake["pingTimeout"]), (&25_000.into(), &20_000.into()));
    assert_eq!(handshake["maxPayload"], 1_000_000);
    for (query, code) in [
        ("", 5),
        ("EIO=3&transport=polling", 5),
        ("EIO=abc&transport=polling", 5),
        ("EIO=4", 0),
        ("EIO=4&transport=abc", 0),
        ("EIO=4&transport=polling&sid=unknown", 1),
        ("EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAA", 1),
        ("EIO=4&transport=websocket", 3),
        ("EIO=4&EIO=4&transport=polling", 3),
    ] {
        let refused = server.get(query).await;
        assert_eq!(refused.status(), 400, "{query}");
        assert_eq!(refused.json::<Value>().await.unwrap()["code"], code, "{query}");
    }
    for method in ["POST", "PUT", "DELETE", "HEAD"] {
        let url = server.at("EIO=4&transport=polling");
        let refused = server.http.request(method.parse().unwrap(), url).send().await.unwrap();
        assert_eq!(refused.status(), 400, "{method}");
    }
    server.stop().await;
}

#[actix_rt::test]
async fn a_page_of_another_origin_can_neither_open_nor_read_a_session() {
    let server = TestServer::start();
    let sid = server.join("ann").await;
    for query in ["EIO=4&transport=polling".to_owned(), format!("EIO=4&transport=polling&sid={sid}")] {
        let request = server.http.get(server.at(&query)).header("origin", "https://evil.example");
        let refused = request.send().await.unwrap();
        assert_eq!(refused.status(), 403, "{query}");
        assert_eq!(refused.json::<Value>().await.unwrap()["message"], "this page may not");
    }
    let own = server.http.get(server.at("EIO=4&transport=polling")).header("origin", "https://shop.example");
    assert_eq!(own.send().await.unwrap().status(), 200);
    server.stop().await;
}

#[actix_rt::test]
async fn a_client_authenticates_in_each_supported_way_or_is_refused_with_a_message() {
    let server = TestServer::start();
    for (header, value, auth, answer) in [
        ("x-none", "x", r#"{"token":"token-of-ann"}"#, "40{"),
        ("authorization", "Bearer token-of-ann", "", "40{"),
        ("cookie", "a=b; token=token-of-ann", "", "40{"),
        ("x-none", "x", "", r#"44{"message":"Token not provided"}"#),
        ("cookie", "token=", "{}", r#"44{"message":"Token not provided"}"#),
        ("x-none", "x", r#"{"token":"wrong"}"#, r#"44{"message":"Invalid token"}"#),
    ] {
        let request = server.http.get(server.at("EIO=4&transport=polling")).header(header, value);
        let opened = request.send().await.unwrap().text().await.unwrap();
        let handshake: Value = serde_json::from_str(&opened[1..]).unwrap();
        let sid = handshake["sid"].as_str().unwrap();
        assert_eq!(server.post(sid, format!("40{auth}")).await.status(), 200);
        let packets = server.packets(sid, 1).await;
        assert!(packets[0].starts_with(answer), "{header}: {value}, {auth}: {packets:?}");
    }
    server.stop().await;
}

#[actix_rt::test]
async fn messages_are_answered_and_malformed_ones_get_an_error_and_change_nothing() {
    let server = TestServer::start();
    let sid = server.join("ann").await;
    let body = "4217[\"message\",\"a\"]\u{1e}42[\"message\",7]\u{1e}451-[\"message\",{\"_placeholder\":true,\"num\":0}]\
                \u{1e}bAQID\u{1e}42[\"message\",\"b\"]";
    assert_eq!(server.post(&sid, body).await.text().await.unwrap(), "ok");
    assert_eq!(
        server.packets(&sid, 5).await,
        [
            r#"42["message","1: a"]"#,
            r#"4317[{"ok":true}]"#,
            r#"42["error",{"code":"bad_message","message":"A message is a string"}]"#,
            r#"42["error",{"code":"binary_refused","message":"Binary data is not accepted here"}]"#,
            r#"42["message","2: b"]"#,
        ]
    );
    server.stop().await;
}

#[actix_rt::test]
async fn a_revoked_token_ends_the_socket_at_the_next_message() {
    let server = TestServer::start();
    let sid = server.join("ann").await;
    server.chats.revoked.lock().insert("token-of-ann".into());
    assert_eq!(server.post(&sid, r#"42["message","a"]"#).await.status(), 200);
    let error = r#"42["error",{"code":"unauthenticated","message":"Invalid token"}]"#;
    assert_eq!(server.packets(&sid, 2).await, [error, "41"]);
    // Later messages on this socket are ignored.
    assert_eq!(server.post(&sid, r#"42["message","b"]"#).await.status(), 200);
    until("the handler is notified", async || server.chats.ended.lock().len() == 1).await;
    server.stop().await;
}

#[actix_rt::test]
async fn two_polls_at_once_end_the_session_and_a_client_that_closes_gets_its_poll_back() {
    let server = TestServer::start();
    let sid = server.join("ann").await;
    let (first, second) = tokio::join!(server.poll(&sid), server.poll(&sid));
    let mut statuses = [first.status().as_u16(), second.status().as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400]);
    let answered = if first.status() == 200 { first } else { second };
    assert_eq!(answered.text().await.unwrap(), "1");
    assert_eq!(server.poll(&sid).await.status(), 400);

    let sid = server.join("ann").await;
    let (polled, posted) = tokio::join!(server.poll(&sid), server.post(&sid, "1"));
    assert_eq!((posted.status(), polled.status()), (reqwest::StatusCode::OK, reqwest::StatusCode::OK));
    assert_eq!(polled.text().await.unwrap(), "6");
    assert_eq!(server.poll(&sid).await.status(), 400);
    server.stop().await;
}

#[actix_rt::test]
async fn a_client_that_is_silent_or_joins_no_namespace_loses_its_session() {
    let silent = EngineConfig {
        ping_interval: Duration::from_millis(50),
        ping_timeout: Duration::from_millis(50),
        ..EngineConfig::default()
    };
    let server = TestServer::with(silent, SocketConfig::default());
    let sid = server.open().await;
    let pinged = server.poll(&sid).await;
    // On a busy machine the session may have ended before the poll.
    assert!(pinged.status() == 400 || pinged.text().await.unwrap() == "2");
    until("the session ends", async || server.engine.is_empty()).await;
    assert_eq!(server.poll(&sid).await.status(), 400);
    server.stop().await;

    let idle = SocketConfig { connect_timeout: Duration::from_millis(100), ..SocketConfig::default() };
    let server = TestServer::with(EngineConfig::default(), idle);
    let sid = server.open().await;
    assert_eq!(server.poll(&sid).await.text().await.unwrap(), "1", "the client is notified");
    until("the session ends", async || server.engine.is_empty()).await;
    server.stop().await;
}

#[actix_rt::test]
async fn a_shutdown_answers_waiting_polls_and_accepts_no_new_sessions() {
    let server = TestServer::start();
    let sid = server.join("ann").await;
    let polling = server.poll(&sid);
    let ending = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        server.engine.shutdown();
    };
    let (polled, ()) = tokio::join!(polling, ending);
    // Also if the poll came after the end.
    assert_eq!(polled.text().await.unwrap(), "1");
    let refused = server.get("EIO=4&transport=polling").await;
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.headers()["retry-after"], "1");
    server.stop().await;
}
