//! The chat with the stock client, and stored conversations.

use std::process::Stdio;

use microbazaar::{
    actors::tokens::Tokens,
    domain::{Timestamp, ids::UserId, user::Role},
};
use reqwest::Method;
use serde_json::{Value, json};
use test_support::servers;

use super::{Shop, id, is_moment, issue, text, tokens};

/// Runs a scenario of `tests/programs/chat-client.cjs`; returns what it found out, or `None` where
/// there is no client.
pub async fn chat(app: &Shop, scenario: &str, context: &Value) -> Option<Value> {
    let mut node = servers::node("chat-client.cjs")?;
    node.args([&app.base(), scenario, &context.to_string()]).stdout(Stdio::piped()).stderr(Stdio::inherit());
    // It ends by itself when it takes too long.
    let ended = tokio::task::spawn_blocking(move || node.output()).await.unwrap().unwrap();
    assert!(ended.status.success(), "{scenario} failed, see above");
    Some(serde_json::from_slice(&ended.stdout).unwrap_or_default())
}

/// Runs a scenario in a shop that is ended after it.
async fn chats(app: Shop, scenario: &str, context: Value) {
    chat(&app, scenario, &context).await;
    app.shutdown().await;
}

#[actix_web::test]
async fn a_client_connects_by_each_transport_and_refusals_have_messages() {
    let app = Shop::open().await;
    let foreign = Tokens::new(b"another secret of thirty-two bytes");
    let foreign = foreign.issue(UserId::generate(), Role::User, Timestamp::now()).unwrap().0;
    let context = json!({"token": app.stranger().token, "foreign": foreign, "service": app.service_token()});
    chats(app, "ways", context).await;
}

#[actix_web::test]
async fn an_invalid_message_gets_an_error_and_the_connection_stays() {
    let app = Shop::open().await;
    let token = app.stranger().token;
    chats(app, "shapeless", json!({ "token": token })).await;
}

#[actix_web::test]
async fn sockets_of_a_conversation_get_the_same_events_and_others_none() {
    let app = Shop::open().await;
    let context = json!({"token": app.stranger().token, "other": app.stranger().token});
    chats(app, "share", context).await;
}

#[actix_web::test]
async fn a_logout_ends_the_sockets_of_its_token_at_once() {
    let app = Shop::open().await;
    let user = app.user("asha").await;
    let second = issue(user.id.parse().unwrap(), Role::User);
    chats(app, "logout", json!({"token": user.token, "second": second})).await;
}

#[actix_web::test]
async fn an_expired_token_ends_its_sockets() {
    let app = Shop::open().await;
    let almost_a_day = jiff::SignedDuration::from_secs(24 * 60 * 60 - 4);
    let made = Timestamp::now() - almost_a_day;
    let (token, _) = tokens().issue(UserId::generate(), Role::User, made).unwrap();
    chats(app, "expiry", json!({ "token": token })).await;
}

#[actix_web::test]
async fn three_hundred_users_chat_at_once() {
    let app = Shop::open().await;
    let all: Vec<String> = (0..300).map(|_| app.stranger().token).collect();
    chats(app, "crowd", json!({ "tokens": all })).await;
}

#[actix_web::test]
async fn a_user_may_have_many_sockets() {
    let app = Shop::open().await;
    let token = app.stranger().token;
    chats(app, "many", json!({ "token": token })).await;
}

#[actix_web::test]
async fn a_plain_websocket_has_the_same_events() {
    let app = Shop::open().await;
    let token = app.stranger().token;
    chats(app, "plain", json!({ "token": token })).await;
}

#[actix_web::test]
async fn a_page_can_subscribe_to_its_cart_and_orders() {
    let app = Shop::open().await;
    let (mira, asha) = (app.seller("mira").await, app.user("asha").await);
    let product = app.product(&mira, "Lamp", 99.5, 20).await;
    let context = json!({"token": asha.token, "other": app.stranger().token, "product": product});
    chats(app, "live", context).await;
}

#[actix_web::test]
async fn a_conversation_survives_a_restart_and_its_user_can_delete_it() {
    let app = Shop::open().await;
    let (asha, other) = (app.stranger(), app.stranger());
    let empty = app.get("/api/ai/conversations").token(&asha.token).send().await;
    assert_eq!((empty.expect(200), empty.header("x-total-count")), (json!([]), Some("0")));
    let Some(found) = chat(&app, "remember", &json!({"token": asha.token})).await else { return app.shutdown().await };
    let app = app.restart().await;
    chat(&app, "again", &json!({"token": asha.token, "id": found["id"]})).await;

    let list = app.get("/api/ai/conversations").token(&asha.token).send().await;
    let rows = list.expect(200);
    assert_eq!(list.header("x-total-count"), Some("1"));
    assert!(list.header("link").is_some_and(|link| link.contains("rel=\"first\"")));
    assert_eq!((id(&rows[0]), &rows[0]["title"]), (text(&found["id"]), &json!("hello there")));
    assert!(is_moment(&rows[0]["createdAt"]) && is_moment(&rows[0]["updatedAt"]));
    let path = format!("/api/ai/conversations/{}", text(&found["id"]));
    let whole = app.get(&path).token(&asha.token).send().await.expect(200);
    let messages = whole["messages"].as_array().unwrap();
    let said: Vec<(&str, &str)> =
        messages.iter().map(|m| (m["role"].as_str().unwrap(), m["text"].as_str().unwrap())).collect();
    assert_eq!(said.len(), 4);
    assert_eq!((said[0], said[1].0), (("user", "hello there"), "assistant"));
    assert_eq!((said[2], said[3].0), (("user", "hello again"), "assistant"));
    assert!(messages.iter().all(|message| is_moment(&message["at"]) && message["products"].is_array()), "{whole}");
    assert!(text(&rows[0]["lastMessage"]).starts_with(&said[3].1.chars().take(10).collect::<String>()));

    for method in [Method::GET, Method::DELETE] {
        app.call(method.clone(), &path).send().await.expect(401);
        app.call(method.clone(), &path).token(&other.token).send().await.expect(403);
        app.call(method.clone(), "/api/ai/conversations/665f1f77bcf86cd799439011")
            .token(&asha.token)
            .send()
            .await
            .expect(404);
        app.call(method, "/api/ai/conversations/x").token(&asha.token).send().await.expect(400);
    }
    app.get("/api/ai/conversations?limit=0").token(&asha.token).send().await.expect(400);
    assert_eq!(app.delete(&path).token(&asha.token).send().await.status, 204);
    app.delete(&path).token(&asha.token).send().await.expect(404);
    assert_eq!(app.get("/api/ai/conversations").token(&asha.token).send().await.expect(200), json!([]));
    app.shutdown().await;
}

#[actix_web::test]
async fn errors_near_the_socket_paths_have_the_error_body() {
    let app = Shop::open().await;
    for path in ["/socket.io/other", "/api/socket/socket.io/other", "/ws/other", "/ws/chat/", "/api/ai/other"] {
        app.get(path).send().await.expect(404);
    }
    for path in ["/ws/chat", "/ws/chat?token=x"] {
        assert_eq!(app.get(path).send().await.expect(400)["code"], "socket.not_a_websocket");
        app.post(path).json(&json!({})).send().await.expect(400);
    }
    let refused = app.put("/api/ai/conversations").send().await;
    refused.expect(405);
    assert_eq!(refused.header("allow"), Some("GET, HEAD"));
    app.shutdown().await;
}
