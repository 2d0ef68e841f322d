//! Maps rows to records.

use rusqlite::{Connection, Row};

use super::super::{StoreError, codec, dashboard, inventory};
use crate::{
    domain::ids::{EventId, UserId},
    store::transfer::{Kind, Record},
};

/// The way one kind of record is read.
pub(super) struct Table {
    pub(super) kind: Kind,
    /// The columns to read.
    pub(super) columns: &'static str,
    /// The table, and the condition on its rows.
    pub(super) from: &'static str,
    /// The order, which must be stable.
    pub(super) order: &'static str,
    pub(super) read: fn(&Connection, &Row<'_>) -> Result<Record, StoreError>,
}

const fn table(
    kind: Kind,
    columns: &'static str,
    from: &'static str,
    order: &'static str,
    read: fn(&Connection, &Row<'_>) -> Result<Record, StoreError>,
) -> Table {
    Table { kind, columns, from, order, read }
}

/// Every kind in the file besides documents.
pub(super) const TABLES: &[Table] = &[
    table(Kind::Counters, "value", "counters WHERE name = 'products'", "name", |_, row| {
        Ok(Record::Counter(row.get(0)?))
    }),
    table(Kind::Stock, inventory::LEVEL, "stock", "product", |_, row| Ok(Record::Stock(inventory::read_level(row)?))),
    table(Kind::Reservations, inventory::RESERVATION, "reservations", "order_id", |_, row| {
        let (reservation, fence) = inventory::read_fenced(row)?;
        Ok(Record::Reservation(reservation, fence))
    }),
    table(Kind::DashboardOrders, "id", "dashboard_orders", "id", |connection, row| {
        let found = dashboard::order(connection, codec::id(row, 0)?)?;
        let found = found.ok_or_else(|| StoreError::Corrupt("a row that is not there".into()))?;
        Ok(Record::DashboardOrder(Box::new(found)))
    }),
    table(Kind::DashboardProducts, "id, seller, version, gone, doc", "dashboard_products", "id", |_, row| {
        let gone: bool = row.get(3)?;
        let document = if gone { None } else { Some(codec::document(row, 4)?) };
        // A row of a product whose deletion arrived first has no seller.
        let seller: Option<UserId> = codec::id(row, 1).ok();
        Ok(Record::DashboardProduct { id: codec::id(row, 0)?, seller, version: row.get(2)?, document })
    }),
    table(Kind::DashboardNotes, "kind, id, doc", "dashboard_notes", "kind, id", |_, row| {
        Ok(Record::DashboardNote { kind: row.get(0)?, id: row.get(1)?, document: codec::document(row, 2)? })
    }),
    table(Kind::DashboardApplied, "event", "dashboard_applied", "event", |_, row| {
        let event: EventId = codec::id(row, 0)?;
        Ok(Record::DashboardApplied(event))
    }),
    table(Kind::Events, "seq, doc", "outbox", "seq", |_, row| {
        Ok(Record::Event(row.get(0)?, Box::new(codec::document(row, 1)?)))
    }),
];
