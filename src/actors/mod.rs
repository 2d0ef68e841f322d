//! The actors, which own all state that changes, and what they run on.

pub mod runtime;
