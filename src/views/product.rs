//! A product as clients see it, with its current stock.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::money::MoneyView;
use crate::domain::{
    Timestamp,
    ids::{ImageId, ProductId, UserId},
    product::{Image, Offer, Product, ProductStatus},
};

/// A picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImageView {
    /// Id.
    #[schema(value_type = String, example = "665f1f77bcf86cd799439013")]
    pub id: ImageId,
    /// The picture.
    #[schema(example = "/media/665f1f77bcf86cd799439013.webp")]
    pub url: String,
    /// The thumbnail.
    #[serde(default)]
    #[schema(required = true, example = "/media/665f1f77bcf86cd799439013.thumb.webp")]
    pub thumbnail: String,
}

impl From<&Image> for ImageView {
    fn from(image: &Image) -> Self {
        Self { id: image.id, url: image.url.clone(), thumbnail: image.thumbnail.clone() }
    }
}

/// A product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProductView {
    /// Id.
    #[serde(rename = "_id")]
    #[schema(value_type = String, example = "665f1f77bcf86cd799439012")]
    pub id: ProductId,
    /// Title.
    #[schema(example = "Steel bottle")]
    pub title: String,
    /// Description.
    #[serde(default)]
    #[schema(example = "Keeps a litre cold", required = true)]
    pub description: String,
    /// The price of one unit.
    pub price: MoneyView,
    /// The stock that can be bought now; absent where it is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 12)]
    pub stock: Option<i64>,
    /// Category, empty when there is none.
    #[serde(default)]
    #[schema(example = "Kitchen", required = true)]
    pub category: String,
    /// The seller.
    #[schema(value_type = String, example = "665f1f77bcf86cd799439014")]
    pub seller: UserId,
    /// Pictures.
    #[serde(default)]
    #[schema(required = true)]
    pub images: Vec<ImageView>,
    /// The most units of one order; absent without a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 5)]
    pub max_per_order: Option<u32>,
    /// `live`, or `takenDown` by an admin.
    #[serde(default)]
    #[schema(value_type = String, example = "live", required = true)]
    pub status: ProductStatus,
    /// When it was created.
    #[schema(value_type = String, format = DateTime, example = "2026-01-02T03:04:05Z")]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime, example = "2026-01-02T03:04:05Z")]
    pub updated_at: Timestamp,
    /// The document's version; absent from the catalogue's lists.
    #[serde(rename = "__v", default)]
    #[schema(example = 1)]
    pub version: u64,
}

impl ProductView {
    /// The product with its available stock.
    #[must_use]
    pub fn new(product: &Product, stock: Option<i64>) -> Self {
        Self {
            id: product.id,
            title: product.title.clone(),
            description: product.description.clone(),
            price: product.price.into(),
            stock,
            category: product.category.clone(),
            seller: product.seller,
            images: product.images.iter().map(ImageView::from).collect(),
            max_per_order: product.max_per_order,
            status: product.status,
            created_at: product.created_at,
            updated_at: product.updated_at,
            version: product.version,
        }
    }
}

impl From<&Offer> for ProductView {
    fn from(offer: &Offer) -> Self {
        Self::new(&offer.product, Some(offer.available))
    }
}

/// `{message, product}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProductCreatedView {
    /// What was done.
    #[schema(example = "Product created")]
    pub message: String,
    /// The product.
    pub product: ProductView,
}
