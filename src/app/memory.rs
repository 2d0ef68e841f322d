//! Returns unused memory to the system.

use std::{io, thread};

/// Makes the allocator return memory that was freed at least a second ago. By itself it does that only when a
/// thread ends or allocates a new page, and in an idle process neither happens.
pub(super) fn release_unused() -> io::Result<()> {
    thread::Builder::new().name("memory".to_owned()).spawn(|| ()).map(|_ends_at_once| ())
}
