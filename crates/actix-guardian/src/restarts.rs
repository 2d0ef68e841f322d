//! How often something died in a row, and when it is started anew.

use std::time::Duration;

use growing_backoff::Backoff;

/// The first restart comes at once, the next after the first of these pauses.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(30));
/// This many deaths in a row make a kind count as failing.
const FAILING: u32 = 5;

/// Deaths in a row.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Restarts(u32);

impl Restarts {
    /// How long to wait before the next start, counting one more death.
    pub(super) fn next_pause(&mut self) -> Duration {
        let pause = PAUSES.after(self.0);
        self.0 = self.0.saturating_add(1);
        pause
    }

    /// Whether it keeps dying.
    pub(super) const fn is_failing(self) -> bool {
        self.0 >= FAILING
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_restart_comes_at_once_and_the_fifth_death_is_failing() {
        let mut restarts = Restarts::default();
        let pauses: Vec<_> = (0..4).map(|_| restarts.next_pause()).collect();
        assert_eq!(pauses, [0, 50, 100, 200].map(Duration::from_millis));
        assert!(!restarts.is_failing());
        restarts.next_pause();
        assert!(restarts.is_failing());
    }
}
