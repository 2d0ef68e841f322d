//! What those who run the marketplace look through.

use async_trait::async_trait;
use bson::{Document, doc};

use super::{codec, engine::Engine, orders};
use crate::{
    domain::{
        ids::OrderId,
        order::{Order, OrderStatus},
    },
    store::{OfficeStore, StoreError},
};

fn below(id: Option<[u8; 12]>) -> Document {
    id.map_or_else(Document::new, |id| doc! { "_id": { "$lt": codec::oid(id) } })
}

#[async_trait]
impl OfficeStore for Engine {
    async fn orders(
        &self,
        status: Option<OrderStatus>,
        before: Option<OrderId>,
        limit: u32,
    ) -> Result<Vec<Order>, StoreError> {
        let found = self.collections.orders.clone();
        self.run(async move {
            let mut filter = below(before.map(OrderId::bytes));
            if let Some(status) = status {
                filter.insert("status", status.as_str());
            }
            codec::all(found.find(filter).sort(doc! { "_id": -1 }).limit(limit.into()), orders::order).await
        })
        .await
    }
}
