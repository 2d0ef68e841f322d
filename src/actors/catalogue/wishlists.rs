//! Wishlists: the products that users saved, shown as they are offered now.
//!
//! **Invariant:** an answered change is in the next read, also when many come at once.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::actor::ProductService;
use crate::{
    config::Service,
    domain::{
        ids::{ProductId, UserId},
        product::Offer,
    },
    runtime::calls::{Call, Handles, Never, Outcome, Refusal, Registry, WITHIN_NESTED, Workers},
    runtime::{Limits, Runtime},
    store::{Stores, wishlists::WishlistStore},
};

/// Why a wishlist did not change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
pub enum WishlistRefusal {
    /// None of the products is for sale.
    #[error("there is no such product")]
    NoSuchProduct,
    #[error("your wishlist is full; remove something first")]
    Full,
}

impl Refusal for WishlistRefusal {}

/// Returns the offers of a user's wishlist that are for sale, newest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetWishlist {
    pub user: UserId,
}

impl Call for GetWishlist {
    type Reply = Vec<Offer>;
    type Error = Never;
    const SERVICE: Service = Service::Product;
    const WITHIN: Duration = WITHIN_NESTED;
}

/// Saves those of the products that are for sale, or removes all of them. Products that do not fit are all refused.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SetSaved {
    pub user: UserId,
    /// Newest first.
    pub products: Vec<ProductId>,
    pub saved: bool,
}

impl Call for SetSaved {
    type Reply = ();
    type Error = WishlistRefusal;
    const SERVICE: Service = Service::Product;
    const WITHIN: Duration = WITHIN_NESTED;
}

/// Handles the calls.
struct Wishlists {
    store: WishlistStore,
    service: Arc<ProductService>,
}

/// Starts the actor that writes, and registers the calls.
pub(super) fn start(runtime: &Runtime, registry: &mut Registry, stores: &Stores, service: Arc<ProductService>) {
    let store = WishlistStore::new(Arc::clone(&stores.backend));
    let wishlists = Arc::new(Wishlists { store, service });
    registry.serve::<GetWishlist>(&wishlists);
    Workers::start(runtime, "wishlists", 1, Limits::default(), wishlists).on::<SetSaved>(registry);
}

impl Handles<GetWishlist> for Wishlists {
    async fn handle(&self, GetWishlist { user }: GetWishlist) -> Outcome<GetWishlist> {
        let saved = self.store.of_user(user).await?;
        let found = self.service.load_many(&saved).await?;
        if found.len() < saved.len() {
            let is_gone = |id: &ProductId| !found.iter().any(|snapshot| snapshot.product.id == *id);
            let gone: Vec<ProductId> = saved.into_iter().filter(is_gone).collect();
            if let Err(error) = self.store.set(user, &gone, false).await {
                tracing::warn!(%error, "deleted products stay in a wishlist");
            }
        }
        let offers = found.iter().map(|snapshot| self.service.offer(snapshot));
        Ok(offers.filter(|offer| offer.for_sale).collect())
    }
}

impl Handles<SetSaved> for Wishlists {
    async fn handle(&self, SetSaved { user, mut products, saved }: SetSaved) -> Outcome<SetSaved> {
        if saved {
            let found = self.service.load_many(&products).await?;
            let for_sale = found.iter().filter(|snapshot| self.service.is_for_sale(&snapshot.product));
            products = for_sale.map(|snapshot| snapshot.product.id).collect();
            if products.is_empty() {
                return Err(WishlistRefusal::NoSuchProduct.into());
            }
        }
        if self.store.set(user, &products, saved).await? { Ok(()) } else { Err(WishlistRefusal::Full.into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        http::internal::tests::round_trip::{assert_round_trip, offer},
        runtime::calls::CallError,
    };

    #[actix_rt::test]
    async fn calls_of_wishlists_are_the_same_on_either_side() {
        let (user, products) = (UserId::from_bytes([2; 12]), vec![ProductId::from_bytes([1; 12])]);
        assert_round_trip(GetWishlist { user }, Ok(vec![offer(), offer()])).await;
        let set = SetSaved { user, products, saved: true };
        for outcome in [Ok(()), Err(WishlistRefusal::NoSuchProduct), Err(WishlistRefusal::Full)] {
            assert_round_trip(set.clone(), outcome.map_err(CallError::Refused)).await;
        }
    }
}
