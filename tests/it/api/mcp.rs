//! The assistant's tools for external agents, at `/mcp`.

use serde_json::{Value, json};
use test_support::servers;

use super::{Call, Shop};

fn message(method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params })
}

fn mcp(app: &Shop, token: &str) -> Call {
    app.post("/mcp").token(token)
}

#[actix_web::test]
async fn the_official_client_uses_the_tools_for_a_user() {
    let Some(mut node) = servers::node("mcp-client.cjs") else { return };
    let app = Shop::open().await;
    let (seller, asha) = (app.seller("mira").await, app.user("asha").await);
    let lamp = app.product(&seller, "Lamp of brass", 499.5, 10).await;
    let mug = app.product(&seller, "Mug", 99.0, 10).await;
    app.settle().await;
    app.until("the lamp", &asha.token, "/api/products?q=lamp", |found| !found.as_array().unwrap().is_empty()).await;
    node.args([&app.base(), &asha.token, &lamp, &mug]);
    let ended = tokio::task::spawn_blocking(move || node.status()).await.unwrap().unwrap();
    assert!(ended.success(), "see above");
    let cart = app.get("/api/cart").token(&asha.token).send().await.expect(200);
    assert_eq!(cart["totals"]["totalQuantity"], 2, "it is the user's own cart");
    app.shutdown().await;
}

#[actix_web::test]
async fn only_a_valid_bearer_token_may_call() {
    let app = Shop::open().await;
    let asha = app.user("asha").await;
    let list = message("tools/list", json!({}));
    app.post("/mcp").json(&list).send().await.expect(401);
    mcp(&app, "nonsense").json(&list).send().await.expect(401);
    app.post("/mcp").cookie(&asha.token).json(&list).send().await.expect(401);
    mcp(&app, &app.service_token()).json(&list).send().await.expect(403);
    let listed = mcp(&app, &asha.token).json(&list).send().await.expect(200);
    assert!(listed["result"]["tools"].as_array().is_some_and(|tools| tools.len() >= 10), "{listed}");
    mcp(&app, &asha.token).header("origin", "https://evil.example").json(&list).send().await.refused(403, "mcp.origin");
    let own = app.base().clone();
    mcp(&app, &asha.token).header("origin", &own).json(&list).send().await.expect(200);
    app.post("/api/auth/logout").token(&asha.token).send().await.expect(200);
    mcp(&app, &asha.token).json(&list).send().await.expect(401);
    app.shutdown().await;
}

#[actix_web::test]
async fn an_invalid_message_is_refused_with_a_message() {
    let app = Shop::open().await;
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
        let refused = mcp(&app, &token).raw(kind, body).send().await;
        assert_eq!(refused.status, status, "{kind} {body}: {refused:?}");
    }
    let large = format!("\"{}\"", "x".repeat(1 << 20));
    mcp(&app, &token).raw("application/json", large).send().await.expect(413);
    let unknown =
        mcp(&app, &token).json(&message("tools/call", json!({ "name": "place_order" }))).send().await.expect(200);
    assert_eq!(unknown["error"]["code"], -32602, "{unknown}");
    for params in [
        json!({}),
        json!({"arguments": {"query": "mug"}}),
        json!({"name": null}),
        json!({"name": 5}),
        json!({"name": ["search_products"]}),
        json!({"name": {"a": 1}, "arguments": {}}),
        json!([]),
        json!("search_products"),
        Value::Null,
        json!({"name": "search_products", "arguments": "mug"}),
        json!({"name": "search_products", "arguments": ["mug"]}),
    ] {
        let answer = mcp(&app, &token).json(&message("tools/call", params.clone())).send().await.expect(200);
        assert_eq!((&answer["error"]["code"], &answer["id"]), (&json!(-32602), &json!(7)), "{params}: {answer}");
    }
    let bare = json!({"jsonrpc": "2.0", "id": "a", "method": "tools/call"});
    let answer = mcp(&app, &token).json(&bare).send().await.expect(200);
    assert_eq!((&answer["error"]["code"], &answer["id"]), (&json!(-32602), &json!("a")), "{answer}");
    app.shutdown().await;
}

#[actix_web::test]
async fn too_frequent_calls_are_refused() {
    let app = Shop::open_with(|config| config.rate_limit.enabled = true).await;
    let (often, seldom) = (app.stranger().token, app.stranger().token);
    let ping = message("ping", json!({}));
    let mut refused = None;
    for _ in 0..400 {
        let answer = mcp(&app, &often).json(&ping).send().await;
        if answer.status != 200 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("a limit");
    refused.expect(429);
    assert!(refused.header("retry-after").is_some());
    mcp(&app, &seldom).json(&ping).send().await.expect(200);
    app.shutdown().await;
}
