//! The HTTP side: what every handler stands on.
//!
//! Owns errors and their bodies, extractors, authentication, the CSRF rule, limits by rate,
//! the one middleware, the OpenAPI document and the operators' endpoints. Handlers live
//! with their service, extract, call and respond, and hold no rules.
//!
//! **Invariant:** every error has the same body, and no input gets a 500, a hang or a panic.

pub mod address;
pub mod auth;
pub mod csrf;
pub mod docs;
pub mod error;
mod error_from;
mod error_services;
pub mod extract;
pub mod fallback;
pub mod internal;
pub mod mcp;
pub mod middleware;
pub mod openapi;
pub mod ops;
pub mod pages;
pub mod paging;
pub mod query;
pub mod rate;
pub mod request_id;
pub mod routes;
pub mod seen;
pub mod server;
pub mod state;
pub mod tags;
pub use crate::actors::tokens;

#[cfg(test)]
mod tests;

pub use auth::{AdminUser, AuthUser, Buyer, MaybeUser, SellerOrAdmin, SellerUser, ServiceCaller};
pub use error::{ApiError, FieldError};
pub use extract::{Json, JsonOrEmpty, PathId};
pub use paging::Paging;
pub use query::Query;
pub use state::{HttpSettings, State};
