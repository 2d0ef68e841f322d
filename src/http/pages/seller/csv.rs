//! Export of products to CSV, and parsing of such files.
//!
//! A cell that a spreadsheet would read as a formula gets a `'` in front, which is removed when the file is read. The
//! column `stockSeen` has the stock at the time of the export, so that a stock that was not edited in the file does
//! not overwrite later sales; the column `seen` has a short hash of each other field for the same purpose.
//!
//! Files are read as spreadsheets write them: columns separated by commas, semicolons or tabs, a line `sep=;` before
//! them, UTF-8 or UTF-16. An ambiguous file is refused as a whole: a row with more or fewer cells than columns, or a
//! quote that is never closed.
//!
//! **Invariant:** importing an unchanged export changes nothing.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_16BE, UTF_16LE};
use sha2::{Digest, Sha256};

use super::fields::{self, FieldErrors, Fields};
use crate::{
    domain::{ids::ProductId, product::Offer},
    http::{error::ApiError, pages::format},
};

/// The columns, as exported.
pub const COLUMNS: [&str; 10] =
    ["id", "title", "description", "price", "currency", "stock", "category", "maxPerOrder", "stockSeen", "seen"];
/// The columns whose hash is in `seen`.
const HASHED: [&str; 6] = ["title", "description", "price", "currency", "category", "maxPerOrder"];
/// How many hexadecimal digits a hash has.
const HASH_DIGITS: usize = 8;
/// The most rows of a file.
pub const ROWS_MAX: usize = 2_000;
/// The separators that are recognised.
const SEPARATORS: [u8; 3] = [b',', b';', b'\t'];
/// How many rows with a wrong number of cells an error lists.
const NAMED: usize = 5;

/// A parsed file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    pub rows: Vec<Row>,
    /// Names of columns that are ignored.
    pub unknown: Vec<String>,
}

/// A parsed row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its position in the file; the header is 1.
    pub line: u64,
    /// The title, for messages.
    pub title: String,
    /// The product; `None` for a new one.
    pub id: Option<ProductId>,
    /// The fields, or their errors.
    pub fields: Result<Fields, FieldErrors>,
    /// The stock at the time of the export.
    pub stock_seen: Option<i64>,
}

/// Why a file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("the file has no rows")]
    Empty,
    #[error(
        "the file has no column {0}; the first line names the columns ({columns}), separated by commas, semicolons or tabs",
        columns = COLUMNS.join(", ")
    )]
    NoColumn(&'static str),
    #[error("the file has the column {0} more than once")]
    TwiceTheColumn(&'static str),
    #[error("a file has at most {ROWS_MAX} rows; send it in parts")]
    TooMany,
    /// The file is a spreadsheet's workbook.
    #[error("the file is a workbook of a spreadsheet program; save it as “CSV UTF-8” and send that")]
    Workbook,
    #[error("the file is not text; save it as “CSV UTF-8” and send that")]
    NoText,
    /// Characters in another encoding.
    #[error("line {0} cannot be read: its letters are not in UTF-8; save the file as “CSV UTF-8” and send that")]
    NotUtf8(u64),
    /// A quote that is never closed.
    #[error("line {0}: a quote is opened and never closed; nothing was imported")]
    Unclosed(u64),
    /// Text after a closing quote.
    #[error("line {0}: text follows a closing quote; write a quote within quotes twice. Nothing was imported")]
    BehindQuote(u64),
    #[error("{}", other_lengths(.columns, .rows))]
    OtherLength {
        /// The number of columns.
        columns: usize,
        /// The first lines concerned, with the number of cells of each.
        rows: Vec<(u64, usize)>,
    },
    /// Another CSV error.
    #[error("line {0} cannot be read as CSV")]
    NotCsv(u64),
}

fn other_lengths(columns: &usize, rows: &[(u64, usize)]) -> String {
    let lines: Vec<String> = rows.iter().map(|(line, cells)| format!("line {line} has {cells} cells")).collect();
    let lines = lines.join(", ");
    format!(
        "{lines}, but the first line names {columns} columns. A text with a separator in it, like \"1,299\", goes into \
         quotes; nothing of the file was taken"
    )
}

/// Whether a spreadsheet would read the cell as a formula, or the cell starts with the escape character.
fn is_risky(cell: &str) -> bool {
    cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\''])
}

fn guarded(cell: &str) -> String {
    if is_risky(cell) { format!("'{cell}") } else { cell.to_owned() }
}

fn unguarded(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|rest| is_risky(rest)).unwrap_or(cell)
}

/// The hash of a field of a product; the same for every notation of the same value.
fn hash(id: ProductId, name: &str, text: &str, currency: &str) -> String {
    let plain = fields::plain(name, text, currency);
    let digest = Sha256::new().chain_update(id.as_slice()).chain_update(name).chain_update([0]).chain_update(plain);
    hex::encode(digest.finalize()).chars().take(HASH_DIGITS).collect()
}

/// The value of the column `seen` for a product: `title:0a1b2c3d description:...`.
fn seen<'a>(id: ProductId, text: impl Fn(&str) -> &'a str) -> String {
    let of = |name: &str| format!("{name}:{}", hash(id, name, text(name), text("currency")));
    HASHED.map(of).join(" ")
}

/// The hashes in a cell of the column `seen`; empty when the cell is malformed.
fn seen_hashes(cell: &str) -> Vec<(&str, &str)> {
    let hashes: Option<Vec<_>> = cell.split_whitespace().map(|word| word.split_once(':')).collect();
    let is_whole = |hashes: &Vec<(&str, &str)>| {
        hashes.iter().all(|(name, hash)| {
            HASHED.contains(name) && hash.len() == HASH_DIGITS && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    };
    hashes.filter(is_whole).unwrap_or_default()
}

/// Writes the products as a file. It starts with a byte order mark, by which spreadsheets recognise UTF-8.
///
/// # Errors
/// [`ApiError::Internal`], which no product causes.
pub fn write<'a>(products: impl IntoIterator<Item = &'a Offer>) -> Result<Vec<u8>, ApiError> {
    let failed = |error: csv::Error| ApiError::Internal(error.to_string());
    let begun = "\u{feff}".as_bytes().to_vec();
    let mut out = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(begun);
    out.write_record(COLUMNS).map_err(failed)?;
    for offer in products {
        let product = &offer.product;
        let stock = offer.available.max(0).to_string();
        let price = format::plain(product.price.minor());
        let max_per_order = product.max_per_order.map(|max| max.to_string()).unwrap_or_default();
        let text = |name: &str| match name {
            "title" => product.title.as_str(),
            "description" => &product.description,
            "price" => &price,
            "currency" => product.price.currency().code(),
            "stock" | "stockSeen" => &stock,
            "category" => &product.category,
            "maxPerOrder" => &max_per_order,
            _ => "",
        };
        let cell = |name: &str| match name {
            "id" => product.id.to_hex(),
            "title" | "description" | "category" => guarded(text(name)),
            "seen" => seen(product.id, text),
            _ => text(name).to_owned(),
        };
        out.write_record(COLUMNS.map(cell)).map_err(failed)?;
    }
    out.into_inner().map_err(|error| ApiError::Internal(error.to_string()))
}

/// How many lines end in `bytes`: with a line feed, a carriage return, or both.
fn line_ends(bytes: &[u8]) -> u64 {
    let ends = bytes.iter().enumerate().filter(|(at, byte)| match byte {
        b'\n' => true,
        b'\r' => bytes.get(at + 1) != Some(&b'\n'),
        _ => false,
    });
    u64::try_from(ends.count()).unwrap_or(u64::MAX)
}

/// The line of a byte position.
fn line_of(bytes: &[u8], at: usize) -> u64 {
    line_ends(bytes.get(..at).unwrap_or(bytes)).saturating_add(1)
}

/// The line in which a record starts; the reader reports positions before the line breaks that it skips.
fn line(bytes: &[u8], position: Option<&csv::Position>) -> u64 {
    let at = position.and_then(|position| usize::try_from(position.byte()).ok()).unwrap_or(0).min(bytes.len());
    let skipped = bytes.iter().skip(at).take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    line_of(bytes, at + skipped)
}

/// The text of a file in UTF-8 or UTF-16.
fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, Unreadable> {
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"\xd0\xcf\x11\xe0") {
        return Err(Unreadable::Workbook);
    }
    if bytes.starts_with(b"\xff\xfe\0\0") || bytes.starts_with(b"\0\0\xfe\xff") {
        return Err(Unreadable::NoText);
    }
    let text = match Encoding::for_bom(bytes) {
        Some((encoding, mark)) if encoding == UTF_16LE || encoding == UTF_16BE => {
            utf_16(encoding, bytes.get(mark..).unwrap_or_default())?
        }
        // Spreadsheets write a byte order mark before the first column's name.
        Some((_, mark)) => utf_8(bytes.get(mark..).unwrap_or_default())?,
        None => match without_mark(bytes) {
            Some(encoding) => utf_16(encoding, bytes)?,
            None => utf_8(bytes)?,
        },
    };
    if text.contains('\0') { Err(Unreadable::NoText) } else { Ok(text) }
}

fn utf_8(bytes: &[u8]) -> Result<Cow<'_, str>, Unreadable> {
    let text = std::str::from_utf8(bytes).map_err(|error| Unreadable::NotUtf8(line_of(bytes, error.valid_up_to())))?;
    Ok(text.into())
}

fn utf_16<'a>(encoding: &'static Encoding, bytes: &'a [u8]) -> Result<Cow<'a, str>, Unreadable> {
    encoding.decode_without_bom_handling_and_without_replacement(bytes).ok_or(Unreadable::NoText)
}

/// UTF-16 without a byte order mark is recognised by the header: every other byte is zero.
fn without_mark(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = bytes.get(..8.min(bytes.len())).unwrap_or_default();
    let zeros = |first: usize| head.iter().skip(first).step_by(2).all(|byte| *byte == 0);
    match head.len() {
        8 if zeros(1) && !zeros(0) => Some(UTF_16LE),
        8 if zeros(0) && !zeros(1) => Some(UTF_16BE),
        _ => None,
    }
}

/// The separator that a line `sep=;` before the header names, and the length of that line.
fn named_separator(text: &str) -> Option<(u8, usize)> {
    let end = text.find(['\r', '\n']).unwrap_or(text.len());
    let first = text.get(..end)?.trim_matches('"');
    let named = first.get(..4).filter(|head| head.eq_ignore_ascii_case("sep=")).and_then(|_| first.get(4..))?;
    let separator = *named.as_bytes().first().filter(|byte| SEPARATORS.contains(byte) && named.len() == 1)?;
    let rest = text.get(end..).unwrap_or_default();
    let ends = if rest.starts_with("\r\n") { 2 } else { usize::from(!rest.is_empty()) };
    Some((separator, end + ends))
}

/// The separator with which the header has the most known columns.
fn guessed_separator(text: &str) -> u8 {
    let first = text.split(['\r', '\n']).find(|line| !line.trim().is_empty()).unwrap_or_default();
    let known = |separator: &u8| {
        let cells = first.split(char::from(*separator));
        cells.filter(|cell| column(cell.trim().trim_matches('"')).is_some()).count()
    };
    // `max_by_key` returns the last maximum; the first one is wanted.
    SEPARATORS.into_iter().rev().max_by_key(known).unwrap_or(b',')
}

/// The known column of this name, in any notation.
fn column(name: &str) -> Option<&'static str> {
    COLUMNS.into_iter().find(|known| known.eq_ignore_ascii_case(name.trim()))
}

/// Checks that every quote that opens a cell is closed. The CSV reader would read an open cell to the end of the
/// file.
fn check_quotes(text: &str, separator: u8) -> Result<(), Unreadable> {
    let bytes = text.as_bytes();
    // Where the quoted cell was opened, whether it was closed, and whether a cell starts here.
    let (mut opened, mut closed, mut begins) = (None, false, true);
    let mut at = 0;
    while let Some(byte) = bytes.get(at).copied() {
        let ends = byte == separator || matches!(byte, b'\r' | b'\n');
        match opened {
            Some(_) if closed && ends => (opened, closed, begins) = (None, false, true),
            Some(_) if closed => return Err(Unreadable::BehindQuote(line_of(bytes, at))),
            Some(_) if byte == b'"' && bytes.get(at + 1) == Some(&b'"') => at += 1,
            Some(_) => closed = byte == b'"',
            None if byte == b'"' && begins => opened = Some(at),
            None => begins = ends,
        }
        at += 1;
    }
    match opened {
        Some(opened) if !closed => Err(Unreadable::Unclosed(line_of(bytes, opened))),
        _ => Ok(()),
    }
}

/// The positions of the columns, and unknown column names.
struct Head {
    places: Vec<(&'static str, usize)>,
    unknown: Vec<String>,
}

impl Head {
    fn of(head: &csv::StringRecord) -> Result<Self, Unreadable> {
        let (mut places, mut unknown) = (Vec::<(&'static str, usize)>::new(), vec![]);
        for (at, name) in head.iter().enumerate() {
            match column(name) {
                Some(name) if places.iter().any(|(known, _)| *known == name) => {
                    return Err(Unreadable::TwiceTheColumn(name));
                }
                Some(name) => places.push((name, at)),
                None if name.trim().is_empty() => {}
                None => unknown.push(name.trim().chars().take(40).collect()),
            }
        }
        let head = Self { places, unknown };
        // A row with an id needs no other column; a new product does.
        let missing = ["title", "price"].into_iter().find(|name| head.place(name).is_none());
        match missing.filter(|_| head.place("id").is_none()) {
            Some(name) => Err(Unreadable::NoColumn(name)),
            None => Ok(head),
        }
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.places.iter().find(|(known, _)| *known == name).map(|(_, at)| *at)
    }

    fn row(&self, record: &csv::StringRecord, line: u64) -> Row {
        let cell = |name: &str| self.place(name).and_then(|at| record.get(at)).map(unguarded);
        let id_text = cell("id").unwrap_or_default().trim();
        let id: Option<ProductId> = id_text.parse().ok();
        // An empty cell counts as absent where an empty value has no meaning.
        let silent: &[&str] =
            if id_text.is_empty() { &["currency", "stock"] } else { &["title", "price", "currency", "stock"] };
        let says = |name: &str, text: &str| !text.trim().is_empty() || !silent.contains(&name);
        // So does a cell with the exported value; an amount also depends on its currency.
        let seen = seen_hashes(cell("seen").unwrap_or_default());
        let is_as_seen = |name: &str| {
            let was = seen.iter().find(|(known, _)| *known == name).map(|(_, hash)| *hash);
            let is = |id, text| hash(id, name, text, cell("currency").unwrap_or_default().trim());
            was.is_some_and(|was| id.zip(cell(name)).is_some_and(|(id, text)| is(id, text).eq_ignore_ascii_case(was)))
        };
        let is_left = |name: &str| match name {
            "price" | "currency" => {
                let is_silent = |name: &str| cell(name).is_none_or(|text| text.trim().is_empty());
                ["price", "currency"].into_iter().all(|name| is_silent(name) || is_as_seen(name))
            }
            _ => is_as_seen(name),
        };
        let mut fields = fields::read(|name| cell(name).filter(|text| says(name, text) && !is_left(name)));
        let mut refuse = |field, what: &str| {
            let mut wrong = fields.clone().err().unwrap_or_default();
            wrong.insert(0, (field, what.to_owned()));
            fields = Err(wrong);
        };
        let seen = cell("stockSeen").unwrap_or_default().trim();
        let stock_seen: Option<i64> = seen.parse().ok();
        if stock_seen.is_none() && !seen.is_empty() {
            refuse("stockSeen", "is not as it was exported; leave it as it is");
        }
        if id.is_none() && !id_text.is_empty() {
            refuse("id", "is not one of this shop; leave it empty for a new product");
        }
        let title = cell("title").unwrap_or_default().chars().take(80).collect();
        Row { line, title, id, fields, stock_seen }
    }
}

/// Parses a file; errors in a row's values are part of the row.
///
/// # Errors
///
/// [`Unreadable`] when the file is malformed or ambiguous.
pub fn read(bytes: &[u8]) -> Result<Sheet, Unreadable> {
    let decoded = decode(bytes)?;
    let (separator, begin) = named_separator(&decoded).unwrap_or_else(|| (guessed_separator(&decoded), 0));
    let text = decoded.get(begin..).unwrap_or_default();
    let before = line_ends(decoded.get(..begin).unwrap_or_default().as_bytes());
    let mut sheet = read_text(text, separator).map_err(|error| error.shifted(before))?;
    sheet.rows.iter_mut().for_each(|row| row.line += before);
    Ok(sheet)
}

impl Unreadable {
    /// The same error for a text that starts `by` lines later in the file.
    fn shifted(self, by: u64) -> Self {
        match self {
            Self::Unclosed(line) => Self::Unclosed(line + by),
            Self::BehindQuote(line) => Self::BehindQuote(line + by),
            Self::NotCsv(line) => Self::NotCsv(line + by),
            Self::OtherLength { columns, rows } => {
                Self::OtherLength { columns, rows: rows.into_iter().map(|(line, cells)| (line + by, cells)).collect() }
            }
            other => other,
        }
    }
}

fn read_text(text: &str, separator: u8) -> Result<Sheet, Unreadable> {
    check_quotes(text, separator)?;
    let bytes = text.as_bytes();
    let mut reader = csv::ReaderBuilder::new();
    reader.flexible(true).delimiter(separator).trim(csv::Trim::Headers);
    let mut file = reader.from_reader(bytes);
    let columns = file.headers().map_err(|_| Unreadable::NotCsv(1))?.clone();
    let head = Head::of(&columns)?;
    let (mut rows, mut others) = (vec![], vec![]);
    for record in file.records() {
        let record = record.map_err(|error| Unreadable::NotCsv(line(bytes, error.position())))?;
        let line = line(bytes, record.position());
        if let Some(cells) = other_length(&columns, &record) {
            others.push((line, cells));
            if others.len() == NAMED {
                break;
            }
        }
        if rows.len() == ROWS_MAX {
            return Err(Unreadable::TooMany);
        }
        rows.push(head.row(&record, line));
    }
    if !others.is_empty() {
        return Err(Unreadable::OtherLength { columns: named(&columns), rows: others });
    }
    if rows.is_empty() { Err(Unreadable::Empty) } else { Ok(Sheet { rows, unknown: head.unknown }) }
}

/// How many columns the header names, without nameless ones at its end.
fn named(columns: &csv::StringRecord) -> usize {
    columns.iter().enumerate().filter(|(_, name)| !name.trim().is_empty()).last().map_or(0, |(last, _)| last + 1)
}

/// How many cells a row has, if that differs from the header. A cell under a nameless column counts as one too many:
/// spreadsheets write a separator at the end of a line, and a shifted row would go unnoticed. Only a nameless first
/// column, in which programs write a row number, is ignored.
fn other_length(columns: &csv::StringRecord, row: &csv::StringRecord) -> Option<usize> {
    if row.len() != columns.len() {
        return Some(row.len());
    }
    let hidden = |at: usize| at > 0 && columns.get(at).is_some_and(|name| name.trim().is_empty());
    let filled = |at: usize| row.get(at).is_some_and(|cell| !cell.trim().is_empty());
    (0..row.len()).rfind(|at| hidden(*at) && filled(*at)).map(|_| row.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::money::Currency;

    #[test]
    fn formulas_are_escaped_and_unescaped() {
        for cell in ["=1+1", "+x", "-3", "@a", "'quoted", "'=x", "''", "plain", "", "a=b", "\tx"] {
            let kept = guarded(cell);
            assert!(!kept.starts_with(['=', '+', '-', '@', '\t', '\r']), "{kept}");
            assert_eq!(unguarded(&kept), cell);
        }
        assert_eq!(unguarded("'n roll"), "'n roll");
    }

    fn rows(file: &[u8]) -> Vec<Row> {
        read(file).unwrap().rows
    }

    #[test]
    fn rows_are_parsed_with_their_errors() {
        let file = "\u{feff}Title,PRICE,stock,id\r\nLamp,499.50,3,\r\n\"Two\nlines\",x,1,\r\n'=cmd,1,1,zz\r\n,,,\r\n";
        let rows = rows(file.as_bytes());
        assert_eq!(rows.len(), 4);
        assert_eq!((rows[0].line, rows[0].fields.as_ref().unwrap().price.unwrap().minor), (2, 49_950));
        assert_eq!((rows[1].line, rows[1].fields.as_ref().unwrap_err()[0].0), (3, "price"));
        assert_eq!((rows[2].line, rows[2].title.as_str()), (5, "=cmd"));
        assert_eq!(rows[2].fields.as_ref().unwrap_err()[0].0, "id");
        assert!(rows[3].fields.is_err());
    }

    #[test]
    fn absent_cells_are_none() {
        let id = ProductId::generate();
        let only = &rows(format!("id,stock\n{id},7\n").as_bytes())[0];
        assert_eq!((only.id, &only.fields), (Some(id), &Ok(Fields { stock: Some(7), ..Fields::default() })));
        // An empty cell of a known product keeps a required field and clears an optional one.
        let file = format!("id,title,description,price,currency,stock,maxPerOrder\n{id},,,,,,\n");
        let empty = Fields { description: Some(String::new()), max_per_order: Some(None), ..Fields::default() };
        assert_eq!(rows(file.as_bytes())[0].fields, Ok(empty));
        let new = &rows(b"id,title,price,stock\n,,,\n")[0];
        assert!(new.fields.is_err(), "a new one needs a title and a price");
    }

    #[test]
    fn unchanged_fields_are_none() {
        let id = ProductId::generate();
        let was = |name: &str| match name {
            "title" => "=Lamp",
            "description" => "Warm\nlight",
            "price" => "1299.50",
            "currency" => "INR",
            "maxPerOrder" => "3",
            _ => "",
        };
        let file = |id: &str, cells: &str, seen: &str| {
            let head = "id,title,description,price,currency,stock,category,maxPerOrder,stockSeen,seen";
            rows(format!("{head}\n{id},{cells},{seen}\n").as_bytes()).remove(0)
        };
        let (known, seen) = (id.to_hex(), seen(id, was));
        assert!(seen.starts_with("title:") && seen.split(' ').count() == HASHED.len() && !seen.contains(','));
        let as_it_was = "'=Lamp,\"Warm\r\nlight\",1299.50,INR,5,,3,5";
        let stock = Some(5);
        let none = Ok(Fields { stock, ..Fields::default() });
        // As a spreadsheet writes it again.
        for cells in
            [as_it_was, "=Lamp,\"Warm\nlight \",1299.5,INR,5, ,3,5", "=Lamp,\"Warm\nlight\",\"₹1,299.50\",INR,5,,3,5"]
        {
            assert_eq!(file(&known, cells, &seen).fields, none, "{cells}");
        }
        let dearer = file(&known, "=Lamp,\"Warm\nlight\",1300,INR,5,,4,5", &seen).fields.unwrap();
        assert_eq!((dearer.price.unwrap().minor, dearer.currency, dearer.title), (130_000, Some(Currency::Inr), None));
        assert_eq!((dearer.max_per_order, dearer.description), (Some(Some(4)), None));
        let dollars = file(&known, &as_it_was.replace("INR", "USD"), &seen).fields.unwrap();
        assert_eq!((dollars.price.unwrap().minor, dollars.currency), (129_950, Some(Currency::Usd)));
        // A row without the column, or with a broken or another product's value, is read in full.
        let all = file(&known, as_it_was, "").fields;
        assert_eq!(all.as_ref().unwrap().title.as_deref(), Some("=Lamp"));
        let other = ProductId::generate().to_hex();
        for (id, seen) in [(&other, &*seen), (&known, &seen[1..]), (&known, "title:1234567"), (&known, "x")] {
            assert_eq!(file(id, as_it_was, seen).fields, all, "{id} {seen}");
        }
        let new = file("", as_it_was, &seen).fields.unwrap();
        assert_eq!((new.title.as_deref(), new.description.as_deref()), (Some("=Lamp"), Some("Warm\nlight")));
    }

    #[test]
    fn other_separators_and_encodings_are_read_as_the_same_file() {
        let plain = "title,price,category\nLéon,\"1,299\",\"a; b\"\n";
        let semicolons = "title;price;category\nLéon;1,299;\"a; b\"\n";
        let tabs = "title\tprice\tcategory\r\nLéon\t1,299\ta; b\r\n";
        let same = rows(plain.as_bytes());
        let price = same[0].fields.as_ref().unwrap().price.unwrap().minor;
        assert_eq!((same[0].title.as_str(), price), ("Léon", 129_900));
        let utf_16 = |text: &str, little: bool, mark: bool| -> Vec<u8> {
            let text = if mark { format!("\u{feff}{text}") } else { text.to_owned() };
            text.encode_utf16().flat_map(|unit| if little { unit.to_le_bytes() } else { unit.to_be_bytes() }).collect()
        };
        for file in [semicolons.to_owned(), tabs.to_owned(), plain.replace('\n', "\r")] {
            assert_eq!(rows(file.as_bytes()), same, "{file}");
        }
        for (little, mark) in [(true, true), (false, true), (true, false), (false, false)] {
            assert_eq!(rows(&utf_16(tabs, little, mark)), same, "{little} {mark}");
        }
        for named in ["sep=;\n", "sep=;\r\n", "SEP=;\n", "\"sep=;\"\n", "\u{feff}sep=;\n"] {
            let shifted = rows(format!("{named}{semicolons}").as_bytes());
            assert_eq!((shifted[0].line, &shifted[0].fields), (3, &same[0].fields), "{named}");
        }
        assert_eq!(rows(format!("sep=\t\n{tabs}").as_bytes())[0].fields, same[0].fields);
        let unknown = read(b"title,price,colour,\nLamp,1,red,\n").unwrap().unknown;
        assert_eq!(unknown, ["colour"]);
    }

    #[test]
    fn an_ambiguous_file_is_refused_with_the_line() {
        let other = |columns, rows: &[(u64, usize)]| Err(Unreadable::OtherLength { columns, rows: rows.to_vec() });
        assert_eq!(read(b"title,price,stock,category\nLamp,1,299,5,Home\n"), other(4, &[(2, 5)]));
        assert_eq!(read(b"title,price,stock\nA,1,1\nB,2\n\nC,3,1,9\n"), other(3, &[(3, 2), (5, 4)]));
        assert_eq!(read(b"sep=,\ntitle,price\nA\n"), other(2, &[(3, 1)]));
        assert_eq!(read(b"title,price,\nLamp,1,299\n"), other(2, &[(2, 3)]));
        assert_eq!(read(b"title,price,stock,\nLamp,1,299,5\nB,1,2,\n"), other(3, &[(2, 4)]));
        assert_eq!(read(b"title,price,,stock\nLamp,1,299,5\n"), other(4, &[(2, 4)]));
        assert_eq!(rows(b",title,price\n0,Lamp,1\n").len(), 1, "the number of a row");
        assert_eq!(read(b"title,price\nA,1\n\"B,2\nC,3\n"), Err(Unreadable::Unclosed(3)));
        assert_eq!(read(b"title,price\n\"A\"\"\nB,2\n"), Err(Unreadable::Unclosed(2)));
        assert_eq!(read(b"title,price\n\"A,1\nB \"x\",2\n"), Err(Unreadable::BehindQuote(3)));
        assert_eq!(rows(b"title,price\n\"5\"\" pipe\",1\n5\" pipe,2\n").len(), 2, "quotes within are text");
        let message = read(b"title,price,stock,category\nLamp,1,299,5,Home\n").unwrap_err().to_string();
        assert!(message.starts_with("line 2 has 5 cells, but the first line names 4 columns."), "{message}");
    }

    #[test]
    fn other_files_are_refused() {
        assert_eq!(read(b""), Err(Unreadable::NoColumn("title")));
        assert_eq!(read(b"title,price\n"), Err(Unreadable::Empty));
        assert_eq!(read(b"title\nx\n"), Err(Unreadable::NoColumn("price")));
        assert_eq!(read(b"title|price\nx|1\n"), Err(Unreadable::NoColumn("title")));
        assert_eq!(read(b"title,price,Title\nx,1,y\n"), Err(Unreadable::TwiceTheColumn("title")));
        assert_eq!(read(b"title,price\n\xff,1\n"), Err(Unreadable::NotUtf8(2)));
        assert_eq!(read(b"PK\x03\x04rest"), Err(Unreadable::Workbook));
        assert_eq!(read(b"title,price\nx\0,1\n"), Err(Unreadable::NoText));
        let many = format!("title,price\n{}", "x,1\n".repeat(ROWS_MAX + 1));
        assert_eq!(read(many.as_bytes()), Err(Unreadable::TooMany));
    }
}
