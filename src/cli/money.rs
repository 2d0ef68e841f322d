//! Commands about money.

use clap::Subcommand;
use jiff::{Timestamp, civil::Date, tz::TimeZone};

use crate::config::duration;

/// Commands about the ledger.
#[derive(Debug, Subcommand)]
pub enum Ledger {
    /// Check that every payment, its refunds and its order agree; also while the shop runs
    Check,
}

/// Commands about payments.
#[derive(Debug, Subcommand)]
pub enum Payments {
    /// Compare with the payment gateway, print differences, and let the server correct them
    Reconcile {
        /// Payments opened since: a day (2026-01-31), a moment (2026-01-31T12:00:00Z), or how long ago (36h, 7d)
        #[arg(long, value_parser = since)]
        since: Timestamp,
    },
}

fn since(text: &str) -> Result<Timestamp, String> {
    let ago = |text: &str| Timestamp::now().checked_sub(duration(text).ok()?).ok();
    let day = |text: &str| Some(text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp());
    let moment = text.parse::<Timestamp>().ok().or_else(|| day(text)).or_else(|| ago(text));
    moment.ok_or_else(|| "write a day (2026-01-31), a moment (2026-01-31T12:00:00Z), or how long ago (36h, 7d)".into())
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn since_is_a_day_a_moment_or_how_long_ago() {
        assert_eq!(since("2026-01-31").unwrap(), "2026-01-31T00:00:00Z".parse().unwrap());
        assert_eq!(since("2026-01-31T12:00:00Z").unwrap(), "2026-01-31T12:00:00Z".parse().unwrap());
        for (text, hours) in [("36h", 36), ("7d", 168)] {
            let ago = Timestamp::now().duration_since(since(text).unwrap());
            assert!((ago - SignedDuration::from_hours(hours)).abs() < SignedDuration::from_mins(1), "{text}: {ago}");
        }
        for bad in ["", "yesterday", "-", "d", "99999999999999999d", "2026-13-01"] {
            assert!(since(bad).is_err(), "{bad}");
        }
    }
}
