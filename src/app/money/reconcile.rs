//! `payments reconcile`: finds differences between the gateway and the shop.

use std::fmt::Write;

use anyhow::Result;

use super::{PAGE, beside};
use crate::{
    app::{commands::print, services::gateway},
    config::Config,
    domain::{
        Timestamp,
        ids::{PaymentId, first_id_of},
        money::Money,
        payment::Payment,
    },
    integrations::payment::{GatewayError, GatewayPayment, GatewayStatus, PaymentGateway},
    store::{PaymentStore, StoreError},
};

/// Compares every payment that was opened at `since` or later with the gateway, and prints what differs. Differing
/// payments become due at once, so that the running server, or the next one to start, corrects them.
///
/// # Errors
/// When the database cannot be read, or the gateway cannot be reached.
pub fn payments_reconcile(config: &Config, since: Timestamp) -> Result<()> {
    let secrets = config.secrets()?;
    let found = beside(config, |stores| async move {
        let gateway = gateway(config, &secrets, &stores)?.0;
        compare_all(&stores.payments, &*gateway, since).await
    })?;
    let mut text = String::new();
    for line in &found.lines {
        // Writing to a String does not fail.
        let _ = writeln!(text, "{line}");
    }
    let Reconciliation { compared, differ, unknown, .. } = found;
    let _ = write!(text, "{compared} payments compared, {differ} differ");
    if differ > 0 {
        let _ = write!(text, "; the server puts them right at once");
    }
    if unknown > 0 {
        let _ = write!(text, "; the gateway could not be asked about {unknown}");
    }
    print(&text);
    Ok(())
}

#[derive(Default)]
struct Reconciliation {
    compared: u64,
    differ: u64,
    unknown: u64,
    lines: Vec<String>,
}

async fn compare_all(store: &PaymentStore, gateway: &dyn PaymentGateway, since: Timestamp) -> Result<Reconciliation> {
    let mut found = Reconciliation::default();
    let mut after = Some(PaymentId::from_bytes(first_id_of(since).bytes()));
    loop {
        let page = store.all(after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(found) };
        after = Some(last.id);
        for payment in page {
            let differences = match gateway.payments_of(&payment.razorpay_order_id).await {
                Ok(rows) => differences(&payment, &rows),
                Err(GatewayError::Unavailable(why)) => {
                    found.unknown += 1;
                    found.lines.push(format!("payment {}: {why}", payment.id));
                    continue;
                }
                Err(error) => vec![error.to_string()],
            };
            found.compared += 1;
            if differences.is_empty() {
                continue;
            }
            found.differ += 1;
            found.lines.extend(differences.iter().map(|line| {
                format!("payment {} of order {} ({}): {line}", payment.id, payment.order, payment.status.as_str())
            }));
            make_due(store, payment).await?;
        }
    }
}

/// The differences from the gateway.
fn differences(payment: &Payment, rows: &[GatewayPayment]) -> Vec<String> {
    let mut differences = vec![];
    for row in rows.iter().filter(|row| row.status == GatewayStatus::Captured) {
        let money = |minor| Money::new(minor, row.amount.currency());
        if !payment.knows_capture(&row.id) {
            differences.push(format!("{} is captured there over {} and not known here", row.id, row.amount));
            continue;
        }
        let back = row.amount.minor() - payment.ledger.owed(&row.id);
        if back != row.refunded {
            differences.push(format!("of {} {} went back there and {} here", row.id, money(row.refunded), money(back)));
        }
    }
    for entry in payment.ledger.captures() {
        let is_there = |row: &GatewayPayment| row.id == entry.payment_id && row.status == GatewayStatus::Captured;
        if !rows.iter().any(is_there) {
            differences.push(format!("{} over {} is captured here and not there", entry.payment_id, entry.amount));
        }
    }
    if !payment.has_money() {
        let authorized = rows.iter().filter(|row| row.status == GatewayStatus::Authorized);
        differences
            .extend(authorized.map(|row| format!("{} over {} is authorised and not captured", row.id, row.amount)));
    }
    differences
}

/// A concurrent writer checks it anyway.
async fn make_due(store: &PaymentStore, mut payment: Payment) -> Result<(), StoreError> {
    payment.due_at = Some(Timestamp::now());
    match store.save(&payment, &[]).await.map_err(StoreError::from) {
        Ok(_) | Err(StoreError::Conflict) => Ok(()),
        Err(error) => Err(error),
    }
}
