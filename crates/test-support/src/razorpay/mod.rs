//! A simulated Razorpay: its API v1 over real HTTP, and methods with which tests act as the buyer, the bank, the
//! operator on the gateway's own pages, and the sender of webhooks.
//!
//! It runs on its own thread and its ledger is in the test's process, so that it survives the programs that call it.
//! outlive whichever program calls it.
//!
//! **Invariant:** [`StandIn::truth`] returns what truly happened, whatever was answered.

mod api;
mod deliver;
mod faults;
mod json;
mod ledger;
mod webhooks;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{Arc, mpsc},
    thread::JoinHandle,
};

use actix_web::{App, HttpServer, dev::ServerHandle, rt::System, web};
use parking_lot::Mutex;

pub use self::{
    deliver::{Habits, Post},
    faults::{Fault, Faults},
    ledger::{Answer, Outcome, Truth},
    webhooks::{Webhook, signed},
};
use self::{faults::Weather, ledger::Ledger};

/// The accepted key id.
pub const KEY_ID: &str = "rzp_test_standin00001";
/// The secret of the key.
pub const KEY_SECRET: &str = "standin-key-secret-7c1f";
/// The secret that signs webhooks.
pub const WEBHOOK_SECRET: &str = "standin-webhook-secret-93ab";

/// The result of the checkout.
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

/// The state of the handlers.
pub(crate) struct AppState {
    ledger: Mutex<Ledger>,
    weather: Mutex<Weather>,
}

/// The simulation. It stops listening when it is dropped.
pub struct StandIn {
    shared: Arc<AppState>,
    address: SocketAddr,
    server: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

impl StandIn {
    /// Starts one without faults.
    pub fn start() -> Self {
        Self::start_with(Faults::none())
    }

    /// Starts one with these faults.
    pub fn start_with(faults: Faults) -> Self {
        let shared = Arc::new(AppState { ledger: Mutex::default(), weather: Mutex::new(Weather::new(faults)) });
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

    /// The value for `razorpay.base_url`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The variables that configure a program to use it.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("RAZORPAY_KEY_ID", KEY_ID.to_owned()),
            ("RAZORPAY_KEY_SECRET", KEY_SECRET.to_owned()),
            ("RAZORPAY_WEBHOOK_SECRET", WEBHOOK_SECRET.to_owned()),
            ("MICROBAZAAR_RAZORPAY__BASE_URL", self.base_url()),
        ]
    }

    /// Sets the faults.
    pub fn set_faults(&self, faults: Faults) {
        *self.shared.weather.lock() = Weather::new(faults);
    }

    /// The fault of the next request whose method and path start with `call` (`POST /v1/orders`); several wait in
    /// order, before random ones.
    pub fn next(&self, call: &str, fault: Fault) {
        self.shared.weather.lock().script(call, fault);
    }

    /// How many requests had a method and path that start with `call`.
    pub fn asked(&self, call: &str) -> usize {
        self.shared.weather.lock().asked(call)
    }

    /// A buyer pays an order, or tries to; also an order that is already paid.
    pub fn pay(&self, order_id: &str, outcome: Outcome) -> Answer<Checkout> {
        let payment_id = self.shared.ledger.lock().pay(order_id, outcome)?;
        let signature = match outcome {
            Outcome::Failed => String::new(),
            Outcome::Captured | Outcome::Authorized => {
                signed(KEY_SECRET, format!("{order_id}|{payment_id}").as_bytes())
            }
        };
        Ok(Checkout { order_id: order_id.to_owned(), payment_id, signature })
    }

    /// The gateway captures an authorised payment, late and on its own.
    pub fn capture_late(&self, payment_id: &str) -> Answer<()> {
        self.shared.ledger.lock().capture(payment_id, None)
    }

    /// Nobody captured it in time: the gateway returns the authorised money on its own.
    pub fn give_up(&self, payment_id: &str) -> Answer<()> {
        self.shared.ledger.lock().give_up(payment_id)
    }

    /// An operator makes a refund on the gateway's own page; returns the refund's id.
    pub fn operator_refund(&self, payment_id: &str, amount: i64) -> Answer<String> {
        self.shared.ledger.lock().refund(payment_id, Some(amount), None, serde_json::json!([]))
    }

    /// Sets the limit for the amount of an order.
    pub fn set_limit(&self, most: Option<i64>) {
        self.shared.ledger.lock().most = most;
    }

    /// Whether new refunds stay pending until [`StandIn::settle_refund`].
    pub fn hold_refunds(&self, hold: bool) {
        self.shared.ledger.lock().hold_refunds = hold;
    }

    /// A pending refund is processed, or fails.
    pub fn settle_refund(&self, refund_id: &str, processed: bool) -> Answer<()> {
        self.shared.ledger.lock().settle_refund(refund_id, processed)
    }

    /// Settles every pending refund.
    pub fn settle_all_refunds(&self, processed: bool) {
        let mut ledger = self.shared.ledger.lock();
        for id in ledger.pending_refunds() {
            let _ = ledger.settle_refund(&id, processed);
        }
    }

    /// The ids of the payments made for an order.
    pub fn payments_of(&self, order_id: &str) -> Vec<String> {
        self.shared.ledger.lock().payments_of(order_id).iter().map(|payment| payment.id.clone()).collect()
    }

    /// The gateway orders with a payment that still has to be captured.
    pub fn promised(&self) -> BTreeSet<String> {
        let ledger = self.shared.ledger.lock();
        let promised = ledger.payments.values().filter(|payment| payment.status == "authorized");
        promised.map(|payment| payment.order_id.clone()).collect()
    }

    /// The ids of a payment's refunds.
    pub fn refunds_of(&self, payment_id: &str) -> Vec<String> {
        self.shared.ledger.lock().refunds_of(payment_id).iter().map(|refund| refund.id.clone()).collect()
    }

    /// A buyer's bank disputes a payment; returns the dispute's id.
    pub fn dispute(&self, payment_id: &str) -> Answer<String> {
        self.shared.ledger.lock().dispute(payment_id)
    }

    /// Sends an unknown event.
    pub fn unknown_event(&self) {
        self.shared.ledger.lock().emit_unknown();
    }

    /// The webhooks since the last call, in order.
    pub fn take_webhooks(&self) -> Vec<Webhook> {
        std::mem::take(&mut self.shared.ledger.lock().outgoing)
    }

    /// The gateway orders of a receipt, oldest first.
    pub fn orders_for(&self, receipt: &str) -> Vec<String> {
        let ledger = self.shared.ledger.lock();
        ledger.orders.iter().filter(|order| order.receipt.as_deref() == Some(receipt)).map(|o| o.id.clone()).collect()
    }

    /// The true state of each gateway order, by its id.
    pub fn truth(&self) -> BTreeMap<String, Truth> {
        self.shared.ledger.lock().truth()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        // The signal is sent at once; the thread ends when its server has ended.
        drop(self.server.stop(false));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
