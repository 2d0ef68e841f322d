//! A stand-in for Razorpay: its API v1 over real HTTP, and a side for tests that plays
//! the buyer, the bank, the operator at the gateway's own pages, and the sender of webhooks.
//!
//! It runs on a thread of its own and its books live in the process of the test, so they
//! outlive whichever program calls it. A test target of its own includes this folder by `#[path]`.
//!
//! **Invariant:** what [`StandIn::truth`] tells is what happened, whatever was answered.
#![allow(dead_code, unused_imports, reason = "each test target that includes this uses a part of it")]

mod api;
mod books;
mod deliver;
mod faults;
mod json;
mod webhooks;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{Arc, mpsc},
    thread::JoinHandle,
};

use actix_web::{App, HttpServer, dev::ServerHandle, rt::System, web};
use parking_lot::Mutex;

use self::{books::Books, faults::Weather};
pub use self::{
    books::{Answer, Outcome, Truth},
    deliver::{Habits, Post},
    faults::{Fault, Faults},
    webhooks::{Webhook, signed},
};

/// The key id that it knows.
pub const KEY_ID: &str = "rzp_test_standin00001";
/// The secret of the key.
pub const KEY_SECRET: &str = "standin-key-secret-7c1f";
/// The secret that signs webhooks.
pub const WEBHOOK_SECRET: &str = "standin-webhook-secret-93ab";

/// What the checkout hands to the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    /// `razorpay_order_id`.
    pub order_id: String,
    /// `razorpay_payment_id`.
    pub payment_id: String,
    /// `razorpay_signature`; empty for a payment that failed.
    pub signature: String,
}

impl Checkout {
    /// The three fields under the names that the page gets.
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "razorpay_order_id": self.order_id,
            "razorpay_payment_id": self.payment_id,
            "razorpay_signature": self.signature,
        })
    }
}

/// What handlers share.
pub(crate) struct Shared {
    books: Mutex<Books>,
    weather: Mutex<Weather>,
}

/// The stand-in. Dropped, it stops listening.
pub struct StandIn {
    shared: Arc<Shared>,
    address: SocketAddr,
    server: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

impl StandIn {
    /// Starts one that does as it is asked.
    pub fn start() -> Self {
        Self::start_with(Faults::none())
    }

    /// Starts one with these faults.
    pub fn start_with(faults: Faults) -> Self {
        let shared = Arc::new(Shared { books: Mutex::default(), weather: Mutex::new(Weather::new(faults)) });
        let (sender, receiver) = mpsc::channel();
        let data = web::Data::from(Arc::clone(&shared));
        let thread = std::thread::spawn(move || {
            System::new().block_on(async move {
                let app = move || App::new().app_data(data.clone()).configure(api::routes);
                let server = HttpServer::new(app)
                    .workers(2)
                    .disable_signals()
                    .shutdown_timeout(0)
                    .on_connect(faults::keep_wire)
                    .bind(("127.0.0.1", 0))
                    .unwrap();
                let address = server.addrs()[0];
                let server = server.run();
                sender.send((address, server.handle())).unwrap();
                server.await.unwrap();
            });
        });
        let (address, server) = receiver.recv().unwrap();
        Self { shared, address, server, thread: Some(thread) }
    }

    /// What `razorpay.base_url` is set to.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The variables that make a program use it.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("RAZORPAY_KEY_ID", KEY_ID.to_owned()),
            ("RAZORPAY_KEY_SECRET", KEY_SECRET.to_owned()),
            ("RAZORPAY_WEBHOOK_SECRET", WEBHOOK_SECRET.to_owned()),
            ("MICROBAZAAR_RAZORPAY__BASE_URL", self.base_url()),
        ]
    }

    /// From now on there are these faults.
    pub fn set_faults(&self, faults: Faults) {
        *self.shared.weather.lock() = Weather::new(faults);
    }

    /// The next request whose method and path begin with `call` (`POST /v1/orders`) has
    /// this fault; several wait in order, before those by chance.
    pub fn next(&self, call: &str, fault: Fault) {
        self.shared.weather.lock().script(call, fault);
    }

    /// How many requests came whose method and path begin with `call`.
    pub fn asked(&self, call: &str) -> usize {
        self.shared.weather.lock().asked(call)
    }

    /// A buyer pays an order, or tries; also one that is paid already.
    pub fn pay(&self, order_id: &str, outcome: Outcome) -> Answer<Checkout> {
        let payment_id = self.shared.books.lock().pay(order_id, outcome)?;
        let signature = match outcome {
            Outcome::Failed => String::new(),
            Outcome::Captured | Outcome::Authorized => {
                signed(KEY_SECRET, format!("{order_id}|{payment_id}").as_bytes())
            }
        };
        Ok(Checkout { order_id: order_id.to_owned(), payment_id, signature })
    }

    /// The gateway captures what was only authorised, late and by itself.
    pub fn capture_late(&self, payment_id: &str) -> Answer<()> {
        self.shared.books.lock().capture(payment_id, None)
    }

    /// Nobody captured it in time: the gateway gives the authorised money back by itself.
    pub fn give_up(&self, payment_id: &str) -> Answer<()> {
        self.shared.books.lock().give_up(payment_id)
    }

    /// An operator gives money back at the gateway's own page; returns the refund's id.
    pub fn operator_refund(&self, payment_id: &str, amount: i64) -> Answer<String> {
        self.shared.books.lock().refund(payment_id, Some(amount), None, serde_json::json!([]))
    }

    /// From now on no order above so much is opened.
    pub fn set_limit(&self, most: Option<i64>) {
        self.shared.books.lock().most = most;
    }

    /// Whether refunds from now on stay pending until [`StandIn::settle_refund`].
    pub fn hold_refunds(&self, hold: bool) {
        self.shared.books.lock().hold_refunds = hold;
    }

    /// A pending refund is processed, or fails.
    pub fn settle_refund(&self, refund_id: &str, processed: bool) -> Answer<()> {
        self.shared.books.lock().settle_refund(refund_id, processed)
    }

    /// Settles every pending refund.
    pub fn settle_all_refunds(&self, processed: bool) {
        let mut books = self.shared.books.lock();
        for id in books.pending_refunds() {
            let _ = books.settle_refund(&id, processed);
        }
    }

    /// The ids of the payments made for an order.
    pub fn payments_of(&self, order_id: &str) -> Vec<String> {
        self.shared.books.lock().payments_of(order_id).iter().map(|payment| payment.id.clone()).collect()
    }

    /// The gateway orders with a payment that somebody has yet to capture.
    pub fn promised(&self) -> BTreeSet<String> {
        let books = self.shared.books.lock();
        let promised = books.payments.values().filter(|payment| payment.status == "authorized");
        promised.map(|payment| payment.order_id.clone()).collect()
    }

    /// The ids of a payment's refunds.
    pub fn refunds_of(&self, payment_id: &str) -> Vec<String> {
        self.shared.books.lock().refunds_of(payment_id).iter().map(|refund| refund.id.clone()).collect()
    }

    /// A buyer's bank disputes a payment; returns the dispute's id.
    pub fn dispute(&self, payment_id: &str) -> Answer<String> {
        self.shared.books.lock().dispute(payment_id)
    }

    /// An event that no program knows.
    pub fn unknown_event(&self) {
        self.shared.books.lock().tell_unknown();
    }

    /// The webhooks of all that happened since the last time that they were taken, in order.
    pub fn take_webhooks(&self) -> Vec<Webhook> {
        std::mem::take(&mut self.shared.books.lock().told)
    }

    /// The gateway orders opened for a receipt, oldest first.
    pub fn orders_for(&self, receipt: &str) -> Vec<String> {
        let books = self.shared.books.lock();
        books.orders.iter().filter(|order| order.receipt.as_deref() == Some(receipt)).map(|o| o.id.clone()).collect()
    }

    /// What truly happened with each gateway order, by its id.
    pub fn truth(&self) -> BTreeMap<String, Truth> {
        self.shared.books.lock().truth()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        // The word is sent at once; the thread ends when its server has.
        drop(self.server.stop(false));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
