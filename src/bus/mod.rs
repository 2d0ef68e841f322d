//! How events leave and arrive: the queues by name, and what carries them.

pub mod table;
