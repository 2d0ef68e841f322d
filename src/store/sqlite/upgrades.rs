//! The parts of earlier schema steps that are done in Rust, on the tables as they were then.

use rusqlite::{Connection, Row};

use super::{StoreError, codec};
use crate::domain::{
    Timestamp,
    payment::{Changed, Payment},
};

/// Marks every payment with a refund, so that its order is notified. Runs within the schema step's transaction.
pub(super) fn notify_refunds_again(transaction: &Connection) -> Result<(), StoreError> {
    let now = Timestamp::now();
    let payment = |row: &Row<'_>| codec::document::<Payment>(row, 0);
    // Few payments have a refund that the gateway accepted; only those are read as documents.
    let sql = "SELECT doc FROM payments WHERE instr(CAST(doc AS TEXT), '\"gatewayId\":\"') > 0";
    for mut payment in codec::all(transaction, sql, [], payment)? {
        if payment.notify_refunds_again(now) == Changed::Yes {
            let row = (payment.id.as_slice(), payment.due_at.map(codec::micros_up), codec::json(&payment)?);
            let sql = "UPDATE payments SET due_at = ?2, doc = ?3, version = version + 1 WHERE id = ?1";
            codec::execute(transaction, sql, row)?;
        }
    }
    Ok(())
}
