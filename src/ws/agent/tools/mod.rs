//! What an assistant can do in the shop, and the executor that does it.
//!
//! A call is read into its typed arguments, checked, done by the services as the shopper who
//! asks, and answered with JSON that a model reads and the rules read too. What sellers and
//! shoppers wrote stands under `untrusted` in it, without control characters and cut short.
//!
//! No tool places an order or moves money: `prepare_checkout` gives a summary and a link.
//!
//! **Invariant:** an id that no tool returned in this conversation is refused before anything is
//! asked of the shop.

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
    arguments::Ask,
    refusal::{Refused, shopper_only},
};
pub use self::{refusal::ToolRefusal, specs::ToolSpec};
use super::{Audience, CheckoutLink, Shopper, Told};
use crate::{
    domain::{conversation::Known, ids::ProductId, order::Pricing, user::Role},
    runtime::calls::{Call, CallError, Calls},
};

/// How long a tool waits for one answer of a service.
const WITHIN: Duration = Duration::from_secs(6);
/// The most products of one answer.
pub const PRODUCTS_MAX: usize = 8;

/// For whom a tool runs, and what it leaves behind.
pub struct ToolContext<'a> {
    /// As whom.
    pub shopper: Shopper,
    /// What tools have told so far; an answer adds to it.
    pub known: &'a mut Known,
    /// Gets `status`, `products` and `cart` as the tool goes.
    pub audience: &'a dyn Audience,
}

/// What the tools work on.
#[derive(Clone)]
struct Shop {
    calls: Calls,
    pricing: Pricing,
    links: CheckoutLink,
}

/// Every tool.
#[derive(Clone)]
pub struct Toolbox {
    shop: Shop,
    payment_window: Option<Duration>,
}

/// One call of a tool.
struct Work<'a, 'b> {
    shop: &'a Shop,
    context: &'a mut ToolContext<'b>,
}

impl Toolbox {
    /// The tools of a shop: its services, its tax and shipping, and how links to its checkout are
    /// signed.
    #[must_use]
    pub fn new(calls: Calls, pricing: Pricing, links: CheckoutLink) -> Self {
        Self { shop: Shop { calls, pricing, links }, payment_window: None }
    }

    /// The same, where it is known how long an order waits for its payment.
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

    /// How long an order waits for its payment, where that is known.
    #[must_use]
    pub const fn payment_window(&self) -> Option<Duration> {
        self.payment_window
    }

    /// What there is.
    #[must_use]
    pub fn specs(&self) -> &'static [ToolSpec] {
        specs::all()
    }

    /// Runs one tool with arguments as a model wrote them; the answer is what the model reads.
    ///
    /// # Errors
    /// [`ToolRefusal`]; the turn goes on with it.
    pub async fn call(&self, name: &str, arguments: Json, mut context: ToolContext<'_>) -> Result<Json, ToolRefusal> {
        let (started, tool) = (Instant::now(), specs::name_of(name).unwrap_or("unknown"));
        let done = match Ask::read(name, arguments) {
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
    async fn run(&mut self, ask: Ask) -> Refused<Json> {
        self.check(&ask)?;
        self.context.audience.tell(Told::Status(ask.status()));
        match ask {
            Ask::Search(search) => self.search(search).await,
            Ask::Categories => self.categories().await,
            Ask::Get(product) => self.get(product).await,
            Ask::Compare(products) => self.compare(&products).await,
            Ask::Recommend(product) => self.recommend(product).await,
            Ask::ViewCart => self.view_cart().await,
            Ask::Add(product, quantity) => self.add(product, quantity).await,
            Ask::Change(product, quantity) => self.change(product, quantity).await,
            Ask::Remove(product) => self.remove(product).await,
            Ask::PrepareCheckout => self.prepare_checkout().await,
            Ask::ListOrders(status) => self.list_orders(status).await,
            Ask::OrderStatus(order) => self.order_status(order).await,
        }
    }

    /// What is refused without asking anybody.
    fn check(&self, ask: &Ask) -> Refused<()> {
        if ask.is_for_shoppers() && self.context.shopper.role != Role::User {
            return Err(shopper_only());
        }
        match ask.products().iter().find(|product| !self.context.known.has(**product)) {
            Some(product) => Err(refusal::unknown_product(*product)),
            None => Ok(()),
        }
    }

    /// Asks a service, and waits for it no longer than a shopper would.
    async fn ask<C: Call<Error: Into<ToolRefusal>>>(&self, call: C) -> Refused<C::Reply> {
        let late = || CallError::OutcomeUnknown(C::SERVICE.name().into());
        Ok(timeout(WITHIN, self.shop.calls.ask(call)).await.unwrap_or_else(|_| Err(late()))?)
    }

    /// Remembers that a list was shown.
    fn listed(&mut self, products: &[ProductId]) {
        self.context.known.note(products);
        self.context.known.listed = products.to_vec();
        self.context.known.current = match products {
            [only] => Some(*only),
            _ => None,
        };
    }

    /// Remembers that one product was spoken of.
    fn spoke_of(&mut self, product: ProductId) {
        self.context.known.note(&[product]);
        self.context.known.current = Some(product);
    }
}
