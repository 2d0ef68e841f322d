//! Hostile input at every route of the OpenAPI document.
//!
//! For any input: no 5xx, no hang, every error with the error body, `nosniff` on every response, and afterwards the
//! shop is ready, has restarted no actor and still has its data.
//!
//! **Invariant:** the routes come from `/openapi.json` of the running shop, so that new routes are tested
//! automatically.

pub mod api;
mod bodies;
mod callers;
mod concurrency;
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
mod values;
mod wire;
