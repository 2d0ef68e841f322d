//! Work on pictures that another service hosts: a record for each picture.
//!
//! The product's document says which pictures it shows, and the record says what the host has and when to check
//! again. No write changes both. So a writer that is about to remove pictures from a product
//! [announces](ImageLog::announce) it first: if the writer dies, another worker checks the picture and sees from the
//! document what is to be done.
//!
//! A record is claimed for a while before it is worked on, so that only one node does it; a worker that has lost its
//! claim writes nothing.
//!
//! **Invariant:** a picture that was dropped stays dropped until its record is gone, and an announced one is checked
//! at that time or later, whatever earlier claims did.

use std::sync::Arc;

use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};

use super::{
    StoreError,
    document::{Backend, Collection, Document, Index, NoUniqueKey, SaveError, key, stored_as},
};
use crate::{
    config::Service,
    domain::{
        Timestamp,
        ids::{ImageId, ProductId},
    },
};

/// How often a delete is retried after a conflict.
const TRIES: u32 = 8;

/// A file at the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostedFile {
    /// Its id at the host.
    pub id: String,
    /// Its path there, which ends the addresses it is shown at; begins with a slash.
    pub path: String,
}

/// A picture and its state at the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageRecord {
    /// The picture.
    pub image: ImageId,
    /// The product that it belongs to.
    pub product: ProductId,
    /// When it was stored.
    pub created_at: Timestamp,
    /// The file at the host, if known.
    pub file: Option<HostedFile>,
    /// No product shows it any more, so it has to be deleted everywhere.
    pub dropped: bool,
    /// How many attempts in a row have failed.
    pub attempts: u32,
    /// The last error.
    pub reason: Option<String>,
    /// When to check it next; `None` while nothing has to be done.
    pub due_at: Option<Timestamp>,
    /// When the current claim expires.
    pub lease: Option<Timestamp>,
    /// When it has to be checked at the latest, whatever earlier claims do.
    pub announced: Option<Timestamp>,
    /// Counts writes.
    #[serde(skip)]
    pub version: u64,
}

/// When it may be claimed: not while another claim holds.
const DUE: Index<ImageRecord> = Index::new("due", |record| key(record.lease.max(Some(record.due_at?))?));

impl Document for ImageRecord {
    type Unique = NoUniqueKey;

    const COLLECTION: &'static str = "pictures";
    const SERVICE: Service = Service::Product;
    const INDEXES: &'static [Index<Self>] = &[DUE];

    stored_as!(self, ImageId = self.image, self.version);
}

/// A claimed picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedImage {
    /// The record at the time of the claim.
    pub record: ImageRecord,
    /// When the claim expires; identifies the claim.
    pub lease: Timestamp,
}

/// The outcome of checking a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostingOutcome {
    /// Nothing is left to do.
    Done,
    /// It has to be checked again.
    Again {
        /// The error, if there was one; it counts as a failed attempt.
        reason: Option<String>,
        at: Timestamp,
    },
    /// It is deleted everywhere, and its record is deleted too.
    Gone,
}

/// Keeps the records.
#[derive(Clone)]
pub struct ImageLog(Collection<ImageRecord>);

impl ImageLog {
    /// The records in a database.
    pub fn new(backend: Arc<dyn Backend>) -> Self {
        Self(Collection::new(backend))
    }

    /// Records a picture of `product` that is about to be stored here, to be checked from `now` on; an existing
    /// record stays as it is.
    pub async fn open(&self, image: ImageId, product: ProductId, now: Timestamp) -> Result<(), StoreError> {
        let record = ImageRecord {
            image,
            product,
            created_at: now,
            file: None,
            dropped: false,
            attempts: 0,
            reason: None,
            due_at: Some(now),
            lease: None,
            announced: None,
            version: 0,
        };
        match self.0.save(&record, &[]).await {
            Err(SaveError::Store(StoreError::Conflict)) => Ok(()),
            made => Ok(made.map(|_| ())?),
        }
    }

    /// Announces that these may soon be removed from their product, so that they are checked by `at`. Pictures
    /// without a record are skipped.
    pub async fn announce(&self, images: &[ImageId], at: Timestamp) -> Result<(), StoreError> {
        self.each(images, |record| {
            record.announced = record.announced.max(Some(at));
            record.due_at = record.due_at.or(Some(at));
        })
        .await
    }

    /// Marks these pictures for deletion from `now` on, because no product shows them any more.
    pub async fn drop_pictures(&self, images: &[ImageId], now: Timestamp) -> Result<(), StoreError> {
        self.each(images, |record| {
            record.dropped = true;
            record.attempts = 0;
            record.due_at = Some(now);
        })
        .await
    }

    /// Claims up to `limit` records that are due at `now`, the longest due first, until `lease`.
    pub async fn claim(&self, now: Timestamp, lease: Timestamp, limit: u32) -> Result<Vec<ClaimedImage>, StoreError> {
        let claimed = self.0.claim(DUE.due(now).limit(limit), |record| {
            // Indexes store times in microseconds.
            let is_due = record.due_at.is_some_and(|due| due <= now) && record.lease.is_none_or(|lease| lease <= now);
            record.lease = Some(lease);
            is_due
        });
        Ok(claimed.await?.into_iter().map(|record| ClaimedImage { record, lease }).collect())
    }

    /// Writes the file at the host without ending the claim; returns whether the claim still held.
    pub async fn hosted(&self, image: ImageId, lease: Timestamp, file: &HostedFile) -> Result<bool, StoreError> {
        self.under(image, lease, |record| record.file = Some(file.clone())).await
    }

    /// Writes the outcome of a claim at `now` and ends it; returns whether it still held. A finished picture that was
    /// announced is checked again at that time; a dropped one is not finished.
    pub async fn settle(
        &self,
        image: ImageId,
        lease: Timestamp,
        outcome: &HostingOutcome,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let settled = |record: &mut ImageRecord| {
            record.lease = None;
            match outcome {
                HostingOutcome::Done => {
                    record.attempts = 0;
                    record.reason = None;
                    if !record.dropped {
                        record.due_at = record.announced.filter(|announced| *announced > now);
                    }
                }
                HostingOutcome::Again { reason, at } => {
                    record.attempts = record.attempts.saturating_add(u32::from(reason.is_some()));
                    record.reason.clone_from(reason);
                    record.due_at = Some(*at);
                }
                HostingOutcome::Gone => {}
            }
        };
        match outcome {
            HostingOutcome::Gone => self.gone(image, lease).await,
            _ => self.under(image, lease, settled).await,
        }
    }

    /// The record of a picture.
    pub async fn picture(&self, image: ImageId) -> Result<Option<ImageRecord>, StoreError> {
        self.0.get(image).await
    }

    /// How many have to be checked, now or later.
    pub async fn unsettled(&self) -> Result<u64, StoreError> {
        self.0.count(DUE.all()).await
    }

    /// Changes the records of these pictures.
    async fn each(&self, images: &[ImageId], change: impl Fn(&mut ImageRecord)) -> Result<(), StoreError> {
        let changed = images.iter().map(|image| {
            self.0.change(*image, |record| {
                change(record);
                Some(())
            })
        });
        Ok(try_join_all(changed).await.map(|_| ())?)
    }

    /// Changes a record under a claim; returns whether the claim still held.
    async fn under(
        &self,
        image: ImageId,
        lease: Timestamp,
        change: impl Fn(&mut ImageRecord),
    ) -> Result<bool, StoreError> {
        let changed = self.0.change(image, |record| (record.lease == Some(lease)).then(|| change(record)));
        Ok(changed.await?.is_some())
    }

    /// Deletes a record under a claim; returns whether the claim still held.
    async fn gone(&self, image: ImageId, lease: Timestamp) -> Result<bool, StoreError> {
        for _ in 0..TRIES {
            let Some(record) = self.0.get(image).await?.filter(|record| record.lease == Some(lease)) else {
                return Ok(false);
            };
            match self.0.delete_read(&record, &[]).await {
                Err(StoreError::Conflict) => {}
                deleted => return deleted.map(|()| true),
            }
        }
        Err(StoreError::Busy)
    }
}
