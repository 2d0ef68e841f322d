//! The client's address: the peer's, or the one that trusted proxies report.
//!
//! **Invariant:** `X-Forwarded-For` counts only from a trusted peer, and of it only what
//! trusted proxies wrote: the right-most address that is not a trusted one.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use actix_web::{HttpRequest, http::header::HeaderName};

use crate::config::Network;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The client's address.
#[must_use]
pub fn of(req: &HttpRequest, trusted: &[Network]) -> IpAddr {
    let unknown = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let mut client = req.peer_addr().map_or(unknown, |peer| peer.ip()).to_canonical();
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    if !is_trusted(client) {
        return client;
    }
    let lines: Vec<&str> = req.headers().get_all(FORWARDED_FOR).filter_map(|line| line.to_str().ok()).collect();
    for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        // A hop that cannot be parsed was not written by a trusted proxy.
        let Some(address) = hop_address(hop.trim()) else { break };
        client = address.to_canonical();
        if !is_trusted(client) {
            break;
        }
    }
    client
}

/// Whether the client came over TLS, as a trusted proxy says.
#[must_use]
pub fn is_over_tls(req: &HttpRequest, trusted: &[Network]) -> bool {
    let Some(scheme) = req.headers().get(FORWARDED_PROTO).and_then(|scheme| scheme.to_str().ok()) else { return false };
    let peer = req.peer_addr().map(|peer| peer.ip().to_canonical());
    let is_trusted = peer.is_some_and(|peer| trusted.iter().any(|network| network.contains(peer)));
    // The proxy that is next to this program wrote the last one.
    is_trusted && scheme.rsplit(',').next().is_some_and(|scheme| scheme.trim().eq_ignore_ascii_case("https"))
}

fn hop_address(hop: &str) -> Option<IpAddr> {
    let bare = || hop.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    hop.parse().ok().or_else(|| hop.parse().ok().map(|socket: SocketAddr| socket.ip())).or_else(bare)
}
