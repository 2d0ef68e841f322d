//! Registering webhooks and looking after them.
//!
//! **Invariant:** nobody but the owner gets a secret or changes where something is sent to;
//! an admin sees all webhooks and can switch off or delete any.

use jiff::Timestamp;

use super::{WebhookFailure, Webhooks};
use crate::{
    domain::{
        ids::{EventId, UserId, WebhookDeliveryId, WebhookId},
        user::Role,
        webhook::{PING, SwitchedOff, WAITING_MAX, WEBHOOKS_MAX, Webhook, WebhookDelivery, WebhookSecret, may_ask},
    },
    integrations::webhook::{address, signature},
    store::{Page, StoreError, webhooks::Enqueued},
};

/// How often a change is decided again when another one came in between.
const TRIES: usize = 16;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// Who.
    pub id: UserId,
    /// Seller or admin.
    pub role: Role,
}

/// A webhook to be.
#[derive(Debug, Clone)]
pub struct NewWebhook {
    /// Where to.
    pub url: String,
    /// Which events.
    pub events: Vec<String>,
    /// Signs; one is made when there is none.
    pub secret: Option<String>,
    /// What the owner calls it.
    pub description: Option<String>,
}

/// What is to change.
#[derive(Debug, Clone, Default)]
pub struct WebhookPatch {
    /// Where to.
    pub url: Option<String>,
    /// Which events.
    pub events: Option<Vec<String>>,
    /// What the owner calls it; empty for nothing.
    pub description: Option<String>,
    /// Whether it is sent to.
    pub active: Option<bool>,
}

impl Webhooks {
    /// Registers a webhook.
    ///
    /// # Errors
    /// [`WebhookFailure::Invalid`], `TooMany`.
    pub async fn register(&self, caller: Caller, new: NewWebhook) -> Result<Webhook, WebhookFailure> {
        self.check_url(&new.url)?;
        check_events(caller.role, &new.events)?;
        let now = Timestamp::now();
        let webhook = Webhook {
            id: WebhookId::generate(),
            owner: caller.id,
            role: caller.role,
            url: new.url,
            events: new.events,
            description: new.description.filter(|text| !text.is_empty()),
            secret: secret(new.secret)?,
            old_secret: None,
            off: None,
            consecutive_failures: 0,
            created_at: now,
            updated_at: now,
            version: 1,
        };
        if !self.shared.store.insert(&webhook, WEBHOOKS_MAX).await? {
            return Err(WebhookFailure::TooMany);
        }
        self.shared.changed();
        Ok(webhook)
    }

    /// Webhooks, newest first: the caller's own, or everybody's for an admin who asks for `all`.
    ///
    /// # Errors
    /// [`WebhookFailure::Store`].
    pub async fn list(
        &self,
        caller: Caller,
        all: bool,
        skip: u64,
        limit: u32,
    ) -> Result<Page<Webhook>, WebhookFailure> {
        let owner = (!all || caller.role != Role::Admin).then_some(caller.id);
        Ok(self.shared.store.list(owner, skip, limit).await?)
    }

    /// A webhook that the caller may see.
    ///
    /// # Errors
    /// [`WebhookFailure::NotFound`].
    pub async fn get(&self, caller: Caller, id: WebhookId) -> Result<Webhook, WebhookFailure> {
        let found = self.shared.store.get(id).await?;
        let seen = found.filter(|webhook| webhook.owner == caller.id || caller.role == Role::Admin);
        seen.ok_or(WebhookFailure::NotFound)
    }

    async fn own(&self, caller: Caller, id: WebhookId) -> Result<Webhook, WebhookFailure> {
        let webhook = self.get(caller, id).await?;
        if webhook.owner == caller.id { Ok(webhook) } else { Err(WebhookFailure::NotYours) }
    }

    /// Changes a webhook. Switching on forgets its failures, and what waits goes on.
    ///
    /// # Errors
    /// [`WebhookFailure`]; `NotYours` when another than the owner changes more than `active`.
    pub async fn patch(&self, caller: Caller, id: WebhookId, patch: &WebhookPatch) -> Result<Webhook, WebhookFailure> {
        if let Some(url) = &patch.url {
            self.check_url(url)?;
        }
        self.change(caller, id, |webhook| {
            let only_active = patch.url.is_none() && patch.events.is_none() && patch.description.is_none();
            if webhook.owner != caller.id && !only_active {
                return Err(WebhookFailure::NotYours);
            }
            if let Some(events) = &patch.events {
                check_events(webhook.role, events)?;
                webhook.events.clone_from(events);
            }
            if let Some(url) = &patch.url {
                webhook.url.clone_from(url);
            }
            if let Some(text) = &patch.description {
                webhook.description = Some(text.clone()).filter(|text| !text.is_empty());
            }
            match (patch.active, &webhook.off) {
                (Some(true), Some(_)) => (webhook.off, webhook.consecutive_failures) = (None, 0),
                (Some(false), None) => {
                    let by = if webhook.owner == caller.id { "its owner" } else { "an admin" };
                    webhook.off = Some(SwitchedOff { reason: format!("switched off by {by}"), at: Timestamp::now() });
                }
                _ => {}
            }
            webhook.updated_at = Timestamp::now();
            Ok(())
        })
        .await
    }

    /// Gives a webhook a new secret; the old one is valid beside it for a day.
    ///
    /// # Errors
    /// [`WebhookFailure`].
    pub async fn rotate(
        &self,
        caller: Caller,
        id: WebhookId,
        given: Option<String>,
    ) -> Result<Webhook, WebhookFailure> {
        let fresh = secret(given)?;
        self.change(caller, id, |webhook| {
            if webhook.owner != caller.id {
                return Err(WebhookFailure::NotYours);
            }
            webhook.rotate(fresh.clone(), Timestamp::now());
            Ok(())
        })
        .await
    }

    async fn change(
        &self,
        caller: Caller,
        id: WebhookId,
        change: impl Fn(&mut Webhook) -> Result<(), WebhookFailure>,
    ) -> Result<Webhook, WebhookFailure> {
        let store = &self.shared.store;
        for _ in 0..TRIES {
            let mut webhook = self.get(caller, id).await?;
            change(&mut webhook)?;
            match store.save(&webhook).await {
                Ok(version) => {
                    self.shared.changed();
                    self.shared.sending.wake();
                    return Ok(Webhook { version, ..webhook });
                }
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Conflict.into())
    }

    /// Deletes a webhook with its log. What is under way at this moment is still sent.
    ///
    /// # Errors
    /// [`WebhookFailure::NotFound`].
    pub async fn delete(&self, caller: Caller, id: WebhookId) -> Result<(), WebhookFailure> {
        self.get(caller, id).await?;
        let deleted = self.shared.store.delete(id).await?;
        self.shared.changed();
        if deleted { Ok(()) } else { Err(WebhookFailure::NotFound) }
    }

    /// The deliveries of a webhook, newest first.
    ///
    /// # Errors
    /// [`WebhookFailure::NotFound`].
    pub async fn deliveries(
        &self,
        caller: Caller,
        id: WebhookId,
        skip: u64,
        limit: u32,
    ) -> Result<Page<WebhookDelivery>, WebhookFailure> {
        self.get(caller, id).await?;
        Ok(self.shared.store.deliveries(id, skip, limit).await?)
    }

    /// Sends a delivery again, with all its tries.
    ///
    /// # Errors
    /// [`WebhookFailure`].
    pub async fn redeliver(
        &self,
        caller: Caller,
        id: WebhookId,
        delivery: WebhookDeliveryId,
    ) -> Result<WebhookDelivery, WebhookFailure> {
        if self.own(caller, id).await?.off.is_some() {
            return Err(WebhookFailure::SwitchedOff);
        }
        let found = self.shared.store.redeliver(id, delivery, Timestamp::now()).await?;
        self.shared.sending.wake();
        found.ok_or(WebhookFailure::NoSuchDelivery)
    }

    /// Sends something that is no event, to try a webhook out.
    ///
    /// # Errors
    /// [`WebhookFailure`].
    pub async fn ping(&self, caller: Caller, id: WebhookId) -> Result<WebhookDelivery, WebhookFailure> {
        let webhook = self.own(caller, id).await?;
        let data = serde_json::json!({"webhook": webhook.id, "events": webhook.events});
        let delivery = super::tell::delivery(&webhook, EventId::generate(), PING, Timestamp::now(), &data)?;
        match self.shared.store.enqueue(&delivery, WAITING_MAX).await? {
            Enqueued::New | Enqueued::Known => {}
            Enqueued::NotActive => return Err(WebhookFailure::SwitchedOff),
            Enqueued::Overflow => return Err(WebhookFailure::Overflow),
        }
        self.shared.sending.wake();
        Ok(delivery)
    }

    fn check_url(&self, url: &str) -> Result<(), WebhookFailure> {
        let read = address::read(url, self.shared.client.rules());
        read.map(|_| ()).map_err(|error| invalid("url", error))
    }
}

fn secret(given: Option<String>) -> Result<WebhookSecret, WebhookFailure> {
    let secret = given.unwrap_or_else(signature::make_secret);
    signature::check_secret(&secret).map_err(|problem| invalid("secret", problem))?;
    Ok(WebhookSecret(secret))
}

fn check_events(role: Role, events: &[String]) -> Result<(), WebhookFailure> {
    if events.is_empty() {
        return Err(invalid("events", "must name one event or more, or be [\"*\"]"));
    }
    for (place, pattern) in events.iter().enumerate() {
        let field = format!("events[{place}]");
        match may_ask(role, pattern) {
            Some(true) => {}
            Some(false) => return Err(invalid(&field, "is for admins; sellers are told of order.* and product.*")),
            None => return Err(invalid(&field, "must be *, a group like order.*, or an event like order.created")),
        }
    }
    Ok(())
}

fn invalid(field: &str, problem: impl ToString) -> WebhookFailure {
    WebhookFailure::Invalid { field: field.to_owned(), problem: problem.to_string() }
}
