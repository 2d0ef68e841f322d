//! Wishlists, one for each user: the products that they saved for later.
//!
//! **Invariant:** a product is in a wishlist once, and each change has its event.

use std::{collections::HashSet, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    StoreError,
    document::{Backend, Collection, Document, Index, NoUniqueKey, stored_as},
};
use crate::{
    config::Service,
    domain::{
        Timestamp,
        event::Event,
        ids::{ProductId, UserId},
    },
    runtime::envelope,
};

/// The most products of a wishlist.
pub const PRODUCTS_MAX: usize = 500;

/// The products that a user saved, newest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Wishlist {
    user: UserId,
    products: Vec<ProductId>,
    #[serde(skip)]
    version: u64,
}

impl Document for Wishlist {
    type Unique = NoUniqueKey;

    const COLLECTION: &'static str = "wishlists";
    const SERVICE: Service = Service::Product;
    const INDEXES: &'static [Index<Self>] = &[];
    const PUBLISHES: bool = true;

    stored_as!(self, UserId = self.user, self.version);
}

#[derive(Clone)]
pub struct WishlistStore(Collection<Wishlist>);

impl WishlistStore {
    /// The wishlists in a database.
    pub fn new(backend: Arc<dyn Backend>) -> Self {
        Self(Collection::new(backend))
    }

    /// The products that a user saved, newest first.
    pub async fn of_user(&self, user: UserId) -> Result<Vec<ProductId>, StoreError> {
        Ok(self.0.get(user).await?.map_or_else(Vec::new, |list| list.products))
    }

    /// Deletes the wishlist of a user, for good.
    pub async fn delete_of(&self, user: UserId) -> Result<(), StoreError> {
        let Some(list) = self.0.get(user).await? else { return Ok(()) };
        let event = Event::WishlistChanged { user, products: list.products.clone(), saved: false };
        self.0.delete_read(&list, &[envelope(event, Timestamp::now())]).await
    }

    /// Adds products before the others, or removes them; those that are in it already, or are not in it, are left
    /// alone. Returns `false`, and changes nothing, if there would be too many.
    pub async fn set(&self, user: UserId, products: &[ProductId], saved: bool) -> Result<bool, StoreError> {
        let mut fits = true;
        let set = |list: &mut Wishlist| {
            let mut known: HashSet<ProductId> = list.products.iter().copied().collect();
            let is_changed =
                |product: &&ProductId| if saved { known.insert(**product) } else { known.remove(*product) };
            let changed: Vec<ProductId> = products.iter().filter(is_changed).copied().collect();
            list.products.retain(|product| !changed.contains(product));
            if saved {
                list.products.splice(..0, changed.iter().copied());
            }
            fits = !saved || list.products.len() <= PRODUCTS_MAX;
            let event = Event::WishlistChanged { user, products: changed.clone(), saved };
            (fits && !changed.is_empty()).then(|| vec![envelope(event, Timestamp::now())])
        };
        self.0.upsert(Wishlist { user, products: vec![], version: 0 }, set).await?;
        Ok(fits)
    }
}
