//! Calls between services.
//!
//! A [`Call`] is a struct that belongs to one service. A caller only writes `calls.ask(ReserveStock { .. }).await`.
//! If this process runs the service, the call goes to its handler without serialization; otherwise it is posted
//! as JSON to `/internal/v1/inventory.ReserveStock` of the process that runs it ([`remote`]). Handlers are registered
//! at startup ([`Registry`]); tests register closures instead.
//!
//! **Invariant:** `ask` returns the error that the handler returned, for local and for remote calls.

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

/// How long a caller waits for another process, including all attempts.
pub const WITHIN: Duration = Duration::from_millis(2_500);
/// The same for a call whose handler calls other services.
pub const WITHIN_NESTED: Duration = Duration::from_secs(6);

/// A request to one service.
pub trait Call: Serialize + DeserializeOwned + Send + 'static {
    /// The answer.
    type Reply: Serialize + DeserializeOwned + Send + 'static;
    /// Why the service refuses the call; [`Never`] if it never does.
    type Error: Serialize + DeserializeOwned + Send + 'static;
    /// The service that handles the call.
    const SERVICE: Service;
    /// Whether the call is idempotent, so that it can be sent again.
    const REPEATABLE: bool = true;
    /// How long the caller waits for another process, including all attempts.
    const WITHIN: Duration = WITHIN;

    /// The name under which other processes send the call.
    #[must_use]
    fn name() -> String {
        let path = type_name::<Self>();
        format!("{}.{}", Self::SERVICE.name(), path.rsplit("::").next().unwrap_or(path))
    }
}

/// The result of a call.
pub type Outcome<C> = Result<<C as Call>::Reply, CallError<<C as Call>::Error>>;

/// Sends calls to services in this process and in others. Each service holds a clone. The routes are set after all
/// services exist, because services call one another.
#[derive(Clone, Default)]
pub struct Calls(Arc<OnceLock<Routes>>);

/// The handlers of this process and the peers that run the other services.
struct Routes {
    handlers: Handlers,
    peers: HashMap<Service, Peer>,
}

impl Calls {
    /// Calls that only `registry` handles.
    #[must_use]
    pub fn local(registry: Registry) -> Self {
        let calls = Self::default();
        calls.connect(registry, []);
        calls
    }

    /// Sets the routes; only the first call has an effect. A service that is registered here is called here, even if
    /// `peers` contains it.
    pub fn connect(&self, registry: Registry, peers: impl IntoIterator<Item = Peer>) {
        let peers = peers.into_iter().map(|peer| (peer.service(), peer)).collect();
        let _first_stays = self.0.set(Routes { handlers: registry.into_handlers(), peers });
    }

    /// Sends a call and waits for its answer.
    ///
    /// # Errors
    /// The service's refusal, or the reason why the service did not answer.
    pub async fn ask<C: Call>(&self, call: C) -> Outcome<C> {
        let Some(routes) = self.0.get() else { return Err(CallError::unavailable(C::SERVICE)) };
        if let Some(handler) = routes.handlers.of::<C>() {
            return handler(call).await;
        }
        match routes.peers.get(&C::SERVICE) {
            Some(peer) => peer.ask(&call).await,
            None => Err(CallError::unavailable(C::SERVICE)),
        }
    }

    /// Handles a call that another process sent as JSON; `None` when no handler has this name.
    ///
    /// # Errors
    /// When `body` is not a valid call of this name.
    pub fn answer(&self, name: &str, body: &[u8]) -> Option<Result<Answer, serde_json::Error>> {
        Some(self.0.get()?.handlers.named(name)?(body))
    }

    /// Whether other processes may call `service` in this process.
    #[must_use]
    pub fn exposes(&self, service: Service) -> bool {
        self.0.get().is_some_and(|routes| routes.handlers.exposes(service))
    }
}
