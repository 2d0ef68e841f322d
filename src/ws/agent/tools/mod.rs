//! What an assistant can do in the shop, and the executor that does it.
//!
//! **Invariant:** an id that no tool returned in this conversation is refused before anything is
//! asked of the shop.

use serde_json::Value as Json;

use super::{Audience, CheckoutLink, Shopper};
use crate::{
    domain::{conversation::Known, order::Pricing},
    peers::Peers,
};

/// A tool as models and outside agents see it.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolSpec {
    /// Its name.
    pub name: &'static str,
    /// What it is for, in words for a model.
    pub description: &'static str,
    /// The JSON schema of its arguments.
    pub schema: Json,
    /// Whether it changes nothing.
    pub reads_only: bool,
}

/// A tool did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ToolRefusal {
    /// Stable, for programs: `tool.unknown`, `tool.bad_arguments`, `tool.unknown_product`, ...
    pub code: &'static str,
    /// A sentence that a model can go on with and a person can read.
    pub message: String,
}

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
#[expect(dead_code, reason = "the tools come with the executor")]
struct Shop {
    peers: Peers,
    pricing: Pricing,
    links: CheckoutLink,
}

/// Every tool.
#[derive(Clone)]
pub struct Toolbox {
    #[expect(dead_code, reason = "the tools come with the executor")]
    shop: Shop,
}

impl Toolbox {
    /// The tools of a shop: its services, its tax and shipping, and how links to its checkout are signed.
    #[must_use]
    pub fn new(peers: Peers, pricing: Pricing, links: CheckoutLink) -> Self {
        Self { shop: Shop { peers, pricing, links } }
    }

    /// What there is.
    #[must_use]
    pub fn specs(&self) -> &'static [ToolSpec] {
        &[]
    }

    /// Runs one tool with arguments as a model wrote them; the answer is what the model reads.
    ///
    /// # Errors
    /// [`ToolRefusal`]; the turn goes on with it.
    #[expect(clippy::unused_async, reason = "the tools come with the executor")]
    pub async fn call(&self, name: &str, arguments: Json, context: ToolContext<'_>) -> Result<Json, ToolRefusal> {
        let _ = (arguments, context);
        Err(ToolRefusal { code: "tool.unknown", message: format!("there is no tool {name}") })
    }
}
