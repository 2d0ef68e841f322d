//! Pictures of products: made safe here, then kept by a [`PictureStore`]. A [`PictureHost`] such as
//! ImageKit takes them from there.
//!
//! **Invariant:** what is kept and served was encoded by this program from pixels; no byte
//! of an uploaded file is ever served.

mod client;
mod host;
mod hosted;
mod local;
mod prepare;
mod shared;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use self::{
    client::{ImageKit, ImageKitSettings, UPLOAD_BASE},
    host::{HostError, PictureHost, Worth},
    hosted::HostedPictures,
    local::LocalPictures,
    prepare::{PictureFormat, Preparer, ReadyPicture, prepare},
    shared::SharedPictures,
};
use crate::domain::{
    Timestamp,
    ids::{ImageId, ProductId},
    product::Image,
};

/// The largest file that is taken.
pub const MAX_PICTURE_BYTES: usize = 5 * 1024 * 1024;

/// Why a picture is not taken or not to be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum PictureError {
    /// It is no JPEG, PNG, WebP or GIF by its content, or not a whole one.
    #[error("the file is not a JPEG, PNG, WebP or GIF picture, or it is damaged or cut off")]
    Unsupported,
    /// It has more pixels than are worth decoding.
    #[error("a picture has at most 12000 pixels a side and 25 million in all")]
    TooManyPixels,
    /// The file is larger than [`MAX_PICTURE_BYTES`].
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
pub enum Variant {
    /// At most 2000 pixels a side.
    Full,
    /// At most 400 pixels a side.
    Thumbnail,
}

/// A picture as it is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPicture {
    /// The file.
    pub bytes: Bytes,
    /// Its media type.
    pub content_type: &'static str,
    /// Changes with the content, quoted.
    pub etag: String,
}

/// The name of a file, also the end of where it is served.
fn file_name(id: ImageId, variant: Variant, format: PictureFormat) -> String {
    let thumb = match variant {
        Variant::Full => "",
        Variant::Thumbnail => ".thumb",
    };
    format!("{id}{thumb}.{}", format.extension())
}

const FORMATS: [PictureFormat; 2] = [PictureFormat::Jpeg, PictureFormat::Png];
const VARIANTS: [Variant; 2] = [Variant::Full, Variant::Thumbnail];

/// Keeps pictures.
#[async_trait]
pub trait PictureStore: Send + Sync {
    /// Keeps a picture that is for the product `of`, and says where it is served.
    ///
    /// # Errors
    /// [`PictureError::Unavailable`] or `Busy`; repeating is harmless.
    async fn put(&self, of: ProductId, id: ImageId, picture: ReadyPicture) -> Result<Image, PictureError>;

    /// These are about to be taken out of their product: if that is done and nobody says so any
    /// more, they are deleted all the same, some time after `by`.
    ///
    /// # Errors
    /// As [`PictureStore::put`]; then they are not to be taken out.
    async fn announce_delete(&self, ids: &[ImageId], by: Timestamp) -> Result<(), PictureError> {
        let _nothing_to_remember = (ids, by);
        Ok(())
    }

    /// Deletes a picture; one that is not there is deleted.
    ///
    /// # Errors
    /// As [`PictureStore::put`].
    async fn delete(&self, id: ImageId) -> Result<(), PictureError>;

    /// A picture in one of its sizes; `None` when it is not kept here.
    ///
    /// # Errors
    /// As [`PictureStore::put`].
    async fn read(&self, id: ImageId, variant: Variant) -> Result<Option<StoredPicture>, PictureError>;

    /// Where a picture that is not kept here is served instead, if it is anywhere.
    ///
    /// # Errors
    /// As [`PictureStore::put`].
    async fn elsewhere(&self, id: ImageId, variant: Variant) -> Result<Option<String>, PictureError> {
        let _all_is_here = (id, variant);
        Ok(None)
    }
}
