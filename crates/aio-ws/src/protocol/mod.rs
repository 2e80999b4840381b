//! The protocol of one open WebSocket: bytes in, messages out, and the other way round.

mod config;

use std::io::IoSlice;
use std::time::Instant;

use bytes::BytesMut;

pub use self::config::{Role, WsConfig};
use crate::{CloseFrame, WsError, WsMessage};

/// One open WebSocket, without I/O, clock or randomness of its own.
///
/// Bytes go in by [`read_buffer`](Self::read_buffer) or [`receive`](Self::receive), messages
/// come out of [`poll_event`](Self::poll_event). Messages go in by [`send`](Self::send), bytes
/// come out of [`poll_transmit`](Self::poll_transmit).
#[derive(Debug)]
pub struct Protocol {}

impl Protocol {
    /// Makes the protocol of a connection behind its handshake. The keys that a client masks
    /// its frames with are drawn from `seed`, which must be random.
    pub fn new(_role: Role, _config: WsConfig, _seed: [u8; 32]) -> Self {
        todo!()
    }

    /// Returns the buffer that the next bytes of the peer are appended to, with room for as
    /// many as are worth reading at once.
    ///
    /// Nothing but appending may be done to it. Call [`poll_event`](Self::poll_event)
    /// afterwards until it gives `None`.
    pub fn read_buffer(&mut self) -> &mut BytesMut {
        todo!()
    }

    /// Copies bytes of the peer in.
    pub fn receive(&mut self, _bytes: &[u8]) {
        todo!()
    }

    /// Tells that the peer sends no more bytes.
    pub fn end_of_input(&mut self) {
        todo!()
    }

    /// Tells that the peer lives: now bytes of it came, or the connection opened.
    ///
    /// The heartbeat starts with the first call. Without one there is no need to call it.
    pub fn alive(&mut self, _now: Instant) {
        todo!()
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
        todo!()
    }

    /// Queues a message, a ping, a pong or, with [`WsMessage::Close`], what
    /// [`close`](Self::close) queues.
    ///
    /// # Errors
    ///
    /// [`WsError::Closed`] once the socket is closed, [`WsError::UnfinishedMessage`] while a
    /// message is sent in fragments, [`WsError::NotSendable`] for [`WsMessage::Closing`].
    pub fn send(&mut self, _message: impl Into<WsMessage>) -> Result<(), WsError> {
        todo!()
    }

    /// Queues a message compressed on its own, with a window of `window_bits` bits, even if no
    /// compression was negotiated: whether the peer understands it is for the caller to know.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), [`WsError::WindowBits`] unless it is 9 to 15, and
    /// [`WsError::NotSendable`] for what is no text or binary message.
    pub fn send_compressed(
        &mut self,
        _message: impl Into<WsMessage>,
        _window_bits: u8,
    ) -> Result<(), WsError> {
        todo!()
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
        _piece: impl Into<WsMessage>,
        _last: bool,
    ) -> Result<(), WsError> {
        todo!()
    }

    /// Closes the socket: queues a close frame, behind what is queued. Returns whether this
    /// call does the closing; it does not if the socket is closed.
    ///
    /// Then messages of the peer are dropped until its close frame comes, and
    /// [`is_done`](Self::is_done) tells that it is there. A reason is cut to 123 bytes.
    pub fn close(&mut self, _frame: Option<CloseFrame>) -> bool {
        todo!()
    }

    /// Gives the connection up, with close code 1006: it broke, or the peer does not answer.
    /// `error` is what [`exception`](Self::exception) tells. Nothing more is received or sent.
    pub fn abandon(&mut self, _error: Option<WsError>) {
        todo!()
    }

    /// Notes that a message was waited for in vain, or that waiting for one was cancelled: the
    /// close code becomes 1006, as in aiohttp, and the socket stays open.
    pub fn receive_timed_out(&mut self) {
        todo!()
    }

    /// Returns the next bytes to write, if any.
    pub fn poll_transmit(&mut self) -> Option<&[u8]> {
        todo!()
    }

    /// Returns the next bytes to write in two pieces, for one vectored write; `None` if there
    /// are none. The first piece is what [`poll_transmit`](Self::poll_transmit) gives, the
    /// second one may be empty.
    pub fn poll_transmit_vectored(&mut self) -> Option<[IoSlice<'_>; 2]> {
        todo!()
    }

    /// Tells that `count` of the bytes to write are written.
    pub fn transmitted(&mut self, _count: usize) {
        todo!()
    }

    /// Returns how many bytes are queued to be written.
    pub fn queued(&self) -> usize {
        todo!()
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is to be called; it changes with
    /// every call of another method. `None` without a heartbeat.
    pub fn poll_timeout(&self) -> Option<Instant> {
        todo!()
    }

    /// Does what the time asks for: a ping is queued, or the connection is given up because
    /// none was answered. Calling it early does no harm.
    pub fn handle_timeout(&mut self, _now: Instant) {
        todo!()
    }

    /// Tells whether the socket is closed, as aiohttp's `closed`: it is from the moment this
    /// end closes, even if the peer has not answered.
    pub fn is_closed(&self) -> bool {
        todo!()
    }

    /// Tells whether nothing more is to be received: the socket is closed and the peer's close
    /// is here or is not waited for. What is queued is still to be written.
    pub fn is_done(&self) -> bool {
        todo!()
    }

    /// Returns the close code, as aiohttp's `close_code`: the peer's, 1005 if it gave none,
    /// 1006 if the connection ended without a close frame, or that of an error.
    pub fn close_code(&self) -> Option<u16> {
        todo!()
    }

    /// Returns what ended the socket, as aiohttp's `exception()`: not the errors that
    /// [`poll_event`](Self::poll_event) gave for broken protocol.
    pub fn exception(&self) -> Option<&WsError> {
        todo!()
    }

    /// Gives up the buffers that hold nothing, for a socket that idles.
    pub fn release_memory(&mut self) {
        todo!()
    }
}
