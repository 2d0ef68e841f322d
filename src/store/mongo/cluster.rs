//! What nodes exchange: changed stock, and files that any of them serves.

use async_trait::async_trait;
use bson::{Binary, Document, doc, spec::BinarySubtype};

use super::{
    codec::{self, Failed},
    engine::Engine,
    stock,
};
use crate::{
    domain::Timestamp,
    store::{
        StoreError,
        cluster::{ClusterStore, StockChange},
    },
};

#[async_trait]
impl ClusterStore for Engine {
    async fn stock_changed_since(&self, since: Timestamp, limit: u32) -> Result<Vec<StockChange>, StoreError> {
        let levels = self.collections.stock.clone();
        self.run(async move {
            let changed = levels.find(doc! { "changedAt": { "$gte": since.as_microsecond() } });
            let changed = changed.sort(doc! { "changedAt": 1 }).limit(limit.into());
            codec::all(changed.projection(stock::counts()), |row| {
                Ok(StockChange { level: stock::read(row)?, at: codec::time(codec::whole(row, "changedAt")?)? })
            })
            .await
        })
        .await
    }

    async fn put_file(&self, name: &str, bytes: Vec<u8>) -> Result<(), StoreError> {
        let (files, name) = (self.collections.files.clone(), name.to_owned());
        let file = file(bytes);
        self.run(async move {
            let put = files.update_one(doc! { "_id": name }, doc! { "$set": file }).upsert(true);
            put.await.map(|_| ()).map_err(|error| Failed::write(&error))
        })
        .await
    }

    async fn file(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let (files, name) = (self.collections.files.clone(), name.to_owned());
        self.run(async move {
            codec::first(&files, doc! { "_id": name }, |row| {
                row.get_binary_generic("bytes").cloned().map_err(codec::corrupt)
            })
            .await
        })
        .await
    }

    async fn delete_files(&self, names: &[String]) -> Result<(), StoreError> {
        let (files, names) = (self.collections.files.clone(), names.to_vec());
        self.run(async move {
            let deleted = files.delete_many(doc! { "_id": { "$in": names } }).await;
            deleted.map(|_| ()).map_err(|error| Failed::write(&error))
        })
        .await
    }
}

/// The fields of a file besides its name.
pub(super) fn file(bytes: Vec<u8>) -> Document {
    doc! { "bytes": Binary { subtype: BinarySubtype::Generic, bytes } }
}
