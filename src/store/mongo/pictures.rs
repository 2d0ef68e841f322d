//! What is to be done about pictures that another program hosts, where every node finds it.

use async_trait::async_trait;
use bson::{Bson, Document, doc};
use mongodb::options::ReturnDocument;

use super::{
    codec::{self, Failed},
    engine::Engine,
};
use crate::{
    domain::{
        Timestamp,
        ids::{ImageId, ProductId},
    },
    store::{
        PictureLog, StoreError,
        pictures::{ClaimedPicture, HostedFile, PictureOutcome, PictureRecord},
    },
};

#[async_trait]
impl PictureLog for Engine {
    async fn open(&self, image: ImageId, product: ProductId, now: Timestamp) -> Result<(), StoreError> {
        let pictures = self.collections.pictures.clone();
        let record = PictureRecord {
            image,
            product,
            created_at: now,
            file: None,
            dropped: false,
            attempts: 0,
            reason: None,
            due_at: Some(now),
        };
        let made = document(&record, 0);
        self.run(async move {
            match pictures.insert_one(made).await {
                Err(error) if !codec::is_duplicate(&error) => Err(Failed::write(&error)),
                _ => Ok(()),
            }
        })
        .await
    }

    async fn announce(&self, images: &[ImageId], at: Timestamp) -> Result<(), StoreError> {
        // In this order: who is done with one in between looks at it by then.
        let at = codec::micros_up(at);
        self.each(images, doc! { "lookBy": { "$lt": at } }, doc! { "lookBy": at }).await?;
        self.each(images, doc! { "dueAt": Bson::Null }, doc! { "dueAt": at }).await
    }

    async fn drop_pictures(&self, images: &[ImageId], now: Timestamp) -> Result<(), StoreError> {
        let fields = doc! { "dropped": true, "attempts": 0_i64, "dueAt": codec::micros_up(now) };
        self.each(images, doc! {}, fields).await
    }

    async fn claim(&self, now: Timestamp, lease: Timestamp, limit: u32) -> Result<Vec<ClaimedPicture>, StoreError> {
        let (pictures, now, until) = (self.collections.pictures.clone(), now.as_microsecond(), lease.as_microsecond());
        let due = doc! { "dueAt": { "$ne": Bson::Null, "$lte": now }, "lease": { "$lte": now } };
        self.run(async move {
            let find = pictures.find(due.clone()).sort(doc! { "dueAt": 1, "_id": 1 }).limit(limit.into());
            let mut claimed = vec![];
            for id in codec::all(find.projection(doc! { "_id": 1 }), |row| codec::id(row, "_id")).await? {
                // Due still, too: another node may have done it since.
                let mut this = due.clone();
                this.insert("_id", codec::oid(id));
                let row = pictures
                    .find_one_and_update(this, doc! { "$set": { "lease": until } })
                    .return_document(ReturnDocument::After)
                    .await
                    .map_err(|error| Failed::write(&error))?;
                if let Some(row) = row {
                    claimed.push(ClaimedPicture { record: record(&row)?, lease: codec::time(until)? });
                }
            }
            Ok(claimed)
        })
        .await
    }

    async fn hosted(&self, image: ImageId, lease: Timestamp, file: &HostedFile) -> Result<bool, StoreError> {
        let fields = doc! { "fileId": &file.id, "path": &file.path };
        self.update(claimed(image, lease), doc! { "$set": fields }).await
    }

    async fn settle(
        &self,
        image: ImageId,
        lease: Timestamp,
        outcome: &PictureOutcome,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (pictures, this) = (self.collections.pictures.clone(), claimed(image, lease));
        match outcome {
            PictureOutcome::Gone => {
                self.run(async move {
                    let deleted = pictures.delete_one(this).await.map_err(|error| Failed::write(&error))?;
                    Ok(deleted.deleted_count > 0)
                })
                .await
            }
            PictureOutcome::Done => self.done(this, now.as_microsecond()).await,
            PictureOutcome::Again { reason, at } => {
                let fields = doc! { "dueAt": codec::micros_up(*at), "reason": reason.clone(), "lease": 0_i64 };
                let mut update = doc! { "$set": fields };
                if reason.is_some() {
                    update.insert("$inc", doc! { "attempts": 1_i64 });
                }
                self.update(this, update).await
            }
        }
    }

    async fn picture(&self, image: ImageId) -> Result<Option<PictureRecord>, StoreError> {
        let (pictures, this) = (self.collections.pictures.clone(), doc! { "_id": codec::oid(image.bytes()) });
        self.run(async move { codec::first(&pictures, this, record).await }).await
    }

    async fn unsettled(&self) -> Result<u64, StoreError> {
        let pictures = self.collections.pictures.clone();
        self.run(async move { codec::counted(&pictures, doc! { "dueAt": { "$ne": Bson::Null } }).await }).await
    }
}

fn claimed(image: ImageId, lease: Timestamp) -> Document {
    doc! { "_id": codec::oid(image.bytes()), "lease": lease.as_microsecond() }
}

impl Engine {
    /// Ends the claim of a picture with which all is well, unless more was said of it.
    async fn done(&self, this: Document, now: i64) -> Result<bool, StoreError> {
        let done = |due: Bson| {
            doc! { "$set": { "dueAt": due, "reason": Bson::Null, "attempts": 0_i64, "lease": 0_i64 } }
        };
        let mut quiet = this.clone();
        quiet.extend(doc! { "dropped": false, "lookBy": { "$lte": now } });
        if self.update(quiet, done(Bson::Null)).await? {
            return Ok(true);
        }
        let (pictures, find) = (self.collections.pictures.clone(), this.clone());
        let look_by = self.run(async move { codec::first(&pictures, find, |row| codec::whole(row, "lookBy")).await });
        let Some(look_by) = look_by.await? else { return Ok(false) };
        let mut announced = this.clone();
        announced.insert("dropped", false);
        if self.update(announced, done(look_by.into())).await? {
            return Ok(true);
        }
        self.update(this, doc! { "$set": { "lease": 0_i64 } }).await
    }

    /// Updates the record that this finds; returns whether there is one.
    async fn update(&self, this: Document, update: Document) -> Result<bool, StoreError> {
        let pictures = self.collections.pictures.clone();
        self.run(async move {
            let written = pictures.update_one(this, update).await;
            written.map(|written| written.matched_count > 0).map_err(|error| Failed::write(&error))
        })
        .await
    }

    /// Sets fields of these pictures' records, of those that match.
    async fn each(&self, images: &[ImageId], mut filter: Document, fields: Document) -> Result<(), StoreError> {
        if images.is_empty() {
            return Ok(());
        }
        let ids: Vec<Bson> = images.iter().map(|image| codec::oid(image.bytes()).into()).collect();
        filter.insert("_id", doc! { "$in": ids });
        let pictures = self.collections.pictures.clone();
        self.run(async move {
            let written = pictures.update_many(filter, doc! { "$set": fields }).await;
            written.map(|_| ()).map_err(|error| Failed::write(&error))
        })
        .await
    }
}

fn record(row: &Document) -> Result<PictureRecord, StoreError> {
    let text = |field| row.get_str(field).ok().map(str::to_owned);
    Ok(PictureRecord {
        image: ImageId::from_bytes(codec::id(row, "_id")?),
        product: ProductId::from_bytes(codec::id(row, "product")?),
        created_at: codec::time(codec::whole(row, "createdAt")?)?,
        file: text("fileId").zip(text("path")).map(|(id, path)| HostedFile { id, path }),
        dropped: row.get_bool("dropped").unwrap_or(false),
        attempts: u32::try_from(codec::whole(row, "attempts")?).map_err(codec::corrupt)?,
        reason: text("reason"),
        due_at: codec::optional_time(row, "dueAt")?,
    })
}

/// The document of a record that nobody has claimed.
pub(super) fn document(record: &PictureRecord, announced: i64) -> Document {
    let file = record.file.as_ref();
    doc! {
        "_id": codec::oid(record.image.bytes()),
        "product": codec::oid(record.product.bytes()),
        "createdAt": codec::micros_up(record.created_at),
        "fileId": file.map(|file| &file.id),
        "path": file.map(|file| &file.path),
        "dropped": record.dropped,
        "lookBy": announced,
        "attempts": i64::from(record.attempts),
        "reason": &record.reason,
        "dueAt": record.due_at.map(codec::micros_up),
        "lease": 0_i64,
    }
}
