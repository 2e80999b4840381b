//! A request on its way out: head and body, gathered into few writes.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use aio_core::http1::{LAST_CHUNK, chunk_size_line, last_chunk};
use aio_core::{Body, BodyKind, BodyStream, BoxError, PayloadError};
use bytes::{Buf, Bytes};
use http::HeaderMap;
use tokio::io::AsyncWrite;

use crate::transport::Transport;

/// How much of a streamed body is gathered for one write: a write per piece of 64 KiB
/// costs 1.1 to 1.2 times as much.
const GATHER: usize = 512 * 1024;

/// Most slices in one write; a chunk takes two, its size line and its data.
const SLICES: usize = 18;

/// Most writes of one turn. Then others get theirs: what the peer says meanwhile, the
/// deadlines, and other tasks.
const WRITES: usize = 16;

/// What is still to be written of a request.
#[derive(Default)]
pub(crate) struct Upload {
    queue: VecDeque<Bytes>,
    source: Option<Source>,
    /// What the source failed with; it counts when all before it is written.
    failed: Option<UploadError>,
    /// Bytes that were written.
    written: u64,
    /// All was written and flushed.
    done: bool,
    has_body: bool,
}

struct Source {
    stream: BodyStream,
    framing: SourceFraming,
}

enum SourceFraming {
    /// Between the chunks; the line end of the chunk before is still to be written.
    Chunked {
        open: bool,
    },
    Length {
        sent: u64,
        whole: u64,
    },
}

/// How the body of a request is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadFraming {
    /// By its length in bytes, which the head tells.
    Length(u64),
    /// In chunks.
    Chunked,
}

/// Why a request could not be written whole.
#[derive(Debug)]
pub(crate) enum UploadError {
    /// The connection failed; the peer may have answered before.
    Io(io::Error),
    /// The body's own source failed.
    Source(BoxError),
    /// The body's source gave more or less than was announced.
    Length(PayloadError),
}

impl Upload {
    /// Begins with `head`, behind which `body` goes out framed so.
    pub(crate) fn start(&mut self, head: Bytes, body: Body, framing: UploadFraming) {
        self.queue.clear();
        self.queue.push_back(head);
        (self.source, self.failed) = (None, None);
        (self.written, self.done, self.has_body) = (0, false, !body.is_none());
        match body.into_kind() {
            BodyKind::None => {
                // REQ-50: a chunked request without data still ends its body.
                if framing == UploadFraming::Chunked {
                    self.queue.push_back(Bytes::from_static(LAST_CHUNK));
                }
            }
            BodyKind::Bytes(bytes) => match framing {
                UploadFraming::Length(_) => {
                    if !bytes.is_empty() {
                        self.queue.push_back(bytes);
                    }
                }
                UploadFraming::Chunked => {
                    let empty = bytes.is_empty();
                    if !empty {
                        self.queue.push_back(chunk_size_line(bytes.len()).into());
                        self.queue.push_back(bytes);
                        self.queue.push_back(Bytes::from_static(b"\r\n"));
                    }
                    self.queue.push_back(Bytes::from_static(LAST_CHUNK));
                }
            },
            BodyKind::Stream { stream, .. } => {
                let framing = match framing {
                    UploadFraming::Length(whole) => SourceFraming::Length { sent: 0, whole },
                    UploadFraming::Chunked => SourceFraming::Chunked { open: false },
                };
                self.source = Some(Source { stream, framing });
            }
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.done
    }

    /// Tells whether all that the body's source has given so far is written.
    pub(crate) fn is_starved(&self) -> bool {
        self.source.is_some() && self.queue.is_empty()
    }

    pub(crate) fn has_body(&self) -> bool {
        self.has_body
    }

    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Counts a byte as written at least: TLS that fails does not tell what had left.
    pub(crate) fn assume_sent(&mut self) {
        self.written = self.written.max(1);
    }

    /// Frees what is left of the request.
    pub(crate) fn abandon(&mut self) {
        self.queue.clear();
        self.source = None;
    }

    /// Writes on; is ready when all is written.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut Transport,
    ) -> Poll<Result<(), UploadError>> {
        for _ in 0..WRITES {
            if self.done {
                return Poll::Ready(Ok(()));
            }
            let starved = self.fill(cx);
            if self.queue.is_empty() {
                if starved {
                    // The peer may wait for just these bytes to let the source go on.
                    ready!(Pin::new(&mut *stream).poll_flush(cx)).map_err(UploadError::Io)?;
                    return Poll::Pending;
                }
                if let Some(error) = self.failed.take() {
                    return Poll::Ready(Err(error));
                }
                ready!(Pin::new(&mut *stream).poll_flush(cx)).map_err(UploadError::Io)?;
                self.done = true;
                continue;
            }
            let written = ready!(self.write(cx, stream)).map_err(UploadError::Io)?;
            if written == 0 {
                return Poll::Ready(Err(UploadError::Io(io::ErrorKind::WriteZero.into())));
            }
            self.written += written as u64;
            self.consume(written);
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Queues what the source has ready; tells whether it has more, but not yet.
    fn fill(&mut self, cx: &mut Context<'_>) -> bool {
        for _ in 0..SLICES {
            let Some(source) = &mut self.source else {
                return false;
            };
            let queued = self.queue.iter().map(Bytes::len).sum::<usize>();
            if queued >= GATHER || self.queue.len() >= SLICES - 1 {
                return false;
            }
            let Poll::Ready(frame) = source.stream.as_mut().poll_frame(cx) else {
                return true;
            };
            let (framing, queue) = (&mut source.framing, &mut self.queue);
            let queued = match frame {
                None => framing.finish(queue, None),
                Some(Err(error)) => Err(UploadError::Source(error)),
                Some(Ok(frame)) => match frame.into_data().map_err(|other| other.into_trailers()) {
                    Ok(piece) => framing.queue(piece, queue),
                    Err(Ok(trailers)) => framing.finish(queue, Some(&trailers)),
                    // A kind of frame that HTTP/1.1 has no place for.
                    Err(Err(_)) => Ok(Queued::Piece),
                },
            };
            match queued {
                Ok(Queued::Piece) => {}
                Ok(Queued::End) => self.source = None,
                Err(error) => (self.failed, self.source) = (Some(error), None),
            }
        }
        // A source that gives nothing but empty pieces must not keep the thread.
        if self.queue.is_empty() {
            cx.waker().wake_by_ref();
        }
        self.source.is_some()
    }

    fn write(&mut self, cx: &mut Context<'_>, stream: &mut Transport) -> Poll<io::Result<usize>> {
        let stream = Pin::new(stream);
        if let ([only], []) = self.queue.as_slices() {
            return stream.poll_write(cx, only);
        }
        let mut slices = [IoSlice::new(&[]); SLICES];
        let mut count = 0;
        for (slice, piece) in slices.iter_mut().zip(&self.queue) {
            *slice = IoSlice::new(piece);
            count += 1;
        }
        stream.poll_write_vectored(cx, slices.get(..count).unwrap_or_default())
    }

    fn consume(&mut self, mut written: usize) {
        while let Some(front) = self.queue.front_mut() {
            if written < front.len() {
                return front.advance(written);
            }
            written -= front.len();
            self.queue.pop_front();
        }
    }
}

/// How far a body has been queued.
enum Queued {
    /// There may be more of it.
    Piece,
    /// To its end.
    End,
}

impl SourceFraming {
    fn queue(&mut self, piece: Bytes, queue: &mut VecDeque<Bytes>) -> Result<Queued, UploadError> {
        if piece.is_empty() {
            return Ok(Queued::Piece);
        }
        match self {
            Self::Chunked { open } => {
                let line = chunk_size_line(piece.len());
                let line = if *open { format!("\r\n{line}") } else { line };
                *open = true;
                queue.push_back(line.into());
            }
            Self::Length { sent, whole } => {
                let more = *sent + piece.len() as u64;
                if more > *whole {
                    let error = PayloadError::UploadLength {
                        actual: more,
                        expected: *whole,
                    };
                    return Err(UploadError::Length(error));
                }
                *sent = more;
            }
        }
        queue.push_back(piece);
        Ok(Queued::Piece)
    }

    /// Queues what ends the body; trailers are lost behind a body of known length.
    fn finish(
        &self,
        queue: &mut VecDeque<Bytes>,
        trailers: Option<&HeaderMap>,
    ) -> Result<Queued, UploadError> {
        match *self {
            Self::Chunked { open } => {
                if open {
                    queue.push_back(Bytes::from_static(b"\r\n"));
                }
                let last = trailers.map_or(Ok(Bytes::from_static(LAST_CHUNK)), last_chunk);
                queue.push_back(last.map_err(|error| UploadError::Source(error.into()))?);
            }
            Self::Length { sent, whole } if sent != whole => {
                let error = PayloadError::UploadLength {
                    actual: sent,
                    expected: whole,
                };
                return Err(UploadError::Length(error));
            }
            Self::Length { .. } => {}
        }
        Ok(Queued::End)
    }
}
