//! The whole program while Redis is stopped and started.

use std::time::Duration;

use microbazaar::{app::App, domain::ids::UserId};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::redis::{
    nodes::{client, config, folder},
    prefix,
    server::Server,
    until,
};

async fn readyz(client: &reqwest::Client, base: &str) -> (u16, Value) {
    let answer = client.get(format!("{base}/readyz")).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[actix_rt::test]
async fn the_shop_works_without_redis_and_reports_it() {
    let Some(mut server) = Server::start() else { return };
    let folder = folder();
    let mut config = config(folder.clone());
    config.redis.url = Some(SecretString::from(server.url()));
    config.redis.prefix = prefix();
    config.redis.timeout = Duration::from_secs(5);
    let app = App::start(&config).await.unwrap();
    let (client, base) = (client(), format!("http://{}", app.address));
    let email = format!("{}@example.com", UserId::generate());
    let post = async |path: &str, token: &str, body: &Value| {
        let answer = client.post(format!("{base}/api/auth/{path}")).bearer_auth(token).json(body).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json::<Value>().await.unwrap()["token"].as_str().unwrap_or_default().to_owned())
    };
    let who = json!({"email": email, "password": "correct horse"});
    let is = async |status: &str, away: Value| {
        until(status, async || {
            let (code, view) = readyz(&client, &base).await;
            assert_eq!(code, 200);
            view["status"] == status && view["away"] == away
        })
        .await;
    };
    is("ready", json!([])).await;
    let (status, token) = post("register", "", &who).await;
    assert_eq!(status, 201);
    server.kill();
    assert_eq!(post("login", "", &who).await.0, 200);
    is("degraded", json!(["redis"])).await;
    assert_eq!(post("login", "", &who).await.0, 200);
    assert_eq!(post("logout", &token, &json!({})).await.0, 200);
    let me = async || client.get(format!("{base}/api/auth/me")).bearer_auth(&token).send().await.unwrap();
    assert_eq!(me().await.status().as_u16(), 401);
    server.start_again();
    is("ready", json!([])).await;
    assert_eq!(post("login", "", &who).await.0, 200);
    assert_eq!(me().await.status().as_u16(), 401);
    let metrics = client.get(format!("{base}/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("rate_limit_fallbacks_total") && metrics.contains("redis_up"), "{metrics}");
    app.shutdown().await.unwrap();
    let _gone = std::fs::remove_dir_all(folder);
}
