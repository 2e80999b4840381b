//! A request on its way out: head and body, gathered into few writes.

mod meter;

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use aio_core::http1::{LAST_CHUNK, chunk_size_line, last_chunk};
use aio_core::{Body, BodyKind, BodyStream, BoxError, PayloadError};
use bytes::{Buf, Bytes};
use http::HeaderMap;
use tokio::io::AsyncWrite;

use self::meter::Meter;
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
    held: Held,
    source: Option<Source>,
    /// What the source failed with; it counts when all before it is written.
    failed: Option<UploadError>,
    /// Tells whoever asks how much of the body is written. Boxed: few bodies have it.
    meter: Option<Box<Meter>>,
    /// Bytes that were written.
    written: u64,
    /// All was written and flushed.
    done: bool,
    has_body: bool,
}

/// The body of a request with `Expect: 100-continue`.
#[derive(Default)]
enum Held {
    /// There is none, or it is on its way.
    #[default]
    Nothing,
    /// It waits for the server's leave. Boxed: few are held.
    Body(Box<(Body, UploadFraming)>),
    /// The server has answered without it, and it is not sent.
    Unwanted(Option<Box<(Body, UploadFraming)>>),
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
    /// Begins with `head`, behind which `body` goes out framed so; told to `hold` it, not
    /// before it is let go.
    pub(crate) fn start(&mut self, head: Bytes, body: Body, framing: UploadFraming, hold: bool) {
        self.queue.clear();
        self.queue.push_back(head);
        (self.source, self.failed, self.held) = (None, None, Held::Nothing);
        (self.written, self.done, self.has_body) = (0, false, !body.is_none());
        self.meter = body.progress().cloned().map(Meter::start).map(Box::new);
        // One without bytes, too: aiohttp closes the connection of a server that ignores
        // the question.
        if hold {
            self.held = Held::Body(Box::new((body, framing)));
        } else {
            self.queue_body(body.into_kind(), framing);
        }
    }

    /// Lets a held body go.
    pub(crate) fn let_go(&mut self) {
        match std::mem::take(&mut self.held) {
            Held::Body(held) => self.queue_body(held.0.into_kind(), held.1),
            other => self.held = other,
        }
    }

    /// Keeps a held body for good; tells whether there was one.
    pub(crate) fn refuse_held(&mut self) -> bool {
        match std::mem::take(&mut self.held) {
            Held::Body(body) => {
                self.held = Held::Unwanted(Some(body));
                true
            }
            other => {
                self.held = other;
                false
            }
        }
    }

    /// Gives back a body that was kept for good.
    pub(crate) fn take_unsent(&mut self) -> Option<Body> {
        match &mut self.held {
            Held::Unwanted(body) => Some(body.take()?.0),
            _ => None,
        }
    }

    /// Tells whether the head is out and the body held.
    pub(crate) fn is_holding(&self) -> bool {
        matches!(self.held, Held::Body(_)) && self.queue.is_empty()
    }

    fn queue_body(&mut self, body: BodyKind, framing: UploadFraming) {
        match (body, framing) {
            (BodyKind::None, UploadFraming::Length(0)) => {}
            (BodyKind::None, _) => self.queue_whole(Bytes::new(), framing),
            (BodyKind::Bytes(bytes), _) => self.queue_whole(bytes, framing),
            (BodyKind::Stream { stream, .. }, _) => {
                let framing = match framing {
                    UploadFraming::Length(whole) => SourceFraming::Length { sent: 0, whole },
                    UploadFraming::Chunked => SourceFraming::Chunked { open: false },
                };
                self.source = Some(Source { stream, framing });
            }
        }
    }

    /// Queues a body that is all there, or none: a chunked request without data still ends
    /// its body (REQ-50).
    fn queue_whole(&mut self, bytes: Bytes, framing: UploadFraming) {
        let length = bytes.len();
        match framing {
            UploadFraming::Length(whole) if whole != length as u64 => {
                self.failed = Some(wrong_length(length as u64, whole));
            }
            UploadFraming::Length(0) => {}
            UploadFraming::Length(_) => self.queue_data(bytes),
            UploadFraming::Chunked => {
                if length > 0 {
                    self.queue.push_back(chunk_size_line(length).into());
                    self.queue_data(bytes);
                    self.queue.push_back(Bytes::from_static(b"\r\n"));
                }
                self.queue.push_back(Bytes::from_static(LAST_CHUNK));
            }
        }
    }

    /// Queues bytes of the body, of which the meter is told.
    fn queue_data(&mut self, data: Bytes) {
        if let Some(meter) = &mut self.meter {
            let queued = self.queue.iter().map(Bytes::len).sum::<usize>();
            let start = self.written + queued as u64;
            meter.queued(start..start + data.len() as u64);
        }
        self.queue.push_back(data);
    }

    pub(crate) fn is_done(&self) -> bool {
        self.done
    }

    /// Tells whether all is written but what the body's source has not given so far, or
    /// what is held.
    pub(crate) fn is_starved(&self) -> bool {
        let more = self.source.is_some() || !matches!(self.held, Held::Nothing);
        more && self.queue.is_empty()
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
        (self.source, self.held) = (None, Held::Nothing);
    }

    /// Writes on; is ready when all is written.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut Transport,
    ) -> Poll<Result<(), UploadError>> {
        if self.done {
            return Poll::Ready(Ok(()));
        }
        for _ in 0..WRITES {
            let starved = self.fill(cx);
            if !self.queue.is_empty() {
                let written = ready!(self.write(cx, stream)).map_err(UploadError::Io)?;
                if written == 0 {
                    return Poll::Ready(Err(UploadError::Io(io::ErrorKind::WriteZero.into())));
                }
                self.written += written as u64;
                self.consume(written);
                if let Some(meter) = &mut self.meter {
                    meter.written(self.written);
                }
                // A source that has no more, or lets others have their turn, is not asked
                // again at once.
                if !self.queue.is_empty() || (self.source.is_some() && !starved) {
                    continue;
                }
            }
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
            return Poll::Ready(Ok(()));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Queues what the source has ready; tells whether it has more, but not yet.
    fn fill(&mut self, cx: &mut Context<'_>) -> bool {
        if !matches!(self.held, Held::Nothing) {
            return true;
        }
        for _ in 0..SLICES {
            let Some(source) = &mut self.source else {
                return false;
            };
            let queued = self.queue.iter().map(Bytes::len).sum::<usize>();
            if queued >= GATHER || self.queue.len() >= SLICES - 1 {
                return false;
            }
            let Poll::Ready(frame) = source.stream.as_mut().poll_frame(cx) else {
                if source.framing.is_complete() {
                    self.source = None;
                }
                return self.source.is_some();
            };
            let queued = match frame {
                None => self.queue_end(None),
                Some(Err(error)) => Err(UploadError::of_source(error)),
                Some(Ok(frame)) => match frame.into_data().map_err(|other| other.into_trailers()) {
                    Ok(piece) => self.queue_piece(piece),
                    Err(Ok(trailers)) => self.queue_end(Some(&trailers)),
                    // A kind of frame that HTTP/1.1 has no place for.
                    Err(Err(_)) => Ok(()),
                },
            };
            if let Err(error) = queued {
                (self.failed, self.source) = (Some(error), None);
            }
        }
        // A source that gives nothing but empty pieces must not keep the thread. It was ready
        // each time, so nobody else wakes this task.
        cx.waker().wake_by_ref();
        self.source.is_some()
    }

    /// Queues a piece of the source.
    fn queue_piece(&mut self, piece: Bytes) -> Result<(), UploadError> {
        let Some(source) = self.source.as_mut().filter(|_| !piece.is_empty()) else {
            return Ok(());
        };
        let line = source.framing.admit(piece.len())?;
        self.queue.extend(line);
        self.queue_data(piece);
        Ok(())
    }

    /// Queues what stands behind the last piece of the source; a body of known length has no
    /// place for trailers.
    fn queue_end(&mut self, trailers: Option<&HeaderMap>) -> Result<(), UploadError> {
        match self.source.take().map(|source| source.framing) {
            Some(SourceFraming::Chunked { open }) => {
                if open {
                    self.queue.push_back(Bytes::from_static(b"\r\n"));
                }
                let last = trailers.map_or(Ok(Bytes::from_static(LAST_CHUNK)), last_chunk);
                let last = last.map_err(|error| UploadError::Source(error.into()))?;
                self.queue.push_back(last);
                Ok(())
            }
            Some(SourceFraming::Length { sent, whole }) if sent != whole => {
                Err(wrong_length(sent, whole))
            }
            Some(SourceFraming::Length { .. }) | None => Ok(()),
        }
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

impl UploadError {
    /// Names what a source failed with; one that is compressed knows its length itself.
    fn of_source(error: BoxError) -> Self {
        match error.downcast::<PayloadError>() {
            Ok(error) if matches!(*error, PayloadError::UploadLength { .. }) => {
                Self::Length(*error)
            }
            Ok(error) => Self::Source(error),
            Err(error) => Self::Source(error),
        }
    }
}

impl SourceFraming {
    /// Tells whether the peer has the whole body, though the source has not said its end.
    fn is_complete(&self) -> bool {
        matches!(self, Self::Length { sent, whole } if sent == whole)
    }

    /// Takes note of a piece of so many bytes; gives the line that stands before it.
    fn admit(&mut self, length: usize) -> Result<Option<Bytes>, UploadError> {
        match self {
            Self::Chunked { open } => {
                let line = chunk_size_line(length);
                let line = if *open { format!("\r\n{line}") } else { line };
                *open = true;
                Ok(Some(line.into()))
            }
            Self::Length { sent, whole } => {
                *sent += length as u64;
                if *sent > *whole {
                    return Err(wrong_length(*sent, *whole));
                }
                Ok(None)
            }
        }
    }
}

fn wrong_length(actual: u64, expected: u64) -> UploadError {
    UploadError::Length(PayloadError::UploadLength { actual, expected })
}
