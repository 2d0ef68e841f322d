//! microBazaar, a marketplace server in one program.
pub mod domain;
pub mod peers;
pub mod store;
