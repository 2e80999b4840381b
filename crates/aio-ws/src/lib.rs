//! The frames of the WebSocket protocol (RFC 6455), without I/O.
//!
//! What stands today: [`FrameHeader`] is parsed from and encoded into bytes, [`Mask`]
//! masks and unmasks payloads piece by piece. Nothing here opens a socket, reads a clock
//! or makes random numbers.
//!
//! ```
//! use aio_ws::{FrameHeader, Mask, OpCode, Rsv};
//! use bytes::BytesMut;
//!
//! // What a client sends: every payload is masked.
//! let key = [1, 2, 3, 4];
//! let mut wire = BytesMut::new();
//! FrameHeader::new(OpCode::Text, 5).masked(key).encode(&mut wire);
//! let start = wire.len();
//! wire.extend_from_slice(b"hello");
//! Mask::new(key).apply(&mut wire[start..]);
//!
//! // What a server reads.
//! let (header, len) = FrameHeader::parse(&wire, Rsv::NONE)?.expect("a whole header");
//! let mut payload = wire.split_off(len);
//! Mask::new(header.mask.expect("masked above")).apply(&mut payload);
//! assert_eq!(payload, "hello");
//! # Ok::<(), aio_ws::ProtocolError>(())
//! ```

#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod close;
mod deflate;
mod error;
mod frame;
pub mod handshake;
mod mask;
mod message;
mod open;
mod protocol;
mod socket;
mod utf8;

pub use self::close::CloseCode;
pub use self::deflate::{
    DeflateParams, Deflater, InflateError, Inflater, InvalidWindowBits, WindowBits,
};
pub use self::error::{ProtocolError, WsError};
pub use self::frame::{FrameHeader, OpCode, Rsv};
pub use self::handshake::{
    ClientHandshake, HandshakeCheck, HandshakeOptions, Negotiated, RequestCheck,
};
pub use self::mask::Mask;
pub use self::message::{CloseFrame, WsMessage, WsMsgType, WsText};
pub use self::open::{Asked, Client, HandshakeError, Server, client, server};
pub use self::protocol::{Protocol, Role, WsConfig};
pub use self::socket::{MessageWriter, ReuniteError, WebSocket, WsReader, WsTimeout, WsWriter};
