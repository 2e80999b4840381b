//! WebSockets (RFC 6455) with compression (RFC 7692), on three floors.
//!
//! - [`client`] and [`server`] open a [`WebSocket`] over any stream of bytes: a TCP or TLS
//!   connection, a Unix socket, a pipe.
//! - [`ClientHandshake`] and [`handshake::accept`] are the opening as values of `http`, for who
//!   sends the request by other means; [`Protocol`] is what follows, without I/O, clock or
//!   randomness.
//! - [`FrameHeader`], [`Mask`], [`Deflater`] and [`Inflater`] are the parts.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use aio_ws::{CloseCode, DeflateParams, WsMessage};
//!
//! // Both ends of a pipe; it may be any stream.
//! let (near, far) = tokio::io::duplex(4096);
//! let echo = tokio::spawn(async move {
//!     let mut socket = aio_ws::server(far).deflate(DeflateParams::default()).await?;
//!     while let Some(message) = socket.receive().await? {
//!         if let WsMessage::Text(text) = message {
//!             socket.send_str(text).await?;
//!         }
//!     }
//!     Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
//! });
//!
//! let request = http::Request::get("ws://example.org/echo").body(())?;
//! let mut socket = aio_ws::client(near, request).deflate(DeflateParams::default()).await?;
//! socket.send_str("hello").await?;
//! assert_eq!(socket.receive_str().await?, "hello");
//! assert!(socket.close(CloseCode::OK, "bye").await);
//! # assert!(echo.await?.is_ok());
//! # Ok(())
//! # }
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
pub use self::open::{Asked, Client, HandshakeError, Server, client, random, server};
pub use self::protocol::{Protocol, Role, WsConfig};
pub use self::socket::{MessageWriter, ReuniteError, WebSocket, WsReader, WsTimeout, WsWriter};
