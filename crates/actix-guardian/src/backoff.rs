//! Exponential backoff between restarts.

use std::time::Duration;

/// The pauses between restarts: none before the first restart, then 50 ms, doubling up to 30 s.
#[derive(Debug, Clone, Copy, Default)]
pub struct Backoff {
    deaths: u32,
}

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(30);
/// From this many consecutive deaths on, an actor counts as failing.
const FAILING: u32 = 5;

impl Backoff {
    /// Counts one more death and returns the pause before the next start.
    #[must_use]
    pub fn next_pause(&mut self) -> Duration {
        let pause = match self.deaths {
            0 => Duration::ZERO,
            n => FIRST.saturating_mul(1 << (n - 1).min(16)).min(LONGEST),
        };
        self.deaths = self.deaths.saturating_add(1);
        pause
    }

    /// Whether the actor keeps dying.
    #[must_use]
    pub const fn is_failing(self) -> bool {
        self.deaths >= FAILING
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_from_nothing_to_the_longest() {
        let mut backoff = Backoff::default();
        let pauses: Vec<_> = (0..40).map(|_| backoff.next_pause()).collect();
        assert_eq!(pauses[..4], [0, 50, 100, 200].map(Duration::from_millis));
        assert!(pauses.is_sorted());
        assert_eq!(pauses.last(), Some(&LONGEST));
        assert!(backoff.is_failing());
    }
}
