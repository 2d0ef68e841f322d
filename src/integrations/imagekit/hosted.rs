//! Pictures that are kept here until they are hosted elsewhere.
//!
//! A picture is recorded, then kept here, and so it is shown at once, whether the host is there
//! or not. Who works off the records (`actors::catalogue::hosting`) does the rest.
//!
//! **Invariant:** what is kept here was recorded first, so that none is left behind unknown.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Notify;

use super::{PictureError, PictureHost, PictureStore, ReadyPicture, StoredPicture, Variant};
use crate::{
    domain::{
        Timestamp,
        ids::{ImageId, ProductId},
        product::Image,
    },
    store::{PictureLog, StoreError},
};

/// Keeps pictures here first, and has them hosted.
#[derive(Clone)]
pub struct HostedPictures {
    /// Where they are until then.
    pub here: Arc<dyn PictureStore>,
    /// Where they shall be.
    pub host: Arc<dyn PictureHost>,
    /// What is to be done.
    pub log: PictureLog,
    /// Wakes who does it.
    pub wake: Arc<Notify>,
}

impl HostedPictures {
    /// Has what `here` keeps hosted by `host`.
    #[must_use]
    pub fn new(here: Arc<dyn PictureStore>, host: Arc<dyn PictureHost>, log: PictureLog) -> Self {
        Self { here, host, log, wake: Arc::default() }
    }
}

fn unavailable(error: StoreError) -> PictureError {
    PictureError::Unavailable(error.to_string())
}

#[async_trait]
impl PictureStore for HostedPictures {
    async fn put(&self, of: ProductId, id: ImageId, picture: ReadyPicture) -> Result<Image, PictureError> {
        self.log.open(id, of, Timestamp::now()).await.map_err(unavailable)?;
        self.here.put(of, id, picture).await
    }

    async fn announce_delete(&self, ids: &[ImageId], by: Timestamp) -> Result<(), PictureError> {
        self.log.announce(ids, by).await.map_err(unavailable)
    }

    async fn delete(&self, id: ImageId) -> Result<(), PictureError> {
        self.log.drop_pictures(&[id], Timestamp::now()).await.map_err(unavailable)?;
        self.wake.notify_one();
        self.here.delete(id).await
    }

    async fn read(&self, id: ImageId, variant: Variant) -> Result<Option<StoredPicture>, PictureError> {
        self.here.read(id, variant).await
    }

    async fn elsewhere(&self, id: ImageId, variant: Variant) -> Result<Option<String>, PictureError> {
        let record = self.log.picture(id).await.map_err(unavailable)?;
        let file = record.filter(|record| !record.dropped).and_then(|record| record.file);
        let image = file.map(|file| self.host.image(id, &file));
        Ok(image.map(|image| match variant {
            Variant::Full => image.url,
            Variant::Thumbnail => image.thumbnail,
        }))
    }
}
