//! A circuit breaker for calls to a peer or to an external service.
//!
//! While it is closed, calls pass. After a number of consecutive failures it opens and refuses calls at once. After a
//! pause, which doubles up to a limit, one trial call passes; its success closes the breaker and its failure opens it
//! again. A peer can also state for how long the breaker stays open.
//!
//! **Invariant:** while the breaker is open, at most one trial call is in progress; a trial call that is cancelled
//! lets the next one try.

use std::time::Duration;

use growing_backoff::Backoff;
use parking_lot::Mutex;
use tokio::time::Instant;

/// Default number of consecutive failures that open the breaker.
pub const FAILURES: u32 = 5;
/// The first pause of an open breaker.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest pause of an open breaker.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy)]
enum State {
    Closed {
        failures: u32,
    },
    Open {
        until: Instant,
    },
    /// A trial call is in progress.
    Trying,
}

#[derive(Debug)]
struct Inner {
    state: State,
    /// Openings in a row.
    opened: u32,
    most: u32,
    pauses: Backoff,
}

#[derive(Debug)]
pub struct Breaker(Mutex<Inner>);

impl Default for Breaker {
    fn default() -> Self {
        Self::opening_after(FAILURES, FIRST_PAUSE, LONGEST_PAUSE)
    }
}

/// Permission for one call. A pass that is dropped without a report counts as a cancelled call and does not change
/// what is known about the peer.
#[derive(Debug)]
pub struct Pass<'a> {
    breaker: &'a Breaker,
    trying: bool,
    reported: bool,
}

impl Breaker {
    /// A closed breaker that opens after `most` consecutive failures, first for `first` and at most for `longest`.
    #[must_use]
    pub const fn opening_after(most: u32, first: Duration, longest: Duration) -> Self {
        Self(Mutex::new(Inner {
            state: State::Closed { failures: 0 },
            opened: 0,
            most,
            pauses: Backoff::new(first, longest),
        }))
    }

    /// Permits a call, or refuses it at once.
    pub fn enter(&self) -> Option<Pass<'_>> {
        let mut inner = self.0.lock();
        let trying = match inner.state {
            State::Closed { .. } => false,
            State::Open { until } if Instant::now() >= until => {
                inner.state = State::Trying;
                true
            }
            State::Open { .. } | State::Trying => return None,
        };
        Some(Pass { breaker: self, trying, reported: false })
    }

    /// Whether the breaker is closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self.0.lock().state, State::Closed { .. })
    }

    /// Whether [`Breaker::enter`] would permit a call now.
    #[must_use]
    pub fn would_pass(&self) -> bool {
        match self.0.lock().state {
            State::Closed { .. } => true,
            State::Open { until } => Instant::now() >= until,
            State::Trying => false,
        }
    }
}

impl Inner {
    fn open(&mut self) {
        self.opened = self.opened.saturating_add(1);
        self.state = State::Open { until: Instant::now() + self.pauses.after(self.opened) };
    }
}

impl Pass<'_> {
    /// Reports an answer of the peer. `of_use` is false for an answer that shows only that the peer is reachable.
    pub fn succeeded(mut self, of_use: bool) {
        self.reported = true;
        let mut inner = self.breaker.0.lock();
        match inner.state {
            State::Trying if self.trying => inner.state = State::Closed { failures: 0 },
            State::Closed { .. } if of_use => inner.state = State::Closed { failures: 0 },
            // A late answer to a call from before the breaker opened.
            _ => return,
        }
        if of_use {
            inner.opened = 0;
        }
    }

    /// Reports that the peer asked for a pause: the breaker opens for that time.
    pub fn open_for(mut self, pause: Duration) {
        self.reported = true;
        self.breaker.0.lock().state = State::Open { until: Instant::now() + pause };
    }

    /// Reports that the peer did not answer, or that its answer was not valid.
    pub fn failed(mut self) {
        self.reported = true;
        let mut inner = self.breaker.0.lock();
        match inner.state {
            State::Trying if self.trying => inner.open(),
            State::Closed { failures } if failures + 1 < inner.most => {
                inner.state = State::Closed { failures: failures + 1 };
            }
            State::Closed { .. } => inner.open(),
            State::Open { .. } | State::Trying => {}
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.trying && !self.reported {
            let mut inner = self.breaker.0.lock();
            if let State::Trying = inner.state {
                inner.state = State::Open { until: Instant::now() };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(breaker: &Breaker, times: u32) {
        (0..times).for_each(|_| breaker.enter().unwrap().failed());
    }

    #[tokio::test(start_paused = true)]
    async fn consecutive_failures_open_the_breaker_and_one_success_closes_it() {
        let breaker = Breaker::default();
        fail(&breaker, FAILURES - 1);
        breaker.enter().unwrap().succeeded(true);
        fail(&breaker, FAILURES - 1);
        assert!(breaker.is_closed(), "the failures were not consecutive");
        fail(&breaker, 1);
        assert!(!breaker.is_closed() && breaker.enter().is_none());
        tokio::time::advance(FIRST_PAUSE).await;
        let first = breaker.enter().unwrap();
        assert!(breaker.enter().is_none(), "one trial call at a time");
        first.succeeded(true);
        assert!(breaker.is_closed());
    }

    #[tokio::test(start_paused = true)]
    async fn the_pause_grows_to_its_limit_while_the_peer_is_unavailable() {
        let breaker = Breaker::default();
        fail(&breaker, FAILURES);
        for pause in [200, 400, 800, 1_600, 2_000, 2_000] {
            tokio::time::advance(Duration::from_millis(pause - 1)).await;
            assert!(breaker.enter().is_none(), "{pause}");
            tokio::time::advance(Duration::from_millis(1)).await;
            breaker.enter().unwrap().failed();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_breaker_stays_open_for_the_pause_that_the_peer_states() {
        let breaker = Breaker::opening_after(1, FIRST_PAUSE, FIRST_PAUSE);
        breaker.enter().unwrap().open_for(Duration::from_secs(30));
        tokio::time::advance(Duration::from_millis(29_999)).await;
        assert!(!breaker.would_pass() && breaker.enter().is_none());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(breaker.would_pass());
        let trying = breaker.enter().unwrap();
        assert!(!breaker.would_pass());
        trying.succeeded(true);
        assert!(breaker.is_closed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancelled_trial_call_lets_the_next_one_try() {
        let breaker = Breaker::default();
        fail(&breaker, FAILURES);
        tokio::time::advance(FIRST_PAUSE).await;
        drop(breaker.enter().unwrap());
        assert!(breaker.enter().is_some());
    }
}
