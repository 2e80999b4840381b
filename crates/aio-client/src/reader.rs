//! Readers as bodies.

use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use aio_core::{Body, BoxError};
use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Whatever can be read, to be sent once.
///
/// It is sent chunked, unless its length is given.
///
/// ```no_run
/// # async fn run(session: aio_client::ClientSession) -> Result<(), aio_client::ClientError> {
/// use aio_client::ReaderBody;
///
/// let (reader, _writer) = tokio::io::duplex(1024);
/// session.put("http://127.0.0.1:8080/log").body(ReaderBody::new(reader)).await?;
/// # Ok(())
/// # }
/// ```
pub struct ReaderBody<R> {
    reader: R,
    length: Option<u64>,
}

impl<R: AsyncRead + Send + 'static> ReaderBody<R> {
    /// Makes a body of what `reader` gives up to its end, read up to 64 KiB at a time.
    pub fn new(reader: R) -> Self {
        Self {
            reader,
            length: None,
        }
    }

    /// Says how many bytes there are; fewer or more fail the request. When all of them have
    /// come, nobody waits for the end: the reader may be a socket that stays open.
    #[must_use]
    pub fn with_length(mut self, length: u64) -> Self {
        self.length = Some(length);
        self
    }
}

impl<R: AsyncRead + Send + 'static> From<ReaderBody<R>> for Body {
    fn from(body: ReaderBody<R>) -> Self {
        let pieces = Pieces {
            reader: Box::pin(body.reader),
            buffer: BytesMut::new(),
        };
        match body.length {
            Some(length) => Self::sized_stream(pieces, length),
            None => Self::stream(pieces),
        }
    }
}

impl<R> fmt::Debug for ReaderBody<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReaderBody")
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

/// What is asked for at a time.
const PIECE: usize = 64 * 1024;

/// With less room than this, new room is made.
const SMALLEST: usize = 8 * 1024;

struct Pieces<R> {
    reader: Pin<Box<R>>,
    buffer: BytesMut,
}

impl<R: AsyncRead> Stream for Pieces<R> {
    type Item = Result<Bytes, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        // Small pieces share one allocation: each of its own would hold all of that.
        if this.buffer.capacity() < SMALLEST {
            this.buffer.reserve(PIECE);
        }
        // Nothing is lost when this future is made anew: it holds nothing of its own.
        let read = ready!(pin!(this.reader.read_buf(&mut this.buffer)).poll(cx))?;
        let piece = this.buffer.split().freeze();
        Poll::Ready((read > 0).then_some(Ok(piece)))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn small_pieces_share_their_memory() {
        let (reader, mut writer) = tokio::io::duplex(16);
        let mut pieces = Pieces {
            reader: Box::pin(reader),
            buffer: BytesMut::new(),
        };
        let mut kept: Vec<Bytes> = Vec::new();
        for _ in 0..3 {
            writer.write_all(b"ab").await.expect("it is open");
            let piece = poll_fn(|cx| Pin::new(&mut pieces).poll_next(cx)).await;
            kept.push(piece.expect("more").expect("it is open"));
        }
        for pair in kept.windows(2) {
            assert_eq!(pair[0].as_ptr_range().end, pair[1].as_ptr());
        }
    }
}
