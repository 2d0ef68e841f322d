//! Products and carts as the tools tell of them.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value as Json;

use crate::{
    domain::{ids::ProductId, money::Money},
    views::{money::MoneyView, words},
};

#[derive(Deserialize, Default)]
#[serde(default)]
struct Written {
    title: String,
    category: String,
    description: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GoodsBody {
    product_id: ProductId,
    price: MoneyView,
    #[serde(default)]
    stock: i64,
    #[serde(default)]
    quantity: u32,
    untrusted: Written,
}

/// A product that a tool told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Goods {
    pub id: ProductId,
    pub title: String,
    pub category: String,
    pub description: String,
    pub price: Money,
    pub stock: i64,
    /// How many are in the cart, where a cart told of it.
    pub quantity: u32,
}

impl From<GoodsBody> for Goods {
    fn from(body: GoodsBody) -> Self {
        let Written { title, category, description } = body.untrusted;
        let (price, stock, quantity) = (body.price.into(), body.stock, body.quantity);
        Self { id: body.product_id, title, category, description, price, stock, quantity }
    }
}

impl Goods {
    /// In one line: title, price, and how few there are.
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

/// The products of an answer.
pub(super) fn products(answer: &Json) -> Vec<Goods> {
    read::<GoodsBody>(answer.get("products")).into_iter().map(Goods::from).collect()
}

/// The one product of an answer.
pub(super) fn product(answer: &Json) -> Option<Goods> {
    GoodsBody::deserialize(answer.get("product")?).ok().map(Goods::from)
}

/// A cart that a tool told of.
#[derive(Debug, Clone, Default)]
pub(super) struct CartTold {
    pub items: Vec<Goods>,
    pub subtotal: Option<Money>,
    pub units: u64,
}

impl CartTold {
    /// Of an answer that has one.
    pub(super) fn of(answer: &Json) -> Option<Self> {
        let cart = answer.get("cart")?;
        let items = read::<GoodsBody>(cart.get("items")).into_iter().map(Goods::from).collect();
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

/// An amount of an answer.
pub(super) fn money(answer: &Json, field: &str) -> Option<Money> {
    MoneyView::deserialize(answer.get(field)?).ok().map(Money::from)
}
