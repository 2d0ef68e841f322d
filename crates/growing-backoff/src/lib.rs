//! Pauses between tries, each a multiple of the one before, up to the longest.
//!
//! Not `backon`: many counts of failures are stored in documents, where its iterators cannot go on from, its pauses may
//! end, and its factor is an `f32`, which makes 200.000003 ms of 100 ms.

use std::time::Duration;

/// How long to wait after so many failures in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    factor: u32,
}

impl Backoff {
    /// Pauses from `first` to `longest`, each twice as long as the one before.
    #[must_use]
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, factor: 2 }
    }

    /// The same, each `factor` times as long as the one before.
    #[must_use]
    pub const fn by(self, factor: u32) -> Self {
        Self { factor, ..self }
    }

    /// The pause after this many failures in a row; none before the first.
    #[must_use]
    pub fn after(self, failures: u32) -> Duration {
        let Some(grown) = failures.checked_sub(1) else { return Duration::ZERO };
        self.first.saturating_mul(self.factor.saturating_pow(grown)).min(self.longest)
    }

    /// The pauses after the first failure, the second, and so on.
    pub fn pauses(self) -> impl Iterator<Item = Duration> {
        (1..).map(move |failures| self.after(failures))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_from_the_first_to_the_longest() {
        let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        let pauses: Vec<_> = backoff.pauses().take(6).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1_000, 1_000].map(Duration::from_millis));
        assert_eq!((backoff.after(0), backoff.after(u32::MAX)), (Duration::ZERO, Duration::from_secs(1)));
        assert_eq!(backoff.by(6).after(2), Duration::from_millis(600));
    }
}
