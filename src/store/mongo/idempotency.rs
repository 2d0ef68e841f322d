//! Idempotency keys of earlier versions: separate documents, which are now parts of their orders.

use bson::{Document, doc};
use futures_util::future::try_join_all;
use mongodb::Collection;

use super::{
    codec::{self, Failed},
    documents::Place,
    engine::Engine,
};
use crate::{
    domain::{
        Timestamp,
        order::{OrderKeys, UsedKey},
    },
    store::{StoreError, document::Document as _, orders::StoredOrder},
};

/// How many keys are moved into their orders at once.
const MERGED: i64 = 200;

/// Moves them into their orders. This is idempotent, and must be done before orders get the current keys.
pub(super) async fn merge(engine: &Engine) -> Result<(), StoreError> {
    let Ok(Place { collection: orders, .. }) = engine.place(StoredOrder::SPEC) else { return Ok(()) };
    let database = orders.client().database(&orders.namespace().db);
    let old = ["idempotency_keys", "unpaid_claims"].map(|name| database.collection::<Document>(name));
    let mut after = Some(String::new());
    while let Some(name) = after {
        let (known, orders) = (old[0].clone(), orders.clone());
        after = engine.run(async move { merge_behind(&known, &orders, name).await }).await?;
    }
    engine
        .run(async move {
            for collection in old {
                collection.drop().await.map_err(|error| Failed::write(&error))?;
            }
            Ok(())
        })
        .await
}

/// Moves the next keys after this name; returns the last one's name, `None` when there were none.
async fn merge_behind(
    known: &Collection<Document>,
    orders: &Collection<Document>,
    name: String,
) -> Result<Option<String>, StoreError> {
    let lives = doc! { "_id": { "$gt": name }, "expiresAt": { "$gt": Timestamp::now().as_microsecond() } };
    let find = known.find(lives).sort(doc! { "_id": 1 }).limit(MERGED);
    let rows = codec::all(find, |row| Ok(row.clone())).await?;
    let last = rows.last().map(|last| codec::string(last, "_id").map(str::to_owned)).transpose()?;
    let put = rows.iter().map(async |row| {
        let idempotency = Some(UsedKey {
            key: codec::string(row, "key")?.to_owned(),
            request_hash: codec::string(row, "requestHash")?.to_owned(),
            expires_at: codec::time(codec::whole(row, "expiresAt")?)?,
            generation: 0,
        });
        let keys = codec::document(&OrderKeys { number: None, idempotency })?;
        let without = doc! { "_id": codec::oid(codec::id(row, "order")?), "doc.keys": { "$exists": false } };
        let put = orders.update_one(without, doc! { "$set": { "doc.keys": keys } }).await;
        put.map_err(|error| Failed::write(&error))
    });
    try_join_all(put).await?;
    Ok(last)
}
