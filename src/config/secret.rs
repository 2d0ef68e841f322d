//! Generated secrets: made once if they are not configured, and kept in the data directory.
//!
//! A secret is 32 random bytes in hexadecimal, in a file of its own with mode 0600. It is written to a temporary
//! file, flushed, and then linked to its name, so that a crash leaves either a whole secret or none, and concurrent
//! processes end with the same one.
//!
//! **Invariant:** a secret that other users of the machine can read is not used.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use hmac::{Hmac, KeyInit, Mac};
use rand::TryRngCore;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use super::{Config, check::JWT_SECRET_MIN};

/// The public key of the sandbox gateway.
pub const SANDBOX_KEY_ID: &str = "rzp_test_sandbox";

const BYTES: usize = 32;

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read or written.
    #[error("the secret {0} cannot be read or made: {1}")]
    Io(PathBuf, #[source] std::io::Error),
    /// Users other than the owner can read it.
    #[error("the secret {0} can be read by others; run: chmod 600 {0}")]
    Exposed(PathBuf),
    /// The file does not contain a secret.
    #[error("{0} holds no secret of {JWT_SECRET_MIN} bytes or more; remove it to have one made anew")]
    Broken(PathBuf),
    /// The system gave no random bytes.
    #[error("the system gave no random bytes: {0}")]
    NoRandomness(String),
}

/// The secrets, configured or generated.
#[derive(Debug, Clone)]
pub struct Secrets {
    /// Signs tokens.
    pub jwt: SecretString,
    /// The gateway's public key.
    pub razorpay_key_id: String,
    /// Signs a payment.
    pub razorpay_key_secret: SecretString,
    /// Signs a webhook.
    pub razorpay_webhook_secret: SecretString,
}

impl Config {
    /// The configured secrets, and for the others those in the data directory, which must exist and be locked by this
    /// process. In production all are configured.
    ///
    /// # Errors
    /// [`SecretError`] when one cannot be read or made.
    pub fn secrets(&self) -> Result<Secrets, SecretError> {
        let or_kept = |given: &Option<SecretString>, name: &'static str| match given {
            Some(secret) => Ok(secret.clone()),
            None => kept_secret(&self.data_dir, name),
        };
        let jwt = or_kept(&self.jwt_secret, "jwt_secret")?;
        // The sandbox's records are in the store, so nodes that share it must use the same key.
        let sandbox = |given: &Option<SecretString>, name: &'static str| match given {
            None if self.mongo.uri.is_some() => Ok(derived_secret(&jwt, name)),
            given => or_kept(given, name),
        };
        Ok(Secrets {
            razorpay_key_secret: sandbox(&self.razorpay.key_secret, "sandbox_key_secret")?,
            razorpay_webhook_secret: sandbox(&self.razorpay.webhook_secret, "sandbox_webhook_secret")?,
            jwt,
            razorpay_key_id: self.razorpay.key_id.clone().unwrap_or_else(|| SANDBOX_KEY_ID.to_owned()),
        })
    }
}

/// A secret derived from `from`, the same in every process.
fn derived_secret(from: &SecretString, name: &str) -> SecretString {
    // A key of any length is accepted, so the other arm is never used.
    let mut mac = Hmac::<Sha256>::new_from_slice(from.expose_secret().as_bytes())
        .unwrap_or_else(|_| Hmac::<Sha256>::new(&hmac::digest::Key::<Hmac<Sha256>>::default()));
    mac.update(name.as_bytes());
    SecretString::from(hex::encode(mac.finalize().into_bytes()))
}

/// The secret in the file `name` in `folder`, created if it is missing.
///
/// # Errors
/// [`SecretError`] when it cannot be read or made, or others can read it.
pub fn kept_secret(folder: &Path, name: &str) -> Result<SecretString, SecretError> {
    let path = folder.join(name);
    match read(&path)? {
        Some(secret) => Ok(secret),
        None => {
            make(folder, name)?;
            read(&path)?.ok_or(SecretError::Broken(path))
        }
    }
}

fn read(path: &Path) -> Result<Option<SecretString>, SecretError> {
    let failed = |error| SecretError::Io(path.to_owned(), error);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    // Read from the open file, so that the checked file is the one that is read.
    if file.metadata().map_err(failed)?.permissions().mode() & 0o077 != 0 {
        return Err(SecretError::Exposed(path.to_owned()));
    }
    let text = match std::io::read_to_string(file) {
        Ok(text) => SecretString::from(text.trim()),
        Err(error) if error.kind() == ErrorKind::InvalidData => return Err(SecretError::Broken(path.to_owned())),
        Err(error) => return Err(failed(error)),
    };
    if text.expose_secret().len() < JWT_SECRET_MIN {
        return Err(SecretError::Broken(path.to_owned()));
    }
    Ok(Some(text))
}

fn make(folder: &Path, name: &str) -> Result<(), SecretError> {
    let path = folder.join(name);
    let beside = folder.join(format!(".{name}.{}", &random_hex()?[..16]));
    let secret = random_hex()?;
    let made = write_new(&beside, &secret).and_then(|()| match fs::hard_link(&beside, &path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()), // another was quicker: its secret counts
        linked => linked.and_then(|()| File::open(folder)?.sync_all()),
    });
    let removed = fs::remove_file(&beside);
    made.and(removed).map_err(|error| SecretError::Io(path, error))
}

fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// 32 random bytes in hexadecimal.
///
/// # Errors
/// [`SecretError::NoRandomness`] when the system has none.
pub fn random_hex() -> Result<String, SecretError> {
    let mut bytes = [0_u8; BYTES];
    let filled = rand::rngs::OsRng.try_fill_bytes(&mut bytes);
    filled.map_err(|error| SecretError::NoRandomness(error.to_string()))?;
    Ok(hex::encode(bytes))
}
