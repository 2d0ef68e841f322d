//! A way to the broker that can be cut.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::broadcast,
};

/// Passes bytes on until it is cut.
pub struct Proxy {
    pub url: String,
    open: Arc<AtomicBool>,
    cut: broadcast::Sender<()>,
}

impl Proxy {
    pub async fn start(url: &str) -> Self {
        let (before, rest) = url.rsplit_once('@').unwrap();
        let (target, vhost) = rest.split_once('/').unwrap();
        let target = target.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("{before}@{}/{vhost}", listener.local_addr().unwrap());
        let (open, (cut, _)) = (Arc::new(AtomicBool::new(true)), broadcast::channel(1));
        let (is_open, cuts) = (Arc::clone(&open), cut.clone());
        actix_rt::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                if !is_open.load(Ordering::SeqCst) {
                    continue;
                }
                let (target, mut cut) = (target.clone(), cuts.subscribe());
                actix_rt::spawn(async move {
                    let Ok(mut server) = TcpStream::connect(target).await else { return };
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                        _ = cut.recv() => {}
                    }
                });
            }
        });
        Self { url, open, cut }
    }

    /// Breaks every connection and takes no new one.
    pub fn cut(&self) {
        self.open.store(false, Ordering::SeqCst);
        let _nobody = self.cut.send(());
    }

    /// Takes connections again.
    pub fn mend(&self) {
        self.open.store(true, Ordering::SeqCst);
    }
}
