//! What is to be done about pictures that another program hosts.

use async_trait::async_trait;
use rusqlite::{Connection, Row};

use super::{StoreError, codec, engine::Engine};
use crate::{
    domain::{
        Timestamp,
        ids::{ImageId, ProductId},
    },
    store::{
        PictureLog,
        pictures::{ClaimedPicture, HostedFile, PictureOutcome, PictureRecord},
    },
};

/// The columns that [`read_record`] reads.
const COLUMNS: &str = "image, product, created_at, file_id, path, dropped, attempts, reason, due_at";
/// The same, and until when it was announced.
pub(super) const COLUMNS_AND_ANNOUNCED: &str =
    "image, product, created_at, file_id, path, dropped, attempts, reason, due_at, look_by";
/// The place of that.
pub(super) const ANNOUNCED: usize = 9;

#[async_trait]
impl PictureLog for Engine {
    async fn open(&self, image: ImageId, product: ProductId, now: Timestamp) -> Result<(), StoreError> {
        let now = codec::micros_up(now);
        self.write(move |writing| {
            let sql = "INSERT INTO pictures (image, product, created_at, due_at) VALUES (?1, ?2, ?3, ?3)
                       ON CONFLICT (image) DO NOTHING";
            codec::execute(writing, sql, (image.as_slice(), product.as_slice(), now)).map(|_| ())
        })
        .await
    }

    async fn announce(&self, images: &[ImageId], at: Timestamp) -> Result<(), StoreError> {
        let sql = "UPDATE pictures SET look_by = max(look_by, ?2), due_at = coalesce(due_at, ?2) WHERE image = ?1";
        self.each(images, sql, codec::micros_up(at)).await
    }

    async fn drop_pictures(&self, images: &[ImageId], now: Timestamp) -> Result<(), StoreError> {
        let sql = "UPDATE pictures SET dropped = 1, attempts = 0, due_at = ?2 WHERE image = ?1";
        self.each(images, sql, codec::micros_up(now)).await
    }

    async fn claim(&self, now: Timestamp, lease: Timestamp, limit: u32) -> Result<Vec<ClaimedPicture>, StoreError> {
        let now = now.as_microsecond();
        // Looking is for the readers: the writer is asked only when there is something.
        if self.read(move |connection| Ok(due(connection, now, limit)?.is_empty())).await? {
            return Ok(vec![]);
        }
        self.write(move |writing| {
            let ids = due(writing, now, limit)?;
            ids.into_iter().map(|id| claim(writing, id, lease)).filter_map(Result::transpose).collect()
        })
        .await
    }

    async fn hosted(&self, image: ImageId, lease: Timestamp, file: &HostedFile) -> Result<bool, StoreError> {
        let (file, lease) = (file.clone(), lease.as_microsecond());
        self.write(move |writing| {
            let sql = "UPDATE pictures SET file_id = ?3, path = ?4 WHERE image = ?1 AND lease = ?2";
            Ok(codec::execute(writing, sql, (image.as_slice(), lease, file.id, file.path))? > 0)
        })
        .await
    }

    async fn settle(
        &self,
        image: ImageId,
        lease: Timestamp,
        outcome: &PictureOutcome,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (outcome, lease, now) = (outcome.clone(), lease.as_microsecond(), now.as_microsecond());
        self.write(move |writing| {
            let id = image.as_slice();
            let written = match outcome {
                PictureOutcome::Gone => {
                    codec::execute(writing, "DELETE FROM pictures WHERE image = ?1 AND lease = ?2", (id, lease))?
                }
                PictureOutcome::Done => {
                    let sql = "UPDATE pictures SET lease = NULL, reason = NULL, attempts = 0,
                                   due_at = CASE WHEN dropped THEN due_at WHEN look_by > ?3 THEN look_by END
                               WHERE image = ?1 AND lease = ?2";
                    codec::execute(writing, sql, (id, lease, now))?
                }
                PictureOutcome::Again { reason, at } => {
                    let sql = "UPDATE pictures SET lease = NULL, reason = ?4, due_at = ?3,
                                   attempts = attempts + (?4 IS NOT NULL)
                               WHERE image = ?1 AND lease = ?2";
                    codec::execute(writing, sql, (id, lease, codec::micros_up(at), reason))?
                }
            };
            Ok(written > 0)
        })
        .await
    }

    async fn picture(&self, image: ImageId) -> Result<Option<PictureRecord>, StoreError> {
        self.read(move |connection| {
            let sql = format!("SELECT {COLUMNS} FROM pictures WHERE image = ?1");
            codec::first(connection, &sql, [image.as_slice()], read_record)
        })
        .await
    }

    async fn unsettled(&self) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM pictures WHERE due_at IS NOT NULL";
        self.read(move |connection| codec::count(connection, sql, [])).await
    }
}

impl Engine {
    /// Runs a statement for each of the images, with a time.
    async fn each(&self, images: &[ImageId], sql: &'static str, time: i64) -> Result<(), StoreError> {
        let images = images.to_vec();
        if images.is_empty() {
            return Ok(());
        }
        self.write(move |writing| {
            images.iter().try_for_each(|image| codec::execute(writing, sql, (image.as_slice(), time)).map(|_| ()))
        })
        .await
    }
}

/// The pictures that may be claimed.
fn due(connection: &Connection, now: i64, limit: u32) -> Result<Vec<ImageId>, StoreError> {
    let sql = "SELECT image FROM pictures WHERE due_at <= ?1 AND coalesce(lease, 0) <= ?1
               ORDER BY due_at, image LIMIT ?2";
    codec::all(connection, sql, (now, limit), |row| codec::id(row, 0))
}

fn claim(writing: &Connection, image: ImageId, lease: Timestamp) -> Result<Option<ClaimedPicture>, StoreError> {
    let until = lease.as_microsecond();
    let sql = "UPDATE pictures SET lease = ?2 WHERE image = ?1";
    codec::execute(writing, sql, (image.as_slice(), until))?;
    let lease = codec::time(until)?;
    let sql = format!("SELECT {COLUMNS} FROM pictures WHERE image = ?1");
    codec::first(writing, &sql, [image.as_slice()], |row| Ok(ClaimedPicture { record: read_record(row)?, lease }))
}

pub(super) fn read_record(row: &Row<'_>) -> Result<PictureRecord, StoreError> {
    let (id, path): (Option<String>, Option<String>) = (row.get(3)?, row.get(4)?);
    let due_at: Option<i64> = row.get(8)?;
    Ok(PictureRecord {
        image: codec::id(row, 0)?,
        product: codec::id(row, 1)?,
        created_at: codec::time(row.get(2)?)?,
        file: id.zip(path).map(|(id, path)| HostedFile { id, path }),
        dropped: row.get(5)?,
        attempts: row.get(6)?,
        reason: row.get(7)?,
        due_at: due_at.map(codec::time).transpose()?,
    })
}
