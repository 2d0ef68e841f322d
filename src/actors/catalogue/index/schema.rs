//! The fields of the index.
//!
//! **Invariant:** a change here that alters what is on disk raises [`SCHEMA_VERSION`], so that indexes of older
//! programs are rebuilt.

use tantivy::{
    Index, TantivyDocument, Term,
    schema::{FAST, Field, INDEXED, IndexRecordOption, STRING, Schema, TextFieldIndexing, TextOptions},
    tokenizer::TextAnalyzer,
};

use super::words::WordTokenizer;
use crate::domain::{ids::ProductId, product::Product, text::fold};

/// The version of the index format on disk.
pub const SCHEMA_VERSION: u32 = 3;
/// The columns' names.
pub const ID_HIGH: &str = "id_high";
/// The last four bytes of the id.
pub const ID_LOW: &str = "id_low";
/// When the product was made, in milliseconds.
pub const CREATED: &str = "created";
/// Its price in minor units.
pub const PRICE: &str = "price";
/// Its category as written.
pub const CATEGORY_NAME: &str = "category_name";
const TOKENIZER: &str = "words";
const TITLE_TOKENIZER: &str = "title_words";

/// The fields of a product's document.
#[derive(Debug, Clone)]
pub struct Fields {
    /// The schema they are of.
    pub schema: Schema,
    /// Finds a product to replace or delete it.
    pub id: Field,
    /// Words of the title.
    pub title: Field,
    pub category_words: Field,
    /// Words of the description.
    pub description: Field,
    /// The category in lower case as one term, to filter by.
    pub category: Field,
    /// The seller's id, to leave out.
    pub seller: Field,
    /// A status that keeps it off sale, to leave out.
    pub off_sale: Field,
    id_high: Field,
    id_low: Field,
    created: Field,
    price: Field,
    category_name: Field,
}

impl Fields {
    /// The schema that this program writes.
    #[must_use]
    pub fn new() -> Self {
        let text = |tokenizer, norms| {
            TextOptions::default().set_indexing_options(
                TextFieldIndexing::default()
                    .set_tokenizer(tokenizer)
                    .set_index_option(IndexRecordOption::Basic)
                    .set_fieldnorms(norms),
            )
        };
        let mut schema = Schema::builder();
        let id = schema.add_bytes_field("id", INDEXED);
        let title = schema.add_text_field("title", text(TITLE_TOKENIZER, true));
        let category_words = schema.add_text_field("category_words", text(TITLE_TOKENIZER, false));
        let description = schema.add_text_field("description", text(TOKENIZER, false));
        let category = schema.add_text_field("category", STRING);
        let seller = schema.add_bytes_field("seller", INDEXED);
        let off_sale = schema.add_text_field("off_sale", STRING);
        let id_high = schema.add_u64_field(ID_HIGH, FAST);
        let id_low = schema.add_u64_field(ID_LOW, FAST);
        let created = schema.add_i64_field(CREATED, FAST);
        let price = schema.add_i64_field(PRICE, FAST);
        let category_name = schema.add_text_field(CATEGORY_NAME, TextOptions::default().set_fast("raw"));
        let schema = schema.build();
        Self {
            schema,
            id,
            title,
            category_words,
            description,
            category,
            seller,
            off_sale,
            id_high,
            id_low,
            created,
            price,
            category_name,
        }
    }

    /// The term that finds a product.
    #[must_use]
    pub fn id_term(&self, id: ProductId) -> Term {
        Term::from_field_bytes(self.id, id.as_slice())
    }

    /// The document of a product.
    #[must_use]
    pub fn document(&self, product: &Product) -> TantivyDocument {
        let (high, low) = split_id(product.id);
        let mut document = TantivyDocument::default();
        document.add_bytes(self.id, product.id.as_slice());
        document.add_text(self.title, &product.title);
        document.add_text(self.category_words, &product.category);
        document.add_text(self.description, &product.description);
        document.add_bytes(self.seller, product.seller.as_slice());
        if !product.status.is_live() {
            document.add_text(self.off_sale, product.status.as_str());
        }
        document.add_u64(self.id_high, high);
        document.add_u64(self.id_low, low);
        document.add_i64(self.created, product.created_at.as_millisecond());
        document.add_i64(self.price, product.price.minor());
        if !product.category.trim().is_empty() {
            document.add_text(self.category, fold(&product.category));
            document.add_text(self.category_name, product.category.trim());
        }
        document
    }
}

/// Registers the tokenizers of an index; needed whenever one is opened.
pub fn register_tokenizer(index: &Index) {
    for (name, is_title) in [(TOKENIZER, false), (TITLE_TOKENIZER, true)] {
        index.tokenizers().register(name, TextAnalyzer::builder(WordTokenizer { is_title }).build());
    }
}

/// The first eight and the last four bytes of an id, as numbers that sort like the id.
fn split_id(id: ProductId) -> (u64, u64) {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = id.bytes();
    (u64::from_be_bytes([a, b, c, d, e, f, g, h]), u64::from(u32::from_be_bytes([i, j, k, l])))
}

/// The id of the two numbers.
#[must_use]
pub fn join_id(high: u64, low: u64) -> ProductId {
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&high.to_be_bytes());
    bytes[8..].copy_from_slice(&low.to_be_bytes()[4..]);
    ProductId::from_bytes(bytes)
}
