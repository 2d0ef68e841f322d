//! One order's path through the shop, as its client sees it, and the final invariants.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use microbazaar::{
    actors::{
        cart::calls::AddToCart,
        order_saga::{
            Destination, Expected, OrderRefusal, Party, PlaceOrder,
            calls::{CancelOrder, GetOrdersOfUser},
        },
        payment::calls::{OpenPayment, PaymentRefusal, VerifyPayment},
    },
    domain::{
        Timestamp,
        cart::Cart,
        ids::{CartId, OrderId, ProductId, UserId},
        inventory::{StockLevel, StockLine},
        money::{Currency, Money},
        order::{CancelCause, Order, OrderError, OrderStatus, SagaStep},
        payment::{Payment, PaymentStatus, RefundStatus},
    },
    integrations::payment::{self, Checkout, GatewayError, Outcome},
    runtime::calls::CallError,
    store::{StoreError, Stores},
};

use super::{
    crash::{Life, Refunds},
    shop::Shop,
};

/// The next step of a client, or an event around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Place,
    /// Puts one more of the first product into the cart.
    AddMore,
    Open,
    /// Opens a payment of more than the gateway accepts.
    OpenTooDear,
    Pay,
    Verify,
    Cancel,
    /// The payment window ends.
    Expire,
    /// Another buyer buys all that is left.
    SellOut,
}

pub struct Scenario {
    pub name: &'static str,
    pub steps: &'static [Step],
    /// How it ends when the client does everything.
    pub ends: OrderStatus,
    /// Whether the client uses an idempotency key.
    pub keyed: bool,
}

/// What the client does after the first process has died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    Returns,
    IsGone,
}

const RECEIVED: u32 = 10;
const WITHIN: Duration = Duration::from_secs(40);

/// Why a step got no answer.
pub type Unanswered = String;

/// One run of a scenario.
pub struct Run {
    pub label: String,
    pub scenario: &'static Scenario,
    pub stores: Stores,
    pub refunds: Arc<Refunds>,
    pub user: UserId,
    pub products: [ProductId; 2],
    pub other: OrderId,
    pub order: Option<OrderId>,
    pub gateway_order: Option<String>,
    pub checkout: Option<Checkout>,
    pub verified: bool,
    pub cancelled: bool,
    adds_tried: u32,
    adds_answered: u32,
}

impl Run {
    pub async fn new(scenario: &'static Scenario, label: String, stores: Stores) -> Self {
        let products = [ProductId::generate(), ProductId::generate()];
        stores.stock.set_available(&products.map(|product| (product, RECEIVED))).await.unwrap();
        let user = UserId::generate();
        let mut cart = Cart::empty(CartId::generate(), user, Timestamp::now());
        cart.add(products[0], 2, 10, Timestamp::now()).unwrap();
        cart.add(products[1], 1, 10, Timestamp::now()).unwrap();
        stores.carts.save(&cart).await.unwrap();
        Self {
            label,
            scenario,
            stores,
            refunds: Arc::default(),
            user,
            products,
            other: OrderId::generate(),
            order: None,
            gateway_order: None,
            checkout: None,
            verified: false,
            cancelled: false,
            adds_tried: 0,
            adds_answered: 0,
        }
    }

    pub async fn step(&mut self, shop: &Shop, life: &Life, step: Step) -> Result<(), Unanswered> {
        match step {
            Step::Place => self.place(shop).await,
            Step::AddMore => {
                self.adds_tried += 1;
                let add = AddToCart { user: self.user, product: self.products[0], quantity: 1 };
                shop.calls.ask(add).await.map_err(unanswered)?;
                self.adds_answered += 1;
                Ok(())
            }
            Step::Open => {
                let open = OpenPayment { order: self.order.unwrap(), user: self.user };
                let opened = shop.calls.ask(open).await.map_err(unanswered)?;
                self.gateway_order = Some(opened.payment.razorpay_order_id);
                Ok(())
            }
            Step::OpenTooDear => {
                match shop.calls.ask(OpenPayment { order: self.order.unwrap(), user: self.user }).await {
                    Err(CallError::Refused(PaymentRefusal::Gateway(GatewayError::Refused(_)))) => Ok(()),
                    // The first attempt has cancelled it.
                    Err(CallError::Refused(PaymentRefusal::NotPayable)) => Ok(()),
                    other => Err(unanswered(other.map(|_| "it was opened"))),
                }
            }
            Step::Pay => {
                let gateway_order = self.gateway_order.as_deref().unwrap();
                self.checkout = Some(shop.sandbox.pay(gateway_order, Outcome::Success).await.map_err(unanswered)?);
                Ok(())
            }
            Step::Verify => {
                let Checkout { order_id, payment_id, signature } = self.checkout.clone().unwrap();
                let payment = shop.calls.ask(VerifyPayment { user: self.user, order_id, payment_id, signature }).await;
                assert!(payment.map_err(unanswered)?.has_money(), "{}: verified money is there", self.label);
                self.verified = true;
                Ok(())
            }
            Step::Cancel => self.cancel(shop).await,
            Step::Expire => self.expire(life).await,
            Step::SellOut => self.sell_out().await,
        }
    }

    async fn place(&mut self, shop: &Shop) -> Result<(), Unanswered> {
        let key = self.scenario.keyed.then(|| ("key".to_owned(), "hash".to_owned()));
        let request =
            PlaceOrder { user: self.user, destination: Destination::Default, expected: Expected::default(), key };
        let placed = match shop.calls.ask(request).await {
            Ok(placed) => placed.order.id,
            // The first attempt has placed it: the client finds it in the list.
            Err(CallError::Refused(OrderRefusal::Rule(OrderError::EmptyCart))) => {
                let mine = GetOrdersOfUser { user: self.user, status: None, skip: 0, limit: 10 };
                let mine = shop.calls.ask(mine).await.map_err(unanswered)?;
                mine.rows.first().expect("an emptied cart has made an order").id
            }
            Err(error) => return Err(unanswered(error)),
        };
        self.order = Some(placed);
        Ok(())
    }

    async fn cancel(&mut self, shop: &Shop) -> Result<(), Unanswered> {
        let cancel = CancelOrder { order: self.order.unwrap(), who: Party::Buyer(self.user), reason: None };
        match shop.calls.ask(cancel).await {
            Ok(order) => assert_eq!(order.status, OrderStatus::Cancelled),
            // The first attempt has done it.
            Err(CallError::Refused(OrderRefusal::Rule(OrderError::WrongState { status, .. }))) => {
                assert_eq!(status, OrderStatus::Cancelled);
            }
            Err(error) => return Err(unanswered(error)),
        }
        self.cancelled = true;
        Ok(())
    }

    async fn expire(&self, life: &Life) -> Result<(), Unanswered> {
        let (id, ends) = (self.order.unwrap(), Instant::now() + WITHIN);
        loop {
            if life.is_dead() {
                return Err("the process died meanwhile".to_owned());
            }
            let order = self.stores.orders.get(id).await.unwrap().unwrap();
            if order.status != OrderStatus::Pending && order.saga.todo.is_empty() {
                return Ok(());
            }
            self.hasten(&order, true).await;
            assert!(Instant::now() < ends, "{}: expires in time: {order:?}", self.label);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn sell_out(&self) -> Result<(), Unanswered> {
        let levels = self.stores.stock.many(&self.products).await.unwrap();
        let quantity = |level: &StockLevel| u32::try_from(level.available()).unwrap();
        let line = |level: &StockLevel| StockLine { product: level.product, quantity: quantity(level) };
        let lines: Vec<StockLine> = levels.iter().map(line).filter(|line| line.quantity > 0).collect();
        if !lines.is_empty() {
            self.stores.stock.retake(self.other, &lines, None).await.unwrap();
        }
        Ok(())
    }

    /// Makes the order's pending work due now; with `expire`, also ends its window.
    pub async fn hasten(&self, order: &Order, expire: bool) {
        let now = Timestamp::now();
        let awaits = order.saga.todo.first() == Some(&SagaStep::AwaitPayment);
        let wanted =
            if awaits { expire && order.expires_at > now } else { order.saga.due_at.is_some_and(|at| at > now) };
        let late = expire && order.status == OrderStatus::Pending && order.expires_at > now;
        if wanted || late {
            let mut sooner = order.clone();
            sooner.saga.due_at = Some(now);
            if late {
                sooner.expires_at = now;
            }
            accept(self.stores.orders.save(&sooner, &[]).await);
        }
    }

    /// Runs one process through the steps from `from`; returns the first unanswered one.
    pub async fn live(&mut self, life: &Arc<Life>, from: usize) -> Option<(usize, Unanswered)> {
        let dear = self.scenario.steps.contains(&Step::OpenTooDear);
        let price = Money::new(if dear { payment::MOST / 2 } else { 49_950 }, Currency::Inr);
        let shop = Shop::selling_at(life, price);
        let mut stuck = None;
        for (at, step) in self.scenario.steps.iter().enumerate().skip(from) {
            if let Err(unanswered) = self.step(&shop, life, *step).await {
                stuck = Some((at, unanswered));
                break;
            }
        }
        if stuck.is_none() && !life.is_dead() {
            self.settle(life).await;
        }
        shop.end().await;
        stuck
    }

    /// Lets the program finish all pending work alone, or die.
    pub async fn settle(&self, life: &Life) {
        let ends = Instant::now() + WITHIN;
        while !life.is_dead() && !self.is_quiet().await {
            assert!(Instant::now() < ends, "{}: settles in time: {:?}", self.label, self.documents().await);
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    async fn documents(&self) -> (Vec<Order>, Vec<Payment>) {
        (self.stores.orders.all(None, 100).await.unwrap(), self.stores.payments.all(None, 100).await.unwrap())
    }

    /// Whether there is no pending work; what is left is made due now.
    async fn is_quiet(&self) -> bool {
        let (orders, payments) = self.documents().await;
        let mut quiet = true;
        for order in &orders {
            if !order.saga.todo.is_empty() {
                quiet = false;
                self.hasten(order, true).await;
            }
        }
        for payment in payments {
            let page = self.stores.payments.get_sandbox(&payment.razorpay_order_id).await.unwrap().unwrap();
            let paid = page["payments"].as_array().unwrap().iter().any(|row| row["status"] == "captured");
            let rests = payment.has_money() && payment.settled && !payment.has_work(Timestamp::now());
            if paid && !rests {
                quiet = false;
                if payment.due_at.is_some_and(|at| at > Timestamp::now()) {
                    let sooner = Payment { due_at: Some(Timestamp::now()), ..payment };
                    accept(self.stores.payments.save(&sooner, &[]).await.map_err(StoreError::from));
                }
            }
        }
        quiet
    }

    /// The final invariants, whatever died when.
    pub async fn check(&self, client: Client) {
        let label = &self.label;
        // Stock reserved for an order that was never placed expires.
        let later = Timestamp::now() + jiff::SignedDuration::from_hours(1);
        self.stores.stock.release_expired(later, 100).await.unwrap();
        let (orders, payments) = self.documents().await;
        assert!(orders.len() <= 1 && payments.len() <= 1, "{label}: one cart makes one order: {orders:?} {payments:?}");
        let order = orders.first();
        let kept = order.is_some_and(|order| order.status == OrderStatus::Confirmed);
        if let Some(answered) = self.order {
            assert_eq!(order.map(|order| order.id), Some(answered), "{label}: an answered order is there");
        }
        if let Some(order) = order {
            assert!(matches!(order.status, OrderStatus::Confirmed | OrderStatus::Cancelled), "{label}: {order:?}");
            assert!(!self.cancelled || !kept, "{label}: an answered cancellation holds: {order:?}");
            if client == Client::Returns {
                assert_eq!(order.status, self.scenario.ends, "{label}: {order:?} {payments:?}");
            }
        }
        self.check_money(kept, payments.first(), order);
        self.check_stock(kept).await;
        // The lines of an order that the gateway refuses return to the cart.
        let back = order.is_none_or(|order| order.cancel_cause == Some(CancelCause::PaymentRefused));
        self.check_cart(!back).await;
    }

    fn check_money(&self, kept: bool, payment: Option<&Payment>, order: Option<&Order>) {
        let label = &self.label;
        assert!(payment.is_some() || (!kept && self.gateway_order.is_none()), "{label}: an answered payment is there");
        let Some(payment) = payment else { return };
        assert!(!self.verified || payment.has_money(), "{label}: verified money is there: {payment:?}");
        let refunds = payment.payment_id.as_deref().map(|id| self.refunds.of(id)).unwrap_or_default();
        if kept {
            assert_eq!(payment.status, PaymentStatus::Successful, "{label}");
            assert!(payment.settled && refunds.is_empty(), "{label}: kept money is kept: {payment:?}");
            let paid = order.and_then(|order| order.payment.as_ref());
            assert_eq!(paid.map(|paid| paid.id), Some(payment.id), "{label}");
        } else if payment.has_money() {
            assert_eq!(payment.status, PaymentStatus::Refunded, "{label}: {payment:?}");
            assert_eq!(refunds, [payment.price.minor()], "{label}: all of it, once");
            assert!(payment.refunds.iter().all(|refund| refund.status == RefundStatus::Processed), "{label}");
        } else {
            assert_eq!(refunds, [0; 0], "{label}");
        }
    }

    async fn check_stock(&self, kept: bool) {
        // Other buyers' stock is returned first, so that only this order's units are sold.
        let others = self.stores.stock.release(self.other, None).await.unwrap();
        for (level, bought) in [(self.products[0], 2), (self.products[1], 1)] {
            let level = self.stores.stock.get(level).await.unwrap().unwrap();
            let total = level.available() + level.reserved + level.sold;
            assert_eq!(total, i64::from(RECEIVED), "{}: no unit is lost: {level:?}", self.label);
            assert_eq!(level.reserved, 0, "{}: nothing stays held: {level:?} {others:?}", self.label);
            assert_eq!(level.sold, if kept { bought } else { 0 }, "{}: {level:?}", self.label);
        }
    }

    async fn check_cart(&self, gone: bool) {
        let cart = self.stores.carts.of_user(self.user).await.unwrap().unwrap();
        let stayed = if gone { [0, 0] } else { [2, 1] };
        let added = cart.quantity_of(self.products[0]) - stayed[0];
        assert!((self.adds_answered..=self.adds_tried).contains(&added), "{}: {cart:?}", self.label);
        assert_eq!(cart.quantity_of(self.products[1]), stayed[1], "{}: {cart:?}", self.label);
    }
}

fn unanswered(error: impl std::fmt::Debug) -> Unanswered {
    format!("{error:?}")
}

/// On a version conflict the change is made again.
fn accept(saved: Result<u64, StoreError>) {
    assert!(matches!(saved, Ok(_) | Err(StoreError::Conflict)), "{saved:?}");
}
