//! Webhooks: URLs of sellers and admins that receive events by signed HTTP calls.
//!
//! An event becomes one stored delivery for each webhook that is allowed and subscribed to receive it (`notify`).
//! `sender` sends what is due. A delivery that fails is retried with backoff; after many failed attempts in a row its
//! webhook is switched off.
//!
//! **Invariant:** a delivery is stored before its event counts as handled, and is sent until the receiver accepts it,
//! its attempts are used up, or its webhook is deleted.

pub mod calls;
mod notify;
mod registry;
mod sender;

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;

use self::calls::{
    ChangeWebhook, DeleteWebhook, GetWebhook, GetWebhookDeliveries, GetWebhooks, PingWebhook, RedeliverWebhook,
    RegisterWebhook, RotateWebhookSecret,
};
use super::send_loop::SendLoop;
use crate::{
    integrations::{
        redis::{ChangeNotifier, topic},
        webhook::{WebhookClient, address::UrlRules},
    },
    runtime::{
        Runtime,
        calls::{Calls, Registry},
    },
    store::WebhookStore,
};

/// The most attempts in progress.
const AT_ONCE: u32 = 32;

/// Settings of the sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookSettings {
    /// Which URLs may be called.
    pub rules: UrlRules,
    /// The pauses before a delivery is tried again; after the last one it has failed.
    pub retry_delays: Vec<Duration>,
    /// Attempts that fail in a row before a webhook is switched off.
    pub switch_off_after: u32,
    /// How long one attempt may take.
    pub timeout: Duration,
}

/// The handle to the webhook service.
#[derive(Clone)]
pub struct Webhooks {
    state: Arc<WebhookState>,
}

/// The state shared by the handle and the sender.
struct WebhookState {
    store: WebhookStore,
    calls: Calls,
    client: WebhookClient,
    settings: WebhookSettings,
    /// The attempts in progress.
    sending: SendLoop,
    known: Mutex<ActiveCount>,
}

/// How many webhooks are active, as far as is known.
#[derive(Default)]
struct ActiveCount {
    /// Incremented by every local change, so that an older count does not replace a newer one.
    changes: u64,
    active: Option<u64>,
}

impl Webhooks {
    /// Starts the sender, and registers the calls.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn start(
        runtime: &Runtime,
        registry: &mut Registry,
        store: WebhookStore,
        calls: Calls,
        settings: WebhookSettings,
        notifier: &ChangeNotifier,
    ) -> Result<Self, reqwest::Error> {
        let client = WebhookClient::new(settings.rules, settings.timeout)?;
        let state = Arc::new(WebhookState {
            store,
            calls,
            client,
            settings,
            sending: SendLoop::new("webhooks", AT_ONCE, notifier, topic::WEBHOOKS),
            known: Mutex::default(),
        });
        runtime.background("webhook_sender", Arc::clone(&state), async |state| state.run().await);
        let webhooks = Self { state };
        let owners = Arc::new(webhooks.clone());
        registry
            .serve::<RegisterWebhook>(&owners)
            .serve::<GetWebhooks>(&owners)
            .serve::<GetWebhook>(&owners)
            .serve::<ChangeWebhook>(&owners)
            .serve::<DeleteWebhook>(&owners)
            .serve::<RotateWebhookSecret>(&owners)
            .serve::<PingWebhook>(&owners)
            .serve::<GetWebhookDeliveries>(&owners)
            .serve::<RedeliverWebhook>(&owners);
        Ok(webhooks)
    }

    /// Whether any webhook is active, as far as this process knows.
    #[must_use]
    pub fn is_listening(&self) -> bool {
        self.state.known.lock().active != Some(0)
    }

    /// Starts no more attempts, and waits for those in progress.
    pub async fn finish(&self, within: Duration) {
        // Unfinished items are sent again after their claims expire.
        self.state.sending.finish(within).await;
    }
}

impl WebhookState {
    /// Discards the cached count of active webhooks.
    fn changed(&self) {
        let mut known = self.known.lock();
        known.changes += 1;
        known.active = None;
    }
}
