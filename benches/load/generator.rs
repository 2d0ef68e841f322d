//! Closed-loop load: each connection sends a request, waits for the response, and sends the next.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::Result;
use tokio::task::JoinSet;

use super::{client::Connection, process::Process};

/// Writes the next request into the buffer; `false` at the end.
pub type Script = Box<dyn FnMut(&mut Vec<u8>) -> bool + Send>;

/// The duration and pace of a measurement.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Not counted.
    pub warm: Duration,
    /// Counted.
    pub length: Duration,
    /// Between an answer and the next request.
    pub pause: Duration,
}

/// The result of a measurement.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Responses with 2xx.
    pub good: usize,
    /// Other responses.
    pub bad: usize,
    /// The status of one of the bad responses.
    pub bad_status: u16,
    /// From the first counted request to the last answer.
    pub seconds: f64,
    /// Of each good request, in microseconds, sorted.
    pub latencies: Vec<u32>,
    /// The CPU time that the server used meanwhile, of all cores.
    pub cpu_seconds: f64,
}

impl Outcome {
    /// Good answers a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        count(self.good) / self.seconds.max(1e-9)
    }

    /// The latency quantile at this share, in milliseconds.
    #[must_use]
    pub fn percentile(&self, hundredths: usize) -> f64 {
        let at = (self.latencies.len() * hundredths / 100).min(self.latencies.len().saturating_sub(1));
        self.latencies.get(at).map_or(f64::NAN, |micros| f64::from(*micros) / 1_000.0)
    }

    /// The server's processor time for one request, in microseconds.
    #[must_use]
    pub fn cpu_micros(&self) -> f64 {
        self.cpu_seconds * 1e6 / count((self.good + self.bad).max(1))
    }
}

/// A count as a divisor.
pub fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::MAX, f64::from)
}

/// Runs each script on a connection of its own.
///
/// # Errors
/// When a connection breaks.
pub async fn run_load(server: &Process, scripts: Vec<Script>, pace: Pace) -> Result<Outcome> {
    run_load_on_all(&[server], scripts, pace).await
}

/// As [`drive`], with the connections distributed evenly over several servers.
///
/// # Errors
/// When a connection breaks.
pub async fn run_load_on_all(servers: &[&Process], scripts: Vec<Script>, pace: Pace) -> Result<Outcome> {
    let used = || servers.iter().map(|server| server.cpu_seconds()).sum::<Result<f64>>();
    let mut tasks = JoinSet::new();
    let warm_until = Instant::now() + pace.warm;
    for (script, server) in scripts.into_iter().zip(servers.iter().cycle()) {
        tasks.spawn(one(server.address, script, warm_until, pace));
    }
    tokio::time::sleep_until(warm_until.into()).await;
    let cpu_before = used()?;
    let mut total = Outcome::default();
    let mut last = warm_until;
    while let Some(done) = tasks.join_next().await {
        let (part, ended) = done??;
        total.good += part.good;
        total.bad += part.bad;
        total.bad_status = total.bad_status.max(part.bad_status);
        total.latencies.extend(part.latencies);
        last = last.max(ended);
    }
    total.cpu_seconds = used()? - cpu_before;
    total.seconds = last.duration_since(warm_until).as_secs_f64();
    total.latencies.sort_unstable();
    Ok(total)
}

async fn one(address: SocketAddr, mut script: Script, warm_until: Instant, pace: Pace) -> Result<(Outcome, Instant)> {
    let mut connection = Connection::open(address).await?;
    let (mut request, mut part, mut ended) = (Vec::with_capacity(1024), Outcome::default(), warm_until);
    let end = warm_until + pace.length;
    loop {
        request.clear();
        let began = Instant::now();
        if began >= end || !script(&mut request) {
            return Ok((part, ended));
        }
        let (status, _) = connection.ask(&request).await?;
        let now = Instant::now();
        if began >= warm_until {
            ended = now;
            if (200..300).contains(&status) {
                part.good += 1;
                part.latencies.push(u32::try_from(now.duration_since(began).as_micros()).unwrap_or(u32::MAX));
            } else {
                part.bad += 1;
                part.bad_status = status;
            }
        }
        if !pace.pause.is_zero() {
            tokio::time::sleep(pace.pause).await;
        }
    }
}
