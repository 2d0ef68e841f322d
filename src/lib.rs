//! microBazaar, a marketplace server in one program.
pub mod app;
pub mod cli;
pub mod config;
pub mod domain;
pub mod peers;
pub mod store;
pub mod telemetry;
