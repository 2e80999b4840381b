//! A WebSocket over any byte stream.

mod core;
mod deadline;
mod handle;
mod intake;
mod keeper;
mod link;
mod split;
mod timeout;
mod traits;
mod writer;

#[cfg(test)]
mod tests;

use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

use self::core::Core;
use self::handle::{Handle, binary, text};
use self::keeper::Keeper;
use self::link::{Link, Party, Shared};
pub use self::split::{ReuniteError, WsReader, WsWriter};
pub use self::timeout::WsTimeout;
pub use self::writer::MessageWriter;
use crate::{
    CloseCode, CloseFrame, DeflateParams, Negotiated, OpCode, Protocol, WindowBits, WsError,
    WsMessage, WsText,
};

/// An open WebSocket over a stream of bytes.
///
/// It is driven by who uses it: there is no task behind it, but for the one of a heartbeat.
/// Pings are answered, and what is queued is sent, while a message is waited for.
///
/// Every method that waits may be dropped half way, as in `select!`, and nothing is lost: a
/// message half received goes on with the next [`receive`](Self::receive). Only a dropped
/// [`close`](Self::close) gives the connection up.
///
/// Dropping the socket sends a close frame with [`CloseCode::GOING_AWAY`], if the stream takes
/// it at once, and never waits; that is what browsers tell when a page is left.
///
/// It is a `Stream` of messages that ends with the close, and a `Sink`.
///
/// ```
/// # use aio_ws::{CloseCode, Protocol, Role, WebSocket, WsConfig, WsError, WsMessage};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), WsError> {
/// # let (a, b) = tokio::io::duplex(1024);
/// # let open = |stream, role| {
/// #     WebSocket::new(stream, Protocol::new(role, WsConfig::default(), [7; 32]))
/// # };
/// # let (mut client, mut server) = (open(a, Role::Client), open(b, Role::Server));
/// client.send_str("hello").await?;
/// assert_eq!(server.receive_str().await?, "hello");
///
/// let (closes, _) = tokio::join!(client.close(CloseCode::OK, "bye"), async {
///     while let Ok(Some(message)) = server.receive().await {
///         println!("{message:?}");
///     }
/// });
/// assert!(closes);
/// assert_eq!(server.close_code(), Some(1000));
/// # Ok(())
/// # }
/// ```
pub struct WebSocket<S: AsyncRead + AsyncWrite + Unpin> {
    handle: Handle<S>,
    negotiated: Negotiated,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Makes the socket of a connection behind its handshake.
    pub fn new(stream: S, protocol: Protocol) -> Self {
        let link = Link::Own(Box::new(Core::new(stream, protocol)));
        Self {
            handle: Handle::new(link, WsTimeout::default()),
            negotiated: Negotiated::default(),
        }
    }

    /// Sets what the handshake agreed on, for [`protocol`](Self::protocol) and
    /// [`deflate`](Self::deflate) to tell.
    #[must_use]
    pub fn with_negotiated(mut self, negotiated: Negotiated) -> Self {
        self.negotiated = negotiated;
        self
    }

    /// Sets how long the peer is waited for.
    #[must_use]
    pub fn with_timeout(mut self, timeout: WsTimeout) -> Self {
        self.handle.timeout = timeout;
        self
    }

    /// Starts the heartbeat, if [`WsConfig::heartbeat`](crate::WsConfig::heartbeat) asks for
    /// one: a task that pings a silent peer, also while nobody receives. It reads ahead then,
    /// up to 512 KiB; a peer whose messages nobody takes is not held to be silent.
    ///
    /// When no pong comes in half the time of the heartbeat, the connection is dropped: who
    /// waits for a message gets [`WsError::Heartbeat`], and [`exception`](Self::exception)
    /// tells it later.
    ///
    /// # Panics
    ///
    /// With a heartbeat, outside of a tokio runtime.
    #[must_use]
    pub fn start_heartbeat(mut self) -> Self
    where
        S: Send + 'static,
    {
        if !self.handle.link.with(Core::start_clock) {
            return self;
        }
        let shared = match self.handle.link {
            Link::Own(core) => Shared::new(*core),
            Link::Shared(shared, _) => shared,
        };
        let keeper = Keeper::spawn(&shared);
        shared.with(|core| core.keep(keeper));
        self.handle.link = Link::Shared(shared, Party::Reader);
        self
    }

    /// Receives the next message; `None` when the socket is closed, which
    /// [`close_code`](Self::close_code) tells more about.
    ///
    /// A close of the peer comes as a message, once, and is answered unless
    /// [`WsConfig::autoclose`](crate::WsConfig::autoclose) is off.
    ///
    /// # Errors
    ///
    /// [`WsError::Protocol`] when the peer breaks the protocol; it is told and the socket is
    /// closed. [`WsError::Heartbeat`] when it does not answer. [`WsError::Timeout`] behind
    /// [`WsTimeout::receive`]; then the socket stays open, and a message that comes later is
    /// received.
    #[inline]
    pub async fn receive(&mut self) -> Result<Option<WsMessage>, WsError> {
        self.handle.receive(self.handle.timeout.receive).await
    }

    /// Receives as [`receive`](Self::receive) within `limit`, instead of
    /// [`WsTimeout::receive`], and like that. As in aiohttp, the close code becomes 1006 when nothing came,
    /// although the socket stays open.
    ///
    /// # Errors
    ///
    /// As [`receive`](Self::receive).
    pub async fn receive_timeout(&mut self, limit: Duration) -> Result<Option<WsMessage>, WsError> {
        self.handle.receive(Some(limit)).await
    }

    /// Polls for what [`receive`](Self::receive) gives, for futures and streams of one's own.
    ///
    /// # Errors
    ///
    /// As [`receive`](Self::receive).
    pub fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<WsMessage>, WsError>> {
        self.handle.poll_receive(cx, self.handle.timeout.receive)
    }

    /// Receives a text.
    ///
    /// # Errors
    ///
    /// As [`receive`](Self::receive), and [`WsError::MessageType`] when something else came,
    /// be it the close; it is gone then.
    pub async fn receive_str(&mut self) -> Result<WsText, WsError> {
        text(self.receive().await?)
    }

    /// Receives a binary message.
    ///
    /// # Errors
    ///
    /// As [`receive_str`](Self::receive_str).
    pub async fn receive_bytes(&mut self) -> Result<Bytes, WsError> {
        binary(self.receive().await?)
    }

    /// Sends a message and waits until the stream took it.
    ///
    /// While more than 256 KiB are queued, as by [`feed`](Self::feed), it waits for room
    /// first; dropped there, the message is not sent. Dropped later, it is sent whole with
    /// whatever is sent or received next.
    ///
    /// That a peer is gone is known by receiving, or by a heartbeat. Without either the first
    /// message behind its end is taken by the stream, and lost.
    ///
    /// # Errors
    ///
    /// [`WsError::Closed`] once the socket is closed, [`WsError::Io`] when the stream fails,
    /// [`WsError::UnfinishedMessage`] while a message is written in pieces.
    pub async fn send(&mut self, message: impl Into<WsMessage>) -> Result<(), WsError> {
        let message = message.into();
        self.handle.send(|protocol| protocol.send(message)).await
    }

    /// Sends a text, which is copied; [`send`](Self::send) takes one that is owned.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub async fn send_str(&mut self, text: impl AsRef<str>) -> Result<(), WsError> {
        self.handle
            .send(|protocol| protocol.send_str(text.as_ref()))
            .await
    }

    /// Sends a binary message, which is copied; [`send`](Self::send) takes one that is owned.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub async fn send_bytes(&mut self, bytes: impl AsRef<[u8]>) -> Result<(), WsError> {
        self.handle
            .send(|protocol| protocol.send_bytes(bytes.as_ref()))
            .await
    }

    /// Sends a message compressed on its own, even if no compression was negotiated: aiohttp's
    /// `send_str(text, compress=15)`. Whether the peer understands it is for the caller to
    /// know.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), and [`WsError::NotSendable`] for what is no text or binary
    /// message.
    pub async fn send_compressed(
        &mut self,
        message: impl Into<WsMessage>,
        bits: WindowBits,
    ) -> Result<(), WsError> {
        let message = message.into();
        self.handle
            .send(|protocol| protocol.send_compressed(message, bits))
            .await
    }

    /// Sends a frame of any type that stands alone, aiohttp's `send_frame`; that a text is
    /// UTF-8 is for the caller to know.
    ///
    /// # Errors
    ///
    /// As [`send_compressed`](Self::send_compressed); [`WsError::NotSendable`] for a
    /// continuation, which [`send_fragment`](Self::send_fragment) sends, and for a close,
    /// which [`close`](Self::close) does.
    pub async fn send_frame(
        &mut self,
        payload: impl Into<Bytes>,
        opcode: OpCode,
        compress: Option<WindowBits>,
    ) -> Result<(), WsError> {
        let payload = payload.into();
        let message = match opcode {
            OpCode::Text => WsMessage::TextBytes(payload),
            OpCode::Binary => WsMessage::Binary(payload),
            OpCode::Ping => WsMessage::Ping(payload),
            OpCode::Pong => WsMessage::Pong(payload),
            OpCode::Continuation | OpCode::Close => {
                return Err(WsError::NotSendable(opcode.into()));
            }
        };
        match compress {
            Some(bits) if !opcode.is_control() => self.send_compressed(message, bits).await,
            _ => self.send(message).await,
        }
    }

    /// Sends a piece of a message, a frame of its own; `last` ends the message. All pieces are
    /// texts, or all are bytes. Pings and pongs may be sent in between, and nothing else.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), and [`WsError::NotSendable`] for what is not of the type of
    /// the pieces before.
    pub async fn send_fragment(
        &mut self,
        piece: impl Into<WsMessage>,
        last: bool,
    ) -> Result<(), WsError> {
        let piece = piece.into();
        self.handle
            .send(|protocol| protocol.send_fragment(piece, last))
            .await
    }

    /// Starts a binary message that is written in pieces, such as a file of unknown length.
    pub fn binary_writer(&mut self) -> MessageWriter<'_, S> {
        MessageWriter::new(&mut self.handle)
    }

    /// Queues a message without sending it, so that many go out in one write: with
    /// [`flush`](Self::flush), the next [`send`](Self::send), or the next
    /// [`receive`](Self::receive) that has to wait. It waits only while more than 256 KiB are
    /// queued.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub async fn feed(&mut self, message: impl Into<WsMessage>) -> Result<(), WsError> {
        let message = message.into();
        poll_fn(|cx| self.handle.poll_ready(cx)).await?;
        self.handle.feed(|protocol| protocol.send(message))
    }

    /// Waits until the stream took all that is queued.
    ///
    /// # Errors
    ///
    /// [`WsError::Io`] when the stream fails, [`WsError::Closed`] once it is gone.
    pub async fn flush(&mut self) -> Result<(), WsError> {
        poll_fn(|cx| self.handle.poll_flush(cx)).await
    }

    /// Sends a ping.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub async fn ping(&mut self, payload: impl Into<Bytes>) -> Result<(), WsError> {
        self.send(WsMessage::Ping(payload.into())).await
    }

    /// Sends a pong that nobody asked for, or with
    /// [`WsConfig::autoping`](crate::WsConfig::autoping) off the answer to a ping.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub async fn pong(&mut self, payload: impl Into<Bytes>) -> Result<(), WsError> {
        self.send(WsMessage::Pong(payload.into())).await
    }

    /// Closes the socket: tells the peer, and waits until it answered and the stream is
    /// closed, at most [`WsTimeout::close`] from each message of it. What comes meanwhile
    /// is dropped. A reason is cut to 123 bytes.
    ///
    /// Returns whether this call did the closing; how it went, [`close_code`](Self::close_code)
    /// and [`exception`](Self::exception) tell. Dropped half way, it gives the connection up.
    pub async fn close(&mut self, code: CloseCode, reason: impl Into<WsText>) -> bool {
        let reason = reason.into();
        self.handle.close(CloseFrame { code, reason }).await
    }

    /// Tells whether the socket is closed, or being closed by this end.
    pub fn is_closed(&self) -> bool {
        self.handle.link.look(Core::is_closed)
    }

    /// Returns why the socket is closed, as aiohttp's `close_code`: the code of the peer, 1005
    /// if it gave none, 1006 if the connection ended without a close, or the code of a
    /// [`WsError::Protocol`].
    pub fn close_code(&self) -> Option<u16> {
        self.handle.link.look(|core| core.protocol().close_code())
    }

    /// Returns what ended the socket unexpectedly, if anything did; not what
    /// [`WsError::Protocol`] told.
    pub fn exception(&self) -> Option<WsError> {
        self.handle
            .link
            .look(|core| core.protocol().exception().cloned())
    }

    /// Returns the payload of the last pong that came while messages were received, though
    /// [`WsConfig::autoping`](crate::WsConfig::autoping) takes it: what the peer read of this
    /// end before that ping has arrived. Empty if none came.
    pub fn last_pong(&self) -> Bytes {
        self.handle
            .link
            .look(|core| core.protocol().last_pong().clone())
    }

    /// Returns the subprotocol that was agreed on.
    pub fn protocol(&self) -> Option<&str> {
        self.negotiated.protocol.as_deref()
    }

    /// Returns how messages are compressed both ways, if they are.
    pub fn deflate(&self) -> Option<&DeflateParams> {
        self.negotiated.deflate.as_ref()
    }

    /// Returns the bits of the window that the client compresses with; 0 without compression.
    pub fn compress(&self) -> u8 {
        self.deflate()
            .map_or(0, |deflate| deflate.client_max_window_bits.get())
    }

    /// Tells whether the client compresses each message on its own.
    pub fn client_notakeover(&self) -> bool {
        self.deflate()
            .is_some_and(|deflate| deflate.client_no_context_takeover)
    }

    /// Looks at the stream; `None` once it is closed.
    pub fn with_stream<R>(&self, look: impl FnOnce(&S) -> R) -> Option<R> {
        self.handle.link.look(|core| core.stream().map(look))
    }

    /// Splits the socket into halves, for two tasks.
    ///
    /// A half that closes ends a receive of the other one with [`WsMessage::Closing`]. When
    /// both are dropped, the socket is.
    pub fn split(self) -> (WsReader<S>, WsWriter<S>) {
        split::split(self)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> fmt::Debug for WebSocket<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket")
            .field("handle", &self.handle)
            .finish()
    }
}
