//! Batches the writes to one collection: the writes that wait while one command is in progress form the next command.
//!
//! Each statement is conditional on the version that was read, so a batch is unordered and its statements are
//! independent. The server answers how many succeeded. If these are fewer than were sent, or the answer was lost, the
//! documents are read back: each write leaves a random id in its document, beside those of the last few writes, so
//! that its presence shows that the write succeeded.
//!
//! **Invariant:** a statement is answered as written only when the majority's journal has it.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bson::{Bson, Document, RawArrayBuf, RawDocumentBuf, cstr, doc, oid::ObjectId, rawdoc};
use mongodb::{Collection, error::Error, options::ReadConcern};
use tokio::sync::{mpsc, oneshot};

use super::{
    Fault,
    codec::{self, DUPLICATE_KEY, Failed},
    overflow,
    serve::serve,
};
use crate::store::{StoreError, document::Refused};

/// The most statements in one command.
const STATEMENTS: usize = 500;
/// The most bytes in one command; the server takes six times that.
const BYTES: usize = 8 * 1024 * 1024;
/// How many statements may wait.
const WAITING: usize = 4_096;
/// How many ids of recent writes a document keeps.
const WRITES: u32 = 8;
/// The pauses between attempts to read documents back while the server is unavailable.
const PAUSES: [Duration; 3] = [Duration::from_millis(50), Duration::from_millis(200), Duration::from_millis(600)];

/// The field with the ids of recent writes.
pub(super) const WRITE_IDS: &str = "w";

/// One write of one document.
pub(super) struct Statement {
    id: Bson,
    /// The version that was read.
    version: u64,
    write: ObjectId,
    is_new: bool,
    command: RawDocumentBuf,
    answer: oneshot::Sender<Result<(), Refused>>,
}

/// What is written.
pub(super) enum Change {
    /// A new document with these fields.
    Insert(Document),
    /// These operators, if the document has this version, and room when they push events.
    Update(u64, Document),
}

/// Sends a collection's statements. Clones share it.
#[derive(Clone)]
pub(super) struct Batcher {
    statements: mpsc::Sender<Statement>,
}

impl Batcher {
    /// Starts the sending task; it ends when the last clone is dropped. `unique` has the names of the unique indexes
    /// with their positions.
    pub(super) fn start(
        collection: Collection<Document>,
        unique: HashMap<String, usize>,
        fault: Option<Fault>,
    ) -> Self {
        let (statements, waiting) = mpsc::channel::<Statement>(WAITING);
        let shared = Arc::new((collection, unique));
        serve(waiting, STATEMENTS, fault, move |mut batch: Vec<Statement>| {
            let shared = Arc::clone(&shared);
            async move {
                let (collection, unique) = &*shared;
                batch.retain(|statement| !statement.answer.is_closed());
                while !batch.is_empty() {
                    let rest = batch.split_off(within_bytes(&batch));
                    let (inserts, updates) = batch.into_iter().partition(|each| each.is_new);
                    futures_util::join!(
                        send(collection, unique, inserts, true),
                        send(collection, unique, updates, false)
                    );
                    batch = rest;
                }
            }
        });
        Self { statements }
    }

    /// Writes one document.
    pub(super) async fn write(&self, id: Bson, change: Change) -> Result<(), Refused> {
        let write = ObjectId::new();
        let (version, command) = match change {
            Change::Insert(mut fields) => {
                fields.insert("_id", id.clone());
                fields.insert(WRITE_IDS, [write].as_slice());
                (0, fields)
            }
            Change::Update(version, mut update) => {
                let last = doc! { "$each": [write], "$slice": -i64::from(WRITES) };
                let mut this = doc! { "_id": id.clone(), "version": codec::long(version)?, "gone": { "$ne": true } };
                match update.get_document_mut("$push") {
                    Ok(pushed) => {
                        pushed.insert(WRITE_IDS, last);
                        this.insert(overflow::FULL, doc! { "$exists": false });
                    }
                    Err(_) => drop(update.insert("$push", doc! { WRITE_IDS: last })),
                }
                (version, doc! { "q": this, "u": update })
            }
        };
        let command = RawDocumentBuf::try_from(&command).map_err(codec::corrupt)?;
        let (answer, answered) = oneshot::channel();
        let statement = Statement { id, version, write, is_new: version == 0, command, answer };
        self.statements.try_send(statement).map_err(|_| StoreError::Busy)?;
        answered.await.unwrap_or(Err(Refused::Store(StoreError::Deadline)))
    }
}

/// How many of the first statements fit into a command; one always does.
fn within_bytes(batch: &[Statement]) -> usize {
    let mut bytes = 0;
    let fits = |statement: &&Statement| {
        bytes += statement.command.as_bytes().len();
        bytes <= BYTES
    };
    batch.iter().take_while(fits).count().max(1)
}

/// Sends a batch of one kind and answers each statement.
async fn send(collection: &Collection<Document>, unique: &HashMap<String, usize>, batch: Vec<Statement>, new: bool) {
    if batch.is_empty() {
        return;
    }
    let mut statements = RawArrayBuf::new();
    for statement in &batch {
        statements.push(statement.command.as_ref());
    }
    let mut command = RawDocumentBuf::new();
    let (verb, field) = if new { (cstr!("insert"), cstr!("documents")) } else { (cstr!("update"), cstr!("updates")) };
    command.append(verb, collection.name());
    command.append(field, statements);
    command.append(cstr!("ordered"), false);
    command.append(cstr!("writeConcern"), rawdoc! { "w": "majority", "j": true });
    let answer = collection.client().database(&collection.namespace().db).run_raw_command(command).await;
    match answer {
        Ok(answer) => {
            let verdicts = verdicts(&answer, unique, batch.len());
            settle(collection, batch, verdicts, ReadConcern::local()).await;
        }
        Err(error) => {
            let verdicts = unknown(&error, batch.len());
            settle(collection, batch, verdicts, ReadConcern::majority()).await;
        }
    }
}

/// The outcome of a statement; `None` if it has to be read back.
type Verdict = Option<Result<(), Refused>>;

/// The outcome of each statement by a command's answer.
fn verdicts(answer: &Document, unique: &HashMap<String, usize>, sent: usize) -> Vec<Verdict> {
    if answer.contains_key("writeConcernError") {
        return vec![Some(Err(Refused::Store(StoreError::Deadline))); sent];
    }
    let mut verdicts: Vec<Verdict> = vec![None; sent];
    let errors = answer.get_array("writeErrors").map(Vec::as_slice).unwrap_or_default();
    for error in errors.iter().filter_map(Bson::as_document) {
        let place = codec::count(error, "index").ok().and_then(|place| usize::try_from(place).ok());
        if let Some(verdict) = place.and_then(|place| verdicts.get_mut(place)) {
            *verdict = Some(Err(refusal(error, unique)));
        }
    }
    let written = codec::count(answer, "n").ok().and_then(|written| usize::try_from(written).ok());
    if written == Some(sent - errors.len()) {
        verdicts.iter_mut().for_each(|verdict| *verdict = verdict.take().or(Some(Ok(()))));
    }
    verdicts
}

fn refusal(error: &Document, unique: &HashMap<String, usize>) -> Refused {
    let message = error.get_str("errmsg").unwrap_or_default();
    if codec::whole(error, "code") != Ok(i64::from(DUPLICATE_KEY)) {
        return Refused::Store(StoreError::Unavailable(format!("MongoDB refuses: {message}")));
    }
    let index = message.split("index: ").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap_or_default();
    unique.get(index).map_or(Refused::Store(StoreError::Conflict), |place| Refused::Duplicate(*place))
}

/// The outcomes of a command without an answer.
fn unknown(error: &Error, sent: usize) -> Vec<Verdict> {
    match Failed::write(error) {
        StoreError::Deadline => vec![None; sent],
        refused => vec![Some(Err(Refused::Store(refused))); sent],
    }
}

/// Answers each statement, after reading back those with an unknown outcome. What a majority has is written; what it
/// does not have may still arrive.
async fn settle(
    collection: &Collection<Document>,
    batch: Vec<Statement>,
    verdicts: Vec<Verdict>,
    concern: ReadConcern,
) {
    let answered = concern == ReadConcern::local();
    let open = batch.iter().zip(&verdicts).filter(|(_, verdict)| verdict.is_none()).map(|(each, _)| each);
    let open: Vec<Bson> = open.map(|statement| statement.id.clone()).collect();
    let stored = if open.is_empty() { Ok(vec![]) } else { read_back(collection, &open, concern).await };
    for (statement, verdict) in batch.into_iter().zip(verdicts) {
        let answer = verdict.unwrap_or_else(|| match &stored {
            Ok(stored) => statement.outcome(stored, answered),
            Err(error) => Err(Refused::Store(error.clone())),
        });
        // The caller may have gone away.
        let _gone = statement.answer.send(answer);
    }
}

/// The ids of recent writes in a document.
struct LastWrites {
    id: Bson,
    version: u64,
    writes: Vec<ObjectId>,
}

impl Statement {
    fn outcome(&self, stored: &[LastWrites], answered: bool) -> Result<(), Refused> {
        let stored = stored.iter().find(|stored| stored.id == self.id);
        match stored {
            Some(stored) if stored.writes.contains(&self.write) => Ok(()),
            // So many writes came since then that the id may have been dropped.
            Some(stored) if stored.version > self.version + u64::from(WRITES) => {
                Err(Refused::Store(StoreError::Deadline))
            }
            _ if answered => Err(Refused::Store(StoreError::Conflict)),
            _ => Err(Refused::Store(StoreError::Deadline)),
        }
    }
}

async fn read_back(
    collection: &Collection<Document>,
    ids: &[Bson],
    concern: ReadConcern,
) -> Result<Vec<LastWrites>, StoreError> {
    for pause in PAUSES.iter().map(Some).chain([None]) {
        let find = collection.find(doc! { "_id": { "$in": ids } }).projection(doc! { "version": 1, WRITE_IDS: 1 });
        let found = codec::all(find.read_concern(concern.clone()), |row| {
            let writes = row.get_array(WRITE_IDS).into_iter().flatten().filter_map(Bson::as_object_id);
            let id = row.get("_id").cloned().unwrap_or(Bson::Null);
            Ok(LastWrites { id, version: codec::count(row, "version")?, writes: writes.collect() })
        });
        match (found.await, pause) {
            (Ok(found), _) => return Ok(found),
            (Err(_), Some(pause)) => tokio::time::sleep(*pause).await,
            (Err(_), None) => break,
        }
    }
    Err(StoreError::Deadline)
}
