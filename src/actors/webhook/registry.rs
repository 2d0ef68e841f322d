//! Registers and manages webhooks.

use jiff::Timestamp;

use super::{
    Webhooks,
    calls::{
        Caller, ChangeWebhook, DeleteWebhook, GetWebhook, GetWebhookDeliveries, GetWebhooks, PingWebhook,
        RedeliverWebhook, RegisterWebhook, RotateWebhookSecret, WebhookRefusal,
    },
};
use crate::{
    domain::{
        ids::{EventId, WebhookId},
        user::Role,
        webhook::{PING, SwitchedOff, WAITING_MAX, WEBHOOKS_MAX, Webhook, WebhookSecret, may_ask},
    },
    integrations::webhook::{address, signature},
    runtime::calls::{CallError, Handles, Outcome},
    store::{StoreError, webhooks::Enqueued},
};

/// How often a change is retried after a concurrent change.
const TRIES: usize = 16;

impl Webhooks {
    /// A webhook that the caller may see.
    async fn get(&self, caller: Caller, id: WebhookId) -> Result<Webhook, CallError<WebhookRefusal>> {
        let found = self.state.store.get(id).await?;
        let seen = found.filter(|webhook| webhook.owner == caller.id || caller.role == Role::Admin);
        seen.ok_or(WebhookRefusal::NotFound.into())
    }

    async fn own(&self, caller: Caller, id: WebhookId) -> Result<Webhook, CallError<WebhookRefusal>> {
        let webhook = self.get(caller, id).await?;
        if webhook.owner == caller.id { Ok(webhook) } else { Err(WebhookRefusal::NotYours.into()) }
    }

    async fn change(
        &self,
        caller: Caller,
        id: WebhookId,
        change: impl Fn(&mut Webhook) -> Result<(), CallError<WebhookRefusal>>,
    ) -> Result<Webhook, CallError<WebhookRefusal>> {
        let store = &self.state.store;
        for _ in 0..TRIES {
            let mut webhook = self.get(caller, id).await?;
            change(&mut webhook)?;
            match store.save(&webhook).await {
                Ok(version) => {
                    self.state.changed();
                    self.state.sending.notify();
                    return Ok(Webhook { version, ..webhook });
                }
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Conflict.into())
    }

    fn check_url(&self, url: &str) -> Result<(), CallError<WebhookRefusal>> {
        let read = address::read(url, self.state.client.rules());
        read.map(|_| ()).map_err(|error| invalid("url", error))
    }
}

impl Handles<RegisterWebhook> for Webhooks {
    async fn handle(&self, new: RegisterWebhook) -> Outcome<RegisterWebhook> {
        self.check_url(&new.url)?;
        let caller = new.caller;
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
        if !self.state.store.insert(&webhook, WEBHOOKS_MAX).await? {
            return Err(WebhookRefusal::TooMany.into());
        }
        self.state.changed();
        Ok(webhook)
    }
}

impl Handles<GetWebhooks> for Webhooks {
    async fn handle(&self, GetWebhooks { caller, all, skip, limit }: GetWebhooks) -> Outcome<GetWebhooks> {
        let owner = (!all || caller.role != Role::Admin).then_some(caller.id);
        Ok(self.state.store.list(owner, skip, limit).await?)
    }
}

impl Handles<GetWebhook> for Webhooks {
    async fn handle(&self, call: GetWebhook) -> Outcome<GetWebhook> {
        self.get(call.caller, call.webhook).await
    }
}

impl Handles<ChangeWebhook> for Webhooks {
    async fn handle(&self, ChangeWebhook { caller, webhook: id, patch }: ChangeWebhook) -> Outcome<ChangeWebhook> {
        if let Some(url) = &patch.url {
            self.check_url(url)?;
        }
        self.change(caller, id, |webhook| {
            let only_active = patch.url.is_none() && patch.events.is_none() && patch.description.is_none();
            if webhook.owner != caller.id && !only_active {
                return Err(WebhookRefusal::NotYours.into());
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
}

impl Handles<RotateWebhookSecret> for Webhooks {
    async fn handle(
        &self,
        RotateWebhookSecret { caller, webhook: id, secret: given }: RotateWebhookSecret,
    ) -> Outcome<RotateWebhookSecret> {
        let fresh = secret(given)?;
        self.change(caller, id, |webhook| {
            if webhook.owner != caller.id {
                return Err(WebhookRefusal::NotYours.into());
            }
            webhook.rotate(fresh.clone(), Timestamp::now());
            Ok(())
        })
        .await
    }
}

impl Handles<DeleteWebhook> for Webhooks {
    async fn handle(&self, DeleteWebhook { caller, webhook: id }: DeleteWebhook) -> Outcome<DeleteWebhook> {
        self.get(caller, id).await?;
        let deleted = self.state.store.delete(id).await?;
        self.state.changed();
        if deleted { Ok(()) } else { Err(WebhookRefusal::NotFound.into()) }
    }
}

impl Handles<GetWebhookDeliveries> for Webhooks {
    async fn handle(
        &self,
        GetWebhookDeliveries { caller, webhook: id, skip, limit }: GetWebhookDeliveries,
    ) -> Outcome<GetWebhookDeliveries> {
        self.get(caller, id).await?;
        Ok(self.state.store.deliveries(id, skip, limit).await?)
    }
}

impl Handles<RedeliverWebhook> for Webhooks {
    async fn handle(
        &self,
        RedeliverWebhook { caller, webhook: id, delivery }: RedeliverWebhook,
    ) -> Outcome<RedeliverWebhook> {
        if self.own(caller, id).await?.off.is_some() {
            return Err(WebhookRefusal::SwitchedOff.into());
        }
        let found = self.state.store.redeliver(id, delivery, Timestamp::now()).await?;
        self.state.sending.notify();
        found.ok_or(WebhookRefusal::NoSuchDelivery.into())
    }
}

impl Handles<PingWebhook> for Webhooks {
    async fn handle(&self, PingWebhook { caller, webhook: id }: PingWebhook) -> Outcome<PingWebhook> {
        let webhook = self.own(caller, id).await?;
        let data = serde_json::json!({"webhook": webhook.id, "events": webhook.events});
        let delivery = super::notify::delivery(&webhook, EventId::generate(), PING, Timestamp::now(), &data)?;
        match self.state.store.enqueue(&delivery, WAITING_MAX).await? {
            Enqueued::New | Enqueued::AlreadyQueued => {}
            Enqueued::NotActive => return Err(WebhookRefusal::SwitchedOff.into()),
            Enqueued::Overflow => return Err(WebhookRefusal::Overflow.into()),
        }
        self.state.sending.notify();
        Ok(delivery)
    }
}

fn secret(given: Option<String>) -> Result<WebhookSecret, CallError<WebhookRefusal>> {
    let secret = given.unwrap_or_else(signature::make_secret);
    signature::check_secret(&secret).map_err(|problem| invalid("secret", problem))?;
    Ok(WebhookSecret(secret))
}

fn check_events(role: Role, events: &[String]) -> Result<(), CallError<WebhookRefusal>> {
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

fn invalid(field: &str, problem: impl ToString) -> CallError<WebhookRefusal> {
    WebhookRefusal::Invalid { field: field.to_owned(), problem: problem.to_string() }.into()
}
