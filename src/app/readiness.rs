//! How the process is, looked at in the background so that asking costs nothing.
//!
//! **Invariant:** asking how the process is never waits for a part of it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use metrics::{counter, gauge};
use parking_lot::Mutex;
use tokio::task::JoinHandle;

use super::nodes;
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
/// How often to look whether a gateway that refused the key accepts it again.
const LOCKED_OUT_EVERY: Duration = Duration::from_secs(30);

/// What the process stands on besides its store, each where it is used.
pub(super) struct Besides {
    /// The broker.
    pub(super) rabbit: Option<RabbitBridge>,
    /// The catalogue, whose search index is made at start.
    pub(super) catalogue: Option<Catalogue>,
    /// Who sends mails by a mail server.
    pub(super) mails: Option<Mails>,
    /// Razorpay, where it takes the payments.
    pub(super) razorpay: Option<Arc<RazorpayGateway>>,
    /// The services in other processes.
    pub(super) neighbours: Vec<Peer>,
}

/// Looks at the store and the actors.
pub struct Watch {
    runtime: Arc<Runtime>,
    store: Mutex<Part>,
    besides: Besides,
    broken: Mutex<Option<String>>,
    draining: AtomicBool,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

fn store_part(state: PartState, detail: Option<String>) -> Part {
    Part { name: "store".to_owned(), state, detail }
}

/// A part that the process can serve without, and what is so while it is away.
fn dispensable(name: &str, up: bool, while_away: &str) -> Part {
    let state = if up { PartState::Up } else { PartState::Degraded };
    Part { name: name.to_owned(), state, detail: (!up).then(|| while_away.to_owned()) }
}

/// Looks for a gateway that is away. One that is there is asked nothing.
async fn look_for(gateway: Arc<RazorpayGateway>) {
    let mut was_up = true;
    loop {
        let up = gateway.is_up() || gateway.look().await;
        gauge!("gateway_up").set(if up { 1.0 } else { 0.0 });
        if up != was_up {
            was_up = up;
            tracing::info!(up, "the payment gateway came or went");
        }
        tokio::time::sleep(if gateway.is_locked_out() { LOCKED_OUT_EVERY } else { EVERY }).await;
    }
}

impl Watch {
    /// Starts looking. A large database's integrity is checked in the background.
    pub(super) fn start(storage: Storage, runtime: Arc<Runtime>, outbox: Outbox, besides: Besides) -> Arc<Self> {
        let mut tasks = nodes::look_at(&besides.neighbours);
        tasks.extend(besides.razorpay.clone().map(|gateway| actix_rt::spawn(look_for(gateway))));
        let watch = Arc::new(Self {
            runtime,
            store: Mutex::new(store_part(PartState::Up, None)),
            besides,
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
            loop {
                looking.look(&storage, &outbox).await;
                tokio::time::sleep(EVERY).await;
            }
        }));
        *watch.tasks.lock() = tasks;
        watch
    }

    async fn look(&self, storage: &Storage, outbox: &Outbox) {
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
            counter!("actor_restarts_total", "kind" => kind.kind.clone()).absolute(kind.restarts);
            counter!("actor_calls_refused_total", "kind" => kind.kind).absolute(kind.refused);
        }
    }

    /// How the process is.
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
                .chain(nodes::parts(&self.besides.neighbours))
                .collect(),
            actors: self.runtime.snapshot().into_iter().map(kind).collect(),
            draining: self.draining.load(Ordering::Relaxed),
        }
    }

    /// The search index, while it is not up with the store yet.
    fn search(&self) -> Option<Part> {
        let catalogue = self.besides.catalogue.as_ref()?;
        let part = |state, detail: &str| Part { name: "search".to_owned(), state, detail: Some(detail.to_owned()) };
        match (catalogue.caught_up(), catalogue.is_rebuilding_search()) {
            (false, _) => Some(part(PartState::Down, "the search index is being built")),
            (true, true) => Some(part(PartState::Degraded, "the search index was damaged and is made anew")),
            (true, false) => None,
        }
    }

    /// The broker, where one is used: without it the shop sells on and events wait.
    fn broker(&self) -> Option<Part> {
        let up = self.besides.rabbit.as_ref()?.is_up();
        Some(dispensable("rabbitmq", up, "events wait in the outbox"))
    }

    /// The mail server, where one is used: without it the shop sells on and mails wait.
    fn mail_server(&self) -> Option<Part> {
        let up = self.besides.mails.as_ref()?.is_up();
        Some(dispensable("smtp", up, "mails wait in the delivery log"))
    }

    /// Where pictures are hosted, if anywhere: without it the shop sells on and shows them itself.
    fn picture_host(&self) -> Option<Part> {
        let trouble = self.besides.catalogue.as_ref()?.hosting_trouble()?;
        let detail = trouble.as_ref().err().map(|why| format!("{why}; pictures are kept and shown here"));
        let state = if trouble.is_ok() { PartState::Up } else { PartState::Degraded };
        Some(Part { name: "imagekit".to_owned(), state, detail })
    }

    /// Razorpay, where it is used: without it nobody can begin to pay, and all else goes on.
    fn gateway(&self) -> Option<Part> {
        let gateway = self.besides.razorpay.as_ref()?;
        let while_away = match gateway.is_locked_out() {
            true => "it does not accept razorpay.key_id with razorpay.key_secret; payments and refunds wait",
            false => "payments and refunds wait",
        };
        Some(dispensable("razorpay", gateway.is_up(), while_away))
    }

    /// From now on the process is not ready: it is about to end.
    pub(super) fn draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Stops looking.
    pub(super) fn stop(&self) {
        self.tasks.lock().drain(..).for_each(|task| task.abort());
    }
}
