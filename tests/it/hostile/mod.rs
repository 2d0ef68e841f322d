//! Input that nobody should send, at every route of the OpenAPI document.
//!
//! Whatever comes in: no 5xx, no hang, every error with the contract's body, `nosniff` on
//! every answer, and afterwards a shop that is ready, has restarted no actor and still has
//! what it had.
//!
//! **Invariant:** the routes come from `/openapi.json` of the running shop, so that a new
//! route is under attack without a change here.

pub mod api;
mod bodies;
mod callers;
mod fleet;
pub mod forms;
mod judge;
mod random;
mod rates;
mod raw;
mod requests;
pub mod shop;
mod targets;
mod text;
mod turns;
mod values;
mod wire;
