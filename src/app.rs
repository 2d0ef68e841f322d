//! The composition root: a [`Config`](crate::config::Config) in, a running marketplace out.
//!
//! **Invariant:** everything that runs is started here and ended here, in the opposite
//! order: first no new work, then what runs is finished, then the outbox is emptied, then
//! the actors end, and the store last.

mod build;
mod chat;
mod commands;
pub mod dead;
pub mod demo;
mod health;
mod mail;
mod memory;
pub mod migrate;
mod money;
mod nodes;
mod open_files;
pub mod password;
mod readiness;
mod redis;
mod serve;
mod services;
mod storage;

pub use build::{App, ShutdownReport};
pub use commands::{
    admin_create, backup, fill_demo as demo_command, openapi, rebuild_projections, user_reset_password,
    user_reset_two_factor,
};
pub use health::health;
pub use mail::{mail_list, mail_resend, mail_show};
pub use money::{ledger_check, payments_reconcile};
pub use serve::serve;
pub use storage::Storage;
