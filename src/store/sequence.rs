//! Numbers for events and parked messages, increasing within one node and different from those of other nodes.
//!
//! **Invariant:** a node assigns each number once, and later ones are higher.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::domain::Timestamp;

/// How many of the low bits identify the node.
const NODE_BITS: u32 = 10;

/// Assigns numbers: microseconds since 1970, then the node.
pub(in crate::store) struct Sequence {
    node: u64,
    last: AtomicU64,
}

impl Sequence {
    pub(in crate::store) fn new() -> Self {
        Self { node: rand::random::<u64>() % (1 << NODE_BITS), last: AtomicU64::new(0) }
    }

    /// The next number.
    pub(in crate::store) fn next(&self) -> u64 {
        let now = u64::try_from(Timestamp::now().as_microsecond()).unwrap_or(0);
        let after = |last: u64| now.max(last + 1);
        let last = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(after(last)));
        let (Ok(last) | Err(last)) = last;
        after(last) << NODE_BITS | self.node
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_grow_and_fit_the_integers_of_a_document() {
        let sequence = Sequence::new();
        let numbers: Vec<u64> = (0..10_000).map(|_| sequence.next()).collect();
        assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(numbers.iter().all(|number| i64::try_from(*number).is_ok()));
    }
}
