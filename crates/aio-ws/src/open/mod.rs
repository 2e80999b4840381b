//! Opens a WebSocket over any stream of bytes: the handshake, then the socket.

mod client;
mod head;
mod server;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;

use http::{HeaderMap, StatusCode};

pub use self::client::{Client, client};
pub use self::server::{Asked, Server, server};
use crate::{HandshakeCheck, RequestCheck};

/// A handshake that opened no WebSocket.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The server's answer is not as it has to be.
    #[error("the server opens no WebSocket: {check} (status {})", .status.as_u16())]
    Refused {
        /// Its status.
        status: StatusCode,
        /// Its headers.
        headers: Box<HeaderMap>,
        /// What is not as it has to be.
        check: HandshakeCheck,
    },
    /// The client asks for something else; it was answered so.
    #[error("the client asks for no WebSocket: {0}")]
    NotAsked(RequestCheck),
    /// The request cannot be sent: its target or one of its headers would break it.
    #[error("the request has no valid {0}")]
    InvalidRequest(&'static str),
    /// The peer speaks no HTTP/1.
    #[error("the head of the handshake is malformed")]
    Malformed,
    /// The peer's head has more than 64 KiB or more than 128 headers.
    #[error("the head of the handshake is too large")]
    TooLarge,
    /// The peer ended the stream within the handshake.
    #[error("the stream ended within the handshake")]
    UnexpectedEnd,
    /// The stream failed.
    #[error("the stream failed within the handshake")]
    Io(#[source] Arc<io::Error>),
}

impl HandshakeError {
    /// Returns the name of the class that aiohttp has for it.
    pub fn aiohttp_class(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "WSServerHandshakeError",
            Self::NotAsked(_) => "HTTPBadRequest",
            Self::InvalidRequest(_) => "ValueError",
            Self::Malformed | Self::TooLarge => "ClientResponseError",
            Self::UnexpectedEnd => "ServerDisconnectedError",
            Self::Io(_) => "ClientOSError",
        }
    }
}

impl From<io::Error> for HandshakeError {
    fn from(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}

/// Draws random bytes of the system's: for the key of a
/// [`ClientHandshake`](crate::ClientHandshake), or the seed of a
/// [`Protocol`](crate::Protocol).
///
/// ```
/// use aio_ws::{ClientHandshake, HandshakeOptions, Protocol, Role, WsConfig, random};
///
/// let handshake = ClientHandshake::new(random()?, HandshakeOptions::default());
/// let protocol = Protocol::new(Role::Client, WsConfig::default(), random()?);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// If the system has none to give, which is not to be expected.
pub fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}
