//! What can go wrong on an open WebSocket.

use crate::frame::{FrameError, OpCode};

/// An error of an open WebSocket; not one of the request that opened it.
///
/// ```
/// use aio_ws::{FrameError, OpCode, WsError};
///
/// let error = WsError::from(FrameError::ReservedBits);
/// assert_eq!(error.aiohttp_class(), "WebSocketError");
/// let error = WsError::MessageType { expected: OpCode::Text, got: OpCode::Binary };
/// assert_eq!(error.aiohttp_class(), "WSMessageTypeError");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WsError {
    /// The peer breaks the protocol.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A message is of another type than asked for.
    #[error("received a {got:?} message where {expected:?} was expected")]
    MessageType {
        /// What was asked for.
        expected: OpCode,
        /// What came.
        got: OpCode,
    },
}

impl WsError {
    /// Returns the name of the class that aiohttp has for it.
    pub fn aiohttp_class(&self) -> &'static str {
        match self {
            Self::Frame(_) => "WebSocketError",
            Self::MessageType { .. } => "WSMessageTypeError",
        }
    }
}
