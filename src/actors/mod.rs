//! Supervised actors, and the runtime that keeps them alive: mostly one module for each service, and modules that
//! serve several of them (`outbox`, `rabbit_bridge`, `mail_sender`, `webhook`). `admin` has no actor: it has the
//! calls of the admin pages.
//!
//! **Invariant:** actors are implemented only here and in `ws`; the rules are in `domain`.

pub mod accounts;
pub mod admin;
pub mod blocked_users;
pub mod cart;
pub mod catalogue;
pub mod checkout_link;
pub mod inventory;
pub mod leaving;
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
