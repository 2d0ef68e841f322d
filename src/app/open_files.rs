//! How many files, connections among them, the process may have open.

use anyhow::{Result, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What the shop needs for itself: its data, its threads, servers and the calls to them.
const NEEDED: u64 = 64;
/// What connections of clients leave to it, so that it goes on working when they take all they may.
const RESERVED: u64 = 256;

/// Raises the limit as far as the process may, and says how many connections of clients fit below it.
///
/// # Errors
/// When the shop cannot run within the limit.
pub fn raise_limit() -> Result<usize> {
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let raised = match setrlimit(Resource::Nofile, wanted) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    let files = raised.unwrap_or(u64::MAX);
    if files < NEEDED {
        bail!("the process may have {files} files open and needs {NEEDED} at least: raise the limit (ulimit -n)");
    }
    Ok(usize::try_from(connections(files)).unwrap_or(usize::MAX))
}

const fn connections(files: u64) -> u64 {
    if files > 2 * RESERVED { files - RESERVED } else { files / 2 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_to_the_shop() {
        assert_eq!([64, 512, 1_024, 1_048_576].map(connections), [32, 256, 768, 1_048_320]);
    }
}
