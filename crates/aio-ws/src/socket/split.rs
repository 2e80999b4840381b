//! The halves of a socket, for two tasks.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

use super::WebSocket;
use super::core::Core;
use super::handle::{Handle, binary, text};
use super::link::{Link, Party, Shared};
use super::writer::MessageWriter;
use crate::{CloseCode, CloseFrame, Negotiated, WindowBits, WsError, WsMessage, WsText};

/// The half of a [`WebSocket`] that receives, and answers pings.
///
/// ```
/// # use aio_ws::{Protocol, Role, WebSocket, WsConfig, WsError};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), WsError> {
/// # let (a, b) = tokio::io::duplex(1024);
/// # let open = |stream, role| {
/// #     WebSocket::new(stream, Protocol::new(role, WsConfig::default(), [7; 32]))
/// # };
/// # let (socket, mut server) = (open(a, Role::Client), open(b, Role::Server));
/// let (mut reader, mut writer) = socket.split();
/// let received = tokio::spawn(async move { reader.receive_str().await });
/// writer.send("question").await?;
/// # assert_eq!(server.receive_str().await?, "question");
/// # server.send("answer").await?;
/// assert_eq!(received.await.expect("no panic")?, "answer");
/// # Ok(())
/// # }
/// ```
pub struct WsReader<S: AsyncRead + AsyncWrite + Unpin> {
    pub(super) handle: Handle<S>,
    /// For the socket that it may become again.
    negotiated: Negotiated,
}

/// The half of a [`WebSocket`] that sends; see [`WsReader`].
pub struct WsWriter<S: AsyncRead + AsyncWrite + Unpin> {
    pub(super) handle: Handle<S>,
}

/// Two halves that are not of the same socket.
#[derive(thiserror::Error)]
#[error("the halves are of different sockets")]
pub struct ReuniteError<S: AsyncRead + AsyncWrite + Unpin>(Box<(WsReader<S>, WsWriter<S>)>);

impl<S: AsyncRead + AsyncWrite + Unpin> ReuniteError<S> {
    /// Returns the halves.
    pub fn into_halves(self) -> (WsReader<S>, WsWriter<S>) {
        *self.0
    }
}

pub(super) fn split<S: AsyncRead + AsyncWrite + Unpin>(
    socket: WebSocket<S>,
) -> (WsReader<S>, WsWriter<S>) {
    let WebSocket { handle, negotiated } = socket;
    let timeout = handle.timeout;
    let shared = match handle.link {
        Link::Own(core) => Shared::new(*core),
        Link::Shared(shared, _) => shared,
    };
    let half = |shared, party| Handle::new(Link::Shared(shared, party), timeout);
    let reader = half(shared.clone(), Party::Reader);
    let writer = half(shared, Party::Writer);
    let reader = WsReader {
        handle: reader,
        negotiated,
    };
    (reader, WsWriter { handle: writer })
}

impl<S: AsyncRead + AsyncWrite + Unpin> WsReader<S> {
    /// Receives as [`WebSocket::receive`]; [`WsMessage::Closing`] when the other half closes.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::receive`].
    #[inline]
    pub async fn receive(&mut self) -> Result<Option<WsMessage>, WsError> {
        self.handle.receive(self.handle.timeout.receive).await
    }

    /// Receives as [`WebSocket::receive_timeout`].
    ///
    /// # Errors
    ///
    /// As [`WebSocket::receive`].
    pub async fn receive_timeout(&mut self, limit: Duration) -> Result<Option<WsMessage>, WsError> {
        self.handle.receive(Some(limit)).await
    }

    /// Receives a text.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::receive_str`].
    pub async fn receive_str(&mut self) -> Result<WsText, WsError> {
        text(self.receive().await?)
    }

    /// Receives a binary message.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::receive_str`].
    pub async fn receive_bytes(&mut self) -> Result<Bytes, WsError> {
        binary(self.receive().await?)
    }

    /// Closes the socket as [`WebSocket::close`].
    pub async fn close(&mut self, code: CloseCode, reason: impl Into<WsText>) -> bool {
        let reason = reason.into();
        self.handle.close(CloseFrame { code, reason }).await
    }

    /// Tells as [`WebSocket::is_closed`].
    pub fn is_closed(&self) -> bool {
        self.handle.link.look(Core::is_closed)
    }

    /// Returns as [`WebSocket::close_code`].
    pub fn close_code(&self) -> Option<u16> {
        self.handle.link.look(|core| core.protocol().close_code())
    }

    /// Returns as [`WebSocket::exception`].
    pub fn exception(&self) -> Option<WsError> {
        self.handle
            .link
            .look(|core| core.protocol().exception().cloned())
    }

    /// Tells whether `writer` is the other half of the same socket.
    pub fn is_pair_of(&self, writer: &WsWriter<S>) -> bool {
        match (&self.handle.link, &writer.handle.link) {
            (Link::Shared(ours, _), Link::Shared(theirs, _)) => Arc::ptr_eq(ours, theirs),
            _ => false,
        }
    }

    /// Makes the halves a socket again.
    ///
    /// # Errors
    ///
    /// [`ReuniteError`] with the halves, if they are not of the same socket.
    pub fn reunite(self, writer: WsWriter<S>) -> Result<WebSocket<S>, ReuniteError<S>> {
        if !self.is_pair_of(&writer) {
            return Err(ReuniteError(Box::new((self, writer))));
        }
        drop(writer);
        let Handle { link, timeout, .. } = self.handle;
        let link = match link {
            Link::Own(core) => Link::Own(core),
            // A keeper has it, too, if only weakly.
            link if link.look(Core::is_kept) => link,
            Link::Shared(shared, party) => match Arc::try_unwrap(shared) {
                Ok(shared) => Link::Own(Box::new(shared.into_core())),
                Err(shared) => Link::Shared(shared, party),
            },
        };
        Ok(WebSocket {
            handle: Handle::new(link, timeout),
            negotiated: self.negotiated,
        })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WsWriter<S> {
    /// Sends as [`WebSocket::send`].
    ///
    /// # Errors
    ///
    /// As [`WebSocket::send`].
    pub async fn send(&mut self, message: impl Into<WsMessage>) -> Result<(), WsError> {
        let message = message.into();
        self.handle.send(|protocol| protocol.send(message)).await
    }

    /// Sends a text.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::send`].
    pub async fn send_str(&mut self, text: impl AsRef<str>) -> Result<(), WsError> {
        self.handle
            .send(|protocol| protocol.send_str(text.as_ref()))
            .await
    }

    /// Sends a binary message.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::send`].
    pub async fn send_bytes(&mut self, bytes: impl AsRef<[u8]>) -> Result<(), WsError> {
        self.handle
            .send(|protocol| protocol.send_bytes(bytes.as_ref()))
            .await
    }

    /// Sends as [`WebSocket::send_compressed`].
    ///
    /// # Errors
    ///
    /// As [`WebSocket::send_compressed`].
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

    /// Sends a piece of a message as [`WebSocket::send_fragment`].
    ///
    /// # Errors
    ///
    /// As [`WebSocket::send_fragment`].
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

    /// Starts a message as [`WebSocket::binary_writer`].
    pub fn binary_writer(&mut self) -> MessageWriter<'_, S> {
        MessageWriter::new(&mut self.handle)
    }

    /// Queues a message as [`WebSocket::feed`].
    ///
    /// # Errors
    ///
    /// As [`WebSocket::send`].
    pub async fn feed(&mut self, message: impl Into<WsMessage>) -> Result<(), WsError> {
        let message = message.into();
        poll_fn(|cx| self.handle.poll_ready(cx)).await?;
        self.handle.feed(|protocol| protocol.send(message))
    }

    /// Waits as [`WebSocket::flush`].
    ///
    /// # Errors
    ///
    /// As [`WebSocket::flush`].
    pub async fn flush(&mut self) -> Result<(), WsError> {
        poll_fn(|cx| self.handle.poll_flush(cx)).await
    }

    /// Sends a ping.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::send`].
    pub async fn ping(&mut self, payload: impl Into<Bytes>) -> Result<(), WsError> {
        self.send(WsMessage::Ping(payload.into())).await
    }

    /// Sends a pong as [`WebSocket::pong`].
    ///
    /// # Errors
    ///
    /// As [`WebSocket::send`].
    pub async fn pong(&mut self, payload: impl Into<Bytes>) -> Result<(), WsError> {
        self.send(WsMessage::Pong(payload.into())).await
    }

    /// Closes the socket as [`WebSocket::close`].
    pub async fn close(&mut self, code: CloseCode, reason: impl Into<WsText>) -> bool {
        let reason = reason.into();
        self.handle.close(CloseFrame { code, reason }).await
    }

    /// Tells as [`WebSocket::is_closed`].
    pub fn is_closed(&self) -> bool {
        self.handle.link.look(Core::is_closed)
    }

    /// Returns as [`WebSocket::close_code`].
    pub fn close_code(&self) -> Option<u16> {
        self.handle.link.look(|core| core.protocol().close_code())
    }

    /// Returns as [`WebSocket::exception`].
    pub fn exception(&self) -> Option<WsError> {
        self.handle
            .link
            .look(|core| core.protocol().exception().cloned())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> fmt::Debug for WsReader<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WsReader")
            .field("handle", &self.handle)
            .finish()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> fmt::Debug for WsWriter<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WsWriter")
            .field("handle", &self.handle)
            .finish()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> fmt::Debug for ReuniteError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReuniteError(..)")
    }
}
