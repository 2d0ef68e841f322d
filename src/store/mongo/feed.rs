//! The numbers of a collection's changes, for followers.
//!
//! A number is taken before the document is written, so a follower could see 6 before 5. The counter therefore
//! records which numbers are pending, and a follower sees only changes below the lowest of them. Requests for
//! numbers, and completed numbers, are batched into one command.
//!
//! **Invariant:** once a follower has seen a number, none below it appears later.

use std::sync::Arc;

use bson::{Bson, Document, doc};
use mongodb::{Collection, options::ReturnDocument};
use tokio::sync::{mpsc, oneshot};

use super::{
    Fault,
    codec::{self, Failed},
    serve::serve,
};
use crate::{
    domain::Timestamp,
    store::{StoreError, document::Refused},
};

/// How long a number may be pending: longer than any call takes. After that its writer is dead, and followers no
/// longer wait for it.
const ON_ITS_WAY: i64 = 10_000_000;
/// How often a request for numbers is retried after a conflict.
const TRIES: u32 = 200;
/// How many requests may wait, and how many are batched.
const WAITING: usize = 4_096;
const JOINED: usize = 500;

/// Assigns a collection's numbers. Clones share it.
#[derive(Clone)]
pub(super) struct Feed {
    counters: Collection<Document>,
    collection: &'static str,
    requests: mpsc::Sender<Request>,
}

enum Request {
    Take(oneshot::Sender<Result<i64, StoreError>>),
    Arrived(i64, oneshot::Sender<Result<(), StoreError>>),
}

impl Feed {
    /// Starts the task that requests numbers; it ends when the last clone is dropped.
    pub(super) fn start(counters: Collection<Document>, collection: &'static str, fault: Option<Fault>) -> Self {
        let (requests, waiting) = mpsc::channel(WAITING);
        let feed = Self { counters, collection, requests };
        let shared = Arc::new((feed.counters.clone(), feed.counter()));
        serve(waiting, JOINED, fault, move |batch: Vec<Request>| {
            let shared = Arc::clone(&shared);
            async move {
                let (counters, this) = &*shared;
                let (mut takers, mut arrived) = (vec![], vec![]);
                for request in batch {
                    match request {
                        Request::Take(answer) => takers.push(answer),
                        Request::Arrived(number, answer) => arrived.push((number, answer)),
                    }
                }
                let (taken, noted) =
                    futures_util::join!(take(counters, this, takers.len()), forget(counters, this, &arrived));
                for (number, taker) in (0..).zip(takers) {
                    let _gone = taker.send(taken.clone().map(|first| first + number));
                }
                for (_, answer) in arrived {
                    let _gone = answer.send(noted.clone());
                }
            }
        });
        feed
    }

    /// Takes a number, writes with it, and then marks it as no longer pending.
    pub(super) async fn numbered<T, F>(&self, write: impl FnOnce(i64) -> F) -> Result<T, Refused>
    where
        F: Future<Output = Result<T, Refused>>,
    {
        let number = self.ask(Request::Take).await?;
        let written = write(number).await;
        // Regardless of the outcome: after a deadline the number stays pending for a while.
        if !matches!(written, Err(Refused::Store(StoreError::Deadline))) {
            self.ask(|answer| Request::Arrived(number, answer)).await?;
        }
        written
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Request,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.requests.try_send(request(answer)).map_err(|_| StoreError::Busy)?;
        answered.await.unwrap_or(Err(StoreError::Deadline))
    }

    /// The highest number below which nothing is pending; `None` if nothing was written yet.
    pub(super) async fn shown(&self) -> Result<Option<i64>, StoreError> {
        codec::first(&self.counters, self.counter(), settled).await
    }

    fn counter(&self) -> Document {
        doc! { "_id": self.collection }
    }
}

/// Takes this many numbers; returns the first.
async fn take(counters: &Collection<Document>, this: &Document, count: usize) -> Result<i64, StoreError> {
    if count == 0 {
        return Ok(0);
    }
    let count = i64::try_from(count).map_err(codec::corrupt)?;
    for _ in 0..TRIES {
        let made = counters
            .find_one_and_update(this.clone(), doc! { "$setOnInsert": { "value": 0_i64, "onTheirWay": [] } })
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
        let numbers: Vec<Document> = (first..first + count).map(|number| doc! { "n": number, "at": now }).collect();
        let next = doc! { "$set": { "value": current + count }, "$push": { "onTheirWay": { "$each": numbers } } };
        let mut unchanged = this.clone();
        unchanged.insert("value", current);
        let taken = counters.update_one(unchanged, next).await.map_err(|error| Failed::write(&error))?;
        if taken.matched_count == 1 {
            if first / 64 != (first + count) / 64 {
                let lost = doc! { "$pull": { "onTheirWay": { "at": { "$lt": now - ON_ITS_WAY } } } };
                counters.update_one(this.clone(), lost).await.map_err(|error| Failed::write(&error))?;
            }
            return Ok(first);
        }
    }
    Err(StoreError::Busy)
}

async fn forget<A>(counters: &Collection<Document>, this: &Document, arrived: &[(i64, A)]) -> Result<(), StoreError> {
    if arrived.is_empty() {
        return Ok(());
    }
    let numbers: Vec<i64> = arrived.iter().map(|(number, _)| *number).collect();
    let pulled = doc! { "$pull": { "onTheirWay": { "n": { "$in": numbers } } } };
    counters.update_one(this.clone(), pulled).await.map(|_| ()).map_err(|error| Failed::write(&error))
}

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
