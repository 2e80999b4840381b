//! A body as the traits of others see it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

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

impl http_body::Body for Content {
    type Data = Bytes;
    type Error = ClientError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ClientError>>> {
        let chunk = ready!(self.poll_next(cx));
        Poll::Ready(chunk.map(|chunk| chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.at_eof()
    }

    fn size_hint(&self) -> SizeHint {
        let held = self.held.len() as u64;
        match self.source.left().filter(|_| self.failed.is_none()) {
            Some(left) => SizeHint::with_exact(held.saturating_add(left)),
            None => {
                let mut hint = SizeHint::new();
                hint.set_lower(held);
                hint
            }
        }
    }
}
