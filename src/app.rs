//! The composition root: a [`Config`] in, a running marketplace out.
//!
//! **Invariant:** everything that runs is started here and ended here.

use std::path::PathBuf;

use anyhow::{Result, bail};
use secrecy::SecretString;

use crate::config::Config;

/// Serves until a signal ends it; with `demo`, fills an empty shop once it is ready.
///
/// # Errors
/// When it cannot start.
pub fn serve(config: Config, demo: bool) -> Result<()> {
    let _ = (config, demo);
    bail!("not built yet")
}

/// Makes an admin, or gives an existing account of that e-mail address the role.
///
/// # Errors
/// When the address, name or password is refused, or the store is away.
pub fn admin_create(config: Config, email: String, username: Option<String>, password: SecretString) -> Result<()> {
    let _ = (config, email, username, password);
    bail!("not built yet")
}

/// Fills the shop with a demo catalogue of `products`, or of the usual size.
///
/// # Errors
/// When the store is away.
pub fn demo(config: Config, products: Option<u32>) -> Result<()> {
    let _ = (config, products);
    bail!("not built yet")
}

/// The OpenAPI document as JSON.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn openapi() -> Result<String> {
    bail!("not built yet")
}

/// Copies the database to `file`, also while a server uses it.
///
/// # Errors
/// When the database or the file cannot be used.
pub fn backup(config: Config, file: PathBuf) -> Result<()> {
    let _ = (config, file);
    bail!("not built yet")
}

/// Makes the read models anew from the owners' documents.
///
/// # Errors
/// When the store is away.
pub fn rebuild_projections(config: Config) -> Result<()> {
    let _ = config;
    bail!("not built yet")
}
