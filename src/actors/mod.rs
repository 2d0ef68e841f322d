//! Supervised actors, one module an actor, and the runtime that keeps them alive.
//!
//! **Invariant:** every actix type of the program lives here, in `http` or in `ws`; the
//! rules are in `domain`.

pub mod accounts;
pub mod blocked_users;
pub mod cart;
pub mod catalogue;
pub mod inventory;
pub mod mail_sender;
pub mod notification;
pub mod office;
pub mod order_saga;
pub mod outbox;
mod payload;
pub mod payment;
pub mod rabbit_bridge;
pub mod runtime;
pub mod seller_dashboard;
mod send_loop;
pub mod webhook;
