//! A peer over HTTP is the peer in the process; away, it is away at once and comes back.

mod away;
mod same;
mod service;

use std::{
    io,
    net::SocketAddr,
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::{App, HttpServer, dev::ServerHandle, web::Data};

use super::{HttpPeer, ServiceToken};
use crate::{
    http::{
        State,
        internal::{self, Exposed},
        rate::AuthLimits,
        state::HttpSettings,
        tokens::Tokens,
    },
    peers::{Catalogue, PeerError},
};

const SECRET: &[u8] = b"a secret of thirty-two bytes, or so";
const DEADLINE: Duration = Duration::from_secs(20);

fn tokens() -> Tokens {
    Tokens::new(SECRET)
}

fn peer(service: &'static str, at: SocketAddr) -> HttpPeer {
    peer_with(service, at, tokens())
}

fn peer_with(service: &'static str, at: SocketAddr, tokens: Tokens) -> HttpPeer {
    let token = Arc::new(ServiceToken::new(tokens, "tests"));
    HttpPeer::new(service, &format!("http://{at}"), HttpPeer::client().unwrap(), token)
}

/// Serves what is exposed, at this port or at a free one.
fn serve(exposed: Exposed, port: u16) -> io::Result<(ServerHandle, SocketAddr)> {
    let state = Data::new(State::new(HttpSettings::default(), tokens(), AuthLimits::new(false, NonZeroU32::MIN)));
    let server = HttpServer::new(move || {
        App::new().app_data(state.clone()).configure(|config| internal::configure(config, &exposed))
    })
    .workers(1)
    .disable_signals()
    .shutdown_timeout(0)
    .bind(("127.0.0.1", port))?;
    let at = server.addrs()[0];
    let server = server.run();
    let handle = server.handle();
    actix_rt::spawn(server);
    Ok((handle, at))
}

/// What a call of `peer` comes to; it ends within its deadline whatever happens.
async fn offers(peer: &HttpPeer) -> Result<usize, PeerError> {
    let products = [crate::domain::ids::ProductId::from_bytes([1; 12])];
    let called = Catalogue::offers(peer, &products);
    let within = crate::peers::wire::OFFERS.within + Duration::from_secs(5);
    tokio::time::timeout(within, called).await.expect("a call ends").map(|offers| offers.len())
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < DEADLINE, "in time: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
