//! microBazaar, a marketplace server in one program.
pub mod actors;
pub mod bus;
pub mod domain;
pub mod http;
pub mod integrations;
pub mod peers;
pub mod store;
pub mod views;
