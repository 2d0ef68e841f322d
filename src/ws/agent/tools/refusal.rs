//! Why a tool call was refused or failed, in sentences for models and people.

use crate::{
    domain::{cart::CartError, ids::ProductId},
    runtime::calls::{CallError, Never},
};

/// The reason why a tool call had no effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ToolRefusal {
    /// A stable code for programs: `tool.unknown`, `tool.bad_arguments`, `tool.unknown_product`, ...
    pub code: &'static str,
    /// A sentence for models and people.
    pub message: String,
}

/// The result of a part of a tool.
pub(super) type Refused<T> = Result<T, ToolRefusal>;

/// A service is unavailable; nothing was done.
const UNAVAILABLE: &str = "tool.unavailable";
/// Whether the call was done is unknown.
const OUTCOME_UNKNOWN: &str = "tool.outcome_unknown";

impl ToolRefusal {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// The label for metrics.
    pub(super) fn outcome(&self) -> &'static str {
        match self.code {
            UNAVAILABLE | OUTCOME_UNKNOWN => "unavailable",
            _ => "refused",
        }
    }
}

impl<E: Into<Self>> From<CallError<E>> for ToolRefusal {
    fn from(error: CallError<E>) -> Self {
        match error {
            CallError::Refused(refusal) => refusal.into(),
            CallError::Busy(_) | CallError::Conflict => {
                Self::new(UNAVAILABLE, "The shop is very busy right now; please try again in a moment.")
            }
            CallError::Unavailable(service) => Self::new(
                UNAVAILABLE,
                format!("The shop's {service} service is away right now; please try again in a moment."),
            ),
            CallError::OutcomeUnknown(service) => Self::new(
                OUTCOME_UNKNOWN,
                format!("The shop's {service} service did not answer in time; look again before you repeat it."),
            ),
            CallError::Internal(fault) => {
                tracing::error!(%fault, "a tool failed because of a fault in the program");
                Self::new(UNAVAILABLE, "The shop cannot do this right now; please try again in a moment.")
            }
        }
    }
}

impl From<Never> for ToolRefusal {
    fn from(never: Never) -> Self {
        match never {}
    }
}

impl From<CartError> for ToolRefusal {
    fn from(error: CartError) -> Self {
        match error {
            CartError::NotInCart => Self::new("tool.not_in_cart", "This product is not in the cart."),
            CartError::InsufficientStock { available: ..=0 } => {
                Self::new("tool.insufficient_stock", "This product is sold out right now.")
            }
            CartError::InsufficientStock { available } => {
                Self::new("tool.insufficient_stock", format!("Only {available} of this product can be bought now."))
            }
            CartError::MaxPerOrder { max } => {
                Self::new("tool.max_per_order", format!("At most {max} of this product can be in one order."))
            }
            CartError::QuantityTooLarge => Self::new("tool.cart_full", "A cart has at most 999 of one product."),
            CartError::NoSuchProduct | CartError::NotForSale { .. } => gone(),
            CartError::TooManyLines => Self::new("tool.cart_full", "A cart has at most 100 different products."),
        }
    }
}

pub(super) fn unknown_tool(name: &str) -> ToolRefusal {
    ToolRefusal::new("tool.unknown", format!("There is no tool {:?}.", name.chars().take(60).collect::<String>()))
}

pub(super) fn bad_arguments(tool: &str, problem: &str) -> ToolRefusal {
    let problem: String = problem.chars().take(300).collect();
    ToolRefusal::new("tool.bad_arguments", format!("The arguments of {tool} are not right: {problem}."))
}

pub(super) fn unknown_product(product: ProductId) -> ToolRefusal {
    let message = format!("No tool has shown the product {product} in this conversation; search for it first.");
    ToolRefusal::new("tool.unknown_product", message)
}

pub(super) fn gone() -> ToolRefusal {
    ToolRefusal::new("tool.product_gone", "This product is not offered any more.")
}

pub(super) fn shopper_only() -> ToolRefusal {
    ToolRefusal::new("tool.forbidden", "Carts and orders need a shopper's account; this one can search and compare.")
}
