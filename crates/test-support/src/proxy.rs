//! A proxy to a server that can be held and cut. It is kept by a thread of its own, so that tests may wait for
//! processes that are to come by it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, Ordering},
    mpsc,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{oneshot, watch},
};

/// Forwards bytes until it is cut.
pub struct Proxy {
    pub url: String,
    state: Arc<State>,
    _open: oneshot::Sender<()>,
}

struct State {
    open: AtomicBool,
    /// Bytes to the server before a cut; negative for no cut.
    left: AtomicI64,
    /// How often it was cut: a connection lives as long as this does not change.
    cuts: watch::Sender<u64>,
    to_server: watch::Sender<bool>,
    to_client: watch::Sender<bool>,
}

impl State {
    fn cut(&self) {
        self.open.store(false, Ordering::SeqCst);
        self.left.store(-1, Ordering::SeqCst);
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// How many of `read` bytes may be forwarded.
    fn allowed(&self, read: usize) -> usize {
        let left = self.left.load(Ordering::SeqCst);
        let Ok(left) = usize::try_from(left) else { return read };
        self.left.store(i64::try_from(left.saturating_sub(read)).unwrap(), Ordering::SeqCst);
        left.min(read)
    }

    async fn pass(
        &self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
        held: &watch::Sender<bool>,
        counted: bool,
    ) -> std::io::Result<()> {
        let mut bytes = vec![0; 4_096];
        let mut held = held.subscribe();
        loop {
            let read = from.read(&mut bytes).await?;
            if read == 0 {
                return to.shutdown().await;
            }
            let _alive = held.wait_for(|held| !*held).await;
            let allowed = if counted { self.allowed(read) } else { read };
            to.write_all(&bytes[..allowed]).await?;
            if allowed < read {
                self.cut();
                return Ok(());
            }
        }
    }

    async fn connect(self: Arc<Self>, mut client: TcpStream, target: String) {
        let mut cuts = self.cuts.subscribe();
        let Ok(mut server) = TcpStream::connect(target).await else { return };
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let up = self.pass(from_client, to_server, &self.to_server, true);
        let down = self.pass(from_server, to_client, &self.to_client, false);
        // Held bytes must not be sent when the cut comes.
        tokio::select! {
            biased;
            _ = cuts.changed() => {}
            _ = async { tokio::join!(up, down) } => {}
        }
    }
}

impl Proxy {
    pub fn start(url: &str) -> Self {
        // After the name and password, or after the scheme.
        let behind = ["@", "://"].into_iter().find_map(|mark| url.rfind(mark).map(|at| at + mark.len())).unwrap();
        let (before, rest) = url.split_at(behind);
        let (target, vhost) = rest.split_once('/').unwrap();
        let target = target.to_owned();
        let (before, vhost) = (before.to_owned(), vhost.to_owned());
        let state = Arc::new(State {
            open: AtomicBool::new(true),
            left: AtomicI64::new(-1),
            cuts: watch::Sender::new(0),
            to_server: watch::Sender::new(false),
            to_client: watch::Sender::new(false),
        });
        let shared = Arc::clone(&state);
        let ((tell, address), (open, ended)) = (mpsc::channel(), oneshot::channel::<()>());
        std::thread::spawn(move || {
            actix_rt::System::new().block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                let passing = async {
                    while let Ok((client, _)) = listener.accept().await {
                        if shared.open.load(Ordering::SeqCst) {
                            actix_rt::spawn(Arc::clone(&shared).connect(client, target.clone()));
                        }
                    }
                };
                tokio::select! {
                    _ = ended => {}
                    () = passing => {}
                }
            });
        });
        Self { url: format!("{before}{}/{vhost}", address.recv().unwrap()), state, _open: open }
    }

    /// Breaks every connection and refuses new ones.
    pub fn cut(&self) {
        self.state.cut();
    }

    /// Cuts after this many more bytes to the server, anywhere in a frame.
    pub fn cut_after(&self, bytes: u32) {
        self.state.left.store(i64::from(bytes), Ordering::SeqCst);
    }

    pub fn is_cut(&self) -> bool {
        !self.state.open.load(Ordering::SeqCst)
    }

    /// Lets nothing through either way while connections stay, or again.
    pub fn hold(&self, held: bool) {
        self.hold_to_server(held);
        self.hold_to_client(held);
    }

    /// Holds or releases the traffic to the server.
    pub fn hold_to_server(&self, held: bool) {
        self.state.to_server.send_replace(held);
    }

    /// Holds or releases the traffic to the client.
    pub fn hold_to_client(&self, held: bool) {
        self.state.to_client.send_replace(held);
    }

    /// Accepts connections again.
    pub fn mend(&self) {
        self.state.open.store(true, Ordering::SeqCst);
    }
}
