//! The commands that do one task and exit.

use super::services::pricing;
use std::path::Path;

use anyhow::{Context, Result, bail};
use secrecy::ExposeSecret;

use super::{App, Storage, demo};
use crate::{
    actors::{
        accounts::{
            self, AccountSettings, Passwords,
            calls::{AccountRefusal, CreateAdmin, PromoteToAdmin},
            credentials::MakeResetToken,
            two_factor::ResetTwoFactor,
        },
        seller_dashboard,
        tokens::Tokens,
    },
    app::password::Password,
    config::{Config, DataDir, LockError, Services},
    http::{routes, server},
    runtime::{
        Runtime,
        calls::{Call, CallError, Calls, Registry},
    },
    store::sqlite::{SqliteOptions, SqliteStore},
};

/// How long the actors of a command may take to stop.
const END_WITHIN: std::time::Duration = std::time::Duration::from_secs(10);

/// Creates an admin, even while a server runs: promotes the user with this address, who keeps their password, or
/// creates a user with the password that `obtain` returns. Prints what was done, and a generated password.
///
/// # Errors
/// When the address, name or password is refused or taken, or the store is unavailable.
pub fn admin_create(
    config: &Config,
    email: &str,
    username: Option<String>,
    obtain: impl FnOnce() -> Result<Password>,
) -> Result<()> {
    let promoted = ask_accounts(config, PromoteToAdmin { email: email.to_owned() })?;
    if promoted.is_some() {
        print(&format!("{email} is an admin now, with the password that they have; they log in again"));
        return Ok(());
    }
    let password = obtain()?;
    ask_accounts(config, CreateAdmin { email: email.to_owned(), username, password: password.secret.clone() })?;
    print(&format!("{email} is an admin now"));
    if password.made {
        print(&format!("password: {}", password.secret.expose_secret()));
    }
    Ok(())
}

/// Prints a link with which the user of this address sets a new password, even while a server runs.
///
/// # Errors
/// When there is no such user, or the store is unavailable.
pub fn user_reset_password(config: &Config, email: &str) -> Result<()> {
    let token = ask_accounts(config, MakeResetToken { email: email.to_owned() })?;
    let local = || format!("http://{}:{}", config.http.host, config.http.port);
    let shop = config.http.public_url.clone().unwrap_or_else(local);
    print(&format!("{}/reset?token={token}", shop.trim_end_matches('/')));
    print("the link is good once, for 30 minutes; every session of the user ends with it");
    Ok(())
}

/// Turns two-factor authentication of the user of this address off, even while a server runs.
///
/// # Errors
/// As [`user_reset_password`].
pub fn user_reset_two_factor(config: &Config, email: &str) -> Result<()> {
    ask_accounts(config, ResetTwoFactor { email: email.to_owned() })?;
    print(&format!("two-factor authentication of {email} is off; the password alone logs in now"));
    Ok(())
}

/// Makes a call of the account service, even while a server runs.
fn ask_accounts<C: Call<Error = AccountRefusal>>(config: &Config, call: C) -> Result<C::Reply> {
    with_store_beside(config, |storage| async move {
        let (runtime, mut registry) = (Runtime::new(1), Registry::default());
        let passwords = Passwords::start(1).context("the password thread did not start")?;
        // It reads the current data, because a server may write as well.
        let settings = AccountSettings { shared: true, confirms_email: false };
        let tokens = Tokens::new(b"only a server mails links");
        accounts::start(&runtime, &mut registry, storage.stores().accounts, passwords, tokens, settings);
        let done = Calls::local(registry).ask(call).await;
        runtime.shutdown(END_WITHIN).await;
        match done {
            Ok(done) => Ok(done),
            Err(CallError::Refused(AccountRefusal::UserExists)) => {
                bail!("there is a user with this e-mail address or user name already")
            }
            Err(CallError::Refused(AccountRefusal::NoSuchUser)) => bail!("there is no user with this e-mail address"),
            Err(CallError::Refused(AccountRefusal::Blocked)) => bail!("this user is blocked: unblock them first"),
            Err(CallError::Refused(AccountRefusal::Invalid { field, problem })) => bail!("the {field} {problem}"),
            Err(error) => Err(error.into()),
        }
    })
}

/// Fills the shop with a demo catalogue of `products`, or of the default size.
///
/// # Errors
/// When the store is unavailable, or there are products already.
pub fn fill_demo(config: &Config, products: Option<u32>) -> Result<()> {
    demo::allow(config)?;
    let mut config = config.clone();
    // Runs all services in this process, regardless of the configuration.
    config.services = Services::All;
    // No requests are accepted meanwhile.
    config.http.port = 0;
    "127.0.0.1".clone_into(&mut config.http.host);
    actix_rt::System::new().block_on(async {
        let app = App::start(&config).await?;
        let stores = app.storage.stores();
        let stage = demo::Stage { services: &app.services, stores: &stores, pricing: pricing(&config) };
        let filled = demo::fill(&stage, products, &|line| print(line)).await;
        app.shutdown().await?;
        filled
    })
}

/// The OpenAPI document as JSON.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn openapi() -> Result<String> {
    Ok(server::document(false, routes::configure).to_pretty_json()?)
}

/// Copies the database to `file`, even while a server uses it.
///
/// # Errors
/// When the database or the file cannot be used.
pub fn backup(config: &Config, file: &Path) -> Result<()> {
    if config.mongo.uri.is_some() {
        bail!("the documents are in MongoDB: copy them with mongodump");
    }
    SqliteStore::backup(&config.data_dir, file)?;
    print(&format!("the database is copied to {}", file.display()));
    Ok(())
}

/// Rebuilds the read models from the owners' documents.
///
/// # Errors
/// When the store is unavailable.
pub fn rebuild_projections(config: &Config) -> Result<()> {
    let report = with_store(config, |storage| async move { Ok(seller_dashboard::rebuild(&storage.stores()).await?) })?;
    print(&format!(
        "the seller dashboard is made anew: {} orders, {} products, {} payments, {} users, {} skipped",
        report.orders, report.products, report.payments, report.users, report.skipped
    ));
    Ok(())
}

fn with_store<T, F: Future<Output = Result<T>>>(config: &Config, work: impl FnOnce(Storage) -> F) -> Result<T> {
    // A database that nodes share needs no lock: this may run while they do.
    let alone = config.mongo.uri.is_none().then(|| DataDir::lock(&config.data_dir)).transpose()?;
    actix_rt::System::new().block_on(async {
        let folder = alone.as_ref().map_or(config.data_dir.as_path(), DataDir::path);
        let storage = Storage::open(config, folder, SqliteOptions::default()).await?;
        let done = work(storage.clone()).await;
        storage.close().await?;
        done
    })
}

/// As [`with_store`], but may run while a server uses the data directory.
fn with_store_beside<T, F: Future<Output = Result<T>>>(config: &Config, work: impl FnOnce(Storage) -> F) -> Result<T> {
    let alone = match config.mongo.uri {
        Some(_) => None,
        None => match DataDir::lock(&config.data_dir) {
            Ok(alone) => Some(alone),
            Err(LockError::InUse(_)) => None,
            Err(error) => return Err(error.into()),
        },
    };
    actix_rt::System::new().block_on(async {
        let storage = match &alone {
            Some(alone) => Storage::open(config, alone.path(), SqliteOptions::default()).await?,
            None => Storage::open_beside(config).await?,
        };
        let done = work(storage.clone()).await;
        storage.close().await?;
        done
    })
}

pub(super) fn print(line: &str) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    // The output may be closed; the work is done anyway.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
