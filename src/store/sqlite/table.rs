//! The statements on a collection's table, each built once.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use parking_lot::Mutex;

use crate::store::document::{IndexSpec, Query, Spec};

/// A collection's table.
pub(super) struct Table {
    pub(super) of: &'static Spec,
    pub(super) indexes: Vec<IndexSpec>,
    pub(super) get: String,
    /// Reads the version of a row, even of a deleted one.
    pub(super) version: String,
    pub(super) insert: String,
    /// Reads the version and the keys of a row.
    pub(super) keys: String,
    /// By the positions of the keys that are written.
    updates: Mutex<HashMap<Vec<usize>, Arc<str>>>,
    queries: Mutex<HashMap<Shape, Arc<str>>>,
}

/// What the text of a query depends on.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Shape {
    counts: bool,
    index: Option<&'static str>,
    to: bool,
    after: bool,
    before: bool,
    reverse: bool,
}

impl Table {
    pub(super) fn new(of: &'static Spec) -> Self {
        let (table, indexes) = (of.collection, (of.indexes)());
        let columns: String = indexes.iter().map(|index| format!(", k_{}", index.name)).collect();
        let seq = if of.feed { ", seq" } else { "" };
        let places: String = (3..).take(indexes.len() + usize::from(of.feed)).map(|at| format!(", ?{at}")).collect();
        Self {
            get: format!("SELECT id, version, doc FROM doc_{table} WHERE id = ?1 AND doc <> x''"),
            version: format!("SELECT version FROM doc_{table} WHERE id = ?1"),
            insert: format!(
                "INSERT INTO doc_{table} (id, version, doc{columns}{seq}) VALUES (?1, 1, ?2{places})
                 ON CONFLICT (id) DO NOTHING"
            ),
            keys: format!("SELECT version{columns} FROM doc_{table} WHERE id = ?1 AND doc <> x''"),
            of,
            indexes,
            updates: Mutex::default(),
            queries: Mutex::default(),
        }
    }

    /// Writes the document, its number if changes are numbered, and the keys at these positions, in this order.
    pub(super) fn update(&self, places: &Vec<usize>) -> Arc<str> {
        made_once(&self.updates, places, |places| {
            let (seq, first) = if self.of.feed { (", seq = ?3", 4) } else { ("", 3) };
            let keys = (first..).zip(places).map(|(at, place)| format!(", k_{} = ?{at}", self.indexes[*place].name));
            let (table, keys) = (self.of.collection, keys.collect::<String>());
            format!("UPDATE doc_{table} SET version = version + 1, doc = ?2{seq}{keys} WHERE id = ?1")
        })
    }

    /// Reads the rows that a query finds, or counts them; its values are [`super::documents::values`].
    pub(super) fn query(&self, query: &Query, counts: bool) -> Arc<str> {
        let Query { index, reverse, .. } = *query;
        let [to, after, before] = [query.to.is_some(), query.after.is_some(), query.before.is_some()];
        made_once(&self.queries, &Shape { counts, index, to, after, before, reverse }, |shape| {
            let (table, rest) = (self.of.collection, shape.clauses(self.of));
            let columns = if counts { "count(*)" } else { "id, version, doc" };
            format!("SELECT {columns} FROM doc_{table}{rest}")
        })
    }

    /// Deletes the rows that a query finds.
    pub(super) fn delete_found(&self, query: &Query) -> String {
        let (table, found) = (self.of.collection, self.query(query, false));
        format!("DELETE FROM doc_{table} WHERE id IN (SELECT id FROM ({found}))")
    }
}

fn made_once<K: Clone + Eq + Hash>(
    known: &Mutex<HashMap<K, Arc<str>>>,
    key: &K,
    text: impl FnOnce(&K) -> String,
) -> Arc<str> {
    let mut known = known.lock();
    if let Some(text) = known.get(key) {
        return Arc::clone(text);
    }
    let text: Arc<str> = text(key).into();
    known.insert(key.clone(), Arc::clone(&text));
    text
}

impl Shape {
    /// The clauses after the table's name.
    fn clauses(&self, of: &Spec) -> String {
        let mut places = (1..).map(|at| format!("?{at}"));
        let mut place = || places.next().unwrap_or_default();
        let column = self.index.map_or_else(|| "id".to_owned(), |index| format!("k_{index}"));
        let mut conditions = vec![];
        if self.index.is_some() {
            conditions.push(format!("{column} >= {}", place()));
            conditions.extend(self.to.then(|| format!("{column} < {}", place())));
        } else {
            // Tombstones have no keys either.
            conditions.extend(of.feed.then(|| "doc <> x''".to_owned()));
            conditions.extend(self.after.then(|| format!("id > {}", place())));
            conditions.extend(self.before.then(|| format!("id < {}", place())));
        }
        let mut rest =
            if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
        if !self.counts {
            let direction = if self.reverse { "DESC" } else { "ASC" };
            let then = if self.index.is_some() { format!(", id {direction}") } else { String::new() };
            let (limit, offset) = (place(), place());
            rest.push_str(&format!(" ORDER BY {column} {direction}{then} LIMIT {limit} OFFSET {offset}"));
        }
        rest
    }
}
