//! The values and the wire of an HTTP/1.1 client, without I/O.
//!
//! Nothing here opens a socket, spawns a task or reads a clock: bytes, time and
//! randomness are arguments. `aio-connector` drives these state machines over sockets,
//! `aio-client` puts a session on top.

mod body;
pub mod coding;
mod error;
mod headers;
pub mod http1;
mod timeout;

pub use self::body::{Body, BodyKind, BodyStream, BoxError};
pub use self::error::{FramingError, HttpError, PayloadError, UrlError, UrlErrorKind};
pub use self::headers::{HeaderError, HeaderRef, HeaderView, Headers, check_field};
pub use self::timeout::{ClientTimeout, deadline};
