//! Faults between a program and the gateway, random by a seed or set by a test.
//!
//! **Invariant:** the same seed gives the same faults to the same sequence of requests.

use std::{
    any::Any,
    collections::VecDeque,
    net::{Shutdown, TcpStream},
    os::fd::AsFd,
    time::Duration,
};

use actix_web::{dev::Extensions, rt};
use rand::{Rng, SeedableRng, rngs::StdRng};

/// The fault of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// It is done, and answered after this time.
    Slow(Duration),
    /// 500, and nothing is done.
    Error,
    /// 500, and it is done.
    ErrorAfter,
    /// 429, and nothing is done; `Retry-After` in seconds, if given.
    TooMany(Option<u32>),
    /// The connection breaks before anything is done.
    CutBefore,
    /// It is done, then the connection breaks.
    CutAfter,
    /// 200 with a page that is not JSON; nothing is done.
    Garbage,
    /// 200 with an endless body; nothing is done.
    Endless,
    /// 401, for any key.
    Locked,
}

/// How often each fault occurs, in requests of a thousand.
#[derive(Debug, Clone, Copy)]
pub struct Faults {
    /// The seed of the generator.
    pub seed: u64,
    /// [`Fault::Slow`], by up to `slowest`.
    pub slow: u32,
    /// The longest duration of a slow one.
    pub slowest: Duration,
    /// [`Fault::Error`].
    pub error: u32,
    /// [`Fault::TooMany`].
    pub too_many: u32,
    /// [`Fault::CutBefore`].
    pub cut_before: u32,
    /// [`Fault::CutAfter`].
    pub cut_after: u32,
    /// Done, and answered after `late_by`, when the client has given up.
    pub late: u32,
    /// How late that is.
    pub late_by: Duration,
}

impl Faults {
    /// No faults.
    pub const fn none() -> Self {
        Self {
            seed: 0,
            slow: 0,
            slowest: Duration::ZERO,
            error: 0,
            too_many: 0,
            cut_before: 0,
            cut_after: 0,
            late: 0,
            late_by: Duration::ZERO,
        }
    }

    /// Every fault occasionally.
    pub const fn storm(seed: u64) -> Self {
        Self {
            seed,
            slow: 100,
            slowest: Duration::from_millis(300),
            error: 60,
            too_many: 30,
            cut_before: 40,
            cut_after: 60,
            late: 5,
            late_by: Duration::from_secs(16),
        }
    }
}

/// Chooses the next fault, and records the requests.
pub(super) struct Weather {
    faults: Faults,
    random: StdRng,
    scripted: VecDeque<(String, Fault)>,
    asked: Vec<String>,
}

impl Weather {
    pub(super) fn new(faults: Faults) -> Self {
        let random = StdRng::seed_from_u64(faults.seed);
        Self { faults, random, scripted: VecDeque::new(), asked: vec![] }
    }

    pub(super) fn script(&mut self, call: &str, fault: Fault) {
        self.scripted.push_back((call.to_owned(), fault));
    }

    pub(super) fn asked(&self, call: &str) -> usize {
        self.asked.iter().filter(|asked| asked.starts_with(call)).count()
    }

    pub(super) fn next(&mut self, call: String) -> Fault {
        let scripted = self.scripted.iter().position(|(prefix, _)| call.starts_with(prefix.as_str()));
        self.asked.push(call);
        if let Some((_, fault)) = scripted.and_then(|place| self.scripted.remove(place)) {
            return fault;
        }
        let faults = self.faults;
        let mut left = self.random.random_range(0..1000_u32);
        let share: f64 = self.random.random();
        for (often, fault) in [
            (faults.slow, Fault::Slow(faults.slowest.mul_f64(share))),
            (faults.error, Fault::Error),
            (faults.too_many, Fault::TooMany(Some(1))),
            (faults.cut_before, Fault::CutBefore),
            (faults.cut_after, Fault::CutAfter),
            (faults.late, Fault::Slow(faults.late_by)),
        ] {
            if left < often {
                return fault;
            }
            left -= often;
        }
        Fault::None
    }
}

/// A second handle of a connection, to cut it.
pub(super) struct Wire(TcpStream);

impl Wire {
    pub(super) fn cut(&self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// Keeps a handle of each connection.
pub(super) fn keep_wire(connection: &dyn Any, kept: &mut Extensions) {
    if let Some(stream) = connection.downcast_ref::<rt::net::TcpStream>()
        && let Ok(held) = stream.as_fd().try_clone_to_owned()
    {
        kept.insert(Wire(TcpStream::from(held)));
    }
}
