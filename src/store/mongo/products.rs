//! Products, with one growing sequence over all their changes.
//!
//! A number is taken before the product is written, so a follower could see 6 before 5. The
//! counter therefore knows which numbers are on their way, and a follower is shown only
//! what lies below the lowest of them.
//!
//! **Invariant:** once a follower has seen a number, none below it appears later.

use async_trait::async_trait;
use bson::{Bson, Document, doc};
use mongodb::{Collection, options::ReturnDocument};

use super::{
    codec::{self, Failed},
    engine::{Collections, Engine},
};
use crate::{
    domain::{
        Timestamp,
        event::Envelope,
        ids::{ProductId, UserId},
        product::Product,
    },
    store::{Page, ProductStore, StoreError, products::ProductChange},
};

/// How long a number may be on its way: longer than any call takes. Afterwards its writer
/// is dead, and nobody waits for it.
const ON_ITS_WAY: i64 = 10_000_000;
/// How often a number is asked for, should others be quicker.
const TRIES: u32 = 200;

#[async_trait]
impl ProductStore for Engine {
    async fn save(&self, product: &Product, events: &[Envelope]) -> Result<u64, StoreError> {
        let (all, events) = (self.collections.clone(), self.prepare(events)?);
        let (id, version, woken) = (codec::oid(product.id.bytes()), product.version, !events.is_empty());
        let fields = fields(product)?;
        let saved = self
            .run(async move {
                numbered(&all, 1, |first| {
                    let (products, mut fields) = (all.products.clone(), fields);
                    async move {
                        fields.insert("sequence", first);
                        codec::save(&products, id, version, fields, events).await
                    }
                })
                .await
            })
            .await?;
        self.wake(woken);
        Ok(saved)
    }

    async fn insert_many(&self, products: &[Product]) -> Result<(), StoreError> {
        let all = self.collections.clone();
        let count = i64::try_from(products.len()).map_err(codec::corrupt)?;
        let mut rows = vec![];
        for product in products {
            let mut row = fields(product)?;
            row.extend(doc! { "_id": codec::oid(product.id.bytes()), "version": 1_i64, "outbox": [] });
            rows.push(row);
        }
        self.run(async move {
            numbered(&all, count, |first| {
                for (number, row) in (first..).zip(&mut rows) {
                    row.insert("sequence", number);
                }
                insert_all(all.products.clone(), rows)
            })
            .await
        })
        .await
    }

    async fn delete(&self, product: &Product, events: &[Envelope]) -> Result<(), StoreError> {
        let (all, events) = (self.collections.clone(), self.prepare(events)?);
        let (id, version, woken) = (codec::oid(product.id.bytes()), product.version, !events.is_empty());
        if version == 0 {
            return Err(StoreError::Conflict);
        }
        // A deleted product stays as a tombstone, which followers need to see.
        let gone = doc! { "gone": true, "doc": Bson::Null };
        self.run(async move {
            numbered(&all, 1, |first| {
                let (products, mut fields) = (all.products.clone(), gone);
                async move {
                    fields.insert("sequence", first);
                    codec::save(&products, id, version, fields, events).await.map(|_| ())
                }
            })
            .await
        })
        .await?;
        self.wake(woken);
        Ok(())
    }

    async fn get(&self, id: ProductId) -> Result<Option<Product>, StoreError> {
        let products = self.collections.products.clone();
        let filter = doc! { "_id": codec::oid(id.bytes()), "gone": { "$ne": true } };
        self.run(async move { codec::first(&products, filter, product).await }).await
    }

    async fn many(&self, ids: &[ProductId]) -> Result<Vec<Product>, StoreError> {
        let products = self.collections.products.clone();
        let ids: Vec<_> = ids.iter().map(|id| codec::oid(id.bytes())).collect();
        self.run(async move {
            codec::all(products.find(doc! { "_id": { "$in": ids }, "gone": { "$ne": true } }), product).await
        })
        .await
    }

    async fn of_seller(&self, seller: UserId, skip: u64, limit: u32) -> Result<Page<Product>, StoreError> {
        let products = self.collections.products.clone();
        let filter = doc! { "seller": codec::oid(seller.bytes()), "gone": { "$ne": true } };
        self.run(async move { codec::page(&products, filter, doc! { "_id": -1 }, skip, limit, product).await }).await
    }

    async fn changes_since(&self, sequence: u64, limit: u32) -> Result<Vec<ProductChange>, StoreError> {
        let (all, after) = (self.collections.clone(), i64::try_from(sequence).unwrap_or(i64::MAX));
        self.run(async move {
            let Some(counter) = all.counters.find_one(counter()).await.map_err(|error| Failed::read(&error))? else {
                return Ok(vec![]);
            };
            let shown = settled(&counter)?;
            let range = doc! { "sequence": { "$gt": after, "$lte": shown } };
            let find = all.products.find(range).sort(doc! { "sequence": 1 }).limit(limit.into());
            codec::all(find, |row| {
                let gone = row.get_bool("gone").unwrap_or(false);
                Ok(ProductChange {
                    sequence: codec::count(row, "sequence")?,
                    id: ProductId::from_bytes(codec::id(row, "_id")?),
                    product: if gone { None } else { Some(product(row)?) },
                })
            })
            .await
        })
        .await
    }

    async fn count(&self) -> Result<u64, StoreError> {
        let products = self.collections.products.clone();
        self.run(async move { codec::counted(&products, doc! { "gone": { "$ne": true } }).await }).await
    }
}

/// The fields of a product besides its id, sequence, version and events.
pub(super) fn fields(product: &Product) -> Result<Document, StoreError> {
    Ok(doc! { "seller": codec::oid(product.seller.bytes()), "doc": codec::document(product)? })
}

fn product(row: &Document) -> Result<Product, StoreError> {
    Ok(Product { version: codec::count(row, "version")?, ..codec::read(row)? })
}

/// Writes all or, when one of them is there already, none.
async fn insert_all(products: Collection<Document>, rows: Vec<Document>) -> Result<(), StoreError> {
    let ids: Vec<Bson> = rows.iter().filter_map(|row| row.get("_id").cloned()).collect();
    if codec::counted(&products, doc! { "_id": { "$in": &ids } }).await? > 0 {
        return Err(StoreError::Conflict);
    }
    let Err(error) = products.insert_many(&rows).await else { return Ok(()) };
    // Somebody else wrote one of them in between. Ours are those with our numbers.
    for row in &rows {
        let ours = doc! { "_id": row.get("_id").cloned(), "sequence": row.get("sequence").cloned() };
        products.delete_one(ours).await.map_err(|error| Failed::write(&error))?;
    }
    Err(Failed::write(&error))
}

fn counter() -> Document {
    doc! { "_id": "products" }
}

/// Takes `count` numbers, writes with the first of them, and tells that they are not on
/// their way any more.
async fn numbered<T, F>(all: &Collections, count: i64, write: impl FnOnce(i64) -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let first = take(&all.counters, count).await?;
    let written = write(first).await;
    let arrived = doc! { "$pull": { "onTheirWay": { "n": first } } };
    // Whatever became of the write: after a deadline the number is waited for a while.
    if !matches!(written, Err(StoreError::Deadline)) {
        all.counters.update_one(counter(), arrived).await.map_err(|error| Failed::write(&error))?;
    }
    written
}

async fn take(counters: &Collection<Document>, count: i64) -> Result<i64, StoreError> {
    for _ in 0..TRIES {
        let made = counters
            .find_one_and_update(counter(), doc! { "$setOnInsert": { "value": 0_i64, "onTheirWay": [] } })
            .upsert(true)
            .return_document(ReturnDocument::After)
            .await;
        let current = match made {
            Ok(Some(current)) => codec::whole(&current, "value")?,
            Ok(None) => continue,
            Err(error) if codec::is_duplicate(&error) => continue,
            Err(error) => return Err(Failed::write(&error)),
        };
        let (first, now) = (current + 1, Timestamp::now().as_microsecond());
        let next = doc! {
            "$set": { "value": current + count },
            "$push": { "onTheirWay": { "n": first, "at": now } },
        };
        let mut unchanged = counter();
        unchanged.insert("value", current);
        let taken = counters.update_one(unchanged, next).await.map_err(|error| Failed::write(&error))?;
        if taken.matched_count == 1 {
            let lost = doc! { "$pull": { "onTheirWay": { "at": { "$lt": now - ON_ITS_WAY } } } };
            if first % 64 == 0 {
                counters.update_one(counter(), lost).await.map_err(|error| Failed::write(&error))?;
            }
            return Ok(first);
        }
    }
    Err(StoreError::Busy)
}

/// The highest number below which nothing is on its way.
fn settled(counter: &Document) -> Result<i64, StoreError> {
    let since = Timestamp::now().as_microsecond() - ON_ITS_WAY;
    let mut settled = codec::whole(counter, "value")?;
    for entry in counter.get_array("onTheirWay").into_iter().flatten().filter_map(Bson::as_document) {
        if codec::whole(entry, "at")? > since {
            settled = settled.min(codec::whole(entry, "n")? - 1);
        }
    }
    Ok(settled)
}
