//! microBazaar, a marketplace server in one program.
pub mod config;
pub mod domain;
pub mod peers;
pub mod store;
