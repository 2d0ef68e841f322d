//! The output of a transfer: progress on standard error, and a table at the end.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use super::{Counted, Migration, Transferred};
use crate::store::transfer::Kind;

/// How often the progress of one kind is reported.
const REPORT_EVERY: Duration = Duration::from_secs(2);

/// Reports progress: when each kind begins and ends, and periodically in between.
#[derive(Default)]
pub(super) struct Progress {
    reported: Option<(Kind, Instant)>,
}

impl Progress {
    pub(super) fn report(&mut self, kind: Kind, done: u64, all: u64) {
        let now = Instant::now();
        let soon = self.reported.is_some_and(|(of, at)| of == kind && now.duration_since(at) < REPORT_EVERY);
        if all == 0 || (soon && done < all) {
            return;
        }
        self.reported = Some((kind, now));
        // The output may be closed.
        let _ = writeln!(std::io::stderr(), "{}: {done} of {all}", kind.name());
    }
}

/// The result as text.
pub(super) fn result(migration: &Migration<'_>, moved: &Transferred) -> String {
    let (from, prefix) = (migration.from.display(), &migration.prefix);
    let counts = match moved {
        Transferred::Before(at) => return format!("{from} was moved to {prefix}* at {at:.0}; nothing was done"),
        Transferred::Now(counts) => counts,
    };
    let mut text = format!("{:<20} {:>10} {:>10}\n", "", "folder", "database");
    for Counted { kind, from, to } in counts {
        text.push_str(&format!("{:<20} {from:>10} {to:>10}\n", kind.name()));
    }
    text.push_str(&format!(
        "{from} is moved to {prefix}*, and was not changed; serve it with MONGO_URI, and with the same JWT_SECRET \
         ({from}/jwt_secret unless you set one)"
    ));
    text
}

/// Which counts differ, in one sentence.
pub(super) fn differing(counts: &[&Counted]) -> String {
    let each: Vec<String> =
        counts.iter().map(|counted| format!("{} {} of {}", counted.kind.name(), counted.to, counted.from)).collect();
    format!("not everything arrived: the database has {}; nothing serves it: empty it and begin again", each.join(", "))
}
