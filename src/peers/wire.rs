//! What one process of the platform says to another: the calls of the peers' traits as JSON.
//!
//! Every call is a POST of one JSON object under [`ROOT`]. It is answered with 200 and the
//! result, or with 409 or 503 and a [`Failure`]; whatever else comes was not said by a peer.
//! `peers::http` calls and `http::internal` answers, both by this page.
//!
//! **Invariant:** a failure comes out of the wire as the error that went in.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

pub use self::failure::{CallError, Failure};
use super::Offer;
use crate::domain::{
    ids::{AddressId, OrderId, PaymentId, ProductId, UserId},
    inventory::StockLine,
    product::Product,
};

mod failure;

/// Where these calls live; no gateway leads here.
pub const ROOT: &str = "/internal/v1";
/// The header that tells how long the caller will wait, in milliseconds.
pub const DEADLINE: &str = "x-deadline-ms";
/// The largest body of a call or an answer.
pub const BODY_MAX: usize = 8 << 20;

/// How long a caller waits for an answer, all tries together.
const WITHIN: Duration = Duration::from_millis(2_500);
/// The same for a look at whether it is there.
const PING_WITHIN: Duration = Duration::from_secs(1);
/// The same where the callee calls others in turn.
const WITHIN_FURTHER: Duration = Duration::from_secs(6);

/// One call of one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// The service.
    pub service: &'static str,
    /// Its path below the service.
    pub name: &'static str,
    /// Whether doing it twice is doing it once.
    pub repeatable: bool,
    /// How long the caller waits, all tries together.
    pub within: Duration,
}

impl Call {
    const fn of(service: &'static str, name: &'static str) -> Self {
        Self { service, name, repeatable: true, within: WITHIN }
    }

    const fn once(self) -> Self {
        Self { repeatable: false, ..self }
    }

    const fn calls_further(self) -> Self {
        Self { within: WITHIN_FURTHER, ..self }
    }

    /// Whether the service is there and takes this caller's word.
    #[must_use]
    pub const fn ping(service: &'static str) -> Self {
        Self { within: PING_WITHIN, ..Self::of(service, "ping") }
    }

    /// The path of the call.
    #[must_use]
    pub fn path(&self) -> String {
        format!("{ROOT}/{}/{}", self.service, self.name)
    }
}

/// [`super::Catalogue::offers`].
pub const OFFERS: Call = Call::of("product", "offers").calls_further();
/// [`super::Catalogue::search`].
pub const SEARCH: Call = Call::of("product", "search").calls_further();
/// [`super::Catalogue::categories`].
pub const CATEGORIES: Call = Call::of("product", "categories");
/// [`super::Carts::cart`].
pub const CART: Call = Call::of("cart", "cart");
/// [`super::Carts::add`]: done again it would add twice.
pub const CART_ADD: Call = Call::of("cart", "add").once().calls_further();
/// [`super::Carts::set`].
pub const CART_SET: Call = Call::of("cart", "set").calls_further();
/// [`super::Carts::remove`]: done again it would find nothing to remove.
pub const CART_REMOVE: Call = Call::of("cart", "remove").once();
/// [`super::Carts::check_out`], once for each order.
pub const CHECK_OUT: Call = Call::of("cart", "check-out");
/// [`super::Carts::restore`], once for each order.
pub const RESTORE: Call = Call::of("cart", "restore");
/// [`super::Accounts::admins`].
pub const ADMINS: Call = Call::of("auth", "admins");
/// [`super::Accounts::contact`].
pub const CONTACT: Call = Call::of("auth", "contact");
/// [`super::Accounts::role`].
pub const ROLE: Call = Call::of("auth", "role");
/// [`super::Accounts::address`].
pub const ADDRESS: Call = Call::of("auth", "address");
/// [`super::Payments::captured`].
pub const CAPTURED: Call = Call::of("payment", "captured");
/// [`super::Payments::refund`]: all that is left, once.
pub const REFUND: Call = Call::of("payment", "refund").calls_further();

/// A call about nothing in particular.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Nothing {}

/// A call about products.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OfProducts {
    /// Which.
    pub products: Vec<ProductId>,
}

/// A call about a user.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OfUser {
    /// Who.
    pub user: UserId,
}

/// A call about one of a user's addresses.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OfAddress {
    /// Who.
    pub user: UserId,
    /// Which; her default one when absent.
    #[serde(default)]
    pub address: Option<AddressId>,
}

/// A change of a user's cart.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OfCartLine {
    /// Whose cart.
    pub user: UserId,
    /// Which product.
    pub product: ProductId,
    /// How many, where the call says so.
    #[serde(default)]
    pub quantity: u32,
}

/// What an order bought, to be taken out of a cart or put back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CheckOut {
    /// Whose cart.
    pub user: UserId,
    /// The order.
    pub order: OrderId,
    /// What it bought.
    pub bought: Vec<StockLine>,
}

/// A call about an order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OfOrder {
    /// Which.
    pub order: OrderId,
}

/// Money to be given back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Refund {
    /// Of which payment.
    pub payment: PaymentId,
    /// Why.
    pub reason: String,
}

/// A product with what can be bought of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OfferBody {
    /// The product.
    pub product: Product,
    /// What can be bought now.
    pub available: i64,
    /// Whether it is on sale at all.
    #[serde(default = "on_sale")]
    pub for_sale: bool,
}

/// What an earlier program means, which does not say.
const fn on_sale() -> bool {
    true
}

impl From<&Offer> for OfferBody {
    fn from(offer: &Offer) -> Self {
        Self { product: (*offer.product).clone(), available: offer.available, for_sale: offer.for_sale }
    }
}

impl From<OfferBody> for Offer {
    fn from(body: OfferBody) -> Self {
        Self { product: Arc::new(body.product), available: body.available, for_sale: body.for_sale }
    }
}
