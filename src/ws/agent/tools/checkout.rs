//! The tool that summarizes a cart for the checkout. It changes nothing.

use serde_json::{Value as Json, json};

use super::{
    Work, answer,
    refusal::{Refused, ToolRefusal},
};
use crate::{
    actors::checkout_link,
    domain::{
        Timestamp,
        cart::Cart,
        order::{OrderError, OrderItem, Shipment},
        product::Offer,
    },
    views::cart::CartAnswer,
};

impl Work<'_, '_> {
    pub(super) async fn prepare_checkout(&mut self) -> Refused<Json> {
        let (cart, offers) = self.priced_cart().await?;
        let totals = self.shop.pricing.totals(&items(&cart, &offers)).map_err(|error| match error {
            OrderError::EmptyCart => ToolRefusal::new("tool.empty_cart", "The cart is empty."),
            other => ToolRefusal::new("tool.no_checkout", sentence(&other.to_string())),
        })?;
        let short = short(&cart, &offers);
        let now = Timestamp::now();
        let token = self.shop.links.make(self.context.shopper.id, &cart, &offers, now);
        let expires = now.saturating_add(checkout_link::LIFETIME).unwrap_or(Timestamp::MAX);
        Ok(json!({
            "cart": answer::cart(&CartAnswer::new(&cart, &offers)),
            "totals": {
                "subtotal": answer::money(totals.subtotal),
                "tax": answer::money(totals.tax),
                "shipping": answer::money(totals.shipping),
                "total": answer::money(totals.total),
            },
            "short": short,
            "link": checkout_link::path(&token),
            "expiresAt": expires,
            "note": "Nothing is ordered yet: the shopper confirms on the page that the link leads to.",
        }))
    }
}

/// The items that an order of the cart would have.
fn items(cart: &Cart, offers: &[Offer]) -> Vec<OrderItem> {
    let offered = |product| offers.iter().find(|offer| offer.product.id == product);
    let item = |line: &crate::domain::inventory::StockLine| {
        let product = &offered(line.product)?.product;
        Some(OrderItem {
            product: line.product,
            title: product.title.clone(),
            seller: product.seller,
            quantity: line.quantity,
            price: product.price,
            shipment: Shipment::Waiting,
            tracking_number: None,
        })
    };
    cart.lines.iter().filter_map(item).collect()
}

/// The products without enough stock for an order now.
fn short(cart: &Cart, offers: &[Offer]) -> Vec<Json> {
    let short = |offer: &&Offer| i64::from(cart.quantity_of(offer.product.id)) > offer.available;
    let line = |offer: &Offer| {
        json!({
            "productId": offer.product.id,
            "inCart": cart.quantity_of(offer.product.id),
            "stock": offer.available.max(0),
            "untrusted": { "title": answer::sanitize(&offer.product.title, 200) },
        })
    };
    offers.iter().filter(short).map(line).collect()
}

/// An error's text as a sentence.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", chars.as_str())
}
