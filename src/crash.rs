//! Named points at which a process can be made to die, so that tests can see what a crash
//! between any two steps leaves behind.
//!
//! In a debug build the variable `CRASH_AT` names a point, as `payment.capture.after` or, to
//! die when it is passed for the third time, `payment.capture.after:3`. In a release build
//! nothing of this is there.
//!
//! **Invariant:** dying here is dying by SIGKILL: nothing is saved, closed or answered.

/// Dies here, if that is asked for.
#[cfg(debug_assertions)]
pub fn point(name: &str) {
    armed::pass(name);
}

/// Nothing, in a release build.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub const fn point(_name: &str) {}

#[cfg(debug_assertions)]
mod armed {
    use std::sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    };

    struct Armed {
        name: String,
        left: AtomicU32,
    }

    static ARMED: LazyLock<Option<Armed>> = LazyLock::new(|| {
        let told = std::env::var("CRASH_AT").ok()?;
        let (name, times) = told.split_once(':').unwrap_or((&told, "1"));
        Some(Armed { name: name.to_owned(), left: AtomicU32::new(times.parse().ok()?) })
    });

    pub(super) fn pass(name: &str) {
        let Some(armed) = ARMED.as_ref().filter(|armed| armed.name == name) else { return };
        if armed.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            let _dead = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        }
    }
}
