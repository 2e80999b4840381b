//! When a request is too slow: the deadlines of its phases and who is to blame.

use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use aio_connector::{Exchange, now};
use aio_core::{ClientTimeout, deadline};

/// The timeouts of a request under way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadlines {
    pub(crate) started: Instant,
    pub(crate) timeout: ClientTimeout,
    /// When `total` is over.
    pub(crate) total: Option<Instant>,
}

/// Which timeout was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Late {
    Total,
    /// A phase: connecting, or a pause while receiving.
    Phase,
}

impl Deadlines {
    pub(crate) fn new(started: Instant, timeout: ClientTimeout) -> Self {
        Self {
            started,
            timeout,
            total: deadline(started, timeout.total),
        }
    }

    /// Returns when a phase that ends at `phase` is too late, and whose fault it is then.
    pub(crate) fn earlier(&self, phase: Option<Instant>) -> (Option<Instant>, Late) {
        match (self.total, phase) {
            (Some(total), Some(phase)) if phase < total => (Some(phase), Late::Phase),
            (None, Some(phase)) => (Some(phase), Late::Phase),
            (total, _) => (total, Late::Total),
        }
    }
}

/// Watches the pauses between received data; aiohttp's `sock_read` (TMO-15).
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) deadlines: Deadlines,
    sock_read: Option<Duration>,
    /// When the pause under way is too long, and after how many receipts it began.
    pause: Option<(Option<Instant>, u64)>,
}

impl Watch {
    pub(crate) fn new(deadlines: Deadlines) -> Self {
        let sock_read = deadlines.timeout.sock_read.filter(|limit| !limit.is_zero());
        Self {
            deadlines,
            sock_read,
            pause: None,
        }
    }

    /// Is ready when the exchange, which is pending, is too slow.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, exchange: &mut Exchange) -> Poll<Late> {
        let pause = match self.sock_read {
            Some(_) if exchange.is_received() => None,
            Some(limit) if exchange.is_sent() || exchange.receipts() > 0 => {
                let receipts = exchange.receipts();
                if self.pause.is_none_or(|(_, began)| began != receipts) {
                    self.pause = Some((deadline(now(), Some(limit)), receipts));
                }
                self.pause.and_then(|(too_long, _)| too_long)
            }
            _ => None,
        };
        let (deadline, late) = self.deadlines.earlier(pause);
        let Some(timer) = exchange.timer() else {
            return Poll::Pending;
        };
        timer.poll(cx, deadline).map(|()| late)
    }

    /// Begins a new pause: the reader was away, and a slow reader is no slow server.
    pub(crate) fn restart(&mut self) {
        self.pause = None;
    }

    /// Tells whether `total` is over, though data may be at hand (TMO-17).
    pub(crate) fn is_over(&self) -> bool {
        self.deadlines.total.is_some_and(|total| now() >= total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earlier_deadline_is_to_blame() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let total = Deadlines::new(start, ClientTimeout::total(2 * second));
        assert_eq!(total.earlier(None), (Some(start + 2 * second), Late::Total));
        assert_eq!(
            total.earlier(Some(start + second)),
            (Some(start + second), Late::Phase)
        );
        assert_eq!(
            total.earlier(Some(start + 3 * second)),
            (Some(start + 2 * second), Late::Total)
        );
        let none = Deadlines::new(start, ClientTimeout::none());
        assert_eq!(none.earlier(None).0, None);
        assert_eq!(none.earlier(Some(start)), (Some(start), Late::Phase));
    }
}
