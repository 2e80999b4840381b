//! Runs the HTTP/1.1 codec over a byte stream, inside the task of the request.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use aio_core::http1::{
    BodyDecoder, BodyEvent, Exchanged, Framing, Head, HeadParser, Limits, Message,
};
use aio_core::{Body, HeaderView, HttpError, PayloadError};
use bytes::{BufMut, Bytes, BytesMut};
use http::{Method, StatusCode};
use tokio::io::AsyncReadExt;
use tokio::runtime::{self, Handle};

use crate::connection::Slot;
use crate::exchange::{ExchangeError, ExchangeOptions};
use crate::info::{ConnectionInfo, Facts};
use crate::key::ConnectionKey;
use crate::pool::{Kept, User};
use crate::received::{IDLE_BUFFER, READ, Received};
use crate::timer::{Timer, now};
use crate::timings::{Marks, Steps};
use crate::transport::Transport;
use crate::upgraded::Upgraded;
use crate::upload::{Upload, UploadError};

/// What is told of a head that was cut off.
const PARTIAL: usize = 4 * 1024;

/// How much of an unread body is taken from the socket to save its connection.
const DRAIN: usize = 64 * 1024;

/// A connection that speaks HTTP/1.1, with its buffers and the exchange under way.
pub(crate) struct Link {
    stream: Transport,
    received: Received,
    /// Where the next head is written; see [`Link::head_buffer`].
    head: BytesMut,
    pub(crate) sent_head: Bytes,
    pub(crate) timer: Timer,
    /// Whose driver tells when the socket is ready; it may end before the connection.
    runtime: Option<runtime::Id>,
    requests: u64,
    created: Instant,
    facts: Arc<Facts>,
    pub(crate) marks: Marks,
    /// What making it took, for the first request on it.
    pub(crate) steps: Option<Box<Steps>>,
    /// Whoever waits for the connection; woken when its pool is closed.
    user: Arc<User>,
    exchange: State,
    pub(crate) force_close: bool,
    /// A request was sent on it since it was taken from the pool.
    pub(crate) used: bool,
    /// There while it is in use. The last to be dropped: it stands for the socket.
    pub(crate) slot: Option<Slot>,
}

/// The exchange under way, or the one before.
struct State {
    upload: Upload,
    upload_failed: Option<io::Error>,
    parser: HeadParser,
    interim: usize,
    /// Boxed: hardly any response has such ones before it.
    informational: Option<Box<Interim>>,
    limits: Limits,
    exchanged: Exchanged,
    body: BodyDecoder,
    message: Option<Message>,
    /// The response refuses the request, or came instead of the leave to send its body:
    /// nobody wants the rest of it.
    refused: bool,
    /// Pieces of data received since the request began.
    receipts: u64,
    /// Nothing has come or gone since the head came.
    at_head: bool,
}

/// The interim (1xx) responses that are kept.
#[derive(Default)]
struct Interim {
    heads: Vec<Informational>,
    /// How long they are taken together, those counted in that were passed over.
    len: usize,
}

/// The status and the headers of an interim response.
type Informational = (StatusCode, HeaderView);

impl Link {
    pub(crate) fn new(stream: Transport, user: Arc<User>) -> Self {
        let limits = Limits::default();
        let created = now();
        Self {
            facts: Arc::new(stream.facts()),
            marks: Marks::begun(created),
            steps: None,
            stream,
            received: Received::new(),
            head: BytesMut::new(),
            sent_head: Bytes::new(),
            timer: Timer::default(),
            runtime: current_runtime(),
            requests: 0,
            created,
            user,
            exchange: State {
                upload: Upload::default(),
                upload_failed: None,
                parser: HeadParser::new(limits),
                interim: 0,
                informational: None,
                limits,
                exchanged: Exchanged::of(&Method::GET),
                body: BodyDecoder::new(Framing::None, &limits, 0),
                message: None,
                refused: false,
                receipts: 0,
                at_head: false,
            },
            force_close: false,
            used: false,
            slot: None,
        }
    }

    pub(crate) fn facts(&self) -> &Arc<Facts> {
        &self.facts
    }

    /// Returns when the exchange came to its end, which is now, or, with its response not
    /// whole, is left.
    pub(crate) fn end(&self, whole: bool) -> Instant {
        match self.marks.head {
            Some(head) if whole && self.exchange.at_head => head,
            _ => now(),
        }
    }

    pub(crate) fn take_trailers(&mut self) -> Option<Box<HeaderView>> {
        self.exchange.body.take_trailers()
    }

    pub(crate) fn trailers(&self) -> Option<&HeaderView> {
        self.exchange.body.trailers()
    }

    pub(crate) fn informational(&self) -> &[Informational] {
        let interim = self.exchange.informational.as_deref();
        interim.map_or(&[], |interim| &interim.heads)
    }

    #[inline]
    pub(crate) fn take_informational(&mut self) -> Option<Box<[Informational]>> {
        let interim = self.exchange.informational.take()?;
        Some(interim.heads.into_boxed_slice())
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.stream
    }

    /// Takes the byte stream out, and what was received and not read yet.
    pub(crate) fn into_parts(self) -> (Transport, Bytes) {
        (self.stream, self.received.into_bytes())
    }

    /// Takes the same out together with the slot of the connection.
    pub(crate) fn into_upgraded(self, info: ConnectionInfo) -> (Upgraded, Bytes) {
        let slot = self.slot.expect("a connection in use has its slot");
        let stream = Upgraded::new(self.stream, slot, self.user, info);
        (stream, self.received.into_bytes())
    }

    pub(crate) fn slot(&self) -> &Slot {
        self.slot
            .as_ref()
            .expect("a connection in use has its slot")
    }

    /// Gives the buffer that the head of the next request is written into, and whom that
    /// goes to.
    pub(crate) fn head_buffer(&mut self) -> (&mut BytesMut, &ConnectionKey) {
        self.head.clear();
        self.head.reserve(512);
        let slot = self
            .slot
            .as_ref()
            .expect("a connection in use has its slot");
        (&mut self.head, slot.key())
    }

    /// Begins an exchange with the head that was written into the buffer.
    pub(crate) fn start(&mut self, body: Body, options: &ExchangeOptions) {
        let head = self.head.split().freeze();
        // The buffer of a long head is not for the next one.
        if head.len() + self.head.capacity() > IDLE_BUFFER {
            self.head = BytesMut::new();
        }
        let state = &mut self.exchange;
        let hold = options.expect_continue;
        state
            .upload
            .start(head.clone(), body, options.framing, hold);
        state.parser = HeadParser::new(options.limits);
        (state.limits, state.exchanged) = (options.limits, options.exchanged);
        (state.interim, state.receipts) = (0, 0);
        (state.message, state.upload_failed, state.refused) = (None, None, false);
        self.requests += 1;
        self.sent_head = head;
    }

    pub(crate) fn sent(&self) -> u64 {
        self.exchange.upload.written()
    }

    /// Tells whether the request is out, as far as it will ever be.
    pub(crate) fn is_sent(&self) -> bool {
        self.exchange.upload.is_done() || self.exchange.upload_failed.is_some()
    }

    /// Tells whether the connection is to take more of the request.
    pub(crate) fn is_sending(&self) -> bool {
        let state = &self.exchange;
        !self.is_sent() && !state.refused && !state.upload.is_starved()
    }

    /// Tells whether the head is out and the body waits for the server's leave.
    pub(crate) fn is_waiting_for_continue(&self) -> bool {
        self.exchange.upload.is_holding()
    }

    /// Sends the body without waiting on.
    pub(crate) fn send_body(&mut self) {
        self.exchange.upload.let_go();
    }

    /// Gives back the body that the server did not let go.
    pub(crate) fn take_unsent_body(&mut self) -> Option<Body> {
        self.exchange.upload.take_unsent()
    }

    /// Tells whether the response has come whole.
    pub(crate) fn is_received(&self) -> bool {
        self.exchange.message.is_some() && self.exchange.body.has_ended()
    }

    /// Tells whether nothing of the exchange is left to do.
    pub(crate) fn has_ended(&self) -> bool {
        self.is_received() && (self.is_sent() || self.exchange.refused)
    }

    /// Tells whether what follows the response is no HTTP any more.
    pub(crate) fn is_upgraded(&self) -> bool {
        let message = self.exchange.message;
        message.is_some_and(|message| message.upgraded)
    }

    pub(crate) fn receipts(&self) -> u64 {
        self.exchange.receipts
    }

    pub(crate) fn message(&self) -> Option<Message> {
        self.exchange.message
    }

    pub(crate) fn remaining(&self) -> Option<u64> {
        self.exchange.body.remaining()
    }

    /// Writes the request and reads the head of its final response.
    pub(crate) fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Head, ExchangeError>> {
        // Before the first byte is sent there is nothing to read, and a read costs.
        if self.sent() == 0 {
            self.drive_upload(cx)?;
        }
        loop {
            match self.poll_receive(cx, false) {
                Poll::Pending => {
                    if !self.is_sent() {
                        self.drive_upload(cx)?;
                    }
                    return self.wait(cx);
                }
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(self.disconnected())),
                Poll::Ready(Ok(_)) => {}
                // TLS that ends without a word: whole or not, there is no response.
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Poll::Ready(Err(self.disconnected()));
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(self.failed(error))),
            }
            while let Some(head) = self.exchange.parser.parse(&mut self.received)? {
                // 101 is final: what follows is another protocol.
                if head.status.is_informational() && head.status.as_u16() != 101 {
                    self.exchange.interim += 1;
                    let limit = self.exchange.limits.max_interim;
                    if self.exchange.interim > limit {
                        return Poll::Ready(Err(HttpError::TooManyInterim { limit }.into()));
                    }
                    self.exchange.upload.let_go();
                    self.exchange.keep(head);
                    continue;
                }
                let state = &mut self.exchange;
                let mut message = head.message(state.exchanged)?;
                // squid 5.7 asks for credentials before it has read the body, and reads no
                // more than a part of a long one then: the connection is as good as dead.
                let asks_first = head.status == StatusCode::PROXY_AUTHENTICATION_REQUIRED;
                message.keep_alive &= !(asks_first && state.upload.has_body());
                state.body = BodyDecoder::new(message.framing, &state.limits, head.headers.len());
                state.message = Some(message);
                state.refused = state.upload.refuse_held() || head.status.as_u16() >= 400;
                state.at_head = true;
                self.marks.head = Some(now());
                return Poll::Ready(Ok(head));
            }
        }
    }

    /// Is pending; whoever polls is woken when the pool is closed.
    fn wait<T>(&self, cx: &Context<'_>) -> Poll<T> {
        self.user.is_waiting(cx.waker());
        Poll::Pending
    }

    /// Takes what has arrived of the body, without asking the socket.
    pub(crate) fn buffered(&mut self) -> Result<BodyEvent, PayloadError> {
        if self.exchange.message.is_none() {
            return Ok(BodyEvent::More);
        }
        self.exchange.body.decode(&mut self.received)
    }

    /// Reads on in the body; also writes on if the request is not out yet.
    ///
    /// Behind the end of the body the rest of the request is written before the end is
    /// told, unless the response refuses it.
    pub(crate) fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<BodyEvent, ExchangeError>> {
        if self.exchange.message.is_none() {
            return Poll::Ready(Err(ExchangeError::Closed));
        }
        // However much there is to read, the request goes on.
        self.drive_upload(cx)?;
        loop {
            match self.buffered()? {
                BodyEvent::More => {}
                BodyEvent::End if self.has_ended() => return Poll::Ready(Ok(BodyEvent::End)),
                BodyEvent::End => return self.wait(cx),
                event => return Poll::Ready(Ok(event)),
            }
            match self.poll_receive(cx, true) {
                Poll::Pending => return self.wait(cx),
                Poll::Ready(Ok(0)) => self.exchange.body.end_of_input()?,
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(broken(error))),
            }
        }
    }

    /// Reads the body on into `target`, past the decoder. What had arrived before is
    /// copied; else `target`'s free capacity is read into, of which some is made if there
    /// is none.
    ///
    /// Gives the number of bytes read; 0 when the body has ended.
    pub(crate) fn poll_body_into(
        &mut self,
        cx: &mut Context<'_>,
        target: &mut BytesMut,
    ) -> Poll<Result<usize, ExchangeError>> {
        let straight = self.received.is_empty() && self.exchange.body.remaining().is_some();
        if !straight || self.exchange.body.has_ended() || self.exchange.message.is_none() {
            loop {
                match ready!(self.poll_body(cx))? {
                    BodyEvent::Data(data) => {
                        target.extend_from_slice(&data);
                        return Poll::Ready(Ok(data.len()));
                    }
                    BodyEvent::ChunkEnd | BodyEvent::More => {}
                    BodyEvent::End => return Poll::Ready(Ok(0)),
                }
            }
        }
        self.drive_upload(cx)?;
        let left = usize::try_from(self.exchange.body.expected()).unwrap_or(usize::MAX);
        if target.len() == target.capacity() {
            target.reserve(left.min(READ));
        }
        let room = (target.capacity() - target.len()).min(left).min(READ);
        let mut limited = target.limit(room);
        let Poll::Ready(read) = pin!(self.stream.read_buf(&mut limited)).poll(cx) else {
            return self.wait(cx);
        };
        let read = read.map_err(broken)?;
        if read == 0 {
            self.exchange.body.end_of_input()?;
        }
        self.exchange.receipts += 1;
        self.exchange.at_head = false;
        self.exchange.body.advance(read);
        Poll::Ready(Ok(read))
    }

    /// Tells whether the connection can carry another request, now that its user is done
    /// with it; takes from the socket what has arrived of the body.
    pub(crate) fn is_reusable(&mut self) -> bool {
        let keep_alive = self
            .exchange
            .message
            .is_some_and(|message| message.keep_alive);
        keep_alive
            && self.exchange.upload.is_done()
            && self.ends_within_reach()
            && self.received.is_empty()
    }

    /// Reads the rest of the body as far as it is here and short.
    fn ends_within_reach(&mut self) -> bool {
        let mut budget = DRAIN;
        loop {
            match self.buffered() {
                Ok(BodyEvent::End) => return true,
                Ok(BodyEvent::Data(_) | BodyEvent::ChunkEnd) => continue,
                Ok(BodyEvent::More) => {}
                Err(_) => return false,
            }
            if budget == 0
                || self
                    .exchange
                    .body
                    .remaining()
                    .is_some_and(|n| n > budget as u64)
            {
                return false;
            }
            let mut scratch = [0; 8 * 1024];
            let room = scratch.len().min(budget);
            match self
                .stream
                .read_now(scratch.get_mut(..room).unwrap_or_default())
            {
                Ok(read) if read > 0 => {
                    budget -= read;
                    self.received
                        .extend_from_slice(scratch.get(..read).unwrap_or_default());
                }
                _ => return false,
            }
        }
    }

    /// Frees what an idle connection need not hold.
    pub(crate) fn rest(&mut self) {
        self.user.rests();
        self.stream.rest();
        self.sent_head = Bytes::new();
        // Nobody may have taken them.
        self.exchange.informational = None;
        self.received.rest(self.stream.is_tls());
    }

    /// Writes on, if there is anything to write; what the peer says goes on meanwhile.
    fn drive_upload(&mut self, cx: &mut Context<'_>) -> Result<(), ExchangeError> {
        let state = &mut self.exchange;
        if state.upload.is_done() || state.upload_failed.is_some() {
            return Ok(());
        }
        let Poll::Ready(done) = state.upload.poll(cx, &mut self.stream) else {
            return Ok(());
        };
        state.at_head = false;
        match done {
            Ok(()) => {
                self.marks.sent = Some(now());
                Ok(())
            }
            Err(UploadError::Io(error)) => {
                // The server may have answered and closed before it read all.
                state.upload.abandon();
                if self.stream.is_tls() {
                    state.upload.assume_sent();
                }
                state.upload_failed = Some(error);
                Ok(())
            }
            // The response is there whole: what the request lacks does not take it away.
            Err(_) if state.message.is_some() && state.body.has_ended() => {
                state.upload_failed = Some(io::ErrorKind::UnexpectedEof.into());
                Ok(())
            }
            Err(UploadError::Source(error)) => Err(ExchangeError::Source(error)),
            Err(UploadError::Length(error)) => Err(ExchangeError::Payload(error)),
        }
    }

    /// Receives once: a head, or of a body.
    #[inline]
    fn poll_receive(&mut self, cx: &mut Context<'_>, in_body: bool) -> Poll<io::Result<usize>> {
        let body = in_body.then_some(&self.exchange.body);
        let read = ready!(self.received.poll_from(cx, &mut self.stream, body))?;
        self.exchange.receipts += 1;
        self.exchange.at_head = false;
        Poll::Ready(Ok(read))
    }

    fn disconnected(&mut self) -> ExchangeError {
        match self.unsent() {
            Some(error) => error,
            None => {
                let partial = self.received.split();
                ExchangeError::Disconnected {
                    partial: partial.get(..PARTIAL).unwrap_or(&partial).into(),
                }
            }
        }
    }

    fn failed(&mut self, error: io::Error) -> ExchangeError {
        // An alert of TLS: what the server says comes before what its closing did.
        if error.kind() == io::ErrorKind::InvalidData {
            return ExchangeError::Read(error);
        }
        self.unsent().unwrap_or(ExchangeError::Read(error))
    }

    /// The error that the request could not be written for, if there was one.
    fn unsent(&mut self) -> Option<ExchangeError> {
        let error = self.exchange.upload_failed.take()?;
        let in_body = self.exchange.upload.has_body();
        Some(if in_body {
            ExchangeError::WriteBody(error)
        } else {
            ExchangeError::Write(error)
        })
    }
}

impl State {
    /// Keeps an interim response, but all together no more than one head may hold.
    fn keep(&mut self, head: Head) {
        let lengths = head.headers.iter();
        let lengths = lengths.map(|field| field.name().len() + field.as_bytes().len());
        let interim = self.informational.get_or_insert_default();
        interim.len = interim.len.saturating_add(lengths.sum());
        if interim.len <= self.limits.max_head_size() {
            // Copied: what was received with them may be much longer than they are.
            interim.heads.push((head.status, head.headers.detached()));
        }
    }
}

impl Kept for Box<Link> {
    fn is_quiet(&mut self) -> bool {
        // Its driver is that of the runtime it was made in.
        if self.runtime != current_runtime() {
            return false;
        }
        let read = self.stream.read_now(&mut [0]);
        matches!(read, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    fn created(&self) -> Instant {
        self.created
    }

    fn requests(&self) -> u64 {
        self.requests
    }
}

fn current_runtime() -> Option<runtime::Id> {
    Handle::try_current().ok().map(|handle| handle.id())
}

/// An error of the connection inside the body, which is then incomplete.
fn broken(error: io::Error) -> ExchangeError {
    ExchangeError::Payload(PayloadError::Io(Arc::new(error)))
}
