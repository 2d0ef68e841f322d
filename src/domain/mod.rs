//! The rules of the marketplace as plain functions and types.
//!
//! Defines what a cart, an order, a reservation or a payment may do. Everything here takes values and returns values.
//!
//! **Invariant:** no async, no I/O, no clock and no actix in this module. Callers pass in the time and new ids.

pub mod address;
pub mod cart;
pub mod conversation;
pub mod event;
pub mod identity;
pub mod ids;
pub mod import;
pub mod inventory;
pub mod leaving;
pub mod money;
pub mod order;
pub mod payment;
pub mod places;
pub mod product;
pub mod queues;
pub mod text;
pub mod two_factor;
pub mod user;
pub mod webhook;

/// A point in time, UTC.
pub type Timestamp = jiff::Timestamp;
