//! A shop, its gateway and its buyers.

use std::{
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;

use super::{
    super::{
        client::{Buyer, Line, text},
        market::Seller,
        process::{Process, data_of, finish_with},
        shop::TempDir,
    },
    documents::Documents,
    payer::{Hint, Payer},
    standin::{Faults, Habits, Post, StandIn},
};

/// An unused address: buyers and the gateway call it while the process is dead.
const NOBODY: &str = "http://127.0.0.1:9";
/// The admin who makes refunds.
pub const ADMIN: &str = "admin@example.com";
const ADMIN_PASSWORD: &str = "correct horse";
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
    pub line: Line,
    pub standin: Arc<StandIn>,
    pub post: Post,
    pub sellers: Vec<Seller>,
    /// The way that buyers should prefer.
    pub hint: Hint,
    /// The token of an admin.
    admin: String,
    pub documents: Documents,
    data: PathBuf,
    stocking: Stocking,
    seed: u64,
    process: Option<Process>,
    _dir: TempDir,
}

impl World {
    /// Opens a shop with its documents in a file or in these databases; the gateway works without faults until the
    /// buyers start.
    pub async fn open(label: String, seed: u64, stocking: Stocking, databases: Option<Documents>) -> Self {
        let dir = TempDir::new();
        let data = data_of(&dir.0);
        let documents = databases.unwrap_or_else(|| Documents::File(data.clone()));
        let standin = Arc::new(StandIn::start());
        standin.set_limit(Some(LIMIT));
        let post = standin.post_to(NOBODY, Habits::bad(seed));
        let line = Line::new(NOBODY);
        let (sellers, admin, hint) = (vec![], String::new(), Hint::default());
        let mut world = Self {
            label,
            line,
            standin,
            post,
            sellers,
            hint,
            admin,
            documents,
            data,
            stocking,
            seed,
            process: None,
            _dir: dir,
        };
        world.command(&["admin", "create", "--email", ADMIN]).await;
        world.live(None).await;
        let login = json!({ "email": ADMIN, "password": ADMIN_PASSWORD });
        let ((_, answer), _) = world.line.post("/api/auth/login", "", &login).await;
        world.admin = text(&answer["token"]);
        for number in 0..2 {
            let stocking = [("Lamp", stocking.plenty), ("Chair", stocking.plenty), ("Painting", 1), ("Vase", 1)];
            world.sellers.push(Seller::join_with(&world.line, number, &stocking).await);
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
            let (line, standin, ended) = (self.line.clone(), Arc::clone(&self.standin), Arc::clone(&ended));
            let (seed, stocking) = (self.seed, (plenty.clone(), single.clone()));
            let output = (self.admin.clone(), Arc::clone(&self.hint));
            tokio::spawn(async move {
                Payer::join(line, number, seed, standin, output, stocking).await.shop_until(ended).await
            })
        });
        Shopping { buyers: buyers.collect(), ended }
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        let mut settings = self.standin.variables();
        settings.push(("MICROBAZAAR_ADMIN_PASSWORD", ADMIN_PASSWORD.to_owned()));
        settings.extend(self.documents.settings());
        settings.push(("MICROBAZAAR_ORDER__PAYMENT_WINDOW", "2s".to_owned()));
        settings
    }

    /// Starts the program over the same data, to die at a crash point if one is given; it may die before it is ready.
    pub async fn live(&mut self, crash_at: Option<&str>) {
        let mut settings = self.settings();
        settings.extend(crash_at.map(|point| ("CRASH_AT", point.to_owned())));
        let data = self.data.clone();
        let launched = tokio::task::spawn_blocking(move || {
            let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
            Process::launch(&data, &settings)
        });
        match launched.await.unwrap() {
            Ok(process) => {
                self.direct(&process.base);
                self.process = Some(process);
            }
            Err(status) => assert!(crash_at.is_some() && status.signal() == Some(9), "{}: {status}", self.label),
        }
    }

    fn direct(&self, base: &str) {
        self.line.redirect(base);
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

    /// The program's address.
    pub fn base(&self) -> &str {
        &self.process.as_ref().unwrap().base
    }

    /// Runs a command of the program beside it, or over the data of a dead process.
    pub async fn command(&self, arguments: &'static [&'static str]) -> String {
        let (data, settings) = (self.data.clone(), self.settings());
        let done = tokio::task::spawn_blocking(move || {
            let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
            finish_with(&data, arguments, &settings)
        });
        let done = done.await.unwrap();
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        let complained = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{}: {arguments:?}: {said} {complained}", self.label);
        said
    }

    /// After any crash, the ledger's entries do not contradict each other.
    pub async fn check_ledger(&self) {
        self.command(&["ledger", "check"]).await;
    }
}
