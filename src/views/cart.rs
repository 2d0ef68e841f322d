//! A cart and its totals, at current prices.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::money::MoneyView;
use crate::domain::{
    Timestamp,
    cart::Cart,
    ids::{CartId, ProductId, UserId},
    money::{Currency, Money},
    product::Offer,
};

/// A line of a cart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CartItemView {
    /// Which product.
    #[schema(value_type = String, example = "665f1f77bcf86cd799439012")]
    pub product_id: ProductId,
    /// How many.
    #[schema(example = 2)]
    pub quantity: u32,
    /// The product's title now.
    #[schema(example = "Steel bottle")]
    pub title: String,
    /// The current price of one unit.
    pub price: MoneyView,
    /// A small picture, if the product has one.
    #[schema(required = true, example = "/media/665f1f77bcf86cd799439013.thumb.webp")]
    pub image: Option<String>,
    /// False when the product is taken down or its seller is blocked, so that it cannot be ordered; else absent.
    #[serde(default = "on_sale", skip_serializing_if = "is_on_sale")]
    #[schema(example = false)]
    pub for_sale: bool,
}

const fn on_sale() -> bool {
    true
}

const fn is_on_sale(for_sale: &bool) -> bool {
    *for_sale
}

/// A cart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CartView {
    /// Id.
    #[serde(rename = "_id")]
    #[schema(value_type = String, example = "665f1f77bcf86cd799439015")]
    pub id: CartId,
    /// The cart's user.
    #[schema(value_type = String, example = "665f1f77bcf86cd799439011")]
    pub user: UserId,
    /// The lines; products that no longer exist are left out.
    pub items: Vec<CartItemView>,
    /// When last changed.
    #[schema(value_type = String, format = DateTime, example = "2026-01-02T03:04:05Z")]
    pub updated_at: Timestamp,
}

/// The totals of a cart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CartTotalsView {
    /// The number of lines.
    #[schema(example = 1)]
    pub item_count: usize,
    /// The number of units.
    #[schema(example = 2)]
    pub total_quantity: u64,
    /// Price × quantity of all lines; null while the cart has two currencies.
    #[schema(required = true)]
    pub subtotal: Option<MoneyView>,
}

/// `{cart, totals}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CartAnswer {
    /// The cart.
    pub cart: CartView,
    pub totals: CartTotalsView,
}

impl CartAnswer {
    /// The cart with the products as in `offers`; lines of other products are left out.
    #[must_use]
    pub fn new(cart: &Cart, offers: &[Offer]) -> Self {
        let by_id: HashMap<ProductId, &Offer> = offers.iter().map(|offer| (offer.product.id, offer)).collect();
        let shown = || cart.lines.iter().filter_map(|line| Some((line, *by_id.get(&line.product)?)));
        let items: Vec<CartItemView> = shown()
            .map(|(line, offer)| CartItemView {
                product_id: line.product,
                quantity: line.quantity,
                title: offer.product.title.clone(),
                price: offer.product.price.into(),
                image: offer.product.images.first().map(|image| image.thumbnail.clone()),
                for_sale: offer.for_sale,
            })
            .collect();
        let sums: Result<Vec<Money>, _> =
            shown().map(|(line, offer)| offer.product.price.times(line.quantity)).collect();
        let subtotal = sums.and_then(Money::sum).map(|sum| sum.unwrap_or(Money::zero(Currency::Inr))).ok();
        let totals = CartTotalsView {
            item_count: items.len(),
            total_quantity: items.iter().map(|item| u64::from(item.quantity)).sum(),
            subtotal: subtotal.map(MoneyView::from),
        };
        Self { cart: CartView { id: cart.id, user: cart.user, items, updated_at: cart.updated_at }, totals }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::ids::ImageId;
    use crate::domain::product::{Image, Product, ProductStatus};

    fn offer(minor: i64, currency: Currency, picture: bool) -> Offer {
        let now = Timestamp::UNIX_EPOCH;
        let image = Image { id: ImageId::generate(), url: "/u".into(), thumbnail: "/t".into() };
        let product = Product {
            id: ProductId::generate(),
            title: "A".into(),
            description: String::new(),
            price: Money::new(minor, currency),
            category: String::new(),
            seller: UserId::generate(),
            images: if picture { vec![image] } else { vec![] },
            max_per_order: None,
            status: ProductStatus::Live,
            status_reason: None,
            created_at: now,
            updated_at: now,
            version: 1,
        };
        Offer { product: Arc::new(product), available: 5, for_sale: true }
    }

    #[test]
    fn totals_include_only_offered_products() {
        let now = Timestamp::UNIX_EPOCH;
        let mut cart = Cart::empty(CartId::generate(), UserId::generate(), now);
        let (inr, other, usd) =
            (offer(150, Currency::Inr, true), offer(1, Currency::Inr, false), offer(1, Currency::Usd, false));
        assert_eq!(
            serde_json::to_value(CartAnswer::new(&cart, &[]).totals).unwrap(),
            serde_json::json!({"itemCount": 0, "totalQuantity": 0, "subtotal": {"amount": 0, "currency": "INR"}})
        );
        cart.add(inr.product.id, 3, 5, now).unwrap();
        cart.add(other.product.id, 1, 5, now).unwrap();
        let answer = CartAnswer::new(&cart, std::slice::from_ref(&inr));
        assert_eq!(answer.cart.items.len(), 1);
        assert_eq!(answer.cart.items[0].image.as_deref(), Some("/t"));
        assert_eq!(answer.totals.subtotal.map(Money::from), Some(Money::new(450, Currency::Inr)));
        cart.add(usd.product.id, 1, 5, now).unwrap();
        let answer = serde_json::to_value(CartAnswer::new(&cart, &[inr, other, usd])).unwrap();
        assert_eq!(answer["totals"], serde_json::json!({"itemCount": 3, "totalQuantity": 5, "subtotal": null}));
        assert_eq!(answer["cart"]["items"][1]["image"], serde_json::Value::Null);
    }
}
