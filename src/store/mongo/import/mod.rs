//! Imports a shop from another store.
//!
//! A record in the database says which shop it is, and how far each kind was written, so that an interrupted transfer
//! continues. Documents that were written but not recorded are found by their ids and left unchanged.
//!
//! **Invariant:** nothing is written into a database that contains another shop's data, and no node opens an
//! incomplete one.

mod documents;
mod write;

use std::collections::HashMap;

use bson::{Bson, Document, doc};

use super::{
    MongoOptions,
    codec::{self, Failed},
    engine::Engine,
    indexes, layout,
};
use crate::{
    domain::Timestamp,
    store::{
        LAYOUT, StoreError,
        outbox::WaitingEvents,
        transfer::{Kind, Record},
    },
};

/// The id of the record.
const NOTE: &str = "moved";

/// Why a shop cannot be imported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// Another shop was transferred there.
    #[error("they hold what was moved there from another folder, or from this one before it was served again")]
    OtherShop,
    /// The program that began the transfer has another layout.
    #[error("another version of this program began to move the shop there")]
    OtherVersion,
    /// There are documents.
    #[error("there are documents in {0} already")]
    NotEmpty(String),
    /// A node uses the databases.
    #[error("a node serves a shop from them now")]
    InUse,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The state of a transfer.
#[derive(Debug, Clone)]
pub struct TransferState {
    /// When the transfer began.
    pub at: Timestamp,
    /// When it was finished, if it is.
    pub finished: Option<Timestamp>,
    /// How many records of each kind were written and recorded.
    pub written: HashMap<&'static str, u64>,
}

/// A database into which a shop is imported.
pub struct Import {
    engine: Engine,
}

impl Import {
    /// Connects, and makes the indexes.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the address is wrong, or the server away.
    pub async fn open(options: MongoOptions) -> Result<Self, StoreError> {
        Ok(Self { engine: Engine::start(options).await? })
    }

    /// Begins the transfer of the shop with this fingerprint, or continues it.
    ///
    /// # Errors
    /// [`ImportError`] when the database holds another shop, or is in use.
    pub async fn begin(&self, fingerprint: &str, now: Timestamp) -> Result<TransferState, ImportError> {
        if let Some(begun) = self.note(fingerprint).await? {
            return Ok(begun);
        }
        self.expect_empty(now).await?;
        indexes::ensure(&self.engine).await?;
        layout::ensure(&self.engine).await?;
        let notes = self.engine.collections.migration();
        let made = doc! { "_id": NOTE, "of": fingerprint, "at": now.as_microsecond(), "written": {}, "layout": LAYOUT };
        let noted = async move {
            match notes.insert_one(made).await {
                Err(error) if !codec::is_duplicate(&error) => Err(Failed::write(&error)),
                _ => Ok(()),
            }
        };
        self.engine.run(noted).await?;
        // A concurrent transfer may be of another shop.
        self.note(fingerprint).await?.ok_or(ImportError::OtherShop)
    }

    /// Writes records of a kind and records that `after` are written now. It is idempotent.
    pub async fn write(&self, kind: Kind, records: Vec<Record>, after: u64) -> Result<(), StoreError> {
        write::all(&self.engine, records).await?;
        let field = format!("written.{}", kind.name());
        self.put_note(doc! { field: codec::long(after)? }).await
    }

    /// How many records of a kind exist.
    pub async fn count(&self, kind: Kind) -> Result<u64, StoreError> {
        let all = &self.engine.collections;
        let (collection, filter) = match kind {
            Kind::Documents(collection) => {
                let place = self.engine.place_named(collection)?.collection;
                return self.engine.run(async move { codec::counted(&place, doc! {}).await }).await;
            }
            Kind::Counters => (&all.counters, doc! {}),
            Kind::Pictures => (&all.files, doc! {}),
            Kind::Stock => (&all.stock, doc! {}),
            Kind::Reservations => (&all.reservations, doc! {}),
            Kind::DashboardOrders => (&all.dashboard_orders, doc! {}),
            Kind::DashboardProducts => (&all.dashboard_products, doc! {}),
            Kind::DashboardNotes => (&all.dashboard_notes, doc! {}),
            Kind::DashboardApplied => (&all.dashboard_applied, doc! {}),
            Kind::Events => return self.engine.depth().await,
        };
        let collection = collection.clone();
        self.engine.run(async move { codec::counted(&collection, filter).await }).await
    }

    /// Records that the transfer is complete: from now on nodes may open the database.
    pub async fn finish(&self, now: Timestamp) -> Result<(), StoreError> {
        self.put_note(doc! { "finishedAt": now.as_microsecond() }).await
    }

    /// Ends the connections.
    ///
    /// # Errors
    /// When they do not close in time; nothing is lost then.
    pub async fn close(self) -> Result<(), StoreError> {
        let client = self.engine.collections.migration().client().clone();
        self.engine
            .run(async move {
                client.shutdown().immediate(true).await;
                Ok(())
            })
            .await
    }

    async fn put_note(&self, fields: Document) -> Result<(), StoreError> {
        let notes = self.engine.collections.migration();
        self.engine
            .run(async move {
                let noted = notes.update_one(doc! { "_id": NOTE }, doc! { "$set": fields }).await;
                noted.map(|_| ()).map_err(|error| Failed::write(&error))
            })
            .await
    }

    /// The record of this shop, if there is one.
    async fn note(&self, fingerprint: &str) -> Result<Option<TransferState>, ImportError> {
        let Some(note) = note(&self.engine).await? else { return Ok(None) };
        if codec::string(&note, "of")? != fingerprint {
            return Err(ImportError::OtherShop);
        }
        let finished = codec::optional_time(&note, "finishedAt")?;
        if finished.is_none() && codec::whole(&note, "layout") != Ok(LAYOUT) {
            return Err(ImportError::OtherVersion);
        }
        let mut written = HashMap::new();
        for kind in Kind::all() {
            let fields = note.get_document("written").map_err(codec::corrupt)?;
            if fields.contains_key(kind.name()) {
                written.insert(kind.name(), codec::count(fields, kind.name())?);
            }
        }
        Ok(Some(TransferState { at: codec::time(codec::whole(&note, "at")?)?, finished, written }))
    }

    /// Refuses a database that is not empty, or that a node uses.
    async fn expect_empty(&self, now: Timestamp) -> Result<(), ImportError> {
        let (all, outboxes) = (self.engine.collections.clone(), self.engine.outboxes());
        let places = self.engine.specs.iter().map(|spec| Ok(self.engine.place(spec)?.collection));
        let places = places.collect::<Result<Vec<_>, StoreError>>()?;
        let used = doc! { "until": { "$gt": now.as_microsecond() } };
        self.engine
            .run(async move {
                for collection in places.iter().chain(all.all()) {
                    if collection.find_one(doc! {}).await.map_err(|error| Failed::read(&error))?.is_some() {
                        return Err(ImportError::NotEmpty(collection.namespace().to_string()));
                    }
                }
                let mut leases: Vec<_> = outboxes.into_iter().map(|outbox| outbox.leases).collect();
                leases.push(all.parked_leases());
                for lease in leases {
                    if codec::counted(&lease, used.clone()).await? > 0 {
                        return Err(ImportError::InUse);
                    }
                }
                Ok(())
            })
            .await
    }
}

async fn note(engine: &Engine) -> Result<Option<Document>, StoreError> {
    let notes = engine.collections.migration();
    engine.run(async move { notes.find_one(doc! { "_id": NOTE }).await.map_err(|error| Failed::read(&error)) }).await
}

/// Refuses a database into which a shop is being transferred.
pub(super) async fn expect_whole(engine: &Engine) -> Result<(), StoreError> {
    match note(engine).await? {
        Some(note) if matches!(note.get("finishedAt"), None | Some(Bson::Null)) => {
            Err(StoreError::Unavailable("a shop is being moved there; let microbazaar migrate finish".to_owned()))
        }
        _ => Ok(()),
    }
}
