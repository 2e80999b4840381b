//! When to ask the peer for a sign of life, and when to give it up.

use std::time::{Duration, Instant};

/// Waits longer than this end on a whole second, as aiohttp's: what comes within the same second
/// puts them off to the same time.
const CEIL_THRESHOLD: Duration = Duration::from_secs(5);

/// The clock of a heartbeat; time is told to it.
pub(super) struct Heartbeat {
    interval: Duration,
    /// When it started: whole seconds count from here.
    start: Option<Instant>,
    next: Option<Next>,
}

#[derive(Clone, Copy)]
enum Next {
    Ping(Instant),
    GiveUp(Instant),
}

/// What the time asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    Ping,
    /// Nothing came this long after the ping.
    GiveUp(Duration),
}

impl Heartbeat {
    pub(super) fn new(interval: Duration) -> Self {
        Self {
            interval,
            start: None,
            next: None,
        }
    }

    /// Bytes of the peer came: the silence begins anew.
    pub(super) fn alive(&mut self, now: Instant) {
        self.start.get_or_insert(now);
        self.next = self.at(now, self.interval).map(Next::Ping);
    }

    pub(super) fn next(&self) -> Option<Instant> {
        match self.next? {
            Next::Ping(at) | Next::GiveUp(at) => Some(at),
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) -> Due {
        match self.next {
            Some(Next::Ping(at)) if at <= now => {
                self.next = self.at(now, self.interval / 2).map(Next::GiveUp);
                Due::Ping
            }
            Some(Next::GiveUp(at)) if at <= now => {
                self.next = None;
                Due::GiveUp(self.interval / 2)
            }
            _ => Due::Nothing,
        }
    }

    /// Returns when `wait` is over; `None` if that is beyond what the clock can tell.
    fn at(&self, now: Instant, wait: Duration) -> Option<Instant> {
        let at = now.checked_add(wait)?;
        let start = self.start.unwrap_or(now);
        let part = (at - start).subsec_nanos();
        if wait <= CEIL_THRESHOLD || part == 0 {
            return Some(at);
        }
        at.checked_add(Duration::from_secs(1) - Duration::from_nanos(part.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn ping_follows_silence_and_giving_up_half_of_it() {
        // EDGE-275
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(100 * MS);
        assert_eq!(heartbeat.next(), None);
        heartbeat.alive(start);
        assert_eq!(heartbeat.next(), Some(start + 100 * MS));
        assert_eq!(heartbeat.handle_timeout(start + 99 * MS), Due::Nothing);
        assert_eq!(heartbeat.handle_timeout(start + 100 * MS), Due::Ping);
        assert_eq!(heartbeat.handle_timeout(start + 100 * MS), Due::Nothing);
        assert_eq!(heartbeat.next(), Some(start + 150 * MS));
        let due = heartbeat.handle_timeout(start + 151 * MS);
        assert_eq!(due, Due::GiveUp(50 * MS));
        assert_eq!(heartbeat.next(), None);
    }

    #[test]
    fn bytes_put_both_off() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(100 * MS);
        heartbeat.alive(start);
        heartbeat.alive(start + 60 * MS);
        assert_eq!(heartbeat.handle_timeout(start + 100 * MS), Due::Nothing);
        assert_eq!(heartbeat.handle_timeout(start + 160 * MS), Due::Ping);
        heartbeat.alive(start + 209 * MS);
        assert_eq!(heartbeat.handle_timeout(start + 210 * MS), Due::Nothing);
        assert_eq!(heartbeat.next(), Some(start + 309 * MS));
    }

    #[test]
    fn long_waits_end_on_a_whole_second() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(10_000 * MS);
        heartbeat.alive(start);
        assert_eq!(heartbeat.next(), Some(start + 10_000 * MS));
        heartbeat.alive(start + 300 * MS);
        assert_eq!(heartbeat.next(), Some(start + 11_000 * MS));
        // Half of it is no long wait.
        let due = heartbeat.handle_timeout(start + 11_250 * MS);
        assert_eq!(due, Due::Ping);
        assert_eq!(heartbeat.next(), Some(start + 16_250 * MS));
    }

    #[test]
    fn endless_heartbeat_never_beats() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(Duration::MAX);
        heartbeat.alive(start);
        assert_eq!(heartbeat.next(), None);
    }
}
