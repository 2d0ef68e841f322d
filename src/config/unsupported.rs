//! What this build cannot do yet, refused rather than silently ignored.
//!
//! One row a key. Whoever builds a part removes its row, and nothing else changes.

use super::{Config, error::ConfigError};

type Given = fn(&Config) -> bool;

const ROWS: [(&str, Given, &str); 1] = [(
    "gemini.api_key",
    |config| config.gemini.api_key.is_some(),
    "this build calls no language model; Google Gemini is not built in yet",
)];

/// Every given key that this build cannot honour.
pub(super) fn refusals(config: &Config) -> Vec<ConfigError> {
    let given = ROWS.iter().filter(|(_, given, _)| given(config));
    given.map(|(key, _, why)| ConfigError::new(*key, *why)).collect()
}
