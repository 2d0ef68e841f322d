//! Calls between services.
//!
//! A [`Call`] is a struct that belongs to one service. `calls.ask(ReserveStock { .. }).await` is all that a caller
//! writes. Where this process runs the service, the call goes to its handler as it is, unserialized; else it is posted
//! as JSON to `/internal/v1/inventory.ReserveStock` of the process that does ([`remote`]). Handlers are registered at
//! start ([`Registry`]), and tests register closures in their place.
//!
//! **Invariant:** an error comes out of `ask` as the handler returned it, whichever way the call went.

mod error;
mod registry;
pub mod remote;
mod worker;

use std::{
    any::type_name,
    collections::HashMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};

pub use self::{
    error::{CallError, Never, Refusal},
    registry::{Answer, Registry},
    worker::{Handles, KeyedWorkers, Worker, Workers},
};
use self::{registry::Handlers, remote::Peer};
use crate::config::Service;

/// How long a caller waits for another process, all tries together.
pub const WITHIN: Duration = Duration::from_millis(2_500);
/// The same where the callee calls other services in turn.
pub const WITHIN_NESTED: Duration = Duration::from_secs(6);

/// A request to one service.
pub trait Call: Serialize + DeserializeOwned + Send + 'static {
    /// What it is answered with.
    type Reply: Serialize + DeserializeOwned + Send + 'static;
    /// Why the service's rules refuse it; [`Never`] where they do not.
    type Error: Serialize + DeserializeOwned + Send + 'static;
    /// The service.
    const SERVICE: Service;
    /// Whether doing it twice is doing it once, so that it may be sent again.
    const REPEATABLE: bool = true;
    /// How long the caller waits for another process, all tries together.
    const WITHIN: Duration = WITHIN;

    /// Its name, by which another process is asked.
    #[must_use]
    fn name() -> String {
        let path = type_name::<Self>();
        format!("{}.{}", Self::SERVICE.name(), path.rsplit("::").next().unwrap_or(path))
    }
}

/// What a call comes to.
pub type Outcome<C> = Result<<C as Call>::Reply, CallError<<C as Call>::Error>>;

/// The services as this process reaches them. Services hold a clone, which is filled once all of them are made,
/// because some call one another.
#[derive(Clone, Default)]
pub struct Calls(Arc<OnceLock<Reached>>);

/// Which services run here, and where the others are.
struct Reached {
    handlers: Handlers,
    peers: HashMap<Service, Peer>,
}

impl Calls {
    /// Calls that are answered by `registry` alone.
    #[must_use]
    pub fn local(registry: Registry) -> Self {
        let calls = Self::default();
        calls.connect(registry, []);
        calls
    }

    /// Sets who answers; the first setting stays. A service that is registered is called here, whatever `peers` has.
    pub fn connect(&self, registry: Registry, peers: impl IntoIterator<Item = Peer>) {
        let peers = peers.into_iter().map(|peer| (peer.service(), peer)).collect();
        let _first_stays = self.0.set(Reached { handlers: registry.into_handlers(), peers });
    }

    /// Does a call.
    ///
    /// # Errors
    /// What the service refused it for, or why the service did not answer.
    pub async fn ask<C: Call>(&self, call: C) -> Outcome<C> {
        let Some(reached) = self.0.get() else { return Err(CallError::unavailable(C::SERVICE)) };
        if let Some(handler) = reached.handlers.of::<C>() {
            return handler(call).await;
        }
        match reached.peers.get(&C::SERVICE) {
            Some(peer) => peer.ask(&call).await,
            None => Err(CallError::unavailable(C::SERVICE)),
        }
    }

    /// Does a call that came from another process as JSON; `None` when no handler has this name.
    ///
    /// # Errors
    /// When `body` is not this call.
    pub fn answer(&self, name: &str, body: &[u8]) -> Option<Result<Answer, serde_json::Error>> {
        Some(self.0.get()?.handlers.named(name)?(body))
    }

    /// Whether other processes may call this service here.
    #[must_use]
    pub fn exposes(&self, service: Service) -> bool {
        self.0.get().is_some_and(|reached| reached.handlers.exposes(service))
    }
}
