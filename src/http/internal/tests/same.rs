//! Every call gives over HTTP what it gives in the process: arguments, replies and errors.

use std::{
    fmt::Debug,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use jiff::SignedDuration;

use super::{answering, ask, peer, serve, text, tokens};
use crate::{
    actors::{
        inventory::calls::{
            CommitStock, GetStock, GetStockOfMany, ReleaseStock, ReserveStock, RetakeStock, SetStock, SetStockIfSeen,
        },
        order_saga::calls::{
            CancelOrder, DeliverOrder, Destination, Expected, GetBoughtTogether, GetOrder, GetOrderByKey, GetOrderFor,
            GetOrderTotals, GetOrdersOfUser, NoteOrderRefund, OrderRefusal, Party, PlaceOrder, Placed,
            RefuseOrderPayment, SetOrderAddress, SettleOrder, Settlement, ShipOrder,
        },
        seller_dashboard::calls::{GetSellerMetrics, GetSellerOrders, GetSellerProducts},
    },
    config::Service,
    domain::{
        Timestamp,
        ids::{AddressId, OrderId, PaymentId, ProductId, RefundId, UserId},
        inventory::{Reservation, ReservationState, Shortage, StockError, StockLevel, StockLine},
        money::{Currency, Money},
        order::{
            NewOrder, Order, OrderError, OrderItem, OrderPayment, OrderStatus, Pricing, RefundNote, Shipment, Totals,
        },
        user::{PostalAddress, Role},
    },
    runtime::calls::{
        Call, CallError, Calls, Outcome, Registry,
        remote::{DEADLINE, PING, Peer, ROOT},
    },
    store::{
        Page,
        dashboard::{Metrics, ProductRow, Range},
        orders::OrderKey,
    },
};

/// Does `call` in the process and over HTTP: both handlers get what the caller sent, and both callers get `outcome`.
async fn same<C>(call: C, outcome: Outcome<C>)
where
    C: Call + Clone + Debug + Sync,
    C::Reply: Clone + Debug + Sync,
    C::Error: Clone + Debug + Sync,
{
    let asked = Arc::new(AtomicUsize::new(0));
    let registry = || {
        let (sent, outcome, asked) = (text(&call), outcome.clone(), Arc::clone(&asked));
        let mut registry = Registry::default();
        registry.on(move |got: C| {
            assert_eq!(text(&got), sent, "the handler gets what the caller sent");
            asked.fetch_add(1, Ordering::Relaxed);
            std::future::ready(outcome.clone())
        });
        registry
    };
    let near = Calls::local(registry());
    assert_eq!(text(&near.ask(call.clone()).await), text(&outcome));
    let (server, at) = serve(registry(), 0).unwrap();
    let far = Calls::default();
    far.connect(Registry::default(), [peer(C::SERVICE, at)]);
    assert_eq!(text(&far.ask(call.clone()).await), text(&outcome), "{}", C::name());
    let tries = if matches!(outcome, Err(CallError::Unavailable(_))) && C::REPEATABLE { 3 } else { 1 };
    assert_eq!(asked.load(Ordering::Relaxed), 1 + tries, "{}", C::name());
    server.stop(false).await;
}

const PRODUCT: ProductId = ProductId::from_bytes([1; 12]);
const ORDER: OrderId = OrderId::from_bytes([5; 12]);
const USER: UserId = UserId::from_bytes([8; 12]);

fn lines() -> Vec<StockLine> {
    vec![
        StockLine { product: PRODUCT, quantity: 3 },
        StockLine { product: ProductId::from_bytes([0; 12]), quantity: 1 },
    ]
}

fn reservation() -> Reservation {
    let expires_at = Timestamp::new(1, 999).unwrap();
    Reservation { order: ORDER, lines: lines(), state: ReservationState::Held, expires_at }
}

#[actix_rt::test]
async fn calls_of_the_inventory_are_the_same_on_either_side() {
    let level =
        StockLevel { on_hand: -1, reserved: i64::MAX, sold: 3, version: u64::MAX >> 1, ..StockLevel::empty(PRODUCT) };
    same(GetStock { product: PRODUCT }, Ok(Some(level))).await;
    same(GetStock { product: PRODUCT }, Ok(None)).await;
    same(GetStockOfMany { products: vec![PRODUCT, PRODUCT] }, Ok(vec![level, level])).await;
    same(SetStock { levels: vec![(PRODUCT, u32::MAX)] }, Ok(vec![level])).await;
    same(SetStockIfSeen { product: PRODUCT, seen: -3, available: 7 }, Ok(level)).await;
    same(ReserveStock { order: ORDER, lines: lines() }, Ok(reservation())).await;
    same(CommitStock { order: ORDER, fence: Some(u64::MAX >> 1) }, Ok(reservation())).await;
    same(CommitStock { order: ORDER, fence: None }, Ok(reservation())).await;
    same(RetakeStock { order: ORDER, lines: lines(), fence: Some(0) }, Ok(reservation())).await;
    same(ReleaseStock { order: ORDER, fence: Some(4) }, Ok(reservation())).await;
}

fn order() -> Order {
    let item = OrderItem {
        product: PRODUCT,
        title: "A \"lamp\" \u{e9}".into(),
        seller: USER,
        quantity: 3,
        price: Money::new(i64::MAX >> 12, Currency::Usd),
        shipment: Shipment::Shipped,
        tracking_number: Some("1".into()),
    };
    let new = NewOrder {
        id: ORDER,
        user: USER,
        items: vec![OrderItem { price: Money::new(1, Currency::Inr), ..item.clone() }],
        shipping_address: Some(PostalAddress { phone: Some("+91".into()), ..PostalAddress::default() }),
        cart_version: u64::MAX >> 1,
        window: SignedDuration::from_mins(15),
    };
    let pricing = Pricing { tax_basis_points: 1_000, shipping_minor: 5 };
    let order = Order::place(new, &pricing, Timestamp::new(1, 999).unwrap()).unwrap();
    Order { items: vec![item], version: 3, ..order }
}

#[actix_rt::test]
async fn calls_of_the_orders_are_the_same_on_either_side() {
    let (who, placed) = (Party::Buyer(USER), order());
    let expected = Expected { total: Some((-1, Some(Currency::Usd))), cart_version: Some(0) };
    let address = PostalAddress { full_name: Some("A \u{928}".into()), ..PostalAddress::default() };
    for destination in [
        Destination::Default,
        Destination::Kept(AddressId::from_bytes([2; 12])),
        Destination::Here(address.clone()),
        Destination::Unknown,
    ] {
        let key = Some(("key".to_owned(), "hash".to_owned()));
        let reply = Placed { order: placed.clone(), replayed: true };
        same(PlaceOrder { user: USER, destination, expected, key }, Ok(reply)).await;
    }
    let totals = Pricing { tax_basis_points: 7, shipping_minor: 0 }.totals(&placed.items).ok();
    let totals = totals.ok_or(CallError::Refused(OrderRefusal::Rule(OrderError::TooLarge)));
    same(GetOrderTotals { items: placed.items.clone() }, totals).await;
    same(GetOrder { order: ORDER }, Ok(Some(placed.clone()))).await;
    same(GetOrder { order: ORDER }, Ok(None)).await;
    same(GetOrderFor { order: ORDER, who: Party::Admin }, Ok(placed.clone())).await;
    same(GetOrderByKey { user: USER, key: "\u{0}".into() }, Ok(None)).await;
    let page = Page { rows: vec![placed.clone()], total: u64::MAX >> 1 };
    same(GetOrdersOfUser { user: USER, status: Some(OrderStatus::Shipped), skip: 7, limit: 20 }, Ok(page)).await;
    same(GetBoughtTogether { product: PRODUCT, limit: 5 }, Ok(vec![PRODUCT])).await;
    same(CancelOrder { order: ORDER, who, reason: Some("\n".into()) }, Ok(placed.clone())).await;
    same(SetOrderAddress { order: ORDER, who, address }, Ok(placed.clone())).await;
    same(ShipOrder { order: ORDER, who: Party::Seller(USER), tracking: None }, Ok(placed.clone())).await;
    same(DeliverOrder { order: ORDER, who, tracking: Some("1".into()) }, Ok(placed.clone())).await;
    let payment = OrderPayment {
        id: PaymentId::from_bytes([4; 12]),
        payment_id: "pay_1".into(),
        at: Timestamp::new(1, 999).unwrap(),
    };
    for settlement in [Settlement::Kept, Settlement::GiveBack] {
        same(SettleOrder { order: ORDER, payment: payment.clone() }, Ok(settlement)).await;
    }
    same(RefuseOrderPayment { order: ORDER }, Ok(placed.clone())).await;
    let note = RefundNote {
        refund: RefundId::from_bytes([6; 12]),
        amount: Money::new(5, Currency::Inr),
        reason: None,
        refunded: Some(Money::new(7, Currency::Inr)),
        pending: true,
    };
    same(NoteOrderRefund { order: ORDER, note }, Ok(())).await;
    let money = Money::new(3, Currency::Inr);
    let wrong_state = OrderError::WrongState { status: OrderStatus::Shipped, action: "cancelled".into() };
    for refusal in [
        OrderRefusal::NotFound,
        OrderRefusal::NotYours,
        OrderRefusal::Rule(wrong_state),
        OrderRefusal::Rule(OrderError::EmptyCart),
        OrderRefusal::MaxPerOrder { product: PRODUCT, max: 2 },
        OrderRefusal::NotForSale(placed.items.clone()),
        OrderRefusal::Short(vec![Shortage { product: PRODUCT, requested: 9, available: -2 }]),
        OrderRefusal::TotalChanged(Totals { subtotal: money, tax: money, shipping: money, total: money }),
        OrderRefusal::TooManyUnpaid(10),
        OrderRefusal::NoSuchAddress,
        OrderRefusal::BadAddress(PostalAddress::default().settled().expect_err("it is empty")),
        OrderRefusal::KeyReused,
        OrderRefusal::Taken(OrderKey::Idempotency),
    ] {
        same(CancelOrder { order: ORDER, who, reason: None }, Err(CallError::Refused(refusal))).await;
    }
}

#[actix_rt::test]
async fn calls_of_the_seller_dashboard_are_the_same_on_either_side() {
    let range = Range { from: Some(Timestamp::MIN), to: None };
    let metrics = Metrics {
        sales: u64::MAX >> 1,
        revenue: vec![Money::new(-1, Currency::Usd)],
        orders_by_status: vec![(OrderStatus::Cancelled, 3)],
        ..Metrics::default()
    };
    same(GetSellerMetrics { seller: USER, range }, Ok(metrics)).await;
    let product = ProductRow { id: PRODUCT, document: serde_json::json!({"price": 9.5, "title": "\u{928}"}), sold: 3 };
    same(GetSellerProducts { seller: USER, skip: 7, limit: 20 }, Ok(Page { rows: vec![product], total: 9 })).await;
    for to_ship in [false, true] {
        let call = GetSellerOrders { seller: USER, to_ship, skip: 0, limit: 1 };
        same(call, Ok(Page { rows: vec![], total: 0 })).await;
    }
}

#[actix_rt::test]
async fn errors_are_the_same_on_either_side() {
    let rules = [
        StockError::Short(vec![Shortage { product: PRODUCT, requested: 9, available: -2 }]),
        StockError::Released,
        StockError::NoReservation,
        StockError::NoSuchProduct,
        StockError::Moved { available: -4 },
    ];
    for rule in rules {
        same(CommitStock { order: ORDER, fence: None }, Err(CallError::Refused(rule))).await;
    }
    for failure in [
        CallError::Conflict,
        CallError::Busy("cart".into()),
        CallError::Unavailable("auth".into()),
        CallError::OutcomeUnknown("inventory".into()),
        CallError::Internal("a fault".into()),
    ] {
        same(CommitStock { order: ORDER, fence: None }, Err(failure.clone())).await;
        same(SetStockIfSeen { product: PRODUCT, seen: 1, available: 2 }, Err(failure)).await;
    }
}

#[actix_rt::test]
async fn only_a_service_may_call() {
    let (server, at) = serve(answering::<ReleaseStock>(Ok(reservation())), 0).unwrap();
    let client = Peer::client().unwrap();
    let now = Timestamp::now();
    let foreign = crate::http::tokens::Tokens::new(b"another secret of thirty-two bytes, or so");
    let user = |role| tokens().issue(UserId::generate(), role, now).unwrap().0;
    let status = async |name: &str, token: Option<String>, body: &'static str| {
        let request = client.post(format!("http://{at}{ROOT}/{name}")).body(body);
        let request = if let Some(token) = token { request.bearer_auth(token) } else { request };
        request.send().await.unwrap().status().as_u16()
    };
    let service = || tokens().issue_service("order", now).ok();
    let ping = format!("inventory.{PING}");
    for name in [ReleaseStock::name().as_str(), ping.as_str()] {
        assert_eq!(status(name, None, "{}").await, 401);
        assert_eq!(status(name, Some("nonsense".into()), "{}").await, 401);
        assert_eq!(status(name, foreign.issue_service("order", now).ok(), "{}").await, 401);
        for role in [Role::User, Role::Seller, Role::Admin] {
            assert_eq!(status(name, Some(user(role)), "{}").await, 403, "{role:?}");
        }
    }
    for body in ["", "no JSON", "[]", "{\"order\":1}"] {
        assert_eq!(status(&ReleaseStock::name(), service(), body).await, 400, "{body}");
    }
    for name in [format!("cart.{PING}"), CommitStock::name(), "inventory".to_owned(), ".".to_owned()] {
        assert_eq!(status(&name, service(), "{}").await, 404, "{name} is not served here");
    }
    assert_eq!(status(&ping, service(), "{}").await, 200);
    server.stop(false).await;
}

#[actix_rt::test]
async fn a_call_is_given_up_when_its_caller_has() {
    let mut registry = Registry::default();
    registry.on(async |_: ReleaseStock| std::future::pending().await);
    let (server, at) = serve(registry, 0).unwrap();
    let request = Peer::client().unwrap().post(format!("http://{at}{ROOT}/{}", ReleaseStock::name()));
    let request = request.bearer_auth(tokens().issue_service("order", Timestamp::now()).unwrap());
    let answer = request.header(DEADLINE, "10").json(&ReleaseStock { order: ORDER, fence: None }).send();
    let answer = answer.await.unwrap();
    assert_eq!(answer.status().as_u16(), 503);
    let error: CallError<()> = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    assert_eq!(error, CallError::OutcomeUnknown("inventory".into()));
    let late = ask(&peer(Service::Inventory, at), ReleaseStock { order: ORDER, fence: None }).await;
    assert_eq!(text(&late), text(&Err::<(), _>(CallError::<()>::OutcomeUnknown("inventory".into()))));
    server.stop(false).await;
}

#[actix_rt::test]
async fn what_nobody_answers_is_unavailable() {
    let calls = Calls::default();
    let ask = async || text(&calls.ask(GetStock { product: PRODUCT }).await);
    assert_eq!(ask().await, "Err(Unavailable(\"inventory\"))", "before it is connected");
    calls.connect(Registry::default(), []);
    assert_eq!(ask().await, "Err(Unavailable(\"inventory\"))", "and where no process has it");
    let mut hidden = answering::<GetStock>(Ok(None));
    hidden.expose(|_| false);
    let calls = Calls::local(hidden);
    assert_eq!(text(&calls.ask(GetStock { product: PRODUCT }).await), "Ok(None)");
    assert!(calls.answer(&GetStock::name(), b"{}").is_none(), "and not for other processes");
    assert!(!calls.exposes(Service::Inventory));
}
