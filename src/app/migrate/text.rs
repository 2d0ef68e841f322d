//! What a move says: how far it is on standard error, and in the end a table.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use super::{Counted, Migration, Moved};
use crate::store::moving::Kind;

/// How often a kind that takes long is told of.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// Tells how far the move is: each kind as it begins and ends, and now and then between.
#[derive(Default)]
pub(super) struct Progress {
    told: Option<(Kind, Instant)>,
}

impl Progress {
    pub(super) fn tell(&mut self, kind: Kind, done: u64, all: u64) {
        let now = Instant::now();
        let soon = self.told.is_some_and(|(of, at)| of == kind && now.duration_since(at) < TELL_EVERY);
        if all == 0 || (soon && done < all) {
            return;
        }
        self.told = Some((kind, now));
        // Nobody may be reading.
        let _ = writeln!(std::io::stderr(), "{}: {done} of {all}", kind.name());
    }
}

/// What came of it, for people.
pub(super) fn result(migration: &Migration<'_>, moved: &Moved) -> String {
    let (from, prefix) = (migration.from.display(), &migration.prefix);
    let counts = match moved {
        Moved::Before(at) => return format!("{from} was moved to {prefix}* at {at:.0}; nothing was done"),
        Moved::Now(counts) => counts,
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
