//! Carts and orders as supervised actors over the embedded store: panics, slowness, overload.

#[allow(dead_code, reason = "integration tests use the rest")]
#[path = "../../../crates/test-support/src/forward.rs"]
mod forward;

use std::{
    path::PathBuf,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use futures_util::future::join_all;
use parking_lot::{Condvar, Mutex};

use self::forward::{Around, Asked, Forward};
use super::*;
use crate::{
    actors::{
        accounts::calls::GetAddress,
        cart::{
            self,
            calls::{AddToCart, GetCart, RemoveFromCart},
        },
        catalogue::calls::GetOffers,
        inventory::{self, StockListener},
    },
    domain::{
        Timestamp,
        ids::{EventId, ProductId, UserId},
        inventory::StockLevel,
        money::{Currency, Money},
        order::OrderError,
        product::{Offer, Product, ProductStatus},
    },
    runtime::calls::{CallError, Calls, Outcome},
    store::{
        CartStore, StoreError, Stores,
        sqlite::{SqliteOptions, SqliteStore},
    },
};

/// An offer of any product.
fn offer(id: ProductId) -> Offer {
    let product = Product {
        id,
        title: "A lamp".into(),
        description: String::new(),
        price: Money::new(100, Currency::Inr),
        category: String::new(),
        seller: UserId::from_bytes([7; 12]),
        images: vec![],
        max_per_order: None,
        status: ProductStatus::Live,
        status_reason: None,
        created_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::UNIX_EPOCH,
        version: 1,
    };
    Offer { product: Arc::new(product), available: 900, for_sale: true }
}

struct NoListener;

impl StockListener for NoListener {
    fn stock_changed(&self, _: &StockLevel) {}
}

/// When a write panics.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Poison {
    BeforeTheWrite,
    AfterTheWrite,
}

/// Around a store of carts whose next write panics if `poison` is set.
#[derive(Default)]
struct Poisoned {
    poison: Mutex<Option<Poison>>,
    loads: AtomicUsize,
}

impl Around for Poisoned {
    async fn around<T: Send, E: From<StoreError> + Send>(
        &self,
        asked: Asked<'_>,
        call: impl Future<Output = Result<T, E>> + Send,
    ) -> Result<T, E> {
        let poison = match asked {
            Asked::Save(..) => self.poison.lock().take(),
            Asked::Find(_) => {
                self.loads.fetch_add(1, Ordering::SeqCst);
                None
            }
            _ => None,
        };
        assert_ne!(poison, Some(Poison::BeforeTheWrite), "on purpose");
        let answer = call.await;
        assert_ne!(poison, Some(Poison::AfterTheWrite), "on purpose");
        answer
    }
}

/// Blocks the store's writer while it is closed.
#[derive(Default)]
struct WriteBarrier {
    shut: Mutex<bool>,
    opened: Condvar,
}

impl WriteBarrier {
    fn set(&self, shut: bool) {
        *self.shut.lock() = shut;
        self.opened.notify_all();
    }

    fn pass(&self) {
        let mut shut = self.shut.lock();
        while *shut {
            self.opened.wait(&mut shut);
        }
    }
}

/// Carts and orders over one store, with their dependencies.
struct Shop {
    runtime: Runtime,
    calls: Calls,
    poisoned: Arc<Poisoned>,
    stores: Stores,
    barrier: Arc<WriteBarrier>,
    sqlite: SqliteStore,
    dir: PathBuf,
}

impl Shop {
    fn open(deadline: Duration) -> Self {
        let dir = std::env::temp_dir().join(format!("microbazaar-saga-{}", EventId::generate()));
        std::fs::create_dir_all(&dir).unwrap();
        let barrier = Arc::new(WriteBarrier::default());
        let stall = Arc::clone(&barrier);
        let options =
            SqliteOptions { deadline, stall: Some(Arc::new(move || stall.pass())), ..SqliteOptions::default() };
        let sqlite = SqliteStore::open(&dir, options).unwrap();
        let stores = sqlite.stores();
        let poisoned = Arc::<Poisoned>::default();
        let (runtime, calls) = (Runtime::new(2), Calls::default());
        let window = SignedDuration::from_mins(15);
        let mut registry = Registry::default();
        inventory::start(&runtime, &mut registry, Arc::clone(&stores.stock), Arc::new(NoListener), window);
        let store = CartStore::new(Forward::backend(&poisoned, Arc::clone(&stores.backend)));
        cart::start(&runtime, &mut registry, store, calls.clone(), None, Duration::from_secs(30), false);
        registry.on(async |asked: GetOffers| Ok(asked.products.into_iter().map(offer).collect()));
        let pricing = Pricing { tax_basis_points: 0, shipping_minor: 0 };
        let settings = OrderSettings { pricing, window, max_unpaid: 10 };
        Orders::start(&runtime, &mut registry, stores.orders.clone(), calls.clone(), settings);
        registry.on(async |_: GetAddress| Ok(None));
        calls.connect(registry, []);
        Self { runtime, calls, poisoned, stores, barrier, sqlite, dir }
    }

    /// Creates a product with stock.
    async fn product(&self, stock: u32) -> ProductId {
        let product = ProductId::generate();
        self.stores.stock.set_available(&[(product, stock)]).await.unwrap();
        product
    }

    /// The quantity in a cart. An actor that died twice pauses before its restart; the call is then repeated.
    async fn quantity(&self, user: UserId, product: ProductId) -> u32 {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        loop {
            match self.calls.ask(GetCart { user }).await {
                Err(CallError::Unavailable(_)) if tokio::time::Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                answer => return answer.unwrap().quantity_of(product),
            }
        }
    }

    async fn add(&self, user: UserId, product: ProductId, quantity: u32) -> Outcome<AddToCart> {
        self.calls.ask(AddToCart { user, product, quantity }).await
    }

    async fn place(&self, user: UserId, key: &str) -> Result<Placed, CallError<OrderRefusal>> {
        let key = Some((key.to_owned(), "hash".to_owned()));
        let (destination, expected) = (Destination::Default, Expected::default());
        self.calls.ask(PlaceOrder { user, destination, expected, key }).await
    }

    fn kind(&self, name: &str) -> crate::runtime::KindSnapshot {
        self.runtime.snapshot().into_iter().find(|kind| kind.name == name).unwrap()
    }

    async fn close(self) {
        self.barrier.set(false);
        assert_eq!(self.runtime.shutdown(Duration::from_secs(10)).await, 0);
        self.sqlite.close().unwrap();
        let _gone = std::fs::remove_dir_all(&self.dir);
    }
}

/// Waits for a condition, with a deadline.
async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(tokio::time::Instant::now() < deadline, "in time: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

const PATIENT: Duration = Duration::from_secs(10);

#[actix_rt::test]
async fn after_a_panic_a_cart_is_as_stored() {
    let shop = Shop::open(PATIENT);
    let (ana, ben, product) = (UserId::generate(), UserId::generate(), shop.product(100).await);
    shop.add(ana, product, 2).await.unwrap();
    shop.add(ben, product, 7).await.unwrap();
    let mut kept = 2;
    for (deaths, poison) in (1..).zip([Poison::BeforeTheWrite, Poison::AfterTheWrite]) {
        *shop.poisoned.poison.lock() = Some(poison);
        assert!(matches!(shop.add(ana, product, 1).await, Err(CallError::OutcomeUnknown(_))), "{poison:?}");
        kept += u32::from(poison == Poison::AfterTheWrite);
        eventually("its end is noticed", || shop.kind("cart").restarts == deaths).await;
        let loads = shop.poisoned.loads.load(Ordering::SeqCst);
        assert_eq!(shop.quantity(ben, product).await, 7, "another cart is not affected");
        assert_eq!(shop.poisoned.loads.load(Ordering::SeqCst), loads);
        assert_eq!(shop.quantity(ana, product).await, kept, "{poison:?}");
        assert_eq!(shop.poisoned.loads.load(Ordering::SeqCst), loads + 1, "the new actor reads the store");
    }
    shop.close().await;
}

#[actix_rt::test]
async fn an_order_whose_cart_panics_is_made_once_and_its_cart_is_emptied() {
    let shop = Shop::open(PATIENT);
    let (ana, product) = (UserId::generate(), shop.product(100).await);
    shop.add(ana, product, 2).await.unwrap();
    *shop.poisoned.poison.lock() = Some(Poison::BeforeTheWrite);
    let first = shop.place(ana, "key").await.unwrap();
    eventually("its end is noticed", || shop.kind("cart").restarts == 1).await;
    assert_eq!(shop.quantity(ana, product).await, 2, "the cart will be emptied later");
    // Without the key it finds the cart empty by then, and makes no second order from it.
    let other = shop.place(ana, "other").await;
    assert!(matches!(other, Err(CallError::Refused(OrderRefusal::Rule(OrderError::EmptyCart)))), "{other:?}");
    let again = shop.place(ana, "key").await.unwrap();
    assert!(again.replayed && again.order.id == first.order.id);
    assert_eq!(shop.quantity(ana, product).await, 0);
    let level = shop.stores.stock.get(product).await.unwrap().unwrap();
    assert_eq!((level.available(), level.reserved), (98, 2));
    shop.close().await;
}

#[actix_rt::test]
async fn a_replayed_order_is_answered_after_its_items_left_the_cart() {
    let shop = Shop::open(PATIENT);
    let (ana, product) = (UserId::generate(), shop.product(100).await);
    shop.add(ana, product, 2).await.unwrap();
    *shop.poisoned.poison.lock() = Some(Poison::BeforeTheWrite);
    let first = shop.place(ana, "key").await.unwrap();
    eventually("its end is noticed", || shop.kind("cart").restarts == 1).await;
    let again = shop.place(ana, "key").await.unwrap();
    assert!(again.replayed && again.order.id == first.order.id);
    assert_eq!(shop.quantity(ana, product).await, 0);
    // Items that are added to the cart afterwards stay in it.
    shop.add(ana, product, 3).await.unwrap();
    assert!(shop.place(ana, "key").await.unwrap().replayed);
    assert_eq!(shop.quantity(ana, product).await, 3);
    shop.close().await;
}

#[actix_rt::test]
async fn a_store_that_does_not_answer_causes_a_typed_deadline_error() {
    let shop = Shop::open(Duration::from_millis(200));
    let (ana, product) = (UserId::generate(), shop.product(10).await);
    shop.add(ana, product, 2).await.unwrap();
    shop.barrier.set(true);
    let late = shop.add(ana, product, 1).await;
    assert_eq!(late, Err(CallError::OutcomeUnknown("document".into())));
    let late = shop.place(ana, "key").await.map(|placed| placed.order);
    assert_eq!(late, Err(CallError::OutcomeUnknown("document".into())));
    shop.barrier.set(false);
    // The cart is read again: a late addition may have been stored or not.
    let left = shop.quantity(ana, product).await;
    assert!((2..=3).contains(&left), "{left}");
    let order = shop.place(ana, "key").await.unwrap().order;
    assert_eq!(order.items[0].quantity, left);
    let level = shop.stores.stock.get(product).await.unwrap().unwrap();
    assert_eq!(level.available() + level.reserved, 10);
    shop.close().await;
}

#[actix_rt::test]
async fn too_many_calls_on_one_cart_are_busy_and_another_cart_is_served() {
    let shop = Shop::open(PATIENT);
    let (ana, ben, product) = (UserId::generate(), UserId::generate(), shop.product(900).await);
    shop.add(ben, product, 1).await.unwrap();
    shop.barrier.set(true);
    let flood = join_all((0..400).map(|_| shop.add(ana, product, 1)));
    let opened = AtomicBool::new(false);
    let other = async {
        eventually("the flood is refused", || shop.kind("cart").refused == 400 - 256).await;
        assert_eq!(shop.quantity(ben, product).await, 1);
        opened.store(true, Ordering::SeqCst);
        shop.barrier.set(false);
    };
    let (answers, ()) = tokio::join!(flood, other);
    assert!(opened.load(Ordering::SeqCst));
    let done = answers.iter().filter(|answer| answer.is_ok()).count();
    let busy = answers.iter().filter(|answer| matches!(answer, Err(CallError::Busy(_)))).count();
    assert_eq!((done, busy), (256, 144));
    assert_eq!(shop.quantity(ana, product).await, 256, "the cart has what was answered and not what was refused");
    shop.close().await;
}

#[actix_rt::test]
async fn a_cart_that_changed_after_it_was_shown_is_not_ordered() {
    let shop = Shop::open(PATIENT);
    let (ana, one, other) = (UserId::generate(), shop.product(9).await, shop.product(9).await);
    shop.add(ana, one, 1).await.unwrap();
    let shown = shop.calls.ask(GetCart { user: ana }).await.unwrap();
    // The same total, but a different order.
    shop.calls.ask(RemoveFromCart { user: ana, product: one }).await.unwrap();
    let now = shop.add(ana, other, 1).await.unwrap();
    let place = |version| {
        let expected = Expected { total: None, cart_version: Some(version) };
        shop.calls.ask(PlaceOrder { user: ana, destination: Destination::Default, expected, key: None })
    };
    let refused = place(shown.version).await;
    assert!(matches!(refused, Err(CallError::Refused(OrderRefusal::TotalChanged(_)))), "{refused:?}");
    assert_eq!(place(now.version).await.unwrap().order.items[0].product, other);
    shop.close().await;
}
