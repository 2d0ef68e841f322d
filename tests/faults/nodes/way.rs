//! The ways to the three servers, each of which can be cut in the middle of anything.

use super::proxy::Proxy;

/// A way to one server. It is kept by a thread of its own, since tests wait for processes that are
/// to come by it.
pub struct Way {
    proxy: Proxy,
    _open: tokio::sync::oneshot::Sender<()>,
}

impl Way {
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

    /// Takes the server away: connections break, and no new one is had.
    pub fn cut(&self) {
        self.proxy.cut();
    }

    /// Gives it back.
    pub fn mend(&self) {
        self.proxy.mend();
    }

    /// Lets nothing through either way while connections stay, or again.
    pub fn hold(&self, held: bool) {
        self.proxy.hold_to_broker(held);
        self.proxy.hold_to_client(held);
    }
}

/// The ways to all three.
pub struct Ways {
    pub mongo: Way,
    pub rabbit: Way,
    pub redis: Way,
}
