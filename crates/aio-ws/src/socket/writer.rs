//! A message that is written in pieces.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

use super::handle::Handle;
use crate::{WsError, WsMessage};

/// The longest piece of a slice that is copied into a frame of its own.
const PIECE: usize = 64 * 1024;

/// Writes one binary message in pieces, each a frame of its own: made by
/// [`WebSocket::binary_writer`](crate::WebSocket::binary_writer).
///
/// As an `AsyncWrite` it can be copied to; put small writes behind a `BufWriter`. The message
/// ends with [`finish`](Self::finish) or `shutdown`. Dropped before, it stays unfinished: other
/// messages give [`WsError::UnfinishedMessage`] until a writer made anew finishes it.
///
/// ```
/// # use aio_ws::{Protocol, Role, WebSocket, WsConfig};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (a, b) = tokio::io::duplex(1024);
/// # let open = |stream, role| {
/// #     WebSocket::new(stream, Protocol::new(role, WsConfig::default(), [7; 32]))
/// # };
/// # let (mut socket, mut server) = (open(a, Role::Client), open(b, Role::Server));
/// let mut writer = socket.binary_writer();
/// tokio::io::copy(&mut &b"from a file"[..], &mut writer).await?;
/// writer.finish().await?;
/// # assert_eq!(server.receive_bytes().await?, "from a file");
/// # Ok(())
/// # }
/// ```
pub struct MessageWriter<'a, S: AsyncRead + AsyncWrite + Unpin> {
    handle: &'a mut Handle<S>,
    finished: bool,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> MessageWriter<'a, S> {
    pub(super) fn new(handle: &'a mut Handle<S>) -> Self {
        Self {
            handle,
            finished: false,
        }
    }

    /// Sends a piece, without a copy, and waits until the stream took it.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::send_fragment`](crate::WebSocket::send_fragment).
    pub async fn send(&mut self, piece: impl Into<Bytes>) -> Result<(), WsError> {
        let piece = WsMessage::Binary(piece.into());
        self.handle
            .send(|protocol| protocol.send_fragment(piece, false))
            .await
    }

    /// Ends the message.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub async fn finish(self) -> Result<(), WsError> {
        if self.finished {
            return Ok(());
        }
        self.handle
            .send(|protocol| protocol.send_fragment(Bytes::new(), true))
            .await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for MessageWriter<'_, S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let handle = &mut *self.get_mut().handle;
        ready!(handle.poll_ready(cx)).map_err(io_error)?;
        let piece = bytes.get(..PIECE).unwrap_or(bytes);
        handle
            .feed(|protocol| protocol.send_fragment(piece, false))
            .map_err(io_error)?;
        Poll::Ready(Ok(piece.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().handle.poll_flush(cx).map_err(io_error)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.finished {
            this.handle
                .feed(|protocol| protocol.send_fragment(Bytes::new(), true))
                .map_err(io_error)?;
            this.finished = true;
        }
        this.handle.poll_flush(cx).map_err(io_error)
    }
}

fn io_error(error: WsError) -> io::Error {
    let kind = match &error {
        WsError::Io(source) => source.kind(),
        WsError::Closed => io::ErrorKind::NotConnected,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, error)
}

impl<S: AsyncRead + AsyncWrite + Unpin> fmt::Debug for MessageWriter<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageWriter")
            .field("finished", &self.finished)
            .finish_non_exhaustive()
    }
}
