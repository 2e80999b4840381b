//! A connection that speaks another protocol now, and counts in its pool all the same.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::connection::Slot;
use crate::info::{ConnectionInfo, Facts};
use crate::pool::User;
use crate::transport::Transport;

/// How much of what came before is read once the connector is closed: aiohttp has read about
/// as much of a WebSocket ahead.
const REST: usize = 512 * 1024;

/// The byte stream behind a response that hands its connection over, a WebSocket's for
/// one: it counts in its connector's limits until it is dropped, and never goes back.
///
/// When its connector is closed it ends behind what has come, and nothing more can be
/// written. It may be read in one task and written in another.
pub struct Upgraded {
    stream: Transport,
    facts: Arc<Facts>,
    is_reused: bool,
    reader: Arc<User>,
    writer: Arc<User>,
    /// How much may be read once the connector is closed.
    rest: usize,
    // The last to be dropped: it stands for the socket.
    slot: Slot,
}

impl Upgraded {
    pub(crate) fn new(
        stream: Transport,
        slot: Slot,
        reader: Arc<User>,
        info: ConnectionInfo,
    ) -> Self {
        Self {
            stream,
            facts: info.facts,
            is_reused: info.is_reused,
            reader,
            writer: slot.user(),
            rest: REST,
            slot,
        }
    }

    /// Returns what is known of the connection.
    pub fn info(&self) -> ConnectionInfo {
        ConnectionInfo {
            facts: Arc::clone(&self.facts),
            is_reused: self.is_reused,
        }
    }

    /// Returns the byte stream itself, for what its socket tells.
    pub fn transport(&self) -> &Transport {
        &self.stream
    }

    /// Tells whether its connector was closed.
    pub fn is_closed(&self) -> bool {
        self.slot.pool().is_closed()
    }

    /// Polls the stream as long as the connector is open; gives nothing once it is closed.
    fn poll_open<T>(
        &mut self,
        cx: &mut Context<'_>,
        user: impl Fn(&Self) -> &User,
        poll: impl FnOnce(Pin<&mut Transport>, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<Option<T>> {
        if !self.is_closed() {
            if let Poll::Ready(done) = poll(Pin::new(&mut self.stream), cx) {
                return Poll::Ready(Some(done));
            }
            user(self).is_waiting(cx.waker());
            // It may have been closed just before the waker was left.
            if !self.is_closed() {
                return Poll::Pending;
            }
        }
        Poll::Ready(None)
    }

    /// Reads what is here and does not wait for more. Nothing read is the end.
    fn read_rest(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> io::Result<()> {
        if self.rest == 0 {
            return Ok(());
        }
        let before = buffer.filled().len();
        let stream = Pin::new(&mut self.stream);
        let Poll::Ready(read) = stream.poll_read(cx, buffer) else {
            return Ok(());
        };
        let count = buffer.filled().len() - before;
        self.rest = self.rest.saturating_sub(count);
        read
    }

    fn poll_send<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(Pin<&mut Transport>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let sent = self.poll_open(cx, |upgraded| &upgraded.writer, poll);
        sent.map(|sent| sent.unwrap_or_else(|| Err(io::ErrorKind::NotConnected.into())))
    }
}

impl AsyncRead for Upgraded {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let upgraded = self.get_mut();
        let read = |stream: Pin<&mut Transport>, cx: &mut Context<'_>| stream.poll_read(cx, buffer);
        match ready!(upgraded.poll_open(cx, |upgraded| &upgraded.reader, read)) {
            Some(read) => Poll::Ready(read),
            None => Poll::Ready(upgraded.read_rest(cx, buffer)),
        }
    }
}

impl AsyncWrite for Upgraded {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut()
            .poll_send(cx, |stream, cx| stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut()
            .poll_send(cx, |stream, cx| stream.poll_write_vectored(cx, pieces))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut()
            .poll_send(cx, |stream, cx| stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut()
            .poll_send(cx, |stream, cx| stream.poll_shutdown(cx))
    }
}

impl fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgraded")
            .field("key", self.slot.key())
            .finish_non_exhaustive()
    }
}
