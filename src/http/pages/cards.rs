//! Products as cards in a grid.

use super::format;
use crate::{domain::product::Offer, http::features::Button};

#[derive(Debug, Clone)]
pub struct Card {
    /// The URL of the product's page.
    pub url: String,
    pub title: String,
    /// A small picture, or empty.
    pub picture: String,
    /// A letter that replaces a missing picture.
    pub letter: String,
    /// The price of one unit.
    pub price: String,
    /// The stock in words.
    pub stock: &'static str,
    /// `in`, `low` or `out`.
    pub stock_class: &'static str,
    /// The buttons of features.
    pub buttons: Vec<Button>,
}

/// The stock in words, and its CSS class.
#[must_use]
pub const fn stock(available: i64) -> (&'static str, &'static str) {
    match available {
        ..=0 => ("Sold out", "out"),
        1..=5 => ("Only a few left", "low"),
        _ => ("In stock", "in"),
    }
}

impl From<&Offer> for Card {
    fn from(offer: &Offer) -> Self {
        let (product, (stock, stock_class)) = (&offer.product, stock(offer.available));
        Self {
            url: format!("/products/{}", product.id),
            title: product.title.clone(),
            picture: product.images.first().map_or_else(String::new, |image| image.thumbnail.clone()),
            letter: product.title.chars().next().map_or_else(String::new, |first| first.to_uppercase().to_string()),
            price: format::money(product.price),
            stock,
            stock_class,
            buttons: vec![],
        }
    }
}
