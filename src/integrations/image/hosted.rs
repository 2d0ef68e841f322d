//! Pictures that are kept here until they are hosted elsewhere.
//!
//! A picture is recorded, then kept here, and so it is shown at once, whether the host is there
//! or not. Who works off the records (`actors::catalogue::hosting`) does the rest.
//!
//! **Invariant:** what is kept here was recorded first, so that none is left behind unknown.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Notify;

use super::{ImageError, ImageHost, ImageSize, ImageStore, PreparedImage, StoredImage};
use crate::{
    domain::{
        Timestamp,
        ids::{ImageId, ProductId},
        product::Image,
    },
    store::{ImageLog, StoreError},
};

/// Keeps pictures here first, and has them hosted.
#[derive(Clone)]
pub struct HostedImages {
    /// Where they are until then.
    pub here: Arc<dyn ImageStore>,
    /// Where they shall be.
    pub host: Arc<dyn ImageHost>,
    /// What is to be done.
    pub log: ImageLog,
    /// Wakes who does it.
    pub wake: Arc<Notify>,
}

impl HostedImages {
    /// Has what `here` keeps hosted by `host`.
    #[must_use]
    pub fn new(here: Arc<dyn ImageStore>, host: Arc<dyn ImageHost>, log: ImageLog) -> Self {
        Self { here, host, log, wake: Arc::default() }
    }
}

fn unavailable(error: StoreError) -> ImageError {
    ImageError::Unavailable(error.to_string())
}

#[async_trait]
impl ImageStore for HostedImages {
    async fn put(&self, of: ProductId, id: ImageId, picture: PreparedImage) -> Result<Image, ImageError> {
        self.log.open(id, of, Timestamp::now()).await.map_err(unavailable)?;
        self.here.put(of, id, picture).await
    }

    async fn announce_delete(&self, ids: &[ImageId], by: Timestamp) -> Result<(), ImageError> {
        self.log.announce(ids, by).await.map_err(unavailable)
    }

    async fn delete(&self, id: ImageId) -> Result<(), ImageError> {
        self.log.drop_pictures(&[id], Timestamp::now()).await.map_err(unavailable)?;
        self.wake.notify_one();
        self.here.delete(id).await
    }

    async fn read(&self, id: ImageId, variant: ImageSize) -> Result<Option<StoredImage>, ImageError> {
        self.here.read(id, variant).await
    }

    async fn elsewhere(&self, id: ImageId, variant: ImageSize) -> Result<Option<String>, ImageError> {
        let record = self.log.picture(id).await.map_err(unavailable)?;
        let file = record.filter(|record| !record.dropped).and_then(|record| record.file);
        let image = file.map(|file| self.host.image(id, &file));
        Ok(image.map(|image| match variant {
            ImageSize::Full => image.url,
            ImageSize::Thumbnail => image.thumbnail,
        }))
    }
}
