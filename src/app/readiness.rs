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
    actors::{outbox::Outbox, rabbit_bridge::RabbitBridge, runtime::Runtime},
    http::ops::{ActorKind, Part, PartState, ReadinessReport},
    peers::http::HttpPeer,
    store::sqlite::SqliteStore,
};

/// How often to look.
const EVERY: Duration = Duration::from_secs(1);

/// Looks at the store and the actors.
pub struct Watch {
    runtime: Arc<Runtime>,
    store: Mutex<Part>,
    rabbit: Option<RabbitBridge>,
    neighbours: Vec<HttpPeer>,
    broken: Mutex<Option<String>>,
    draining: AtomicBool,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

fn store_part(state: PartState, detail: Option<String>) -> Part {
    Part { name: "store".to_owned(), state, detail }
}

impl Watch {
    /// Starts looking. A large database's integrity is checked in the background.
    pub(super) fn start(
        sqlite: SqliteStore,
        runtime: Arc<Runtime>,
        outbox: Outbox,
        rabbit: Option<RabbitBridge>,
        neighbours: Vec<HttpPeer>,
    ) -> Arc<Self> {
        let mut tasks = nodes::look_at(&neighbours);
        let watch = Arc::new(Self {
            runtime,
            store: Mutex::new(store_part(PartState::Up, None)),
            rabbit,
            neighbours,
            broken: Mutex::new(None),
            draining: AtomicBool::new(false),
            tasks: Mutex::default(),
        });
        let looking = Arc::clone(&watch);
        tasks.push(actix_rt::spawn(async move {
            if let Err(error) = sqlite.integrity_check().await {
                tracing::error!(%error, "the database is damaged");
                *looking.broken.lock() = Some(error.to_string());
            }
            loop {
                looking.look(&sqlite, &outbox).await;
                tokio::time::sleep(EVERY).await;
            }
        }));
        *watch.tasks.lock() = tasks;
        watch
    }

    async fn look(&self, sqlite: &SqliteStore, outbox: &Outbox) {
        let damage = self.broken.lock().clone();
        let part = match (damage, sqlite.check().await) {
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
        let kind = |kind: crate::actors::runtime::KindSnapshot| ActorKind {
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
                .chain(nodes::parts(&self.neighbours))
                .collect(),
            actors: self.runtime.snapshot().into_iter().map(kind).collect(),
            draining: self.draining.load(Ordering::Relaxed),
        }
    }

    /// The broker, where one is used: without it the shop sells on and events wait.
    fn broker(&self) -> Option<Part> {
        let up = self.rabbit.as_ref()?.is_up();
        let detail = (!up).then(|| "events wait in the outbox".to_owned());
        let state = if up { PartState::Up } else { PartState::Degraded };
        Some(Part { name: "rabbitmq".to_owned(), state, detail })
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
