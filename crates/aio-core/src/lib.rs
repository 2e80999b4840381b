//! The values and the wire of an HTTP/1.1 client, without I/O.
//!
//! Nothing here opens a socket, spawns a task or reads a clock: bytes, time and
//! randomness are arguments. `aio-connector` drives these state machines over sockets,
//! `aio-client` puts a session on top.

#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod auth;
mod body;
pub mod coding;
mod disposition;
mod error;
mod events;
mod headers;
pub mod http1;
mod links;
mod media;
mod multidict;
pub mod text;
mod timeout;
mod url;

pub use self::auth::{AuthEncoding, BasicAuth, BasicAuthError};
pub use self::body::{
    Body, BodyKind, BodyStream, BoxError, MultipartError, MultipartEvent, MultipartLimits,
    MultipartParser, MultipartWriter, PartDecoder, UploadProgress, form,
};
pub use self::disposition::ContentDisposition;
pub use self::error::{FramingError, HttpError, PayloadError, UrlError, UrlErrorKind};
pub use self::events::{EventParser, EventTooLong, ServerSentEvent};
pub use self::headers::{HeaderError, HeaderRef, HeaderView, Headers, check_field};
pub use self::links::Link;
pub use self::media::ContentType;
pub use self::multidict::MultiDict;
pub use self::timeout::{ClientTimeout, deadline};
pub use self::url::{IntoParams, IntoUrl, ParamError, ParamValue, Params, RequestUrl, Scheme};
