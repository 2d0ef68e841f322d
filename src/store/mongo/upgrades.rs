//! Which changes of stored documents were carried through.

use bson::doc;

use super::{
    codec::{self, Failed},
    engine::Engine,
};
use crate::{domain::Timestamp, store::StoreError};

/// Whether the change of this name was carried through.
pub(super) async fn is_noted(engine: &Engine, name: &'static str) -> Result<bool, StoreError> {
    let notes = engine.collections.upgrades();
    engine.run(async move { Ok(codec::counted(&notes, doc! { "_id": name }).await? > 0) }).await
}

/// Notes that it was.
pub(super) async fn note(engine: &Engine, name: &'static str) -> Result<(), StoreError> {
    let notes = engine.collections.upgrades();
    let done = doc! { "$set": { "at": Timestamp::now().as_microsecond() } };
    engine
        .run(async move {
            let note = notes.update_one(doc! { "_id": name }, done).upsert(true).await;
            note.map(|_| ()).or_else(|error| match codec::is_duplicate(&error) {
                // Another node noted it at the same moment.
                true => Ok(()),
                false => Err(Failed::write(&error)),
            })
        })
        .await
}
