//! Services outside of the marketplace, each with its stand-in within the program.
pub mod imagekit;
