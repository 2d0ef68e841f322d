//! The requirements on a backend for documents of any type.

use std::{collections::HashSet, sync::Arc};

use futures_util::future::join_all;
use microbazaar::{
    config::Service,
    domain::{
        Timestamp,
        event::Envelope,
        ids::{OrderId, UserId},
    },
    store::{
        StoreError, Stores,
        document::{Collection, Desc, Document, Find, Index, NoUniqueKey, SaveError, Spec, key},
    },
};
use serde::{Deserialize, Serialize};

use super::make;

/// A document with an index of each kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    id: OrderId,
    user: UserId,
    title: String,
    code: Option<String>,
    due_at: Option<Timestamp>,
    count: u64,
    #[serde(skip)]
    version: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoteKey {
    Code,
    Title,
}

const USER: Index<Note> = Index::new("user", |note| key((note.user, Desc(note.count))));
const CODE: Index<Note> = Index::unique("code", NoteKey::Code, |note| key(note.code.as_ref()?));
const TITLE: Index<Note> = Index::unique("title", NoteKey::Title, |note| key((note.user, &note.title)));
const DUE: Index<Note> = Index::new("due", |note| key(note.due_at?));

impl Document for Note {
    type Id = OrderId;
    type Unique = NoteKey;

    const COLLECTION: &'static str = "conformance_notes";
    const SERVICE: Service = Service::Order;
    const INDEXES: &'static [Index<Self>] = &[USER, CODE, TITLE, DUE];
    const PUBLISHES: bool = true;

    fn id(&self) -> OrderId {
        self.id
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn set_version(&mut self, version: u64) {
        self.version = version;
    }
}

/// A document with a name as its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    name: String,
    text: String,
    #[serde(skip)]
    version: u64,
}

impl Document for Named {
    type Id = String;
    type Unique = NoUniqueKey;

    const COLLECTION: &'static str = "conformance_named";
    const SERVICE: Service = Service::Cart;
    const INDEXES: &'static [Index<Self>] = &[];

    fn id(&self) -> String {
        self.name.clone()
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn set_version(&mut self, version: u64) {
        self.version = version;
    }
}

/// The documents that an adapter is opened with, in addition to those of the shop.
pub static DOCUMENTS: &[&Spec] = &[Note::SPEC, Named::SPEC];

fn notes(stores: &Stores) -> Collection<Note> {
    Collection::new(Arc::clone(&stores.backend))
}

fn note(user: UserId, title: &str) -> Note {
    Note { id: OrderId::generate(), user, title: title.to_owned(), code: None, due_at: None, count: 0, version: 0 }
}

fn event() -> Envelope {
    make::event(0)
}

async fn waiting(stores: &Stores) -> usize {
    stores.outbox.waiting(0, 1_000).await.unwrap().len()
}

pub async fn a_document_is_written_with_the_version_that_was_read(stores: &Stores) {
    let notes = notes(stores);
    let mut first = note(UserId::generate(), "a");
    assert_eq!(notes.get(first.id).await, Ok(None));
    assert_eq!(notes.save(&first, &[]).await, Ok(1));
    assert_eq!(notes.save(&first, &[event()]).await, Err(SaveError::Store(StoreError::Conflict)), "it is there");
    first.version = 1;
    assert_eq!(notes.get(first.id).await, Ok(Some(first.clone())));
    first.count = 7;
    assert_eq!(notes.save(&first, &[]).await, Ok(2));
    assert_eq!(notes.save(&first, &[event()]).await, Err(SaveError::Store(StoreError::Conflict)), "it is stale");
    first.version = 2;
    assert_eq!(notes.get(first.id).await, Ok(Some(first.clone())));
    let unknown = Note { version: 3, ..note(first.user, "b") };
    assert_eq!(notes.save(&unknown, &[event()]).await, Err(SaveError::Store(StoreError::Conflict)), "it never was");
    assert_eq!(waiting(stores).await, 0, "a refused write publishes nothing");
}

pub async fn a_unique_key_is_taken_by_one_and_names_itself(stores: &Stores) {
    let (notes, user) = (notes(stores), UserId::generate());
    let mut first = Note { code: Some("x".to_owned()), ..note(user, "a") };
    first.version = notes.save(&first, &[]).await.unwrap();
    let same_code = Note { code: Some("x".to_owned()), ..note(user, "b") };
    assert_eq!(notes.save(&same_code, &[event()]).await, Err(SaveError::Duplicate(NoteKey::Code)));
    let same_title = note(user, "a");
    assert_eq!(notes.save(&same_title, &[event()]).await, Err(SaveError::Duplicate(NoteKey::Title)));
    let again = Note { version: 0, ..first.clone() };
    assert_eq!(notes.save(&again, &[]).await, Err(SaveError::Store(StoreError::Conflict)), "whatever of it is taken");
    let mut other = note(user, "c");
    other.version = notes.save(&other, &[]).await.unwrap();
    other.code = Some("x".to_owned());
    assert_eq!(notes.save(&other, &[event()]).await, Err(SaveError::Duplicate(NoteKey::Code)), "nor by a change");
    assert_eq!(waiting(stores).await, 0);

    first.code = None;
    first.version = notes.save(&first, &[]).await.unwrap();
    assert_eq!(notes.save(&other, &[]).await, Ok(2), "what is given up is free");
    assert!(notes.delete(first.id).await.unwrap());
    assert_eq!(notes.save(&same_title, &[]).await, Ok(1), "and what is deleted");
    assert_eq!(notes.first(CODE.of("x")).await.unwrap().map(|found| found.id), Some(other.id));
}

pub async fn documents_without_a_key_are_not_in_its_index(stores: &Stores) {
    let (notes, user) = (notes(stores), UserId::generate());
    for (title, due) in [("a", Some(3)), ("b", None), ("c", Some(1)), ("d", Some(2)), ("e", Some(9))] {
        let due_at = due.map(make::at);
        notes.save(&Note { due_at, ..note(user, title) }, &[]).await.unwrap();
    }
    let titles = async |find: Find<Note>| {
        let found = notes.find(find).await.unwrap();
        found.into_iter().map(|note| note.title).collect::<Vec<_>>().join("")
    };
    assert_eq!(titles(DUE.due(make::at(3))).await, "cda", "the longest due first");
    assert_eq!(titles(DUE.due(make::at(3)).limit(2)).await, "cd");
    assert_eq!(titles(DUE.all().from(make::at(2))).await, "dae");
    assert_eq!(titles(DUE.all().below(make::at(2))).await, "c");
    assert_eq!(titles(DUE.all().reversed()).await, "eadc");
    assert_eq!(notes.count(DUE.all()).await, Ok(4));
    assert_eq!(notes.count(Find::by_id()).await, Ok(5));
}

pub async fn documents_are_paged_in_the_order_of_an_index(stores: &Stores) {
    let (notes, user, other) = (notes(stores), UserId::generate(), UserId::generate());
    for count in [3, 1, 2, 5, 4] {
        notes.save(&Note { count, ..note(user, &format!("{count}")) }, &[]).await.unwrap();
        notes.save(&Note { count, ..note(other, &format!("{count}")) }, &[]).await.unwrap();
    }
    let page = notes.page(USER.of(user).skip(1).limit(2)).await.unwrap();
    assert_eq!((page.rows.iter().map(|note| note.count).collect::<Vec<_>>(), page.total), (vec![4, 3], 5));
    assert!(page.rows.iter().all(|note| note.user == user));
    let beyond = notes.page(USER.of(user).skip(7).limit(2)).await.unwrap();
    assert_eq!((beyond.rows.len(), beyond.total), (0, 5));
    let none = notes.page(USER.of(UserId::generate()).limit(2)).await.unwrap();
    assert_eq!((none.rows.len(), none.total), (0, 0));

    let mut walked = vec![];
    let mut after = None;
    loop {
        let some = notes.find(Find::by_id().after(after).limit(3)).await.unwrap();
        let Some(last) = some.last() else { break };
        after = Some(last.id);
        walked.extend(some.into_iter().map(|note| note.id));
    }
    assert_eq!(walked.len(), 10);
    assert!(walked.is_sorted());
    let newest = notes.find(Find::by_id().before(Some(walked[9])).reversed().limit(2)).await.unwrap();
    assert_eq!(newest.iter().map(|note| note.id).collect::<Vec<_>>(), [walked[8], walked[7]]);
    let some = notes.many([walked[2], OrderId::generate(), walked[5]]).await.unwrap();
    assert_eq!(some.iter().map(|note| note.id).collect::<HashSet<_>>(), HashSet::from([walked[2], walked[5]]));
}

pub async fn a_document_that_was_deleted_stays_so(stores: &Stores) {
    let (notes, user) = (notes(stores), UserId::generate());
    let mut first = Note { code: Some("x".to_owned()), due_at: Some(make::at(0)), ..note(user, "a") };
    first.version = notes.save(&first, &[]).await.unwrap();
    let mut heir = note(user, "b");
    heir.version = notes.save(&heir, &[]).await.unwrap();
    let stale = Note { version: 5, ..first.clone() };
    assert_eq!(notes.delete_read(&stale, &[event()]).await, Err(StoreError::Conflict));
    assert_eq!(waiting(stores).await, 0);
    assert_eq!(notes.delete_read(&first, &[event()]).await, Ok(()));
    assert_eq!(waiting(stores).await, 1, "it publishes its end");
    assert_eq!(notes.delete_read(&first, &[event()]).await, Err(StoreError::Conflict));
    assert_eq!(notes.delete(first.id).await, Ok(false));
    assert_eq!(notes.save(&first, &[]).await, Err(SaveError::Store(StoreError::Conflict)));
    assert_eq!(notes.get(first.id).await, Ok(None));
    assert_eq!(notes.many([first.id, OrderId::generate()]).await, Ok(vec![]));
    assert_eq!(notes.count(DUE.all()).await, Ok(0));
    assert_eq!(notes.find(Find::by_id()).await, Ok(vec![heir.clone()]));
    // With a change: the substitute for MongoDB keeps the entry of a unique key that an insert conflicts with (ADR
    // 8).
    heir = Note { code: Some("x".to_owned()), title: "a".to_owned(), ..heir };
    assert_eq!(notes.save(&heir, &[]).await, Ok(2), "its keys are free");
}

pub async fn what_a_query_finds_is_deleted_some_at_a_time(stores: &Stores) {
    let (notes, user) = (notes(stores), UserId::generate());
    for count in 0..5 {
        notes.save(&Note { count, ..note(user, &format!("{count}")) }, &[]).await.unwrap();
    }
    assert_eq!(notes.delete_found(USER.of(user).skip(1).limit(2)).await, Ok(2));
    let left = notes.find(USER.of(user)).await.unwrap();
    assert_eq!(left.iter().map(|note| note.count).collect::<Vec<_>>(), [4, 1, 0]);
    assert_eq!(notes.delete_found(USER.of(UserId::generate()).limit(9)).await, Ok(0));
    assert_eq!(notes.delete_found(USER.of(user).limit(9)).await, Ok(3));
}

pub async fn of_many_that_write_one_version_one_wins(stores: &Stores) {
    let notes = notes(stores);
    let mut first = note(UserId::generate(), "a");
    first.version = notes.save(&first, &[]).await.unwrap();
    for round in 0..5 {
        let writers = (0..40).map(|count| Note { count: 100 * round + count, ..first.clone() });
        let saved = join_all(writers.map(async |note| (note.count, notes.save(&note, &[event()]).await))).await;
        let winners: Vec<_> = saved.iter().filter(|(_, saved)| saved.is_ok()).collect();
        assert_eq!(winners.len(), 1, "{saved:?}");
        let losers = saved.iter().filter(|(_, saved)| *saved == Err(SaveError::Store(StoreError::Conflict))).count();
        assert_eq!(losers, 39);
        first = notes.get(first.id).await.unwrap().unwrap();
        assert_eq!(first.count, winners[0].0, "what was answered is stored");
    }
    assert_eq!(waiting(stores).await, 5);
}

pub async fn many_writes_at_once_are_answered_each_for_itself(stores: &Stores) {
    let (notes, user) = (notes(stores), UserId::generate());
    let made: Vec<Note> = (0..700).map(|n| Note { count: n, ..note(user, &format!("{}", n % 650)) }).collect();
    let saved = join_all(made.iter().map(|note| notes.save(note, &[]))).await;
    let taken = saved.iter().filter(|saved| **saved == Err(SaveError::Duplicate(NoteKey::Title))).count();
    assert_eq!((saved.iter().filter(|saved| saved.is_ok()).count(), taken), (650, 50));
    let stored: Vec<_> = made.iter().zip(&saved).filter(|(_, saved)| saved.is_ok()).map(|(note, _)| note).collect();
    // Each again, and every third with a stale version.
    let changed = stored.iter().enumerate().map(|(n, note)| Note {
        version: if n % 3 == 0 { 9 } else { 1 },
        count: note.count + 1_000,
        ..(*note).clone()
    });
    let changed: Vec<Note> = changed.collect();
    let saved = join_all(changed.iter().map(|note| notes.save(note, &[]))).await;
    for (n, (note, saved)) in changed.iter().zip(saved).enumerate() {
        let expected = if n % 3 == 0 { Err(SaveError::Store(StoreError::Conflict)) } else { Ok(2) };
        assert_eq!(saved, expected, "{n}");
        let stored = notes.get(note.id).await.unwrap().unwrap();
        assert_eq!(stored.count >= 1_000, n % 3 != 0);
    }
}

pub async fn a_due_document_is_claimed_by_one(stores: &Stores) {
    let (notes, user) = (notes(stores), UserId::generate());
    for n in 0..20 {
        notes.save(&Note { due_at: Some(make::at(n)), ..note(user, &format!("{n}")) }, &[]).await.unwrap();
    }
    let lease = |note: &mut Note| {
        note.due_at = Some(make::at(100));
        true
    };
    let claims = join_all((0..4).map(|_| notes.claim(DUE.due(make::at(9)), lease))).await;
    let claimed: Vec<OrderId> = claims.into_iter().flat_map(Result::unwrap).map(|note| note.id).collect();
    assert_eq!((claimed.len(), claimed.iter().collect::<HashSet<_>>().len()), (10, 10));
    assert_eq!(notes.claim(DUE.due(make::at(9)), lease).await, Ok(vec![]), "until the lease is over");
    assert_eq!(notes.claim(DUE.due(make::at(100)).limit(3), lease).await.unwrap().len(), 3);
}

pub async fn changes_of_many_add_up(stores: &Stores) {
    let notes = notes(stores);
    let first = note(UserId::generate(), "a");
    notes.save(&first, &[]).await.unwrap();
    let add = || {
        notes.change(first.id, |note| {
            note.count += 1;
            Some(note.count)
        })
    };
    for changed in join_all((0..12).map(|_| add())).await {
        assert!(changed.unwrap().is_some());
    }
    assert_eq!(notes.get(first.id).await.unwrap().unwrap().count, 12);
    assert_eq!(notes.change(first.id, |_| None::<()>).await, Ok(None), "it is left alone");
    assert_eq!(notes.get(first.id).await.unwrap().unwrap().version, 13);
    assert_eq!(notes.change(OrderId::generate(), |_| Some(())).await, Ok(None), "there is none");

    // One that is made by whoever comes first, each with its event.
    let new = note(UserId::generate(), "b");
    let add = || {
        notes.upsert(new.clone(), |note| {
            note.count += 1;
            Some(vec![event()])
        })
    };
    let added = join_all((0..12).map(|_| add())).await;
    let versions: HashSet<u64> = added.into_iter().map(|added| added.unwrap().version).collect();
    assert_eq!(versions, (1..=12).collect());
    let stored = notes.get(new.id).await.unwrap().unwrap();
    assert_eq!((stored.count, stores.outbox.depth().await), (12, Ok(12)));
    assert_eq!(notes.upsert(new, |_| None).await, Ok(stored), "it is left alone");
    let never = note(UserId::generate(), "c");
    assert_eq!(notes.upsert(never.clone(), |_| None).await.map(|note| note.version), Ok(0));
    assert_eq!(notes.get(never.id).await, Ok(None));
}

pub async fn events_wait_in_the_order_of_their_writes(stores: &Stores) {
    let notes = notes(stores);
    let mut first = note(UserId::generate(), "a");
    let events: Vec<Envelope> = (0..6).map(|_| event()).collect();
    first.version = notes.save(&first, &events[..2]).await.unwrap();
    first.version = notes.save(&first, &events[2..3]).await.unwrap();
    first.version = notes.save(&first, &events[3..]).await.unwrap();
    let waiting = stores.outbox.waiting(0, 100).await.unwrap();
    let published: Vec<_> = waiting.iter().map(|(_, envelope)| envelope.id).collect();
    assert_eq!(published, events.iter().map(|envelope| envelope.id).collect::<Vec<_>>());
    let some: Vec<u64> = waiting.iter().take(4).map(|(number, _)| *number).collect();
    stores.outbox.settle(&some, &[]).await.unwrap();
    assert_eq!(stores.outbox.waiting(0, 100).await.unwrap(), waiting[4..]);
}

pub async fn events_that_nobody_carries_on_come_out_once_in_their_order(stores: &Stores) {
    let notes = notes(stores);
    let mut all = [note(UserId::generate(), "a"), note(UserId::generate(), "b")];
    let mut published = [vec![], vec![]];
    for at in 0..200 {
        let events = [event()];
        let which = usize::from(at % 4 == 0);
        all[which].version = notes.save(&all[which], &events).await.unwrap();
        published[which].extend(events.map(|envelope| envelope.id));
    }
    let mut came = vec![];
    while let Some((number, envelope)) = stores.outbox.waiting(0, 7).await.unwrap().into_iter().next() {
        came.push(envelope.id);
        stores.outbox.settle(&[number], &[]).await.unwrap();
    }
    for published in published {
        assert_eq!(came.iter().filter(|id| published.contains(id)).copied().collect::<Vec<_>>(), published);
    }
    assert_eq!((came.len(), stores.outbox.depth().await), (200, Ok(0)));
}

pub async fn a_document_is_stored_under_a_name(stores: &Stores) {
    let named = Collection::<Named>::new(Arc::clone(&stores.backend));
    let text = "$set: {\"$oid\": 1}, \0 and a . dot".to_owned();
    let mut first = Named { name: "a:\u{e9} $b.c".to_owned(), text, version: 0 };
    first.version = named.save(&first, &[]).await.unwrap();
    assert_eq!(named.get(first.name.clone()).await, Ok(Some(first.clone())));
    assert_eq!(named.get("another".to_owned()).await, Ok(None));
    let second = Named { name: "b".to_owned(), text: String::new(), version: 0 };
    named.save(&second, &[]).await.unwrap();
    let all = named.find(Find::by_id().after(Some(first.name.clone()))).await.unwrap();
    assert_eq!(all.into_iter().map(|named| named.name).collect::<Vec<_>>(), ["b"]);
    // Of many concurrent puts one is last; none is refused.
    let many = (0..6).map(|n| named.put(Named { name: "c".to_owned(), text: n.to_string(), version: 0 }));
    assert!(join_all(many).await.into_iter().all(|put| put == Ok(())));
    assert_eq!(named.get("c".to_owned()).await.unwrap().map(|named| named.version), Some(6));
}
