//! Where the pieces of a body come from: the wire, through the decoder, in time.

use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use aio_connector::{Attempt, Exchange, ExchangeError, Phase, Timings};
use aio_core::PayloadError;
use aio_core::coding::{Decoder, Progress};
use aio_core::http1::BodyEvent;
use bytes::{Bytes, BytesMut};
use tokio::task::coop;

use super::prefetched::Prefetched;
use crate::deadline::{Late, Watch};
use crate::error::ClientError;
use crate::options::RequestOptions;
use crate::response::ResponseHead;
use crate::session::{ClientSession, Context, send};

/// How much is decoded at a time.
const DECODE: u64 = 64 * 1024;

/// What is set aside at once for a body that tells its length.
const PREALLOCATE: u64 = 1024 * 1024;

/// How much longer a decoded body is than an encoded one, most often at most: so much
/// room, but not more than `EXPECTED`, saves growing and copying on the way.
const RATIO: u64 = 6;
const EXPECTED: u64 = 1024 * 1024;

/// Where decoded pieces come from.
pub(super) struct Source {
    pub(super) exchange: Exchange,
    /// What came with the head.
    prefetched: Prefetched,
    coding: Option<Box<Decoding>>,
    watch: Watch,
    options: Arc<RequestOptions>,
    pub(super) session: ClientSession,
    head: ResponseHead,
    ended: bool,
    /// How many bytes of body were received, encoded ones if they are.
    received: u64,
    /// Released or closed by the reader.
    closed: bool,
    /// What the next read fails with: found on the way to what was last given.
    failed: Option<ClientError>,
}

/// The decoder of a body that has a content coding.
struct Decoding {
    decoder: Decoder,
    input: Bytes,
    /// The decoder may have more from the input before.
    more: bool,
    /// How many bytes were decoded.
    decoded: u64,
    /// How many may be.
    limit: u64,
}

/// What decoding came upon.
enum Decoded {
    Output,
    ChunkEnd,
    End,
}

/// A part of the body.
pub(super) enum Piece {
    Data(Bytes),
    /// A chunk of the chunked coding has ended.
    ChunkEnd,
    End,
}

impl Source {
    /// Makes it of an exchange whose head has come, and what of the body came with it.
    pub(super) fn new(
        context: &Context,
        head: &ResponseHead,
        options: Arc<RequestOptions>,
        exchange: Exchange,
        prefetched: Prefetched,
    ) -> Self {
        let reading = &options.reading;
        let decoder = if options.auto_decompress {
            let fields = head.headers().get_all("content-encoding");
            let fields = fields.map(|field| field.as_bytes());
            Decoder::of_fields(fields, reading.codings.known())
        } else {
            None
        };
        let most = reading.max_decoded_size.unwrap_or(u64::MAX);
        Self {
            exchange,
            prefetched,
            coding: decoder.map(|decoder| Box::new(Decoding::new(decoder, most))),
            watch: Watch::new(context.deadlines),
            options,
            session: context.session.clone(),
            head: head.clone(),
            ended: false,
            received: 0,
            closed: false,
            failed: None,
        }
    }

    /// Gives the connection back if the rest of the body has arrived, else closes it.
    pub(super) fn release(&mut self) {
        self.closed = true;
        self.exchange.release();
    }

    /// Closes the connection.
    pub(super) fn close(&mut self) {
        self.closed = true;
        self.exchange.close();
    }

    /// Tells whether the reader has released or closed it.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Fails where reading is over.
    pub(super) fn check(&mut self) -> Result<(), ClientError> {
        if self.closed {
            return Err(self.error(ExchangeError::Closed));
        }
        if self.exchange.connection().is_some() && self.watch.is_over() {
            return Err(self.late(Late::Total));
        }
        self.failed.take().map_or(Ok(()), Err)
    }

    pub(super) fn poll_piece(
        &mut self,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Result<Piece, ClientError>> {
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
        let decoded = self.poll_decoded(cx, &mut coding, &mut output);
        self.coding = Some(coding);
        decoded.map_ok(|decoded| match decoded {
            Decoded::Output => Piece::Data(output.freeze()),
            Decoded::ChunkEnd => Piece::ChunkEnd,
            Decoded::End => Piece::End,
        })
    }

    /// Decodes the next piece and appends it to `output`.
    fn poll_decoded(
        &mut self,
        cx: &mut TaskContext<'_>,
        coding: &mut Decoding,
        output: &mut BytesMut,
    ) -> Poll<Result<Decoded, ClientError>> {
        let before = output.len();
        loop {
            if coding.more || !coding.input.is_empty() {
                // What is at hand may become gigabytes: other tasks have their turn.
                ready!(coop::poll_proceed(cx)).made_progress();
                // One byte too many shows that there are too many.
                let left = coding.limit - coding.decoded;
                let budget = left.saturating_add(1).min(DECODE) as usize;
                let progress = coding.decoder.decode(&mut coding.input, output, budget);
                let decoded = (output.len() - before) as u64;
                if decoded > left {
                    output.truncate(before);
                    return Poll::Ready(Err(self.decoded_too_large()));
                }
                coding.decoded += decoded;
                let progress = progress.map_err(|error| self.payload_error(error))?;
                coding.more = matches!(progress, Progress::NeedsBudget);
                if decoded > 0 {
                    return Poll::Ready(Ok(Decoded::Output));
                }
                // Much was decoded between stacked codings, and nothing came of it: that was
                // a long turn.
                if coding.more {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                continue;
            }
            match ready!(self.poll_event(cx))? {
                BodyEvent::Data(data) => (coding.input, coding.more) = (data, true),
                BodyEvent::ChunkEnd | BodyEvent::More => return Poll::Ready(Ok(Decoded::ChunkEnd)),
                BodyEvent::End => {
                    match coding.decoder.finish() {
                        Err(PayloadError::Truncated { .. })
                            if self.options.reading.tolerate_truncated => {}
                        finished => finished.map_err(|error| self.payload_error(error))?,
                    }
                    self.ended = true;
                    return Poll::Ready(Ok(Decoded::End));
                }
            }
        }
    }

    /// Appends the next piece to `target`; tells whether there was one.
    pub(super) fn poll_into(
        &mut self,
        cx: &mut TaskContext<'_>,
        target: &mut BytesMut,
    ) -> Poll<Result<bool, ClientError>> {
        if self.ended {
            return Poll::Ready(Ok(false));
        }
        if let Some(mut coding) = self.coding.take() {
            if target.capacity() == 0
                && let Some(encoded) = self.head.content_length()
            {
                let expected = encoded.saturating_mul(RATIO).min(EXPECTED);
                target.reserve(expected.min(coding.limit) as usize);
            }
            let decoded = self.poll_decoded(cx, &mut coding, target);
            self.coding = Some(coding);
            return decoded.map_ok(|decoded| !matches!(decoded, Decoded::End));
        }
        match self.remaining_length() {
            // Straight into its place.
            Some(left) if left > 0 => {
                self.check()?;
                let room = left.min(PREALLOCATE) as usize;
                if target.capacity() - target.len() < room.min(64 * 1024) {
                    target.reserve(room);
                }
                let read = match self.exchange.poll_body_into(cx, target) {
                    Poll::Ready(read) => read,
                    Poll::Pending => return self.poll_late(cx).map(Err),
                };
                let read = read.map_err(|error| self.error(error))?;
                self.received += read as u64;
                Poll::Ready(Ok(read > 0))
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
        self.check()?;
        let event = match self.prefetched.next() {
            Some(event) => event,
            None => match self.exchange.poll_body(cx) {
                Poll::Ready(event) => {
                    self.watch.restart();
                    event.map_err(|error| self.error(error))?
                }
                Poll::Pending => return self.poll_late(cx).map(Err),
            },
        };
        if let BodyEvent::Data(data) = &event {
            self.received += data.len() as u64;
        }
        Poll::Ready(Ok(event))
    }

    fn poll_late(&mut self, cx: &mut TaskContext<'_>) -> Poll<ClientError> {
        let late = ready!(
            self.watch
                .poll(cx, &mut self.exchange, &self.options.timeout, None)
        );
        Poll::Ready(self.late(late))
    }

    fn late(&mut self, late: Late) -> ClientError {
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
    pub(super) fn only_piece(&mut self) -> Option<Bytes> {
        if self.closed
            || self.ended
            || self.coding.is_some()
            || self.exchange.connection().is_some()
        {
            return None;
        }
        let only = self.prefetched.only_piece()?;
        self.received += only.len() as u64;
        self.ended = true;
        Some(only)
    }

    /// Passes over the end of a chunk, if it is what comes next.
    pub(super) fn skip_chunk_end(&mut self) -> bool {
        if self
            .coding
            .as_ref()
            .is_some_and(|coding| coding.more || !coding.input.is_empty())
        {
            return false;
        }
        // A body of known length has no chunks.
        if self.prefetched.is_empty() && self.exchange.remaining().is_none() {
            match self.exchange.buffered() {
                Ok(BodyEvent::ChunkEnd) => return true,
                Ok(BodyEvent::More | BodyEvent::End) => return false,
                Ok(data) => self.prefetched.push(data),
                Err(error) => {
                    self.failed = Some(self.error(error));
                    return false;
                }
            }
        }
        self.prefetched.skip_chunk_end()
    }

    /// Tells whether all of the body was given.
    pub(super) fn is_drained(&self) -> bool {
        let arrived = self.exchange.connection().is_none() && self.prefetched.is_spent();
        self.ended || (arrived && !self.closed && self.coding.is_none() && self.failed.is_none())
    }

    /// Tells whether all of the body is here, decoded if it has a coding.
    pub(super) fn has_come(&self) -> bool {
        let arrived = self.exchange.connection().is_none() && self.coding.is_none();
        self.ended || (arrived && !self.closed && self.failed.is_none())
    }

    /// Returns how many bytes of body were received.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// Returns how many bytes of body there were, decoded if it has a coding.
    pub(super) fn decoded(&self) -> u64 {
        let coding = self.coding.as_ref();
        coding.map_or(self.received, |coding| coding.decoded)
    }

    /// Tells whether the body has a coding that is undone.
    pub(super) fn is_decoding(&self) -> bool {
        self.coding.is_some()
    }

    /// Returns how many bytes are still to be given, if that is known.
    pub(super) fn left(&self) -> Option<u64> {
        if self.ended {
            return Some(0);
        }
        if self.closed || self.coding.is_some() || self.failed.is_some() {
            return None;
        }
        Some(self.prefetched.len() + self.exchange.remaining()?)
    }

    pub(super) fn timings(&self) -> Timings {
        self.exchange.timings(self.watch.deadlines.started)
    }

    pub(super) fn attempt(&self) -> Attempt {
        let started = self.watch.deadlines.started;
        send::attempt(self.head.url(), started, Phase::Body, true)
    }

    fn error(&self, error: ExchangeError) -> ClientError {
        send::failed(error, self.attempt())
    }

    pub(super) fn max_decoded_size(&self) -> Option<u64> {
        self.options.reading.max_decoded_size
    }

    fn decoded_too_large(&mut self) -> ClientError {
        let limit = self.options.reading.max_decoded_size.unwrap_or(u64::MAX);
        self.payload_error(PayloadError::DecodedTooLarge { limit })
    }

    /// Fails where a body of so many bytes is too long to be read whole.
    pub(super) fn check_size(&mut self, size: u64) -> Result<(), ClientError> {
        match self.options.reading.max_body_size {
            Some(limit) if size > limit => {
                Err(self.payload_error(PayloadError::BodyTooLarge { limit }))
            }
            _ => Ok(()),
        }
    }

    /// How much is still to come at least.
    pub(super) fn announced(&self) -> u64 {
        match self.coding {
            Some(_) => 0,
            None => self.prefetched.len() + self.exchange.remaining().unwrap_or(0),
        }
    }

    /// The error of a body that cannot be read; its connection is closed.
    fn payload_error(&mut self, error: PayloadError) -> ClientError {
        self.exchange.close();
        self.error(ExchangeError::Payload(error))
    }
}

impl Decoding {
    fn new(decoder: Decoder, limit: u64) -> Self {
        Self {
            decoder,
            input: Bytes::new(),
            more: false,
            decoded: 0,
            limit,
        }
    }
}
