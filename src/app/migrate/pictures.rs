//! The picture files of an embedded shop, as records.

use std::{fs, io, path::Path};

use super::{Batch, Record, Records, StoreError, sent};
use crate::integrations::image::LocalImages;

/// Reads the files in order after the first `skip`.
pub(super) fn read(data_dir: &Path, skip: u64, batch: Batch) -> Result<Records, StoreError> {
    let pictures = LocalImages::new(data_dir);
    Ok(sent(move |send| {
        let (mut passed, mut bytes, mut records, mut taken) = (0_u64, 0, vec![], true);
        pictures
            .each_file(&mut |name, path| {
                passed += 1;
                if passed <= skip || !taken {
                    return Ok(());
                }
                let file = fs::read(path)?;
                bytes += file.len();
                records.push(Record::Picture(name.to_owned(), file));
                if records.len() >= batch.rows.max(1) || bytes >= batch.bytes {
                    bytes = 0;
                    taken = send(std::mem::take(&mut records));
                }
                Ok(())
            })
            .map_err(unreadable)?;
        if taken && !records.is_empty() {
            let _gone = send(records);
        }
        Ok(())
    }))
}

/// How many files there are.
pub(super) async fn count(data_dir: &Path) -> Result<u64, StoreError> {
    let pictures = LocalImages::new(data_dir);
    let counted = tokio::task::spawn_blocking(move || {
        let mut count = 0;
        pictures.each_file(&mut |_, _| {
            count += 1;
            Ok(())
        })?;
        Ok(count)
    });
    counted.await.map_err(|error| StoreError::Unavailable(error.to_string()))?.map_err(unreadable)
}

fn unreadable(error: io::Error) -> StoreError {
    StoreError::Unavailable(format!("the pictures cannot be read: {error}"))
}
