//! Products: what a seller offers. Stock is not here but in [`super::inventory`].

use serde::{Deserialize, Serialize};

use super::{
    Timestamp,
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
    /// Its id.
    pub id: ImageId,
    /// Where the picture is served.
    pub url: String,
    /// Where a small one is served.
    pub thumbnail: String,
}

/// A product, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Product {
    /// Id.
    pub id: ProductId,
    /// 1 to [`TITLE_MAX`] characters.
    pub title: String,
    /// Up to [`DESCRIPTION_MAX`] characters.
    pub description: String,
    /// Above zero.
    pub price: Money,
    /// Empty when the seller gave none.
    pub category: String,
    /// Who sells it.
    pub seller: UserId,
    /// Up to [`IMAGES_MAX`].
    pub images: Vec<Image>,
    /// When made.
    pub created_at: Timestamp,
    /// When last changed.
    pub updated_at: Timestamp,
    /// Counts writes.
    pub version: u64,
}

/// What a seller asked of a product and cannot have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProductError {
    /// [`IMAGES_MAX`] are there already.
    #[error("a product has at most 5 pictures")]
    TooManyImages,
    /// No such picture.
    #[error("there is no such picture")]
    NoSuchImage,
}

/// A change to a product; `None` leaves a field as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProductPatch {
    /// New title.
    pub title: Option<String>,
    /// New description.
    pub description: Option<String>,
    /// New price.
    pub price: Option<Money>,
    /// New category.
    pub category: Option<String>,
}

impl ProductPatch {
    /// Whether it changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Product {
    /// Takes the fields that `patch` has.
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
