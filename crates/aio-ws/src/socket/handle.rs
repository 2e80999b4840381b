//! A way to the core with the timers of its owner: what the socket and its halves share.

use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

use super::core::Core;
use super::deadline::Deadline;
use super::link::Link;
use super::timeout::WsTimeout;
use crate::{CloseFrame, Protocol, ProtocolError, WsError, WsMessage, WsMsgType, WsText};

/// What a socket, or one of its halves, does.
pub(super) struct Handle<S: AsyncRead + AsyncWrite + Unpin> {
    pub(super) link: Link<S>,
    pub(super) timeout: WsTimeout,
    receive_by: Deadline,
    close_by: Deadline,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Handle<S> {
    pub(super) fn new(link: Link<S>, timeout: WsTimeout) -> Self {
        Self {
            link,
            timeout,
            receive_by: Deadline::default(),
            close_by: Deadline::default(),
        }
    }

    /// Receives the next message, within `limit` from the first poll behind the last
    /// message.
    pub(super) fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        limit: Option<Duration>,
    ) -> Poll<Result<Option<WsMessage>, WsError>> {
        let (received, ending, swallowed) = self.link.poll(cx, |core, wakers| {
            let received = core.poll_receive(wakers);
            (received, core.is_ending(), core.take_swallowed())
        });
        if swallowed {
            self.restart_clocks();
        }
        if received.is_ready() {
            self.receive_by.clear();
            return received;
        }
        if ending {
            ready!(self.close_by.poll(cx, self.timeout.close));
            self.link.with(|core| core.abandon(Some(WsError::Timeout)));
            return self.link.poll(cx, |core, wakers| core.poll_receive(wakers));
        }
        // aiohttp: no time is no limit.
        let limit = limit.filter(|limit| !limit.is_zero());
        ready!(self.receive_by.poll(cx, limit));
        self.receive_by.clear();
        self.link.with(|core| core.receive_timed_out());
        Poll::Ready(Err(WsError::Timeout))
    }

    /// Receives the next message, within `limit`.
    #[inline]
    pub(super) async fn receive(
        &mut self,
        limit: Option<Duration>,
    ) -> Result<Option<WsMessage>, WsError> {
        if let Some(message) = self.link.take_message() {
            return Ok(Some(message));
        }
        self.receive_by.clear();
        let mut receiving = Receiving {
            handle: self,
            waits: false,
        };
        poll_fn(|cx| {
            let received = receiving.handle.poll_receive(cx, limit);
            receiving.waits = received.is_pending();
            received
        })
        .await
    }

    /// Sends what `queue` gives to the protocol.
    pub(super) async fn send(
        &mut self,
        queue: impl FnOnce(&mut Protocol) -> Result<(), WsError>,
    ) -> Result<(), WsError> {
        let mut queue = Some(queue);
        poll_fn(|cx| {
            self.link
                .poll(cx, |core, wakers| core.poll_send(wakers, &mut queue))
        })
        .await
    }

    /// Waits until a message more may be queued.
    pub(super) fn poll_ready(&mut self, cx: &Context<'_>) -> Poll<Result<(), WsError>> {
        self.link.poll(cx, |core, wakers| core.poll_ready(wakers))
    }

    /// Queues what `queue` gives to the protocol, for a flush to come.
    pub(super) fn feed(
        &mut self,
        queue: impl FnOnce(&mut Protocol) -> Result<(), WsError>,
    ) -> Result<(), WsError> {
        self.link.with(|core| core.feed(queue))
    }

    /// Waits until all that is queued is written.
    pub(super) fn poll_flush(&mut self, cx: &Context<'_>) -> Poll<Result<(), WsError>> {
        self.link.poll(cx, |core, wakers| core.poll_flush(wakers))
    }

    /// Closes the socket; returns whether this call did.
    pub(super) async fn close(&mut self, frame: CloseFrame) -> bool {
        let closes = self.begin_close(frame);
        if closes || !self.link.look(Core::is_closing) {
            let closing = Closing(self);
            poll_fn(|cx| closing.0.poll_closed(cx)).await;
        }
        closes
    }

    /// Starts to close; returns whether this call does the closing.
    pub(super) fn begin_close(&mut self, frame: CloseFrame) -> bool {
        self.link.with(|core| core.begin_close(frame))
    }

    /// Waits until the stream is gone, or the peer is silent for too long.
    pub(super) fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (closed, swallowed) = self.link.poll(cx, |core, wakers| {
            (core.poll_closed(wakers), core.take_swallowed())
        });
        if swallowed {
            self.restart_clocks();
        }
        if closed.is_pending() {
            ready!(self.close_by.poll(cx, self.timeout.close));
            self.link.with(|core| core.abandon(Some(WsError::Timeout)));
        }
        Poll::Ready(())
    }

    /// Begins the limits anew: as aiohttp's they hold for each message, also for one that
    /// nobody is given.
    fn restart_clocks(&mut self) {
        self.receive_by.clear();
        self.close_by.clear();
    }
}

/// A receive that tells when it is dropped.
struct Receiving<'a, S: AsyncRead + AsyncWrite + Unpin> {
    handle: &'a mut Handle<S>,
    waits: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Drop for Receiving<'_, S> {
    fn drop(&mut self) {
        if self.waits {
            self.handle.link.with(Core::receive_dropped);
        }
    }
}

/// A close: dropped before its end, the connection is given up, WS-32.
struct Closing<'a, S: AsyncRead + AsyncWrite + Unpin>(&'a mut Handle<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> Drop for Closing<'_, S> {
    fn drop(&mut self) {
        self.0.link.with(|core| core.abandon(None));
    }
}

/// Takes the text out of what was received.
pub(super) fn text(received: Option<WsMessage>) -> Result<WsText, WsError> {
    match received {
        Some(WsMessage::Text(text)) => Ok(text),
        Some(WsMessage::TextBytes(bytes)) => {
            WsText::try_from(bytes).map_err(|_| ProtocolError::InvalidText.into())
        }
        other => Err(wrong_type(WsMsgType::Text, other.as_ref())),
    }
}

/// Takes the bytes out of what was received.
pub(super) fn binary(received: Option<WsMessage>) -> Result<Bytes, WsError> {
    match received {
        Some(WsMessage::Binary(bytes)) => Ok(bytes),
        other => Err(wrong_type(WsMsgType::Binary, other.as_ref())),
    }
}

fn wrong_type(expected: WsMsgType, got: Option<&WsMessage>) -> WsError {
    WsError::MessageType {
        expected,
        got: got.map_or(WsMsgType::Closed, WsMessage::msg_type),
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> fmt::Debug for Handle<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.link.look(|core| core.fmt(f))
    }
}
