//! The assistant's tools for external agents, at `/mcp`.

use std::process::Command;

use serde_json::{Value, json};

use super::{Call, TestApp};

fn message(method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params })
}

impl TestApp {
    fn mcp(&self, token: &str) -> Call {
        self.post("/mcp").token(token)
    }
}

#[actix_web::test]
async fn the_official_client_uses_the_tools_for_a_user() {
    if std::env::var_os("NODE_PATH").is_none() {
        eprintln!("left out: NODE_PATH names no folder with @modelcontextprotocol/sdk");
        return;
    }
    let app = TestApp::spawn().await;
    let (seller, asha) = (app.seller("mira").await, app.user("asha").await);
    let lamp = app.product(&seller, "Lamp of brass", 499.5, 10).await;
    let mug = app.product(&seller, "Mug", 99.0, 10).await;
    app.settle().await;
    app.until("the lamp", &asha.token, "/api/products?q=lamp", |found| !found.as_array().unwrap().is_empty()).await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs/mcp-client.cjs");
    let mut node = Command::new("node");
    node.args([script, &app.base, &asha.token, &lamp, &mug]);
    let ended = tokio::task::spawn_blocking(move || node.status()).await.unwrap().unwrap();
    assert!(ended.success(), "see above");
    let cart = app.get("/api/cart").token(&asha.token).send().await.expect(200);
    assert_eq!(cart["totals"]["totalQuantity"], 2, "it is the user's own cart");
    app.shutdown().await;
}

#[actix_web::test]
async fn only_a_valid_bearer_token_may_call() {
    let app = TestApp::spawn().await;
    let asha = app.user("asha").await;
    let list = message("tools/list", json!({}));
    app.post("/mcp").json(&list).send().await.expect(401);
    app.mcp("nonsense").json(&list).send().await.expect(401);
    app.post("/mcp").cookie(&asha.token).json(&list).send().await.expect(401);
    app.mcp(&app.service_token()).json(&list).send().await.expect(403);
    let listed = app.mcp(&asha.token).json(&list).send().await.expect(200);
    assert!(listed["result"]["tools"].as_array().is_some_and(|tools| tools.len() >= 10), "{listed}");
    app.mcp(&asha.token).header("origin", "https://evil.example").json(&list).send().await.refused(403, "mcp.origin");
    let own = app.base.clone();
    app.mcp(&asha.token).header("origin", &own).json(&list).send().await.expect(200);
    app.post("/api/auth/logout").token(&asha.token).send().await.expect(200);
    app.mcp(&asha.token).json(&list).send().await.expect(401);
    app.shutdown().await;
}

#[actix_web::test]
async fn an_invalid_message_is_refused_with_a_message() {
    let app = TestApp::spawn().await;
    let token = app.stranger().token;
    for method in [reqwest::Method::GET, reqwest::Method::DELETE, reqwest::Method::PUT] {
        let refused = app.call(method, "/mcp").token(&token).header("accept", "text/event-stream").send().await;
        refused.expect(405);
        assert_eq!(refused.header("allow"), Some("POST"));
    }
    for (kind, body, status) in [
        ("application/json", "{", 400),
        ("application/json", "", 400),
        ("application/json", "[]", 400),
        ("application/json", "{\"jsonrpc\":\"2.0\"}", 400),
        ("text/plain", "{}", 415),
    ] {
        let refused = app.mcp(&token).raw(kind, body).send().await;
        assert_eq!(refused.status, status, "{kind} {body}: {refused:?}");
    }
    let large = format!("\"{}\"", "x".repeat(1 << 20));
    app.mcp(&token).raw("application/json", large).send().await.expect(413);
    let unknown =
        app.mcp(&token).json(&message("tools/call", json!({ "name": "place_order" }))).send().await.expect(200);
    assert_eq!(unknown["error"]["code"], -32602, "{unknown}");
    app.shutdown().await;
}

#[actix_web::test]
async fn too_frequent_calls_are_refused() {
    let app = TestApp::spawn_with(|config| config.rate_limit.enabled = true).await;
    let (often, seldom) = (app.stranger().token, app.stranger().token);
    let ping = message("ping", json!({}));
    let mut refused = None;
    for _ in 0..400 {
        let answer = app.mcp(&often).json(&ping).send().await;
        if answer.status != 200 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("a limit");
    refused.expect(429);
    assert!(refused.header("retry-after").is_some());
    app.mcp(&seldom).json(&ping).send().await.expect(200);
    app.shutdown().await;
}
