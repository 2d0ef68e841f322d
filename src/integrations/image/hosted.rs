//! Pictures that are stored locally until they are uploaded to their host.
//!
//! A picture is recorded and then stored locally, so that it is shown at once, whether the host is available or not.
//! `actors::catalogue::hosting` processes the records.
//!
//! **Invariant:** every locally stored picture was recorded first, so that none is forgotten.

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

/// Stores pictures locally and records them for upload to the host.
#[derive(Clone)]
pub struct HostedImages {
    /// The local store.
    pub here: Arc<dyn ImageStore>,
    /// The host.
    pub host: Arc<dyn ImageHost>,
    /// The records of pictures.
    pub log: ImageLog,
    /// Notifies the worker.
    pub changed: Arc<Notify>,
}

impl HostedImages {
    /// Stores pictures in `here` and has them hosted by `host`.
    #[must_use]
    pub fn new(here: Arc<dyn ImageStore>, host: Arc<dyn ImageHost>, log: ImageLog) -> Self {
        Self { here, host, log, changed: Arc::default() }
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
        self.changed.notify_one();
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
