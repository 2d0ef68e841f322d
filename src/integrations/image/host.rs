//! The port for an external service that stores pictures and serves them publicly.
//!
//! **Invariant:** every call is idempotent: a picture that is uploaded twice exists once, and a missing one counts as
//! deleted.

use std::time::Duration;

use async_trait::async_trait;

use super::StoredImage;
use crate::{
    domain::{ids::ImageId, product::Image},
    store::images::HostedFile,
};

/// Why a call to the host failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// The host did not answer, or not sensibly; the call may have taken effect.
    #[error("{0}")]
    Away(String),
    /// The host limits calls; retry after this duration.
    #[error("it takes no more calls for {} s", .0.as_secs_f32())]
    Limited(Duration),
    /// The host refuses the key, or the key lacks a permission.
    #[error("it refuses the key in imagekit.private_key with status {0}")]
    Key(u16),
    /// The host refuses this picture.
    #[error("{0}")]
    Refused(String),
    /// The host was not called, because it is known to be unavailable.
    #[error("it is known to be unavailable")]
    KnownAway,
}

/// Whether the host can be used now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Availability {
    /// It can be used.
    Available,
    /// Only a check whether it is reachable and accepts the key makes sense.
    Unchecked,
    Unavailable,
}

/// A host that stores pictures.
#[async_trait]
pub trait ImageHost: Send + Sync {
    /// Uploads a picture, replacing an earlier upload of it.
    async fn upload(&self, id: ImageId, picture: StoredImage) -> Result<HostedFile, HostError>;

    /// Deletes a picture: the known `file`, or all files found for it.
    ///
    /// # Errors
    /// As [`ImageHost::upload`].
    async fn delete(&self, id: ImageId, file: Option<&HostedFile>) -> Result<(), HostError>;

    /// Checks whether the host is reachable and accepts the key.
    ///
    /// # Errors
    /// As [`ImageHost::upload`].
    async fn look(&self) -> Result<(), HostError>;

    /// The URLs of a picture and its thumbnail at the host.
    fn image(&self, id: ImageId, file: &HostedFile) -> Image;

    /// Whether the host can be used now.
    fn availability(&self) -> Availability;

    /// The current problem, for operators; `None` if there is none.
    fn problem(&self) -> Option<String>;
}
