//! A buyer who uses every way of paying.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use serde_json::json;
use test_support::{
    Client, DEADLINE,
    razorpay::{Outcome, StandIn},
    text,
};

use super::super::buyer::Buyer;

/// What the buyer does with an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Nothing.
    Forgotten,
    Cancelled,
    Paid,
    /// Only authorised; it still has to be captured.
    Promised,
    Failed,
    FailedFirst,
    Twice,
    /// Authorised once and captured once.
    TwiceOncePromised,
    /// After the window has ended.
    Late,
    LatePromised,
    /// After the window has ended, when another order has the only unit.
    LateAndGone,
    PaidAfterCancel,
    PromisedAfterCancel,
    PaidThenCancelled,
    /// An admin refunds a part.
    PartlyBack,
    /// More than the gateway accepts.
    TooDear,
}

/// The way that buyers should prefer.
pub type Hint = Arc<Mutex<Option<Way>>>;

const WAYS: [Way; 16] = [
    Way::Forgotten,
    Way::Cancelled,
    Way::Paid,
    Way::Promised,
    Way::Failed,
    Way::FailedFirst,
    Way::Twice,
    Way::TwiceOncePromised,
    Way::Late,
    Way::LatePromised,
    Way::LateAndGone,
    Way::PaidAfterCancel,
    Way::PromisedAfterCancel,
    Way::PaidThenCancelled,
    Way::PartlyBack,
    Way::TooDear,
];

/// How many units exceed the gateway's limit; see [`super::world::LIMIT`].
const TOO_MANY: u32 = 8;

/// The amount of an admin's refund: the gateway's minimum, in minor units.
const PART: i64 = 100;

/// A buyer at the gateway.
pub struct Payer {
    buyer: Buyer,
    standin: Arc<StandIn>,
    random: StdRng,
    /// The token of the admin who makes refunds.
    admin: String,
    hint: Hint,
    plenty: Vec<String>,
    /// Products with a stock of one.
    single: Vec<String>,
}

impl Way {
    /// A way that passes a rare crash point.
    pub fn past(point: &str) -> Option<Self> {
        let (side, _) = point.rsplit_once('.')?;
        Some(match side {
            "order.cancel" => Self::Cancelled,
            "order.refuse_payment" | "order.restore_cart" => Self::TooDear,
            _ if point == "payment.open.refused" => Self::TooDear,
            "order.refund" => Self::PaidThenCancelled,
            "order.retake" => Self::Late,
            "order.refuse" => Self::LateAndGone,
            "order.unwanted" | "payment.give_back" => Self::PaidAfterCancel,
            "order.note" | "payment.note" | "payment.refund" => Self::PartlyBack,
            "payment.fail" => Self::Failed,
            "payment.take" => Self::Promised,
            _ => return None,
        })
    }
}

impl Payer {
    pub async fn join(
        client: Client,
        number: usize,
        seed: u64,
        standin: Arc<StandIn>,
        (admin, hint): (String, Hint),
        (plenty, single): (Vec<String>, Vec<String>),
    ) -> Self {
        let random = StdRng::seed_from_u64(seed ^ (number as u64).rotate_left(32));
        Self { buyer: Buyer::join(client, number, seed).await, standin, random, admin, hint, plenty, single }
    }

    /// Uses every way repeatedly.
    pub async fn shop_until(mut self, ended: Arc<AtomicBool>) -> Buyer {
        loop {
            let mut ways = WAYS;
            ways.shuffle(&mut self.random);
            for way in ways {
                if ended.load(Ordering::SeqCst) {
                    return self.buyer;
                }
                let hint = *self.hint.lock();
                let way = hint.filter(|_| self.random.random_bool(0.4)).unwrap_or(way);
                self.go(way).await;
            }
        }
    }

    async fn go(&mut self, way: Way) {
        let stocking = if way == Way::LateAndGone { &self.single } else { &self.plenty };
        let product = stocking[self.random.random_range(0..stocking.len())].clone();
        // Lines restored from a refused order are left out of the next one.
        self.buyer.clear().await;
        let quantity = match way {
            Way::LateAndGone => 1,
            Way::TooDear => TOO_MANY,
            _ => self.random.random_range(1..=3),
        };
        if !self.buyer.order(&product, quantity).await {
            return;
        }
        match way {
            Way::Forgotten => return,
            Way::Cancelled => return self.buyer.cancel().await,
            _ => {}
        }
        let order = self.buyer.orders.len() - 1;
        let Some(at_gateway) = self.buyer.open().await else { return };
        match way {
            Way::TooDear => panic!("more than the limit was opened: {at_gateway}"),
            Way::Forgotten | Way::Cancelled => {}
            Way::Paid => self.pay(order, &at_gateway, Outcome::Captured).await,
            Way::Promised => self.pay(order, &at_gateway, Outcome::Authorized).await,
            Way::Failed => {
                self.standin.pay(&at_gateway, Outcome::Failed).unwrap();
            }
            Way::FailedFirst => {
                self.standin.pay(&at_gateway, Outcome::Failed).unwrap();
                self.pay(order, &at_gateway, Outcome::Captured).await;
            }
            Way::Twice => {
                self.pay(order, &at_gateway, Outcome::Captured).await;
                self.pay(order, &at_gateway, Outcome::Captured).await;
            }
            Way::TwiceOncePromised => {
                self.standin.pay(&at_gateway, Outcome::Authorized).unwrap();
                self.pay(order, &at_gateway, Outcome::Captured).await;
            }
            Way::Late => {
                self.expired(order).await;
                self.pay(order, &at_gateway, Outcome::Captured).await;
            }
            Way::LatePromised => {
                self.expired(order).await;
                self.pay(order, &at_gateway, Outcome::Authorized).await;
            }
            Way::LateAndGone => {
                self.expired(order).await;
                if self.buyer.order(&product, 1).await {
                    self.pay(order, &at_gateway, Outcome::Captured).await;
                }
            }
            Way::PaidAfterCancel => {
                self.buyer.cancel().await;
                self.pay(order, &at_gateway, Outcome::Captured).await;
            }
            Way::PromisedAfterCancel => {
                self.buyer.cancel().await;
                self.pay(order, &at_gateway, Outcome::Authorized).await;
            }
            Way::PaidThenCancelled => {
                let checkout = self.standin.pay(&at_gateway, Outcome::Captured).unwrap();
                self.buyer.verify(order, &checkout.json()).await;
                self.buyer.cancel().await;
            }
            Way::PartlyBack => {
                let checkout = self.standin.pay(&at_gateway, Outcome::Captured).unwrap();
                self.buyer.verify(order, &checkout.json()).await;
                self.part_back(order).await;
            }
        }
    }

    /// An admin refunds a part of a kept order, and repeats until it is answered.
    async fn part_back(&mut self, order: usize) {
        let id = self.buyer.orders[order].id.clone();
        let payment = self.buyer.payment_of(&id).await.unwrap();
        let refund = self.buyer.client.post(&format!("/api/payments/{}/refunds", text(&payment["_id"])));
        let body = json!({ "amount": { "amount": 1 }, "reason": "a scratch" });
        let answer = refund.token(&self.admin).header("idempotency-key", &id).json(&body).send().await;
        // 409: the order could not be kept, and everything was refunded.
        assert!(matches!(answer.status, 201 | 409), "{answer:?}");
        if answer.status == 201 {
            self.buyer.orders[order].given_back = PART;
        }
    }

    /// Pays at the gateway; the page returns, or is closed before.
    async fn pay(&mut self, order: usize, at_gateway: &str, outcome: Outcome) {
        let checkout = self.standin.pay(at_gateway, outcome).unwrap();
        if self.random.random_bool(0.6) {
            self.buyer.verify(order, &checkout.json()).await;
        }
    }

    async fn expired(&self, order: usize) {
        let started = Instant::now();
        while self.buyer.status_of(order).await == "PENDING" {
            assert!(started.elapsed() < DEADLINE, "{} ends in time", self.buyer.orders[order].id);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}
