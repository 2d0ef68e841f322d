//! Proxies to the three servers, each of which can be cut at any time.

use super::proxy::Proxy;

/// A proxy to one server, on its own thread, because tests block while they wait for processes that use it.
pub struct ServerProxy {
    proxy: Proxy,
    _open: tokio::sync::oneshot::Sender<()>,
}

impl ServerProxy {
    pub fn to(url: &str) -> Self {
        let (url, (made, proxy)) = (url.to_owned(), std::sync::mpsc::channel());
        let (open, ended) = tokio::sync::oneshot::channel::<()>();
        std::thread::spawn(move || {
            actix_rt::System::new().block_on(async move {
                made.send(Proxy::start(&url).await).unwrap();
                let _dropped = ended.await;
            });
        });
        Self { proxy: proxy.recv().unwrap(), _open: open }
    }

    pub fn url(&self) -> &str {
        &self.proxy.url
    }

    /// Breaks connections and refuses new ones.
    pub fn cut(&self) {
        self.proxy.cut();
    }

    /// Accepts connections again.
    pub fn mend(&self) {
        self.proxy.mend();
    }

    /// Stops or resumes the traffic while connections stay open.
    pub fn hold(&self, held: bool) {
        self.proxy.hold_to_broker(held);
        self.proxy.hold_to_client(held);
    }
}

/// The proxies to all three.
pub struct ServerProxies {
    pub mongo: ServerProxy,
    pub rabbit: ServerProxy,
    pub redis: ServerProxy,
}
