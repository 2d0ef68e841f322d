//! Rebuilds the read model from the owners' current documents.
//!
//! Runs while nothing else applies events. Waiting events are applied afterwards and do not change rows that are as
//! new; rows of later writes are newer than these.
//!
//! **Invariant:** an order, product or payment has the same row as its events would have given it, since both go
//! through [`super::project`]. Only users who sell or bought something get notes; no metric depends on them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::project;
use crate::{
    bus::HandleError,
    domain::{
        ids::{EventId, UserId},
        order::Order,
        payment::Payment,
    },
    store::{StoreError, Stores, dashboard::DashboardChange, products::ProductChange},
    views::{order::OrderView, payment::PaymentView, product::ProductView, user::UserView},
};

/// How many documents are read and written at once.
const BATCH: u32 = 500;

/// The result of a rebuild.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RebuildReport {
    /// Rows of orders.
    pub orders: u64,
    /// Rows of products that are still offered.
    pub products: u64,
    /// Notes of payments.
    pub payments: u64,
    /// Notes of users.
    pub users: u64,
    /// Documents that could not be converted; each was logged.
    pub skipped: u64,
}

/// Deletes the read model and rebuilds it.
///
/// # Errors
/// [`StoreError`]; the read model is then incomplete, and rebuilding again makes it whole.
pub async fn rebuild(stores: &Stores) -> Result<RebuildReport, StoreError> {
    stores.dashboard.reset().await?;
    let mut rebuild = Rebuild { stores, report: RebuildReport::default(), users: BTreeSet::new() };
    rebuild.products().await?;
    rebuild.orders().await?;
    rebuild.payments().await?;
    rebuild.users().await?;
    Ok(rebuild.report)
}

struct Rebuild<'a> {
    stores: &'a Stores,
    report: RebuildReport,
    users: BTreeSet<UserId>,
}

impl Rebuild<'_> {
    async fn products(&mut self) -> Result<(), StoreError> {
        let mut after = 0;
        loop {
            let changes = self.stores.products.changes_since(after, BATCH).await?;
            let Some(last) = changes.last() else { return Ok(()) };
            after = last.sequence;
            self.users.extend(changes.iter().filter_map(|change| Some(change.product.as_ref()?.seller)));
            self.report.products += self.apply(changes.iter().map(of_product)).await?;
        }
    }

    async fn orders(&mut self) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let orders = self.stores.orders.all(after, BATCH).await?;
            let Some(last) = orders.last() else { return Ok(()) };
            after = Some(last.id);
            self.users.extend(orders.iter().map(|order| order.user));
            self.report.orders += self.apply(orders.iter().map(of_order)).await?;
        }
    }

    async fn payments(&mut self) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let payments = self.stores.payments.all(after, BATCH).await?;
            let Some(last) = payments.last() else { return Ok(()) };
            after = Some(last.id);
            self.report.payments += self.apply(payments.iter().map(of_payment)).await?;
        }
    }

    async fn users(&mut self) -> Result<(), StoreError> {
        let ids: Vec<UserId> = std::mem::take(&mut self.users).into_iter().collect();
        for some in ids.chunks(64) {
            let mut notes = Vec::with_capacity(some.len());
            for id in some {
                if let Some(user) = self.stores.accounts.get(*id).await? {
                    // As in the user's event, which has no addresses.
                    let view = UserView { addresses: vec![], updated_at: user.created_at, ..UserView::from(&user) };
                    notes.push(project::note("user", &json!(view)));
                }
            }
            self.report.users += self.apply(notes.into_iter()).await?;
        }
        Ok(())
    }

    /// Applies the converted documents and returns how many rows they make; a deleted product makes none.
    async fn apply(
        &mut self,
        changes: impl Iterator<Item = Result<DashboardChange, HandleError>>,
    ) -> Result<u64, StoreError> {
        let (mut rows, mut made) = (vec![], 0);
        for change in changes {
            match change {
                Ok(change) => {
                    made += u64::from(!matches!(change, DashboardChange::ProductGone(_)));
                    rows.push((EventId::generate(), change));
                }
                Err(error) => {
                    tracing::warn!(%error, "a document cannot be converted for the dashboard");
                    self.report.skipped += 1;
                }
            }
        }
        if !rows.is_empty() {
            self.stores.dashboard.apply(&rows).await?;
        }
        Ok(made)
    }
}

fn of_order(order: &Order) -> Result<DashboardChange, HandleError> {
    let document = as_in_event(json!(OrderView::from(order)), order.version);
    project::order(&document, order.updated_at).map(DashboardChange::Order)
}

fn of_product(change: &ProductChange) -> Result<DashboardChange, HandleError> {
    match &change.product {
        None => Ok(DashboardChange::ProductGone(change.id)),
        Some(product) => {
            let document = as_in_event(json!(ProductView::new(product, None)), product.version);
            project::product(&document, product.updated_at)
        }
    }
}

fn of_payment(payment: &Payment) -> Result<DashboardChange, HandleError> {
    project::note("payment", &json!(PaymentView::from(payment)))
}

/// The document with the version in the event of its last write. An event is made before its write increments the
/// version: with the stored version, the row would look as new as the event of the next write.
fn as_in_event(mut document: Value, stored: u64) -> Value {
    if let Some(fields) = document.as_object_mut() {
        fields.insert("__v".into(), json!(stored.saturating_sub(1)));
    }
    document
}
