//! Pictures in the store that nodes share, so that every node can serve each of them.
//!
//! **Invariant:** a name is built only from an [`ImageId`]'s digits.

use std::sync::Arc;

use async_trait::async_trait;

use super::{FORMATS, ImageError, ImageSize, ImageStore, PreparedImage, StoredImage, VARIANTS, file_name};
use crate::{
    domain::{
        ids::{ImageId, ProductId},
        product::Image,
    },
    store::{StoreError, cluster::ClusterStore},
};

/// Stores pictures in the shared store.
#[derive(Clone)]
pub struct DocumentImages {
    store: Arc<dyn ClusterStore>,
}

impl DocumentImages {
    /// Stores them in `store`.
    #[must_use]
    pub fn new(store: Arc<dyn ClusterStore>) -> Self {
        Self { store }
    }
}

fn unavailable(error: StoreError) -> ImageError {
    ImageError::Unavailable(error.to_string())
}

#[async_trait]
impl ImageStore for DocumentImages {
    async fn put(&self, _of: ProductId, id: ImageId, picture: PreparedImage) -> Result<Image, ImageError> {
        let name = |variant| file_name(id, variant, picture.format);
        // The picture is written last, so that its thumbnail exists once it does.
        let thumbnail = picture.thumbnail.to_vec();
        self.store.put_file(&name(ImageSize::Thumbnail), thumbnail).await.map_err(unavailable)?;
        self.store.put_file(&name(ImageSize::Full), picture.full.to_vec()).await.map_err(unavailable)?;
        let served = |variant| format!("/media/{}", name(variant));
        Ok(Image { id, url: served(ImageSize::Full), thumbnail: served(ImageSize::Thumbnail) })
    }

    async fn delete(&self, id: ImageId) -> Result<(), ImageError> {
        let names = FORMATS.iter().flat_map(|format| VARIANTS.map(|variant| file_name(id, variant, *format)));
        self.store.delete_files(&names.collect::<Vec<_>>()).await.map_err(unavailable)
    }

    async fn read(&self, id: ImageId, variant: ImageSize) -> Result<Option<StoredImage>, ImageError> {
        for format in FORMATS {
            let name = file_name(id, variant, format);
            if let Some(bytes) = self.store.file(&name).await.map_err(unavailable)? {
                // The content of an id never changes.
                let etag = format!("\"{name}-{}\"", bytes.len());
                return Ok(Some(StoredImage { bytes: bytes.into(), content_type: format.content_type(), etag }));
            }
        }
        Ok(None)
    }
}
