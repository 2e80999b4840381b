//! The connection under a WebSocket of a session.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use aio_connector::{ConnectionInfo, Upgraded};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::session::ClientSession;

/// The connection under a WebSocket of a session: it counts in the limits of its connector
/// until the WebSocket is closed or dropped, and keeps the session alive so long.
pub struct WsConnection {
    upgraded: Upgraded,
    // Behind it: the last session closes its connector.
    session: ClientSession,
}

impl WsConnection {
    pub(super) fn new(upgraded: Upgraded, session: ClientSession) -> Self {
        Self { upgraded, session }
    }

    /// Returns the session that it was opened by.
    pub fn session(&self) -> &ClientSession {
        &self.session
    }

    /// Returns what is known of the connection.
    pub fn info(&self) -> ConnectionInfo {
        self.upgraded.info()
    }

    fn upgraded(self: Pin<&mut Self>) -> Pin<&mut Upgraded> {
        Pin::new(&mut self.get_mut().upgraded)
    }
}

impl AsyncRead for WsConnection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.upgraded().poll_read(cx, buffer)
    }
}

impl AsyncWrite for WsConnection {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.upgraded().poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.upgraded().poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.upgraded.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.upgraded().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.upgraded().poll_shutdown(cx)
    }
}

impl fmt::Debug for WsConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.upgraded.fmt(f)
    }
}
