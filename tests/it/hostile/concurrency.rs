//! Many concurrent requests for one resource get their real responses, not 503.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use serde_json::json;

use super::{
    callers::{Badges, Caller},
    shop::Shop,
    targets::run,
    wire::Request,
};

/// More than the maximum number of retries.
const AT_ONCE: usize = 60;

/// The statuses of these requests, all sent at once.
async fn statuses(shop: &Shop, requests: impl Iterator<Item = Request>) -> BTreeMap<u16, usize> {
    let requests: Vec<Request> = requests.collect();
    let mut counts = BTreeMap::new();
    for answer in join_all(requests.iter().map(|request| shop.ask(request))).await {
        *counts.entry(answer.status).or_default() += 1;
    }
    counts
}

#[test]
fn many_concurrent_requests_for_one_resource_are_answered() {
    run(async {
        let shop = Shop::open().await;
        let badges = Badges::of(&shop).await;
        let (user, seller, admin) =
            (badges.token(Caller::User), badges.token(Caller::Seller), badges.token(Caller::Admin));
        let all = BTreeMap::from([(200, AT_ONCE)]);
        let many = |request: &dyn Fn(usize) -> Request| (0..AT_ONCE).map(request).collect::<Vec<_>>().into_iter();

        let address = |at| json!({"shippingAddress": {"street": format!("{at} Lake Road"), "city": "Pune", "state": "MH", "country": "IN", "zip": "411001"}});
        let path = format!("/api/orders/{}/address", shop.own.order);
        let ask = |at| Request::new("PATCH", path.clone()).bearer(user.as_deref()).json(address(at).to_string());
        assert_eq!(statuses(&shop, many(&ask)).await, all, "addresses of one order");

        let path = format!("/api/products/{}", shop.own.product);
        let ask = |at| {
            let title = json!({"title": format!("Lamp {at}"), "stock": 1_000 + at});
            Request::new("PATCH", path.clone()).bearer(seller.as_deref()).json(title.to_string())
        };
        assert_eq!(statuses(&shop, many(&ask)).await, all, "changes of one product");

        let item = json!({"productId": shop.own.product, "quantity": 1}).to_string();
        let ask = |_| Request::new("POST", "/api/cart/items").bearer(user.as_deref()).json(item.clone());
        assert_eq!(statuses(&shop, many(&ask)).await, all, "adds to one cart");

        let paid = format!("/sandbox/payments/{}", shop.own.gateway_order);
        let ask = |_| Request::new("POST", paid.clone()).bearer(user.as_deref()).json(r#"{"outcome":"failure"}"#);
        assert_eq!(statuses(&shop, many(&ask)).await, all, "failures of one payment");
        let checkout = shop.post(&paid, user.as_deref(), &json!({"outcome": "success"})).await;
        let ask = |_| Request::new("POST", "/api/payments/verify").bearer(user.as_deref()).json(checkout.to_string());
        assert_eq!(statuses(&shop, many(&ask)).await, all, "verifications of one payment");

        let path = format!("/api/payments/{}/refunds", shop.own.payment);
        let ask = |_| Request::new("POST", path.clone()).bearer(admin.as_deref()).json(r#"{"amount":{"amount":0.01}}"#);
        assert_eq!(statuses(&shop, many(&ask)).await, BTreeMap::from([(201, AT_ONCE)]), "refunds of one payment");
        let path = format!("/api/payments/order/{}", shop.own.order);
        let refunds = shop.get(&path, user.as_deref()).await["payment"]["refunds"].as_array().unwrap().len();
        assert_eq!(refunds, AT_ONCE);

        let path = format!("/api/orders/{}/ship", shop.own.order);
        let ask = |_| Request::new("POST", path.clone()).bearer(seller.as_deref()).json("{}");
        let shipped = statuses(&shop, many(&ask)).await;
        assert!(shipped[&200] >= 1 && shipped.keys().all(|status| matches!(status, 200 | 409)), "{shipped:?}");
        shop.is_well().await;
        shop.close().await;
    });
}
