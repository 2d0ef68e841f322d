//! Products: what a seller offers. Stock is not here but in [`super::inventory`].

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    Timestamp,
    cart::Buyable,
    ids::{ImageId, ProductId, UserId},
    money::Money,
};

/// The longest title, in characters.
pub const TITLE_MAX: usize = 200;
/// The longest description, in characters.
pub const DESCRIPTION_MAX: usize = 10_000;
/// The longest category, in characters.
pub const CATEGORY_MAX: usize = 100;
/// How many pictures a product has at most.
pub const IMAGES_MAX: usize = 5;
/// The largest stock that can be set.
pub const STOCK_MAX: u32 = 1_000_000_000;

/// A picture of a product, stored elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    pub id: ImageId,
    /// The picture's URL.
    pub url: String,
    /// The thumbnail's URL.
    pub thumbnail: String,
}

/// Whether a product is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ProductStatus {
    /// It can be found and bought.
    #[default]
    Live,
    /// An admin has taken it off sale.
    TakenDown,
}

impl ProductStatus {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::TakenDown => "takenDown",
        }
    }

    /// Whether it is on sale.
    #[must_use]
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Live)
    }
}

/// A product, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Product {
    pub id: ProductId,
    /// 1 to [`TITLE_MAX`] characters.
    pub title: String,
    /// Up to [`DESCRIPTION_MAX`] characters.
    pub description: String,
    /// Above zero.
    pub price: Money,
    /// Empty if the seller set none.
    pub category: String,
    /// The seller.
    pub seller: UserId,
    /// Up to [`IMAGES_MAX`].
    pub images: Vec<Image>,
    /// The most units in one order, if the seller set a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_per_order: Option<u32>,
    /// Whether it is on sale.
    #[serde(default)]
    pub status: ProductStatus,
    /// Why it was taken down, if a reason was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<String>,
    /// When made.
    pub created_at: Timestamp,
    /// When last changed.
    pub updated_at: Timestamp,
    /// Counts writes.
    pub version: u64,
}

/// A product with its available units.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Offer {
    pub product: Arc<Product>,
    /// The units that can be bought now.
    pub available: i64,
    /// Whether it is on sale at all: neither taken down nor of a blocked seller.
    pub for_sale: bool,
}

impl Offer {
    /// How many units can be bought in one order.
    #[must_use]
    pub fn buyable(&self) -> Buyable {
        Buyable { available: self.available, max_per_order: self.product.max_per_order }
    }
}

/// Why a change of a product is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum ProductError {
    /// [`IMAGES_MAX`] are there already.
    #[error("a product has at most 5 pictures")]
    TooManyImages,
    /// No such picture.
    #[error("there is no such picture")]
    NoSuchImage,
}

/// A change to a product; `None` leaves a field as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProductPatch {
    /// New title.
    pub title: Option<String>,
    /// New description.
    pub description: Option<String>,
    /// New price.
    pub price: Option<Money>,
    /// New category.
    pub category: Option<String>,
    /// New limit for one order; `Some(None)` removes it.
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub max_per_order: Option<Option<u32>>,
}

/// A field that is present, even as `null`; an absent one is the default.
///
/// # Errors
/// When it is not a number.
pub fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<u32>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl ProductPatch {
    /// Whether it changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The part of it that would change `product`. Texts that differ only in outer white space or line endings are
    /// the same.
    #[must_use]
    pub fn without_what_is_so(self, product: &Product) -> Self {
        let text = |text: &str| text.replace("\r\n", "\n").trim().to_owned();
        let differs = |new: &String, old: &String| text(new) != text(old);
        Self {
            title: self.title.filter(|new| differs(new, &product.title)),
            description: self.description.filter(|new| differs(new, &product.description)),
            price: self.price.filter(|new| *new != product.price),
            category: self.category.filter(|new| differs(new, &product.category)),
            max_per_order: self.max_per_order.filter(|new| *new != product.max_per_order),
        }
    }
}

impl Product {
    /// Applies the fields that `patch` has.
    pub fn apply(&mut self, patch: ProductPatch, now: Timestamp) {
        if let Some(title) = patch.title {
            self.title = title;
        }
        if let Some(description) = patch.description {
            self.description = description;
        }
        if let Some(price) = patch.price {
            self.price = price;
        }
        if let Some(category) = patch.category {
            self.category = category;
        }
        if let Some(max_per_order) = patch.max_per_order {
            self.max_per_order = max_per_order;
        }
        self.updated_at = now;
    }

    /// Takes it off sale, or puts it back on sale.
    pub fn set_status(&mut self, status: ProductStatus, reason: Option<String>, now: Timestamp) {
        self.status = status;
        self.status_reason = reason;
        self.updated_at = now;
    }

    /// Adds pictures, all or none.
    ///
    /// # Errors
    /// [`ProductError::TooManyImages`].
    pub fn add_images(&mut self, images: Vec<Image>, now: Timestamp) -> Result<(), ProductError> {
        if self.images.len() + images.len() > IMAGES_MAX {
            return Err(ProductError::TooManyImages);
        }
        self.images.extend(images);
        self.updated_at = now;
        Ok(())
    }

    /// Removes a picture and returns it.
    ///
    /// # Errors
    /// [`ProductError::NoSuchImage`].
    pub fn remove_image(&mut self, id: ImageId, now: Timestamp) -> Result<Image, ProductError> {
        let at = self.images.iter().position(|image| image.id == id).ok_or(ProductError::NoSuchImage)?;
        self.updated_at = now;
        Ok(self.images.remove(at))
    }
}
