//! The trunk of the error tree, with aiohttp's names on its leaves.

mod classes;
mod usage;

use std::fmt;
use std::sync::Arc;

use aio_connector::{Attempt, ConnectionError, Phase, ProxyError, SettingsError, TlsConfigError};
use aio_core::text::DecodeError;
use aio_core::{EventTooLong, HttpError, MultipartError, PayloadError, UrlError, UrlErrorKind};
use aio_ws::HandshakeCheck;
use bytes::Bytes;

pub use self::usage::UsageError;
use crate::response::ResponseHead;

/// Whatever a request can fail with; aiohttp's `ClientError`, `TimeoutError` and the
/// built-in errors it raises for misuse.
///
/// ```
/// # async fn run() {
/// use aio_client::{ClientError, ClientSession};
///
/// match ClientSession::new().get("http://127.0.0.1:1/").await {
///     Err(error) if error.is_timeout() => eprintln!("too slow: {error}"),
///     Err(ClientError::Connection(error)) => eprintln!("{error}"),
///     Err(error) => eprintln!("{}: {error}", error.aiohttp_class()),
///     Ok(response) => println!("{}", response.status()),
/// }
/// # }
/// ```
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The response is not what was asked for.
    #[error(transparent)]
    Response(Box<ClientResponseError>),
    /// The connection failed, or could not be made.
    #[error(transparent)]
    Connection(ConnectionError),
    /// The request took longer than its `total` timeout.
    #[error("total timeout: {0}")]
    Timeout(Box<Attempt>),
    /// The request ended before its body was sent, though a response may have come.
    #[error("the request body was not fully sent: {0}")]
    UploadAborted(Box<Attempt>),
    /// A body is not what its head says.
    #[error(transparent)]
    Payload(Box<ClientPayloadError>),
    /// The URL cannot be requested.
    #[error(transparent)]
    Url(UrlError),
    /// A redirect leads where no request can go.
    #[error("cannot follow the redirect")]
    Redirect(#[source] UrlError),
    /// What the session or the request names is no proxy, or none that can be used so.
    #[error(transparent)]
    Proxy(ProxyError),
    /// A variable of the environment names no proxy that can be used.
    #[error("cannot use the proxy of {variable}")]
    EnvironmentProxy {
        /// Its name, such as `HTTP_PROXY`.
        variable: Box<str>,
        /// What is wrong with its value.
        source: Box<ProxyError>,
    },
    /// The call makes no sense.
    #[error(transparent)]
    Usage(UsageError),
    /// The body is complete, but not what was to be read.
    #[error(transparent)]
    Read(Box<ClientReadError>),
}

/// A response that is not what was asked for; aiohttp's `ClientResponseError`.
#[derive(Clone, thiserror::Error)]
#[error("{}{status}, {message:?}, {}", speaker(.attempt), .attempt.url)]
pub struct ClientResponseError {
    /// Which of aiohttp's classes it is.
    pub kind: ResponseErrorKind,
    /// The status; 400 for a response that is no HTTP, 0 for too many redirects.
    pub status: u16,
    /// The reason phrase, or what is wrong.
    pub message: Box<str>,
    /// The response, if its head could be read.
    pub head: Option<ResponseHead>,
    /// The redirects on the way to it, oldest first.
    pub history: Vec<ResponseHead>,
    /// Where the request was going and how far it had come.
    pub attempt: Attempt,
    /// The beginning of the body, at most 4 KiB, where a proxy refuses a tunnel; else empty.
    pub body: Bytes,
    /// Why the response opens no WebSocket, if it was to open one.
    pub handshake: Option<HandshakeCheck>,
    /// What the parser says of a malformed head.
    #[source]
    pub source: Option<HttpError>,
}

impl ClientResponseError {
    /// Makes the error of a head that is no HTTP, or breaks a limit.
    pub(crate) fn malformed(source: HttpError, attempt: Attempt) -> Self {
        Self {
            kind: ResponseErrorKind::Malformed,
            status: 400,
            message: source.to_string().into(),
            head: None,
            history: Vec::new(),
            attempt,
            body: Bytes::new(),
            handshake: None,
            source: Some(source),
        }
    }
}

/// Tells who it is that says so, if not the server.
fn speaker(attempt: &Attempt) -> &'static str {
    match attempt.phase {
        Phase::Tunnel => "no tunnel through the proxy: ",
        _ => "",
    }
}

impl fmt::Debug for ClientResponseError {
    /// Hides the body: some repeat what they were asked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientResponseError")
            .field("kind", &self.kind)
            .field("status", &self.status)
            .field("message", &self.message)
            .field("head", &self.head)
            .field("history", &self.history)
            .field("attempt", &self.attempt)
            .field("body", &format_args!("{} bytes", self.body.len()))
            .field("handshake", &self.handshake)
            .field("source", &self.source)
            .finish()
    }
}

/// Which of aiohttp's classes a [`ClientResponseError`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResponseErrorKind {
    /// A status of 400 or more where that was to be an error, or a malformed head.
    Status,
    /// The head is no HTTP, or breaks a limit.
    Malformed,
    /// The body's content type is another than expected.
    ContentType,
    /// The server refuses a WebSocket.
    WsHandshake,
    /// The proxy refuses a tunnel.
    Proxy,
    /// More redirects than `max_redirects` allows.
    TooManyRedirects,
}

/// A body that is not what its head says; aiohttp's `ClientPayloadError`.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{source}: {attempt}")]
pub struct ClientPayloadError {
    /// What is wrong with it.
    pub source: PayloadError,
    /// Where the request was going and how far it had come.
    pub attempt: Attempt,
}

/// A body that is complete but not what was to be read; Python's `UnicodeDecodeError`,
/// `JSONDecodeError` and `IncompleteReadError`.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{source}: {attempt}")]
pub struct ClientReadError {
    /// What it is instead.
    pub source: ReadError,
    /// Where the request was going and how far it had come.
    pub attempt: Attempt,
}

/// What a complete body is instead of what was to be read.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The text has bytes that mean nothing in its charset.
    #[error(transparent)]
    Text(DecodeError),
    /// The charset asked for is unknown.
    #[error("unknown encoding {0:?}")]
    UnknownCharset(Box<str>),
    /// The body is no JSON, or not of the type asked for.
    #[error("body is not the JSON asked for")]
    Json(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// The body ended before so many bytes; what there was is in `partial`.
    #[error("body ended after {} of {expected} bytes", .partial.len())]
    Incomplete {
        /// What there was.
        partial: Bytes,
        /// How many bytes were asked for.
        expected: usize,
    },
    /// An event of the server takes more bytes than it may.
    #[error(transparent)]
    EventTooLong(EventTooLong),
    /// The body is not the multipart body that its content type announces, or one of its
    /// parts is not what its headers say.
    #[error(transparent)]
    Multipart(MultipartError),
    /// No separator came within the limit.
    #[error("got more than {limit} bytes when reading")]
    LineTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// What the body was copied to failed.
    #[error("cannot write the body")]
    Write(#[source] Arc<std::io::Error>),
}

impl ClientError {
    /// Tells whether a timeout was over, be it `total` or one of a phase; aiohttp's
    /// `asyncio.TimeoutError`.
    pub fn is_timeout(&self) -> bool {
        match self {
            Self::Timeout(_) => true,
            Self::Connection(error) => error.is_timeout(),
            _ => false,
        }
    }

    /// Tells whether it is aiohttp's `ClientConnectionError`; the `total` timeout is not.
    pub fn is_connection(&self) -> bool {
        matches!(self, Self::Connection(_))
    }

    /// Tells whether no connection could be made; aiohttp's `ClientConnectorError`.
    pub fn is_connector(&self) -> bool {
        matches!(self, Self::Connection(error) if error.is_connector())
    }

    /// Tells whether it is aiohttp's `ClientOSError`.
    pub fn is_os(&self) -> bool {
        matches!(self, Self::Connection(error) if error.is_os())
    }

    /// Tells whether it is aiohttp's `ServerConnectionError`.
    pub fn is_server(&self) -> bool {
        matches!(self, Self::Connection(error) if error.is_server())
    }

    /// Tells whether it is aiohttp's `ClientSSLError`.
    pub fn is_tls(&self) -> bool {
        matches!(self, Self::Connection(error) if error.is_tls())
    }

    /// Tells whether the URL is at fault, the request's or a redirect's; aiohttp's
    /// `InvalidURL`. A scheme that is not HTTP is another matter.
    pub fn is_invalid_url(&self) -> bool {
        match self {
            Self::Proxy(error) => matches!(error, ProxyError::Url(_)),
            Self::EnvironmentProxy { .. } => self.is_a("InvalidURL"),
            Self::Url(error) | Self::Redirect(error) => !matches!(
                error.kind(),
                UrlErrorKind::NonHttp | UrlErrorKind::NoTrailingSlash
            ),
            _ => false,
        }
    }

    /// Returns the status of the response it is about, if it is about one.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Response(error) => Some(error.status),
            _ => None,
        }
    }

    /// Returns where the request was going and how far it had come, if it had begun.
    pub fn attempt(&self) -> Option<&Attempt> {
        match self {
            Self::Response(error) => Some(&error.attempt),
            Self::Connection(error) => Some(error.attempt()),
            Self::Timeout(attempt) | Self::UploadAborted(attempt) => Some(attempt),
            Self::Payload(error) => Some(&error.attempt),
            Self::Read(error) => Some(&error.attempt),
            Self::Url(_)
            | Self::Redirect(_)
            | Self::Proxy(_)
            | Self::EnvironmentProxy { .. }
            | Self::Usage(_) => None,
        }
    }

    /// Notes that bytes of the request had left before, if so.
    pub(crate) fn mark_sent(&mut self, sent: bool) {
        let attempt = match self {
            Self::Connection(error) => error.attempt_mut(),
            Self::Timeout(attempt) | Self::UploadAborted(attempt) => attempt,
            _ => return,
        };
        attempt.sent |= sent;
    }

    /// Tells whether the same request may be sent again whatever its method: no byte of
    /// it had left, and trying again can help.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Connection(error) => error.is_retryable(),
            Self::Timeout(attempt) => !attempt.sent,
            _ => false,
        }
    }
}

impl From<ConnectionError> for ClientError {
    fn from(error: ConnectionError) -> Self {
        Self::Connection(error)
    }
}

impl From<UrlError> for ClientError {
    fn from(error: UrlError) -> Self {
        Self::Url(error)
    }
}

impl From<UsageError> for ClientError {
    fn from(error: UsageError) -> Self {
        Self::Usage(error)
    }
}

impl From<SettingsError> for ClientError {
    fn from(error: SettingsError) -> Self {
        Self::Usage(error.into())
    }
}

impl From<TlsConfigError> for ClientError {
    fn from(error: TlsConfigError) -> Self {
        Self::Usage(UsageError::Tls(Box::new(error)))
    }
}

impl From<ProxyError> for ClientError {
    fn from(error: ProxyError) -> Self {
        Self::Proxy(error)
    }
}

impl From<ClientReadError> for ClientError {
    fn from(error: ClientReadError) -> Self {
        Self::Read(Box::new(error))
    }
}

impl From<ClientResponseError> for ClientError {
    fn from(error: ClientResponseError) -> Self {
        Self::Response(Box::new(error))
    }
}

impl From<ClientError> for std::io::Error {
    /// Wraps it for `AsyncRead`; a timeout keeps its kind.
    fn from(error: ClientError) -> Self {
        use std::io::ErrorKind;
        let kind = if error.is_timeout() {
            ErrorKind::TimedOut
        } else {
            ErrorKind::Other
        };
        Self::new(kind, error)
    }
}
