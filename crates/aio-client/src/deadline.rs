//! When a request is too slow: the deadlines of its phases and who is to blame.

use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use aio_connector::{Exchange, now};
use aio_core::{ClientTimeout, deadline};

/// When a request began and must be over. Its other timeouts stay with its options: they
/// are large, and this is in each future and response.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadlines {
    pub(crate) started: Instant,
    /// When `total` is over.
    pub(crate) total: Option<Instant>,
}

/// Which timeout was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Late {
    Total,
    /// A phase: connecting, or a pause while receiving.
    Phase,
    /// A pause while sending, which may go on when the response is read.
    Write,
    /// The server's leave to send the body.
    Continue,
}

impl Deadlines {
    pub(crate) fn new(started: Instant, timeout: &ClientTimeout) -> Self {
        Self {
            started,
            total: deadline(started, timeout.total),
        }
    }

    /// Returns which deadline is the first, of `total` and these, and whose it is.
    pub(crate) fn first<const N: usize>(
        &self,
        phases: [(Option<Instant>, Late); N],
    ) -> (Option<Instant>, Late) {
        let mut first = (self.total, Late::Total);
        for (phase, late) in phases {
            if let Some(phase) = phase
                && first.0.is_none_or(|first| phase < first)
            {
                first = (Some(phase), late);
            }
        }
        first
    }
}

/// Watches the pauses of an exchange: between received data (aiohttp's `sock_read`,
/// TMO-15), before the first of them, and between bytes sent.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) deadlines: Deadlines,
    reading: Pause,
    writing: Pause,
}

/// A pause between two events that are counted.
#[derive(Debug, Default)]
struct Pause {
    /// After how many events it began.
    after: u64,
    /// When it is too long; `None` while there is none.
    too_long: Option<Instant>,
}

impl Pause {
    /// Returns when the pause under way is too long, which begins now if there was an
    /// event since.
    fn too_long(&mut self, events: u64, limit: Duration) -> Option<Instant> {
        if self.too_long.is_none() || self.after != events {
            (self.after, self.too_long) = (events, deadline(now(), Some(limit)));
        }
        self.too_long
    }
}

impl Watch {
    pub(crate) fn new(deadlines: Deadlines) -> Self {
        Self {
            deadlines,
            reading: Pause::default(),
            writing: Pause::default(),
        }
    }

    /// Is ready when the exchange, which is pending, is too slow, or has waited for the
    /// server's leave long enough.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        exchange: &mut Exchange,
        timeout: &ClientTimeout,
        waits_until: Option<Instant>,
    ) -> Poll<Late> {
        let reading = (self.reading_too_long(exchange, timeout), Late::Phase);
        let writing = (self.writing_too_long(exchange, timeout), Late::Write);
        let leave = (waits_until, Late::Continue);
        let (deadline, late) = self.deadlines.first([reading, writing, leave]);
        let Some(timer) = exchange.timer() else {
            return Poll::Pending;
        };
        timer.poll(cx, deadline).map(|()| late)
    }

    fn reading_too_long(
        &mut self,
        exchange: &Exchange,
        timeout: &ClientTimeout,
    ) -> Option<Instant> {
        let receipts = exchange.receipts();
        let first_byte = timeout.first_byte.filter(|_| receipts == 0);
        let limit = shorter(timeout.sock_read, first_byte)?;
        // TMO-16: the leave to send the body is received as well, and is no response.
        let begun = exchange.message().is_some() || exchange.is_sent();
        let owed = !exchange.is_received() && begun;
        if !owed {
            self.reading = Pause::default();
            return None;
        }
        self.reading.too_long(receipts, limit)
    }

    fn writing_too_long(
        &mut self,
        exchange: &Exchange,
        timeout: &ClientTimeout,
    ) -> Option<Instant> {
        let limit = shorter(timeout.write, None)?;
        if !exchange.is_sending() {
            self.writing = Pause::default();
            return None;
        }
        self.writing.too_long(exchange.sent(), limit)
    }

    /// Begins new pauses: the reader was away, and a slow reader is no slow server.
    pub(crate) fn restart(&mut self) {
        (self.reading, self.writing) = (Pause::default(), Pause::default());
    }

    /// Tells whether `total` is over, though data may be at hand (TMO-17).
    pub(crate) fn is_over(&self) -> bool {
        self.deadlines.total.is_some_and(|total| now() >= total)
    }
}

/// Returns the shorter limit; 0 is none.
fn shorter(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    let limits = [one, other].into_iter().flatten();
    limits.filter(|limit| !limit.is_zero()).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_deadline_is_to_blame() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let at = |seconds: u32| Some(start + seconds * second);
        let total = Deadlines::new(start, &ClientTimeout::total(2 * second));
        let none = Deadlines::new(start, &ClientTimeout::none());
        for (deadlines, reading, writing, want) in [
            (total, None, None, (at(2), Late::Total)),
            (total, at(1), at(3), (at(1), Late::Phase)),
            (total, at(3), at(1), (at(1), Late::Write)),
            (total, at(2), at(2), (at(2), Late::Total)),
            (none, None, at(0), (at(0), Late::Write)),
            (none, at(1), at(2), (at(1), Late::Phase)),
        ] {
            let phases = [(reading, Late::Phase), (writing, Late::Write)];
            assert_eq!(deadlines.first(phases), want);
        }
        assert_eq!(none.first([]).0, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_begins_with_each_event() {
        let (mut pause, start, second) = (Pause::default(), now(), Duration::from_secs(1));
        assert_eq!(pause.too_long(0, second), Some(start + second));
        tokio::time::advance(second / 2).await;
        assert_eq!(pause.too_long(0, second), Some(start + second));
        assert_eq!(pause.too_long(1, second), Some(start + second * 3 / 2));
    }
}
