//! The JSON of a product in two pieces, before and after the stock.
//!
//! **Invariant:** head, a number and tail together are one JSON object.

use bytes::Bytes;
use serde::{Serialize, Serializer, ser::Error};

use crate::domain::{
    Timestamp,
    ids::{ProductId, UserId},
    money::Money,
    product::{Image, Product, ProductStatus},
};

#[derive(Serialize)]
struct Head<'a> {
    _id: ProductId,
    title: &'a str,
    description: &'a str,
    price: Price,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Tail<'a> {
    category: &'a str,
    seller: UserId,
    images: &'a [Image],
    #[serde(skip_serializing_if = "Option::is_none")]
    max_per_order: Option<u32>,
    status: ProductStatus,
    created_at: Timestamp,
    updated_at: Timestamp,
}

#[derive(Serialize)]
struct Price {
    #[serde(serialize_with = "major_units")]
    amount: Money,
    currency: &'static str,
}

/// An integer for a whole amount, otherwise the shortest exact decimal.
fn major_units<S: Serializer>(money: &Money, serializer: S) -> Result<S::Ok, S::Error> {
    let minor = money.minor();
    if minor % 100 == 0 {
        return serializer.serialize_i64(minor / 100);
    }
    let text = money.to_string();
    let digits = text.split(' ').next().unwrap_or_default();
    serializer.serialize_f64(digits.parse().map_err(S::Error::custom)?)
}

/// The JSON before and after the stock's digits.
pub(super) fn around_stock(product: &Product) -> (Bytes, Bytes) {
    let price = Price { amount: product.price, currency: product.price.currency().code() };
    let head = Head { _id: product.id, title: &product.title, description: &product.description, price };
    let tail = Tail {
        category: &product.category,
        seller: product.seller,
        images: &product.images,
        max_per_order: product.max_per_order,
        status: product.status,
        created_at: product.created_at,
        updated_at: product.updated_at,
    };
    let (mut head, mut tail) = (object(&head), object(&tail));
    head.pop();
    head.extend_from_slice(b",\"stock\":");
    tail[0] = b',';
    (head.into(), tail.into())
}

fn object(value: &impl Serialize) -> Vec<u8> {
    // Strings, ids and finite numbers always serialise; an empty object keeps the answer
    // well-formed if that ever changes.
    serde_json::to_vec(value).unwrap_or_else(|error| {
        tracing::error!(%error, "a product could not be written as JSON");
        b"{}".to_vec()
    })
}
