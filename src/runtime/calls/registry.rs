//! The handlers of the calls that this process serves.

use std::{
    any::{Any, TypeId},
    collections::{HashMap, HashSet},
    sync::Arc,
};

use futures_util::future::BoxFuture;
use serde::Serialize;

use super::{Call, CallError, Handles, Outcome};
use crate::config::Service;

/// The future answer to a call that arrived as JSON.
pub type Answer = BoxFuture<'static, Result<Vec<u8>, CallError<serde_json::Value>>>;

/// Handles calls of one type.
type Handler<C> = Arc<dyn Fn(C) -> BoxFuture<'static, Outcome<C>> + Send + Sync>;
/// Handles calls of one type that arrive as JSON.
type JsonHandler = Box<dyn Fn(&[u8]) -> Result<Answer, serde_json::Error> + Send + Sync>;

/// The handlers of the services that this process runs. Built once at startup.
#[derive(Default)]
pub struct Registry {
    handlers: Handlers,
}

/// The handlers by call type and, for calls that other processes may send, by name.
#[derive(Default)]
pub(super) struct Handlers {
    by_type: HashMap<TypeId, Box<dyn Any + Send + Sync>>,
    by_name: HashMap<String, (Service, JsonHandler)>,
    exposed: HashSet<Service>,
}

impl Registry {
    /// Registers `handler` for the calls `C`.
    pub fn on<C, F>(&mut self, handler: impl Fn(C) -> F + Send + Sync + 'static) -> &mut Self
    where
        C: Call,
        F: Future<Output = Outcome<C>> + Send + 'static,
    {
        let handler: Handler<C> = Arc::new(move |call| Box::pin(handler(call)));
        let of_json = Arc::clone(&handler);
        let by_json: JsonHandler = Box::new(move |body| {
            let done = of_json(serde_json::from_slice(body)?);
            Ok(Box::pin(async move { to_json(done.await) }))
        });
        let earlier = self.handlers.by_name.insert(C::name(), (C::SERVICE, by_json));
        debug_assert!(earlier.is_none(), "two handlers of {}", C::name());
        self.handlers.by_type.insert(TypeId::of::<C>(), Box::new(handler));
        self.handlers.exposed.insert(C::SERVICE);
        self
    }

    /// Registers `service` for the calls `C`, without a mailbox in between.
    pub fn serve<C: Call>(&mut self, service: &Arc<impl Handles<C>>) -> &mut Self {
        let service = Arc::clone(service);
        self.on(move |call: C| {
            let service = Arc::clone(&service);
            async move { service.handle(call).await }
        })
    }

    /// Makes every service that `exposed` rejects available only to callers in this process.
    pub fn expose(&mut self, exposed: impl Fn(Service) -> bool) {
        let Handlers { by_name, exposed: services, .. } = &mut self.handlers;
        services.retain(|service| exposed(*service));
        by_name.retain(|_, (service, _)| services.contains(service));
    }

    pub(super) fn into_handlers(self) -> Handlers {
        self.handlers
    }
}

impl Handlers {
    pub(super) fn of<C: Call>(&self) -> Option<&Handler<C>> {
        self.by_type.get(&TypeId::of::<C>())?.downcast_ref()
    }

    pub(super) fn named(&self, name: &str) -> Option<&JsonHandler> {
        self.by_name.get(name).map(|(_, handler)| handler)
    }

    pub(super) fn exposes(&self, service: Service) -> bool {
        self.exposed.contains(&service)
    }
}

fn to_json<R: Serialize, E: Serialize>(
    outcome: Result<R, CallError<E>>,
) -> Result<Vec<u8>, CallError<serde_json::Value>> {
    let broken =
        |error: serde_json::Error| CallError::Internal(format!("an answer cannot be written as JSON: {error}"));
    match outcome {
        Ok(reply) => serde_json::to_vec(&reply).map_err(broken),
        Err(error) => Err(error.and_then(|refusal| match serde_json::to_value(refusal) {
            Ok(refusal) => CallError::Refused(refusal),
            Err(error) => broken(error),
        })),
    }
}
