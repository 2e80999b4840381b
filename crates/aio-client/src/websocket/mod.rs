//! WebSockets that a session opens.

mod builder;
mod connect;
mod options;
mod outbox;
mod reconnect_error;
mod reconnecting;
mod response;
mod stream;

use aio_core::IntoUrl;

pub use self::builder::WsRequestBuilder;
pub use self::options::ClientWsTimeout;
pub use self::outbox::Unconfirmed;
pub use self::reconnect_error::ReconnectError;
pub use self::reconnecting::{ReconnectingWebSocket, WsEvent};
pub use self::response::ClientWebSocketResponse;
pub use self::stream::WsConnection;
use crate::session::ClientSession;

impl ClientSession {
    /// Begins to open a WebSocket: `ws` and `wss` URLs, `http` and `https` as well.
    ///
    /// ```
    /// # async fn run(session: aio_client::ClientSession) -> Result<(), Box<dyn std::error::Error>> {
    /// use aio_client::WsMessage;
    ///
    /// let mut ws = session.ws_connect("wss://example.org/feed").await?;
    /// ws.send_str("hello").await?;
    /// while let Some(message) = ws.receive().await? {
    ///     if let WsMessage::Text(text) = message {
    ///         println!("{text}");
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn ws_connect(&self, url: impl IntoUrl) -> WsRequestBuilder {
        WsRequestBuilder::new(self.clone(), url)
    }
}

/// Begins to open a WebSocket in a session of its own, which ends with it.
///
/// ```
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let mut ws = aio_client::ws_connect("ws://127.0.0.1:8080/").await?;
/// ws.send_str("hello").await?;
/// # Ok(())
/// # }
/// ```
pub fn ws_connect(url: impl IntoUrl) -> WsRequestBuilder {
    ClientSession::new().ws_connect(url)
}
