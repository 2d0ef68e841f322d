//! An import of a file of products, row by row.
//!
//! It is identified by its seller and the file's digest, and the product of a row by the import and the row's line.
//! So a file that is sent again, even concurrently or to another node, makes nothing twice.
//!
//! **Invariant:** the product of a row has the same id however often the row is processed.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    Timestamp,
    ids::{ImportId, ProductId, UserId},
    inventory::StockLevel,
    money::Money,
    product::ProductPatch,
};

/// How many skipped rows an import records; the others are only counted.
pub const LEFT_OUT_SHOWN: usize = 100;

/// A valid row of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportRow {
    /// The line that it begins in, the first being 1.
    pub line: u64,
    /// The product's title in it, for messages.
    pub title: String,
    /// The records of pictures.
    pub change: RowChange,
}

/// The action of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RowChange {
    /// Makes a product.
    Make(Box<NewRow>),
    Change(Box<ChangedRow>),
}

/// A product that a row makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewRow {
    /// Its title.
    pub title: String,
    /// Its description.
    pub description: String,
    /// The price of one unit.
    pub price: Money,
    /// Units available.
    pub stock: u32,
    pub category: String,
    /// The most units in one order.
    pub max_per_order: Option<u32>,
}

/// The changes of a row to a product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangedRow {
    pub product: ProductId,
    /// Its fields.
    pub patch: ProductPatch,
    /// The units to set as available.
    pub stock: Option<u32>,
    /// The available units when the file was written, if it has them.
    pub stock_seen: Option<i64>,
}

/// A skipped row, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The line that it begins in.
    pub line: u64,
    /// The product's title in it.
    pub title: String,
    /// What is wrong.
    pub what: Vec<String>,
}

/// The results of the rows so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// Rows that made a product.
    pub made: u64,
    /// Rows that changed one.
    pub changed: u64,
    /// Rows that changed nothing.
    pub same: u64,
    /// The first of the skipped rows.
    pub left_out: Vec<LeftOut>,
    /// How many more were skipped.
    pub more_left_out: u64,
    /// Lines of rows whose change was applied, by this run or an earlier one: they are not applied again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub applied: Vec<u64>,
}

impl Tally {
    /// Records a skipped row.
    pub fn leave_out(&mut self, row: LeftOut) {
        if self.left_out.len() < LEFT_OUT_SHOWN {
            self.left_out.push(row);
        } else {
            self.more_left_out += 1;
        }
    }

    /// How many rows were skipped.
    #[must_use]
    pub fn left_out_count(&self) -> u64 {
        u64::try_from(self.left_out.len()).unwrap_or(u64::MAX).saturating_add(self.more_left_out)
    }
}

/// The stock of the row in progress, recorded before it is set: after a crash its version shows whether it can have
/// been set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StockNote {
    /// The index of the row.
    pub row: u64,
    /// The available units.
    pub available: i64,
    /// The version of the stock.
    #[serde(default)]
    pub version: u64,
}

/// An import as stored; its rows are stored separately until it is finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Import {
    /// Derived from the seller and the digest: [`Import::id_of`].
    pub id: ImportId,
    /// Whose products.
    pub seller: UserId,
    /// The file's SHA-256, in hexadecimal digits.
    pub digest: String,
    /// The file's name, as the browser sent it.
    pub name: String,
    /// When the file was imported first. The ids of its products begin with this time.
    pub created_at: Timestamp,
    /// When it was imported last.
    pub started_at: Timestamp,
    /// How often it was imported.
    pub run: u32,
    /// How many rows there are to process.
    pub rows: u64,
    /// How many of them are done.
    pub done: u64,
    /// See [`StockNote`].
    pub note: Option<StockNote>,
    /// Lines whose stock was set, or may have been set before a crash, by this run or an earlier one: it is not set
    /// again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stock_set: Vec<u64>,
    /// How many attempts in a row have failed.
    pub attempts: u32,
    /// The results of the rows.
    pub tally: Tally,
    /// When it was finished.
    pub finished_at: Option<Timestamp>,
    /// When it is due, while it is not finished; the worker that processes it postpones this.
    pub due_at: Timestamp,
    /// Counts writes.
    pub version: u64,
}

impl Import {
    /// The id of the import of the file with this digest by this seller.
    #[must_use]
    pub fn id_of(seller: UserId, digest: &[u8]) -> ImportId {
        let hash = Sha256::new().chain_update(seller.as_slice()).chain_update(digest).finalize();
        let mut id = [0; 12];
        id.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        ImportId::from_bytes(id)
    }

    /// The id of the product of the row in `line`: the second of the import, then five bytes of the import's id, then
    /// the line, so that products are listed in the order of their rows.
    #[must_use]
    pub fn product_of(&self, line: u64) -> ProductId {
        let second = u32::try_from(self.created_at.as_second()).unwrap_or(u32::MAX).to_be_bytes();
        let own = Sha256::digest(self.id.as_slice());
        let line = line.to_be_bytes();
        let bytes = second.into_iter().chain(own.into_iter().take(5)).chain(line.into_iter().skip(5));
        let mut id = [0; 12];
        id.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        ProductId::from_bytes(id)
    }

    /// The stock that was recorded before the row at `at` was processed.
    #[must_use]
    pub fn noted(&self, at: u64) -> Option<StockNote> {
        self.note.filter(|note| note.row == at)
    }
}

/// The action on the stock of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StockStep {
    /// Nothing: it is correct already.
    Leave,
    /// Set it to `to` if `seen` is available.
    Set {
        /// The units to set as available.
        to: u32,
        /// The units that must be available before.
        seen: i64,
    },
    /// Nothing: it has changed since it was recorded, perhaps by an attempt that a crash interrupted.
    Unsure,
}

impl ChangedRow {
    /// The action on the stock, which is `level` now. `noted` is the stock before an attempt that may have set it.
    #[must_use]
    pub fn stock_step(&self, level: Option<&StockLevel>, noted: Option<StockNote>) -> StockStep {
        let Some(to) = self.stock else { return StockStep::Leave };
        let now = level.map_or(0, StockLevel::available);
        if self.stock_seen == Some(i64::from(to)) || now == i64::from(to) {
            // A number that is unchanged in the file does not request a change.
            return StockStep::Leave;
        }
        if noted.is_some_and(|noted| noted.version != level.map_or(0, |level| level.version)) {
            return StockStep::Unsure;
        }
        StockStep::Set { to, seen: self.stock_seen.unwrap_or(now) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn import() -> Import {
        let (seller, now) = (UserId::from_bytes([7; 12]), Timestamp::from_second(1_700_000_000).unwrap());
        Import {
            id: Import::id_of(seller, b"digest"),
            seller,
            digest: hex::encode(b"digest"),
            name: "a.csv".into(),
            created_at: now,
            started_at: now,
            run: 1,
            rows: 2,
            done: 0,
            note: None,
            stock_set: vec![],
            attempts: 0,
            tally: Tally::default(),
            finished_at: None,
            due_at: now,
            version: 0,
        }
    }

    #[test]
    fn a_row_makes_the_same_product_each_time_and_no_other_row_does() {
        let one = import();
        assert_eq!(one.product_of(2), Import { run: 9, done: 2, ..one.clone() }.product_of(2));
        assert!(one.product_of(2) < one.product_of(3) && one.product_of(300) < one.product_of(70_000));
        let others = [
            Import::id_of(UserId::from_bytes([8; 12]), b"digest"),
            Import::id_of(UserId::from_bytes([7; 12]), b"digest2"),
        ];
        for id in others {
            assert_ne!(id, one.id);
            assert_ne!(Import { id, ..one.clone() }.product_of(2), one.product_of(2));
        }
    }

    #[test]
    fn a_stock_is_set_where_the_file_changed_it_and_by_what_was_seen() {
        let product = ProductId::generate();
        let level = |n: u32| StockLevel::empty(product).set_available(n);
        let row = |stock, stock_seen| ChangedRow { product, patch: ProductPatch::default(), stock, stock_seen };
        let step = |row: ChangedRow, now, noted| row.stock_step(Some(&level(now)), noted);
        assert_eq!(step(row(None, Some(7)), 4, None), StockStep::Leave);
        assert_eq!(step(row(Some(10), Some(10)), 7, None), StockStep::Leave, "sold since, and not changed");
        assert_eq!(step(row(Some(12), Some(10)), 7, None), StockStep::Set { to: 12, seen: 10 });
        assert_eq!(step(row(Some(12), None), 7, None), StockStep::Set { to: 12, seen: 7 });
        // A test's level has version 1.
        let noted = |available, version| Some(StockNote { row: 0, available, version });
        assert_eq!(step(row(Some(12), None), 7, noted(7, 1)), StockStep::Set { to: 12, seen: 7 }, "not set yet");
        assert_eq!(step(row(Some(12), None), 11, noted(7, 0)), StockStep::Unsure, "set, and sold from");
        assert_eq!(step(row(Some(12), Some(7)), 7, noted(7, 0)), StockStep::Unsure, "set, and back where it was");
        assert_eq!(step(row(Some(12), None), 12, noted(7, 0)), StockStep::Leave);
        assert_eq!(row(Some(3), None).stock_step(None, None), StockStep::Set { to: 3, seen: 0 });
    }

    #[test]
    fn a_tally_remembers_some_and_counts_all() {
        let mut tally = Tally::default();
        for line in 0..150 {
            tally.leave_out(LeftOut { line, title: String::new(), what: vec![] });
        }
        assert_eq!((tally.left_out.len(), tally.left_out_count()), (LEFT_OUT_SHOWN, 150));
    }
}
