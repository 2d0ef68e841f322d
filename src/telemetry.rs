//! Logging: events to standard error, as text or as JSON, and panics among them.
//!
//! **Invariant:** a panic is logged as one line like every other event. Logging never waits for the
//! reader of the log: lines without room are counted and dropped. An outage logs a line a second and kind.

use std::{
    collections::{HashMap, hash_map::Entry},
    io::{self, IsTerminal, Write},
    panic,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use metrics::counter;
use parking_lot::Mutex;
use tracing::{Event, Level, Metadata, Subscriber, callsite::Identifier};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::LevelFilter,
    fmt,
    layer::{Context, SubscriberExt},
    util::SubscriberInitExt,
};

use crate::config::{ConfigError, LogConfig, LogFormat};

/// Libraries whose `info` messages are only of interest to their authors.
const QUIET: &str = "tantivy=warn,actix_server=warn,mio=warn";

/// Sets up the logging of this process; a second call changes nothing.
///
/// # Errors
/// When `RUST_LOG` is not a valid filter.
pub fn init(config: &LogConfig) -> Result<(), ConfigError> {
    let filter = filter(config.level, std::env::var("RUST_LOG").ok().as_deref())?;
    let builder = fmt().with_env_filter(filter).with_writer(lines);
    // Refused only when a subscriber is already there, as in tests.
    let _ = match config.format {
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).finish().with(Throttle).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).finish().with(Throttle).try_init(),
    };
    panic::set_hook(Box::new(log_panic));
    Ok(())
}

fn filter(level: &str, refinement: Option<&str>) -> Result<EnvFilter, ConfigError> {
    let default = match level {
        "info" => format!("{level},{QUIET}"),
        _ => level.to_owned(),
    };
    let directives = refinement.map(str::trim).filter(|text| !text.is_empty()).unwrap_or(&default);
    let builder = EnvFilter::builder().with_default_directive(LevelFilter::ERROR.into());
    builder.parse(directives).map_err(|_| {
        ConfigError::new("RUST_LOG", "is not a log filter; write for example info or info,microbazaar=debug")
    })
}

/// Lets one warning or error a second through of each kind, that is of each place in the source: in an outage everything
/// that fails would tell the same. What is left out is counted, and the counts are logged.
struct Throttle;

/// How often a kind is logged.
const ONE_IN: Duration = Duration::from_secs(1);
/// How often the counts of what was left out are logged.
const COUNTS_EVERY: Duration = Duration::from_secs(10);
/// A target whose lines are all logged: each is about another thing, and there is no other place to learn of it.
pub const REPORT: &str = "report";

struct Kind {
    logged_at: Instant,
    left_out: u64,
    place: String,
}

static KINDS: LazyLock<Mutex<HashMap<Identifier, Kind>>> = LazyLock::new(Mutex::default);

impl<S: Subscriber> Layer<S> for Throttle {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let kind = event.metadata();
        let is_whole = *kind.level() > Level::WARN || [REPORT, module_path!()].contains(&kind.target());
        is_whole || is_due(kind, Instant::now())
    }
}

fn is_due(kind: &Metadata<'_>, now: Instant) -> bool {
    let mut kinds = KINDS.lock();
    match kinds.entry(kind.callsite()) {
        Entry::Vacant(new) => {
            let place = format!("{}:{}", kind.file().unwrap_or(kind.target()), kind.line().unwrap_or_default());
            new.insert(Kind { logged_at: now, left_out: 0, place });
            true
        }
        Entry::Occupied(known) => {
            let known = known.into_mut();
            let is_due = now.duration_since(known.logged_at) >= ONE_IN;
            match is_due {
                true => known.logged_at = now,
                false => known.left_out += 1,
            }
            is_due
        }
    }
}

/// Logs how much was left out of each kind since the last time.
fn log_left_out() {
    let counts: Vec<(String, u64)> = {
        let mut kinds = KINDS.lock();
        let left_out = kinds.values_mut().filter(|kind| kind.left_out > 0);
        left_out.map(|kind| (kind.place.clone(), std::mem::take(&mut kind.left_out))).collect()
    };
    for (place, lines) in counts {
        tracing::warn!(lines, place, "lines like one before were left out");
    }
}

/// Lines that may wait for the reader of the log.
const WAITING_MAX: usize = 8_192;
/// How long the end of the process waits for the reader of the log.
const FLUSH_WITHIN: Duration = Duration::from_secs(1);

enum Output {
    Line(Vec<u8>),
    /// Answered once what came before is written.
    Flush(Sender<()>),
}

static ENTRIES: LazyLock<Sender<Output>> = LazyLock::new(|| {
    let (sender, entries) = bounded(WAITING_MAX);
    let started = thread::Builder::new().name("log".to_owned()).spawn(move || write_entries(&entries));
    if let Err(error) = started {
        let _nobody_to_tell = writeln!(io::stderr(), "nothing is logged: {error}");
    }
    sender
});
static DROPPED: AtomicU64 = AtomicU64::new(0);

fn write_entries(entries: &Receiver<Output>) {
    let mut out = io::stderr();
    let mut counted_at = Instant::now();
    loop {
        let entry = entries.recv_timeout(COUNTS_EVERY.saturating_sub(counted_at.elapsed()));
        if counted_at.elapsed() >= COUNTS_EVERY {
            counted_at = Instant::now();
            log_left_out();
        }
        let entry = match entry {
            Ok(entry) => entry,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        // A log that cannot be written is no reason to end.
        let _ = match entry {
            Output::Line(line) => out.write_all(&line),
            Output::Flush(done) => out.flush().map(|()| {
                let _nobody_waits_any_more = done.try_send(());
            }),
        };
        if entries.is_empty() {
            let dropped = DROPPED.swap(0, Ordering::Relaxed);
            if dropped > 0 {
                tracing::warn!(lines = dropped, "lines of the log were left out, since its reader was too slow");
            }
        }
    }
}

/// Waits until what was logged is written, a second at most. For the end of the process.
pub fn flush() {
    log_left_out();
    let (done, is_done) = bounded(1);
    if ENTRIES.send_timeout(Output::Flush(done), FLUSH_WITHIN).is_ok() {
        let _late = is_done.recv_timeout(FLUSH_WITHIN);
    }
}

/// Where one event is written to, whole.
struct Lines;

fn lines() -> Lines {
    Lines
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if ENTRIES.try_send(Output::Line(line.to_vec())).is_err() {
            DROPPED.fetch_add(1, Ordering::Relaxed);
            counter!("log_lines_dropped_total").increment(1);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn log_panic(info: &panic::PanicHookInfo<'_>) {
    let message = info.payload_as_str().unwrap_or("no message").replace(['\n', '\r'], " ");
    let location = info.location().map(ToString::to_string).unwrap_or_default();
    let thread = thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    tracing::error!(panic.message = %message, panic.location = %location, panic.thread = %thread, "a thread panicked");
    if thread == "main" {
        flush(); // the process ends
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Collects lines.
    #[derive(Clone, Default)]
    struct Collected(std::sync::Arc<Mutex<Vec<u8>>>);

    impl Write for Collected {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(line);
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_outage_logs_one_line_of_a_kind_and_how_many_were_left_out() {
        let lines = Collected::default();
        let writer = lines.clone();
        let subscriber = fmt().with_ansi(false).with_writer(move || writer.clone()).finish().with(Throttle);
        tracing::subscriber::with_default(subscriber, || {
            for number in 0..1_000 {
                tracing::warn!(number, "the store is away");
                tracing::error!(number, "a payment failed");
                tracing::info!(number, "a user came");
                tracing::warn!(target: REPORT, number, "two accounts are one");
            }
            log_left_out();
            log_left_out();
        });
        let lines = String::from_utf8(lines.0.lock().clone()).unwrap();
        let count = |text: &str| lines.lines().filter(|line| line.contains(text)).count();
        // A slow machine may begin another second.
        assert!(
            (1..20).contains(&count("the store is away")) && (1..20).contains(&count("a payment failed")),
            "{lines}"
        );
        assert_eq!((count("a user came"), count("two accounts are one")), (1_000, 1_000));
        for text in ["the store is away", "a payment failed"] {
            let left_out = format!("lines={} place=\"src/telemetry.rs:", 1_000 - count(text));
            assert!(lines.contains(&left_out), "{left_out} is not in {lines}");
        }
    }

    #[test]
    fn a_kind_is_due_again_after_a_second() {
        let seen = std::sync::Arc::new(Mutex::new(vec![]));
        struct Probe(std::sync::Arc<Mutex<Vec<bool>>>);
        impl<S: Subscriber> Layer<S> for Probe {
            fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
                let now = Instant::now();
                let mut seen = self.0.lock();
                for later in [0, 1, 999, 1_000, 1_001, 2_500] {
                    seen.push(is_due(event.metadata(), now + Duration::from_millis(later)));
                }
            }
        }
        let subscriber = tracing_subscriber::registry().with(Probe(seen.clone()));
        tracing::subscriber::with_default(subscriber, || tracing::warn!("it is away"));
        assert_eq!(*seen.lock(), [true, false, false, true, false, true]);
    }

    #[test]
    fn the_level_holds_unless_it_is_refined() {
        assert_eq!(filter("debug", None).unwrap().to_string(), "debug");
        assert_eq!(filter("warn", Some(" ")).unwrap().to_string(), "warn");
        assert!(filter("info", None).unwrap().to_string().contains("tantivy=warn"));
        assert_eq!(filter("info", Some("microbazaar=trace")).unwrap().to_string(), "microbazaar=trace");
        let told = filter("info", Some("a=b=c=d")).unwrap_err().to_string();
        assert_eq!(told, "RUST_LOG: is not a log filter; write for example info or info,microbazaar=debug");
    }
}
