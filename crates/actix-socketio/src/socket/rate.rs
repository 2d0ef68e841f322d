//! Rate limiting of one connection's packets by a token bucket.

use tokio::time::Instant;

use super::EventRate;

/// A token bucket; the tokens are counted in thousandths.
pub(super) struct Bucket {
    rate: EventRate,
    millis: u64,
    filled: Instant,
    /// Consecutive refusals.
    over: u32,
}

/// The decision about a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Take,
    Refuse,
    /// The connection is to end, because it had too many consecutive refusals.
    End,
}

impl Bucket {
    pub(super) fn new(rate: EventRate, now: Instant) -> Self {
        Self { rate, millis: u64::from(rate.burst) * 1000, filled: now, over: 0 }
    }

    pub(super) fn take(&mut self, now: Instant) -> Verdict {
        let passed = u64::try_from(now.saturating_duration_since(self.filled).as_millis()).unwrap_or(u64::MAX);
        let full = u64::from(self.rate.burst) * 1000;
        self.millis = self.millis.saturating_add(passed.saturating_mul(u64::from(self.rate.per_second))).min(full);
        self.filled = now;
        if self.millis >= 1000 {
            self.millis -= 1000;
            self.over = 0;
            return Verdict::Take;
        }
        self.over = self.over.saturating_add(1);
        if self.over > self.rate.burst.saturating_mul(4) { Verdict::End } else { Verdict::Refuse }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_burst_passes_then_the_rate_applies_and_a_flood_ends_the_connection() {
        let now = Instant::now();
        let mut bucket = Bucket::new(EventRate { per_second: 2, burst: 3 }, now);
        for _ in 0..3 {
            assert_eq!(bucket.take(now), Verdict::Take);
        }
        assert_eq!(bucket.take(now), Verdict::Refuse);
        assert_eq!(bucket.take(now + Duration::from_millis(500)), Verdict::Take);
        let verdicts: Vec<Verdict> = (0..13).map(|_| bucket.take(now + Duration::from_millis(500))).collect();
        assert!(verdicts[..12].iter().all(|verdict| *verdict == Verdict::Refuse));
        assert_eq!(verdicts[12], Verdict::End);
    }
}
