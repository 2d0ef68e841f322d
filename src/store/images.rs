//! What is to be done about pictures that another program hosts: a record for each of them.
//!
//! The product's document says which pictures it shows, and the record says what the host has
//! of one and when to look at it again. Nothing writes both at once. So who is about to take
//! pictures out of a product [announces](ImageLog::announce) that first: if it dies before
//! it can say more, somebody looks, and finds by the document what is to be done.
//!
//! A record is claimed for a while before it is worked on, so that one node does it; who lost
//! its claim meanwhile writes nothing.
//!
//! **Invariant:** a picture that was dropped stays dropped until its record is gone, and one that
//! was announced is looked at at that time or later, whatever came of claims before.

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

/// How often a record is deleted anew when others were quicker to write it.
const TRIES: u32 = 8;

/// A file at the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostedFile {
    /// What the host calls it.
    pub id: String,
    /// Its path there, which ends the addresses it is shown at; begins with a slash.
    pub path: String,
}

/// A picture and what the host has of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageRecord {
    /// The picture.
    pub image: ImageId,
    /// The product that it was made for.
    pub product: ProductId,
    /// When it was taken.
    pub created_at: Timestamp,
    /// The file at the host, as far as is known.
    pub file: Option<HostedFile>,
    /// No product shows it any more: it is to be deleted everywhere.
    pub dropped: bool,
    /// How often in a row it could not be done.
    pub attempts: u32,
    /// What went wrong last.
    pub reason: Option<String>,
    /// When to look at it next; never, while all is as it should be.
    pub due_at: Option<Timestamp>,
    /// Until when nobody but whoever claimed it works on it.
    pub lease: Option<Timestamp>,
    /// By when it is to be looked at, whatever comes of claims before.
    pub announced: Option<Timestamp>,
    /// Counts writes.
    #[serde(skip)]
    pub version: u64,
}

/// When somebody may claim it: not while somebody else works on it.
const DUE: Index<ImageRecord> = Index::new("due", |record| key(record.lease.max(Some(record.due_at?))?));

impl Document for ImageRecord {
    type Unique = NoUniqueKey;

    const COLLECTION: &'static str = "pictures";
    const SERVICE: Service = Service::Product;
    const INDEXES: &'static [Index<Self>] = &[DUE];

    stored_as!(self, ImageId = self.image, self.version);
}

/// A picture to be worked on by whoever claimed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedImage {
    /// The record, as it was when it was claimed.
    pub record: ImageRecord,
    /// Until when nobody else has it; names the claim.
    pub lease: Timestamp,
}

/// What came of looking at a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostingOutcome {
    /// All is as it should be.
    Done,
    /// It is to be looked at again.
    Again {
        /// What went wrong, if something did; that counts as an attempt.
        reason: Option<String>,
        /// When.
        at: Timestamp,
    },
    /// It is deleted everywhere, and its record goes.
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

    /// Records a picture of `product` that is about to be kept here, to be looked at from `now`
    /// on; one that is recorded stays as it is.
    ///
    /// # Errors
    /// [`StoreError`].
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

    /// These may be taken out of their product soon: they are looked at by `at`. What is not
    /// recorded needs nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn announce(&self, images: &[ImageId], at: Timestamp) -> Result<(), StoreError> {
        self.each(images, |record| {
            record.announced = record.announced.max(Some(at));
            record.due_at = record.due_at.or(Some(at));
        })
        .await
    }

    /// No product shows these any more: they are to be deleted, from `now` on.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn drop_pictures(&self, images: &[ImageId], now: Timestamp) -> Result<(), StoreError> {
        self.each(images, |record| {
            record.dropped = true;
            record.attempts = 0;
            record.due_at = Some(now);
        })
        .await
    }

    /// Claims up to `limit` records that are due at `now`, longest due first, until `lease`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim(&self, now: Timestamp, lease: Timestamp, limit: u32) -> Result<Vec<ClaimedImage>, StoreError> {
        let claimed = self.0.claim(DUE.due(now).limit(limit), |record| {
            // An index knows times to the microsecond.
            let is_due = record.due_at.is_some_and(|due| due <= now) && record.lease.is_none_or(|lease| lease <= now);
            record.lease = Some(lease);
            is_due
        });
        Ok(claimed.await?.into_iter().map(|record| ClaimedImage { record, lease }).collect())
    }

    /// Writes what the host has, under a claim that goes on; returns whether it still held.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn hosted(&self, image: ImageId, lease: Timestamp, file: &HostedFile) -> Result<bool, StoreError> {
        self.under(image, lease, |record| record.file = Some(file.clone())).await
    }

    /// Writes what came of a claim at `now` and ends it; returns whether it still held. A picture
    /// that is done and was announced for later is looked at then; one that was dropped is not done.
    ///
    /// # Errors
    /// [`StoreError`].
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
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn picture(&self, image: ImageId) -> Result<Option<ImageRecord>, StoreError> {
        self.0.get(image).await
    }

    /// How many are to be looked at, now or later.
    ///
    /// # Errors
    /// [`StoreError`].
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

    /// Changes a record under a claim; returns whether that still held.
    async fn under(
        &self,
        image: ImageId,
        lease: Timestamp,
        change: impl Fn(&mut ImageRecord),
    ) -> Result<bool, StoreError> {
        let changed = self.0.change(image, |record| (record.lease == Some(lease)).then(|| change(record)));
        Ok(changed.await?.is_some())
    }

    /// Deletes a record under a claim; returns whether that still held.
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
