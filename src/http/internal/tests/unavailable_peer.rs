//! Peers that are unavailable, slow or not the expected server.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::{answering, ask, peer, peer_with, serve, until};
use crate::{
    actors::inventory::calls::{GetStock, ReleaseStock, SetStock},
    actors::tokens::Tokens,
    config::Service,
    domain::ids::{OrderId, ProductId},
    runtime::breaker::FAILURES,
    runtime::calls::{CallError, Never, remote::Peer},
};

const PRODUCT: ProductId = ProductId::from_bytes([1; 12]);

fn unavailable<T>() -> Result<T, CallError<Never>> {
    Err(CallError::unavailable(Service::Inventory))
}

/// Asks whether the service has stock of a product, which it does not.
async fn has_stock(peer: &Peer) -> Result<bool, CallError<Never>> {
    ask(peer, GetStock { product: PRODUCT }).await.map(|level| level.is_some())
}

/// A server that answers every connection with `answer`, which may keep it open forever.
async fn odd<F>(answer: impl Fn(TcpStream) -> F + Send + 'static) -> (JoinHandle<()>, SocketAddr)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream));
        }
    });
    (serving, at)
}

async fn says(text: &'static str, mut stream: TcpStream) {
    let mut request = [0; 4_096];
    let _read = stream.read(&mut request).await;
    let _written = stream.write_all(text.as_bytes()).await;
    let _ended = stream.shutdown().await;
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[actix_rt::test]
async fn an_unavailable_peer_is_detected_and_used_again_when_it_is_back() {
    let port = free_port();
    let peer = peer(Service::Inventory, SocketAddr::from(([127, 0, 0, 1], port)));
    for _ in 0..FAILURES {
        assert_eq!(has_stock(&peer).await, unavailable());
    }
    assert!(!peer.is_up());
    let (server, _) = serve(answering::<GetStock>(Ok(None)), port).unwrap();
    until("a ping finds it back", async || {
        peer.ping().await;
        peer.is_up()
    })
    .await;
    assert_eq!(has_stock(&peer).await, Ok(false));
    server.stop(false).await;
    until("it is known to be away again", async || has_stock(&peer).await == unavailable() && !peer.is_up()).await;
    let (server, _) = serve(answering::<GetStock>(Ok(None)), port).unwrap();
    until("calls alone find it back", async || has_stock(&peer).await == Ok(false)).await;
    server.stop(false).await;
}

#[actix_rt::test]
async fn other_servers_are_unavailable() {
    for text in [
        "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nnonsense",
        "HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\n[",
        "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 2\r\n\r\n{}",
        "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        "no HTTP at all\r\n\r\n",
        "",
    ] {
        let (serving, at) = odd(move |stream| says(text, stream)).await;
        let peer = peer(Service::Inventory, at);
        assert_eq!(has_stock(&peer).await, unavailable(), "{text}");
        until("it is known", async || {
            assert_eq!(has_stock(&peer).await, unavailable(), "{text}");
            !peer.is_up()
        })
        .await;
        serving.abort();
    }
}

#[actix_rt::test]
async fn a_peer_that_never_answers_costs_no_more_than_the_deadline() {
    let (serving, at) = odd(|stream| async move {
        let _open = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let unknown = Err(CallError::OutcomeUnknown("inventory".into()));
    assert_eq!(has_stock(&peer(Service::Inventory, at)).await, unknown);
    serving.abort();
}

#[actix_rt::test]
async fn calls_that_may_not_be_repeated_are_sent_once() {
    let (count, counted) = std::sync::mpsc::channel();
    let (serving, at) = odd(move |stream| {
        let count = count.clone();
        async move {
            let _counted = count.send(());
            says("", stream).await;
        }
    })
    .await;
    let peer = peer(Service::Inventory, at);
    let set = ask(&peer, SetStock { levels: vec![(PRODUCT, 1)] }).await;
    assert_eq!(set, Err(CallError::OutcomeUnknown("inventory".into())));
    assert_eq!(counted.try_iter().count(), 1, "it may have been done");
    let released = ask(&peer, ReleaseStock { order: OrderId::from_bytes([5; 12]), fence: None }).await;
    assert_eq!(released, unavailable());
    assert_eq!(counted.try_iter().count(), 3, "a release may be repeated");
    serving.abort();
}

#[actix_rt::test]
async fn a_peer_with_another_secret_is_unavailable() {
    let (server, at) = serve(answering::<GetStock>(Ok(None)), 0).unwrap();
    let peer = peer_with(Service::Inventory, at, Tokens::new(b"another secret of thirty-two bytes, or so"));
    assert_eq!(has_stock(&peer).await, unavailable());
    tokio::time::timeout(Duration::from_secs(20), server.stop(false)).await.expect("it stops");
}
