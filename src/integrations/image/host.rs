//! A program elsewhere that keeps pictures and shows them to the world.
//!
//! **Invariant:** whatever is asked of it may be asked again: a picture that is uploaded twice is
//! there once, and one that is not there is deleted.

use std::time::Duration;

use async_trait::async_trait;

use super::StoredImage;
use crate::{
    domain::{ids::ImageId, product::Image},
    store::images::HostedFile,
};

/// Why the host did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// It did not answer, or not as one that works; it may have done it.
    #[error("{0}")]
    Away(String),
    /// It wants to be left alone for so long.
    #[error("it takes no more calls for {} s", .0.as_secs_f32())]
    Limited(Duration),
    /// It does not know the key, or does not let it do this.
    #[error("it refuses the key in imagekit.private_key with status {0}")]
    Key(u16),
    /// It does not take this picture.
    #[error("{0}")]
    Refused(String),
    /// It was not asked, for it is known to be away.
    #[error("it is known to be away")]
    KnownAway,
}

/// What is worth asking of the host now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worth {
    /// Anything.
    Work,
    /// Whether it is there, and the key is good.
    Look,
    /// Nothing.
    Nothing,
}

/// Keeps pictures elsewhere.
#[async_trait]
pub trait ImageHost: Send + Sync {
    /// Puts a picture there, in place of an earlier upload of it.
    ///
    /// # Errors
    /// [`HostError`], as for every call here.
    async fn upload(&self, id: ImageId, picture: StoredImage) -> Result<HostedFile, HostError>;

    /// Deletes a picture: the `file` that is known of, or whatever of it is found.
    ///
    /// # Errors
    /// As [`ImageHost::upload`].
    async fn delete(&self, id: ImageId, file: Option<&HostedFile>) -> Result<(), HostError>;

    /// Looks whether it is there, and the key is good.
    ///
    /// # Errors
    /// As [`ImageHost::upload`].
    async fn look(&self) -> Result<(), HostError>;

    /// Where it shows a picture and its thumbnail.
    fn image(&self, id: ImageId, file: &HostedFile) -> Image;

    /// What is worth asking now.
    fn worth(&self) -> Worth;

    /// What is wrong, for who looks after the shop; `None` while nothing is.
    fn trouble(&self) -> Option<String>;
}
