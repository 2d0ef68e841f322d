//! The whole program while Redis is stopped and started.

use serde_json::{Value, json};
use test_support::{OwnServer, PASSWORD, Settings, Shop, eventually};

#[actix_rt::test]
async fn the_shop_works_without_redis_and_reports_it() {
    let Some(mut server) = OwnServer::redis() else { return };
    let settings = Settings::new().redis(&server.url()).set("MICROBAZAAR_REDIS__TIMEOUT", "5s");
    let shop = Shop::start(settings.set("MICROBAZAAR_RATE_LIMIT__ENABLED", "true")).await;
    let is = async |status: &str, away: Value| {
        eventually(status, async || {
            let (code, view) = shop.readyz().await;
            assert_eq!(code, 200);
            view["status"] == status && view["away"] == away
        })
        .await;
    };
    is("ready", json!([])).await;
    let asha = shop.user("asha").await;
    let login = json!({"email": asha.email, "password": PASSWORD});
    server.kill();
    shop.login(&login).await.expect(200);
    is("degraded", json!(["redis"])).await;
    shop.login(&login).await.expect(200);
    shop.post("/api/auth/logout").token(&asha.token).send().await.expect(200);
    let me = async || shop.get("/api/auth/me").token(&asha.token).send().await;
    me().await.expect(401);
    server.start_again();
    is("ready", json!([])).await;
    shop.login(&login).await.expect(200);
    me().await.expect(401);
    let metrics = shop.metrics().await;
    assert!(metrics.contains("rate_limit_fallbacks_total") && metrics.contains("redis_up"), "{metrics}");
    shop.stop().await;
}
