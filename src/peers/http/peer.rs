//! Another process as the service that it is.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::{Serialize, de::DeserializeOwned};

use super::{Caller, ServiceToken};
use crate::{
    domain::{
        ids::{OrderId, PaymentId},
        payment::Payment,
    },
    peers::{
        Payments, PeerError,
        wire::{self, Call},
    },
    runtime::http_client,
};

/// How long connecting may take. A connection that is not there then was not used.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);
/// How long an idle connection is kept; the server keeps it longer.
const IDLE: Duration = Duration::from_secs(50);

/// Another process, which is whichever service it is asked as.
#[derive(Clone)]
pub struct HttpPeer(Arc<Caller>);

impl HttpPeer {
    /// The client for all peers, which share its connections.
    ///
    /// # Errors
    /// When there is no TLS to be had.
    pub fn client() -> Result<reqwest::Client, reqwest::Error> {
        // Between the platform's own processes there is no proxy.
        http_client::builder().connect_timeout(CONNECT_WITHIN).pool_idle_timeout(IDLE).no_proxy().build()
    }

    /// The `service` at `base`.
    #[must_use]
    pub fn new(service: &'static str, base: &str, client: reqwest::Client, token: Arc<ServiceToken>) -> Self {
        Self(Arc::new(Caller::new(service, base, client, token)))
    }

    /// Which service it is.
    #[must_use]
    pub fn service(&self) -> &'static str {
        self.0.service()
    }

    /// Whether it is not known to be away.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.0.is_up()
    }

    /// Whether it is there now; [`HttpPeer::is_up`] learns from it.
    pub async fn look(&self) -> bool {
        self.0.look().await
    }

    /// A call that no rule refuses.
    async fn plain<A: Serialize + Sync, R: DeserializeOwned>(&self, call: Call, ask: &A) -> Result<R, PeerError> {
        self.0.call(call, ask).await
    }
}

#[async_trait]
impl Payments for HttpPeer {
    async fn captured(&self, order: OrderId) -> Result<Option<Payment>, PeerError> {
        self.plain(wire::CAPTURED, &wire::OfOrder { order }).await
    }

    async fn refund(&self, payment: PaymentId, reason: String) -> Result<(), PeerError> {
        self.plain(wire::REFUND, &wire::Refund { payment, reason }).await
    }
}
