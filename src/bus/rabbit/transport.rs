//! How bytes reach the broker: over TCP, and for `amqps` over TLS, whose authorities are the machine's.
//!
//! lapin has this too, but its TLS also opens PKCS#12 files, and brings 28 crates for what nobody here has.
//!
//! **Invariant:** an `amqps` address is never spoken to without TLS.

use std::{
    io::{self, Read, Write},
    net::SocketAddr,
    os::fd::{AsFd, AsRawFd},
    sync::Arc,
    time::{Duration, Instant},
};

use async_rs::{Runtime, Tokio, traits::Reactor, util::RuntimeParts};
use futures_util::{
    Stream,
    io::{AsyncRead, AsyncWrite},
};
use lapin::{
    AsyncTcpStream, Connection, ConnectionProperties,
    uri::{AMQPScheme, AMQPUri},
};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

use crate::runtime::tls;

/// Connects to the broker at `uri`.
pub(super) async fn connect(uri: AMQPUri, properties: ConnectionProperties) -> lapin::Result<Connection> {
    let tokio = Tokio::current();
    let runtime = Runtime::new(RuntimeParts::new(tokio.clone(), Sockets(tokio)));
    Connection::connector(uri, runtime, async |uri, _| Ok(AsyncTcpStream::Plain(open(&uri).await?)), properties).await
}

async fn open(uri: &AMQPUri) -> io::Result<Socket> {
    let authority = &uri.authority;
    let stream = TcpStream::connect((authority.host.as_str(), authority.port)).await?;
    stream.set_nodelay(true)?;
    match uri.scheme {
        AMQPScheme::AMQP => Ok(socket(stream)),
        AMQPScheme::AMQPS => {
            let name = ServerName::try_from(authority.host.clone()).map_err(io::Error::other)?;
            Ok(socket(TlsConnector::from(Arc::new(tls::client())).connect(name, stream).await?))
        }
    }
}

/// What is read and written, whatever is below it.
type Socket = Compat<Box<dyn ReadWrite>>;

trait ReadWrite: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin {}
impl<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin> ReadWrite for S {}

fn socket(stream: impl ReadWrite + 'static) -> Socket {
    let stream: Box<dyn ReadWrite> = Box::new(stream);
    stream.compat()
}

/// The reactor of tokio with another kind of stream.
#[derive(Clone, Debug)]
struct Sockets(Tokio);

impl Reactor for Sockets {
    type TcpStream = Socket;
    type Sleep = <Tokio as Reactor>::Sleep;

    fn register<H: Read + Write + AsFd + AsRawFd + Send + 'static>(
        &self,
        handle: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        self.0.register(handle)
    }

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        self.0.sleep(duration)
    }

    fn interval(&self, period: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        self.0.interval(period)
    }

    fn tcp_connect_addr(
        &self,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<Self::TcpStream>> + Send + 'static {
        let connecting = self.0.tcp_connect_addr(address);
        async { Ok(socket(connecting.await?.into_inner())) }
    }
}
