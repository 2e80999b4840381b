//! What can be wrong with a URL, a head or a body, before any session knows of it.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// A URL that cannot be requested.
///
/// aiohttp: `InvalidUrlClientError` and `NonHttpUrlClientError`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {url:?}")]
pub struct UrlError {
    url: Box<str>,
    kind: UrlErrorKind,
}

/// What is wrong with the URL of a [`UrlError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum UrlErrorKind {
    /// It is no absolute URL: no scheme, no `//`, or text no parser accepts.
    Malformed,
    /// The host is empty.
    NoHost,
    /// The host is no name: forbidden characters or invalid IDNA.
    InvalidHost,
    /// The host consists of digits and dots but is no canonical IPv4 address.
    NotCanonicalIpv4,
    /// The port is no number up to 65535.
    InvalidPort,
    /// The scheme is none that a client of HTTP can request.
    NonHttp,
    /// A base URL whose path does not end with `/`.
    NoTrailingSlash,
}

impl UrlError {
    /// Makes an error about `url`; userinfo and query are left out of the kept text.
    pub fn new(url: &str, kind: UrlErrorKind) -> Self {
        Self {
            url: without_secrets(url).into(),
            kind,
        }
    }

    /// Returns the URL as given, without userinfo and query.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns what is wrong with it.
    pub fn kind(&self) -> UrlErrorKind {
        self.kind
    }
}

impl fmt::Display for UrlErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not an absolute URL",
            Self::NoHost => "URL without a host",
            Self::InvalidHost => "invalid host in URL",
            Self::NotCanonicalIpv4 => "host is not a canonical IPv4 address in URL",
            Self::InvalidPort => "invalid port in URL",
            Self::NonHttp => "scheme is not HTTP in URL",
            Self::NoTrailingSlash => "base URL must have a trailing '/'",
        })
    }
}

/// Cuts off the query and fragment of a URL that no parser took, and all up to its last
/// `@`: where the userinfo of such a text ends, nobody can tell.
fn without_secrets(url: &str) -> String {
    let (scheme, rest) = match url.find("//") {
        Some(at) if !url.get(..at).unwrap_or_default().contains('@') => url.split_at(at + 2),
        _ => ("", url),
    };
    let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    let tail = if end < rest.len() { "?…" } else { "" };
    format!("{scheme}{}{tail}", rest.get(..end).unwrap_or_default())
}

/// A response head that is no HTTP, breaks a limit, or frames its body ambiguously.
///
/// aiohttp: `ClientResponseError` with status 400.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The first line is no status line.
    #[error("bad status line {0:?}")]
    BadStatusLine(Box<str>),
    /// A header line has no colon, no name, or bytes that no header may have.
    #[error("invalid header {0:?}")]
    InvalidHeader(Box<str>),
    /// The status line is longer than `max_line_size`.
    #[error("got more than {limit} bytes when reading the status line")]
    LineTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// A header line is longer than `max_field_size`.
    #[error("got more than {limit} bytes when reading a header")]
    FieldTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// There are more headers and trailers than `max_headers`.
    #[error("too many headers received, more than {limit}")]
    TooManyHeaders {
        /// The limit.
        limit: usize,
    },
    /// More interim (1xx) responses than any server has a reason to send.
    #[error("more than {limit} interim responses")]
    TooManyInterim {
        /// The limit.
        limit: usize,
    },
    /// The body's length cannot be told for certain (RFC 9112 §6.3).
    #[error("ambiguous body length: {0}")]
    Framing(FramingError),
}

impl HttpError {
    /// Returns the name of the class that aiohttp has for it inside its parser; outside it
    /// is a `ClientResponseError`.
    pub fn aiohttp_class(&self) -> &'static str {
        match self {
            Self::BadStatusLine(_) => "BadStatusLine",
            Self::InvalidHeader(_) => "InvalidHeader",
            Self::LineTooLong { .. } | Self::FieldTooLong { .. } => "LineTooLong",
            Self::TooManyHeaders { .. } | Self::TooManyInterim { .. } | Self::Framing(_) => {
                "BadHttpMessage"
            }
        }
    }
}

/// Why the length of a body cannot be told (RFC 9112 §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FramingError {
    /// `Content-Length` is no plain decimal number of at most 64 bits.
    #[error("Content-Length is not a number")]
    BadLength,
    /// `Content-Length` occurs more than once.
    #[error("more than one Content-Length")]
    RepeatedLength,
    /// `Content-Length` and `Transfer-Encoding` stand together.
    #[error("Content-Length together with Transfer-Encoding")]
    LengthAndCoding,
    /// `chunked` is given more than once.
    #[error("chunked is given twice")]
    RepeatedChunked,
}

/// A body that ends early, breaks its framing or cannot be decoded.
///
/// aiohttp: `ClientPayloadError`. The error is [`Clone`]: a failed body fails each
/// later read with the same error.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// The peer closed before `Content-Length` bytes had come.
    #[error("received {received} of {expected} bytes of the body")]
    ShortLength {
        /// Bytes of the body that came.
        received: u64,
        /// Bytes that were announced.
        expected: u64,
    },
    /// The peer closed before the last chunk.
    #[error("the chunked body ended before its last chunk")]
    ShortChunked,
    /// A chunk size that is no hexadecimal number of at most 64 bits.
    #[error("invalid chunk size")]
    BadChunkSize,
    /// Something other than a line end follows a chunk's data.
    #[error("no line end behind the data of a chunk")]
    BadChunkEnd,
    /// The chunk extensions of the body are longer than the limit together.
    #[error("more than {limit} bytes of chunk extensions")]
    ChunkExtensions {
        /// The limit in bytes.
        limit: usize,
    },
    /// The trailers are no header fields or break a limit.
    #[error("invalid trailers")]
    Trailers(#[source] HttpError),
    /// The content coding's data is corrupt.
    #[error("cannot decode content-encoding {coding}")]
    Decode {
        /// The coding as in `Content-Encoding`.
        coding: &'static str,
        /// What the decoder says.
        source: Arc<dyn Error + Send + Sync>,
    },
    /// The content coding's data ends early though the body is complete.
    #[error("content-encoding {coding} ended early")]
    Truncated {
        /// The coding as in `Content-Encoding`.
        coding: &'static str,
    },
    /// The content coding gives more than `max_decoded_size`.
    #[error("the decoded body has more than {limit} bytes")]
    DecodedTooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// The body that is to be read whole has more than `max_body_size`.
    #[error("the body to be read whole has more than {limit} bytes")]
    BodyTooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// There is no encoder for the content coding, or it is broken.
    #[error("cannot encode content-encoding {coding}")]
    Encode {
        /// The coding as in `Content-Encoding`.
        coding: &'static str,
        /// What the encoder says.
        source: Arc<dyn Error + Send + Sync>,
    },
    /// The request's body gave fewer or more bytes than its `Content-Length`.
    #[error("the request body has {actual} bytes, its Content-Length says {expected}")]
    UploadLength {
        /// Bytes the body gave; with a longer body, those up to the first surplus piece.
        actual: u64,
        /// What `Content-Length` says.
        expected: u64,
    },
    /// A redirect asks for the request's body again, which can be sent once only. Where there
    /// are middlewares that goes for a body, too, that the server did not want (`Expect`).
    #[error("cannot follow a redirect with a request body that can be sent once only")]
    NotReplayable,
    /// The connection failed inside the body.
    #[error("the connection failed inside the body")]
    Io(#[source] Arc<std::io::Error>),
}

impl PayloadError {
    /// Returns the name of the class that aiohttp has for it inside its parser; outside it
    /// is a `ClientPayloadError`.
    pub fn aiohttp_class(&self) -> &'static str {
        match self {
            Self::ShortLength { .. } => "ContentLengthError",
            Self::ShortChunked
            | Self::BadChunkSize
            | Self::BadChunkEnd
            | Self::ChunkExtensions { .. }
            | Self::Trailers(_) => "TransferEncodingError",
            Self::Decode { .. } | Self::Truncated { .. } => "ContentEncodingError",
            Self::DecodedTooLarge { .. }
            | Self::BodyTooLarge { .. }
            | Self::Encode { .. }
            | Self::UploadLength { .. }
            | Self::NotReplayable
            | Self::Io(_) => "ClientPayloadError",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, want: &str) {
        assert_eq!(
            UrlError::new(url, UrlErrorKind::Malformed).url(),
            want,
            "{url:?}"
        );
    }

    #[test]
    fn secrets_are_cut_out_of_the_kept_url() {
        check("http://a/b", "http://a/b");
        check("http://user:pw@a/b", "http://a/b");
        check("http://user:p@w@a/b", "http://a/b");
        check("http://user:s3cret/w@a/b", "http://a/b");
        check("http://user:s3?ret#w@a/b", "http://a/b");
        check("http://a/b?token=1#x", "http://a/b?…");
        check("ada:s3cret@a/b", "a/b");
        check("http:/ada:s3cret@a//b", "a//b");
        check("", "");
    }
}
