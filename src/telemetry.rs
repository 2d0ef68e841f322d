//! Logging: events to standard error, as text or as JSON, and panics among them.
//!
//! **Invariant:** a panic is logged as one line like every other event. Logging never waits for the
//! reader of the log: lines without room are counted and dropped.

use std::{
    io::{self, IsTerminal, Write},
    panic,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender, bounded};
use metrics::counter;
use tracing_subscriber::{EnvFilter, filter::LevelFilter, fmt, util::SubscriberInitExt};

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
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).finish().try_init(),
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init(),
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

/// Lines that may wait for the reader of the log.
const WAITING_MAX: usize = 8_192;
/// How long the end of the process waits for the reader of the log.
const FLUSH_WITHIN: Duration = Duration::from_secs(1);

enum Entry {
    Line(Vec<u8>),
    /// Answered once what came before is written.
    Flush(Sender<()>),
}

static ENTRIES: LazyLock<Sender<Entry>> = LazyLock::new(|| {
    let (sender, entries) = bounded(WAITING_MAX);
    let started = thread::Builder::new().name("log".to_owned()).spawn(move || write_entries(&entries));
    if let Err(error) = started {
        let _nobody_to_tell = writeln!(io::stderr(), "nothing is logged: {error}");
    }
    sender
});
static DROPPED: AtomicU64 = AtomicU64::new(0);

fn write_entries(entries: &Receiver<Entry>) {
    let mut out = io::stderr();
    for entry in entries {
        // A log that cannot be written is no reason to end.
        let _ = match entry {
            Entry::Line(line) => out.write_all(&line),
            Entry::Flush(done) => out.flush().map(|()| {
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
    let (done, is_done) = bounded(1);
    if ENTRIES.send_timeout(Entry::Flush(done), FLUSH_WITHIN).is_ok() {
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
        if ENTRIES.try_send(Entry::Line(line.to_vec())).is_err() {
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
