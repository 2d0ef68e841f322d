//! What this build cannot do yet, refused rather than silently ignored.
//!
//! One row a key. Whoever builds a part removes its row, and nothing else changes.

use super::{Config, error::ConfigError};

type Given = fn(&Config) -> bool;

const RAZORPAY: &str = "this build takes sandbox payments only; Razorpay is not built in yet";

const ROWS: [(&str, Given, &str); 2] = [
    ("razorpay.key_id", |config| config.razorpay.key_id.is_some(), RAZORPAY),
    (
        "gemini.api_key",
        |config| config.gemini.api_key.is_some(),
        "this build calls no language model; Google Gemini is not built in yet",
    ),
];

/// Every given key that this build cannot honour.
pub(super) fn refusals(config: &Config) -> Vec<ConfigError> {
    let given = ROWS.iter().filter(|(_, given, _)| given(config));
    given.map(|(key, _, why)| ConfigError::new(*key, *why)).collect()
}

/// Why `key` cannot be honoured, if it cannot.
pub(super) fn reason(key: &str) -> Option<&'static str> {
    ROWS.iter().find(|(row, ..)| *row == key).map(|(.., why)| *why)
}
