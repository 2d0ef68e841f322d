//! The command line: parsing, and one-sentence errors.
//!
//! **Invariant:** every error is one sentence on standard error; the exit code is 2 for a wrong flag, value or key,
//! and 1 for any later error.

pub mod dead;
pub mod money;
#[cfg(test)]
mod tests;

use std::{
    ffi::OsString,
    fmt::Display,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::{
    Args, Parser, Subcommand,
    error::{ContextKind, ContextValue, ErrorKind},
};

use secrecy::SecretString;

use crate::config::{ConfigError, Overrides};

/// A marketplace in one program.
#[derive(Debug, Parser)]
#[command(name = "microbazaar", version, disable_help_subcommand = true)]
pub struct Cli {
    /// The data directory [default: ./data]
    #[arg(long, global = true, value_name = "FOLDER")]
    pub data_dir: Option<String>,
    /// The command
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the shop
    Serve(Serve),
    /// Manage admins
    #[command(subcommand)]
    Admin(Admin),
    /// Help users who cannot log in
    #[command(subcommand)]
    User(User),
    /// Fill the shop with a demo catalogue
    Demo {
        /// How many products
        #[arg(long, value_parser = products)]
        products: Option<u32>,
    },
    /// Check the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print the OpenAPI document
    Openapi,
    /// Copy the database to a file, also while the shop runs
    Backup {
        /// The file to write
        file: PathBuf,
    },
    /// Manage the read models
    #[command(subcommand)]
    Projections(Projections),
    /// Manage mails, also while the shop runs
    #[command(subcommand)]
    Mail(Mail),
    /// Check the ledger
    #[command(subcommand)]
    Ledger(money::Ledger),
    /// Reconcile payments, also while the shop runs
    #[command(subcommand)]
    Payments(money::Payments),
    /// Ask the server of this configuration for its state
    Health {
        /// Check whether it can serve, not only whether it is alive
        #[arg(long)]
        ready: bool,
    },
    /// Manage dead letters: messages that no consumer could handle
    #[command(subcommand)]
    Dead(dead::Dead),
    /// Move an embedded shop to MongoDB; the server must not run
    #[command(after_help = "An address on the command line is seen by others on the machine; \
        without --to it comes from MONGO_URI.")]
    Migrate {
        /// The data directory to move from [default: that of the configuration]
        #[arg(long, value_name = "FOLDER")]
        from: Option<PathBuf>,
        /// The address of the server to move to [default: mongo.uri]
        #[arg(long, value_name = "URI", value_parser = secret)]
        to: Option<SecretString>,
    },
}

/// Flags of `serve`.
#[derive(Debug, Args)]
pub struct Serve {
    /// The port to listen on [default: 8080]
    #[arg(long, value_parser = port)]
    pub port: Option<u16>,
    /// The address to listen on [default: 127.0.0.1]
    #[arg(long)]
    pub host: Option<String>,
    /// The services to serve: all, or names with commas [default: all]
    #[arg(long)]
    pub services: Option<String>,
    /// Fill an empty shop with a demo catalogue
    #[arg(long)]
    pub demo: bool,
}

/// Commands about admins.
#[derive(Debug, Subcommand)]
pub enum Admin {
    /// Create an admin
    #[command(after_help = "The password comes from MICROBAZAAR_ADMIN_PASSWORD or from standard input; \
        without one it is made and printed.")]
    Create {
        /// The e-mail address
        #[arg(long)]
        email: String,
        /// The user name, derived from the e-mail address when absent
        #[arg(long)]
        username: Option<String>,
    },
}

/// Commands about users.
#[derive(Debug, Subcommand)]
pub enum User {
    /// Print a link with which the user sets a new password
    ResetPassword {
        /// The e-mail address
        email: String,
    },
    /// Turn a user's two-factor authentication off
    #[command(name = "reset-2fa")]
    ResetTwoFactor {
        /// The e-mail address
        email: String,
    },
}

/// Commands about the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print every setting and what is embedded, or the first error
    Check,
}

/// Commands about the read models.
#[derive(Debug, Subcommand)]
pub enum Projections {
    /// Rebuild the read models from the services' documents
    Rebuild,
}

/// Commands about mails.
#[derive(Debug, Subcommand)]
pub enum Mail {
    /// List the newest mails and their state
    List {
        /// Only mails that were refused or failed too often
        #[arg(long)]
        failed: bool,
        /// How many
        #[arg(long, default_value = "50", value_parser = mails)]
        limit: u32,
    },
    /// Show a mail
    Show {
        /// Its number in the list
        id: u64,
    },
    /// Send a mail again, now
    Resend {
        /// Its number in the list
        id: u64,
    },
}

fn port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| "a port is a whole number between 0 and 65535".into())
}

fn secret(text: &str) -> Result<SecretString, std::convert::Infallible> {
    Ok(SecretString::from(text))
}

fn products(text: &str) -> Result<u32, String> {
    let count = text.parse().ok().filter(|count| (1..=1_000_000).contains(count));
    count.ok_or_else(|| "write a whole number between 1 and 1000000".into())
}

fn mails(text: &str) -> Result<u32, String> {
    let count = text.parse().ok().filter(|count| (1..=10_000).contains(count));
    count.ok_or_else(|| "write a whole number between 1 and 10000".into())
}

impl Cli {
    /// The configuration values that the flags set.
    #[must_use]
    pub fn overrides(&self) -> Overrides {
        let mut overrides = Overrides { data_dir: self.data_dir.clone(), ..Overrides::default() };
        if let Command::Serve(serve) = &self.command {
            overrides.host.clone_from(&serve.host);
            overrides.port = serve.port;
            overrides.services.clone_from(&serve.services);
        }
        overrides
    }
}

/// Parses the command line; prints help, the version or an error itself.
///
/// # Errors
///
/// The exit code, when the program ends here.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, ExitCode> {
    Cli::try_parse_from(arguments).map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => print(&error.to_string()),
        _ => {
            complain(refusal(&error));
            ExitCode::from(2)
        }
    })
}

/// A command-line error as one sentence.
fn refusal(error: &clap::Error) -> String {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "a command is missing; try --help".into();
    }
    let text = error.to_string();
    let message: Vec<&str> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    let message = message.join(" ");
    let message = message.strip_prefix("error: ").unwrap_or(&message).trim_end_matches('.');
    let near = [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::SuggestedValue];
    let meant = near.iter().find_map(|kind| match error.get(*kind)? {
        ContextValue::String(one) => Some(one.clone()),
        ContextValue::Strings(some) => some.last().cloned(), // the most similar one
        _ => None,
    });
    match meant {
        Some(meant) => format!("{message}; did you mean {meant}? try --help"),
        None => format!("{message}; try --help"),
    }
}

/// Prints `error` and returns its exit code.
#[must_use]
pub fn failed(error: &anyhow::Error) -> ExitCode {
    // The causes are what helps; a cause that the message contains already is skipped.
    let mut sentence = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !sentence.contains(&cause) {
            sentence.push_str(&format!(": {cause}"));
        }
    }
    complain(sentence);
    if error.is::<ConfigError>() { ExitCode::from(2) } else { ExitCode::FAILURE }
}

/// Prints `text`; a closed reader is not an error.
#[must_use]
pub fn print(text: &str) -> ExitCode {
    let mut out = io::stdout().lock();
    let written =
        out.write_all(text.as_bytes()).and_then(|()| if text.ends_with('\n') { Ok(()) } else { out.write_all(b"\n") });
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            complain(format_args!("standard output cannot be written: {error}"));
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

fn complain(sentence: impl Display) {
    let line = sentence.to_string().replace(['\n', '\r'], " ");
    // There is no one to report to when standard error is closed.
    let _ = writeln!(io::stderr(), "microbazaar: {line}");
}
