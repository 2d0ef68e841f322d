//! The jobs that wait for a hashing thread.
//!
//! They stand in lines, one for each [`Source`], and each turn takes a job of another line. So whoever sends many makes
//! only their own wait. Sources that are known go first, three turns of four.
//!
//! **Invariant:** a line has a bounded number of jobs, and so have all lines together.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use parking_lot::{Condvar, Mutex};

use super::{Job, PasswordError};
use crate::actors::accounts::calls::Source;

/// How many jobs of one known source go first; more stand in the line of those who are not known.
const KNOWN_LINE: usize = 16;

pub(super) struct Queue {
    jobs: Mutex<Jobs>,
    changed: Condvar,
    max: usize,
    line_max: usize,
}

#[derive(Default)]
struct Jobs {
    known: Lines,
    others: Lines,
    /// Turns of known sources since the last one of another.
    preferred: u8,
    closed: bool,
}

#[derive(Default)]
struct Lines {
    lines: HashMap<u64, VecDeque<Job>>,
    turns: VecDeque<u64>,
    len: usize,
}

impl Queue {
    pub(super) fn new(max: usize, line_max: usize) -> Self {
        Self { jobs: Mutex::default(), changed: Condvar::new(), max, line_max }
    }

    pub(super) fn push(&self, source: Source, job: Job) -> Result<(), PasswordError> {
        let mut jobs = self.jobs.lock();
        if !self.has_room(&jobs, source) {
            return Err(PasswordError::Busy);
        }
        if source.known && jobs.known.of(source.line) < KNOWN_LINE {
            jobs.known.push(source.line, job);
        } else {
            jobs.others.push(source.line, job);
        }
        drop(jobs);
        self.changed.notify_one();
        Ok(())
    }

    /// Whether the next job of this source would be refused.
    pub(super) fn is_full(&self, source: Source) -> bool {
        !self.has_room(&self.jobs.lock(), source)
    }

    fn has_room(&self, jobs: &Jobs, source: Source) -> bool {
        let first = source.known && jobs.known.of(source.line) < KNOWN_LINE;
        // Those who are known find room although others have taken all that is theirs.
        let max = if first { self.max + self.max / 4 } else { self.max };
        jobs.len() < max && (first || jobs.others.of(source.line) < self.line_max)
    }

    pub(super) fn len(&self) -> usize {
        self.jobs.lock().len()
    }

    /// The next job, once there is one; `None` after `within`, and when the queue is closed and empty.
    pub(super) fn pop(&self, within: Option<Duration>) -> Option<Job> {
        let mut jobs = self.jobs.lock();
        loop {
            if let Some(job) = jobs.next() {
                return Some(job);
            }
            if jobs.closed {
                return None;
            }
            match within {
                None => self.changed.wait(&mut jobs),
                Some(within) => {
                    if self.changed.wait_for(&mut jobs, within).timed_out() {
                        return jobs.next();
                    }
                }
            }
        }
    }

    pub(super) fn close(&self) {
        self.jobs.lock().closed = true;
        self.changed.notify_all();
    }
}

impl Jobs {
    const fn len(&self) -> usize {
        self.known.len + self.others.len
    }

    fn next(&mut self) -> Option<Job> {
        if self.preferred < 3
            && let Some(job) = self.known.pop()
        {
            self.preferred += 1;
            return Some(job);
        }
        self.preferred = 0;
        self.others.pop().or_else(|| self.known.pop())
    }
}

impl Lines {
    fn of(&self, line: u64) -> usize {
        self.lines.get(&line).map_or(0, VecDeque::len)
    }

    fn push(&mut self, line: u64, job: Job) {
        let jobs = self.lines.entry(line).or_default();
        if jobs.is_empty() {
            self.turns.push_back(line);
        }
        jobs.push_back(job);
        self.len += 1;
    }

    fn pop(&mut self) -> Option<Job> {
        let line = self.turns.pop_front()?;
        let jobs = self.lines.get_mut(&line)?;
        let job = jobs.pop_front();
        if jobs.is_empty() {
            self.lines.remove(&line);
        } else {
            self.turns.push_back(line);
        }
        self.len -= 1;
        job
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn source(line: u64, known: bool) -> Source {
        Source { line, known }
    }

    /// Queues these and tells in which order they are taken.
    fn order(queue: &Queue, sources: &[(u64, bool)]) -> Vec<u64> {
        let taken = Arc::new(Mutex::new(vec![]));
        for (line, known) in sources {
            let (taken, line) = (Arc::clone(&taken), *line);
            queue.push(source(line, *known), Box::new(move |_| taken.lock().push(line))).unwrap();
        }
        queue.close();
        while let Some(job) = queue.pop(None) {
            job(&mut vec![]);
        }
        taken.lock().clone()
    }

    #[test]
    fn each_line_has_its_turn_and_known_ones_go_first() {
        let flood = [(1, false); 5].into_iter();
        let mixed: Vec<_> = flood.chain([(2, false), (3, true), (3, true), (4, true), (3, true), (3, true)]).collect();
        assert_eq!(order(&Queue::new(64, 64), &mixed), [3, 4, 3, 1, 3, 3, 2, 1, 1, 1, 1]);
    }

    #[test]
    fn a_full_line_refuses_only_its_own_jobs() {
        let queue = Queue::new(64, 2);
        let push = |line, known| queue.push(source(line, known), Box::new(|_| ()));
        assert_eq!([push(1, false), push(1, false), push(1, false)], [Ok(()), Ok(()), Err(PasswordError::Busy)]);
        assert!(queue.is_full(source(1, false)) && !queue.is_full(source(2, false)) && !queue.is_full(source(1, true)));
        // A known source that sends many stands in line with the others in the end.
        assert_eq!((0..30).filter(|_| push(5, true).is_ok()).count(), KNOWN_LINE + 2);
        assert_eq!(queue.len(), 2 + KNOWN_LINE + 2);
    }

    #[test]
    fn those_who_are_known_find_room_in_a_full_queue() {
        let queue = Queue::new(4, 4);
        let push = |line, known| queue.push(source(line, known), Box::new(|_| ()));
        assert!((0..4).all(|line| push(line, false).is_ok()));
        assert_eq!(
            (push(9, false), push(9, true), push(8, true)),
            (Err(PasswordError::Busy), Ok(()), Err(PasswordError::Busy))
        );
    }
}
