//! HTML pages.

pub mod mailbox;
