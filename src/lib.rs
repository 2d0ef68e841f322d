//! microBazaar, a marketplace server in one program.
pub mod actors;
pub mod domain;
pub mod integrations;
pub mod peers;
pub mod store;
