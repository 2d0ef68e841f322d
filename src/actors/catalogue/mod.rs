//! The product service: its search index and the snapshots that readers share.
pub mod index;
pub mod snapshots;
