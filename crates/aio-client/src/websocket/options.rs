//! What a WebSocket is set to.

use std::time::Duration;

use aio_ws::{HandshakeOptions, InvalidWindowBits, WsConfig, WsTimeout};

/// How long the steps of an open WebSocket may take; aiohttp's `ClientWSTimeout`.
///
/// ```
/// use std::time::Duration;
/// use aio_client::ClientWsTimeout;
///
/// let timeout = ClientWsTimeout::default();
/// assert_eq!((timeout.ws_receive, timeout.ws_close), (None, Some(Duration::from_secs(10))));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientWsTimeout {
    /// How long a message is waited for; default for ever. As in aiohttp, each ping or pong
    /// begins it anew, those of a heartbeat as well.
    pub ws_receive: Option<Duration>,
    /// How long the server's CLOSE is waited for in closing, from each message that comes
    /// before it; default 10 s, `None` for ever.
    pub ws_close: Option<Duration>,
}

impl ClientWsTimeout {
    /// Nothing takes too long; aiohttp's `ClientWSTimeout()`.
    pub const fn none() -> Self {
        Self {
            ws_receive: None,
            ws_close: None,
        }
    }
}

impl Default for ClientWsTimeout {
    fn default() -> Self {
        // WS-02.
        Self {
            ws_close: Some(Duration::from_secs(10)),
            ..Self::none()
        }
    }
}

impl From<ClientWsTimeout> for WsTimeout {
    fn from(timeout: ClientWsTimeout) -> Self {
        Self {
            receive: timeout.ws_receive,
            close: timeout.ws_close,
        }
    }
}

/// What a WebSocket is set to, besides its request.
#[derive(Debug, Clone, Default)]
pub(super) struct WsOptions {
    pub(super) handshake: HandshakeOptions,
    /// The first mistake.
    pub(super) refused: Option<InvalidWindowBits>,
    pub(super) config: WsConfig,
    pub(super) timeout: ClientWsTimeout,
}
