//! The body of a response, read piece by piece.

mod copy;
mod held;
mod marks;
mod prefetched;
mod source;
mod traits;

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use aio_connector::{Attempt, Connection, Exchange, Phase, Timings, Transport, Upgraded};
use aio_core::HeaderView;
use bytes::{Bytes, BytesMut};

use self::held::Held;
use self::marks::ChunkMarks;
use self::prefetched::Prefetched;
use self::source::{Piece, Source};
use crate::error::{ClientError, ClientReadError, ReadError, UsageError};
use crate::options::RequestOptions;
use crate::response::ResponseHead;
use crate::session::{ClientSession, Context, send};

/// Longest line that [`Content::line`] and [`Content::until`] look for; aiohttp's.
const MAX_LINE: usize = 512 * 1024;

/// The body of a response as it arrives; aiohttp's `StreamReader`.
///
/// Nothing is read ahead: what the reader does not ask for stays with the server. The
/// futures may be dropped at any time; the next call reads on where they were.
///
/// It is also an [`AsyncRead`](tokio::io::AsyncRead), an
/// [`AsyncBufRead`](tokio::io::AsyncBufRead), a [`Stream`](futures_core::Stream) of pieces
/// and an [`http_body::Body`].
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
    held: Held,
    failed: Option<ClientError>,
    /// The stream has given its error, or the body its trailers.
    told: bool,
    marks: ChunkMarks,
}

impl Content {
    pub(crate) fn new(
        context: &Context,
        head: &ResponseHead,
        options: Arc<RequestOptions>,
        mut exchange: Exchange,
    ) -> Self {
        let (prefetched, failed) = Prefetched::take(&mut exchange);
        // A body may break its framing within what came with the head.
        let failed = failed.map(|error| {
            let started = context.deadlines.started;
            send::failed(error, send::attempt(head.url(), started, Phase::Body, true))
        });
        Self {
            source: Source::new(context, head, options, exchange, prefetched),
            held: Held::default(),
            failed,
            told: false,
            marks: ChunkMarks::default(),
        }
    }

    /// Returns the next piece as it arrives, never an empty one; `None` at the end.
    /// aiohttp's `readany` and `iter_any`.
    ///
    /// # Errors
    /// If the body ends early, cannot be decoded, or comes too late.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, ClientError> {
        poll_fn(|cx| self.poll_chunk(cx)).await
    }

    /// Returns the next `size` bytes, at the end of the body fewer; `None` behind it. It
    /// waits until there are as many; [`read`](Self::read) does not.
    ///
    /// # Errors
    /// As [`chunk`](Self::chunk).
    pub async fn chunk_of(&mut self, size: usize) -> Result<Option<Bytes>, ClientError> {
        let size = size.max(1);
        poll_fn(|cx| self.poll_fill(cx, size)).await?;
        let piece = self.held.take(size);
        Ok(if piece.is_empty() { None } else { Some(piece) })
    }

    /// Returns the next piece and whether a chunk of the chunked coding ends with it;
    /// `None` at the end. aiohttp's `readchunk` and `iter_chunks`.
    ///
    /// The piece is empty where a chunk's end came by itself, or where another way of
    /// reading has left off.
    ///
    /// # Errors
    /// As [`chunk`](Self::chunk).
    pub async fn http_chunk(&mut self) -> Result<Option<(Bytes, bool)>, ClientError> {
        poll_fn(|cx| {
            self.check()?;
            loop {
                if let Some(end) = self.marks.next(self.given()) {
                    let len = usize::try_from(end - self.given()).unwrap_or(usize::MAX);
                    return Poll::Ready(Ok(Some((self.held.take(len), true))));
                }
                if !self.held.is_empty() {
                    return Poll::Ready(Ok(Some((self.held.take_front(), false))));
                }
                if !ready!(self.poll_more(cx))? && self.marks.is_told() {
                    return Poll::Ready(Ok(None));
                }
            }
        })
        .await
    }

    /// Returns up to `limit` bytes of what is there, at least one; empty at the end.
    /// aiohttp's `read(n)` and `iter_chunked(n)`.
    ///
    /// # Errors
    /// As [`chunk`](Self::chunk).
    pub async fn read(&mut self, limit: usize) -> Result<Bytes, ClientError> {
        if limit == 0 {
            self.check()?;
            return Ok(Bytes::new());
        }
        poll_fn(|cx| {
            ready!(self.poll_fill(cx, 1))?;
            // What is there already comes along; an error behind it is for the next call.
            while self.held.len() < limit
                && let Poll::Ready(Ok(true)) = self.poll_more(cx)
            {}
            Poll::Ready(Ok::<_, ClientError>(()))
        })
        .await?;
        Ok(self.held.take(limit))
    }

    /// Returns all that is left. aiohttp's `read()`.
    ///
    /// # Errors
    /// As [`chunk`](Self::chunk), and if it is more than the request's
    /// [`max_body_size`](crate::RequestBuilder::max_body_size).
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
        let bytes = self.held.take(size);
        if bytes.len() < size {
            let error = ReadError::Incomplete {
                partial: bytes,
                expected: size,
            };
            return Err(self.read_error(error));
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

    /// Returns the next line with its line feed, which is at most `limit` bytes long.
    /// aiohttp's `max_line_length`.
    ///
    /// # Errors
    /// As [`until_within`](Self::until_within).
    pub async fn line_within(&mut self, limit: usize) -> Result<Option<Bytes>, ClientError> {
        self.until_within(b"\n", limit).await
    }

    /// Returns what comes up to and with `separator`, at the end of the body what is
    /// left; `None` behind it. aiohttp's `readuntil`.
    ///
    /// # Errors
    /// As [`chunk`](Self::chunk), if the separator is empty, and if it does not end within
    /// 512 KiB.
    pub async fn until(&mut self, separator: &[u8]) -> Result<Option<Bytes>, ClientError> {
        self.until_within(separator, MAX_LINE).await
    }

    /// Returns what comes up to and with `separator`, at most `limit` bytes. aiohttp's
    /// `max_size`.
    ///
    /// What is longer is passed over as far as it has come, as in aiohttp: the next read
    /// begins behind it.
    ///
    /// ```
    /// # async fn run(mut response: aio_client::ClientResponse) -> Result<(), aio_client::ClientError> {
    /// while let Some(record) = response.content().until_within(b"\0", 4096).await? {
    ///     println!("{} bytes", record.len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`chunk`](Self::chunk), if the separator is empty, and if it does not end within
    /// `limit` bytes.
    pub async fn until_within(
        &mut self,
        separator: &[u8],
        limit: usize,
    ) -> Result<Option<Bytes>, ClientError> {
        if separator.is_empty() {
            return Err(UsageError::EmptySeparator.into());
        }
        self.check()?;
        let mut searched = 0;
        let end = loop {
            if let Some(end) = self.held.find(separator, searched) {
                break end;
            }
            searched = self.held.len();
            if searched > limit {
                break searched;
            }
            poll_fn(|cx| self.poll_fill(cx, searched + 1)).await?;
            if self.held.len() == searched {
                break searched;
            }
        };
        let found = self.held.take(end);
        if end > limit {
            return Err(self.read_error(ReadError::LineTooLong { limit }));
        }
        Ok(if end == 0 { None } else { Some(found) })
    }

    /// Returns how many bytes of the body have come so far, decoded and whether handed out
    /// or not.
    pub fn total_bytes(&self) -> u64 {
        self.source.decoded()
    }

    /// Returns how many bytes of the body have come so far as they are on the wire, without
    /// the framing of chunks.
    pub fn total_raw_bytes(&self) -> u64 {
        self.source.received()
    }

    /// Tells whether all of the body has come, be it handed out or not.
    ///
    /// A body with a content coding has come when it is decoded, in the steps it is read in.
    pub fn is_eof(&self) -> bool {
        self.failed.is_none() && self.source.has_come()
    }

    /// Tells whether all was read and handed out.
    pub fn at_eof(&self) -> bool {
        self.held.is_empty() && self.failed.is_none() && self.source.is_drained()
    }

    /// Returns the fields that came behind the body; as
    /// [`ClientResponse::trailers`](crate::ClientResponse::trailers).
    pub fn trailers(&self) -> Option<&HeaderView> {
        let trailers = self.source.exchange.trailers()?;
        self.at_eof().then_some(trailers)
    }

    /// Tells how long the parts of the request took; as
    /// [`ClientResponse::timings`](crate::ClientResponse::timings).
    pub fn timings(&self) -> Timings {
        self.source.timings()
    }

    pub(crate) fn session(&self) -> &ClientSession {
        &self.source.session
    }

    pub(crate) fn connection(&self) -> Option<&Connection> {
        self.source.exchange.connection()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.source.is_closed()
    }

    /// Tells whether what is read is decoded, so that the head describes something else.
    pub(crate) fn is_decoding(&self) -> bool {
        self.source.is_decoding()
    }

    pub(crate) fn max_decoded_size(&self) -> Option<u64> {
        self.source.max_decoded_size()
    }

    pub(crate) fn attempt(&self) -> Attempt {
        self.source.attempt()
    }

    pub(crate) fn read_error(&self, source: ReadError) -> ClientError {
        ClientReadError {
            source,
            attempt: self.attempt(),
        }
        .into()
    }

    pub(crate) fn detach(&mut self) -> Option<(Transport, Bytes)> {
        self.source.exchange.detach()
    }

    pub(crate) fn upgrade(&mut self) -> Option<(Upgraded, Bytes)> {
        self.source.exchange.upgrade()
    }

    pub(crate) fn release(&mut self) {
        self.source.release();
    }

    pub(crate) fn close(&mut self) {
        self.source.close();
    }

    /// Fails where reading is over: after a failure as before, after a release or close,
    /// and when `total` is over though data may be at hand (TMO-17).
    pub(crate) fn check(&mut self) -> Result<(), ClientError> {
        if self.failed.is_none() {
            self.failed = self.source.check().err();
        }
        match &self.failed {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }

    /// Has later reads fail as those of a closed response (aiohttp after `total`).
    pub(crate) fn fail_as_closed(&mut self) {
        self.failed = None;
        self.close();
    }

    /// Has later reads fail with the same error.
    fn fail(&mut self, error: ClientError) -> ClientError {
        self.failed = Some(error.clone());
        error
    }

    /// How many bytes are handed out.
    fn given(&self) -> u64 {
        let held = self.held.len() as u64;
        self.total_bytes().saturating_sub(held)
    }

    /// Holds the next piece, or comes upon the end of a chunk; tells whether there is more.
    fn poll_more(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<bool, ClientError>> {
        self.check()?;
        let Poll::Ready(piece) = self.source.poll_piece(cx) else {
            self.marks.waited();
            return Poll::Pending;
        };
        let piece = piece.map_err(|error| self.fail(error))?;
        let is_end = matches!(piece, Piece::End);
        let ends_chunk = match piece {
            Piece::Data(data) => {
                self.held.push(data);
                self.source.skip_chunk_end()
            }
            Piece::ChunkEnd => true,
            Piece::End => self.marks.is_chunked(),
        };
        if ends_chunk {
            let total = self.total_bytes();
            self.marks.chunk_end(total, self.given());
        }
        Poll::Ready(Ok(!is_end))
    }

    pub(crate) fn poll_chunk(
        &mut self,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Result<Option<Bytes>, ClientError>> {
        let more = ready!(self.poll_held(cx))?;
        Poll::Ready(Ok(more.then(|| self.held.take_front())))
    }

    /// Waits until there is something to take; tells whether there is.
    pub(crate) fn poll_held(
        &mut self,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Result<bool, ClientError>> {
        ready!(self.poll_fill(cx, 1))?;
        Poll::Ready(Ok(!self.held.is_empty()))
    }

    /// Gives what is there to `take`, which leaves the rest of it.
    pub(crate) fn take_held<T>(&mut self, take: impl FnOnce(&mut &[u8]) -> T) -> T {
        let front = self.held.front();
        let mut rest = front;
        let taken = take(&mut rest);
        let len = front.len() - rest.len();
        self.held.advance(len);
        taken
    }

    /// Holds `size` bytes, or all there are until the end.
    fn poll_fill(
        &mut self,
        cx: &mut TaskContext<'_>,
        size: usize,
    ) -> Poll<Result<(), ClientError>> {
        self.check()?;
        while self.held.len() < size && ready!(self.poll_more(cx))? {}
        Poll::Ready(Ok(()))
    }

    /// Reads to the end; what is there when the reader goes away is there for the next.
    fn poll_all(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<Bytes, ClientError>> {
        self.check()?;
        let announced = self
            .source
            .announced()
            .saturating_add(self.held.len() as u64);
        self.source
            .check_size(announced)
            .map_err(|error| self.fail(error))?;
        if self.held.is_empty()
            && let Some(only) = self.source.only_piece()
        {
            return Poll::Ready(Ok(only));
        }
        let target = self.held.joined();
        let read = loop {
            match ready!(self.source.poll_into(cx, target)) {
                Ok(true) => {
                    if let Err(error) = self.source.check_size(target.len() as u64) {
                        *target = BytesMut::new();
                        break Err(error);
                    }
                }
                Ok(false) => break Ok(target.split().freeze()),
                Err(error) => break Err(error),
            }
        };
        Poll::Ready(read.map_err(|error| self.fail(error)))
    }
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Content")
            .field("at_eof", &self.at_eof())
            .finish_non_exhaustive()
    }
}
