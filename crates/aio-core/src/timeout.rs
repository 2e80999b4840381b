//! How long the parts of a request may take.

use std::time::{Duration, Instant};

/// Timeouts of a request, each `None` for no limit; aiohttp's `ClientTimeout`.
///
/// The default is that of a session: `total` 300 s, `sock_connect` 30 s. A request's
/// timeout replaces the session's as a whole.
///
/// ```
/// use std::time::Duration;
/// use aio_core::ClientTimeout;
///
/// let timeout = ClientTimeout::total(Duration::from_secs(30));
/// assert_eq!(timeout.sock_connect, None);
/// let timeout = ClientTimeout { sock_read: Some(Duration::from_secs(5)), ..timeout };
/// assert_eq!(timeout.total, Some(Duration::from_secs(30)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientTimeout {
    /// The whole operation: connecting, sending, redirects and reading the body. No task
    /// stands behind a request, so a response that nobody reads is not closed by it.
    pub total: Option<Duration>,
    /// Getting a connection: waiting for a free one, name resolution and dialling.
    pub connect: Option<Duration>,
    /// Waiting for a free connection of the pool; aiohttp has it within `connect` only.
    pub pool: Option<Duration>,
    /// Resolving the host's name; aiohttp has it within `connect` only.
    pub dns: Option<Duration>,
    /// One connection attempt to one address, with the TLS handshake. A tunnel has as much
    /// again: for the proxy's answer, with the TLS handshake behind it.
    pub sock_connect: Option<Duration>,
    /// The TLS handshake; aiohttp has it within `sock_connect` only.
    pub tls: Option<Duration>,
    /// Between two bytes of the request that leave, while the connection is to take them:
    /// a body that is slow to come is not late. aiohttp has none such.
    pub write: Option<Duration>,
    /// From the request being sent to the first byte of the response, be it that of an
    /// interim one; aiohttp has none such.
    pub first_byte: Option<Duration>,
    /// Between two pieces of received data, from when the request is sent.
    pub sock_read: Option<Duration>,
    /// From where on aiohttp rounds deadlines up to whole seconds, to save timers; kept
    /// for its name's sake, since here a request has one timer and nothing is rounded.
    pub ceil_threshold: Duration,
}

impl Default for ClientTimeout {
    fn default() -> Self {
        Self {
            total: Some(Duration::from_secs(300)),
            sock_connect: Some(Duration::from_secs(30)),
            ..Self::none()
        }
    }
}

impl ClientTimeout {
    /// Makes one without any limit.
    pub const fn none() -> Self {
        Self {
            total: None,
            connect: None,
            pool: None,
            dns: None,
            sock_connect: None,
            tls: None,
            write: None,
            first_byte: None,
            sock_read: None,
            ceil_threshold: Duration::from_secs(5),
        }
    }

    /// Makes one that limits the whole operation only.
    pub const fn total(total: Duration) -> Self {
        Self {
            total: Some(total),
            ..Self::none()
        }
    }
}

impl From<Duration> for ClientTimeout {
    /// Makes [`ClientTimeout::total`], as aiohttp's `timeout=5` did.
    fn from(total: Duration) -> Self {
        Self::total(total)
    }
}

/// Returns when a phase that began at `start` must be over; a limit of 0 is none, as in
/// aiohttp (TMO-02), and so is one beyond what an [`Instant`] can hold.
pub fn deadline(start: Instant, limit: Option<Duration>) -> Option<Instant> {
    limit
        .filter(|limit| !limit.is_zero())
        .and_then(|limit| start.checked_add(limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_and_forever_are_no_deadline() {
        let now = Instant::now();
        assert_eq!(deadline(now, None), None);
        assert_eq!(deadline(now, Some(Duration::ZERO)), None);
        assert_eq!(deadline(now, Some(Duration::MAX)), None);
        let second = Duration::from_secs(1);
        assert_eq!(deadline(now, Some(second)), Some(now + second));
    }
}
