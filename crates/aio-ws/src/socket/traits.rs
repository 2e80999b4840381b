//! A socket as the traits of others see it: streams and sinks of messages.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_sink::Sink;
use tokio::io::{AsyncRead, AsyncWrite};

use super::handle::Handle;
use super::{WebSocket, WsReader, WsWriter};
use crate::{CloseCode, CloseFrame, WsError, WsMessage, WsText};

/// Messages up to the close: as aiohttp's `async for`, it ends there without telling it
/// (WS-25).
impl<S: AsyncRead + AsyncWrite + Unpin> Stream for WebSocket<S> {
    type Item = Result<WsMessage, WsError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().handle.poll_next(cx)
    }
}

/// As that of [`WebSocket`].
impl<S: AsyncRead + AsyncWrite + Unpin> Stream for WsReader<S> {
    type Item = Result<WsMessage, WsError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().handle.poll_next(cx)
    }
}

/// Messages are queued, and sent with the flush; at most 256 KiB wait. Closing the sink closes
/// the socket with [`CloseCode::OK`].
impl<S: AsyncRead + AsyncWrite + Unpin> Sink<WsMessage> for WebSocket<S> {
    type Error = WsError;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), WsError>> {
        self.get_mut().handle.poll_ready(cx)
    }

    fn start_send(self: Pin<&mut Self>, message: WsMessage) -> Result<(), WsError> {
        self.get_mut()
            .handle
            .feed(|protocol| protocol.send(message))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), WsError>> {
        self.get_mut().handle.poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), WsError>> {
        self.get_mut().handle.poll_close(cx)
    }
}

/// As that of [`WebSocket`].
impl<S: AsyncRead + AsyncWrite + Unpin> Sink<WsMessage> for WsWriter<S> {
    type Error = WsError;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), WsError>> {
        self.get_mut().handle.poll_ready(cx)
    }

    fn start_send(self: Pin<&mut Self>, message: WsMessage) -> Result<(), WsError> {
        self.get_mut()
            .handle
            .feed(|protocol| protocol.send(message))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), WsError>> {
        self.get_mut().handle.poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), WsError>> {
        self.get_mut().handle.poll_close(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Handle<S> {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<WsMessage, WsError>>> {
        let received = ready!(self.poll_receive(cx, self.timeout.receive));
        Poll::Ready(match received {
            Ok(Some(WsMessage::Close(_) | WsMessage::Closing)) => None,
            received => received.transpose(),
        })
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WsError>> {
        self.begin_close(CloseFrame {
            code: CloseCode::OK,
            reason: WsText::default(),
        });
        self.poll_closed(cx).map(Ok)
    }
}
