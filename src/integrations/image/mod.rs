//! Pictures of products: made safe here, then kept by a [`ImageStore`]. A [`ImageHost`] such as
//! ImageKit takes them from there.
//!
//! **Invariant:** what is kept and served was encoded by this program from pixels; no byte
//! of an uploaded file is ever served.

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
    host::{HostError, ImageHost, Worth},
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

/// The largest file that is taken.
pub const MAX_IMAGE_BYTES: usize = 5 * 1024 * 1024;

/// Why a picture is not taken or not to be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum ImageError {
    /// It is no JPEG, PNG, WebP or GIF by its content, or not a whole one.
    #[error("the file is not a JPEG, PNG, WebP or GIF picture, or it is damaged or cut off")]
    Unsupported,
    /// It has more pixels than are worth decoding.
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

/// Which of a picture's two sizes.
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

/// The name of a file, also the end of where it is served.
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
    /// Keeps a picture that is for the product `of`, and says where it is served.
    ///
    /// # Errors
    /// [`ImageError::Unavailable`] or `Busy`; repeating is harmless.
    async fn put(&self, of: ProductId, id: ImageId, picture: PreparedImage) -> Result<Image, ImageError>;

    /// These are about to be taken out of their product: if that is done and nobody says so any
    /// more, they are deleted all the same, some time after `by`.
    ///
    /// # Errors
    /// As [`ImageStore::put`]; then they are not to be taken out.
    async fn announce_delete(&self, ids: &[ImageId], by: Timestamp) -> Result<(), ImageError> {
        let _nothing_to_remember = (ids, by);
        Ok(())
    }

    /// Deletes a picture; one that is not there is deleted.
    ///
    /// # Errors
    /// As [`ImageStore::put`].
    async fn delete(&self, id: ImageId) -> Result<(), ImageError>;

    /// A picture in one of its sizes; `None` when it is not kept here.
    ///
    /// # Errors
    /// As [`ImageStore::put`].
    async fn read(&self, id: ImageId, variant: ImageSize) -> Result<Option<StoredImage>, ImageError>;

    /// Where a picture that is not kept here is served instead, if it is anywhere.
    ///
    /// # Errors
    /// As [`ImageStore::put`].
    async fn elsewhere(&self, id: ImageId, variant: ImageSize) -> Result<Option<String>, ImageError> {
        let _all_is_here = (id, variant);
        Ok(None)
    }
}
