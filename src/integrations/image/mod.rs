//! Pictures of products: made safe here, then stored by an [`ImageStore`], and uploaded to an [`ImageHost`] such as
//! ImageKit, if there is one.
//!
//! **Invariant:** every stored and served file was encoded by this program from pixels; no byte of an uploaded file
//! is ever served.

mod host;
mod hosted;
mod imagekit;
mod local;
mod prepare;
mod stored;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use self::{
    host::{Availability, HostError, ImageHost},
    hosted::HostedImages,
    imagekit::{ImageKit, ImageKitSettings, UPLOAD_BASE},
    local::LocalImages,
    prepare::{PreparedImage, Preparer, StoredFormat, prepare},
    stored::DocumentImages,
};
use crate::domain::{
    Timestamp,
    ids::{ImageId, ProductId},
    product::Image,
};

/// The largest file that is accepted.
pub const MAX_IMAGE_BYTES: usize = 5 * 1024 * 1024;

/// Why a picture is refused or unavailable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum ImageError {
    /// By its content it is not a complete JPEG, PNG, WebP or GIF.
    #[error("the file is not a JPEG, PNG, WebP or GIF picture, or it is damaged or cut off")]
    Unsupported,
    /// It has too many pixels.
    #[error("a picture has at most 12000 pixels a side and 25 million in all")]
    TooManyPixels,
    /// The file is larger than [`MAX_IMAGE_BYTES`].
    #[error("a picture has at most 5 MiB")]
    TooLarge,
    /// Too many pictures wait to be prepared, or this one took too long.
    #[error("no picture can be taken at the moment")]
    Busy,
    /// The store failed.
    #[error("the picture store is not available: {0}")]
    Unavailable(String),
}

/// A size of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ImageSize {
    /// At most 2000 pixels a side.
    Full,
    /// At most 400 pixels a side.
    Thumbnail,
}

/// A picture as it is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredImage {
    /// The file.
    pub bytes: Bytes,
    /// Its media type.
    pub content_type: &'static str,
    /// Changes with the content, quoted.
    pub etag: String,
}

/// The name of a file, which is also the end of its URL.
fn file_name(id: ImageId, variant: ImageSize, format: StoredFormat) -> String {
    let thumb = match variant {
        ImageSize::Full => "",
        ImageSize::Thumbnail => ".thumb",
    };
    format!("{id}{thumb}.{}", format.extension())
}

const FORMATS: [StoredFormat; 2] = [StoredFormat::Jpeg, StoredFormat::Png];
const VARIANTS: [ImageSize; 2] = [ImageSize::Full, ImageSize::Thumbnail];

/// Keeps pictures.
#[async_trait]
pub trait ImageStore: Send + Sync {
    /// Stores a picture for the product `of`, and returns its URLs.
    ///
    /// # Errors
    /// [`ImageError::Unavailable`] or `Busy`; repeating is harmless.
    async fn put(&self, of: ProductId, id: ImageId, picture: PreparedImage) -> Result<Image, ImageError>;

    /// Announces that these are about to be removed from their product: if they are removed without a later call of
    /// `delete`, they are still deleted some time after `by`.
    ///
    /// # Errors
    /// As [`ImageStore::put`]; then they must not be removed.
    async fn announce_delete(&self, ids: &[ImageId], by: Timestamp) -> Result<(), ImageError> {
        let _nothing_to_remember = (ids, by);
        Ok(())
    }

    /// Deletes a picture; a missing one counts as deleted.
    ///
    /// # Errors
    /// As [`ImageStore::put`].
    async fn delete(&self, id: ImageId) -> Result<(), ImageError>;

    /// A picture in one of its sizes; `None` when it is not stored here.
    ///
    /// # Errors
    /// As [`ImageStore::put`].
    async fn read(&self, id: ImageId, variant: ImageSize) -> Result<Option<StoredImage>, ImageError>;

    /// The URL of a picture that is not stored here, if there is one.
    ///
    /// # Errors
    /// As [`ImageStore::put`].
    async fn elsewhere(&self, id: ImageId, variant: ImageSize) -> Result<Option<String>, ImageError> {
        let _all_is_here = (id, variant);
        Ok(None)
    }
}
