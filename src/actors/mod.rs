//! Supervised actors, and the runtime that keeps them alive: mostly one module a service, and modules for what
//! serves several of them (`outbox`, `rabbit_bridge`, `mail_sender`, `webhook`). `admin` has no actor: it is what
//! admins look at and change.
//!
//! **Invariant:** no actor is implemented elsewhere but in `ws`; the rules are in `domain`.

pub mod accounts;
pub mod admin;
pub mod blocked_users;
pub mod cart;
pub mod catalogue;
pub mod checkout_link;
pub mod inventory;
pub mod mail_sender;
pub mod notification;
pub mod order_saga;
pub mod outbox;
mod payload;
pub mod payment;
pub mod rabbit_bridge;
pub mod seller_dashboard;
mod send_loop;
pub mod tokens;
pub mod webhook;
