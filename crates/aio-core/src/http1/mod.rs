//! The wire of HTTP/1.1 (RFC 9112) without I/O: bytes in, events out.
//!
//! ```
//! use aio_core::http1::{BodyDecoder, BodyEvent, Exchanged, HeadParser, Limits};
//! use bytes::BytesMut;
//!
//! let mut received = BytesMut::from("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
//! let head = HeadParser::new(Limits::default()).parse(&mut received)?.expect("a whole head");
//! let message = head.message(Exchanged::of(&http::Method::GET))?;
//! let mut body = BodyDecoder::new(message.framing, &Limits::default(), head.headers.len());
//! assert!(matches!(body.decode(&mut received)?, BodyEvent::Data(data) if data == "hi"));
//! assert!(matches!(body.decode(&mut received)?, BodyEvent::End));
//! assert!(message.keep_alive);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod body;
mod chunked;
mod framing;
mod limits;
mod request;
mod response;

pub use self::body::{BodyDecoder, BodyEvent};
pub use self::framing::{Exchanged, Framing, Message};
pub use self::limits::Limits;
pub use self::request::{LAST_CHUNK, chunk_size_line, last_chunk, write_field, write_request_line};
pub use self::response::{Head, HeadParser, sent_fields};
pub(crate) use self::response::{field, shown};
