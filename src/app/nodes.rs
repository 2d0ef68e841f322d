//! Which services are in other processes, and how this one reaches them.
//!
//! **Invariant:** a peer that is away keeps nobody from starting; it is looked for all the time.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result};
use metrics::gauge;
use tokio::task::JoinHandle;

use crate::{
    config::{Config, ConfigError, Service},
    http::{
        ops::{Part, PartState},
        tokens::Tokens,
    },
    peers::{
        Peers,
        http::{HttpPeer, ServiceToken},
    },
    runtime::calls::{
        Registry,
        remote::{Peer, TokenSource},
    },
};

/// How often to look at a peer that is there.
const EVERY: Duration = Duration::from_secs(1);
/// How often to look for one that is not.
const SOON: Duration = Duration::from_millis(200);

/// A service in another process, as it is reached: services become calls one by one.
#[derive(Clone)]
pub(super) enum Neighbour {
    ByTrait(HttpPeer),
    ByCalls(Peer),
}

impl Neighbour {
    fn name(&self) -> &'static str {
        match self {
            Self::ByTrait(peer) => peer.service(),
            Self::ByCalls(peer) => peer.service().name(),
        }
    }

    fn is_up(&self) -> bool {
        match self {
            Self::ByTrait(peer) => peer.is_up(),
            Self::ByCalls(peer) => peer.is_up(),
        }
    }

    async fn ping(&self) -> bool {
        match self {
            Self::ByTrait(peer) => peer.look().await,
            Self::ByCalls(peer) => peer.ping().await,
        }
    }
}

/// Sets each service that this process calls in another; returns these.
///
/// # Errors
/// When one is not set, or no connection can be made to any.
pub(super) fn connect(config: &Config, tokens: Tokens, peers: &Peers, registry: Registry) -> Result<Vec<Neighbour>> {
    let called = config.services.called();
    if called.is_empty() {
        peers.calls().connect(registry, []);
        return Ok(vec![]);
    }
    let client = HttpPeer::client().context("other services cannot be called")?;
    let token = Arc::new(ServiceToken::new(tokens, config.services.to_string()));
    let mut found = Vec::with_capacity(called.len());
    let mut remote = Vec::with_capacity(called.len());
    let source: TokenSource = {
        let token = Arc::clone(&token);
        Arc::new(move || token.current().map_err(|error| error.to_string()))
    };
    for service in called {
        let name = service.name();
        let base = config.peers.of(service);
        let base = base.ok_or_else(|| ConfigError::new(format!("peers.{name}"), "must be given"))?;
        let by_trait = HttpPeer::new(name, base, client.clone(), Arc::clone(&token));
        let far = Arc::new(by_trait.clone());
        let by_calls = Peer::new(service, base, client.clone(), Arc::clone(&source));
        remote.push(by_calls.clone());
        match service {
            Service::Payment => peers.set_payments(far),
            _ => {
                found.push(Neighbour::ByCalls(by_calls));
                continue;
            }
        }
        found.push(Neighbour::ByTrait(by_trait));
    }
    peers.calls().connect(registry, remote);
    Ok(found)
}

/// Looks at each peer in the background.
pub(super) fn look_at(peers: &[Neighbour]) -> Vec<JoinHandle<()>> {
    let look = |peer: Neighbour| async move {
        let mut was_up = true;
        loop {
            let there = peer.ping().await;
            gauge!("peer_up", "peer" => peer.name()).set(if peer.is_up() { 1.0 } else { 0.0 });
            if peer.is_up() != was_up {
                was_up = peer.is_up();
                tracing::info!(peer = peer.name(), up = was_up, "a peer came or went");
            }
            tokio::time::sleep(if there { EVERY } else { SOON }).await;
        }
    };
    peers.iter().map(|peer| actix_rt::spawn(look(peer.clone()))).collect()
}

/// How each peer is: without one, its callers get 503 at once and the rest goes on.
pub(super) fn parts(peers: &[Neighbour]) -> impl Iterator<Item = Part> {
    peers.iter().map(|peer| {
        let up = peer.is_up();
        let detail = (!up).then(|| format!("what needs the {} service is answered with 503", peer.name()));
        let state = if up { PartState::Up } else { PartState::Degraded };
        Part { name: format!("peers.{}", peer.name()), state, detail }
    })
}
