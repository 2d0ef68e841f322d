//! Signatures of webhook messages: those of Standard Webhooks, and a simpler one over the body alone.
//!
//! **Invariant:** the signature covers the id, the time and the exact bytes of the body.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The prefix of a secret whose rest is base64.
const PREFIX: &str = "whsec_";
/// The length of a generated secret in bytes.
const MADE: usize = 32;
/// The allowed length of a given secret in characters.
const LENGTH: std::ops::RangeInclusive<usize> = 16..=128;
/// The least number of bytes that the base64 text encodes.
const DECODED_MIN: usize = 12;

/// A new secret.
#[must_use]
pub fn make_secret() -> String {
    format!("{PREFIX}{}", STANDARD.encode(rand::random::<[u8; MADE]>()))
}

/// The problem of a given secret, if it has one.
///
/// # Errors
/// The text follows the field's name.
pub fn check_secret(secret: &str) -> Result<(), &'static str> {
    if !LENGTH.contains(&secret.chars().count()) {
        return Err("must be 16 to 128 characters");
    }
    match secret.strip_prefix(PREFIX).map(|rest| STANDARD.decode(rest)) {
        Some(Ok(key)) if key.len() >= DECODED_MIN => Ok(()),
        Some(_) => Err("must be base64 of 12 bytes or more after whsec_"),
        None => Ok(()),
    }
}

/// The key of a secret: the decoded base64 after `whsec_`, otherwise its own bytes.
fn key(secret: &str) -> Vec<u8> {
    let decoded = secret.strip_prefix(PREFIX).and_then(|rest| STANDARD.decode(rest).ok());
    decoded.unwrap_or_else(|| secret.as_bytes().to_vec())
}

fn mac(secret: &str, parts: &[&[u8]]) -> Vec<u8> {
    // A key of any length is accepted, so the other arm is never used.
    let mut mac = Hmac::<Sha256>::new_from_slice(&key(secret))
        .unwrap_or_else(|_| Hmac::<Sha256>::new(&hmac::digest::Key::<Hmac<Sha256>>::default()));
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

/// The value of `webhook-signature`: one signature for each secret, separated by spaces.
#[must_use]
pub fn standard(secrets: &[&str], id: &str, timestamp: i64, body: &[u8]) -> String {
    let begin = format!("{id}.{timestamp}.");
    let sign = |secret: &&str| format!("v1,{}", STANDARD.encode(mac(secret, &[begin.as_bytes(), body])));
    secrets.iter().map(sign).collect::<Vec<_>>().join(" ")
}

/// The value of `x-microbazaar-signature`: over the body alone.
#[must_use]
pub fn plain(secret: &str, body: &[u8]) -> String {
    format!("sha256={}", hex::encode(mac(secret, &[body])))
}
