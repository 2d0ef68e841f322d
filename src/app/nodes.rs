//! Which services are in other processes, and how this one reaches them.
//!
//! **Invariant:** an unavailable peer does not prevent the start; it is checked continuously.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result};
use metrics::gauge;
use tokio::task::JoinHandle;

use crate::{
    actors::tokens::{ServiceToken, Tokens},
    config::{Config, ConfigError},
    http::ops::{Part, PartState},
    runtime::calls::{
        Calls, Registry,
        remote::{Peer, TokenSource},
    },
};

/// How often to check an available peer.
const EVERY: Duration = Duration::from_secs(1);
/// How often to check an unavailable peer.
const SOON: Duration = Duration::from_millis(200);

/// Connects `calls` to `registry` and to the configured peers; returns the peers.
///
/// # Errors
/// When a peer is not configured, or the client cannot be set up.
pub(super) fn connect(config: &Config, tokens: Tokens, calls: &Calls, registry: Registry) -> Result<Vec<Peer>> {
    let called = config.services.called();
    let mut peers = Vec::with_capacity(called.len());
    if !called.is_empty() {
        let client = Peer::client().context("other services cannot be called")?;
        let token = ServiceToken::new(tokens, config.services.to_string());
        let token: TokenSource = Arc::new(move || token.current().map_err(|error| error.to_string()));
        for service in called {
            let base = config.peers.of(service);
            let base = base.ok_or_else(|| ConfigError::new(format!("peers.{}", service.name()), "must be given"))?;
            peers.push(Peer::new(service, base, client.clone(), Arc::clone(&token)));
        }
    }
    calls.connect(registry, peers.clone());
    Ok(peers)
}

/// Checks each peer in the background.
pub(super) fn look_at(peers: &[Peer]) -> Vec<JoinHandle<()>> {
    let look = |peer: Peer| async move {
        let mut was_up = true;
        loop {
            let there = peer.ping().await;
            gauge!("peer_up", "peer" => peer.service().name()).set(if peer.is_up() { 1.0 } else { 0.0 });
            if peer.is_up() != was_up {
                was_up = peer.is_up();
                tracing::info!(peer = peer.service().name(), up = was_up, "the availability of a peer changed");
            }
            tokio::time::sleep(if there { EVERY } else { SOON }).await;
        }
    };
    peers.iter().map(|peer| actix_rt::spawn(look(peer.clone()))).collect()
}

/// The state of each peer: without one, its callers get 503 at once and the rest keeps working.
pub(super) fn parts(peers: &[Peer]) -> impl Iterator<Item = Part> {
    peers.iter().map(|peer| {
        let up = peer.is_up();
        let detail = (!up).then(|| format!("what needs the {} service is answered with 503", peer.service().name()));
        let state = if up { PartState::Up } else { PartState::Degraded };
        Part { name: format!("peers.{}", peer.service().name()), state, detail }
    })
}
