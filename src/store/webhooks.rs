//! Webhooks and what is on its way to them.
//!
//! A delivery is claimed for a while before it is sent, so that two nodes do not send it at
//! once; who lost its claim meanwhile enters nothing. One that waits for a webhook that is
//! switched off has no next try until the webhook is switched on.

use async_trait::async_trait;

use super::{Page, StoreError};
use crate::domain::{
    Timestamp,
    ids::{UserId, WebhookDeliveryId, WebhookId},
    user::Role,
    webhook::{Webhook, WebhookDelivery},
};

/// What became of a delivery that was put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enqueued {
    /// It waits.
    New,
    /// It was there already.
    Known,
    /// There is no such webhook, or it is switched off.
    NotActive,
    /// As many wait as may: its webhook is switched off now.
    Overflow,
}

/// A delivery to be sent by whoever claimed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// To whom.
    pub webhook: Webhook,
    /// What.
    pub delivery: WebhookDelivery,
    /// Names the claim.
    pub lease: Timestamp,
}

/// How many are claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimLimits {
    /// In all, this time.
    pub all: u32,
    /// Under way at once to one webhook.
    pub per_webhook: u32,
    /// Under way at once to the webhooks of one owner.
    pub per_owner: u32,
}

/// What an attempt means for its webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It works.
    Good,
    /// It does not; after that many in a row the webhook is switched off.
    Bad {
        /// How many.
        switch_off_after: u32,
    },
    /// The receiver wants nothing any more: the webhook is switched off.
    Gone,
    /// Nothing was sent.
    Unknown,
}

/// Figures for operators.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WebhookStats {
    /// Webhooks that are sent to.
    pub active: u64,
    /// Webhooks that are switched off.
    pub off: u64,
    /// Deliveries that wait.
    pub waiting: u64,
}

/// Keeps webhooks and their deliveries.
#[async_trait]
pub trait WebhookStore: Send + Sync {
    /// Writes a new webhook, unless its owner has `at_most` already; returns whether it did.
    async fn insert(&self, webhook: &Webhook, at_most: u32) -> Result<bool, StoreError>;

    /// Writes a webhook that was read; see the module for versions. When that switches it on,
    /// its failures are forgotten and what waits is due at once; when it switches it off,
    /// nothing is due any more.
    async fn save(&self, webhook: &Webhook) -> Result<u64, StoreError>;

    /// Deletes a webhook with all its deliveries; returns whether there was one.
    async fn delete(&self, id: WebhookId) -> Result<bool, StoreError>;

    /// The webhook of an id.
    async fn get(&self, id: WebhookId) -> Result<Option<Webhook>, StoreError>;

    /// Webhooks, newest first; of `owner` alone if one is named.
    async fn list(&self, owner: Option<UserId>, skip: u64, limit: u32) -> Result<Page<Webhook>, StoreError>;

    /// Active webhooks of these owners, and all that were registered in the role `also`.
    async fn listeners(&self, owners: &[UserId], also: Role) -> Result<Vec<Webhook>, StoreError>;

    /// Puts a delivery in, once, unless `at_most` wait for its webhook already.
    async fn enqueue(&self, delivery: &WebhookDelivery, at_most: u32) -> Result<Enqueued, StoreError>;

    /// Claims deliveries that are due at `now`, longest due first, until `lease`.
    async fn claim(&self, now: Timestamp, lease: Timestamp, limits: ClaimLimits) -> Result<Vec<Claimed>, StoreError>;

    /// Writes a delivery that was claimed and tried at `now`, and what that means for its webhook;
    /// returns whether the webhook is switched off by it. Nothing is written if the claim is lost.
    async fn record(
        &self,
        delivery: &WebhookDelivery,
        lease: Timestamp,
        health: Health,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Makes a delivery wait again that does not (or does already), due at `now` unless its webhook is
    /// switched off; `None` when its webhook has none of that id.
    async fn redeliver(
        &self,
        webhook: WebhookId,
        id: WebhookDeliveryId,
        now: Timestamp,
    ) -> Result<Option<WebhookDelivery>, StoreError>;

    /// A webhook's deliveries, newest first.
    async fn deliveries(&self, webhook: WebhookId, skip: u64, limit: u32) -> Result<Page<WebhookDelivery>, StoreError>;

    /// Forgets up to `limit` deliveries that were made before `before`; returns how many.
    async fn forget(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError>;

    /// Figures.
    async fn stats(&self) -> Result<WebhookStats, StoreError>;
}
