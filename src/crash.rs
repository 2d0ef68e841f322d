//! Named crash points, so that tests can check the effect of a crash between any two steps.
//!
//! In a debug build the variable `CRASH_AT` names a point, such as `payment.capture.after`, or
//! `payment.capture.after:3` to die when it is passed for the third time. Release builds contain none of this.
//! The crate `fail` has no action that kills the process (ADR 13).
//!
//! **Invariant:** the process dies as by SIGKILL: nothing is saved, closed or answered.

/// Every point, so that a test can run through all of them.
pub const POINTS: &[&str] = &[
    // From a cart to an order.
    "order.hold.before",
    "order.hold.after",
    "order.write.before",
    "order.write.after",
    "order.empty_cart.before",
    "order.empty_cart.after",
    // Steps that are found due.
    "order.empty_cart_again.before",
    "order.empty_cart_again.after",
    "order.expire.before",
    "order.expire.after",
    "order.cancel.before",
    "order.cancel.after",
    "order.refuse_payment.before",
    "order.refuse_payment.after",
    "order.restore_cart.before",
    "order.restore_cart.after",
    "order.release.before",
    "order.release.after",
    "order.refund.before",
    "order.refund.after",
    "order.steps.before",
    "order.steps.after",
    // Money comes.
    "order.commit.before",
    "order.commit.after",
    "order.retake.before",
    "order.retake.after",
    "order.confirm.before",
    "order.confirm.after",
    "order.refuse.before",
    "order.refuse.after",
    "order.unwanted.before",
    "order.unwanted.after",
    "order.note.before",
    "order.note.after",
    // A payment's way.
    "payment.open.before",
    "payment.open.refused",
    "payment.open.asked",
    "payment.open.after",
    "payment.take.before",
    "payment.take.after",
    "payment.capture.before",
    "payment.capture.after",
    "payment.fail.before",
    "payment.fail.after",
    "payment.settle.before",
    "payment.settle.after",
    "payment.keep.before",
    "payment.keep.after",
    "payment.give_back.before",
    "payment.refund.decided",
    "payment.refund.before",
    "payment.refund.asked",
    "payment.refund.after",
    "payment.note.before",
    "payment.note.told",
    "payment.note.after",
    "payment.report.before",
    "payment.report.after",
    "payment.report.worked",
    "payment.report.done",
];

/// The points of an import of products.
pub const IMPORT_POINTS: &[&str] = &[
    "import.row.before",
    "import.row.after",
    "import.write.before",
    "import.write.after",
    "import.finish.before",
    "import.finish.after",
];

/// The points in the handling of a blocked seller, which have their own test.
pub const BLOCK_POINTS: &[&str] = &["order.suspend.before", "order.suspend.after"];

/// Dies here, if `CRASH_AT` says so. The name is one of [`POINTS`], [`IMPORT_POINTS`] or [`BLOCK_POINTS`].
#[cfg(debug_assertions)]
pub fn point(name: &str) {
    let known = [POINTS, IMPORT_POINTS, BLOCK_POINTS].iter().any(|points| points.contains(&name));
    debug_assert!(known, "{name} is in the list of points");
    armed::pass(name);
}

/// Runs a step with the points `step.before` and `step.after` around it.
#[cfg(debug_assertions)]
pub async fn around<T>(step: &str, work: impl Future<Output = T>) -> T {
    point(&format!("{step}.before"));
    let done = work.await;
    point(&format!("{step}.after"));
    done
}

/// Runs a step.
#[cfg(not(debug_assertions))]
pub async fn around<T>(_step: &str, work: impl Future<Output = T>) -> T {
    work.await
}

/// Does nothing in a release build.
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
        let point = std::env::var("CRASH_AT").ok()?;
        let (name, times) = point.split_once(':').unwrap_or((&point, "1"));
        Some(Armed { name: name.to_owned(), left: AtomicU32::new(times.parse().ok()?) })
    });

    pub(super) fn pass(name: &str) {
        let Some(armed) = ARMED.as_ref().filter(|armed| armed.name == name) else { return };
        if armed.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            let _dead = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        }
    }
}
