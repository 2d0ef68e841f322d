//! A service that answers each call by what it was asked, or fails as it was told to.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::{
    domain::{
        Timestamp,
        cart::Cart,
        ids::{AddressId, CartId, ImageId, OrderId, PaymentId, ProductId, RefundId, UserId},
        inventory::{Reservation, ReservationState, StockLevel, StockLine},
        money::{Currency, Money},
        order::{
            CancelCause, Order, OrderItem, OrderKeys, OrderPayment, OrderStatus, RefundNote, Saga, SagaStep, Shipment,
            TimelineEntry,
        },
        payment::{Payment, Refund, RefundStatus},
        product::{Image, Product, ProductStatus},
        user::{Contact, FullName, PostalAddress, Role},
    },
    http::internal::Exposed,
    peers::{
        Accounts, CartChangeError, Carts, Catalogue, Fence, Inventory, InventoryError, ListQuery, Offer, Orders, Page,
        Payments, PeerError, Settlement,
    },
};

/// Every service at once.
#[derive(Clone, Default)]
pub struct Service {
    fails: Arc<Mutex<Option<InventoryError>>>,
    /// What changes of a cart are refused for.
    pub cart_rule: Arc<Mutex<Option<CartChangeError>>>,
    pub calls: Arc<Mutex<Vec<String>>>,
    /// Whether `release` never ends.
    pub hangs: Arc<AtomicBool>,
}

impl Service {
    pub fn exposed(&self) -> Exposed {
        let all = Arc::new(self.clone());
        Exposed {
            accounts: Some(all.clone()),
            catalogue: Some(all.clone()),
            inventory: Some(all.clone()),
            carts: Some(all.clone()),
            orders: Some(all.clone()),
            payments: Some(all),
        }
    }

    /// From now on every call fails so.
    pub fn fail(&self, error: Option<InventoryError>) {
        *self.fails.lock() = error;
    }

    fn called(&self, what: String) -> Result<(), InventoryError> {
        self.calls.lock().push(what);
        self.fails.lock().clone().map_or(Ok(()), Err)
    }

    fn plain(&self, what: String) -> Result<(), PeerError> {
        self.called(what).map_err(|error| match error {
            InventoryError::Peer(error) => error,
            InventoryError::Rule(_) => panic!("this call knows no rule"),
        })
    }

    fn reservation(&self, what: String, order: OrderId, lines: Vec<StockLine>) -> Result<Reservation, InventoryError> {
        self.called(what)?;
        Ok(Reservation { order, lines, state: ReservationState::Held, expires_at: at(77) })
    }
}

impl Service {
    fn cart_change(&self, what: String, user: UserId, line: StockLine) -> Result<Cart, CartChangeError> {
        self.plain(what)?;
        match self.cart_rule.lock().clone() {
            Some(rule) => Err(rule),
            None => Ok(cart(user, line)),
        }
    }
}

fn cart(user: UserId, line: StockLine) -> Cart {
    let (id, checkouts) = (CartId::from_bytes([2; 12]), vec![OrderId::from_bytes([5; 12])]);
    Cart { id, user, lines: vec![line], checkouts, restored: vec![], updated_at: at(1), version: 41 }
}

fn at(nanosecond: i32) -> Timestamp {
    Timestamp::new(1_700_000_000, nanosecond).unwrap()
}

fn money(minor: i64) -> Money {
    Money::new(minor, Currency::Usd)
}

fn product(id: ProductId) -> Product {
    Product {
        id,
        title: "A <lamp> \"d'été\" \u{1f4a1}".into(),
        description: "two\nlines".into(),
        price: money(12_345),
        category: "light".into(),
        seller: UserId::from_bytes([7; 12]),
        images: vec![Image { id: ImageId::from_bytes([3; 12]), url: "/media/a".into(), thumbnail: "/media/b".into() }],
        max_per_order: None,
        status: ProductStatus::Live,
        status_reason: None,
        created_at: at(1),
        updated_at: at(123_456_789),
        version: u64::MAX >> 1,
    }
}

fn level(product: ProductId) -> StockLevel {
    StockLevel { product, on_hand: 9, reserved: 2, sold: 5, version: 3 }
}

fn contact(user: UserId) -> Contact {
    let full_name = FullName { first_name: "Asha".into(), last_name: String::new() };
    Contact { user, email: "asha@example.com".into(), username: "asha".into(), full_name }
}

fn address() -> PostalAddress {
    PostalAddress {
        street: "12 Lake Road".into(),
        city: "Pune".into(),
        state: "MH".into(),
        country: "IN".into(),
        zip: "411001".into(),
        full_name: Some("Asha Rao".into()),
        phone: Some("+91 98765 43210".into()),
    }
}

fn order(id: OrderId) -> Order {
    let item = OrderItem {
        product: ProductId::from_bytes([1; 12]),
        title: "A lamp".into(),
        seller: UserId::from_bytes([7; 12]),
        quantity: 3,
        price: money(5),
        shipment: Shipment::Shipped,
        tracking_number: Some("T-1".into()),
    };
    Order {
        id,
        user: UserId::from_bytes([8; 12]),
        items: vec![item],
        status: OrderStatus::Cancelled,
        subtotal: money(15),
        tax: money(2),
        shipping: money(50),
        total: money(67),
        shipping_address: Some(address()),
        payment: Some(OrderPayment { id: PaymentId::from_bytes([4; 12]), payment_id: "pay_1".into(), at: at(9) }),
        refunded: Some(money(3)),
        timeline: vec![TimelineEntry {
            status: OrderStatus::Pending,
            at: at(2),
            reason: Some("why".into()),
            refund: None,
            part: None,
        }],
        cancel_cause: Some(CancelCause::Expired),
        cart_version: 12,
        expires_at: at(3),
        saga: Saga { todo: vec![SagaStep::ReleaseStock, SagaStep::Refund], attempts: 2, due_at: Some(at(4)) },
        created_at: at(5),
        updated_at: at(6),
        version: 7,
        keys: OrderKeys::default(),
    }
}

fn payment(order: OrderId) -> Payment {
    let refund = Refund {
        id: RefundId::from_bytes([6; 12]),
        payment_id: "pay_1".into(),
        amount: money(1),
        reason: None,
        status: RefundStatus::Pending,
        gateway_id: None,
        key: Some(("k".into(), "h".into())),
        created_at: at(8),
        not_before: Some(at(9)),
        tries: 1,
        noted: true,
    };
    let contact = contact(UserId::from_bytes([8; 12]));
    let mut payment = Payment::open(order, contact, "order_1".into(), money(67), at(8));
    payment.capture("pay_1", money(67), at(8));
    Payment { id: PaymentId::from_bytes([4; 12]), refunds: vec![refund], attempts: 1, version: 4, ..payment }
}

#[async_trait]
impl Catalogue for Service {
    async fn offers(&self, products: &[ProductId]) -> Result<Vec<Offer>, PeerError> {
        self.plain(format!("offers {products:?}"))?;
        Ok(products.iter().map(|id| Offer { product: Arc::new(product(*id)), available: -1, for_sale: true }).collect())
    }

    async fn search(&self, query: &ListQuery) -> Result<Page<Offer>, PeerError> {
        self.plain(format!("search {query:?}"))?;
        let offer = Offer { product: Arc::new(product(ProductId::from_bytes([1; 12]))), available: 3, for_sale: true };
        Ok(Page { rows: vec![offer], total: u64::MAX })
    }

    async fn categories(&self) -> Result<Vec<(String, u64)>, PeerError> {
        self.plain("categories".to_owned())?;
        Ok(vec![("Lighting".to_owned(), 9), (String::new(), 1)])
    }
}

#[async_trait]
impl Inventory for Service {
    async fn level(&self, product: ProductId) -> Result<Option<StockLevel>, PeerError> {
        self.plain(format!("level {product}"))?;
        // One that nobody knows.
        Ok((product != ProductId::from_bytes([0; 12])).then(|| level(product)))
    }

    async fn levels(&self, products: &[ProductId]) -> Result<Vec<StockLevel>, PeerError> {
        self.plain(format!("levels {}", products.len()))?;
        Ok(products.iter().map(|product| level(*product)).collect())
    }

    async fn set_available(&self, levels: Vec<(ProductId, u32)>) -> Result<Vec<StockLevel>, PeerError> {
        self.plain(format!("set_available {levels:?}"))?;
        Ok(levels.iter().map(|(product, _)| level(*product)).collect())
    }

    async fn set_available_if(
        &self,
        product: ProductId,
        seen: i64,
        available: u32,
    ) -> Result<StockLevel, InventoryError> {
        self.called(format!("set_available_if {product} {seen} {available}"))?;
        Ok(level(product))
    }

    async fn reserve(&self, order: OrderId, lines: Vec<StockLine>) -> Result<Reservation, InventoryError> {
        self.reservation(format!("reserve {order} {lines:?}"), order, lines)
    }

    async fn commit(&self, order: OrderId, fence: Fence) -> Result<Reservation, InventoryError> {
        self.reservation(format!("commit {order} {fence:?}"), order, vec![])
    }

    async fn retake(&self, order: OrderId, lines: Vec<StockLine>, fence: Fence) -> Result<Reservation, InventoryError> {
        self.reservation(format!("retake {order} {lines:?} {fence:?}"), order, lines)
    }

    async fn release(&self, order: OrderId, fence: Fence) -> Result<Reservation, PeerError> {
        self.plain(format!("release {order} {fence:?}"))?;
        if self.hangs.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        Ok(Reservation { order, lines: vec![], state: ReservationState::Released, expires_at: at(0) })
    }
}

#[async_trait]
impl Carts for Service {
    async fn cart(&self, user: UserId) -> Result<Cart, PeerError> {
        self.plain(format!("cart {user}"))?;
        Ok(cart(user, StockLine { product: ProductId::from_bytes([1; 12]), quantity: 999 }))
    }

    async fn add(&self, user: UserId, product: ProductId, quantity: u32) -> Result<Cart, CartChangeError> {
        self.cart_change(format!("add {user} {product} {quantity}"), user, StockLine { product, quantity })
    }

    async fn set(&self, user: UserId, product: ProductId, quantity: u32) -> Result<Cart, CartChangeError> {
        self.cart_change(format!("set {user} {product} {quantity}"), user, StockLine { product, quantity })
    }

    async fn remove(&self, user: UserId, product: ProductId) -> Result<Cart, CartChangeError> {
        self.cart_change(format!("remove {user} {product}"), user, StockLine { product, quantity: 1 })
    }

    async fn check_out(&self, user: UserId, order: OrderId, bought: Vec<StockLine>) -> Result<(), PeerError> {
        self.plain(format!("check_out {user} {order} {bought:?}"))
    }

    async fn restore(&self, user: UserId, order: OrderId, bought: Vec<StockLine>) -> Result<(), PeerError> {
        self.plain(format!("restore {user} {order} {bought:?}"))
    }
}

#[async_trait]
impl Orders for Service {
    async fn order(&self, id: OrderId) -> Result<Option<Order>, PeerError> {
        self.plain(format!("order {id}"))?;
        Ok((id != OrderId::from_bytes([0; 12])).then(|| order(id)))
    }

    async fn of_user(
        &self,
        user: UserId,
        status: Option<OrderStatus>,
        skip: u64,
        limit: u32,
    ) -> Result<Page<Order>, PeerError> {
        self.plain(format!("of_user {user} {status:?} {skip} {limit}"))?;
        Ok(Page { rows: vec![order(OrderId::from_bytes([5; 12]))], total: 41 })
    }

    async fn order_of(&self, user: UserId, id: OrderId) -> Result<Option<Order>, PeerError> {
        self.plain(format!("order_of {user} {id}"))?;
        Ok(Some(order(id)).filter(|order| order.user == user))
    }

    async fn bought_with(&self, product: ProductId, limit: u32) -> Result<Vec<ProductId>, PeerError> {
        self.plain(format!("bought_with {product} {limit}"))?;
        Ok(vec![product, ProductId::from_bytes([0; 12])])
    }

    async fn settle(&self, id: OrderId, payment: OrderPayment) -> Result<Settlement, PeerError> {
        self.plain(format!("settle {id} {payment:?}"))?;
        Ok(if payment.payment_id == "pay_1" { Settlement::Kept } else { Settlement::GiveBack })
    }

    async fn refuse_payment(&self, id: OrderId) -> Result<(), PeerError> {
        self.plain(format!("refuse_payment {id}"))
    }

    async fn note_refund(&self, id: OrderId, note: RefundNote) -> Result<(), PeerError> {
        self.plain(format!("note_refund {id} {note:?}"))
    }
}

#[async_trait]
impl Accounts for Service {
    async fn contact(&self, user: UserId) -> Result<Option<Contact>, PeerError> {
        self.plain(format!("contact {user}"))?;
        Ok((user != UserId::from_bytes([0; 12])).then(|| contact(user)))
    }

    async fn admins(&self) -> Result<Vec<Contact>, PeerError> {
        self.plain("admins".to_owned())?;
        Ok(vec![contact(UserId::from_bytes([8; 12]))])
    }

    async fn role(&self, user: UserId) -> Result<Option<Role>, PeerError> {
        self.plain(format!("role {user}"))?;
        Ok((user != UserId::from_bytes([0; 12])).then_some(Role::Seller))
    }

    async fn address(&self, user: UserId, id: Option<AddressId>) -> Result<Option<PostalAddress>, PeerError> {
        self.plain(format!("address {user} {id:?}"))?;
        Ok(id.map(|_| address()))
    }
}

#[async_trait]
impl Payments for Service {
    async fn captured(&self, order: OrderId) -> Result<Option<Payment>, PeerError> {
        self.plain(format!("captured {order}"))?;
        Ok((order != OrderId::from_bytes([0; 12])).then(|| payment(order)))
    }

    async fn refund(&self, payment: PaymentId, reason: String) -> Result<(), PeerError> {
        self.plain(format!("refund {payment} {reason}"))
    }
}
