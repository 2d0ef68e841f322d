//! The HTTP layer: routes, pages, and what all handlers use.
//!
//! It has the errors and their bodies, extractors, authentication, the CSRF check, rate limits, the middleware, the
//! OpenAPI document and the operational endpoints. Handlers extract, call a service and respond; they contain no
//! rules.
//!
//! **Invariant:** every error has the same body, and no input causes a 500, a hang or a panic.

pub mod address;
mod audit;
pub mod auth;
pub mod csrf;
mod device;
pub mod docs;
mod entity;
pub mod error;
mod error_from;
mod error_services;
pub mod extract;
pub mod fallback;
pub mod features;
pub mod internal;
pub mod mcp;
mod metric_help;
pub mod middleware;
mod open_metrics;
pub mod openapi;
pub mod ops;
pub mod pages;
pub mod paging;
mod process_metrics;
pub mod query;
pub mod rate;
pub mod register;
pub mod request_id;
pub mod routes;
pub mod server;
pub mod sessions;
pub mod state;
pub mod tags;
pub mod visible_text;

#[cfg(test)]
mod tests;

pub use auth::{AdminUser, AuthUser, Buyer, MaybeUser, SellerOrAdmin, SellerUser, ServiceCaller};
pub use error::{ApiError, FieldError};
pub use extract::{Json, JsonOrEmpty, PathId};
pub use paging::Paging;
pub use query::Query;
pub use register::Register;
pub use state::{HttpSettings, State};
