//! The jobs that wait for a hashing thread.
//!
//! Each [`Source`] has a queue of its own, and they are served round robin, so that whoever sends many jobs delays only
//! their own. Of four jobs three are of known sources, if there are any.
//!
//! **Invariant:** the queue of a source is bounded, and so are all together.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use parking_lot::{Condvar, Mutex};

use super::{Job, PasswordError};
use crate::actors::accounts::calls::Source;

/// How many jobs of one known source are preferred; more count as those of an unknown one.
const KNOWN_FLOW_MAX: usize = 16;

pub(super) struct Queue {
    jobs: Mutex<Jobs>,
    changed: Condvar,
    max: usize,
    flow_max: usize,
}

#[derive(Default)]
struct Jobs {
    known: RoundRobin,
    others: RoundRobin,
    /// Jobs of known sources since the last one of another.
    preferred: u8,
    closed: bool,
}

#[derive(Default)]
struct RoundRobin {
    flows: HashMap<u64, VecDeque<Job>>,
    order: VecDeque<u64>,
    len: usize,
}

impl Queue {
    pub(super) fn new(max: usize, flow_max: usize) -> Self {
        Self { jobs: Mutex::default(), changed: Condvar::new(), max, flow_max }
    }

    pub(super) fn push(&self, source: Source, job: Job) -> Result<(), PasswordError> {
        let mut jobs = self.jobs.lock();
        if !self.has_room(&jobs, source) {
            return Err(PasswordError::Busy);
        }
        if source.known && jobs.known.of(source.flow) < KNOWN_FLOW_MAX {
            jobs.known.push(source.flow, job);
        } else {
            jobs.others.push(source.flow, job);
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
        let first = source.known && jobs.known.of(source.flow) < KNOWN_FLOW_MAX;
        // Those who are known find room although others have taken all that is theirs.
        let max = if first { self.max + self.max / 4 } else { self.max };
        jobs.len() < max && (first || jobs.others.of(source.flow) < self.flow_max)
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

impl RoundRobin {
    fn of(&self, flow: u64) -> usize {
        self.flows.get(&flow).map_or(0, VecDeque::len)
    }

    fn push(&mut self, flow: u64, job: Job) {
        let jobs = self.flows.entry(flow).or_default();
        if jobs.is_empty() {
            self.order.push_back(flow);
        }
        jobs.push_back(job);
        self.len += 1;
    }

    fn pop(&mut self) -> Option<Job> {
        let flow = self.order.pop_front()?;
        let jobs = self.flows.get_mut(&flow)?;
        let job = jobs.pop_front();
        if jobs.is_empty() {
            self.flows.remove(&flow);
        } else {
            self.order.push_back(flow);
        }
        self.len -= 1;
        job
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn source(flow: u64, known: bool) -> Source {
        Source { flow, known }
    }

    /// Queues these and tells in which order they are taken.
    fn order(queue: &Queue, sources: &[(u64, bool)]) -> Vec<u64> {
        let taken = Arc::new(Mutex::new(vec![]));
        for (flow, known) in sources {
            let (taken, flow) = (Arc::clone(&taken), *flow);
            queue.push(source(flow, *known), Box::new(move |_| taken.lock().push(flow))).unwrap();
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
        let push = |flow, known| queue.push(source(flow, known), Box::new(|_| ()));
        assert_eq!([push(1, false), push(1, false), push(1, false)], [Ok(()), Ok(()), Err(PasswordError::Busy)]);
        assert!(queue.is_full(source(1, false)) && !queue.is_full(source(2, false)) && !queue.is_full(source(1, true)));
        // A known source that sends many stands in flow with the others in the end.
        assert_eq!((0..30).filter(|_| push(5, true).is_ok()).count(), KNOWN_FLOW_MAX + 2);
        assert_eq!(queue.len(), 2 + KNOWN_FLOW_MAX + 2);
    }

    #[test]
    fn those_who_are_known_find_room_in_a_full_queue() {
        let queue = Queue::new(4, 4);
        let push = |flow, known| queue.push(source(flow, known), Box::new(|_| ()));
        assert!((0..4).all(|flow| push(flow, false).is_ok()));
        assert_eq!(
            (push(9, false), push(9, true), push(8, true)),
            (Err(PasswordError::Busy), Ok(()), Err(PasswordError::Busy))
        );
    }
}
