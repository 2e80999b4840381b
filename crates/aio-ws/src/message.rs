//! What a WebSocket carries: messages, pings, pongs and the close.

use std::fmt;
use std::ops::Deref;
use std::str::Utf8Error;

use bytes::Bytes;
use bytestring::ByteString;

use crate::{CloseCode, OpCode};

/// What a WebSocket receives and sends.
///
/// A payload received is not copied where its frame allows: it is a part of the buffer it was read
/// into, of up to 65 KiB, which lives as long as one of its parts. Few bytes that are to be kept
/// for long are better copied.
///
/// Strings become text messages, bytes binary ones:
///
/// ```
/// use aio_ws::{WsMessage, WsMsgType};
/// use bytes::Bytes;
///
/// let message = WsMessage::from("hello");
/// assert_eq!(message.msg_type(), WsMsgType::Text);
/// assert_eq!(message.as_text(), Some("hello"));
/// assert_eq!(WsMessage::from(Bytes::from_static(b"\x01")).msg_type(), WsMsgType::Binary);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WsMessage {
    /// A text.
    Text(WsText),
    /// Bytes.
    Binary(Bytes),
    /// A text whose bytes are not checked to be UTF-8: texts come so with
    /// [`WsConfig::decode_text`](crate::WsConfig::decode_text) off.
    TextBytes(Bytes),
    /// A question whether this end is alive.
    Ping(Bytes),
    /// The answer to a ping, or a sign of life nobody asked for.
    Pong(Bytes),
    /// The peer closes; `None` if it tells no code.
    Close(Option<CloseFrame>),
    /// The socket is being closed by another task; never on the wire.
    Closing,
}

/// A text of a message: bytes known to be UTF-8, shared when cloned.
///
/// ```
/// use aio_ws::WsText;
///
/// let text = WsText::from("héllo");
/// assert_eq!(text.len(), 6);
/// assert!(text.starts_with('h'));
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WsText(ByteString);

/// From how many bytes on a text that is not ASCII is checked in another way.
const WORTH_A_COPY: usize = 512;

/// Why an endpoint closes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseFrame {
    /// The code.
    pub code: CloseCode,
    /// The reason in words, at most 123 bytes; often empty.
    pub reason: WsText,
}

/// The types of messages, with aiohttp's numbers.
///
/// ```
/// assert_eq!(aio_ws::WsMsgType::Closed as u16, 0x101);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WsMsgType {
    /// More of a message; only on the wire.
    Continuation = 0x0,
    /// A text.
    Text = 0x1,
    /// Bytes.
    Binary = 0x2,
    /// The peer closes.
    Close = 0x8,
    /// A question whether this end is alive.
    Ping = 0x9,
    /// The answer to a ping.
    Pong = 0xa,
    /// The socket is being closed by another task.
    Closing = 0x100,
    /// The socket is closed.
    Closed = 0x101,
    /// The socket failed.
    Error = 0x102,
}

impl WsMessage {
    /// Returns the type of the message.
    pub const fn msg_type(&self) -> WsMsgType {
        match self {
            Self::Text(_) | Self::TextBytes(_) => WsMsgType::Text,
            Self::Binary(_) => WsMsgType::Binary,
            Self::Ping(_) => WsMsgType::Ping,
            Self::Pong(_) => WsMsgType::Pong,
            Self::Close(_) => WsMsgType::Close,
            Self::Closing => WsMsgType::Closing,
        }
    }

    /// Returns the text of a text message; none of one not checked.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the payload of a text, a binary message, a ping or a pong, without a copy.
    ///
    /// ```
    /// # use aio_ws::WsMessage;
    /// assert_eq!(WsMessage::from("hello").into_bytes().as_deref(), Some(&b"hello"[..]));
    /// assert_eq!(WsMessage::Close(None).into_bytes(), None);
    /// ```
    pub fn into_bytes(self) -> Option<Bytes> {
        match self {
            Self::Text(text) => Some(text.into_bytes()),
            Self::Binary(bytes)
            | Self::TextBytes(bytes)
            | Self::Ping(bytes)
            | Self::Pong(bytes) => Some(bytes),
            Self::Close(_) | Self::Closing => None,
        }
    }
}

impl From<WsText> for WsMessage {
    fn from(text: WsText) -> Self {
        Self::Text(text)
    }
}

impl From<String> for WsMessage {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<&str> for WsMessage {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<Bytes> for WsMessage {
    fn from(bytes: Bytes) -> Self {
        Self::Binary(bytes)
    }
}

impl From<Vec<u8>> for WsMessage {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(bytes.into())
    }
}

impl From<&[u8]> for WsMessage {
    fn from(bytes: &[u8]) -> Self {
        Self::Binary(Bytes::copy_from_slice(bytes))
    }
}

impl WsText {
    /// Makes a text of a literal, without a copy.
    pub const fn from_static(text: &'static str) -> Self {
        Self(ByteString::from_static(text))
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the bytes of the text, without a copy.
    pub fn into_bytes(self) -> Bytes {
        self.0.into_bytes()
    }
}

impl Deref for WsText {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for WsText {
    fn as_ref(&self) -> &str {
        self
    }
}

impl fmt::Debug for WsText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl fmt::Display for WsText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

impl From<String> for WsText {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&str> for WsText {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<WsText> for String {
    fn from(text: WsText) -> Self {
        text.0.into()
    }
}

impl TryFrom<Bytes> for WsText {
    type Error = Utf8Error;

    fn try_from(bytes: Bytes) -> Result<Self, Self::Error> {
        // What checks in place is ten times slower than simdutf8 where much is not ASCII;
        // then the text is worth a copy.
        if bytes.len() >= WORTH_A_COPY
            && !bytes.is_ascii()
            && let Ok(text) = simdutf8::basic::from_utf8(&bytes)
        {
            return Ok(text.into());
        }
        ByteString::try_from(bytes).map(Self)
    }
}

impl PartialEq<str> for WsText {
    fn eq(&self, other: &str) -> bool {
        **self == *other
    }
}

impl PartialEq<&str> for WsText {
    fn eq(&self, other: &&str) -> bool {
        **self == **other
    }
}

impl From<CloseCode> for CloseFrame {
    fn from(code: CloseCode) -> Self {
        let reason = WsText::default();
        Self { code, reason }
    }
}

impl From<OpCode> for WsMsgType {
    fn from(opcode: OpCode) -> Self {
        match opcode {
            OpCode::Continuation => Self::Continuation,
            OpCode::Text => Self::Text,
            OpCode::Binary => Self::Binary,
            OpCode::Close => Self::Close,
            OpCode::Ping => Self::Ping,
            OpCode::Pong => Self::Pong,
        }
    }
}
