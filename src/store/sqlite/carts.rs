//! Carts, one row for each user.

use async_trait::async_trait;

use super::{StoreError, codec, engine::Engine};
use crate::{
    domain::{cart::Cart, ids::UserId},
    store::CartStore,
};

#[async_trait]
impl CartStore for Engine {
    async fn save(&self, cart: &Cart) -> Result<u64, StoreError> {
        let (user, id, version, doc) = (cart.user, cart.id, cart.version, codec::json(cart)?);
        self.write(move |writing| {
            let row = (user.as_slice(), id.as_slice(), version, doc.as_slice());
            let written = if version == 0 {
                codec::execute(
                    writing,
                    "INSERT INTO carts (user, id, version, doc) VALUES (?1, ?2, ?3 + 1, ?4)
                     ON CONFLICT (user) DO NOTHING",
                    row,
                )?
            } else {
                codec::execute(
                    writing,
                    "UPDATE carts SET version = version + 1, doc = ?4 WHERE user = ?1 AND id = ?2 AND version = ?3",
                    row,
                )?
            };
            if written == 0 { Err(StoreError::Conflict) } else { Ok(version + 1) }
        })
        .await
    }

    async fn of_user(&self, user: UserId) -> Result<Option<Cart>, StoreError> {
        self.read(move |connection| {
            codec::first(connection, "SELECT version, doc FROM carts WHERE user = ?1", [user.as_slice()], cart)
        })
        .await
    }
}

pub(super) fn cart(row: &rusqlite::Row<'_>) -> Result<Cart, StoreError> {
    Ok(Cart { version: row.get(0)?, ..codec::document(row, 1)? })
}
