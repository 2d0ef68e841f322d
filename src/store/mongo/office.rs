//! What those who run the marketplace look through.

use async_trait::async_trait;
use bson::{Document, doc};

use super::{
    accounts,
    codec::{self, Failed},
    engine::Engine,
    orders,
};
use crate::{
    domain::{
        ids::{OrderId, UserId},
        order::{Order, OrderStatus},
        user::{BEHIND_NO_ADDRESS, NO_ADDRESS, User},
    },
    store::{OfficeStore, StoreError},
};

fn below(id: Option<[u8; 12]>) -> Document {
    id.map_or_else(Document::new, |id| doc! { "_id": { "$lt": codec::oid(id) } })
}

#[async_trait]
impl OfficeStore for Engine {
    async fn users(&self, before: Option<UserId>, limit: u32) -> Result<Vec<User>, StoreError> {
        let users = self.collections.users.clone();
        self.run(async move {
            let find = users.find(below(before.map(UserId::bytes))).sort(doc! { "_id": -1 }).limit(limit.into());
            codec::all(find, accounts::user).await
        })
        .await
    }

    async fn without_address(&self, limit: u32) -> Result<Vec<User>, StoreError> {
        let users = self.collections.users.clone();
        self.run(async move {
            let find = users.find(doc! { "email": { "$gte": NO_ADDRESS, "$lt": BEHIND_NO_ADDRESS } });
            codec::all(find.sort(doc! { "email": 1 }).limit(limit.into()), accounts::user).await
        })
        .await
    }

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

    async fn revive_token(&self, jti: &str) -> Result<(), StoreError> {
        let (tokens, jti) = (self.collections.dead_tokens.clone(), jti.to_owned());
        self.run(async move {
            tokens.delete_one(doc! { "_id": jti }).await.map(|_| ()).map_err(|error| Failed::write(&error))
        })
        .await
    }
}
