//! Products, with one growing sequence over all their changes.
//!
//! **Invariant:** a sequence number is given out once, and in the order of the commits.

use async_trait::async_trait;
use rusqlite::{Connection, Row};

use super::{StoreError, codec, engine::Engine, writer::Writing};
use crate::{
    domain::{
        event::Envelope,
        ids::{ProductId, UserId},
        product::Product,
    },
    store::{Page, ProductStore, products::ProductChange},
};

#[async_trait]
impl ProductStore for Engine {
    async fn save(&self, product: &Product, events: &[Envelope]) -> Result<u64, StoreError> {
        let (doc, events) = (codec::json(product)?, self.prepare(events)?);
        let (id, seller, version) = (product.id, product.seller, product.version);
        self.write(move |writing| {
            if version == 0 {
                insert(writing, id, seller, &doc)?;
            } else {
                let written = codec::execute(
                    writing,
                    "UPDATE products SET seller = ?2, sequence = ?3, version = version + 1, doc = ?4
                     WHERE id = ?1 AND version = ?5 AND deleted = 0",
                    (id.as_slice(), seller.as_slice(), next_sequence(writing)?, doc, version),
                )?;
                if written == 0 {
                    return Err(StoreError::Conflict);
                }
            }
            writing.publish(&events)?;
            Ok(version + 1)
        })
        .await
    }

    async fn insert_many(&self, products: &[Product]) -> Result<(), StoreError> {
        let row = |product: &Product| Ok((product.id, product.seller, codec::json(product)?));
        let rows: Vec<_> = products.iter().map(row).collect::<Result<_, StoreError>>()?;
        self.write(move |writing| rows.iter().try_for_each(|(id, seller, doc)| insert(writing, *id, *seller, doc)))
            .await
    }

    async fn delete(&self, product: &Product, events: &[Envelope]) -> Result<(), StoreError> {
        let (id, version, events) = (product.id, product.version, self.prepare(events)?);
        self.write(move |writing| {
            let written = codec::execute(
                writing,
                "UPDATE products SET sequence = ?2, version = version + 1, deleted = 1, doc = NULL
                 WHERE id = ?1 AND version = ?3 AND deleted = 0",
                (id.as_slice(), next_sequence(writing)?, version),
            )?;
            if written == 0 {
                return Err(StoreError::Conflict);
            }
            writing.publish(&events)
        })
        .await
    }

    async fn get(&self, id: ProductId) -> Result<Option<Product>, StoreError> {
        self.read(move |connection| find(connection, id)).await
    }

    async fn many(&self, ids: &[ProductId]) -> Result<Vec<Product>, StoreError> {
        let ids = ids.to_vec();
        self.read_snapshot(move |connection| ids.iter().filter_map(|id| find(connection, *id).transpose()).collect())
            .await
    }

    async fn of_seller(&self, seller: UserId, skip: u64, limit: u32) -> Result<Page<Product>, StoreError> {
        self.read_snapshot(move |connection| {
            let rows = codec::all(
                connection,
                "SELECT version, doc FROM products WHERE seller = ?1 AND deleted = 0
                 ORDER BY id DESC LIMIT ?2 OFFSET ?3",
                (seller.as_slice(), limit, codec::offset(skip)),
                product,
            )?;
            let total = codec::count(
                connection,
                "SELECT count(*) FROM products WHERE seller = ?1 AND deleted = 0",
                [seller.as_slice()],
            )?;
            Ok(Page { rows, total })
        })
        .await
    }

    async fn changes_since(&self, sequence: u64, limit: u32) -> Result<Vec<ProductChange>, StoreError> {
        let after = codec::offset(sequence);
        self.read(move |connection| {
            codec::all(
                connection,
                "SELECT version, doc, sequence, id, deleted FROM products
                 WHERE sequence > ?1 ORDER BY sequence LIMIT ?2",
                (after, limit),
                |row| {
                    let gone: bool = row.get(4)?;
                    let product = if gone { None } else { Some(product(row)?) };
                    Ok(ProductChange { sequence: row.get(2)?, id: codec::id(row, 3)?, product })
                },
            )
        })
        .await
    }

    async fn count(&self) -> Result<u64, StoreError> {
        self.read(|connection| codec::count(connection, "SELECT count(*) FROM products WHERE deleted = 0", [])).await
    }
}

fn insert(writing: &Writing<'_>, id: ProductId, seller: UserId, doc: &[u8]) -> Result<(), StoreError> {
    let written = codec::execute(
        writing,
        "INSERT INTO products (id, seller, sequence, version, doc) VALUES (?1, ?2, ?3, 1, ?4)
         ON CONFLICT (id) DO NOTHING",
        (id.as_slice(), seller.as_slice(), next_sequence(writing)?, doc),
    )?;
    if written == 0 { Err(StoreError::Conflict) } else { Ok(()) }
}

fn next_sequence(writing: &Writing<'_>) -> Result<u64, StoreError> {
    codec::count(writing, "UPDATE counters SET value = value + 1 WHERE name = 'products' RETURNING value", [])
}

fn find(connection: &Connection, id: ProductId) -> Result<Option<Product>, StoreError> {
    let sql = "SELECT version, doc FROM products WHERE id = ?1 AND deleted = 0";
    codec::first(connection, sql, [id.as_slice()], product)
}

pub(super) fn product(row: &Row<'_>) -> Result<Product, StoreError> {
    Ok(Product { version: row.get(0)?, ..codec::document(row, 1)? })
}
