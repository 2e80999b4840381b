//! What a request sends behind its head.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::pin::Pin;

use bytes::Bytes;
use futures_core::Stream;

/// The error that a body's own source may fail with.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// The pieces of a streamed body.
pub type BodyStream = Pin<Box<dyn Stream<Item = Result<Bytes, BoxError>> + Send>>;

/// The body of a request; aiohttp's `data=`.
///
/// Text is sent as `text/plain; charset=utf-8`, bytes and streams as
/// `application/octet-stream`, unless the request names another type.
///
/// ```
/// use aio_core::Body;
///
/// let body = Body::from("héé");
/// assert_eq!(body.len(), Some(5));
/// assert_eq!(body.content_type(), Some("text/plain; charset=utf-8"));
/// assert!(body.try_clone().is_some());
/// ```
pub struct Body {
    kind: BodyKind,
    content_type: Option<Cow<'static, str>>,
}

/// How a [`Body`] gives its bytes.
pub enum BodyKind {
    /// There is none; not the same as an empty one.
    None,
    /// All of it is there.
    Bytes(Bytes),
    /// It comes in pieces; sent chunked, unless a length is known or given by header.
    Stream {
        /// The pieces.
        stream: BodyStream,
        /// How many bytes they are together, if known.
        length: Option<u64>,
    },
}

impl Body {
    /// Makes no body: nothing is sent, not even an empty one.
    pub fn none() -> Self {
        Self {
            kind: BodyKind::None,
            content_type: None,
        }
    }

    /// Makes a body of bytes with a content type of its own.
    pub fn typed(bytes: impl Into<Bytes>, content_type: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind: BodyKind::Bytes(bytes.into()),
            content_type: Some(content_type.into()),
        }
    }

    /// Makes a body that comes in pieces; it can be sent once.
    ///
    /// An error of the stream ends the request: an [`std::io::Error`] as aiohttp's
    /// `ClientOSError`, another one as its `ClientConnectionError`.
    pub fn stream<S, B, E>(stream: S) -> Self
    where
        S: Stream<Item = Result<B, E>> + Send + 'static,
        B: Into<Bytes>,
        E: Into<BoxError>,
    {
        Self {
            kind: BodyKind::Stream {
                stream: Box::pin(Pieces {
                    stream: Box::pin(stream),
                }),
                length: None,
            },
            content_type: Some(OCTETS.into()),
        }
    }

    /// Makes a body that comes in pieces of `length` bytes together.
    ///
    /// More or fewer bytes than that fail the request and close its connection.
    pub fn sized_stream<S, B, E>(stream: S, length: u64) -> Self
    where
        S: Stream<Item = Result<B, E>> + Send + 'static,
        B: Into<Bytes>,
        E: Into<BoxError>,
    {
        let mut body = Self::stream(stream);
        if let BodyKind::Stream {
            length: unknown, ..
        } = &mut body.kind
        {
            *unknown = Some(length);
        }
        body
    }

    /// Returns its length in bytes, if known; `Some(0)` without a body.
    pub fn len(&self) -> Option<u64> {
        match &self.kind {
            BodyKind::None => Some(0),
            BodyKind::Bytes(bytes) => Some(bytes.len() as u64),
            BodyKind::Stream { length, .. } => *length,
        }
    }

    /// Tells whether it is known to have no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// Tells whether there is no body at all.
    pub fn is_none(&self) -> bool {
        matches!(self.kind, BodyKind::None)
    }

    /// Returns the content type that is sent when the request names none.
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// Makes another body with the same bytes, unless they come from a stream.
    pub fn try_clone(&self) -> Option<Self> {
        let kind = match &self.kind {
            BodyKind::None => BodyKind::None,
            BodyKind::Bytes(bytes) => BodyKind::Bytes(bytes.clone()),
            BodyKind::Stream { .. } => return None,
        };
        Some(Self {
            kind,
            content_type: self.content_type.clone(),
        })
    }

    /// Gives up how the bytes come.
    pub fn into_kind(self) -> BodyKind {
        self.kind
    }
}

const OCTETS: &str = "application/octet-stream";
const TEXT: &str = "text/plain; charset=utf-8";

impl Default for Body {
    fn default() -> Self {
        Self::none()
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::typed(bytes, OCTETS)
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self::typed(bytes, OCTETS)
    }
}

impl From<&'static [u8]> for Body {
    fn from(bytes: &'static [u8]) -> Self {
        Self::typed(bytes, OCTETS)
    }
}

impl<const N: usize> From<&'static [u8; N]> for Body {
    fn from(bytes: &'static [u8; N]) -> Self {
        Self::from(bytes.as_slice())
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self::typed(text, TEXT)
    }
}

impl From<&str> for Body {
    fn from(text: &str) -> Self {
        Self::typed(text.to_owned(), TEXT)
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body")
            .field("len", &self.len())
            .field("content_type", &self.content_type)
            .finish()
    }
}

impl fmt::Debug for BodyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Bytes(_) => "Bytes",
            Self::Stream { .. } => "Stream",
        })
    }
}

/// Turns the items of a stream into those of a [`BodyStream`].
struct Pieces<S> {
    stream: Pin<Box<S>>,
}

impl<S, B, E> Stream for Pieces<S>
where
    S: Stream<Item = Result<B, E>>,
    B: Into<Bytes>,
    E: Into<BoxError>,
{
    type Item = Result<Bytes, BoxError>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.stream
            .as_mut()
            .poll_next(cx)
            .map(|item| item.map(|piece| piece.map(Into::into).map_err(Into::into)))
    }
}
