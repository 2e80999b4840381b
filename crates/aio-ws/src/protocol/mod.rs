//! The protocol of one open WebSocket: bytes in, messages out, and the other way round.

mod config;
mod heartbeat;
mod inflate;
mod output;
mod receiver;
mod sender;
mod unfinished;

use std::fmt;
use std::io::IoSlice;
use std::mem;
use std::time::Instant;

use bytes::{Bytes, BytesMut};

pub use self::config::{Role, WsConfig};
use self::heartbeat::{Due, Heartbeat};
use self::receiver::Receiver;
use self::sender::Sender;
use crate::{CloseCode, CloseFrame, OpCode, ProtocolError, WindowBits, WsError, WsMessage};

/// The longest payload of a control frame in bytes (RFC 6455 5.5).
const MAX_CONTROL: usize = 125;

/// One open WebSocket, without I/O, clock or randomness of its own.
///
/// Bytes go in by [`read_buffer`](Self::read_buffer) or [`receive`](Self::receive), messages
/// come out of [`poll_event`](Self::poll_event). Messages go in by [`send`](Self::send), bytes
/// come out of [`poll_transmit`](Self::poll_transmit).
///
/// ```
/// use aio_ws::{Protocol, Role, WsConfig};
///
/// // The seed must be random, of course.
/// let mut client = Protocol::new(Role::Client, WsConfig::default(), [7; 32]);
/// let mut server = Protocol::new(Role::Server, WsConfig::default(), [8; 32]);
///
/// client.send("hello")?;
/// while let Some(bytes) = client.poll_transmit() {
///     let count = bytes.len();
///     server.receive(bytes);
///     client.transmitted(count);
/// }
/// let message = server.poll_event().expect("all of it is here")?;
/// assert_eq!(message.as_text(), Some("hello"));
/// # Ok::<(), aio_ws::WsError>(())
/// ```
pub struct Protocol {
    autoping: bool,
    autoclose: bool,
    receiver: Receiver,
    sender: Sender,
    heartbeat: Option<Heartbeat>,
    incoming: Incoming,
    is_closed: bool,
    close_code: Option<u16>,
    exception: Option<WsError>,
    /// The error that [`Protocol::poll_event`] gives next.
    failure: Option<WsError>,
    last_pong: Bytes,
    /// Whether a message came that nobody is given.
    swallowed: bool,
}

/// What may come of the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Incoming {
    /// Anything.
    Open,
    /// No more bytes, but perhaps messages among those that came.
    Ending,
    /// Nothing: it closed, or it is not listened to any more.
    Over,
}

impl Protocol {
    /// Makes the protocol of a connection behind its handshake. The keys that a client masks
    /// its frames with are drawn from `seed`, which must be random:
    /// [`random`](crate::random) draws one.
    pub fn new(role: Role, config: WsConfig, seed: [u8; 32]) -> Self {
        Self {
            autoping: config.autoping,
            autoclose: config.autoclose,
            receiver: Receiver::new(role, &config),
            sender: Sender::new(role, &config, seed),
            heartbeat: config.heartbeat.map(Heartbeat::new),
            incoming: Incoming::Open,
            is_closed: false,
            close_code: None,
            exception: None,
            failure: None,
            last_pong: Bytes::new(),
            swallowed: false,
        }
    }

    /// Returns the buffer that the next bytes of the peer are appended to, with room for as
    /// many as are worth reading at once.
    ///
    /// Nothing but appending may be done to it. Call [`poll_event`](Self::poll_event)
    /// afterwards until it gives `None`.
    pub fn read_buffer(&mut self) -> &mut BytesMut {
        if self.incoming == Incoming::Over {
            // Nobody takes what comes now.
            self.receiver.clear();
        }
        self.receiver.read_buffer()
    }

    /// Copies bytes of the peer in.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.read_buffer().extend_from_slice(bytes);
    }

    /// Tells that the peer sends no more bytes.
    pub fn end_of_input(&mut self) {
        if self.incoming == Incoming::Open {
            self.incoming = Incoming::Ending;
        }
    }

    /// Tells that the peer lives: now bytes of it came, or the connection opened.
    ///
    /// The heartbeat starts with the first call. Without one there is no need to call it.
    pub fn alive(&mut self, now: Instant) {
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.alive(now);
        }
    }

    /// Returns the next message; `None` if it takes more bytes, or if the socket is closed.
    ///
    /// With [`WsConfig::autoping`] neither pings nor pongs come; pings are answered.
    ///
    /// # Errors
    ///
    /// The peer breaks the protocol or a limit, or did not answer the heartbeat. The socket is
    /// closed then, a close frame with the code of the error is queued, and nothing more comes.
    pub fn poll_event(&mut self) -> Option<Result<WsMessage, WsError>> {
        if self.incoming == Incoming::Open
            && !self.is_closed
            && let Some(message) = self.receiver.poll_short()
        {
            return match message {
                Ok(message) => Some(Ok(message)),
                Err(error) => self.fail(error),
            };
        }
        self.poll_any_event()
    }

    fn poll_any_event(&mut self) -> Option<Result<WsMessage, WsError>> {
        if self.incoming == Incoming::Over {
            return self.failure.take().map(Err);
        }
        loop {
            let message = match self.receiver.poll() {
                Ok(Some(message)) => message,
                Ok(None) => {
                    if self.incoming == Incoming::Ending {
                        self.abandon(Some(WsError::UnexpectedEnd));
                    }
                    return None;
                }
                Err(error) => return self.fail(error),
            };
            if let WsMessage::Pong(payload) = &message {
                // Not a slice of the buffer, which it would keep.
                self.last_pong = Bytes::copy_from_slice(payload);
            }
            match message {
                WsMessage::Close(frame) => return self.peer_closes(frame),
                // Until the peer closes, too, what it says is dropped.
                _ if self.is_closed => {}
                WsMessage::Ping(payload) if self.autoping => self.sender.output.pong(&payload),
                WsMessage::Pong(_) if self.autoping => {}
                message => return Some(Ok(message)),
            }
            self.swallowed = true;
        }
    }

    /// Queues a message, a ping, a pong or, with [`WsMessage::Close`], what
    /// [`close`](Self::close) queues.
    ///
    /// # Errors
    ///
    /// [`WsError::Closed`] once the socket is closed, [`WsError::UnfinishedMessage`] while a
    /// message is sent in fragments, [`WsError::NotSendable`] for [`WsMessage::Closing`],
    /// [`WsError::ControlTooLong`] for a ping or pong of more than 125 bytes.
    pub fn send(&mut self, message: impl Into<WsMessage>) -> Result<(), WsError> {
        if self.is_closed {
            return Err(WsError::Closed);
        }
        match message.into() {
            WsMessage::Ping(payload) => self.sender.control(OpCode::Ping, &payload),
            WsMessage::Pong(payload) => self.sender.control(OpCode::Pong, &payload),
            WsMessage::Close(frame) => {
                self.close(frame);
                Ok(())
            }
            message => {
                let (opcode, payload) = data(message)?;
                self.sender.message(opcode, payload)
            }
        }
    }

    /// Queues a text: [`send`](Self::send) without a message to allocate, where it is short.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_str(&mut self, text: &str) -> Result<(), WsError> {
        self.send_borrowed(OpCode::Text, text.as_bytes())
    }

    /// Queues bytes: [`send`](Self::send) without a message to allocate, where they are few.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_bytes(&mut self, bytes: &[u8]) -> Result<(), WsError> {
        self.send_borrowed(OpCode::Binary, bytes)
    }

    /// Queues a message compressed on its own, with a window of `bits`, even if no
    /// compression was negotiated: whether the peer understands it is for the caller to know.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), and [`WsError::NotSendable`] for what is no text or binary
    /// message.
    pub fn send_compressed(
        &mut self,
        message: impl Into<WsMessage>,
        bits: WindowBits,
    ) -> Result<(), WsError> {
        if self.is_closed {
            return Err(WsError::Closed);
        }
        let (opcode, payload) = data(message.into())?;
        self.sender.compressed(opcode, &payload, bits)
    }

    /// Queues a piece of a message: a frame of its own. `last` ends the message. All pieces
    /// are texts, or all are bytes.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), and [`WsError::NotSendable`] for what is not of the type of
    /// the pieces before.
    pub fn send_fragment(
        &mut self,
        piece: impl Into<WsMessage>,
        last: bool,
    ) -> Result<(), WsError> {
        if self.is_closed {
            return Err(WsError::Closed);
        }
        let (opcode, payload) = data(piece.into())?;
        self.sender.fragment(opcode, payload, last)
    }

    /// Closes the socket: queues a close frame, behind what is queued. Returns whether this
    /// call does the closing; it does not if the socket is closed.
    ///
    /// Then messages of the peer are dropped until its close frame comes, and
    /// [`is_done`](Self::is_done) tells that it is there. A reason is cut to 123 bytes.
    pub fn close(&mut self, frame: Option<CloseFrame>) -> bool {
        if self.is_closed {
            return false;
        }
        self.is_closed = true;
        self.heartbeat = None;
        let mut payload = Vec::new();
        if let Some(CloseFrame { code, reason }) = frame
            && let Some(code) = CloseCode::from_wire(code.get())
        {
            payload.extend_from_slice(&code.get().to_be_bytes());
            payload.extend_from_slice(reason_that_fits(&reason).as_bytes());
        }
        self.sender.output.close(&payload);
        true
    }

    /// Gives the connection up, with close code 1006: it broke, or the peer does not answer.
    /// `error` is what [`exception`](Self::exception) tells. Nothing more is received or sent.
    pub fn abandon(&mut self, error: Option<WsError>) {
        self.stop_receiving();
        self.is_closed = true;
        self.close_code = Some(CloseCode::ABNORMAL_CLOSURE.get());
        self.exception = error;
        self.sender.output.clear();
    }

    /// Notes that a message was waited for in vain, or that waiting for one was cancelled: the
    /// close code becomes 1006, as in aiohttp, and the socket stays open.
    pub fn receive_timed_out(&mut self) {
        self.close_code = Some(CloseCode::ABNORMAL_CLOSURE.get());
    }

    /// Returns the next bytes to write, if any.
    pub fn poll_transmit(&mut self) -> Option<&[u8]> {
        match self.sender.output.next() {
            [[], []] => None,
            [[], payload] => Some(payload),
            [ready, _] => Some(ready),
        }
    }

    /// Returns the next bytes to write in two pieces, for one vectored write; `None` if there
    /// are none. The first piece is what [`poll_transmit`](Self::poll_transmit) gives, the
    /// second one may be empty.
    pub fn poll_transmit_vectored(&mut self) -> Option<[IoSlice<'_>; 2]> {
        match self.sender.output.next() {
            [[], []] => None,
            [[], payload] => Some([IoSlice::new(payload), IoSlice::new(&[])]),
            [ready, payload] => Some([IoSlice::new(ready), IoSlice::new(payload)]),
        }
    }

    /// Tells that `count` of the bytes to write are written.
    pub fn transmitted(&mut self, count: usize) {
        self.sender.output.written(count);
    }

    /// Returns how many bytes are queued to be written.
    pub fn queued(&self) -> usize {
        self.sender.output.queued()
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is to be called; it changes with
    /// every call of another method. `None` without a heartbeat.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.heartbeat.as_ref()?.next()
    }

    /// Does what the time asks for: a ping is queued, or the connection is given up because
    /// none was answered. Calling it early does no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        let Some(heartbeat) = &mut self.heartbeat else {
            return;
        };
        match heartbeat.handle_timeout(now) {
            Due::Nothing => {}
            Due::Ping => self.sender.push_control(OpCode::Ping, &[]),
            Due::GiveUp(after) => {
                self.abandon(Some(WsError::Heartbeat { after }));
                self.failure.clone_from(&self.exception);
            }
        }
    }

    /// Tells whether the socket is closed, as aiohttp's `closed`: it is from the moment this
    /// end closes, even if the peer has not answered.
    pub fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Tells whether nothing more is to be received: the socket is closed and the peer's close
    /// is here or is not waited for. What is queued is still to be written.
    pub fn is_done(&self) -> bool {
        self.is_closed && self.incoming == Incoming::Over
    }

    /// Tells whether more bytes of the peer matter: it has not closed, and not failed.
    pub fn is_receiving(&self) -> bool {
        self.incoming == Incoming::Open
    }

    /// Returns the close code, as aiohttp's `close_code`: the peer's, 1005 if it gave none,
    /// 1006 if the connection ended without a close frame, or that of an error.
    pub fn close_code(&self) -> Option<u16> {
        self.close_code
    }

    /// Returns what ended the socket, as aiohttp's `exception()`: not the errors that
    /// [`poll_event`](Self::poll_event) gave for broken protocol.
    pub fn exception(&self) -> Option<&WsError> {
        self.exception.as_ref()
    }

    /// Returns the payload of the last pong that came, also of one that was not received as a
    /// message; empty if none came.
    pub fn last_pong(&self) -> &Bytes {
        &self.last_pong
    }

    /// Gives up the buffers that hold nothing, for a socket that idles.
    pub fn release_memory(&mut self) {
        self.receiver.release_memory();
        self.sender.release_memory();
    }

    /// Tells whether a message came since this was asked that nobody is given: a ping or pong,
    /// or any while the answer to a close is waited for.
    pub(crate) fn take_swallowed(&mut self) -> bool {
        mem::take(&mut self.swallowed)
    }

    fn send_borrowed(&mut self, opcode: OpCode, payload: &[u8]) -> Result<(), WsError> {
        if self.is_closed {
            return Err(WsError::Closed);
        }
        self.sender.borrowed(opcode, payload)
    }

    /// The close frame of the peer came.
    fn peer_closes(&mut self, frame: Option<CloseFrame>) -> Option<Result<WsMessage, WsError>> {
        self.stop_receiving();
        let code = frame
            .as_ref()
            .map_or(CloseCode::NO_STATUS, |frame| frame.code);
        self.close_code = Some(code.get());
        if self.is_closed {
            return None;
        }
        if self.autoclose {
            // As aiohttp; the code of the peer would do as well.
            self.close(Some(CloseCode::OK.into()));
        }
        Some(Ok(WsMessage::Close(frame)))
    }

    /// The peer broke the protocol.
    fn fail(&mut self, error: ProtocolError) -> Option<Result<WsMessage, WsError>> {
        self.stop_receiving();
        if self.is_closed {
            // The close frame that is queued goes out all the same.
            self.close_code = Some(CloseCode::ABNORMAL_CLOSURE.get());
            self.exception = Some(error.into());
            return None;
        }
        self.close_code = Some(error.close_code().get());
        self.close(Some(error.close_code().into()));
        Some(Err(error.into()))
    }

    fn stop_receiving(&mut self) {
        self.incoming = Incoming::Over;
        self.receiver.clear();
        self.heartbeat = None;
    }
}

impl fmt::Debug for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not what is said, nor what it is masked with.
        f.debug_struct("Protocol")
            .field("is_closed", &self.is_closed)
            .field("close_code", &self.close_code)
            .field("queued", &self.queued())
            .finish_non_exhaustive()
    }
}

/// Takes a text or binary message apart.
#[inline]
fn data(message: WsMessage) -> Result<(OpCode, Bytes), WsError> {
    match message {
        WsMessage::Text(text) => Ok((OpCode::Text, text.into_bytes())),
        WsMessage::TextBytes(bytes) => Ok((OpCode::Text, bytes)),
        WsMessage::Binary(bytes) => Ok((OpCode::Binary, bytes)),
        other => Err(WsError::NotSendable(other.msg_type())),
    }
}

/// Returns as much of the reason as fits into a close frame behind its code.
fn reason_that_fits(reason: &str) -> &str {
    let mut end = reason.len().min(MAX_CONTROL - 2);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    reason.get(..end).unwrap_or_default()
}
