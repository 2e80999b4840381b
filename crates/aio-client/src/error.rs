//! The trunk of the error tree, with aiohttp's names on its leaves.

use std::fmt;
use std::sync::Arc;

use aio_connector::{Attempt, ConnectionError, ProxyError, SettingsError};
use aio_cookies::CookieError;
use aio_core::coding::Coding;
use aio_core::form::FormError;
use aio_core::text::DecodeError;
use aio_core::{
    BasicAuthError, EventTooLong, HeaderError, HttpError, MultipartError, ParamError, PayloadError,
    UrlError, UrlErrorKind,
};
use bytes::Bytes;

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
    /// The URL of the proxy is none.
    #[error("cannot use the proxy")]
    ProxyUrl(#[source] UrlError),
    /// The call makes no sense.
    #[error(transparent)]
    Usage(UsageError),
    /// The body is complete, but not what was to be read.
    #[error(transparent)]
    Read(Box<ClientReadError>),
}

/// A response that is not what was asked for; aiohttp's `ClientResponseError`.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{status}, {message:?}, {}", .attempt.url)]
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
            source: Some(source),
        }
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

/// A call that makes no sense; aiohttp's `ValueError`, `TypeError` and `RuntimeError`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UsageError {
    /// The HTTP version is neither 1.0 nor 1.1.
    #[error("cannot send {0:?}")]
    Version(http::Version),
    /// The session is closed.
    #[error("session is closed")]
    SessionClosed,
    /// The method has a character that no token may have.
    #[error("method cannot contain non-token characters {0:?}")]
    Method(Box<str>),
    /// A header would break the head it is written into.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// A parameter has no text form.
    #[error(transparent)]
    Param(#[from] ParamError),
    /// The credentials have no header form.
    #[error(transparent)]
    Auth(#[from] BasicAuthError),
    /// The scheme of the proxy's URL is none that proxies are spoken to by.
    #[error("only http and https proxies are supported, not {0:?}")]
    ProxyScheme(Box<str>),
    /// A cookie has characters that none may have.
    #[error(transparent)]
    Cookie(#[from] CookieError),
    /// `Content-Length` is no plain number, or stands twice.
    #[error("invalid Content-Length header {0:?}")]
    ContentLength(Box<str>),
    /// `Transfer-Encoding` is something else than `chunked`.
    #[error("unsupported Transfer-Encoding header {0:?}")]
    TransferEncoding(Box<str>),
    /// `Content-Length` and `Transfer-Encoding` stand together.
    #[error("chunked can not be set if Content-Length header is set")]
    LengthAndChunked,
    /// The `chunked` option and `Transfer-Encoding: chunked` stand together.
    #[error("chunked can not be set if \"Transfer-Encoding: chunked\" header is set")]
    ChunkedTwice,
    /// The `compress` option and `Content-Encoding` stand together.
    #[error("compress can not be set if Content-Encoding header is set")]
    CompressedTwice,
    /// Settings of the connector contradict each other.
    #[error(transparent)]
    Connector(#[from] SettingsError),
    /// More than one body was given.
    #[error("data and json parameters can not be used at the same time")]
    TwoBodies,
    /// Both an `Authorization` header and credentials were given.
    #[error("cannot combine Authorization header with credentials")]
    TwoAuths,
    /// The value cannot be written as JSON.
    #[error("cannot write the body as JSON: {0}")]
    Json(Box<str>),
    /// The form cannot be written.
    #[error(transparent)]
    Form(#[from] FormError),
    /// Bodies cannot be compressed by this coding.
    #[error("compress must be gzip or deflate, not {}", .0.name())]
    NoEncoder(Coding),
    /// The decoder of this coding is not built in.
    #[error("the decoder of {} is not built in", .0.name())]
    NoDecoder(Coding),
    /// The separator to read until is empty.
    #[error("separator should be at least one-byte string")]
    EmptySeparator,
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
            Self::ProxyUrl(_) => true,
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
            Self::Url(_) | Self::Redirect(_) | Self::ProxyUrl(_) | Self::Usage(_) => None,
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

    /// Returns the name of the class that aiohttp, or Python, has for it.
    pub fn aiohttp_class(&self) -> &'static str {
        match self {
            Self::Response(error) => error.kind.aiohttp_class(),
            Self::Connection(error) => error.aiohttp_class(),
            Self::Timeout(_) => "TimeoutError",
            Self::UploadAborted(_) => "UploadAbortedError",
            Self::Payload(_) => "ClientPayloadError",
            Self::Url(error) => match error.kind() {
                UrlErrorKind::NonHttp => "NonHttpUrlClientError",
                UrlErrorKind::NoTrailingSlash => "ValueError",
                _ => "InvalidUrlClientError",
            },
            Self::Redirect(error) => match error.kind() {
                UrlErrorKind::NonHttp => "NonHttpUrlRedirectClientError",
                _ => "InvalidUrlRedirectClientError",
            },
            Self::ProxyUrl(_) => "InvalidURL",
            Self::Usage(UsageError::SessionClosed) => "RuntimeError",
            Self::Usage(UsageError::Cookie(_)) => "CookieError",
            Self::Usage(UsageError::Json(_)) => "TypeError",
            Self::Usage(UsageError::Form(error)) => error.aiohttp_class(),
            Self::Usage(_) => "ValueError",
            Self::Read(error) => match &error.source {
                ReadError::Multipart(error) => error.aiohttp_class(),
                ReadError::Text(_) => "UnicodeDecodeError",
                ReadError::UnknownCharset(_) => "LookupError",
                ReadError::Json(_) => "JSONDecodeError",
                ReadError::Incomplete { .. } => "IncompleteReadError",
                ReadError::EventTooLong(_) | ReadError::LineTooLong { .. } => "LineTooLong",
                ReadError::Write(_) => "OSError",
            },
        }
    }

    /// Tells whether aiohttp's `except` clause for the class `name` would catch it.
    ///
    /// ```
    /// use aio_client::{ClientError, UsageError};
    ///
    /// let error = ClientError::Usage(UsageError::SessionClosed);
    /// assert!(error.is_a("RuntimeError") && !error.is_a("ClientError"));
    /// ```
    pub fn is_a(&self, name: &str) -> bool {
        let class = self.aiohttp_class();
        class == name || ancestors(class).contains(&name)
    }
}

impl ResponseErrorKind {
    fn aiohttp_class(self) -> &'static str {
        match self {
            Self::Status | Self::Malformed => "ClientResponseError",
            Self::ContentType => "ContentTypeError",
            Self::WsHandshake => "WSServerHandshakeError",
            Self::Proxy => "ClientHttpProxyError",
            Self::TooManyRedirects => "TooManyRedirects",
        }
    }
}

/// The classes above one of aiohttp's (SPEC §14.1), with those of Python that it mixes in.
fn ancestors(class: &str) -> &'static [&'static str] {
    const CONNECTOR: &[&str] = &[
        "ClientConnectorError",
        "ClientOSError",
        "OSError",
        "ClientConnectionError",
        "ClientError",
    ];
    const TIMEOUT: &[&str] = &[
        "ServerTimeoutError",
        "ServerConnectionError",
        "ClientConnectionError",
        "TimeoutError",
        "OSError",
        "ClientError",
    ];
    const INVALID_URL: &[&str] = &["InvalidURL", "ValueError", "ClientError"];
    match class {
        "ClientConnectionError"
        | "ClientPayloadError"
        | "ClientResponseError"
        | "NonHttpUrlClientError"
        | "UploadAbortedError" => &["ClientError"],
        "ClientConnectionResetError" => &[
            "ConnectionResetError",
            "OSError",
            "ClientConnectionError",
            "ClientError",
        ],
        "ClientOSError" => &["OSError", "ClientConnectionError", "ClientError"],
        "ClientConnectorError" => CONNECTOR.split_at(1).1,
        "ClientProxyConnectionError" | "ClientConnectorDNSError" | "UnixClientConnectorError" => {
            CONNECTOR
        }
        "ClientConnectorSSLError" => &[
            "ClientSSLError",
            "SSLError",
            "ClientConnectorError",
            "ClientOSError",
            "OSError",
            "ClientConnectionError",
            "ClientError",
        ],
        "ClientConnectorCertificateError" => &[
            "ClientSSLError",
            "CertificateError",
            "SSLError",
            "ValueError",
            "ClientConnectorError",
            "ClientOSError",
            "OSError",
            "ClientConnectionError",
            "ClientError",
        ],
        "ServerDisconnectedError" | "ServerFingerprintMismatch" => &[
            "ServerConnectionError",
            "ClientConnectionError",
            "ClientError",
        ],
        "ConnectionTimeoutError" | "SocketTimeoutError" => TIMEOUT,
        "ClientHttpProxyError"
        | "ContentTypeError"
        | "TooManyRedirects"
        | "WSServerHandshakeError" => &["ClientResponseError", "ClientError"],
        "InvalidUrlClientError" => INVALID_URL,
        "InvalidURL" => INVALID_URL.split_at(1).1,
        "InvalidUrlRedirectClientError" => &[
            "InvalidUrlClientError",
            "RedirectClientError",
            "InvalidURL",
            "ValueError",
            "ClientError",
        ],
        "NonHttpUrlRedirectClientError" => &[
            "NonHttpUrlClientError",
            "RedirectClientError",
            "ClientError",
        ],
        "TimeoutError" => &["OSError"],
        "UnicodeDecodeError" | "UnicodeEncodeError" | "JSONDecodeError" | "binascii.Error" => {
            &["ValueError"]
        }
        "IncompleteReadError" => &["EOFError"],
        "BadHttpMessage" => &["HttpProcessingError"],
        "InvalidHeader" | "LineTooLong" => &["BadHttpMessage", "HttpProcessingError"],
        _ => &[],
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

impl From<ProxyError> for ClientError {
    fn from(error: ProxyError) -> Self {
        Self::Usage(match error {
            ProxyError::Url(error) => return Self::ProxyUrl(error),
            ProxyError::Auth(error) => error.into(),
            ProxyError::Header(error) => error.into(),
            ProxyError::Scheme(scheme) => UsageError::ProxyScheme(scheme),
            other => UsageError::ProxyScheme(other.to_string().into()),
        })
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

impl fmt::Display for ResponseErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.aiohttp_class())
    }
}
