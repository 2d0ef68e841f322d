//! Logging: events to standard error, as text or as JSON, and panics among them.
//!
//! **Invariant:** a panic is logged as one line like every other event.

use std::{io::IsTerminal, panic, thread};

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
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr);
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

fn log_panic(info: &panic::PanicHookInfo<'_>) {
    let message = info.payload_as_str().unwrap_or("no message").replace(['\n', '\r'], " ");
    let location = info.location().map(ToString::to_string).unwrap_or_default();
    let thread = thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    tracing::error!(panic.message = %message, panic.location = %location, panic.thread = %thread, "a thread panicked");
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
