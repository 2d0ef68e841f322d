//! Obtains the password of a new admin.
//!
//! From `MICROBAZAAR_ADMIN_PASSWORD`, or one line of standard input (with a hidden prompt at a terminal), or
//! generated. A flag would be visible in the list of processes.
//!
//! **Invariant:** waiting for a line that never comes ends with an error.

use std::{
    io::{self, BufRead, IsTerminal},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use secrecy::SecretString;

use crate::config::secret::random_hex;

/// The variable that holds it.
pub const VARIABLE: &str = "MICROBAZAAR_ADMIN_PASSWORD";

/// How long standard input may take that is no terminal.
const PATIENCE: Duration = Duration::from_secs(60);

/// More than a password has, and not endless.
const LINE_MAX: u64 = 4096;

/// A password, and whether it was made here and has to be shown.
#[derive(Debug)]
pub struct Password {
    /// The password.
    pub secret: SecretString,
    /// Whether it is new and has to be shown.
    pub made: bool,
}

/// Takes the password from where it is given, or makes one.
///
/// # Errors
/// When standard input cannot be read or stays silent.
pub fn obtain() -> Result<Password> {
    let given = match std::env::var(VARIABLE) {
        Ok(value) if !value.is_empty() => Some(value),
        Err(std::env::VarError::NotUnicode(_)) => anyhow::bail!("{VARIABLE} is not UTF-8 text"),
        _ if io::stdin().is_terminal() => ask()?,
        _ => piped()?,
    };
    match given {
        Some(given) => Ok(Password { secret: given.into(), made: false }),
        None => Ok(Password { secret: random_hex()?[..24].into(), made: true }),
    }
}

fn ask() -> Result<Option<String>> {
    let typed = rpassword::prompt_password("Password (leave it empty to have one made): ");
    Ok(Some(typed.context("the terminal does not answer")?).filter(|typed| !typed.is_empty()))
}

fn piped() -> Result<Option<String>> {
    let (sender, receiver) = mpsc::sync_channel(1);
    // Left behind when it stays silent: the process ends right after.
    thread::spawn(move || sender.send(line(io::stdin().lock())));
    receiver
        .recv_timeout(PATIENCE)
        .with_context(|| format!("no password came on standard input within a minute; close it or set {VARIABLE}"))?
}

fn line(input: impl BufRead) -> Result<Option<String>> {
    let mut line = String::new();
    let read = input.take(LINE_MAX).read_line(&mut line);
    read.context("the password on standard input cannot be read")?;
    let line = line.trim_end_matches(['\r', '\n']);
    Ok(Some(line.to_owned()).filter(|line| !line.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_the_password_without_its_end() {
        assert_eq!(line(&b"hush hush \r\nmore\n"[..]).unwrap().as_deref(), Some("hush hush "));
        assert_eq!(line(&b"hush"[..]).unwrap().as_deref(), Some("hush"));
        assert_eq!(line(&b"\n"[..]).unwrap(), None);
        assert_eq!(line(&b""[..]).unwrap(), None);
        assert!(line(&b"\xff\xff\n"[..]).is_err());
    }
}
