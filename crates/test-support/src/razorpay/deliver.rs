//! Sends webhooks as the gateway does, and with faults: several times, out of order, late, until they are accepted.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};

use super::{AppState, StandIn, Webhook};

/// How webhooks are sent.
#[derive(Debug, Clone, Copy)]
pub struct Habits {
    /// The seed of the generator.
    pub seed: u64,
    /// Each is sent up to this often, at least once.
    pub times: u32,
    /// Whether webhooks that are ready together are sent in any order.
    pub shuffled: bool,
    /// The longest wait before one is sent.
    pub delay: Duration,
    /// How many of a thousand are never sent.
    pub lost: u32,
}

impl Habits {
    /// Each once, in order, at once.
    pub const fn good() -> Self {
        Self { seed: 0, times: 1, shuffled: false, delay: Duration::ZERO, lost: 0 }
    }

    /// Each up to three times, in any order, some late and a few never.
    pub const fn bad(seed: u64) -> Self {
        Self { seed, times: 3, shuffled: true, delay: Duration::from_millis(400), lost: 50 }
    }
}

/// The deadline of a response.
const WITHIN: Duration = Duration::from_secs(5);
/// The pause between two attempts of one webhook.
const AGAIN: Duration = Duration::from_millis(100);

fn client() -> reqwest::Client {
    microbazaar::runtime::http_client::builder().timeout(WITHIN).no_proxy().build().unwrap()
}

impl Webhook {
    /// Sends it once; returns the status, if there was a response.
    pub async fn send(&self, url: &str) -> Option<u16> {
        self.send_by(&client(), url).await
    }

    async fn send_by(&self, client: &reqwest::Client, url: &str) -> Option<u16> {
        let request = client
            .post(url)
            .header("content-type", "application/json")
            .header("x-razorpay-signature", &self.signature)
            .header("x-razorpay-event-id", &self.event_id)
            .body(self.body.clone());
        request.send().await.ok().map(|answer| answer.status().as_u16())
    }
}

/// Sends all webhooks of a [`StandIn`] in the background, until it is dropped.
pub struct Post {
    ended: Arc<AtomicBool>,
    under_way: Arc<AtomicUsize>,
    url: Arc<Mutex<String>>,
    shared: Arc<AppState>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl StandIn {
    /// Sends each webhook to `url` from now on.
    pub fn post_to(&self, url: &str, habits: Habits) -> Post {
        let ended = Arc::new(AtomicBool::new(false));
        let under_way = Arc::new(AtomicUsize::new(0));
        let url = Arc::new(Mutex::new(url.to_owned()));
        let route = Route {
            ended: Arc::clone(&ended),
            under_way: Arc::clone(&under_way),
            url: Arc::clone(&url),
            client: client(),
        };
        let shared = Arc::clone(&self.shared);
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(route.run(&shared, habits));
        });
        Post { ended, under_way, url, shared: Arc::clone(&self.shared), thread: Some(thread) }
    }
}

impl Post {
    /// Sends to another address from now on, including retries.
    pub fn redirect(&self, url: &str) {
        url.clone_into(&mut self.url.lock());
    }

    /// Whether every event was sent and accepted.
    pub fn is_idle(&self) -> bool {
        // In this order: webhooks that leave the ledger are counted before it is unlocked.
        self.shared.ledger.lock().outgoing.is_empty() && self.under_way.load(Ordering::SeqCst) == 0
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[derive(Clone)]
struct Route {
    ended: Arc<AtomicBool>,
    under_way: Arc<AtomicUsize>,
    url: Arc<Mutex<String>>,
    client: reqwest::Client,
}

impl Route {
    fn goes_on(&self) -> bool {
        !self.ended.load(Ordering::SeqCst)
    }

    async fn run(self, shared: &AppState, habits: Habits) {
        let mut random = StdRng::seed_from_u64(habits.seed);
        while self.goes_on() {
            let mut letters = vec![];
            {
                let mut ledger = shared.ledger.lock();
                for webhook in ledger.outgoing.drain(..) {
                    if random.random_range(0..1000) >= habits.lost {
                        let times = random.random_range(1..=habits.times);
                        letters.extend((0..times).map(|_| webhook.clone()));
                    }
                }
                self.under_way.fetch_add(letters.len(), Ordering::SeqCst);
            }
            if habits.shuffled {
                letters.shuffle(&mut random);
            }
            for webhook in letters {
                let wait = habits.delay.mul_f64(random.random());
                if habits.delay.is_zero() {
                    self.carry(&webhook).await;
                } else {
                    let route = self.clone();
                    actix_web::rt::spawn(async move {
                        actix_web::rt::time::sleep(wait).await;
                        route.carry(&webhook).await;
                    });
                }
            }
            actix_web::rt::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Retries until it is accepted.
    async fn carry(&self, webhook: &Webhook) {
        while self.goes_on() {
            let url = self.url.lock().clone();
            if webhook.send_by(&self.client, &url).await.is_some_and(|status| (200..300).contains(&status)) {
                break;
            }
            actix_web::rt::time::sleep(AGAIN).await;
        }
        self.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}
