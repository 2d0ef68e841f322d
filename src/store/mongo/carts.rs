//! Carts, one document for each user.

use async_trait::async_trait;
use bson::{Document, doc};

use super::{
    codec::{self, Failed},
    engine::Engine,
};
use crate::{
    domain::{cart::Cart, ids::UserId},
    store::{CartStore, StoreError},
};

#[async_trait]
impl CartStore for Engine {
    async fn save(&self, cart: &Cart) -> Result<u64, StoreError> {
        let (carts, version) = (self.collections.carts.clone(), cart.version);
        let (id, user) = (codec::oid(cart.id.bytes()), codec::oid(cart.user.bytes()));
        let (doc, made) = (codec::document(cart)?, document(cart, 1)?);
        self.run(async move {
            if version == 0 {
                carts.insert_one(made).await.map_err(|error| Failed::write(&error))?;
                return Ok(1);
            }
            let next = version + 1;
            let filter = doc! { "_id": id, "user": user, "version": codec::long(version)? };
            let update = doc! { "$set": { "version": codec::long(next)?, "doc": doc } };
            let written = carts.update_one(filter, update).await.map_err(|error| Failed::write(&error))?;
            if written.matched_count == 0 { Err(StoreError::Conflict) } else { Ok(next) }
        })
        .await
    }

    async fn of_user(&self, user: UserId) -> Result<Option<Cart>, StoreError> {
        let carts = self.collections.carts.clone();
        self.run(async move {
            codec::first(&carts, doc! { "user": codec::oid(user.bytes()) }, |row| {
                Ok(Cart { version: codec::count(row, "version")?, ..codec::read(row)? })
            })
            .await
        })
        .await
    }
}

/// A cart as it stands with this version.
pub(super) fn document(cart: &Cart, version: u64) -> Result<Document, StoreError> {
    Ok(doc! {
        "_id": codec::oid(cart.id.bytes()),
        "user": codec::oid(cart.user.bytes()),
        "version": codec::long(version)?,
        "doc": codec::document(cart)?,
    })
}
