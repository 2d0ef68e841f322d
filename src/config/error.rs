//! The one error of reading the configuration: a key and what it accepts.
//!
//! **Invariant:** no text here holds a secret; values are quoted only for keys that are not secret.

/// A key whose value cannot be used, as one sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct ConfigError {
    /// The dotted key, such as `http.port`, or the file that cannot be read.
    pub key: String,
    /// The problem and the accepted values.
    pub problem: String,
    /// The other key that causes the problem, if there is one.
    pub(super) cause: Option<&'static str>,
}

impl ConfigError {
    /// `key` cannot be used because of `problem`.
    #[must_use]
    pub fn new(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { key: key.into(), problem: problem.into(), cause: None }
    }

    /// The same, because `cause` is set.
    pub(super) fn because_of(self, cause: &'static str) -> Self {
        Self { cause: Some(cause), ..self }
    }
}

/// Refuses `key` because of `problem`, unless `holds` is true.
pub(super) fn require(holds: bool, key: &str, problem: impl Into<String>) -> Result<(), ConfigError> {
    if holds { Ok(()) } else { Err(ConfigError::new(key, problem)) }
}

/// The longest part of a value that an error repeats, in characters.
const QUOTED_MAX: usize = 60;

/// `value` as an error shows it: quoted, on one line, and bounded.
pub(super) fn quoted(value: &str) -> String {
    if value.chars().count() <= QUOTED_MAX {
        return format!("{value:?}");
    }
    let start: String = value.chars().take(QUOTED_MAX).collect();
    format!("{start:?}…")
}
