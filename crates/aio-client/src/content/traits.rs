//! A body as the traits of others see it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use aio_core::HeaderView;
use bytes::Bytes;
use futures_core::Stream;
use http_body::{Frame, SizeHint};
use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};

use super::Content;
use crate::error::ClientError;

impl AsyncRead for Content {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        target: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if target.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let content = self.get_mut();
        ready!(content.poll_fill(cx, 1))?;
        let front = content.held.front();
        let len = front.len().min(target.remaining());
        target.put_slice(front.get(..len).unwrap_or_default());
        content.held.advance(len);
        Poll::Ready(Ok(()))
    }
}

impl AsyncBufRead for Content {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let content = self.get_mut();
        ready!(content.poll_fill(cx, 1))?;
        Poll::Ready(Ok(content.held.front()))
    }

    fn consume(self: Pin<&mut Self>, len: usize) {
        self.get_mut().held.advance(len);
    }
}

impl Stream for Content {
    type Item = Result<Bytes, ClientError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let content = self.get_mut();
        // A stream ends with its error.
        if content.told {
            return Poll::Ready(None);
        }
        let chunk = ready!(content.poll_chunk(cx));
        content.told = chunk.is_err();
        Poll::Ready(chunk.transpose())
    }
}

impl Content {
    /// The trailers, if they come next.
    fn trailers_to_give(&self) -> Option<&HeaderView> {
        self.trailers().filter(|_| !self.told)
    }
}

/// The last frame has the [trailers](Content::trailers), if there are any that the `http`
/// crate takes.
impl http_body::Body for Content {
    type Data = Bytes;
    type Error = ClientError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ClientError>>> {
        let content = self.get_mut();
        let frame = match ready!(Pin::new(&mut *content).poll_next(cx)) {
            Some(chunk) => Some(chunk.map(Frame::data)),
            None => {
                let trailers = content.trailers_to_give().map(|fields| fields.to_map().0);
                content.told = true;
                let trailers = trailers.filter(|trailers| !trailers.is_empty());
                trailers.map(|trailers| Ok(Frame::trailers(trailers)))
            }
        };
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.at_eof() && self.trailers_to_give().is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let held = self.held.len() as u64;
        let left = self.source.left().filter(|_| self.failed.is_none());
        // Where a length is known before, trailers have no place.
        match left.filter(|_| self.source.exchange.trailers().is_none()) {
            Some(left) => SizeHint::with_exact(held.saturating_add(left)),
            None => {
                let mut hint = SizeHint::new();
                hint.set_lower(held);
                hint
            }
        }
    }
}
