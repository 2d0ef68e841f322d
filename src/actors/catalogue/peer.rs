//! The product service as other services see it.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Catalogue, CatalogueFailure, snapshots::Snapshot};
use crate::{
    actors::runtime::AskError,
    domain::ids::ProductId,
    peers::{self, ListQuery, Offer, Page, PeerError},
};

/// This service's name to the others.
const NAME: &str = "product";

fn peer_error(error: CatalogueFailure) -> PeerError {
    match error {
        CatalogueFailure::Peer(error) => error,
        CatalogueFailure::Store(error) => PeerError::of(NAME, &AskError::Refused(error)),
        _ => PeerError::Unavailable(NAME),
    }
}

impl Catalogue {
    /// A product as it is offered now.
    #[must_use]
    pub fn offer(&self, snapshot: &Snapshot) -> Offer {
        Offer {
            product: Arc::clone(&snapshot.product),
            available: snapshot.stock(),
            for_sale: self.is_for_sale(&snapshot.product),
        }
    }
}

#[async_trait]
impl peers::Catalogue for Catalogue {
    async fn offers(&self, products: &[ProductId]) -> Result<Vec<Offer>, PeerError> {
        let found = self.shelf.load_many(products).await.map_err(peer_error)?;
        Ok(found.iter().map(|snapshot| self.offer(snapshot)).collect())
    }

    async fn search(&self, query: &ListQuery) -> Result<Page<Offer>, PeerError> {
        let found = self.list(query.clone()).await.map_err(peer_error)?;
        Ok(Page { rows: found.products.iter().map(|snapshot| self.offer(snapshot)).collect(), total: found.total })
    }

    async fn categories(&self) -> Result<Vec<(String, u64)>, PeerError> {
        let found = Self::categories(self).map_err(|error| peer_error(error.into()))?;
        Ok(found.to_vec())
    }
}
