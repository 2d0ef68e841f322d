//! Supervised actors, one module an actor, and the runtime that keeps them alive.
//!
//! **Invariant:** every actix type of the program lives here or in `http`; the rules
//! are in `domain`.

pub mod accounts;
pub mod runtime;
