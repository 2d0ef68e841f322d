//! Products and carts from the results of tools.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value as Json;

use crate::{
    domain::{ids::ProductId, money::Money},
    views::{money::MoneyView, words},
};

#[derive(Deserialize, Default)]
#[serde(default)]
struct UntrustedText {
    title: String,
    category: String,
    description: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToolProductBody {
    product_id: ProductId,
    price: MoneyView,
    #[serde(default)]
    stock: i64,
    #[serde(default)]
    quantity: u32,
    untrusted: UntrustedText,
}

/// A product from a tool's result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ToolProduct {
    pub id: ProductId,
    pub title: String,
    pub category: String,
    pub description: String,
    pub price: Money,
    pub stock: i64,
    /// The quantity in the cart, if the product is from a cart.
    pub quantity: u32,
}

impl From<ToolProductBody> for ToolProduct {
    fn from(body: ToolProductBody) -> Self {
        let UntrustedText { title, category, description } = body.untrusted;
        let (price, stock, quantity) = (body.price.into(), body.stock, body.quantity);
        Self { id: body.product_id, title, category, description, price, stock, quantity }
    }
}

impl ToolProduct {
    /// One line with title, price, and a note if few are left.
    pub(super) fn line(&self) -> String {
        let few = match self.stock {
            ..=0 => " (sold out)".to_owned(),
            few @ 1..=5 => format!(" (only {few} left)"),
            _ => String::new(),
        };
        format!("{} – {}{few}", self.title, words::money(self.price))
    }
}

fn read<T: DeserializeOwned>(value: Option<&Json>) -> Vec<T> {
    let rows = value.and_then(Json::as_array).into_iter().flatten();
    rows.filter_map(|row| T::deserialize(row).ok()).collect()
}

/// The products of a result.
pub(super) fn products(answer: &Json) -> Vec<ToolProduct> {
    read::<ToolProductBody>(answer.get("products")).into_iter().map(ToolProduct::from).collect()
}

/// The single product of a result.
pub(super) fn product(answer: &Json) -> Option<ToolProduct> {
    ToolProductBody::deserialize(answer.get("product")?).ok().map(ToolProduct::from)
}

/// A cart from a tool's result.
#[derive(Debug, Clone, Default)]
pub(super) struct ToolCart {
    pub items: Vec<ToolProduct>,
    pub subtotal: Option<Money>,
    pub units: u64,
}

impl ToolCart {
    /// The cart of a result, if it has one.
    pub(super) fn of(answer: &Json) -> Option<Self> {
        let cart = answer.get("cart")?;
        let items = read::<ToolProductBody>(cart.get("items")).into_iter().map(ToolProduct::from).collect();
        Some(Self {
            items,
            subtotal: money(cart, "subtotal"),
            units: cart.get("totalQuantity").and_then(Json::as_u64).unwrap_or(0),
        })
    }

    pub(super) fn quantity_of(&self, product: ProductId) -> u32 {
        self.items.iter().find(|item| item.id == product).map_or(0, |item| item.quantity)
    }
}

/// An amount of a result.
pub(super) fn money(answer: &Json, field: &str) -> Option<Money> {
    MoneyView::deserialize(answer.get(field)?).ok().map(Money::from)
}
