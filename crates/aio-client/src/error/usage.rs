//! Calls that make no sense.

use std::io;

use aio_connector::{SettingsError, TlsConfigError};
use aio_cookies::CookieError;
use aio_core::coding::Coding;
use aio_core::form::FormError;
use aio_core::{BasicAuthError, HeaderError, ParamError};
use aio_ws::InvalidWindowBits;

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
    /// Settings of TLS contradict each other, or a file of theirs is of no use.
    #[error(transparent)]
    Tls(Box<TlsConfigError>),
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
    /// A WebSocket cannot offer to compress with a window of so many bits.
    #[error(transparent)]
    WsCompress(#[from] InvalidWindowBits),
    /// The system has no random bytes to give, which a WebSocket needs.
    #[error("the system gives no random bytes: {0}")]
    Random(io::ErrorKind),
    /// The separator to read until is empty.
    #[error("separator should be at least one-byte string")]
    EmptySeparator,
}
