//! Sends the deliveries that are due.
//!
//! It claims what it sends, for a little longer than an attempt may take. If it dies, or the store does not accept an
//! outcome, the claim expires and the delivery is sent again with the same `webhook-id`.
//!
//! **Invariant:** at most [`super::AT_ONCE`] attempts are in progress, two for one webhook and eight for one owner,
//! so that a slow receiver does not delay others.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use metrics::{counter, gauge};

use super::WebhookState;
use crate::{
    actors::{accounts::calls::GetRole, send_loop::DueTimer},
    domain::webhook::{Attempt, DeliveryState, Webhook, WebhookDelivery, effective_role},
    integrations::webhook::{Answer, Message},
    store::{
        StoreError,
        webhooks::{ClaimLimits, Claimed, Health},
    },
};

/// The most attempts in progress to one webhook.
const PER_WEBHOOK: u32 = 2;
/// The most attempts in progress for one owner.
const PER_OWNER: u32 = 8;
/// How long a claim outlasts the longest attempt.
const GRACE: Duration = Duration::from_secs(5);
/// How often to count.
const COUNT_EVERY: Duration = Duration::from_secs(2);
/// How often to delete old deliveries.
const FORGET_EVERY: Duration = Duration::from_secs(600);
/// How long the log of deliveries is kept.
const KEEP: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How many deliveries to delete in one write.
const FORGET_AT_ONCE: u32 = 1_000;

impl WebhookState {
    pub(super) async fn run(&self) {
        let (mut counted, mut forgot) = (DueTimer::default(), DueTimer::default());
        let housekeeping = async || self.housekeeping(&mut counted, &mut forgot).await;
        let claim = async |free| self.claim(free).await;
        self.sending.run(housekeeping, claim, async |claimed| self.attempt(claimed).await).await;
    }

    async fn claim(&self, all: u32) -> Result<Vec<Claimed>, StoreError> {
        let now = Timestamp::now();
        let lease = now.saturating_add(self.settings.timeout + GRACE).unwrap_or(Timestamp::MAX);
        let limits = ClaimLimits { all, per_webhook: PER_WEBHOOK, per_owner: PER_OWNER };
        self.store.claim(now, lease, limits).await
    }

    /// Sends one delivery and stores the outcome.
    async fn attempt(&self, claimed: Claimed) {
        let Claimed { webhook, mut delivery, lease } = claimed;
        let role = match self.calls.ask(GetRole { user: webhook.owner }).await {
            Ok(role) => role,
            Err(error) => {
                return tracing::warn!(%error, webhook.id = %webhook.id, "a delivery to a webhook is postponed");
            }
        };
        let at = Timestamp::now();
        let started = Instant::now();
        let answer = match effective_role(webhook.role, role) {
            Some(_) => self.post(&webhook, &delivery, at).await,
            None => Err("its owner may not be told of this any more".to_owned()),
        };
        let mut attempt = Attempt {
            at,
            status: None,
            error: None,
            response: None,
            millis: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        };
        match answer {
            Ok(answer) => {
                attempt.status = Some(answer.status);
                attempt.response = Some(answer.body).filter(|body| !body.is_empty());
            }
            Err(error) => attempt.error = Some(error),
        }
        let switch_off_after = self.settings.switch_off_after;
        let (health, outcome) = match (&attempt, effective_role(webhook.role, role)) {
            (_, None) => (Health::Unknown, "forbidden"),
            (attempt, _) if attempt.delivered() => (Health::Good, "delivered"),
            (attempt, _) if attempt.gone() => (Health::Gone, "gone"),
            _ => (Health::Bad { switch_off_after }, "failed"),
        };
        counter!("webhook_attempts_total", "outcome" => outcome).increment(1);
        let pauses = if health == Health::Unknown { &[] } else { &self.settings.retry_delays[..] };
        let now = Timestamp::now();
        delivery.tried(attempt, now, pauses, 0.9 + 0.2 * rand::random::<f64>());
        if delivery.state == DeliveryState::Failed {
            tracing::info!(webhook.id = %webhook.id, delivery.id = %delivery.id, "a webhook's delivery failed");
        }
        match self.store.record(&delivery, lease, health, now).await {
            Ok(true) => {
                tracing::warn!(webhook.id = %webhook.id, owner.id = %webhook.owner, "a webhook is switched off");
                self.changed();
            }
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(%error, delivery.id = %delivery.id, "could not store the outcome of an attempt");
            }
        }
    }

    async fn post(&self, webhook: &Webhook, delivery: &WebhookDelivery, at: Timestamp) -> Result<Answer, String> {
        let secrets: Vec<&str> = webhook.secrets(at).map(|secret| secret.0.as_str()).collect();
        let id = delivery.event.to_hex();
        let message = Message {
            url: &webhook.url,
            id: &id,
            timestamp: at.as_second(),
            event: &delivery.name,
            body: &delivery.body,
            secrets: &secrets,
        };
        self.client.post(&message).await
    }

    /// Updates the metrics and deletes old records at an interval.
    async fn housekeeping(&self, counted: &mut DueTimer, forgot: &mut DueTimer) {
        if counted.is_due(COUNT_EVERY)
            && let Err(error) = self.count().await
        {
            tracing::debug!(%error, "could not count webhooks");
        }
        if forgot.is_due(FORGET_EVERY) {
            let before = Timestamp::now().saturating_sub(KEEP).unwrap_or(Timestamp::UNIX_EPOCH);
            match self.store.forget(before, FORGET_AT_ONCE).await {
                // There may be more: the next round continues.
                Ok(gone) if gone >= u64::from(FORGET_AT_ONCE) => forgot.again(),
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "could not delete old deliveries; retrying"),
            }
        }
    }

    async fn count(&self) -> Result<(), StoreError> {
        let changes = self.known.lock().changes;
        let stats = self.store.stats().await?;
        let number = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        gauge!("webhook_deliveries_waiting").set(number(stats.waiting));
        gauge!("webhooks_active").set(number(stats.active));
        gauge!("webhooks_switched_off").set(number(stats.off));
        let mut known = self.known.lock();
        if known.changes == changes {
            known.active = Some(stats.active);
        }
        Ok(())
    }
}
