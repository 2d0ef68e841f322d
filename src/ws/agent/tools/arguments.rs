//! The tools' arguments, parsed strictly: an unknown field is refused.

use serde::{Deserialize, Deserializer, de};
use serde_json::{Map, Value as Json};

use super::{
    PRODUCTS_MAX,
    refusal::{Refused, bad_arguments, unknown_tool},
};
use crate::{
    actors::catalogue::index::Sort,
    domain::{
        cart::QUANTITY_MAX,
        ids::{OrderId, ProductId},
        order::OrderStatus,
    },
    views::money::Amount,
};

/// The maximum length of a search query.
const QUERY_MAX: usize = 200;

/// A tool call with its arguments.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ToolRequest {
    Search(Search),
    Categories,
    Get(ProductId),
    Compare(Vec<ProductId>),
    Recommend(Option<ProductId>),
    ViewCart,
    Add(ProductId, u32),
    Change(ProductId, u32),
    Remove(ProductId),
    PrepareCheckout,
    ListOrders(Option<OrderStatus>),
    OrderStatus(Option<OrderId>),
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Search {
    pub query: String,
    #[serde(default)]
    pub min_price: Option<Amount>,
    #[serde(default)]
    pub max_price: Option<Amount>,
    #[serde(default)]
    pub category: Option<String>,
    #[serde(default)]
    pub in_stock: Option<bool>,
    #[serde(default)]
    pub sort: Option<Sort>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct OneProduct {
    product_id: ProductId,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct MaybeProduct {
    #[serde(default)]
    product_id: Option<ProductId>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct SomeProducts {
    product_ids: Vec<ProductId>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Units {
    product_id: ProductId,
    quantity: Quantity,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfStatus {
    #[serde(default)]
    status: Option<OrderStatus>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct MaybeOrder {
    #[serde(default)]
    order_id: Option<OrderId>,
}

/// 1 to [`QUANTITY_MAX`]; some models write it as 2.0.
struct Quantity(u32);

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = serde_json::Number::deserialize(deserializer)?;
        let text = number.to_string();
        let quantity = text.strip_suffix(".0").unwrap_or(&text).parse().ok();
        let quantity = quantity.filter(|quantity| (1..=QUANTITY_MAX).contains(quantity));
        quantity.map(Self).ok_or_else(|| de::Error::custom("a quantity is a whole number from 1 to 999"))
    }
}

fn read<T: for<'de> Deserialize<'de>>(tool: &str, arguments: Json) -> Refused<T> {
    let arguments = if arguments.is_null() { Json::Object(Map::new()) } else { arguments };
    serde_path_to_error::deserialize(arguments).map_err(|error| {
        let (path, problem) = (error.path().to_string(), error.inner().to_string());
        let named = path != "." && !path.is_empty();
        bad_arguments(tool, &if named { format!("{path}: {problem}") } else { problem })
    })
}

impl ToolRequest {
    /// Parses a call.
    pub(super) fn read(tool: &str, arguments: Json) -> Refused<Self> {
        Ok(match tool {
            "search_products" => Self::Search(search(tool, arguments)?),
            "list_categories" => read::<Nothing>(tool, arguments).map(|_| Self::Categories)?,
            "get_product" => Self::Get(read::<OneProduct>(tool, arguments)?.product_id),
            "compare_products" => Self::Compare(several(tool, arguments)?),
            "recommend" => Self::Recommend(read::<MaybeProduct>(tool, arguments)?.product_id),
            "view_cart" => read::<Nothing>(tool, arguments).map(|_| Self::ViewCart)?,
            "add_to_cart" => {
                let units: Units = read(tool, arguments)?;
                Self::Add(units.product_id, units.quantity.0)
            }
            "change_quantity" => {
                let units: Units = read(tool, arguments)?;
                Self::Change(units.product_id, units.quantity.0)
            }
            "remove_from_cart" => Self::Remove(read::<OneProduct>(tool, arguments)?.product_id),
            "prepare_checkout" => read::<Nothing>(tool, arguments).map(|_| Self::PrepareCheckout)?,
            "list_orders" => Self::ListOrders(read::<OfStatus>(tool, arguments)?.status),
            "order_status" => Self::OrderStatus(read::<MaybeOrder>(tool, arguments)?.order_id),
            other => return Err(unknown_tool(other)),
        })
    }

    /// What the tool is doing, as a text for people.
    pub(super) const fn status(&self) -> &'static str {
        match self {
            Self::Search(_) => "Searching for products…",
            Self::Categories => "Looking through the categories…",
            Self::Get(_) => "Looking at the product…",
            Self::Compare(_) => "Comparing products…",
            Self::Recommend(_) => "Looking for something you may like…",
            Self::ViewCart => "Looking at your cart…",
            Self::Add(..) => "Adding to your cart…",
            Self::Change(..) => "Changing your cart…",
            Self::Remove(_) => "Removing from your cart…",
            Self::PrepareCheckout => "Preparing your checkout…",
            Self::ListOrders(_) => "Looking for your orders…",
            Self::OrderStatus(_) => "Looking for your order…",
        }
    }

    /// The products that the call names.
    pub(super) fn products(&self) -> &[ProductId] {
        use std::slice::from_ref;
        match self {
            Self::Get(product) | Self::Add(product, _) | Self::Change(product, _) | Self::Remove(product) => {
                from_ref(product)
            }
            Self::Recommend(product) => product.as_slice(),
            Self::Compare(products) => products,
            _ => &[],
        }
    }

    /// Whether it needs the user's own cart or orders.
    pub(super) const fn is_for_shoppers(&self) -> bool {
        match self {
            Self::Search(_) | Self::Categories | Self::Get(_) | Self::Compare(_) | Self::Recommend(_) => false,
            Self::ViewCart
            | Self::Add(..)
            | Self::Change(..)
            | Self::Remove(_)
            | Self::PrepareCheckout
            | Self::ListOrders(_)
            | Self::OrderStatus(_) => true,
        }
    }
}

fn search(tool: &str, arguments: Json) -> Refused<Search> {
    let mut search: Search = read(tool, arguments)?;
    if let (Some(min), Some(max)) = (search.min_price, search.max_price)
        && min.minor() > max.minor()
    {
        return Err(bad_arguments(tool, "minPrice is above maxPrice"));
    }
    if let Some((end, _)) = search.query.char_indices().nth(QUERY_MAX) {
        search.query.truncate(end);
    }
    Ok(search)
}

fn several(tool: &str, arguments: Json) -> Refused<Vec<ProductId>> {
    let mut products: Vec<ProductId> = vec![];
    for product in read::<SomeProducts>(tool, arguments)?.product_ids {
        if !products.contains(&product) {
            products.push(product);
        }
    }
    if (1..=PRODUCTS_MAX).contains(&products.len()) {
        return Ok(products);
    }
    Err(bad_arguments(tool, &format!("productIds: has 1 to {PRODUCTS_MAX} different products")))
}
