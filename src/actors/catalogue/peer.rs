//! The product service as other services see it.

use async_trait::async_trait;

use super::{Catalogue, CatalogueFailure};
use crate::{
    actors::runtime::AskError,
    domain::ids::ProductId,
    peers::{self, Offer, PeerError},
};

#[async_trait]
impl peers::Catalogue for Catalogue {
    async fn offers(&self, products: &[ProductId]) -> Result<Vec<Offer>, PeerError> {
        let found = self.shelf.load_many(products).await.map_err(|error| match error {
            CatalogueFailure::Peer(error) => error,
            CatalogueFailure::Store(error) => PeerError::of("product", &AskError::Refused(error)),
            _ => PeerError::Unavailable("product"),
        })?;
        let offer = |snapshot: &std::sync::Arc<super::snapshots::Snapshot>| Offer {
            product: std::sync::Arc::clone(&snapshot.product),
            available: snapshot.stock(),
        };
        Ok(found.iter().map(offer).collect())
    }
}
