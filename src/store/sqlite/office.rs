//! What those who run the marketplace look through.

use async_trait::async_trait;

use super::{StoreError, codec, engine::Engine, orders};
use crate::{
    domain::{
        ids::OrderId,
        order::{Order, OrderStatus},
    },
    store::OfficeStore,
};

/// Sorts behind every id.
const BEHIND_ALL: &[u8] = &[0xff; 13];

#[async_trait]
impl OfficeStore for Engine {
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
}
