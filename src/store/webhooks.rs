//! Webhooks and their deliveries.
//!
//! A delivery is claimed for a while before it is sent, so that two nodes do not send it at the same time; a worker
//! that has lost its claim writes nothing. A delivery to a webhook that is switched off has no next attempt until the
//! webhook is switched on.
//!
//! **Invariant:** a webhook's `due_at` is not later than the time at which the first delivery that waits for it can
//! be claimed. So only webhooks with due deliveries are read, and one that is switched off with thousands of
//! deliveries costs nothing.

mod stored;

use std::{cmp::Reverse, collections::HashMap, sync::Arc};

use futures_util::future::try_join_all;

use self::stored::{AGE, DUE, FREE, LOG, PERSON, PLACE, SENDING, STATE, WebhookKey};
pub(super) use self::stored::{StoredDelivery, StoredWebhook};
use super::{
    Page, StoreError,
    document::{Backend, Collection, Find, SaveError},
};
use crate::domain::{
    Timestamp,
    ids::{UserId, WebhookDeliveryId, WebhookId},
    user::Role,
    webhook::{Webhook, WebhookDelivery},
};

/// How many webhooks are read together.
const LOOKED_AT: u32 = 64;
/// How many deliveries are changed or deleted together.
const AT_ONCE: u32 = 500;

/// The outcome of queuing a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enqueued {
    /// It waits.
    New,
    /// It was queued already.
    AlreadyQueued,
    /// There is no such webhook, or it is switched off.
    NotActive,
    /// Too many deliveries wait: the webhook is switched off now.
    Overflow,
}

/// A claimed delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The webhook.
    pub webhook: Webhook,
    /// What.
    pub delivery: WebhookDelivery,
    /// Identifies the claim.
    pub lease: Timestamp,
}

/// Limits of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimLimits {
    /// Deliveries in this claim.
    pub all: u32,
    /// Deliveries in progress to one webhook.
    pub per_webhook: u32,
    /// Deliveries in progress to the webhooks of one owner.
    pub per_owner: u32,
}

/// What an attempt says about its webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It works.
    Good,
    /// It does not work; after this many failures in a row the webhook is switched off.
    Bad {
        /// How many.
        switch_off_after: u32,
    },
    /// The receiver wants no more deliveries: the webhook is switched off.
    Gone,
    /// Nothing was sent.
    Unknown,
}

/// Statistics for operators.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WebhookStats {
    /// Active webhooks.
    pub active: u64,
    /// Webhooks that are switched off.
    pub off: u64,
    /// Waiting deliveries.
    pub waiting: u64,
}

/// Keeps webhooks and their deliveries.
#[derive(Clone)]
pub struct WebhookStore {
    webhooks: Collection<StoredWebhook>,
    deliveries: Collection<StoredDelivery>,
}

impl WebhookStore {
    /// The webhooks in a database.
    pub fn new(backend: Arc<dyn Backend>) -> Self {
        Self { webhooks: Collection::new(Arc::clone(&backend)), deliveries: Collection::new(backend) }
    }

    /// Writes a new webhook, unless its owner has `at_most` already; returns whether it was written.
    pub async fn insert(&self, webhook: &Webhook, at_most: u32) -> Result<bool, StoreError> {
        let taken = self.webhooks.find(PLACE.of(webhook.owner)).await?;
        for place in (0..at_most).filter(|place| taken.iter().all(|other| other.place != *place)) {
            match self.webhooks.save(&StoredWebhook::new(webhook, place), &[]).await {
                Ok(_) => return Ok(true),
                // A concurrent insert of the same owner was first.
                Err(SaveError::Duplicate(WebhookKey::Place)) => {}
                Err(SaveError::Store(error)) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Writes a webhook that was read; see the module `store` for versions. Switching it on resets its failures and
    /// makes waiting deliveries due at once; switching it off makes none due.
    pub async fn save(&self, webhook: &Webhook) -> Result<u64, StoreError> {
        if webhook.off.is_none() && self.get(webhook.id).await?.is_some_and(|stored| stored.off.is_some()) {
            // Done before it is switched on, because no worker reads them yet, so that a crash leaves nothing undone.
            self.make_due(webhook).await?;
        }
        let saved = self.webhooks.change(webhook.id, |stored| stored.replace(webhook)).await?;
        saved.map(|(_, version)| version).ok_or(StoreError::Conflict)
    }

    /// Ends the pauses of waiting deliveries: each is due since it was made, so that the order is kept.
    async fn make_due(&self, webhook: &Webhook) -> Result<(), StoreError> {
        let later = FREE.of(webhook.id).from((webhook.id, webhook.updated_at)).limit(AT_ONCE);
        loop {
            let made_due = self.deliveries.claim(later.clone(), |StoredDelivery { delivery, .. }| {
                let is_later = delivery.next_try_at > Some(webhook.updated_at.max(delivery.created_at));
                delivery.next_try_at = Some(delivery.created_at);
                is_later
            });
            if made_due.await?.is_empty() {
                return Ok(());
            }
        }
    }

    /// Deletes a webhook with all its deliveries; returns whether there was one.
    pub async fn delete(&self, id: WebhookId) -> Result<bool, StoreError> {
        let is_deleted = self.webhooks.delete(id).await?;
        while self.deliveries.delete_found(LOG.of(id).limit(AT_ONCE)).await? >= u64::from(AT_ONCE) {}
        Ok(is_deleted)
    }

    /// The webhook of an id.
    pub async fn get(&self, id: WebhookId) -> Result<Option<Webhook>, StoreError> {
        Ok(self.webhooks.get(id).await?.map(|stored| stored.webhook))
    }

    /// Webhooks, newest first; of `owner` alone if one is named.
    pub async fn list(&self, owner: Option<UserId>, skip: u64, limit: u32) -> Result<Page<Webhook>, StoreError> {
        let Some(owner) = owner else {
            let Page { rows, total } = self.webhooks.page(Find::by_id().reversed().skip(skip).limit(limit)).await?;
            return Ok(Page { rows: rows.into_iter().map(|stored| stored.webhook).collect(), total });
        };
        // There are few of them.
        let mut all = self.of_owner(owner).await?;
        all.sort_unstable_by_key(|webhook| Reverse(webhook.id));
        let total = u64::try_from(all.len()).unwrap_or(u64::MAX);
        let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        Ok(Page { rows: all.into_iter().skip(count(skip)).take(count(limit.into())).collect(), total })
    }

    async fn of_owner(&self, owner: UserId) -> Result<Vec<Webhook>, StoreError> {
        let found = self.webhooks.find(PLACE.of(owner)).await?;
        Ok(found.into_iter().map(|stored| stored.webhook).collect())
    }

    /// Active webhooks of these owners, and all that were registered in the role `also`.
    pub async fn listeners(&self, owners: &[UserId], also: Role) -> Result<Vec<Webhook>, StoreError> {
        let of_role = self.webhooks.find(STATE.of((false, also.as_str()))).await?;
        let of_owners = try_join_all(owners.iter().map(|owner| self.of_owner(*owner))).await?;
        let of_owners = of_owners.into_iter().flatten();
        let others = of_owners.filter(|webhook| webhook.off.is_none() && webhook.role != also);
        Ok(of_role.into_iter().map(|stored| stored.webhook).chain(others).collect())
    }

    /// Queues a delivery once, unless `at_most` wait for its webhook already.
    pub async fn enqueue(&self, delivery: &WebhookDelivery, at_most: u32) -> Result<Enqueued, StoreError> {
        let id = delivery.webhook;
        let Some(webhook) = self.get(id).await?.filter(|webhook| webhook.off.is_none()) else {
            return Ok(Enqueued::NotActive);
        };
        if let Some(known) = self.deliveries.get(delivery.id).await? {
            // The caller that queued it may have died before the next step.
            self.expect_by(id, known.free_at()).await?;
            return Ok(Enqueued::AlreadyQueued);
        }
        if self.deliveries.count(FREE.of(id)).await? >= u64::from(at_most) {
            let reason = format!("{at_most} deliveries wait, and no more are taken on");
            let off = |stored: &mut StoredWebhook| stored.switch_off(&reason, delivery.created_at).then_some(());
            self.webhooks.change(id, off).await?;
            return Ok(Enqueued::Overflow);
        }
        let made = StoredDelivery { delivery: delivery.clone(), owner: webhook.owner, lease: None, version: 0 };
        let enqueued = match self.deliveries.save(&made, &[]).await.map_err(StoreError::from) {
            Ok(_) => Enqueued::New,
            Err(StoreError::Conflict) => Enqueued::AlreadyQueued,
            Err(error) => return Err(error),
        };
        self.expect_by(id, made.free_at()).await?;
        Ok(enqueued)
    }

    /// Makes a webhook due by this time.
    async fn expect_by(&self, webhook: WebhookId, at: Option<Timestamp>) -> Result<(), StoreError> {
        self.webhooks.change(webhook, |stored| stored.expect_by(at).then_some(())).await?;
        Ok(())
    }

    /// Claims deliveries that are due at `now`, the longest due first, until `lease`.
    pub async fn claim(
        &self,
        now: Timestamp,
        lease: Timestamp,
        limits: ClaimLimits,
    ) -> Result<Vec<Claimed>, StoreError> {
        let (mut claimed, mut skip) = (vec![], 0);
        loop {
            let due = self.webhooks.find(DUE.due(now).skip(skip).limit(LOOKED_AT)).await?;
            let read = u32::try_from(due.len()).unwrap_or(u32::MAX);
            let left = limits.all.saturating_sub(u32::try_from(claimed.len()).unwrap_or(u32::MAX));
            let limits = ClaimLimits { all: left, ..limits };
            let (some, stay) = self.claim_of(due, now, lease, limits).await?;
            let is_full = some.len() >= usize::try_from(left).unwrap_or(usize::MAX);
            claimed.extend(some);
            if is_full || read < LOOKED_AT {
                return Ok(claimed);
            }
            skip += stay;
        }
    }

    /// Claims deliveries to these webhooks; also returns how many of the webhooks stay due.
    async fn claim_of(
        &self,
        due: Vec<StoredWebhook>,
        now: Timestamp,
        lease: Timestamp,
        limits: ClaimLimits,
    ) -> Result<(Vec<Claimed>, u64), StoreError> {
        let mut owners: Vec<UserId> = due.iter().map(|stored| stored.webhook.owner).collect();
        owners.sort_unstable();
        owners.dedup();
        let under_way = owners.into_iter().map(|owner| self.deliveries.find(SENDING.of(owner).behind((owner, now))));
        let (mut of_webhook, mut of_owner): (HashMap<WebhookId, u32>, HashMap<UserId, u32>) = Default::default();
        for sending in try_join_all(under_way).await?.into_iter().flatten() {
            *of_webhook.entry(sending.delivery.webhook).or_default() += 1;
            *of_owner.entry(sending.owner).or_default() += 1;
        }
        let waiting = due.iter().map(|stored| {
            let id = stored.webhook.id;
            self.deliveries.find(FREE.of(id).up_to((id, now)).limit(limits.per_webhook))
        });
        let waiting = try_join_all(waiting).await?;
        let (ready, idle): (Vec<_>, Vec<_>) =
            due.into_iter().zip(waiting).partition(|(_, waiting)| !waiting.is_empty());
        self.rest(idle.into_iter().map(|(stored, _)| stored).collect(), lease).await?;

        let stay = u64::try_from(ready.len()).unwrap_or(u64::MAX);
        let mut webhooks = HashMap::new();
        let mut waiting = vec![];
        for (stored, theirs) in ready {
            webhooks.insert(stored.webhook.id, stored.webhook);
            waiting.extend(theirs);
        }
        waiting.sort_by_key(StoredDelivery::free_at);
        waiting.retain(|waiting| {
            let webhooks = of_webhook.entry(waiting.delivery.webhook).or_default();
            let owners = of_owner.entry(waiting.owner).or_default();
            let is_chosen = *webhooks < limits.per_webhook && *owners < limits.per_owner;
            (*webhooks, *owners) = (*webhooks + u32::from(is_chosen), *owners + u32::from(is_chosen));
            is_chosen
        });
        waiting.truncate(usize::try_from(limits.all).unwrap_or(usize::MAX));
        let claimed = self.deliveries.claim_read(waiting, |waiting| {
            let is_free = waiting.free_at().is_some_and(|free| free <= now);
            waiting.lease = Some(lease);
            is_free
        });
        let claimed = claimed.await?.into_iter().filter_map(|StoredDelivery { delivery, .. }| {
            Some(Claimed { webhook: webhooks.get(&delivery.webhook)?.clone(), delivery, lease })
        });
        Ok((claimed.collect(), stay))
    }

    /// Updates the due time of webhooks for which nothing is due now. A delivery that is queued meanwhile either sees
    /// the new due time and writes an earlier one, or is seen by this read of the waiting deliveries.
    async fn rest(&self, idle: Vec<StoredWebhook>, until: Timestamp) -> Result<(), StoreError> {
        let mut idle = self
            .webhooks
            .claim_read(idle, |stored| {
                stored.due_at = Some(until);
                true
            })
            .await?;
        let next = try_join_all(idle.iter().map(|stored| self.deliveries.first(FREE.of(stored.webhook.id)))).await?;
        for (stored, next) in idle.iter_mut().zip(next) {
            stored.due_at = next.and_then(|next| next.free_at());
        }
        idle.retain(|stored| stored.due_at != Some(until));
        self.webhooks.claim_read(idle, |_| true).await?;
        Ok(())
    }

    /// Writes a delivery that was claimed and attempted at `now`, and the effect on its webhook; returns whether this
    /// switched the webhook off. Nothing is written if the claim is lost.
    pub async fn record(
        &self,
        delivery: &WebhookDelivery,
        lease: Timestamp,
        health: Health,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let recorded = self.deliveries.change(delivery.id, |stored| {
            let is_ours = stored.lease == Some(lease);
            (stored.delivery, stored.lease) = (delivery.clone(), None);
            is_ours.then_some(())
        });
        if recorded.await?.is_none() {
            return Ok(false);
        }
        let noted = self.webhooks.change(delivery.webhook, |stored| stored.tried(delivery.next_try_at, health, now));
        Ok(noted.await?.is_some_and(|(_, is_switched_off)| is_switched_off))
    }

    /// Queues a delivery again, due at `now` unless its webhook is switched off; `None` when the webhook has no
    /// delivery with that id.
    pub async fn redeliver(
        &self,
        webhook: WebhookId,
        id: WebhookDeliveryId,
        now: Timestamp,
    ) -> Result<Option<WebhookDelivery>, StoreError> {
        let again = self.deliveries.change(id, |stored| {
            // An existing claim stays, so that an attempt in progress is recorded first and the delivery is not sent
            // twice at once.
            stored.delivery.again(now);
            (stored.delivery.webhook == webhook).then_some(())
        });
        let Some((stored, ())) = again.await? else { return Ok(None) };
        self.expect_by(webhook, stored.free_at()).await?;
        Ok(Some(self.shown(webhook, vec![stored]).await?.remove(0)))
    }

    /// Deliveries of a webhook as callers see them: without a next attempt while it is switched off.
    async fn shown(&self, webhook: WebhookId, stored: Vec<StoredDelivery>) -> Result<Vec<WebhookDelivery>, StoreError> {
        let is_on = self.get(webhook).await?.is_some_and(|webhook| webhook.off.is_none());
        let shown = stored.into_iter().map(|StoredDelivery { delivery, .. }| WebhookDelivery {
            next_try_at: delivery.next_try_at.filter(|_| is_on),
            ..delivery
        });
        Ok(shown.collect())
    }

    /// A webhook's deliveries, newest first.
    pub async fn deliveries(
        &self,
        webhook: WebhookId,
        skip: u64,
        limit: u32,
    ) -> Result<Page<WebhookDelivery>, StoreError> {
        let find = LOG.of(webhook).reversed().skip(skip).limit(limit);
        let Page { rows, total } = self.deliveries.page(find).await?;
        Ok(Page { rows: self.shown(webhook, rows).await?, total })
    }

    /// Deletes all webhooks of an owner with their deliveries.
    pub async fn delete_of(&self, owner: UserId) -> Result<(), StoreError> {
        for webhook in self.of_owner(owner).await? {
            self.delete(webhook.id).await?;
        }
        Ok(())
    }

    /// Removes what names a user from the deliveries to the webhooks of others.
    pub async fn forget_user(&self, user: UserId) -> Result<(), StoreError> {
        let mut skip = 0;
        loop {
            let found = self.deliveries.find(PERSON.of(user).skip(skip).limit(AT_ONCE)).await?;
            for stored in &found {
                self.deliveries.change(stored.delivery.id, |stored| stored.delivery.forget(user).then_some(())).await?;
            }
            skip += u64::from(AT_ONCE);
            if found.len() < usize::try_from(AT_ONCE).unwrap_or(usize::MAX) {
                return Ok(());
            }
        }
    }

    /// Deletes up to `limit` deliveries that were made before `before`; returns how many.
    pub async fn forget(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.deliveries.delete_found(AGE.all().below(before).limit(limit)).await
    }

    /// Figures.
    pub async fn stats(&self) -> Result<WebhookStats, StoreError> {
        Ok(WebhookStats {
            active: self.webhooks.count(STATE.of(false)).await?,
            off: self.webhooks.count(STATE.of(true)).await?,
            waiting: self.deliveries.count(FREE.all()).await?,
        })
    }
}
