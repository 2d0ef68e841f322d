//! Placeholder until it is filled.
fn main() {}
