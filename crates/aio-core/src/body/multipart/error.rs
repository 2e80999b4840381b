//! What can be wrong with a multipart body that is read.

use std::error::Error;
use std::io;
use std::sync::Arc;

use crate::text::DecodeError;
use crate::{HttpError, PayloadError};

/// A body that is not the multipart body its head announces, or breaks a limit.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum MultipartError {
    /// The content type is another.
    #[error("multipart/* content type expected, not {0:?}")]
    NotMultipart(Box<str>),
    /// The content type names no boundary, or an empty one.
    #[error("boundary missed for content type {0:?}")]
    NoBoundary(Box<str>),
    /// The boundary is longer than the 70 characters of RFC 2046.
    #[error("boundary {0:?} is too long (70 chars max)")]
    LongBoundary(Box<str>),
    /// The body has no line that is the boundary.
    #[error("could not find the starting boundary")]
    NoStart,
    /// A part has the length it announces, but no line end follows.
    #[error("the part is longer than its Content-Length")]
    LengthMismatch,
    /// Behind a part of announced length stands another line than the boundary.
    #[error("invalid boundary behind a part")]
    InvalidBoundary,
    /// The body ends before its last boundary.
    #[error("the body ends before its last boundary")]
    Truncated,
    /// The `Content-Length` of a part is no plain number.
    #[error("invalid Content-Length of a part: {0:?}")]
    ContentLength(Box<str>),
    /// The head of a part is none, or breaks a limit.
    #[error(transparent)]
    Head(HttpError),
    /// A part has two fields of a name that counts once.
    #[error("duplicate {0} header in a part")]
    Repeated(&'static str),
    /// A line outside of the parts' data is too long.
    #[error("got more than {limit} bytes in a line around the parts")]
    LineTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// There are more parts than `max_parts`.
    #[error("more than {limit} parts")]
    TooManyParts {
        /// The limit.
        limit: usize,
    },
    /// A part, as it came or decoded, is longer than `max_part_size`, or decodes to more than
    /// `max_decoded_size`.
    #[error("a part has more than {limit} bytes")]
    PartTooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// Multipart bodies stand in each other deeper than `max_depth`.
    #[error("parts are nested more than {limit} deep")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// The part `_charset_` of a form is longer than any charset's name.
    #[error("invalid default charset")]
    DefaultCharset,
    /// The `Content-Transfer-Encoding` of a part is none that is known.
    #[error("unknown content transfer encoding: {0}")]
    TransferEncoding(Box<str>),
    /// The `Content-Encoding` of a part is none that is known.
    #[error("unknown content encoding: {0}")]
    ContentEncoding(Box<str>),
    /// The base64 of a part ends within a group.
    #[error("incorrect base64 padding in a part")]
    Base64,
    /// The content coding of a part is corrupt or ends early.
    #[error(transparent)]
    Coding(PayloadError),
    /// The text of a part has bytes that mean nothing in its charset.
    #[error(transparent)]
    Text(DecodeError),
    /// The charset of a part is unknown.
    #[error("unknown encoding {0:?}")]
    UnknownCharset(Box<str>),
    /// The part is no JSON, or not of the type asked for.
    #[error("part is not the JSON asked for")]
    Json(#[source] Arc<dyn Error + Send + Sync>),
}

impl MultipartError {
    /// Returns the name of the class that aiohttp, or Python, has for it.
    pub fn aiohttp_class(&self) -> &'static str {
        match self {
            Self::NotMultipart(_) => "AssertionError",
            Self::Head(error) => error.aiohttp_class(),
            Self::Repeated(_) => "BadHttpMessage",
            Self::LineTooLong { .. } => "LineTooLong",
            Self::DefaultCharset | Self::TransferEncoding(_) | Self::ContentEncoding(_) => {
                "RuntimeError"
            }
            Self::Coding(_) => "zlib.error",
            Self::Text(_) => "UnicodeDecodeError",
            Self::UnknownCharset(_) => "LookupError",
            Self::Json(_) => "JSONDecodeError",
            Self::Base64 => "binascii.Error",
            _ => "ValueError",
        }
    }
}

impl From<MultipartError> for io::Error {
    /// Wraps it for those who read parts from a source of `io::Error`s.
    fn from(error: MultipartError) -> Self {
        let kind = match error {
            MultipartError::Truncated | MultipartError::NoStart => io::ErrorKind::UnexpectedEof,
            _ => io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}
