//! The transfer of a whole shop from one store into another, record by record.
//!
//! The source reads its rows into [`Record`]s (`sqlite::export`), and the target writes them as documents
//! (`mongo::import`); both use the readers and writers of their adapters.
//!
//! **Invariant:** a kind's records come in the same order each time, so that their number says how far the transfer
//! has come.

use serde_json::Value;

use super::{
    DOCUMENTS,
    dashboard::OrderRow,
    document::{Raw, Spec},
};
use crate::domain::{
    event::Envelope,
    ids::{EventId, ProductId, UserId},
    inventory::{Reservation, StockLevel},
};

/// The kinds of records in a shop, each transferred by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The documents of this collection.
    Documents(&'static str),
    /// The number of the last change to a product.
    Counters,
    /// Files of pictures.
    Pictures,
    Stock,
    Reservations,
    /// The seller dashboard's orders.
    DashboardOrders,
    /// The seller dashboard's products.
    DashboardProducts,
    /// The seller dashboard's notes.
    DashboardNotes,
    /// The events that the seller dashboard has applied.
    DashboardApplied,
    /// Events that were not delivered yet.
    Events,
}

impl Kind {
    /// All kinds, in the order of transfer: what an event refers to comes before it.
    pub fn all() -> impl Iterator<Item = Self> {
        DOCUMENTS.iter().map(|spec| Self::Documents(spec.collection)).chain(Self::OTHERS.iter().copied())
    }

    const OTHERS: &[Self] = &[
        Self::Counters,
        Self::Pictures,
        Self::Stock,
        Self::Reservations,
        Self::DashboardOrders,
        Self::DashboardProducts,
        Self::DashboardNotes,
        Self::DashboardApplied,
        Self::Events,
    ];

    /// Its name, for notes and output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Documents(collection) => collection,
            Self::Counters => "counters",
            Self::Pictures => "picture files",
            Self::Stock => "stock",
            Self::Reservations => "reservations",
            Self::DashboardOrders => "dashboard orders",
            Self::DashboardProducts => "dashboard products",
            Self::DashboardNotes => "dashboard notes",
            Self::DashboardApplied => "dashboard events",
            Self::Events => "events",
        }
    }
}

/// One record, of the kind of its name.
#[derive(Debug, Clone)]
pub enum Record {
    /// A document, with the number of its last change where changes are numbered.
    Document(&'static Spec, Raw, Option<u64>),
    /// The number of the last change to a product.
    Counter(u64),
    /// A file, by its name.
    Picture(String, Vec<u8>),
    /// A product's stock.
    Stock(StockLevel),
    /// A reservation, with the highest fence that it was called with.
    Reservation(Reservation, u64),
    /// An order of the seller dashboard.
    DashboardOrder(Box<OrderRow>),
    /// A product of the seller dashboard.
    DashboardProduct {
        id: ProductId,
        /// The seller, if that was ever known.
        seller: Option<UserId>,
        /// The version that it was made from.
        version: u64,
        /// The document as events show it, `None` once the product is deleted.
        document: Option<Value>,
    },
    /// A note of the seller dashboard.
    DashboardNote {
        /// `user` or `payment`.
        kind: String,
        /// The id of the user or payment.
        id: String,
        /// The payload.
        document: Value,
    },
    /// An event that the seller dashboard has seen.
    DashboardApplied(EventId),
    /// An event that was not delivered yet, with its sequence.
    Event(u64, Box<Envelope>),
}
