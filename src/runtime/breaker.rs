//! Whether a peer, or a program beyond the marketplace, is worth asking.
//!
//! Closed, calls pass. After some failures in a row it opens: calls are refused at once. After a
//! pause, which doubles up to a limit, one call may try; its success closes the breaker and its
//! failure opens it again. One that said how long to leave it alone is left alone so long.
//!
//! **Invariant:** of an open breaker's callers at most one is on its way at a time, and one
//! that gives up leaves its place to the next.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Failures in a row that open it, unless its maker says otherwise.
pub const FAILURES: u32 = 5;
/// How long it stays open at first.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// How long it stays open at most.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy)]
enum State {
    Closed {
        failures: u32,
    },
    Open {
        until: Instant,
    },
    /// One call is on its way to see.
    Trying,
}

#[derive(Debug)]
struct Inner {
    state: State,
    pause: Duration,
    most: u32,
    first: Duration,
    longest: Duration,
}

/// A circuit breaker.
#[derive(Debug)]
pub struct Breaker(Mutex<Inner>);

impl Default for Breaker {
    fn default() -> Self {
        Self::opening_after(FAILURES, FIRST_PAUSE, LONGEST_PAUSE)
    }
}

/// A call that the breaker let pass. Dropped without a word, it was given up and says
/// nothing of the peer.
#[derive(Debug)]
pub struct Pass<'a> {
    breaker: &'a Breaker,
    trying: bool,
    told: bool,
}

impl Breaker {
    /// A closed one, which opens after so many failures in a row, for `first` and at most for
    /// `longest`.
    #[must_use]
    pub const fn opening_after(most: u32, first: Duration, longest: Duration) -> Self {
        Self(Mutex::new(Inner { state: State::Closed { failures: 0 }, pause: first, most, first, longest }))
    }

    /// Lets a call pass, or refuses it at once.
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
        Some(Pass { breaker: self, trying, told: false })
    }

    /// Whether calls pass without more ado.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self.0.lock().state, State::Closed { .. })
    }

    /// Whether a call would pass now.
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
        self.state = State::Open { until: Instant::now() + self.pause };
        self.pause = (self.pause * 2).min(self.longest);
    }
}

impl Pass<'_> {
    /// The peer answered. `of_use`: it did what a peer is for, rather than just being there.
    pub fn succeeded(mut self, of_use: bool) {
        self.told = true;
        let mut inner = self.breaker.0.lock();
        match inner.state {
            State::Trying if self.trying => inner.state = State::Closed { failures: 0 },
            State::Closed { .. } if of_use => inner.state = State::Closed { failures: 0 },
            // A late answer to a call from before it opened.
            _ => return,
        }
        if of_use {
            inner.pause = inner.first;
        }
    }

    /// The peer said that nobody is to call for so long: it opens for that time.
    pub fn put_off(mut self, pause: Duration) {
        self.told = true;
        self.breaker.0.lock().state = State::Open { until: Instant::now() + pause };
    }

    /// The peer did not answer, or not as one.
    pub fn failed(mut self) {
        self.told = true;
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
        if self.trying && !self.told {
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
    async fn failures_in_a_row_open_it_and_one_success_closes_it() {
        let breaker = Breaker::default();
        fail(&breaker, FAILURES - 1);
        breaker.enter().unwrap().succeeded(true);
        fail(&breaker, FAILURES - 1);
        assert!(breaker.is_closed(), "they were not in a row");
        fail(&breaker, 1);
        assert!(!breaker.is_closed() && breaker.enter().is_none());
        tokio::time::advance(FIRST_PAUSE).await;
        let first = breaker.enter().unwrap();
        assert!(breaker.enter().is_none(), "one tries at a time");
        first.succeeded(true);
        assert!(breaker.is_closed());
    }

    #[tokio::test(start_paused = true)]
    async fn the_pause_grows_to_its_limit_while_the_peer_is_away() {
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
    async fn who_says_how_long_is_left_alone_so_long() {
        let breaker = Breaker::opening_after(1, FIRST_PAUSE, FIRST_PAUSE);
        breaker.enter().unwrap().put_off(Duration::from_secs(30));
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
    async fn a_try_that_is_given_up_leaves_its_place() {
        let breaker = Breaker::default();
        fail(&breaker, FAILURES);
        tokio::time::advance(FIRST_PAUSE).await;
        drop(breaker.enter().unwrap());
        assert!(breaker.enter().is_some());
    }
}
