//! Every call has the same arguments, replies and errors over HTTP as in the process.

mod accounts;
mod payment;

use std::{
    fmt::Debug,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use jiff::SignedDuration;

use super::{answering, ask, peer, serve, text, tokens};
use crate::{
    actors::{
        cart::calls::{AddToCart, CheckOutCart, ClearCart, GetCart, RemoveFromCart, RestoreCart, SetQuantity},
        catalogue::{
            calls::{
                ChangeProduct, CountProducts, CreateProduct, DeleteProduct, Editor, GetCategories, GetImports,
                GetOffer, GetOffers, GetProductsOfSeller, ImportFile, InsertProducts, ProductRefusal, RemoveImage,
                SearchPage, SearchProducts, SetProductStatus, StockChange,
            },
            index::{ListQuery, Sort},
        },
        inventory::calls::{
            CommitStock, GetStock, GetStockOfMany, ReleaseStock, ReserveStock, RetakeStock, SetStock, SetStockIfSeen,
        },
        order_saga::calls::{
            CancelOrder, DeliverOrder, Destination, Expected, GetBoughtTogether, GetOrder, GetOrderByKey, GetOrderFor,
            GetOrderTotals, GetOrdersOfUser, NoteOrderRefund, OrderRefusal, Party, PlaceOrder, Placed,
            RefuseOrderPayment, SetOrderAddress, SettleOrder, Settlement, ShipOrder,
        },
        seller_dashboard::calls::{GetSellerMetrics, GetSellerOrders, GetSellerProducts},
        webhook::calls::{
            Caller, ChangeWebhook, DeleteWebhook, GetWebhook, GetWebhookDeliveries, GetWebhooks, PingWebhook,
            RedeliverWebhook, RegisterWebhook, RotateWebhookSecret, WebhookPatch, WebhookRefusal,
        },
    },
    config::Service,
    domain::{
        Timestamp,
        cart::{Cart, CartError},
        ids::{
            AddressId, CartId, ConversationId, ImageId, ImportId, OrderId, PaymentId, ProductId, RefundId, UserId,
            WebhookDeliveryId, WebhookId,
        },
        import::{ChangedRow, Import, ImportRow, LeftOut, RowChange, Tally},
        inventory::{Reservation, ReservationState, Shortage, StockError, StockLevel, StockLine},
        money::{Currency, Money},
        order::{
            NewOrder, Order, OrderError, OrderItem, OrderPayment, OrderStatus, Pricing, RefundNote, Shipment, Totals,
        },
        product::{Image, Offer, Product, ProductError, ProductPatch, ProductStatus},
        user::{PostalAddress, Role},
        webhook::{Webhook, WebhookSecret},
    },
    integrations::image::ImageError,
    runtime::calls::{
        Call, CallError, Calls, Outcome, Registry,
        remote::{DEADLINE, PING, Peer, ROOT},
    },
    store::{
        Page,
        dashboard::{Metrics, ProductRow, Range},
        orders::OrderKey,
    },
    ws::chat::calls::{ChatRefusal, DeleteConversation, GetConversation, GetConversations},
};

/// Makes `call` in the process and over HTTP: both handlers get what the caller sent, and both callers get `outcome`.
pub(crate) async fn assert_round_trip<C>(call: C, outcome: Outcome<C>)
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
    assert_round_trip(GetStock { product: PRODUCT }, Ok(Some(level))).await;
    assert_round_trip(GetStock { product: PRODUCT }, Ok(None)).await;
    assert_round_trip(GetStockOfMany { products: vec![PRODUCT, PRODUCT] }, Ok(vec![level, level])).await;
    assert_round_trip(SetStock { levels: vec![(PRODUCT, u32::MAX)] }, Ok(vec![level])).await;
    assert_round_trip(SetStockIfSeen { product: PRODUCT, seen: -3, available: 7 }, Ok(level)).await;
    assert_round_trip(ReserveStock { order: ORDER, lines: lines() }, Ok(reservation())).await;
    assert_round_trip(CommitStock { order: ORDER, fence: Some(u64::MAX >> 1) }, Ok(reservation())).await;
    assert_round_trip(CommitStock { order: ORDER, fence: None }, Ok(reservation())).await;
    assert_round_trip(RetakeStock { order: ORDER, lines: lines(), fence: Some(0) }, Ok(reservation())).await;
    assert_round_trip(ReleaseStock { order: ORDER, fence: Some(4) }, Ok(reservation())).await;
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
        assert_round_trip(PlaceOrder { user: USER, destination, expected, key }, Ok(reply)).await;
    }
    let totals = Pricing { tax_basis_points: 7, shipping_minor: 0 }.totals(&placed.items).ok();
    let totals = totals.ok_or(CallError::Refused(OrderRefusal::Rule(OrderError::TooLarge)));
    assert_round_trip(GetOrderTotals { items: placed.items.clone() }, totals).await;
    assert_round_trip(GetOrder { order: ORDER }, Ok(Some(placed.clone()))).await;
    assert_round_trip(GetOrder { order: ORDER }, Ok(None)).await;
    assert_round_trip(GetOrderFor { order: ORDER, who: Party::Admin }, Ok(placed.clone())).await;
    assert_round_trip(GetOrderByKey { user: USER, key: "\u{0}".into() }, Ok(None)).await;
    let page = Page { rows: vec![placed.clone()], total: u64::MAX >> 1 };
    assert_round_trip(GetOrdersOfUser { user: USER, status: Some(OrderStatus::Shipped), skip: 7, limit: 20 }, Ok(page))
        .await;
    assert_round_trip(GetBoughtTogether { product: PRODUCT, limit: 5 }, Ok(vec![PRODUCT])).await;
    assert_round_trip(CancelOrder { order: ORDER, who, reason: Some("\n".into()) }, Ok(placed.clone())).await;
    assert_round_trip(SetOrderAddress { order: ORDER, who, address }, Ok(placed.clone())).await;
    assert_round_trip(ShipOrder { order: ORDER, who: Party::Seller(USER), tracking: None }, Ok(placed.clone())).await;
    assert_round_trip(DeliverOrder { order: ORDER, who, tracking: Some("1".into()) }, Ok(placed.clone())).await;
    let payment = OrderPayment {
        id: PaymentId::from_bytes([4; 12]),
        payment_id: "pay_1".into(),
        at: Timestamp::new(1, 999).unwrap(),
    };
    for settlement in [Settlement::Kept, Settlement::GiveBack] {
        assert_round_trip(SettleOrder { order: ORDER, payment: payment.clone() }, Ok(settlement)).await;
    }
    assert_round_trip(RefuseOrderPayment { order: ORDER }, Ok(placed.clone())).await;
    let note = RefundNote {
        refund: RefundId::from_bytes([6; 12]),
        amount: Money::new(5, Currency::Inr),
        reason: None,
        refunded: Some(Money::new(7, Currency::Inr)),
        pending: true,
    };
    assert_round_trip(NoteOrderRefund { order: ORDER, note }, Ok(())).await;
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
        assert_round_trip(CancelOrder { order: ORDER, who, reason: None }, Err(CallError::Refused(refusal))).await;
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
    assert_round_trip(GetSellerMetrics { seller: USER, range }, Ok(metrics)).await;
    let product = ProductRow { id: PRODUCT, document: serde_json::json!({"price": 9.5, "title": "\u{928}"}), sold: 3 };
    assert_round_trip(
        GetSellerProducts { seller: USER, skip: 7, limit: 20 },
        Ok(Page { rows: vec![product], total: 9 }),
    )
    .await;
    for to_ship in [false, true] {
        let call = GetSellerOrders { seller: USER, to_ship, skip: 0, limit: 1 };
        assert_round_trip(call, Ok(Page { rows: vec![], total: 0 })).await;
    }
}

#[actix_rt::test]
async fn calls_of_the_cart_are_the_same_on_either_side() {
    let (user, product, order) = (UserId::from_bytes([2; 12]), PRODUCT, ORDER);
    let cart = Cart {
        lines: lines(),
        checkouts: vec![ORDER],
        restored: vec![ORDER, ORDER],
        version: u64::MAX >> 1,
        ..Cart::empty(CartId::from_bytes([3; 12]), user, Timestamp::new(1, 999).unwrap())
    };
    let empty = Cart::empty(CartId::from_bytes([0; 12]), user, Timestamp::UNIX_EPOCH);
    assert_round_trip(GetCart { user }, Ok(cart.clone())).await;
    assert_round_trip(GetCart { user }, Ok(empty.clone())).await;
    assert_round_trip(AddToCart { user, product, quantity: u32::MAX }, Ok(cart.clone())).await;
    assert_round_trip(SetQuantity { user, product, quantity: 0 }, Ok(cart.clone())).await;
    assert_round_trip(RemoveFromCart { user, product }, Ok(empty.clone())).await;
    assert_round_trip(ClearCart { user }, Ok(empty.clone())).await;
    assert_round_trip(CheckOutCart { user, order, bought: lines() }, Ok(empty)).await;
    assert_round_trip(RestoreCart { user, order, bought: vec![] }, Ok(cart)).await;
    for rule in [
        CartError::NoSuchProduct,
        CartError::NotInCart,
        CartError::InsufficientStock { available: -4 },
        CartError::MaxPerOrder { max: u32::MAX },
        CartError::QuantityTooLarge,
        CartError::NotForSale { product },
        CartError::TooManyLines,
    ] {
        assert_round_trip(SetQuantity { user, product, quantity: 1 }, Err(CallError::Refused(rule))).await;
    }
}

pub(crate) fn offer() -> Offer {
    let image = Image { id: ImageId::from_bytes([7; 12]), url: "/å".into(), thumbnail: String::new() };
    let product = Product {
        id: PRODUCT,
        title: "灯 \"\u{0}\u{202e}".into(),
        description: "a\r\nb".into(),
        price: Money::new(i64::MAX, Currency::Usd),
        category: String::new(),
        seller: UserId::from_bytes([2; 12]),
        images: vec![image],
        max_per_order: Some(u32::MAX),
        status: ProductStatus::TakenDown,
        status_reason: Some("why".into()),
        created_at: Timestamp::new(-1, 0).unwrap(),
        updated_at: Timestamp::new(1, 999_000).unwrap(),
        version: u64::MAX >> 1,
    };
    Offer { product: Arc::new(product), available: i64::MIN, for_sale: false }
}

#[actix_rt::test]
async fn reads_of_products_are_the_same_on_either_side() {
    let (product, seller) = (PRODUCT, UserId::from_bytes([2; 12]));
    let rows = vec![offer(), Offer { for_sale: true, ..offer() }];
    assert_round_trip(GetOffer { product }, Ok(Some(offer()))).await;
    assert_round_trip(GetOffer { product }, Ok(None)).await;
    assert_round_trip(GetOffers { products: vec![product, product] }, Ok(rows.clone())).await;
    let query = ListQuery {
        text: Some("å\u{0}".into()),
        min_price: Some(i64::MIN),
        max_price: None,
        category: Some(String::new()),
        sort: Sort::PriceDesc,
        skip: usize::MAX >> 1,
        limit: 0,
        every_word: true,
        hidden: false,
    };
    let unknown = Arc::from(["灯".to_owned()]);
    assert_round_trip(SearchProducts { query }, Ok(SearchPage { rows: rows.clone(), total: u64::MAX, unknown })).await;
    let hidden = ListQuery { hidden: true, ..ListQuery::default() };
    let sent = serde_json::to_string(&SearchProducts { query: hidden }).unwrap();
    assert!(!sent.contains("hidden"), "what is hidden is shown to no other process: {sent}");
    assert_round_trip(GetCategories {}, Ok(Arc::from([(String::new(), u64::MAX), ("家".to_owned(), 0)]))).await;
    assert_round_trip(GetProductsOfSeller { seller, skip: u64::MAX, limit: 0 }, Ok(Page { rows, total: 2 })).await;
    assert_round_trip(CountProducts {}, Ok(u64::MAX)).await;
    assert_round_trip(GetImports { seller, limit: u32::MAX }, Ok(vec![])).await;
}

#[actix_rt::test]
async fn changes_of_products_are_the_same_on_either_side() {
    let (product, seller) = (PRODUCT, UserId::from_bytes([2; 12]));
    let files = vec![Bytes::from_static(&[0, 255, 10]), Bytes::new()];
    let create = CreateProduct {
        seller,
        title: "灯".into(),
        description: String::new(),
        price: Money::new(1, Currency::Inr),
        stock: u32::MAX,
        category: "家".into(),
        max_per_order: None,
        files: files.clone(),
    };
    assert_round_trip(create, Ok(offer())).await;
    for max_per_order in [None, Some(None), Some(Some(0))] {
        let patch = ProductPatch { title: Some("å".into()), max_per_order, ..ProductPatch::default() };
        let stock = StockChange { available: Some(u32::MAX), seen: Some(i64::MIN) };
        let files = files.clone();
        assert_round_trip(ChangeProduct { product, editor: Editor::seller(seller), patch, stock, files }, Ok(offer()))
            .await;
    }
    let image = ImageId::from_bytes([7; 12]);
    assert_round_trip(RemoveImage { product, editor: Editor::ADMIN, image }, Ok(offer())).await;
    assert_round_trip(SetProductStatus { product, status: ProductStatus::Live, reason: None }, Ok(offer())).await;
    assert_round_trip(InsertProducts { products: vec![((*offer().product).clone(), u32::MAX)] }, Ok(())).await;
    let delete = DeleteProduct { product, editor: Editor::ADMIN };
    assert_round_trip(delete.clone(), Ok(())).await;
    for refusal in [
        ProductRefusal::NotFound,
        ProductRefusal::NotYours,
        ProductRefusal::Rule(ProductError::TooManyImages),
        ProductRefusal::Rule(ProductError::NoSuchImage),
        ProductRefusal::Picture(ImageError::TooManyPixels),
        ProductRefusal::Stock(StockError::Moved { available: -4 }),
    ] {
        assert_round_trip(delete.clone(), Err(CallError::Refused(refusal))).await;
    }
}

#[actix_rt::test]
async fn an_import_is_the_same_on_either_side() {
    let seller = UserId::from_bytes([2; 12]);
    let patch = ProductPatch { max_per_order: Some(None), ..ProductPatch::default() };
    let change = ChangedRow { product: PRODUCT, patch, stock: Some(0), stock_seen: None };
    let rows = vec![ImportRow { line: u64::MAX, title: "灯".into(), change: RowChange::Change(Box::new(change)) }];
    let left_out = vec![LeftOut { line: 3, title: String::new(), what: vec!["å".into()] }];
    let tally = Tally { same: u64::MAX, left_out, ..Tally::default() };
    let import = Import {
        id: ImportId::from_bytes([4; 12]),
        seller,
        digest: "ff".into(),
        name: "å.csv".into(),
        created_at: Timestamp::UNIX_EPOCH,
        started_at: Timestamp::UNIX_EPOCH,
        run: u32::MAX,
        rows: 1,
        done: 0,
        note: None,
        stock_set: vec![u64::MAX],
        attempts: 0,
        tally: tally.clone(),
        finished_at: None,
        due_at: Timestamp::UNIX_EPOCH,
        version: 1,
    };
    assert_round_trip(
        ImportFile { seller, digest: vec![0, 255], name: "å.csv".into(), rows, tally },
        Ok(import.clone()),
    )
    .await;
    assert_round_trip(GetImports { seller, limit: 1 }, Ok(vec![import])).await;
}

#[actix_rt::test]
async fn calls_of_webhooks_and_conversations_are_the_same_on_either_side() {
    let (webhook, caller) = (WebhookId::from_bytes([3; 12]), Caller { id: USER, role: Role::Admin });
    let kept = Webhook {
        id: webhook,
        owner: USER,
        role: Role::Seller,
        url: "https://a.example/?q=\u{e9}".into(),
        events: vec!["order.*".into()],
        description: None,
        secret: WebhookSecret("whsec_a".into()),
        old_secret: None,
        off: None,
        consecutive_failures: u32::MAX,
        created_at: Timestamp::MIN,
        updated_at: Timestamp::MAX,
        version: 3,
    };
    let events = vec!["*".to_owned()];
    let register = RegisterWebhook { caller, url: String::new(), events, secret: None, description: Some("a".into()) };
    assert_round_trip(register.clone(), Ok(kept.clone())).await;
    assert_round_trip(
        GetWebhooks { caller, all: true, skip: 7, limit: 20 },
        Ok(Page { rows: vec![kept.clone()], total: 1 }),
    )
    .await;
    assert_round_trip(GetWebhook { caller, webhook }, Ok(kept.clone())).await;
    assert_round_trip(ChangeWebhook { caller, webhook, patch: WebhookPatch::default() }, Ok(kept.clone())).await;
    assert_round_trip(RotateWebhookSecret { caller, webhook, secret: Some("b".into()) }, Ok(kept)).await;
    assert_round_trip(DeleteWebhook { caller, webhook }, Ok(())).await;
    assert_round_trip(GetWebhookDeliveries { caller, webhook, skip: 0, limit: 1 }, Ok(Page { rows: vec![], total: 0 }))
        .await;
    for refusal in [
        WebhookRefusal::NotFound,
        WebhookRefusal::NoSuchDelivery,
        WebhookRefusal::NotYours,
        WebhookRefusal::Invalid { field: "events[0]".into(), problem: "must be".into() },
        WebhookRefusal::TooMany,
        WebhookRefusal::SwitchedOff,
        WebhookRefusal::Overflow,
    ] {
        let refused = || CallError::Refused(refusal.clone());
        assert_round_trip(register.clone(), Err(refused())).await;
        assert_round_trip(PingWebhook { caller, webhook }, Err(refused())).await;
        assert_round_trip(
            RedeliverWebhook { caller, webhook, delivery: WebhookDeliveryId::from_bytes([4; 12]) },
            Err(refused()),
        )
        .await;
    }
    let conversation = ConversationId::from_bytes([6; 12]);
    assert_round_trip(GetConversations { user: USER, skip: 0, limit: 5 }, Ok(Page { rows: vec![], total: 0 })).await;
    for refusal in [ChatRefusal::NotFound, ChatRefusal::NotYours] {
        let refused = CallError::Refused(refusal);
        assert_round_trip(GetConversation { user: USER, conversation }, Err(refused.clone())).await;
        assert_round_trip(DeleteConversation { user: USER, conversation }, Err(refused)).await;
    }
    assert_round_trip(DeleteConversation { user: USER, conversation }, Ok(())).await;
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
        assert_round_trip(CommitStock { order: ORDER, fence: None }, Err(CallError::Refused(rule))).await;
    }
    for failure in [
        CallError::Conflict,
        CallError::Busy("cart".into()),
        CallError::Unavailable("auth".into()),
        CallError::OutcomeUnknown("inventory".into()),
        CallError::Internal("a fault".into()),
    ] {
        assert_round_trip(CommitStock { order: ORDER, fence: None }, Err(failure.clone())).await;
        assert_round_trip(SetStockIfSeen { product: PRODUCT, seen: 1, available: 2 }, Err(failure)).await;
    }
}

#[actix_rt::test]
async fn only_a_service_may_call() {
    let (server, at) = serve(answering::<ReleaseStock>(Ok(reservation())), 0).unwrap();
    let client = Peer::client().unwrap();
    let now = Timestamp::now();
    let foreign = crate::actors::tokens::Tokens::new(b"another secret of thirty-two bytes, or so");
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
async fn a_call_ends_at_its_callers_deadline() {
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
async fn a_call_without_a_handler_is_unavailable() {
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
