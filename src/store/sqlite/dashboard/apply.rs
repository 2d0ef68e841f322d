//! Applies changes to the read model, each once, and never an older one over a newer one.

use super::{EventId, OrderId, OrderStatus, ProductId, SoldLine, StoreError, UserId, codec};
use crate::store::{dashboard::DashboardChange, sqlite::writer::WriteTx};

/// A change with its documents already as JSON, so that the writer thread only writes.
pub(super) enum Change {
    Order { id: OrderId, version: u64, status: OrderStatus, created_at: i64, doc: Vec<u8>, lines: Vec<SoldLine> },
    Product { id: ProductId, seller: UserId, version: u64, doc: Vec<u8> },
    ProductGone(ProductId),
    Note { kind: &'static str, id: String, doc: Vec<u8> },
}

impl Change {
    pub(super) fn prepare(change: &DashboardChange) -> Result<Self, StoreError> {
        Ok(match change {
            DashboardChange::Order(row) => Self::Order {
                id: row.id,
                version: row.version,
                status: row.status,
                created_at: row.created_at.as_microsecond(),
                doc: codec::json(&row.document)?,
                lines: row.lines.clone(),
            },
            DashboardChange::Product { id, seller, version, document } => {
                Self::Product { id: *id, seller: *seller, version: *version, doc: codec::json(document)? }
            }
            DashboardChange::ProductGone(id) => Self::ProductGone(*id),
            DashboardChange::Note { kind, id, document } => {
                Self::Note { kind, id: id.clone(), doc: codec::json(document)? }
            }
        })
    }

    pub(super) fn apply(&self, writing: &WriteTx<'_>, event: EventId) -> Result<(), StoreError> {
        let sql = "INSERT INTO dashboard_applied (event) VALUES (?1) ON CONFLICT (event) DO NOTHING";
        if codec::execute(writing, sql, [event.as_slice()])? == 0 {
            return Ok(());
        }
        match self {
            Self::Order { id, version, status, created_at, doc, lines } => {
                if put_order(writing, *id, *version, *status, *created_at, doc)? {
                    put_lines(writing, *id, *status, *created_at, lines)?;
                }
            }
            Self::Product { id, seller, version, doc } => {
                codec::execute(
                    writing,
                    "INSERT INTO dashboard_products (id, seller, version, doc) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (id) DO UPDATE SET
                         seller = excluded.seller, version = excluded.version, doc = excluded.doc
                     WHERE version < excluded.version AND gone = 0",
                    (id.as_slice(), seller.as_slice(), version, doc),
                )?;
            }
            Self::ProductGone(id) => {
                // A row without a document stays, so that an older event does not bring it back.
                codec::execute(
                    writing,
                    "INSERT INTO dashboard_products (id, seller, version, gone, doc) VALUES (?1, x'', 0, 1, NULL)
                     ON CONFLICT (id) DO UPDATE SET gone = 1, doc = NULL",
                    [id.as_slice()],
                )?;
            }
            Self::Note { kind, id, doc } => {
                codec::execute(
                    writing,
                    "INSERT INTO dashboard_notes (kind, id, doc) VALUES (?1, ?2, ?3)
                     ON CONFLICT (kind, id) DO UPDATE SET doc = excluded.doc",
                    (kind, id, doc),
                )?;
            }
        }
        Ok(())
    }
}

/// Writes an order's row unless the existing one is as new; returns whether it was written.
fn put_order(
    writing: &WriteTx<'_>,
    id: OrderId,
    version: u64,
    status: OrderStatus,
    created_at: i64,
    doc: &[u8],
) -> Result<bool, StoreError> {
    let written = codec::execute(
        writing,
        "INSERT INTO dashboard_orders (id, version, status, created_at, doc) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (id) DO UPDATE SET
             version = excluded.version, status = excluded.status, created_at = excluded.created_at, doc = excluded.doc
         WHERE version < excluded.version",
        (id.as_slice(), version, status.as_str(), created_at, doc),
    )?;
    Ok(written > 0)
}

fn put_lines(
    writing: &WriteTx<'_>,
    order: OrderId,
    status: OrderStatus,
    created_at: i64,
    lines: &[SoldLine],
) -> Result<(), StoreError> {
    codec::execute(writing, "DELETE FROM dashboard_lines WHERE order_id = ?1", [order.as_slice()])?;
    for (number, line) in lines.iter().enumerate() {
        codec::execute(
            writing,
            "INSERT INTO dashboard_lines
                 (order_id, line, seller, created_at, status, is_sale, product, title, quantity, price_minor, currency,
                  to_ship, refunded_units, refunded_minor)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
            rusqlite::params![
                order.as_slice(),
                number,
                line.seller.as_slice(),
                created_at,
                status.as_str(),
                status.is_sale(),
                line.product.as_slice(),
                line.title,
                line.quantity,
                line.price.minor(),
                line.price.currency().code(),
                line.to_ship,
                line.refunded_units,
                line.refunded_minor,
            ],
        )?;
    }
    Ok(())
}
