//! Growing pauses.

use std::time::Duration;

/// The first restart comes at once, the next after 50 ms, then twice as long each time,
/// up to 30 s.
#[derive(Debug, Clone, Copy, Default)]
pub struct Backoff {
    deaths: u32,
}

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(30);
/// This many deaths in a row make a kind count as failing.
const FAILING: u32 = 5;

impl Backoff {
    /// How long to wait before the next start, counting one more death.
    #[must_use]
    pub fn next_pause(&mut self) -> Duration {
        let pause = match self.deaths {
            0 => Duration::ZERO,
            n => FIRST.saturating_mul(1 << (n - 1).min(16)).min(LONGEST),
        };
        self.deaths = self.deaths.saturating_add(1);
        pause
    }

    /// Whether it keeps dying.
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
