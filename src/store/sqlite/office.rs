//! What those who run the marketplace look through.

use async_trait::async_trait;

use super::{StoreError, accounts, codec, engine::Engine, orders};
use crate::{
    domain::{
        ids::{OrderId, UserId},
        order::{Order, OrderStatus},
        user::{BEHIND_NO_ADDRESS, NO_ADDRESS, User},
    },
    store::OfficeStore,
};

/// Sorts behind every id.
const BEHIND_ALL: &[u8] = &[0xff; 13];

#[async_trait]
impl OfficeStore for Engine {
    async fn users(&self, before: Option<UserId>, limit: u32) -> Result<Vec<User>, StoreError> {
        self.read(move |connection| {
            let before = before.as_ref().map_or(BEHIND_ALL, UserId::as_slice);
            let sql = "SELECT version, doc FROM users WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
            codec::all(connection, sql, (before, limit), accounts::user)
        })
        .await
    }

    async fn without_address(&self, limit: u32) -> Result<Vec<User>, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT version, doc FROM users WHERE email >= ?1 AND email < ?2 ORDER BY email LIMIT ?3";
            codec::all(connection, sql, (NO_ADDRESS, BEHIND_NO_ADDRESS, limit), accounts::user)
        })
        .await
    }

    async fn orders(
        &self,
        status: Option<OrderStatus>,
        before: Option<OrderId>,
        limit: u32,
    ) -> Result<Vec<Order>, StoreError> {
        self.read(move |connection| {
            let before = before.as_ref().map_or(BEHIND_ALL, OrderId::as_slice);
            let sql = "SELECT version, doc FROM orders WHERE id < ?1 AND (?2 IS NULL OR status = ?2)
                       ORDER BY id DESC LIMIT ?3";
            codec::all(connection, sql, (before, status.map(OrderStatus::as_str), limit), orders::order)
        })
        .await
    }

    async fn revive_token(&self, jti: &str) -> Result<(), StoreError> {
        let jti = jti.to_owned();
        self.write(move |writing| codec::execute(writing, "DELETE FROM dead_tokens WHERE jti = ?1", [jti]).map(|_| ()))
            .await
    }
}
