//! Carts, one for each user.

use std::sync::Arc;

use super::{
    StoreError,
    document::{Backend, Collection, Document, Index, SaveError, key, stored_as},
};
use crate::{
    config::Service,
    domain::{
        cart::Cart,
        ids::{CartId, UserId},
    },
};

/// The unique keys of a cart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CartKey {
    User,
}
const USER: Index<Cart> = Index::unique("user", CartKey::User, |cart| key(cart.user));

impl Document for Cart {
    type Unique = CartKey;

    const COLLECTION: &'static str = "carts";
    const SERVICE: Service = Service::Cart;
    const INDEXES: &'static [Index<Self>] = &[USER];

    stored_as!(self, CartId = self.id, self.version);
}

#[derive(Clone)]
pub struct CartStore(Collection<Cart>);

impl CartStore {
    /// The carts in a database.
    pub fn new(backend: Arc<dyn Backend>) -> Self {
        Self(Collection::new(backend))
    }

    /// Writes a cart; see the module `store` for versions. A second cart of one user is a `Conflict`.
    pub async fn save(&self, cart: &Cart) -> Result<u64, StoreError> {
        self.0.save(cart, &[]).await.map_err(|refused| match refused {
            SaveError::Duplicate(CartKey::User) => StoreError::Conflict,
            SaveError::Store(error) => error,
        })
    }

    /// Deletes the cart of a user.
    pub async fn delete_of(&self, user: UserId) -> Result<(), StoreError> {
        self.0.delete_found(USER.of(user)).await.map(|_| ())
    }

    /// The cart of a user.
    pub async fn of_user(&self, user: UserId) -> Result<Option<Cart>, StoreError> {
        self.0.first(USER.of(user)).await
    }
}
