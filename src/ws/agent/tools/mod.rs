//! The tools of the assistant, and the executor that runs them.
//!
//! A call is parsed into typed arguments, checked, executed by the services with the user's rights,
//! and answered with JSON that models and the rules read. Text of sellers and
//! users is under `untrusted`, without control characters and truncated.
//!
//! No tool places an order or moves money: `prepare_checkout` returns a summary and a link.
//!
//! **Invariant:** an id that no tool returned in this conversation is refused before any service
//! is called.

mod answer;
mod arguments;
mod cart;
mod checkout;
mod orders;
mod products;
mod refusal;
mod similar;
mod specs;
#[cfg(test)]
mod tests;

use std::time::Duration;

use metrics::{counter, histogram};
use serde_json::Value as Json;
use tokio::time::{Instant, timeout};

pub(in crate::ws::agent) use self::products::singular_word;
use self::{
    arguments::ToolRequest,
    refusal::{Refused, shopper_only},
};
pub use self::{refusal::ToolRefusal, specs::ToolSpec};
use super::{ReplySink, Shopper, TurnEvent};
use crate::{
    actors::checkout_link::CheckoutLink,
    domain::{conversation::KnownProducts, ids::ProductId, order::Pricing, user::Role},
    runtime::calls::{Call, CallError, Calls},
};

/// Time limit for one call to a service.
const WITHIN: Duration = Duration::from_secs(6);
/// The maximum number of products in one result.
pub const PRODUCTS_MAX: usize = 8;

/// The context of a tool call.
pub struct ToolContext<'a> {
    /// The user for whom the tool runs.
    pub shopper: Shopper,
    /// What tools have returned so far; each result adds to it.
    pub known: &'a mut KnownProducts,
    /// Receives `status`, `products` and `cart` events while the tool runs.
    pub sink: &'a dyn ReplySink,
}

/// The services and settings that the tools use.
#[derive(Clone)]
struct Shop {
    calls: Calls,
    pricing: Pricing,
    links: CheckoutLink,
}

/// All tools and their executor.
#[derive(Clone)]
pub struct Toolbox {
    shop: Shop,
    payment_window: Option<Duration>,
}

/// One running tool call.
struct Work<'a, 'b> {
    shop: &'a Shop,
    context: &'a mut ToolContext<'b>,
}

impl Toolbox {
    /// The tools of a shop, with its services, its pricing, and the signer of its checkout
    /// links.
    #[must_use]
    pub fn new(calls: Calls, pricing: Pricing, links: CheckoutLink) -> Self {
        Self { shop: Shop { calls, pricing, links }, payment_window: None }
    }

    /// Sets how long an order waits for its payment.
    #[must_use]
    pub const fn with_payment_window(mut self, window: Duration) -> Self {
        self.payment_window = Some(window);
        self
    }

    /// The shop's tax and shipping.
    #[must_use]
    pub const fn pricing(&self) -> Pricing {
        self.shop.pricing
    }

    /// How long an order waits for its payment, if known.
    #[must_use]
    pub const fn payment_window(&self) -> Option<Duration> {
        self.payment_window
    }

    /// The available tools.
    #[must_use]
    pub fn specs(&self) -> &'static [ToolSpec] {
        specs::all()
    }

    /// Runs one tool with the arguments of a model; the result is what the model reads.
    ///
    /// # Errors
    /// [`ToolRefusal`]; the turn continues with it.
    pub async fn call(&self, name: &str, arguments: Json, mut context: ToolContext<'_>) -> Result<Json, ToolRefusal> {
        let (started, tool) = (Instant::now(), specs::name_of(name).unwrap_or("unknown"));
        let done = match ToolRequest::read(name, arguments) {
            Ok(ask) => Work { shop: &self.shop, context: &mut context }.run(ask).await,
            Err(refusal) => Err(refusal),
        };
        let outcome = done.as_ref().map_or_else(ToolRefusal::outcome, |_| "done");
        counter!("agent_tool_calls_total", "tool" => tool, "outcome" => outcome).increment(1);
        histogram!("agent_tool_duration_seconds", "tool" => tool).record(started.elapsed());
        let code = done.as_ref().err().map(|refusal| refusal.code);
        tracing::debug!(tool, outcome, code, "a tool was called");
        done
    }
}

impl Work<'_, '_> {
    async fn run(&mut self, ask: ToolRequest) -> Refused<Json> {
        self.check(&ask)?;
        self.context.sink.send(TurnEvent::Status(ask.status()));
        match ask {
            ToolRequest::Search(search) => self.search(search).await,
            ToolRequest::Categories => self.categories().await,
            ToolRequest::Get(product) => self.get(product).await,
            ToolRequest::Compare(products) => self.compare(&products).await,
            ToolRequest::Recommend(product) => self.recommend(product).await,
            ToolRequest::ViewCart => self.view_cart().await,
            ToolRequest::Add(product, quantity) => self.add(product, quantity).await,
            ToolRequest::Change(product, quantity) => self.change(product, quantity).await,
            ToolRequest::Remove(product) => self.remove(product).await,
            ToolRequest::PrepareCheckout => self.prepare_checkout().await,
            ToolRequest::ListOrders(status) => self.list_orders(status).await,
            ToolRequest::OrderStatus(order) => self.order_status(order).await,
        }
    }

    /// Refuses invalid calls before any service is called.
    fn check(&self, ask: &ToolRequest) -> Refused<()> {
        if ask.is_for_shoppers() && self.context.shopper.role != Role::User {
            return Err(shopper_only());
        }
        match ask.products().iter().find(|product| !self.context.known.has(**product)) {
            Some(product) => Err(refusal::unknown_product(*product)),
            None => Ok(()),
        }
    }

    /// Calls a service with a time limit that suits a chat.
    async fn ask<C: Call<Error: Into<ToolRefusal>>>(&self, call: C) -> Refused<C::Reply> {
        let late = || CallError::OutcomeUnknown(C::SERVICE.name().into());
        Ok(timeout(WITHIN, self.shop.calls.ask(call)).await.unwrap_or_else(|_| Err(late()))?)
    }

    /// Stores that a list of products was shown.
    fn listed(&mut self, products: &[ProductId]) {
        self.context.known.note(products);
        self.context.known.listed = products.to_vec();
        self.context.known.current = match products {
            [only] => Some(*only),
            _ => None,
        };
    }

    /// Stores that one product was mentioned.
    fn note_product(&mut self, product: ProductId) {
        self.context.known.note(&[product]);
        self.context.known.current = Some(product);
    }
}
