//! Brings a data file to the schema that this program knows, by its `user_version`.
//!
//! A step that fails leaves the file as it was before that step.
//!
//! **Invariant:** a step that was released is never edited; a change is a new step.

use rusqlite::{Connection, TransactionBehavior};

use super::{StoreError, identity, upgrades};

/// Each step upgrades a file from the version of its position to the next.
pub(super) const STEPS: &[&str] = &[
    include_str!("schema.sql"),
    include_str!("schema_2_mail_log.sql"),
    include_str!("schema_3_webhooks.sql"),
    include_str!("schema_4_reports.sql"),
    include_str!("schema_5_pictures.sql"),
    include_str!("schema_6_conversations.sql"),
    include_str!("schema_7_mail_order.sql"),
    include_str!("schema_8_identity.sql"),
    include_str!("schema_9_imports.sql"),
    include_str!("schema_10_sold_lines.sql"),
    include_str!("schema_11_refunds.sql"),
    include_str!("schema_12_documents.sql"),
    include_str!("schema_13_payments.sql"),
    include_str!("schema_14_accounts.sql"),
    include_str!("schema_15_orders.sql"),
    include_str!("schema_16_imports.sql"),
    include_str!("schema_17_mails.sql"),
    include_str!("schema_18_pictures.sql"),
    include_str!("schema_19_products.sql"),
    include_str!("schema_20_webhooks.sql"),
    include_str!("schema_21_parked.sql"),
];

/// The number of the step that gives users new keys, counted from 1.
const IDENTITY: usize = 8;
/// The number of the step that notifies orders of earlier versions' refunds, counted from 1.
const REFUNDS: usize = 11;

/// Applies the missing steps.
///
/// # Errors
/// [`StoreError::Unavailable`] when a newer program wrote the file, or a step fails.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    loop {
        // Read inside the transaction: two processes may open a new file at once.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version: usize = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if version > STEPS.len() {
            let known = STEPS.len();
            return Err(StoreError::Unavailable(format!(
                "the data file has schema {version} and this program knows {known}: use a newer program"
            )));
        }
        let Some(step) = STEPS.get(version) else { return Ok(()) };
        transaction.execute_batch(step)?;
        match version + 1 {
            IDENTITY => identity::upgrade(&transaction)?,
            REFUNDS => upgrades::notify_refunds_again(&transaction)?,
            _ => {}
        }
        transaction.execute_batch(&format!("PRAGMA user_version = {}", version + 1))?;
        transaction.commit()?;
    }
}

/// Checks whether the file has this program's schema, without changing it.
///
/// # Errors
/// [`StoreError::Unavailable`] when it has not.
pub(super) fn expect_current(connection: &Connection) -> Result<(), StoreError> {
    let version: usize = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if version == STEPS.len() {
        return Ok(());
    }
    let known = STEPS.len();
    Err(StoreError::Unavailable(format!(
        "the data file has schema {version} and this program knows {known}: use the program that serves it"
    )))
}
