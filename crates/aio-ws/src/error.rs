//! What can go wrong on an open WebSocket.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::{CloseCode, WsMsgType};

/// An error of an open WebSocket; not one of the request that opened it.
///
/// ```
/// use aio_ws::{ProtocolError, WsError, WsMsgType};
///
/// let error = WsError::from(ProtocolError::ReservedBits);
/// assert_eq!(error.aiohttp_class(), "WebSocketError");
/// let error = WsError::MessageType { expected: WsMsgType::Text, got: WsMsgType::Binary };
/// assert_eq!(error.aiohttp_class(), "WSMessageTypeError");
/// ```
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum WsError {
    /// The peer breaks the protocol, or a limit of this endpoint.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// A message is of another type than asked for.
    #[error("received a {got:?} message where {expected:?} was expected")]
    MessageType {
        /// What was asked for.
        expected: WsMsgType,
        /// What came.
        got: WsMsgType,
    },
    /// Nothing can be sent: the socket is closed, or being closed.
    #[error("cannot write to closing transport")]
    Closed,
    /// Nothing came within the time given to receive a message, or to close.
    #[error("timed out")]
    Timeout,
    /// Nothing came within this time behind a ping of the heartbeat.
    #[error("no pong received after {} seconds", .after.as_secs_f64())]
    Heartbeat {
        /// Half the interval of the heartbeat.
        after: Duration,
    },
    /// The peer ended the connection without closing the WebSocket.
    #[error("the connection ended without a close frame")]
    UnexpectedEnd,
    /// A message written in pieces must be finished before another one starts.
    #[error("a message written in pieces is not finished")]
    UnfinishedMessage,
    /// The message cannot be sent this way.
    #[error("cannot send a {0:?} message this way")]
    NotSendable(WsMsgType),
    /// A ping or a pong has at most 125 bytes.
    #[error("a ping or pong of {0} bytes is too long")]
    ControlTooLong(usize),
    /// A text is no JSON, or not that of the type asked for.
    #[error("message is not the JSON asked for")]
    ReadJson(#[source] Arc<dyn Error + Send + Sync>),
    /// A value has no form in JSON.
    #[error("cannot write the message as JSON")]
    WriteJson(#[source] Arc<dyn Error + Send + Sync>),
    /// The transport failed.
    #[error("the transport failed")]
    Io(#[source] Arc<io::Error>),
}

/// How the peer breaks the protocol, or a limit of this endpoint, in aiohttp's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A reserved bit is set that no extension gives a meaning on this frame.
    #[error("Received frame with non-zero reserved bits")]
    ReservedBits,
    /// The opcode is one of the reserved ones.
    #[error("Unexpected opcode={0}")]
    UnknownOpCode(u8),
    /// A control frame is not final.
    #[error("Received fragmented control frame")]
    FragmentedControl,
    /// The payload of a control frame is longer than 125 bytes.
    #[error("Control frame payload cannot be larger than 125 bytes")]
    ControlTooLong,
    /// A frame continues a message, but none is unfinished.
    #[error("Continuation frame for non started message")]
    NothingToContinue,
    /// A message starts while another one is unfinished.
    #[error("The opcode in non-fin frame is expected to be zero, got {0}")]
    UnfinishedMessage(u8),
    /// A frame is not masked as the role of its sender demands; only told with
    /// [`WsConfig::strict_masking`](crate::WsConfig::strict_masking).
    #[error("Received frame with wrong masking")]
    Masking,
    /// A message is too large by the length that its frames declare.
    #[error("Message size {size} exceeds limit {limit}")]
    MessageTooBig {
        /// The length of the message up to the end of the frame, in bytes.
        size: u64,
        /// The limit; a message of just this length is refused, too.
        limit: u64,
    },
    /// A message is too large when it is inflated.
    #[error("Decompressed message exceeds size limit {limit}")]
    InflatedTooBig {
        /// The limit; a message of just this length is taken.
        limit: u64,
    },
    /// A compressed message has more than 1024 deflate streams.
    #[error("Compressed message has too many deflate members")]
    TooManyMembers,
    /// A compressed message cannot be inflated.
    #[error("Compressed message cannot be inflated")]
    Inflate,
    /// A text or the reason of a close is not UTF-8.
    #[error("Invalid UTF-8 text message")]
    InvalidText,
    /// A close frame has one byte of payload, half a code.
    #[error("Invalid close frame: True 8 b'{}'", [*.0].escape_ascii())]
    InvalidCloseFrame(u8),
    /// A close frame has a code that none may have.
    #[error("Invalid close code: {0}")]
    InvalidCloseCode(u16),
}

impl WsError {
    /// Returns the name of the class that aiohttp has for it.
    pub fn aiohttp_class(&self) -> &'static str {
        match self {
            Self::Protocol(_) => "WebSocketError",
            Self::MessageType { .. } => "WSMessageTypeError",
            Self::Closed => "ClientConnectionResetError",
            Self::Timeout => "TimeoutError",
            Self::Heartbeat { .. } => "ServerTimeoutError",
            Self::UnexpectedEnd => "EofStream",
            Self::UnfinishedMessage | Self::NotSendable(_) => "RuntimeError",
            Self::ControlTooLong(_) => "ValueError",
            Self::ReadJson(_) => "JSONDecodeError",
            Self::WriteJson(_) => "TypeError",
            Self::Io(source) => match source.kind() {
                // There it is known by then that nobody takes anything.
                io::ErrorKind::BrokenPipe
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::NotConnected => "ClientConnectionResetError",
                _ => "ClientOSError",
            },
        }
    }
}

impl From<io::Error> for WsError {
    fn from(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}

impl ProtocolError {
    /// Returns the code to close the connection with.
    pub const fn close_code(self) -> CloseCode {
        match self {
            // aiohttp answers 1009 to a length of 64 bits, too, as to any over the limit.
            Self::MessageTooBig { .. } | Self::InflatedTooBig { .. } | Self::TooManyMembers => {
                CloseCode::MESSAGE_TOO_BIG
            }
            Self::InvalidText => CloseCode::INVALID_TEXT,
            // RFC 7692 has no code for it: the data is not what its type says.
            Self::Inflate => CloseCode::INVALID_TEXT,
            _ => CloseCode::PROTOCOL_ERROR,
        }
    }
}
