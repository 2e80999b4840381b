//! A body on its way into a writer.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, ready};

use tokio::io::AsyncWrite;

use super::Content;
use crate::error::{ClientError, ReadError};

impl Content {
    /// Writes all that is left into `writer`, flushes it, and returns how many bytes there
    /// were.
    ///
    /// Dropping the future loses nothing: what the writer has not taken is there for the
    /// next read, and another `copy_to` goes on where this one was.
    ///
    /// ```
    /// # async fn run(mut response: aio_client::ClientResponse) -> Result<(), aio_client::ClientError> {
    /// let mut file = Vec::new();
    /// let bytes = response.content().copy_to(&mut file).await?;
    /// assert_eq!(bytes, file.len() as u64);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`chunk`](Self::chunk), and with [`ReadError::Write`] if the writer fails.
    pub async fn copy_to<W>(&mut self, writer: &mut W) -> Result<u64, ClientError>
    where
        W: AsyncWrite + Unpin + ?Sized,
    {
        let (mut written, mut flushed) = (0, true);
        poll_fn(|cx| {
            loop {
                let Poll::Ready(filled) = self.poll_fill(cx, 1) else {
                    // A slow server does not hold up what it has sent.
                    if !flushed && let Poll::Ready(done) = Pin::new(&mut *writer).poll_flush(cx) {
                        done.map_err(|error| self.write_error(error))?;
                        flushed = true;
                    }
                    return Poll::Pending;
                };
                filled?;
                if self.held.is_empty() {
                    let done = ready!(Pin::new(&mut *writer).poll_flush(cx));
                    done.map_err(|error| self.write_error(error))?;
                    return Poll::Ready(Ok(written));
                }
                let wrote = ready!(Pin::new(&mut *writer).poll_write(cx, self.held.front()));
                match wrote {
                    Ok(0) => {
                        let error = io::ErrorKind::WriteZero.into();
                        return Poll::Ready(Err(self.write_error(error)));
                    }
                    Ok(wrote) => {
                        self.held.advance(wrote);
                        (written, flushed) = (written + wrote as u64, false);
                    }
                    Err(error) => return Poll::Ready(Err(self.write_error(error))),
                }
            }
        })
        .await
    }

    fn write_error(&self, error: io::Error) -> ClientError {
        self.read_error(ReadError::Write(Arc::new(error)))
    }
}
