//! Readiness, checked in the background so that a request for it is cheap.
//!
//! **Invariant:** a readiness request never waits for a dependency.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use metrics::{counter, gauge};
use parking_lot::Mutex;
use tokio::task::JoinHandle;

use super::{memory, nodes};
use crate::{
    actors::{catalogue::Catalogue, mail_sender::Mails, outbox::Outbox, rabbit_bridge::RabbitBridge},
    app::Storage,
    http::ops::{ActorKind, Part, PartState, ReadinessReport},
    integrations::payment::RazorpayGateway,
    runtime::Runtime,
    runtime::calls::remote::Peer,
};

/// How often to look.
const EVERY: Duration = Duration::from_secs(1);
/// How often to check whether a gateway that refused the key accepts it again.
const LOCKED_OUT_EVERY: Duration = Duration::from_secs(30);

/// The process's dependencies besides its store, each if it is used.
pub(super) struct Dependencies {
    /// The broker.
    pub(super) rabbit: Option<RabbitBridge>,
    /// The catalogue, whose search index is made at start.
    pub(super) catalogue: Option<Catalogue>,
    /// The sender of mails, if a mail server is used.
    pub(super) mails: Option<Mails>,
    /// Razorpay, if it is used.
    pub(super) razorpay: Option<Arc<RazorpayGateway>>,
    /// The services in other processes.
    pub(super) peers: Vec<Peer>,
}

/// Monitors the store and the actors.
pub struct ReadinessMonitor {
    runtime: Arc<Runtime>,
    store: Mutex<Part>,
    dependencies: Dependencies,
    broken: Mutex<Option<String>>,
    draining: AtomicBool,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

fn store_part(state: PartState, detail: Option<String>) -> Part {
    Part { name: "store".to_owned(), state, detail }
}

/// An optional dependency, and the effect of its absence.
fn dispensable(name: &str, up: bool, while_away: &str) -> Part {
    let state = if up { PartState::Up } else { PartState::Degraded };
    Part { name: name.to_owned(), state, detail: (!up).then(|| while_away.to_owned()) }
}

/// Checks an unavailable gateway. An available one is not called.
async fn look_for(gateway: Arc<RazorpayGateway>) {
    let mut was_up = true;
    loop {
        let up = gateway.is_up() || gateway.look().await;
        gauge!("gateway_up").set(if up { 1.0 } else { 0.0 });
        if up != was_up {
            was_up = up;
            tracing::info!(up, "the availability of the payment gateway changed");
        }
        tokio::time::sleep(if gateway.is_locked_out() { LOCKED_OUT_EVERY } else { EVERY }).await;
    }
}

impl ReadinessMonitor {
    /// Starts monitoring. A large database's integrity is checked in the background.
    pub(super) fn start(
        storage: Storage,
        runtime: Arc<Runtime>,
        outbox: Outbox,
        dependencies: Dependencies,
    ) -> Arc<Self> {
        let mut tasks = nodes::look_at(&dependencies.peers);
        tasks.extend(dependencies.razorpay.clone().map(|gateway| actix_rt::spawn(look_for(gateway))));
        let watch = Arc::new(Self {
            runtime,
            store: Mutex::new(store_part(PartState::Up, None)),
            dependencies,
            broken: Mutex::new(None),
            draining: AtomicBool::new(false),
            tasks: Mutex::default(),
        });
        let looking = Arc::clone(&watch);
        tasks.push(actix_rt::spawn(async move {
            if let Err(error) = storage.integrity_check().await {
                tracing::error!(%error, "the database is damaged");
                *looking.broken.lock() = Some(error.to_string());
            }
            let mut reported = HashMap::new();
            loop {
                looking.look(&storage, &outbox, &mut reported).await;
                // If no thread can be started the memory stays for another second.
                let _released = memory::release_unused();
                tokio::time::sleep(EVERY).await;
            }
        }));
        *watch.tasks.lock() = tasks;
        watch
    }

    /// `reported` is how often actors of a kind had been restarted and refused calls at the last report.
    async fn look(&self, storage: &Storage, outbox: &Outbox, reported: &mut HashMap<String, (u64, u64)>) {
        let damage = self.broken.lock().clone();
        let part = match (damage, storage.check().await) {
            (Some(damage), _) => store_part(PartState::Down, Some(damage)),
            (None, Ok(())) => store_part(PartState::Up, None),
            (None, Err(error)) => store_part(PartState::Down, Some(error.to_string())),
        };
        *self.store.lock() = part;
        if let Ok(depth) = outbox.depth().await {
            gauge!("outbox_events").set(f64::from(u32::try_from(depth).unwrap_or(u32::MAX)));
        }
        for kind in self.report().actors {
            let small = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
            gauge!("actors_alive", "kind" => kind.kind.clone()).set(small(kind.alive));
            gauge!("actor_calls_in_flight", "kind" => kind.kind.clone()).set(small(kind.in_flight));
            let (restarts, refused) =
                reported.insert(kind.kind.clone(), (kind.restarts, kind.refused)).unwrap_or_default();
            let since = |count: u64, before: u64| count.saturating_sub(before);
            counter!("actor_restarts_total", "kind" => kind.kind.clone()).increment(since(kind.restarts, restarts));
            counter!("actor_calls_refused_total", "kind" => kind.kind).increment(since(kind.refused, refused));
        }
    }

    /// The readiness of the process.
    pub(super) fn report(&self) -> ReadinessReport {
        let count = |count: i64| u64::try_from(count).unwrap_or(0);
        let kind = |kind: crate::runtime::KindSnapshot| ActorKind {
            kind: kind.name.to_owned(),
            alive: count(kind.alive),
            restarts: kind.restarts,
            in_flight: count(kind.in_flight),
            refused: kind.refused,
            failing: kind.failing > 0,
        };
        ReadinessReport {
            parts: std::iter::once(self.store.lock().clone())
                .chain(self.broker())
                .chain(self.search())
                .chain(self.mail_server())
                .chain(self.picture_host())
                .chain(self.gateway())
                .chain(nodes::parts(&self.dependencies.peers))
                .collect(),
            actors: self.runtime.snapshot().into_iter().map(kind).collect(),
            draining: self.draining.load(Ordering::Relaxed),
        }
    }

    /// The search index, while it has not caught up with the store.
    fn search(&self) -> Option<Part> {
        let catalogue = self.dependencies.catalogue.as_ref()?;
        let part = |state, detail: &str| Part { name: "search".to_owned(), state, detail: Some(detail.to_owned()) };
        match (catalogue.caught_up(), catalogue.is_rebuilding_search()) {
            (false, _) => Some(part(PartState::Down, "the search index is being built")),
            (true, true) => Some(part(PartState::Degraded, "the search index was damaged and is made anew")),
            (true, false) => None,
        }
    }

    /// The broker, if it is used: without it the shop keeps selling and events wait.
    fn broker(&self) -> Option<Part> {
        let up = self.dependencies.rabbit.as_ref()?.is_up();
        Some(dispensable("rabbitmq", up, "events wait in the outbox"))
    }

    /// The mail server, if it is used: without it the shop keeps selling and mails wait.
    fn mail_server(&self) -> Option<Part> {
        let up = self.dependencies.mails.as_ref()?.is_up();
        Some(dispensable("smtp", up, "mails wait in the delivery log"))
    }

    /// The host of pictures, if it is used: without it the shop keeps selling and serves them itself.
    fn picture_host(&self) -> Option<Part> {
        let problem = self.dependencies.catalogue.as_ref()?.hosting_problem()?;
        let detail = problem.as_ref().err().map(|why| format!("{why}; pictures are kept and shown here"));
        let state = if problem.is_ok() { PartState::Up } else { PartState::Degraded };
        Some(Part { name: "imagekit".to_owned(), state, detail })
    }

    /// Razorpay, if it is used: without it no payment can begin, and all else keeps working.
    fn gateway(&self) -> Option<Part> {
        let gateway = self.dependencies.razorpay.as_ref()?;
        let while_away = match gateway.is_locked_out() {
            true => "it does not accept razorpay.key_id with razorpay.key_secret; payments and refunds wait",
            false => "payments and refunds wait",
        };
        Some(dispensable("razorpay", gateway.is_up(), while_away))
    }

    /// Marks the process as not ready, because it is shutting down.
    pub(super) fn draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Stops monitoring.
    pub(super) fn stop(&self) {
        self.tasks.lock().drain(..).for_each(|task| task.abort());
    }
}
