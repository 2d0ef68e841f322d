//! The actors of the marketplace and what they own.
pub mod catalogue;
