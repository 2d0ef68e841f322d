//! Products as a CSV file, and back.
//!
//! A cell that a spreadsheet would take for a formula gets a `'` before it, which is taken away
//! again when the file comes back.
//!
//! **Invariant:** what was exported and comes back unchanged changes nothing.

use super::fields::{self, Fields, Wrong};
use crate::{
    actors::catalogue::snapshots::Snapshot,
    domain::ids::ProductId,
    http::{error::ApiError, pages::format},
};

/// The columns, as exported.
const COLUMNS: [&str; 7] = ["id", "title", "description", "price", "currency", "stock", "category"];
/// The most rows of a file.
pub const ROWS_MAX: usize = 2_000;

/// A row that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its place in the file, the head being 1.
    pub line: u64,
    /// What it is called, for telling of it.
    pub title: String,
    /// Which product it is; a new one when absent.
    pub id: Option<ProductId>,
    /// Its fields, or what is wrong.
    pub fields: Result<Fields, Wrong>,
}

/// Why a file cannot be read at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// There is nothing in it.
    #[error("the file has no rows")]
    Empty,
    /// A column is not there.
    #[error("the file has no column {0}; the first line names the columns: {columns}", columns = COLUMNS.join(", "))]
    NoColumn(&'static str),
    /// Too many.
    #[error("a file has at most {ROWS_MAX} rows; send it in parts")]
    TooMany,
    /// Not CSV.
    #[error("line {0} cannot be read: the file must be CSV in UTF-8")]
    NotCsv(u64),
}

/// What a spreadsheet takes for the beginning of a formula, or what guards against it.
fn is_risky(cell: &str) -> bool {
    cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\''])
}

fn guarded(cell: &str) -> String {
    if is_risky(cell) { format!("'{cell}") } else { cell.to_owned() }
}

fn unguarded(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|rest| is_risky(rest)).unwrap_or(cell)
}

/// The file of these products.
///
/// # Errors
/// [`ApiError::Internal`], which no product causes.
pub fn write<'a>(products: impl IntoIterator<Item = &'a Snapshot>) -> Result<Vec<u8>, ApiError> {
    let failed = |error: csv::Error| ApiError::Internal(error.to_string());
    let mut out = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(vec![]);
    out.write_record(COLUMNS).map_err(failed)?;
    for snapshot in products {
        let product = &snapshot.product;
        let row = [
            product.id.to_hex(),
            guarded(&product.title),
            guarded(&product.description),
            format::plain(product.price.minor()),
            product.price.currency().code().to_owned(),
            snapshot.stock().max(0).to_string(),
            guarded(&product.category),
        ];
        out.write_record(&row).map_err(failed)?;
    }
    out.into_inner().map_err(|error| ApiError::Internal(error.to_string()))
}

/// The line that a record begins in. The reader's own count is one short where lines end with a
/// carriage return as well: it puts the record before the line feed.
fn line(bytes: &[u8], position: Option<&csv::Position>) -> u64 {
    let at = position.and_then(|position| usize::try_from(position.byte()).ok()).unwrap_or(0);
    let (before, after) = bytes.split_at(at.min(bytes.len()));
    let skipped = after.iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
    let ends = before.iter().chain(skipped).filter(|byte| **byte == b'\n').count();
    u64::try_from(ends).map_or(u64::MAX, |ends| ends.saturating_add(1))
}

/// Reads a file; what is wrong with a row is told with it.
///
/// # Errors
/// [`Unreadable`].
pub fn read(bytes: &[u8]) -> Result<Vec<Row>, Unreadable> {
    // Spreadsheets put a mark before the first column's name.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut file = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::Headers).from_reader(bytes);
    let head = file.headers().map_err(|_| Unreadable::NotCsv(1))?.clone();
    let place = |name: &str| head.iter().position(|found| found.eq_ignore_ascii_case(name));
    for name in ["title", "price"] {
        place(name).ok_or(Unreadable::NoColumn(name))?;
    }
    let mut rows = vec![];
    for record in file.records() {
        let record = record.map_err(|error| Unreadable::NotCsv(line(bytes, error.position())))?;
        if rows.len() == ROWS_MAX {
            return Err(Unreadable::TooMany);
        }
        let cell = |name: &str| place(name).and_then(|at| record.get(at)).map_or("", unguarded);
        let mut fields = fields::read(cell);
        let id = match cell("id").trim() {
            "" => None,
            text => match text.parse() {
                Ok(id) => Some(id),
                Err(_) => {
                    let mut wrong = fields.err().unwrap_or_default();
                    wrong.insert(0, ("id", "is not one of this shop; leave it empty for a new product".into()));
                    fields = Err(wrong);
                    None
                }
            },
        };
        rows.push(Row {
            line: line(bytes, record.position()),
            title: cell("title").chars().take(80).collect(),
            id,
            fields,
        });
    }
    if rows.is_empty() { Err(Unreadable::Empty) } else { Ok(rows) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formula_is_guarded_and_comes_back_as_it_was() {
        for cell in ["=1+1", "+x", "-3", "@a", "'quoted", "'=x", "''", "plain", "", "a=b", "\tx"] {
            let kept = guarded(cell);
            assert!(!kept.starts_with(['=', '+', '-', '@', '\t', '\r']), "{kept}");
            assert_eq!(unguarded(&kept), cell);
        }
        assert_eq!(unguarded("'n roll"), "'n roll");
    }

    #[test]
    fn rows_are_read_with_what_is_wrong_in_them() {
        let file = "\u{feff}Title,PRICE,stock,id\r\nLamp,499.50,3,\r\n\"Two\nlines\",x,1,\r\n'=cmd,1,1,zz\r\n,,,\r\n";
        let rows = read(file.as_bytes()).unwrap();
        assert_eq!(rows.len(), 4);
        assert_eq!((rows[0].line, rows[0].fields.as_ref().unwrap().price.minor()), (2, 49_950));
        assert_eq!((rows[1].line, rows[1].fields.as_ref().unwrap_err()[0].0), (3, "price"));
        assert_eq!((rows[2].line, rows[2].title.as_str()), (5, "=cmd"));
        assert_eq!(rows[2].fields.as_ref().unwrap_err()[0].0, "id");
        assert!(rows[3].fields.is_err());
    }

    #[test]
    fn what_is_no_such_file_is_refused() {
        assert_eq!(read(b""), Err(Unreadable::NoColumn("title")));
        assert_eq!(read(b"title,price\n"), Err(Unreadable::Empty));
        assert_eq!(read(b"title\nx\n"), Err(Unreadable::NoColumn("price")));
        assert_eq!(read(b"title,price\n\xff,1\n"), Err(Unreadable::NotCsv(2)));
        let many = format!("title,price\n{}", "x,1\n".repeat(ROWS_MAX + 1));
        assert_eq!(read(many.as_bytes()), Err(Unreadable::TooMany));
    }
}
