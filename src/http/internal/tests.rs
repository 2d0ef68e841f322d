//! Calls over HTTP behave as calls in the process; an unavailable peer is detected at once, and used again when it is
//! back.

pub(crate) mod round_trip;
mod unavailable_peer;

use std::{
    fmt::Debug,
    io,
    net::SocketAddr,
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::{App, HttpServer, dev::ServerHandle, web::Data};

use crate::{
    actors::tokens::Tokens,
    config::Service,
    domain::Timestamp,
    http::{State, internal, rate::AuthLimits, state::HttpSettings},
    runtime::calls::{Call, Calls, Outcome, Registry, remote::Peer},
};

const SECRET: &[u8] = b"a secret of thirty-two bytes, or so";
const DEADLINE: Duration = Duration::from_secs(20);

fn tokens() -> Tokens {
    Tokens::new(SECRET)
}

fn peer(service: Service, at: SocketAddr) -> Peer {
    peer_with(service, at, tokens())
}

fn peer_with(service: Service, at: SocketAddr, tokens: Tokens) -> Peer {
    let token = move || tokens.issue_service("tests", Timestamp::now()).map_err(|error| error.to_string());
    Peer::new(service, &format!("http://{at}"), Peer::client().unwrap(), Arc::new(token))
}

/// Serves the registry, at this port or at a free one.
fn serve(registry: Registry, port: u16) -> io::Result<(ServerHandle, SocketAddr)> {
    let state = Data::new(State::new(HttpSettings::default(), tokens(), AuthLimits::new(false, NonZeroU32::MIN)));
    let calls = Data::new(Calls::local(registry));
    let server = HttpServer::new(move || {
        let (state, calls) = (state.clone(), calls.clone());
        App::new().app_data(state).app_data(calls).configure(internal::configure)
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

/// Sends `call` over HTTP; fails the test when it does not end.
async fn ask<C: Call>(peer: &Peer, call: C) -> Outcome<C> {
    let called = peer.ask(&call);
    tokio::time::timeout(C::WITHIN + Duration::from_secs(5), called).await.expect("a call ends")
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < DEADLINE, "in time: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A registry in which `C` always has this outcome.
fn answering<C>(outcome: Outcome<C>) -> Registry
where
    C: Call,
    C::Reply: Clone + Sync,
    C::Error: Clone + Sync,
{
    let mut registry = Registry::default();
    registry.on(move |_: C| std::future::ready(outcome.clone()));
    registry
}

fn text(value: &impl Debug) -> String {
    format!("{value:?}")
}
