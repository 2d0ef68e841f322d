//! An import: a file of products on its way into the shop, row by row.
//!
//! It is known by its seller and the file's digest, and the product that a row makes by the import
//! and the row's line. So a file that is sent again, at the same moment or by way of another node,
//! makes nothing a second time.
//!
//! **Invariant:** the product that a row makes has the same id however often the row is worked on.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    Timestamp,
    ids::{ImportId, ProductId, UserId},
    inventory::StockLevel,
    money::Money,
    product::ProductPatch,
};

/// How many rows that were left out an import remembers; the others are counted.
pub const LEFT_OUT_SHOWN: usize = 100;

/// A row of a file that says something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportRow {
    /// The line that it begins in, the first being 1.
    pub line: u64,
    /// What the product is called in it, for telling of it.
    pub title: String,
    /// What is to be done.
    pub change: RowChange,
}

/// What a row is to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RowChange {
    /// Makes a product.
    Make(Box<NewRow>),
    /// Changes one.
    Change(Box<ChangedRow>),
}

/// A product that a row makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewRow {
    /// What it is called.
    pub title: String,
    /// What is said of it.
    pub description: String,
    /// Of one unit.
    pub price: Money,
    /// Units available.
    pub stock: u32,
    /// Category.
    pub category: String,
    /// The most that an order may have.
    pub max_per_order: Option<u32>,
}

/// What a row changes of a product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangedRow {
    /// Which.
    pub product: ProductId,
    /// Its fields.
    pub patch: ProductPatch,
    /// What is to be available.
    pub stock: Option<u32>,
    /// What was available when the file was written, if it says so.
    pub stock_seen: Option<i64>,
}

/// A row that was left out, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The line that it begins in.
    pub line: u64,
    /// What the product is called in it.
    pub title: String,
    /// What is wrong.
    pub what: Vec<String>,
}

/// What became of the rows so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// Rows that made a product.
    pub made: u64,
    /// Rows that changed one.
    pub changed: u64,
    /// Rows after which all is as before.
    pub same: u64,
    /// Rows that were left out, the first of them.
    pub left_out: Vec<LeftOut>,
    /// How many more were left out.
    pub more_left_out: u64,
    /// Lines of rows that change a product and were carried out, by this run or an earlier one: they are not
    /// carried out again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub applied: Vec<u64>,
}

impl Tally {
    /// Notes a row that was left out.
    pub fn leave_out(&mut self, row: LeftOut) {
        if self.left_out.len() < LEFT_OUT_SHOWN {
            self.left_out.push(row);
        } else {
            self.more_left_out += 1;
        }
    }

    /// How many rows were left out.
    #[must_use]
    pub fn left_out_count(&self) -> u64 {
        u64::try_from(self.left_out.len()).unwrap_or(u64::MAX).saturating_add(self.more_left_out)
    }
}

/// The stock of the row that is being worked on, noted before it is set: whoever goes on after a
/// crash learns by its version whether it can have been set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StockNote {
    /// Which of the rows, counted from 0.
    pub row: u64,
    /// What was available.
    pub available: i64,
    /// The version of the stock.
    #[serde(default)]
    pub version: u64,
}

/// An import, as stored; its rows are kept beside it until it is finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Import {
    /// Made of the seller and the digest: [`Import::id_of`].
    pub id: ImportId,
    /// Whose products.
    pub seller: UserId,
    /// The file's SHA-256, in hexadecimal digits.
    pub digest: String,
    /// The file's name, as the browser said.
    pub name: String,
    /// When the file was taken for the first time. The ids of what it makes begin with it.
    pub created_at: Timestamp,
    /// When it was taken for the last time.
    pub started_at: Timestamp,
    /// How often it was taken.
    pub run: u32,
    /// How many rows there are to work on.
    pub rows: u64,
    /// How many of them are done.
    pub done: u64,
    /// See [`StockNote`].
    pub note: Option<StockNote>,
    /// Lines whose stock was set, or may have been when a crash came, by this run or an earlier one:
    /// it is not set again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stock_set: Vec<u64>,
    /// How often in a row it could not go on.
    pub attempts: u32,
    /// What became of the rows.
    pub tally: Tally,
    /// When it was finished.
    pub finished_at: Option<Timestamp>,
    /// When to work on it, while it is not finished: whoever works on it puts this off.
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

    /// The id of the product that the row in `line` makes: the second of the import, then five bytes
    /// of the import's own, then the line, so that products are listed in the order of their rows.
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

    /// What was noted of the stock before the row at `at` was worked on.
    #[must_use]
    pub fn noted(&self, at: u64) -> Option<StockNote> {
        self.note.filter(|note| note.row == at)
    }
}

/// What is to be done about the stock of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StockStep {
    /// Nothing: it is as it should be.
    Leave,
    /// Set it to `to` if `seen` is available.
    Set {
        /// What is to be available.
        to: u32,
        /// What must be available before.
        seen: i64,
    },
    /// Nothing: it has changed since it was noted, perhaps by the attempt that a crash cut off.
    Unsure,
}

impl ChangedRow {
    /// What is to be done about the stock, which is `level` now. `noted` is what it was before an
    /// attempt that may have set it.
    #[must_use]
    pub fn stock_step(&self, level: Option<&StockLevel>, noted: Option<StockNote>) -> StockStep {
        let Some(to) = self.stock else { return StockStep::Leave };
        let now = level.map_or(0, StockLevel::available);
        if self.stock_seen == Some(i64::from(to)) || now == i64::from(to) {
            // A number that the file was written with is no wish to set it.
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
