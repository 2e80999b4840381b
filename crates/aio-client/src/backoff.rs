//! How long to wait before what failed is tried again.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// How long to wait at least for having failed: doubling nothing would lead nowhere.
const SHORTEST: Duration = Duration::from_millis(10);

/// A wait that is double with each failure more.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backoff {
    /// Behind the first failure.
    pub(crate) first: Duration,
    /// Behind however many.
    pub(crate) longest: Duration,
}

impl Backoff {
    /// Returns how long to wait at most behind so many failures in a row.
    pub(crate) fn at_most(self, failures: u32) -> Duration {
        let doubled = 1 << failures.saturating_sub(1).min(31);
        let wait = self.first.max(SHORTEST).saturating_mul(doubled);
        wait.min(self.longest)
    }
}

/// Draws a time between the two; the first, if the second is less.
///
/// Clients that lose the same server at the same time must not come back at the same time.
pub(crate) fn between(least: Duration, most: Duration) -> Duration {
    // The keys of the hash are random, of the system's.
    let random = RandomState::new().hash_one(0);
    let [a, b, ..] = random.to_ne_bytes();
    drawn(least, most, u16::from_ne_bytes([a, b]))
}

fn drawn(least: Duration, most: Duration, random: u16) -> Duration {
    let part = most.saturating_sub(least) / (1 << 16);
    least.saturating_add(part.saturating_mul(random.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[track_caller]
    fn check(first: Duration, failures: u32, want: Duration) {
        let longest = 30_000 * MS;
        assert_eq!(Backoff { first, longest }.at_most(failures), want);
    }

    #[test]
    fn each_failure_doubles_the_wait_up_to_the_longest() {
        check(500 * MS, 0, 500 * MS);
        check(500 * MS, 1, 500 * MS);
        check(500 * MS, 2, 1000 * MS);
        check(500 * MS, 6, 16_000 * MS);
        check(500 * MS, 7, 30_000 * MS);
        check(500 * MS, u32::MAX, 30_000 * MS);
        check(Duration::ZERO, 1, 10 * MS);
        check(Duration::ZERO, 4, 80 * MS);
        check(Duration::MAX, 9, 30_000 * MS);
    }

    #[track_caller]
    fn check_drawn(least: Duration, most: Duration, random: u16, want: Duration) {
        assert_eq!(drawn(least, most, random), want);
    }

    #[test]
    fn a_time_is_drawn_between_two() {
        check_drawn(3 * MS, 7 * MS, 0, 3 * MS);
        let span = Duration::from_micros(1 << 16);
        check_drawn(3 * MS, 3 * MS + span, 1 << 15, 3 * MS + span / 2);
        assert!(drawn(3 * MS, 7 * MS, u16::MAX) < 7 * MS);
        check_drawn(7 * MS, 3 * MS, u16::MAX, 7 * MS);
        assert!(drawn(Duration::ZERO, Duration::MAX, u16::MAX) < Duration::MAX);
        assert_eq!(drawn(Duration::MAX, Duration::MAX, 1), Duration::MAX);
    }

    #[test]
    fn times_are_spread() {
        let mut counts = [0; 4];
        for _ in 0..1000 {
            let wait = between(100 * MS, 104 * MS);
            let quarter = (wait - 100 * MS).as_micros() / 1000;
            counts[usize::try_from(quarter).expect("below four")] += 1;
        }
        // 250 each; less than 150 would happen once in 10^12.
        assert!(counts.iter().all(|count| *count > 150), "{counts:?}");
    }
}
