//! What is to be done about pictures that another program hosts: a record for each of them.
//!
//! The product's document says which pictures it shows, and the record says what the host has
//! of one and when to look at it again. Nothing writes both at once. So who is about to take
//! pictures out of a product [announces](PictureLog::announce) that first: if it dies before
//! it can say more, somebody looks, and finds by the document what is to be done.
//!
//! A record is claimed for a while before it is worked on, so that one node does it; who lost
//! its claim meanwhile writes nothing.
//!
//! **Invariant:** a picture that was dropped stays dropped until its record is gone, and one that
//! was announced is looked at at that time or later, whatever came of claims before.

use async_trait::async_trait;

use super::StoreError;
use crate::domain::{
    Timestamp,
    ids::{ImageId, ProductId},
};

/// A file at the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostedFile {
    /// What the host calls it.
    pub id: String,
    /// Its path there, which ends the addresses it is shown at; begins with a slash.
    pub path: String,
}

/// A picture and what the host has of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PictureRecord {
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
}

/// A picture to be worked on by whoever claimed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedPicture {
    /// The record, as it was when it was claimed.
    pub record: PictureRecord,
    /// Until when nobody else has it; names the claim.
    pub lease: Timestamp,
}

/// What came of looking at a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PictureOutcome {
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
#[async_trait]
pub trait PictureLog: Send + Sync {
    /// Records a picture of `product` that is about to be kept here, to be looked at from `now`
    /// on; one that is recorded stays as it is.
    async fn open(&self, image: ImageId, product: ProductId, now: Timestamp) -> Result<(), StoreError>;

    /// These may be taken out of their product soon: they are looked at by `at`. What is not
    /// recorded needs nothing.
    async fn announce(&self, images: &[ImageId], at: Timestamp) -> Result<(), StoreError>;

    /// No product shows these any more: they are to be deleted, from `now` on.
    async fn drop_pictures(&self, images: &[ImageId], now: Timestamp) -> Result<(), StoreError>;

    /// Claims up to `limit` records that are due at `now`, longest due first, until `lease`.
    async fn claim(&self, now: Timestamp, lease: Timestamp, limit: u32) -> Result<Vec<ClaimedPicture>, StoreError>;

    /// Writes what the host has, under a claim that goes on; returns whether it still held.
    async fn hosted(&self, image: ImageId, lease: Timestamp, file: &HostedFile) -> Result<bool, StoreError>;

    /// Writes what came of a claim at `now` and ends it; returns whether it still held. A picture
    /// that is done and was announced for later is looked at then; one that was dropped is not done.
    async fn settle(
        &self,
        image: ImageId,
        lease: Timestamp,
        outcome: &PictureOutcome,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// The record of a picture.
    async fn picture(&self, image: ImageId) -> Result<Option<PictureRecord>, StoreError>;

    /// How many are to be looked at, now or later.
    async fn unsettled(&self) -> Result<u64, StoreError>;
}
