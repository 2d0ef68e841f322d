//! The gateways under test, each with a buyer.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use microbazaar::{
    domain::money::{Currency, Money},
    integrations::payment::{self, Keys, PaymentGateway, RazorpayGateway, SandboxGateway, Timeouts},
    store::sqlite::{SqliteOptions, SqliteStore},
};
use test_support::{
    Folder,
    razorpay::{self as standin, Checkout, Outcome, StandIn},
};

/// A gateway and a buyer in front of it.
#[async_trait]
pub trait Bench: Send + Sync {
    fn gateway(&self) -> Arc<dyn PaymentGateway>;

    /// Pays an order, or fails to.
    async fn pay(&self, order: &str, succeeds: bool) -> Checkout;
}

pub const fn inr(minor: i64) -> Money {
    Money::new(minor, Currency::Inr)
}

pub fn keys() -> Keys {
    Keys { key_secret: standin::KEY_SECRET.into(), webhook_secret: standin::WEBHOOK_SECRET.into() }
}

/// Fast retries, and a short deadline.
pub const HASTE: Timeouts = Timeouts {
    read: (Duration::from_secs(3), Duration::from_secs(8)),
    capture: (Duration::from_secs(3), Duration::from_secs(8)),
    write: (Duration::from_secs(3), Duration::from_secs(10)),
    pause: Duration::from_millis(5),
};

/// A client of `base` with short deadlines.
pub fn hasty(base: &str) -> RazorpayGateway {
    RazorpayGateway::with_patience(base, standin::KEY_ID.to_owned(), keys(), HASTE).unwrap()
}

/// Razorpay, as its simulation.
pub struct Razorpay {
    pub standin: StandIn,
    pub gateway: Arc<RazorpayGateway>,
}

impl Razorpay {
    pub fn open() -> Self {
        let standin = StandIn::start();
        let gateway = Arc::new(hasty(&standin.base_url()));
        Self { standin, gateway }
    }
}

#[async_trait]
impl Bench for Razorpay {
    fn gateway(&self) -> Arc<dyn PaymentGateway> {
        self.gateway.clone()
    }

    async fn pay(&self, order: &str, succeeds: bool) -> Checkout {
        self.standin.pay(order, if succeeds { Outcome::Captured } else { Outcome::Failed }).unwrap()
    }
}

/// The sandbox, over a database in a folder that is removed at the end.
pub struct Sandbox {
    gateway: Arc<SandboxGateway>,
    _store: SqliteStore,
    _folder: Folder,
}

impl Sandbox {
    pub fn open() -> Self {
        let folder = Folder::new();
        let store = SqliteStore::open(&folder.0, SqliteOptions::default()).unwrap();
        let gateway = Arc::new(SandboxGateway::new("rzp_test_sandbox".to_owned(), keys(), store.stores().payments));
        Self { gateway, _store: store, _folder: folder }
    }
}

#[async_trait]
impl Bench for Sandbox {
    fn gateway(&self) -> Arc<dyn PaymentGateway> {
        self.gateway.clone()
    }

    async fn pay(&self, order: &str, succeeds: bool) -> Checkout {
        let outcome = if succeeds { payment::Outcome::Success } else { payment::Outcome::Failure };
        let payment::Checkout { order_id, payment_id, signature } = self.gateway.pay(order, outcome).await.unwrap();
        Checkout { order_id, payment_id, signature }
    }
}
