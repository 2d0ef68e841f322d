//! Keeps the best of many matches in bounded memory.
//!
//! **Invariant:** at most about twice the capacity is stored, and none of the best is lost.

use std::cmp::Reverse;

/// A product that matches; the greatest comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Candidate {
    /// The sort key of the list, the greatest first.
    pub primary: i64,
    /// When it was made; ties go to the newest.
    pub created: i64,
    /// Its id, which no two share.
    pub id: (u64, u64),
}

/// The best `capacity` candidates seen.
pub(super) struct Best {
    kept: Vec<Candidate>,
    capacity: usize,
    /// A candidate with a smaller sort key cannot be among the best any more.
    pub floor: i64,
}

impl Best {
    pub fn new(capacity: usize) -> Self {
        Self { kept: Vec::new(), capacity, floor: if capacity == 0 { i64::MAX } else { i64::MIN } }
    }

    pub fn push(&mut self, candidate: Candidate) {
        self.kept.push(candidate);
        if self.kept.len() >= self.capacity.saturating_mul(2).max(64) {
            self.trim();
        }
    }

    fn trim(&mut self) {
        if self.capacity > 0 && self.kept.len() > self.capacity {
            let (_, last, _) = self.kept.select_nth_unstable_by_key(self.capacity - 1, |candidate| Reverse(*candidate));
            self.floor = last.primary;
        }
        self.kept.truncate(self.capacity);
    }

    /// The candidates after the first `skip`, the best first.
    pub fn page(mut self, skip: usize) -> Vec<Candidate> {
        self.trim();
        self.kept.sort_unstable_by_key(|candidate| Reverse(*candidate));
        self.kept.split_off(skip.min(self.kept.len()))
    }
}
