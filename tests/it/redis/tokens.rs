//! A logout on one node is effective on every other at once, whatever happens to Redis.

use futures_util::future::join_all;
use jiff::SignedDuration;
use microbazaar::{
    actors::tokens::{RevokedTokens, TokenId},
    domain::Timestamp,
    store::StoreError,
};
use redis::Commands;
use test_support::{OwnServer, Proxy, eventually, servers};

use super::{
    node,
    nodes::{Node, Shop},
    prefix,
};

/// Waits until this node finds in Redis what it would otherwise ask the store.
async fn until_redis_is_enough(shop: &Shop, node: &Node, token: &str) {
    eventually("Redis is enough", async || {
        let asked = shop.asks.asked();
        assert!(node.takes(token).await);
        shop.asks.asked() == asked
    })
    .await;
}

/// A proxy to this Redis that can be cut, and its address.
async fn proxy(server: &OwnServer) -> (Proxy, String) {
    let address = server.url();
    let address = address.trim_start_matches("redis://").trim_end_matches('/');
    let proxy = Proxy::start(&format!("@{address}/0"));
    let way = format!("redis://{}", proxy.url.trim_start_matches('@'));
    (proxy, way)
}

/// Whether the token of a user who has no other is revoked.
async fn revoked(memory: &RevokedTokens, jti: &str, end: Timestamp) -> Result<bool, StoreError> {
    memory.is_revoked(TokenId { jti, user: "nobody", iat: 0, exp: end.as_second() }).await
}

#[actix_rt::test]
async fn a_logout_is_effective_on_every_node_at_once_without_the_store() {
    let Some(url) = servers::redis() else { return };
    let shop = Shop::open().await;
    let prefix = prefix();
    let one = shop.node(Some(node(&url, &prefix).await));
    let two = shop.node(Some(node(&url, &prefix).await));
    let stays = one.register().await;
    until_redis_is_enough(&shop, &two, &stays).await;
    for _ in 0..20 {
        let token = one.register().await;
        assert!(two.takes(&token).await, "also one that was seen alive here");
        one.logout(&token).await;
        assert!(!two.takes(&token).await && !one.takes(&token).await);
    }
    until_redis_is_enough(&shop, &two, &stays).await;
    shop.close(vec![one, two]).await;
}

#[actix_rt::test]
async fn a_caller_is_refused_before_the_body_while_the_token_is_looked_up() {
    let shop = Shop::open().await;
    // Without Redis each token is looked up in the store, and other extractors are faster.
    let node = shop.node(None);
    let (buyer, revoked) = (node.register().await, node.register().await);
    shop.shop.post("/api/auth/logout").token(&revoked).send().await.expect(200);
    for (path, media, body) in [
        ("/api/inventory/reserve", "application/json", "{"),
        ("/api/inventory/reserve", "text/plain", "x"),
        ("/api/inventory/commit", "application/json", "{\"orderId\": 5}"),
        ("/api/webhooks", "application/json", "[]"),
        ("/api/payments/none/refunds", "application/json", "{"),
        ("/api/admin/products/none/approve", "application/json", "{"),
    ] {
        let sent = |token| node.post(path, token).raw(media, body).send();
        assert_eq!(sent(&buyer).await.status, 403, "{path} {body}");
        sent(&revoked).await.refused(401, "auth.invalid_token");
        assert_eq!(sent("nonsense").await.status, 401, "{path} {body}");
    }
    assert_eq!(node.post("/api/cart/items", &buyer).raw("application/json", "{").send().await.status, 400);
    shop.close(vec![node]).await;
}

#[actix_rt::test]
async fn no_dead_token_becomes_valid_when_redis_restarts_empty() {
    let Some(mut server) = OwnServer::redis() else { return };
    let shop = Shop::open().await;
    let prefix = prefix();
    let one = shop.node(Some(node(&server.url(), &prefix).await));
    let two = shop.node(Some(node(&server.url(), &prefix).await));
    let stays = one.register().await;
    let mut dead = vec![];
    let mut log_out = async |from: &Node, seen: &Node| {
        let token = from.register().await;
        assert!(seen.takes(&token).await);
        from.logout(&token).await;
        dead.push(token);
        for token in &dead {
            assert!(!seen.takes(token).await && !from.takes(token).await);
        }
    };
    until_redis_is_enough(&shop, &two, &stays).await;
    log_out(&one, &two).await;
    server.kill();
    log_out(&one, &two).await;
    assert!(two.takes(&stays).await, "the others go on");
    server.start_again();
    log_out(&two, &one).await;
    until_redis_is_enough(&shop, &one, &stays).await;
    until_redis_is_enough(&shop, &two, &stays).await;
    log_out(&one, &two).await;
    // A node that starts now has none in memory.
    let three = shop.node(Some(node(&server.url(), &prefix).await));
    log_out(&two, &three).await;
    until_redis_is_enough(&shop, &three, &stays).await;
    log_out(&two, &three).await;
    shop.close(vec![one, two, three]).await;
}

#[actix_rt::test]
async fn no_dead_token_becomes_valid_when_redis_loses_data() {
    let Some(server) = OwnServer::redis() else { return };
    let shop = Shop::open().await;
    let now = Timestamp::now();
    let end = now + SignedDuration::from_hours(1);
    // More than one message to Redis can contain.
    let dead: Vec<String> = (0..1_200).map(|n| format!("{n:032x}")).collect();
    join_all(dead.iter().map(async |jti| shop.accounts().kill_token(jti, end).await.unwrap())).await;
    let prefix = prefix();
    let redis = node(&server.url(), &prefix).await;
    let mut flush = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    for round in 0..60 {
        // Each round uses a node without anything in memory.
        let memory = RevokedTokens::shared(shop.accounts(), Some(redis.clone()));
        for at in 0..20 {
            if at == 7 {
                // All of it, or a part, as when memory is short.
                let gone: String = if round % 2 == 0 { "*".to_owned() } else { "dead".to_owned() };
                let keys: Vec<String> = flush.keys(format!("{prefix}{gone}")).unwrap();
                let _gone: () = flush.del(keys).unwrap();
            }
            let jti = &dead[(round * 20 + at) % dead.len()];
            assert_eq!(revoked(&memory, jti, end).await, Ok(true), "round {round}");
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    }
    let memory = RevokedTokens::shared(shop.accounts(), Some(redis.clone()));
    eventually("Redis is enough", async || {
        let asked = shop.asks.asked();
        assert_eq!(revoked(&memory, "alive", end).await, Ok(false));
        shop.asks.asked() == asked
    })
    .await;
    let asked = shop.asks.asked();
    for jti in &dead {
        assert_eq!(revoked(&memory, jti, end).await, Ok(true), "every one is in Redis again");
    }
    assert_eq!(shop.asks.asked(), asked);
    drop(memory);
    shop.close(vec![]).await;
}

#[actix_rt::test]
async fn a_promoted_redis_is_not_trusted_before_it_is_synchronised() {
    let Some(mut server) = OwnServer::redis() else { return };
    let (proxy, way) = proxy(&server).await;
    let shop = Shop::open().await;
    let prefix = prefix();
    let node = shop.node(Some(node(&way, &prefix).await));
    let stays = node.register().await;
    let now = Timestamp::now();
    let end = now + SignedDuration::from_hours(1);
    for round in 0..5 {
        until_redis_is_enough(&shop, &node, &stays).await;
        proxy.cut();
        let jti = format!("lost{round}");
        shop.accounts().kill_token(&jti, end).await.unwrap();
        server.kill();
        server.start_again();
        // It has its marks, but not the last writes.
        let mut redis = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
        let _added: () = redis.zadd(format!("{prefix}dead"), "complete", now.as_second()).unwrap();
        let _set: () = redis.set_ex(format!("{prefix}dead:fresh"), 1, 60).unwrap();
        let connected = super::node(&way, &prefix);
        proxy.mend();
        let memory = RevokedTokens::shared(shop.accounts(), Some(connected.await));
        assert_eq!(revoked(&memory, &jti, end).await, Ok(true));
    }
    shop.close(vec![node]).await;
}

#[actix_rt::test]
async fn a_logout_is_effective_although_its_node_cannot_reach_redis() {
    let Some(server) = OwnServer::redis() else { return };
    let (proxy, way) = proxy(&server).await;
    let shop = Shop::open().await;
    let prefix = prefix();
    let cut_off = shop.node(Some(node(&way, &prefix).await));
    let other = shop.node(Some(node(&server.url(), &prefix).await));
    let stays = other.register().await;
    until_redis_is_enough(&shop, &other, &stays).await;
    proxy.cut();
    let log_outs = (0..10).map(async |_| {
        let token = other.register().await;
        assert!(other.takes(&token).await);
        cut_off.logout(&token).await;
        assert!(!other.takes(&token).await, "once it is answered it holds");
    });
    join_all(log_outs).await;
    until_redis_is_enough(&shop, &other, &stays).await;
    assert!(cut_off.takes(&stays).await);
    proxy.mend();
    until_redis_is_enough(&shop, &cut_off, &stays).await;
    shop.close(vec![cut_off, other]).await;
}

#[actix_rt::test]
async fn without_redis_the_store_is_asked_each_time() {
    let shop = Shop::open().await;
    let (one, two) = (shop.node(None), shop.node(None));
    let (token, stays) = (one.register().await, one.register().await);
    for _ in 0..3 {
        assert!(two.takes(&token).await);
    }
    assert_eq!(shop.asks.asked(), 3);
    one.logout(&token).await;
    let asked = shop.asks.asked();
    for _ in 0..3 {
        assert!(!two.takes(&token).await && !one.takes(&token).await);
    }
    assert_eq!(shop.asks.asked(), asked + 1, "dead stays dead");
    assert!(two.takes(&stays).await);
    shop.close(vec![one, two]).await;
}
