//! Every call gives over HTTP what it gives in the process: answers, errors and arguments.

use std::sync::atomic::Ordering;

use actix_web::http::StatusCode;

use super::{HttpPeer, peer, serve, service::Service, tokens};
use crate::{
    domain::{
        Timestamp,
        cart::CartError,
        ids::{AddressId, OrderId, PaymentId, ProductId, RefundId, UserId},
        inventory::{Shortage, StockError, StockLine},
        money::{Currency, Money},
        order::{OrderPayment, OrderStatus, RefundNote},
        user::Role,
    },
    peers::{
        Accounts, CartChangeError, Carts, Catalogue, Inventory, InventoryError, ListQuery, Orders, Payments, PeerError,
        Sort,
        wire::{self, Call, Failure},
    },
};

/// Every call once, each result as text.
async fn every_call<S>(service: &S) -> Vec<String>
where
    S: Catalogue + Inventory + Carts + Orders + Accounts + Payments,
{
    let (product, nothing) = (ProductId::from_bytes([1; 12]), ProductId::from_bytes([0; 12]));
    let (order, no_order) = (OrderId::from_bytes([5; 12]), OrderId::from_bytes([0; 12]));
    let (user, nobody) = (UserId::from_bytes([8; 12]), UserId::from_bytes([0; 12]));
    let lines = vec![StockLine { product, quantity: 3 }, StockLine { product: nothing, quantity: 1 }];
    let paid = |payment_id: &str| OrderPayment {
        id: PaymentId::from_bytes([4; 12]),
        payment_id: payment_id.to_owned(),
        at: Timestamp::new(1, 999).unwrap(),
    };
    let refunded = RefundNote {
        refund: RefundId::from_bytes([6; 12]),
        amount: Money::new(5, Currency::Inr),
        reason: None,
        refunded: Some(Money::new(7, Currency::Inr)),
        pending: true,
    };
    let query = ListQuery {
        text: Some("desk \"lamp\" é".into()),
        min_price: Some(-1),
        max_price: Some(i64::MAX),
        category: Some("Lighting".into()),
        sort: Sort::PriceDesc,
        skip: 3,
        limit: 8,
        every_word: true,
        hidden: false,
    };
    vec![
        format!("{:?}", service.search(&query).await),
        format!("{:?}", service.search(&ListQuery::default()).await),
        format!("{:?}", service.categories().await),
        format!("{:?}", Carts::add(service, user, product, 999).await),
        format!("{:?}", Carts::set(service, user, product, 1).await),
        format!("{:?}", Carts::remove(service, user, product).await),
        format!("{:?}", service.of_user(user, Some(OrderStatus::Shipped), 7, 20).await),
        format!("{:?}", service.of_user(nobody, None, 0, 1).await),
        format!("{:?}", service.bought_with(product, 5).await),
        format!("{:?}", service.order_of(user, order).await),
        format!("{:?}", service.order_of(nobody, order).await),
        format!("{:?}", service.offers(&[product, nothing]).await),
        format!("{:?}", service.level(product).await),
        format!("{:?}", service.level(nothing).await),
        format!("{:?}", service.levels(&[product]).await),
        format!("{:?}", service.set_available(vec![(product, 7), (nothing, 0)]).await),
        format!("{:?}", service.set_available_if(product, -3, 7).await),
        format!("{:?}", service.reserve(order, lines.clone()).await),
        format!("{:?}", service.commit(order, Some(u64::MAX >> 1)).await),
        format!("{:?}", service.commit(order, None).await),
        format!("{:?}", service.retake(order, lines.clone(), Some(0)).await),
        format!("{:?}", service.release(order, Some(4)).await),
        format!("{:?}", service.cart(user).await),
        format!("{:?}", service.check_out(user, order, lines.clone()).await),
        format!("{:?}", service.restore(user, order, lines).await),
        format!("{:?}", service.refuse_payment(order).await),
        format!("{:?}", service.order(order).await),
        format!("{:?}", service.order(no_order).await),
        format!("{:?}", service.settle(order, paid("pay_1")).await),
        format!("{:?}", service.settle(order, paid("pay_2")).await),
        format!("{:?}", service.contact(user).await),
        format!("{:?}", service.contact(nobody).await),
        format!("{:?}", service.note_refund(order, refunded).await),
        format!("{:?}", service.admins().await),
        format!("{:?}", service.role(user).await),
        format!("{:?}", service.role(nobody).await),
        format!("{:?}", service.address(user, Some(AddressId::from_bytes([2; 12]))).await),
        format!("{:?}", service.address(user, None).await),
        format!("{:?}", service.captured(order).await),
        format!("{:?}", service.captured(no_order).await),
        format!("{:?}", service.refund(PaymentId::from_bytes([4; 12]), "money \"late\"".to_owned()).await),
    ]
}

#[actix_rt::test]
async fn every_call_over_http_gets_and_gives_what_it_does_in_the_process() {
    let (near, far) = (Service::default(), Service::default());
    let (server, at) = serve(far.exposed(), 0).unwrap();
    let here = every_call(&near).await;
    let there = every_call(&peer("product", at)).await;
    assert_eq!(there, here);
    assert!(here.iter().all(|answer| answer.starts_with("Ok")), "{here:?}");
    assert_eq!(*far.calls.lock(), *near.calls.lock(), "each was asked the same, and once");
    server.stop(false).await;
}

#[actix_rt::test]
async fn a_failure_is_the_same_failure_on_either_side() {
    let far = Service::default();
    let (server, at) = serve(far.exposed(), 0).unwrap();
    let peer = peer("inventory", at);
    let (order, product) = (OrderId::from_bytes([5; 12]), ProductId::from_bytes([1; 12]));
    let rules = [
        StockError::Short(vec![Shortage { product, requested: 9, available: -2 }]),
        StockError::Released,
        StockError::NoReservation,
        StockError::NoSuchProduct,
        StockError::Moved { available: -4 },
    ];
    for rule in rules {
        far.fail(Some(rule.clone().into()));
        assert_eq!(peer.reserve(order, vec![]).await, Err(InventoryError::Rule(rule.clone())));
        assert_eq!(peer.commit(order, None).await, Err(InventoryError::Rule(rule.clone())));
        assert_eq!(peer.set_available_if(product, 1, 2).await, Err(InventoryError::Rule(rule.clone())));
        assert_eq!(peer.retake(order, vec![], None).await, Err(InventoryError::Rule(rule)));
    }
    far.fail(None);
    let cart_rules = [
        CartError::NotInCart.into(),
        CartError::InsufficientStock { available: -3 }.into(),
        CartError::MaxPerOrder { max: 3 }.into(),
        CartError::QuantityTooLarge.into(),
        CartError::TooManyLines.into(),
        CartError::NotForSale { product: ProductId::from_bytes([9; 12]) }.into(),
        CartChangeError::NoSuchProduct,
    ];
    for rule in cart_rules {
        *far.cart_rule.lock() = Some(rule.clone());
        let user = UserId::from_bytes([8; 12]);
        assert_eq!(Carts::add(&peer, user, product, 1).await, Err(rule.clone()));
        assert_eq!(Carts::set(&peer, user, product, 1).await, Err(rule.clone()));
        assert_eq!(Carts::remove(&peer, user, product).await, Err(rule));
    }
    *far.cart_rule.lock() = None;
    for error in [PeerError::Busy("cart"), PeerError::Unavailable("auth"), PeerError::Deadline("inventory")] {
        far.fail(Some(error.clone().into()));
        let (near_calls, far_calls) = (every_call(&far).await, every_call(&peer).await);
        assert_eq!(far_calls, near_calls, "{error}");
    }
    assert!(peer.is_up(), "a peer that says no is there");
    server.stop(false).await;
}

#[actix_rt::test]
async fn only_a_service_may_call() {
    let far = Service::default();
    let (server, at) = serve(far.exposed(), 0).unwrap();
    let client = HttpPeer::client().unwrap();
    let now = Timestamp::now();
    let foreign = crate::http::tokens::Tokens::new(b"another secret of thirty-two bytes, or so");
    let user = |role| tokens().issue(UserId::generate(), role, now).unwrap().0;
    let status = async |call: Call, token: Option<String>, body: &'static str| {
        let request = client.post(format!("http://{at}{}", call.path())).body(body);
        let request = if let Some(token) = token { request.bearer_auth(token) } else { request };
        request.send().await.unwrap().status().as_u16()
    };
    for call in [wire::RELEASE, wire::SETTLE, wire::REFUND, wire::CONTACT, wire::CART, Call::ping("product")] {
        assert_eq!(status(call, None, "{}").await, 401);
        assert_eq!(status(call, Some("nonsense".into()), "{}").await, 401);
        assert_eq!(status(call, foreign.issue_service("order", now).ok(), "{}").await, 401);
        for role in [Role::User, Role::Seller, Role::Admin] {
            assert_eq!(status(call, Some(user(role)), "{}").await, 403, "{role:?}");
        }
    }
    let service = || tokens().issue_service("order", now).ok();
    for body in ["", "no JSON", "[]", "{\"order\":1}"] {
        let refused = status(wire::RELEASE, service(), body).await;
        assert_eq!(refused, StatusCode::BAD_REQUEST.as_u16(), "{body}");
    }
    assert!(far.calls.lock().is_empty(), "none of these was done");
    assert_eq!(status(Call::ping("cart"), service(), "{}").await, 200);
    server.stop(false).await;
}

#[actix_rt::test]
async fn a_call_is_given_up_when_its_caller_has() {
    let far = Service::default();
    far.hangs.store(true, Ordering::Relaxed);
    let (server, at) = serve(far.exposed(), 0).unwrap();
    let request = HttpPeer::client().unwrap().post(format!("http://{at}{}", wire::RELEASE.path()));
    let request = request.bearer_auth(tokens().issue_service("order", Timestamp::now()).unwrap());
    let answer = request.header(wire::DEADLINE, "10").body(r#"{"order":"050505050505050505050505"}"#).send();
    let answer = answer.await.unwrap();
    assert_eq!(answer.status().as_u16(), 503);
    let failure: Failure = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    assert_eq!(failure, Failure::Deadline("inventory".to_owned()));
    let order = OrderId::from_bytes([5; 12]);
    assert_eq!(peer("inventory", at).release(order, None).await, Err(PeerError::Deadline("inventory")));
    server.stop(false).await;
}
