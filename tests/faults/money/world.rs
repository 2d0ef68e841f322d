//! A shop, its gateway and its buyers.

use std::{
    os::unix::process::ExitStatusExt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use test_support::{
    Client, PASSWORD, Process, Settings, done,
    razorpay::{Faults, Habits, Post, StandIn},
    text,
};

use super::{
    super::{buyer::Buyer, market::Seller, settings},
    documents::Documents,
    payer::{Hint, Payer},
};

/// An unused address: buyers and the gateway call it while the process is dead.
const NOBODY: &str = "http://127.0.0.1:9";
/// The admin who makes refunds.
pub const ADMIN: &str = "admin@example.com";
/// The gateway's limit for an order, in minor units: more than buyers usually pay.
pub const LIMIT: i64 = 20_000;
/// How long buyers may take to finish.
const ENDS_WITHIN: Duration = Duration::from_secs(90);

/// Stock and number of buyers.
#[derive(Debug, Clone, Copy)]
pub struct Stocking {
    /// The stock of each of the first products.
    pub plenty: u64,
    /// How many buyers there are.
    pub buyers: usize,
    /// Whether refunds stay pending while faults are injected.
    pub refunds_wait: bool,
}

/// The running buyers.
pub struct Shopping {
    ended: Arc<AtomicBool>,
    buyers: Vec<tokio::task::JoinHandle<Buyer>>,
}

impl Shopping {
    /// Lets each buyer finish.
    pub async fn end(self) -> Vec<Buyer> {
        self.ended.store(true, Ordering::SeqCst);
        let mut buyers = vec![];
        for buyer in self.buyers {
            let ended = tokio::time::timeout(ENDS_WITHIN, buyer).await;
            buyers.push(ended.expect("buyers end in time").unwrap());
        }
        buyers
    }
}

/// A shop with its environment.
pub struct World {
    pub label: String,
    pub client: Client,
    pub standin: Arc<StandIn>,
    pub post: Post,
    pub sellers: Vec<Seller>,
    /// The way that buyers should prefer.
    pub hint: Hint,
    /// The token of an admin.
    admin: String,
    pub documents: Documents,
    settings: Settings,
    stocking: Stocking,
    seed: u64,
    process: Option<Process>,
}

impl World {
    /// Opens a shop with its documents in a file or in these databases; the gateway works without faults until the
    /// buyers start.
    pub async fn open(label: String, seed: u64, stocking: Stocking, databases: Option<Documents>) -> Self {
        let settings = settings();
        let documents = databases.unwrap_or_else(|| Documents::File(settings.data()));
        let standin = Arc::new(StandIn::start());
        standin.set_limit(Some(LIMIT));
        let post = standin.post_to(NOBODY, Habits::bad(seed));
        let settings = documents
            .settings(settings.razorpay(&standin))
            .set("MICROBAZAAR_ADMIN_PASSWORD", PASSWORD)
            .set("MICROBAZAAR_ORDER__PAYMENT_WINDOW", "2s");
        let client = Client::new(NOBODY).patient();
        let (sellers, admin, hint) = (vec![], String::new(), Hint::default());
        let mut world = Self {
            label,
            client,
            standin,
            post,
            sellers,
            hint,
            admin,
            documents,
            settings,
            stocking,
            seed,
            process: None,
        };
        world.command(&["admin", "create", "--email", ADMIN]).await;
        world.live(None).await;
        let login = json!({ "email": ADMIN, "password": PASSWORD });
        world.admin = text(&world.client.login(&login).await.expect(200)["token"]);
        for number in 0..2 {
            let stocking = [("Lamp", stocking.plenty), ("Chair", stocking.plenty), ("Painting", 1), ("Vase", 1)];
            world.sellers.push(Seller::join_with(&world.client, number, &stocking).await);
        }
        world
    }

    /// The initial stock of each product.
    pub fn received(&self) -> impl Iterator<Item = (&String, u64)> {
        let plenty = self.stocking.plenty;
        let of = move |seller: &'_ Seller| [plenty, plenty, 1, 1].into_iter().take(seller.products.len());
        self.sellers.iter().flat_map(move |seller| seller.products.iter().zip(of(seller)))
    }

    /// Starts the buyers and the faults.
    pub fn shopping(&self) -> Shopping {
        self.standin.set_faults(Faults { late: 8, late_by: Duration::from_secs(11), ..Faults::storm(self.seed) });
        self.standin.hold_refunds(self.stocking.refunds_wait);
        let ended = Arc::new(AtomicBool::new(false));
        let of_kind = |single: bool| {
            let stocking = self.received().filter(move |(_, received)| (*received == 1) == single);
            stocking.map(|(product, _)| product.clone()).collect::<Vec<_>>()
        };
        let (plenty, single) = (of_kind(false), of_kind(true));
        let buyers = (0..self.stocking.buyers).map(|number| {
            let (client, standin, ended) = (self.client.clone(), Arc::clone(&self.standin), Arc::clone(&ended));
            let (seed, stocking) = (self.seed, (plenty.clone(), single.clone()));
            let output = (self.admin.clone(), Arc::clone(&self.hint));
            tokio::spawn(async move {
                Payer::join(client, number, seed, standin, output, stocking).await.shop_until(ended).await
            })
        });
        Shopping { buyers: buyers.collect(), ended }
    }

    /// Starts the program over the same data, to die at a crash point if one is given; it may die before it is ready.
    pub async fn live(&mut self, crash_at: Option<&str>) {
        let (settings, point) = (self.settings.clone(), crash_at.map(str::to_owned));
        let launched = tokio::task::spawn_blocking(move || {
            let more = point.as_deref().map(|point| ("CRASH_AT", point));
            Process::launch(&settings, more.as_slice())
        });
        match launched.await.unwrap() {
            Ok(process) => {
                self.direct(&process.base());
                self.process = Some(process);
            }
            Err(status) => assert!(crash_at.is_some() && status.signal() == Some(9), "{}: {status}", self.label),
        }
    }

    fn direct(&self, base: &str) {
        self.client.redirect(base);
        self.post.redirect(&format!("{base}/api/payments/webhook"));
    }

    /// Kills the program, if it lives.
    pub async fn kill(&mut self) {
        self.direct(NOBODY);
        if let Some(process) = self.process.take() {
            tokio::task::spawn_blocking(|| process.kill()).await.unwrap();
        }
    }

    /// Kills the process some milliseconds from now, and checks the ledger.
    pub async fn die_within(&mut self, millis: u64) {
        tokio::time::sleep(Duration::from_millis(millis)).await;
        self.kill().await;
        self.check_ledger().await;
    }

    /// Ends the program as an operator does.
    pub async fn terminate(&mut self) {
        let process = self.process.take().unwrap();
        let status = tokio::task::spawn_blocking(|| process.terminate()).await.unwrap();
        assert_eq!(status.code(), Some(0), "{}", self.label);
    }

    /// Waits until the process has died at its crash point.
    pub async fn dies(&mut self, point: &str, within: Duration) {
        let ends = Instant::now() + within;
        while let Some(process) = &mut self.process {
            if let Some(status) = process.ended() {
                assert_eq!(status.signal(), Some(9), "{}: at {point}: {status}", self.label);
                break;
            }
            assert!(Instant::now() < ends, "{}: {point} was not reached in time", self.label);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.process = None;
        self.direct(NOBODY);
    }

    /// Runs a command of the program beside it, or over the data of a dead process.
    pub async fn command(&self, arguments: &[&str]) -> String {
        let (code, said, complained) = done(self.settings.command(arguments)).await;
        assert_eq!(code, Some(0), "{}: {arguments:?}: {said} {complained}", self.label);
        said
    }

    /// After any crash, the ledger's entries do not contradict each other.
    pub async fn check_ledger(&self) {
        self.command(&["ledger", "check"]).await;
    }
}
