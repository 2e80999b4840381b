//! How long a socket waits.

use std::time::Duration;

/// How long a WebSocket waits for its peer.
///
/// ```
/// use std::time::Duration;
///
/// use aio_ws::WsTimeout;
///
/// let timeout = WsTimeout { receive: Some(Duration::from_secs(60)), ..WsTimeout::default() };
/// assert_eq!(timeout.close, Some(Duration::from_secs(10)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WsTimeout {
    /// For a message, by each call of a receiving method. Default none; zero is none, too, as
    /// in aiohttp. As there, each ping or pong begins it anew: with a heartbeat that is shorter
    /// it passes only when the peer is gone. `tokio::time::timeout` around a receive is a
    /// limit that does not mind them.
    pub receive: Option<Duration>,
    /// For each message of the peer until its answer to a close, and for what is left to be
    /// sent then. Default 10 s; with none, for ever.
    pub close: Option<Duration>,
}

impl Default for WsTimeout {
    fn default() -> Self {
        Self {
            receive: None,
            close: Some(Duration::from_secs(10)),
        }
    }
}
