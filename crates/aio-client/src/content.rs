//! The body of a response, read piece by piece.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use aio_connector::{Attempt, Connection, Exchange, ExchangeError, Phase};
use aio_core::PayloadError;
use aio_core::coding::{Coding, Decoder, Progress};
use aio_core::http1::BodyEvent;
use bytes::{Buf, Bytes, BytesMut};
use futures_core::Stream;
use memchr::memmem;
use tokio::io::{AsyncRead, ReadBuf};

use crate::deadline::Watch;
use crate::error::{ClientError, ReadError, UsageError};
use crate::response::ResponseHead;
use crate::session::{ClientSession, Context, send};

/// How much is decoded at a time.
const DECODE: usize = 64 * 1024;

/// Longest line that [`Content::line`] and [`Content::until`] look for; aiohttp's.
const MAX_LINE: usize = 512 * 1024;

/// What is set aside at once for a body that tells its length.
const PREALLOCATE: u64 = 16 * 1024 * 1024;

/// After decoding so much a task lets others run once before it ends its body: their
/// requests then go out together, which the decoding would have held up one by one.
const YIELD_AFTER: usize = 16 * 1024;

/// The body of a response as it arrives; aiohttp's `StreamReader`.
///
/// Nothing is read ahead: what the reader does not ask for stays with the server. The
/// futures may be dropped at any time; the next call reads on where they were.
///
/// ```
/// # async fn run(mut response: aio_client::ClientResponse) -> Result<(), aio_client::ClientError> {
/// while let Some(line) = response.content().line().await? {
///     println!("{}", String::from_utf8_lossy(&line));
/// }
/// # Ok(())
/// # }
/// ```
pub struct Content {
    source: Source,
    /// What was received and decoded, but not yet handed out.
    buffer: BytesMut,
    /// What [`read_all`](Self::read_all) has so far.
    all: BytesMut,
    failed: Option<ClientError>,
}

/// Where decoded pieces come from.
struct Source {
    exchange: Exchange,
    /// What came with the head.
    prefetched: Prefetched,
    coding: Option<Box<Decoding>>,
    watch: Watch,
    session: ClientSession,
    head: ResponseHead,
    ended: bool,
    closed: bool,
}

/// What came with the head: most often nothing, or one piece.
#[derive(Debug)]
enum Prefetched {
    None,
    One(Bytes),
    Many(VecDeque<BodyEvent>),
}

struct Decoding {
    decoder: Decoder,
    input: Bytes,
    /// The decoder may have more from the input before.
    more: bool,
    decoded: usize,
}

/// A part of the body.
enum Piece {
    Data(Bytes),
    /// A chunk of the chunked coding has ended.
    ChunkEnd,
    End,
}

impl Content {
    pub(crate) fn new(
        context: &Context,
        head: &ResponseHead,
        auto_decompress: bool,
        mut exchange: Exchange,
    ) -> Self {
        let coding = if auto_decompress {
            head.headers().get("content-encoding")
        } else {
            None
        };
        let coding = coding.and_then(|coding| Coding::from_header(coding.as_bytes()));
        let (prefetched, failed) = Prefetched::take(&mut exchange);
        let mut content = Self {
            source: Source {
                exchange,
                prefetched,
                coding: coding.map(|coding| Box::new(Decoding::new(coding))),
                watch: Watch::new(context.deadlines),
                session: context.session.clone(),
                head: head.clone(),
                ended: false,
                closed: false,
            },
            buffer: BytesMut::new(),
            all: BytesMut::new(),
            failed: None,
        };
        // A body that breaks its framing at once does so when it is read.
        if let Some(error) = failed {
            let attempt = content.source.attempt();
            content.failed = Some(send::failed(error, attempt));
        }
        content
    }

    /// Returns the next piece as it arrives, never an empty one; `None` at the end.
    /// aiohttp's `readany` and `iter_any`.
    ///
    /// # Errors
    /// If the body ends early, cannot be decoded, or comes too late.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, ClientError> {
        poll_fn(|cx| self.poll_chunk(cx)).await
    }

    /// Returns the next `size` bytes, at the end of the body fewer; `None` behind it.
    /// aiohttp's `iter_chunked`.
    ///
    /// # Errors
    /// As [`chunk`](Self::chunk).
    pub async fn chunk_of(&mut self, size: usize) -> Result<Option<Bytes>, ClientError> {
        let size = size.max(1);
        poll_fn(|cx| self.poll_fill(cx, size)).await?;
        let piece = self.take(size);
        Ok(if piece.is_empty() { None } else { Some(piece) })
    }

    /// Returns the next piece and whether a chunk of the chunked coding ends with it;
    /// `None` at the end. aiohttp's `readchunk` and `iter_chunks`.
    ///
    /// The piece is empty where a chunk's end came by itself.
    ///
    /// # Errors
    /// As [`chunk`](Self::chunk).
    pub async fn http_chunk(&mut self) -> Result<Option<(Bytes, bool)>, ClientError> {
        poll_fn(|cx| {
            self.check()?;
            if !self.buffer.is_empty() {
                return Poll::Ready(Ok(Some((self.take(usize::MAX), false))));
            }
            Poll::Ready(Ok(match ready!(self.poll_piece(cx))? {
                Piece::Data(data) => {
                    let ends = self.source.skip_chunk_end();
                    Some((data, ends))
                }
                Piece::ChunkEnd => Some((Bytes::new(), true)),
                Piece::End => None,
            }))
        })
        .await
    }

    /// Returns up to `limit` bytes as they are there, at least one; empty at the end.
    /// aiohttp's `read(n)`.
    ///
    /// # Errors
    /// As [`chunk`](Self::chunk).
    pub async fn read(&mut self, limit: usize) -> Result<Bytes, ClientError> {
        if limit == 0 {
            return Ok(Bytes::new());
        }
        poll_fn(|cx| self.poll_fill(cx, 1)).await?;
        Ok(self.take(limit))
    }

    /// Returns all that is left. aiohttp's `read()`.
    ///
    /// # Errors
    /// As [`chunk`](Self::chunk).
    pub async fn read_all(&mut self) -> Result<Bytes, ClientError> {
        poll_fn(|cx| self.poll_all(cx)).await
    }

    /// Returns exactly `size` bytes. aiohttp's `readexactly`.
    ///
    /// # Errors
    /// As [`chunk`](Self::chunk), and if the body ends before; the error has what there
    /// was.
    pub async fn exactly(&mut self, size: usize) -> Result<Bytes, ClientError> {
        poll_fn(|cx| self.poll_fill(cx, size)).await?;
        let bytes = self.take(size);
        if bytes.len() < size {
            return Err(ReadError::Incomplete {
                partial: bytes,
                expected: size,
            }
            .into());
        }
        Ok(bytes)
    }

    /// Returns the next line with its line feed, at the end of the body without; `None`
    /// behind it. aiohttp's `readline`.
    ///
    /// # Errors
    /// As [`until`](Self::until).
    pub async fn line(&mut self) -> Result<Option<Bytes>, ClientError> {
        self.until(b"\n").await
    }

    /// Returns what comes up to and with `separator`, at the end of the body what is
    /// left; `None` behind it. aiohttp's `readuntil`.
    ///
    /// # Errors
    /// As [`chunk`](Self::chunk), if the separator is empty, and if it does not come
    /// within 512 KiB.
    pub async fn until(&mut self, separator: &[u8]) -> Result<Option<Bytes>, ClientError> {
        if separator.is_empty() {
            return Err(UsageError::EmptySeparator.into());
        }
        let mut searched = 0;
        let end = loop {
            let unseen = self.buffer.get(searched..).unwrap_or_default();
            if let Some(at) = memmem::find(unseen, separator) {
                break searched + at + separator.len();
            }
            let len = self.buffer.len();
            if len > MAX_LINE {
                return Err(ReadError::LineTooLong { limit: MAX_LINE }.into());
            }
            // The separator may begin in what is here and end in what comes.
            searched = (len + 1).saturating_sub(separator.len());
            poll_fn(|cx| self.poll_fill(cx, len + 1)).await?;
            if self.buffer.len() == len {
                break len;
            }
        };
        if end > MAX_LINE {
            return Err(ReadError::LineTooLong { limit: MAX_LINE }.into());
        }
        Ok(if end == 0 { None } else { Some(self.take(end)) })
    }

    /// Tells whether all was read and handed out.
    pub fn at_eof(&self) -> bool {
        self.buffer.is_empty() && self.source.is_drained()
    }

    pub(crate) fn session(&self) -> &ClientSession {
        &self.source.session
    }

    pub(crate) fn connection(&self) -> Option<&Connection> {
        self.source.exchange.connection()
    }

    pub(crate) fn attempt(&self) -> Attempt {
        self.source.attempt()
    }

    pub(crate) fn release(&mut self) {
        self.source.closed |= !self.source.is_drained();
        self.source.exchange.release();
    }

    pub(crate) fn close(&mut self) {
        self.source.closed |= !self.source.is_drained();
        self.source.exchange.close();
    }

    /// Fails again as before.
    fn check(&self) -> Result<(), ClientError> {
        match &self.failed {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }

    fn take(&mut self, limit: usize) -> Bytes {
        let len = self.buffer.len().min(limit);
        self.buffer.split_to(len).freeze()
    }

    fn poll_piece(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<Piece, ClientError>> {
        self.check()?;
        let piece = ready!(self.source.poll_piece(cx));
        if let Err(error) = &piece {
            self.failed = Some(error.clone());
        }
        Poll::Ready(piece)
    }

    fn poll_chunk(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<Option<Bytes>, ClientError>> {
        if !self.buffer.is_empty() {
            return Poll::Ready(self.check().map(|()| Some(self.take(usize::MAX))));
        }
        loop {
            match ready!(self.poll_piece(cx))? {
                Piece::Data(data) => return Poll::Ready(Ok(Some(data))),
                Piece::ChunkEnd => {}
                Piece::End => return Poll::Ready(Ok(None)),
            }
        }
    }

    /// Buffers until there are `size` bytes or the body has ended.
    fn poll_fill(
        &mut self,
        cx: &mut TaskContext<'_>,
        size: usize,
    ) -> Poll<Result<(), ClientError>> {
        self.check()?;
        while self.buffer.len() < size {
            match ready!(self.poll_piece(cx))? {
                Piece::Data(data) => self.buffer.extend_from_slice(&data),
                Piece::ChunkEnd => {}
                Piece::End => break,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Reads to the end, into one buffer where there is more than one piece.
    fn poll_all(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<Bytes, ClientError>> {
        self.check()?;
        if !self.buffer.is_empty() {
            let buffered = self.buffer.split();
            self.all.unsplit(buffered);
        }
        if self.all.is_empty()
            && let Some(only) = self.source.only_piece()
        {
            return Poll::Ready(Ok(only));
        }
        loop {
            let read = ready!(self.source.poll_into(cx, &mut self.all));
            match read {
                Ok(true) => {}
                Ok(false) => return Poll::Ready(Ok(self.all.split().freeze())),
                Err(error) => {
                    self.failed = Some(error.clone());
                    return Poll::Ready(Err(error));
                }
            }
        }
    }
}

impl Source {
    fn poll_piece(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<Piece, ClientError>> {
        if self.ended {
            return Poll::Ready(Ok(Piece::End));
        }
        let Some(mut coding) = self.coding.take() else {
            return Poll::Ready(Ok(match ready!(self.poll_event(cx))? {
                BodyEvent::Data(data) => Piece::Data(data),
                BodyEvent::ChunkEnd | BodyEvent::More => Piece::ChunkEnd,
                BodyEvent::End => {
                    self.ended = true;
                    Piece::End
                }
            }));
        };
        let mut output = BytesMut::new();
        let polled = self.poll_decoded(cx, &mut coding, &mut output);
        self.coding = Some(coding);
        polled.map_ok(|piece| {
            if output.is_empty() {
                piece
            } else {
                Piece::Data(output.freeze())
            }
        })
    }

    /// Decodes a piece into `output`; without any, what it gives is what came instead.
    fn poll_decoded(
        &mut self,
        cx: &mut TaskContext<'_>,
        coding: &mut Decoding,
        output: &mut BytesMut,
    ) -> Poll<Result<Piece, ClientError>> {
        let before = output.len();
        loop {
            if coding.more || !coding.input.is_empty() {
                let progress = coding.decoder.decode(&mut coding.input, output, DECODE);
                let progress = progress.map_err(|error| self.payload_error(error))?;
                coding.more = matches!(progress, Progress::NeedsBudget);
                coding.decoded += output.len() - before;
                if output.len() > before {
                    return Poll::Ready(Ok(Piece::ChunkEnd));
                }
                continue;
            }
            match ready!(self.poll_event(cx))? {
                BodyEvent::Data(data) => (coding.input, coding.more) = (data, true),
                BodyEvent::ChunkEnd | BodyEvent::More => return Poll::Ready(Ok(Piece::ChunkEnd)),
                BodyEvent::End => {
                    coding
                        .decoder
                        .finish()
                        .map_err(|error| self.payload_error(error))?;
                    if coding.decoded >= YIELD_AFTER {
                        coding.decoded = 0;
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    self.ended = true;
                    return Poll::Ready(Ok(Piece::End));
                }
            }
        }
    }

    /// Appends the next piece to `target`; tells whether there was one.
    fn poll_into(
        &mut self,
        cx: &mut TaskContext<'_>,
        target: &mut BytesMut,
    ) -> Poll<Result<bool, ClientError>> {
        if self.ended {
            return Poll::Ready(Ok(false));
        }
        if let Some(mut coding) = self.coding.take() {
            let before = target.len();
            let polled = self.poll_decoded(cx, &mut coding, target);
            self.coding = Some(coding);
            return polled.map_ok(|piece| target.len() > before || !matches!(piece, Piece::End));
        }
        match self.remaining_length() {
            // Straight into its place.
            Some(left) if left > 0 => {
                let room = left.min(PREALLOCATE) as usize;
                if target.capacity() - target.len() < room.min(64 * 1024) {
                    target.reserve(room);
                }
                let read = match self.exchange.poll_body_into(cx, target) {
                    Poll::Ready(read) => read,
                    Poll::Pending => return self.poll_late(cx).map(Err),
                };
                Poll::Ready(read.map(|read| read > 0).map_err(|error| self.error(error)))
            }
            _ => Poll::Ready(Ok(match ready!(self.poll_event(cx))? {
                BodyEvent::Data(data) => {
                    target.extend_from_slice(&data);
                    true
                }
                BodyEvent::ChunkEnd | BodyEvent::More => true,
                BodyEvent::End => {
                    self.ended = true;
                    false
                }
            })),
        }
    }

    /// Reads the next part of the body as it is on the wire.
    fn poll_event(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<BodyEvent, ClientError>> {
        if self.closed {
            return Poll::Ready(Err(self.error(ExchangeError::Closed)));
        }
        if let Some(event) = self.prefetched.next() {
            return Poll::Ready(Ok(event));
        }
        if self.exchange.connection().is_none() {
            return Poll::Ready(Ok(BodyEvent::End));
        }
        if self.watch.is_over() {
            return Poll::Ready(Err(self.late(crate::deadline::Late::Total)));
        }
        match self.exchange.poll_body(cx) {
            Poll::Ready(event) => {
                self.watch.restart();
                Poll::Ready(event.map_err(|error| self.error(error)))
            }
            Poll::Pending => self.poll_late(cx).map(Err),
        }
    }

    fn poll_late(&mut self, cx: &mut TaskContext<'_>) -> Poll<ClientError> {
        let late = ready!(self.watch.poll(cx, &mut self.exchange));
        Poll::Ready(self.late(late))
    }

    fn late(&mut self, late: crate::deadline::Late) -> ClientError {
        let error = send::too_late(late, self.attempt());
        self.exchange.close();
        error
    }

    /// The length of what is left on the wire, where nothing came with the head.
    fn remaining_length(&self) -> Option<u64> {
        if self.closed || !self.prefetched.is_empty() || self.exchange.connection().is_none() {
            return None;
        }
        self.exchange.remaining()
    }

    /// The whole body, if it came with the head in one piece and needs no decoding.
    fn only_piece(&mut self) -> Option<Bytes> {
        if self.closed
            || self.ended
            || self.coding.is_some()
            || self.exchange.connection().is_some()
        {
            return None;
        }
        let only = self.prefetched.only_piece()?;
        self.ended = true;
        Some(only)
    }

    /// Passes over the end of a chunk, if it is what comes next.
    fn skip_chunk_end(&mut self) -> bool {
        if self
            .coding
            .as_ref()
            .is_some_and(|coding| coding.more || !coding.input.is_empty())
        {
            return false;
        }
        if self.prefetched.is_empty() && self.exchange.connection().is_some() {
            match self.exchange.buffered() {
                Ok(BodyEvent::ChunkEnd) => return true,
                Ok(BodyEvent::More | BodyEvent::End) | Err(_) => return false,
                Ok(data) => self.prefetched.push(data),
            }
        }
        self.prefetched.skip_chunk_end()
    }

    fn is_drained(&self) -> bool {
        let decoding = self
            .coding
            .as_ref()
            .is_some_and(|coding| coding.more || !coding.input.is_empty());
        self.ended
            || (self.prefetched.is_empty() && !decoding && self.exchange.connection().is_none())
    }

    fn attempt(&self) -> Attempt {
        let started = self.watch.deadlines.started;
        send::attempt(self.head.url(), started, Phase::Body, true)
    }

    fn error(&self, error: ExchangeError) -> ClientError {
        send::failed(error, self.attempt())
    }

    /// The error of a body that cannot be decoded; its connection is closed.
    fn payload_error(&mut self, error: PayloadError) -> ClientError {
        self.exchange.close();
        self.error(ExchangeError::Payload(error))
    }
}

impl Prefetched {
    /// Takes what came with the head; when that is all, the connection goes back.
    fn take(exchange: &mut Exchange) -> (Self, Option<ExchangeError>) {
        let mut prefetched = Self::None;
        loop {
            match exchange.buffered() {
                Ok(BodyEvent::More | BodyEvent::End) => return (prefetched, None),
                Ok(event) => prefetched.push(event),
                Err(error) => return (prefetched, Some(error)),
            }
            if exchange.connection().is_none() {
                return (prefetched, None);
            }
        }
    }

    fn push(&mut self, event: BodyEvent) {
        let before = std::mem::replace(self, Self::None);
        *self = match (before, event) {
            (Self::None, BodyEvent::Data(data)) => Self::One(data),
            (Self::None, event) => Self::Many(VecDeque::from([event])),
            (Self::One(data), event) => Self::Many(VecDeque::from([BodyEvent::Data(data), event])),
            (Self::Many(mut events), event) => {
                events.push_back(event);
                Self::Many(events)
            }
        };
    }

    fn next(&mut self) -> Option<BodyEvent> {
        match self {
            Self::None => None,
            Self::One(data) => {
                let data = std::mem::take(data);
                *self = Self::None;
                Some(BodyEvent::Data(data))
            }
            Self::Many(events) => events.pop_front(),
        }
    }

    fn only_piece(&mut self) -> Option<Bytes> {
        let Self::One(only) = self else { return None };
        let only = std::mem::take(only);
        *self = Self::None;
        Some(only)
    }

    fn skip_chunk_end(&mut self) -> bool {
        let Self::Many(events) = self else {
            return false;
        };
        let ends = events.front() == Some(&BodyEvent::ChunkEnd);
        if ends {
            events.pop_front();
        }
        ends
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::None => true,
            Self::One(_) => false,
            Self::Many(events) => events.is_empty(),
        }
    }
}

impl Decoding {
    fn new(coding: Coding) -> Self {
        Self {
            decoder: Decoder::new(coding),
            input: Bytes::new(),
            more: false,
            decoded: 0,
        }
    }
}

impl AsyncRead for Content {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        target: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let content = self.get_mut();
        ready!(content.poll_fill(cx, 1))?;
        let len = content.buffer.len().min(target.remaining());
        target.put_slice(content.buffer.get(..len).unwrap_or_default());
        content.buffer.advance(len);
        Poll::Ready(Ok(()))
    }
}

impl Stream for Content {
    type Item = Result<Bytes, ClientError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        let content = self.get_mut();
        // A stream ends with its error.
        if content.failed.is_some() && content.source.ended {
            return Poll::Ready(None);
        }
        let chunk = ready!(content.poll_chunk(cx));
        if chunk.is_err() {
            content.source.ended = true;
        }
        Poll::Ready(chunk.transpose())
    }
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Content")
            .field("at_eof", &self.at_eof())
            .finish_non_exhaustive()
    }
}
