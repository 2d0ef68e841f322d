//! The second factor of a login: codes of an authenticator app (RFC 6238: SHA-1, six digits, 30 seconds), and recovery
//! codes for when the app is lost.
//!
//! **Invariant:** each code is accepted once.

use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::Timestamp;

/// How long a code is shown, in seconds.
const STEP: i64 = 30;
/// How many steps the app's clock may differ, either way.
const DRIFT: i64 = 1;
/// How many recovery codes there are.
pub const RECOVERY_CODES: usize = 10;
/// How often a code may be tried with one ticket of a login.
pub const TRIES: u32 = 5;
/// How long a ticket of a login is valid, in seconds.
pub const TICKET_FOR: i64 = 5 * 60;
/// How many logins of one user may wait for their code at once.
pub const TICKETS: usize = 5;

/// An enabled second factor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TwoFactor {
    /// In base 32. Never leaves the store and the account service.
    pub secret: String,
    /// The step of the last accepted code; only codes of later steps are accepted.
    pub last_step: i64,
    /// SHA-256 of the recovery codes that were not used, in hexadecimal.
    pub recovery_codes: Vec<String>,
}

/// A login whose password was right and whose code is awaited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoginTicket {
    /// SHA-256 of the ticket, in hexadecimal.
    pub hash: String,
    pub expires_at: Timestamp,
    /// How many codes were tried.
    pub tries: u32,
}

impl TwoFactor {
    /// Enables the second factor with a code that the app shows for `secret`; `None` if the code is wrong.
    #[must_use]
    pub fn enable(secret: String, code: &str, recovery_codes: Vec<String>, now: Timestamp) -> Option<Self> {
        let mut factor = Self { secret, last_step: i64::MIN, recovery_codes };
        factor.accept_code(code, now).then_some(factor)
    }

    /// Whether a code of the app or a recovery code is right; it is used up then.
    pub fn accept(&mut self, code: &str, now: Timestamp) -> bool {
        self.accept_code(code, now) || self.accept_recovery_code(code)
    }

    fn accept_code(&mut self, code: &str, now: Timestamp) -> bool {
        let Ok(secret) = BASE32_NOPAD.decode(self.secret.as_bytes()) else { return false };
        let code: String = code.chars().filter(|letter| !letter.is_whitespace()).collect();
        let at = now.as_second().div_euclid(STEP);
        let steps = at - DRIFT..=at + DRIFT;
        let found = steps.filter(|step| *step > self.last_step).find(|step| code_at(&secret, *step) == code);
        self.last_step = found.unwrap_or(self.last_step);
        found.is_some()
    }

    fn accept_recovery_code(&mut self, code: &str) -> bool {
        let hash = recovery_hash(code);
        let at = self.recovery_codes.iter().position(|known| *known == hash);
        at.map(|at| self.recovery_codes.remove(at)).is_some()
    }
}

/// A new secret, in base 32.
#[must_use]
pub fn new_secret() -> String {
    BASE32_NOPAD.encode(&rand::random::<[u8; 20]>())
}

/// A new recovery code, such as `k3v7q-x2m5d`: 50 random bits.
#[must_use]
pub fn new_recovery_code() -> String {
    let code = BASE32_NOPAD.encode(&rand::random::<[u8; 7]>()).to_lowercase();
    format!("{}-{}", &code[..5], &code[5..10])
}

/// The form in which a recovery code is stored; spaces, dashes and case do not matter.
#[must_use]
pub fn recovery_hash(code: &str) -> String {
    let letters: String =
        code.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect();
    hex::encode(Sha256::digest(letters))
}

/// The code that an app shows at a time; `None` if the secret is not in base 32.
#[must_use]
pub fn code(secret: &str, at: Timestamp) -> Option<String> {
    let secret = BASE32_NOPAD.decode(secret.as_bytes()).ok()?;
    Some(code_at(&secret, at.as_second().div_euclid(STEP)))
}

/// The code of a step (RFC 4226 §5.3).
fn code_at(secret: &[u8], step: i64) -> String {
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(secret) else { return String::new() };
    mac.update(&step.to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let at = usize::from(digest[19] & 15);
    let number = u32::from_be_bytes([digest[at] & 127, digest[at + 1], digest[at + 2], digest[at + 3]]);
    format!("{:06}", number % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// That of RFC 6238, appendix B.
    const SECRET: &[u8] = b"12345678901234567890";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn factor() -> TwoFactor {
        TwoFactor { secret: BASE32_NOPAD.encode(SECRET), last_step: i64::MIN, recovery_codes: vec![] }
    }

    #[test]
    fn codes_are_those_of_the_specification() {
        let codes = [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ];
        for (second, code) in codes {
            assert!(factor().accept(code, at(second)), "{second}");
            assert!(factor().accept(&format!(" {} {} ", &code[..3], &code[3..]), at(second)), "{second}");
        }
    }

    #[test]
    fn clocks_may_differ_by_a_step_and_a_code_is_accepted_once() {
        for second in [59 - 30, 59, 59 + 30] {
            assert!(factor().accept("287082", at(second)), "{second}");
        }
        for second in [59 - 60, 59 + 60] {
            assert!(!factor().accept("287082", at(second)), "{second}");
        }
        let mut factor = factor();
        assert!(factor.accept("287082", at(59)) && !factor.accept("287082", at(59)) && !factor.accept("", at(59)));
        assert!(!factor.accept("755224", at(0)), "a code of an earlier step than the last one");
    }

    #[test]
    fn a_recovery_code_is_accepted_once_however_it_is_typed() {
        let codes: Vec<String> = (0..RECOVERY_CODES).map(|_| new_recovery_code()).collect();
        let hashes = codes.iter().map(|code| recovery_hash(code)).collect();
        let mut factor = TwoFactor { recovery_codes: hashes, ..factor() };
        assert!(factor.accept(&codes[3].to_uppercase().replace('-', " "), at(0)));
        assert!(!factor.accept(&codes[3], at(0)) && factor.accept(&codes[4], at(0)));
        assert_eq!(factor.recovery_codes.len(), RECOVERY_CODES - 2);
    }
}
