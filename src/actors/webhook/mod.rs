//! Webhooks: addresses of sellers and admins that are told of events by signed HTTP calls.
//!
//! An event becomes one stored delivery for each webhook that may and wants to be told of it
//! (`tell`). `sender` sends what is due. A receiver that does not take a delivery gets it
//! again after growing pauses; after many failed attempts in a row its webhook is switched off.
//!
//! **Invariant:** a delivery is stored before its event counts as handled, and is sent until the
//! receiver takes it, its tries are used up, or its webhook is deleted.

pub mod calls;
mod registry;
mod sender;
mod tell;

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;

use self::calls::{
    ChangeWebhook, DeleteWebhook, GetWebhook, GetWebhookDeliveries, GetWebhooks, PingWebhook, RedeliverWebhook,
    RegisterWebhook, RotateWebhookSecret,
};
use super::send_loop::SendLoop;
use crate::{
    integrations::{
        redis::{Wake, topic},
        webhook::{WebhookClient, address::UrlRules},
    },
    runtime::{
        Runtime,
        calls::{Calls, Registry},
    },
    store::WebhookStore,
};

/// Attempts under way at once.
const AT_ONCE: u32 = 32;

/// How webhooks are sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookSettings {
    /// Which URLs may be called.
    pub rules: UrlRules,
    /// The pauses before a delivery is tried again; after the last it has failed.
    pub retry_delays: Vec<Duration>,
    /// Attempts that fail in a row before a webhook is switched off.
    pub switch_off_after: u32,
    /// How long one attempt may take.
    pub timeout: Duration,
}

/// The webhooks as the rest of the program sees them.
#[derive(Clone)]
pub struct Webhooks {
    shared: Arc<Shared>,
}

/// What the facade and the sender share.
struct Shared {
    store: WebhookStore,
    calls: Calls,
    client: WebhookClient,
    settings: WebhookSettings,
    /// What is on its way.
    sending: SendLoop,
    known: Mutex<Known>,
}

/// How many webhooks are active, as far as is known.
#[derive(Default)]
struct Known {
    /// Grows with every change here, so that an older count is not taken for a newer one.
    changes: u64,
    active: Option<u64>,
}

impl Webhooks {
    /// Starts the sender, and registers the calls.
    ///
    /// # Errors
    /// When there is no TLS to be had.
    pub fn start(
        runtime: &Runtime,
        registry: &mut Registry,
        store: WebhookStore,
        calls: Calls,
        settings: WebhookSettings,
        wake: &Wake,
    ) -> Result<Self, reqwest::Error> {
        let client = WebhookClient::new(settings.rules, settings.timeout)?;
        let shared = Arc::new(Shared {
            store,
            calls,
            client,
            settings,
            sending: SendLoop::new("webhooks", AT_ONCE, wake, topic::WEBHOOKS),
            known: Mutex::default(),
        });
        runtime.background("webhook_sender", Arc::clone(&shared), async |shared| shared.run().await);
        let webhooks = Self { shared };
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

    /// Whether anybody is to be told of anything, as far as this process knows.
    #[must_use]
    pub fn is_listening(&self) -> bool {
        self.shared.known.lock().active != Some(0)
    }

    /// Begins no more attempts, and waits for those under way.
    pub async fn finish(&self, within: Duration) {
        // What is not finished by then is sent again after its claim is over.
        self.shared.sending.finish(within).await;
    }
}

impl Shared {
    /// From now on the count of active webhooks is not known.
    fn changed(&self) {
        let mut known = self.known.lock();
        known.changes += 1;
        known.active = None;
    }
}
