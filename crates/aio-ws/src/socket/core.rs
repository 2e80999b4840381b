//! The protocol and its stream: what a socket does in one poll.

use std::fmt;
use std::io;
use std::mem;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use super::intake::{BULK_READ, Intake, Rest};
use super::keeper::Keeper;
use super::link::Wakers;
use crate::{CloseCode, CloseFrame, Protocol, WsError, WsMessage, WsText};

/// What may wait to be written while more is queued: as aiohttp (WS-72).
const HIGH_WATER: usize = 256 * 1024;
/// What a keeper reads while nobody receives: as aiohttp (WS-64).
const READ_AHEAD: usize = 2 * 256 * 1024;

/// A protocol with the stream it runs over.
///
/// Every state is in here, so that a future that is dropped loses nothing.
pub(super) struct Core<S: AsyncRead + AsyncWrite + Unpin> {
    protocol: Protocol,
    /// The stream, until it is closed.
    stream: Option<S>,
    stage: Stage,
    intake: Intake,
    /// Whether the stream no longer takes anything.
    deaf: bool,
    /// Whether the stream may hold back what it took.
    unflushed: bool,
    /// Whether all that was queued was written before the stream was closed.
    all_written: bool,
    /// Whether messages are queued that their sender will flush.
    fed: bool,
    /// Whether the peer closed and this end has not answered.
    unanswered: bool,
    /// What is received when the socket is closed.
    last: Option<Result<WsMessage, WsError>>,
    /// Whether a receive waits; that of a dropped one is not always known.
    receiving: bool,
    interrupt: Interrupt,
    /// The task of the heartbeat, which wants to know when bytes come.
    keeper: Option<Keeper>,
    /// Whether other parties are to look at what changed.
    alarm: bool,
}

/// How far the end of the socket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    /// A `close` waits for the answer of the peer.
    Closing,
    /// The rest is to be written and the stream to be shut down.
    Parting,
    /// The stream is gone.
    Gone,
}

/// A receive that another half ended by closing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Interrupt {
    None,
    /// It does not know yet.
    Due,
    /// It knows, and its task may look at what the socket was then.
    Told,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Core<S> {
    pub(super) fn new(stream: S, protocol: Protocol) -> Self {
        Self {
            protocol,
            stream: Some(stream),
            stage: Stage::Open,
            intake: Intake::new(),
            deaf: false,
            unflushed: false,
            all_written: false,
            fed: false,
            unanswered: false,
            last: None,
            receiving: false,
            interrupt: Interrupt::None,
            keeper: None,
            alarm: false,
        }
    }

    /// Takes the next message that is here.
    #[inline]
    fn next_message(&mut self) -> Option<WsMessage> {
        if self.stage != Stage::Open || self.unanswered {
            return None;
        }
        match self.protocol.poll_event()? {
            Ok(WsMessage::Close(frame)) => {
                let message = WsMessage::Close(frame);
                if self.protocol.is_closed() {
                    self.part(Some(Ok(message)));
                    return None;
                }
                self.unanswered = true;
                Some(message)
            }
            Ok(message) => Some(message),
            Err(error) => {
                self.part(Some(Err(error)));
                None
            }
        }
    }

    /// Receives a message that is here.
    #[inline]
    pub(super) fn take_message(&mut self, wakers: Wakers<'_>) -> Option<WsMessage> {
        let message = self.next_message()?;
        self.send_answers(wakers);
        Some(message)
    }

    /// Receives the next message; `None` when the socket is closed.
    pub(super) fn poll_receive(
        &mut self,
        wakers: Wakers<'_>,
    ) -> Poll<Result<Option<WsMessage>, WsError>> {
        self.receiving = false;
        loop {
            if let Some(message) = self.take_message(wakers) {
                return Poll::Ready(Ok(Some(message)));
            }
            if self.stage != Stage::Open || self.unanswered {
                return self.poll_received_last(wakers);
            }
            if self.protocol.is_done() {
                self.part(None);
            } else if self.poll_bytes(wakers).is_pending() {
                self.receiving = true;
                return Poll::Pending;
            }
        }
    }

    /// Receives what is left to be told when no message comes any more.
    fn poll_received_last(
        &mut self,
        wakers: Wakers<'_>,
    ) -> Poll<Result<Option<WsMessage>, WsError>> {
        if self.interrupt == Interrupt::Due {
            self.interrupt = Interrupt::Told;
            return Poll::Ready(Ok(Some(WsMessage::Closing)));
        }
        // WS-27: who receives behind a close of the peer answers it.
        if self.unanswered {
            self.begin_close(closing(CloseCode::OK));
        }
        if self.stage == Stage::Parting && self.poll_part(wakers).is_pending() {
            return Poll::Pending;
        }
        Poll::Ready(self.last.take().transpose())
    }

    /// Sends pongs at once, unless they can go with messages that somebody will flush. Nobody
    /// waits for that.
    #[inline]
    fn send_answers(&mut self, wakers: Wakers<'_>) {
        if !self.fed && self.protocol.queued() > 0 {
            // What fails or blocks here does so at the next send, too.
            _ = self.poll_flush(wakers);
        }
    }

    /// Waits for bytes of the peer, when all that came is used up. What is queued goes out
    /// first: who waits for an answer has asked.
    fn poll_bytes(&mut self, wakers: Wakers<'_>) -> Poll<()> {
        self.intake.ahead = 0;
        _ = self.poll_flush(wakers);
        match mem::replace(&mut self.intake.rest, Rest::Ended) {
            Rest::Open => {
                self.intake.rest = Rest::Open;
                ready!(self.poll_fill(wakers));
            }
            Rest::Ended => self.protocol.end_of_input(),
            Rest::Broken(error) => self.protocol.abandon(Some(error.into())),
        }
        Poll::Ready(())
    }

    /// Reads once.
    fn poll_fill(&mut self, wakers: Wakers<'_>) -> Poll<()> {
        let Some(stream) = &mut self.stream else {
            self.intake.rest = Rest::Ended;
            return Poll::Ready(());
        };
        let buffer = self.protocol.read_buffer();
        if buffer.is_empty() && self.intake.is_bulky() {
            buffer.reserve(BULK_READ);
        }
        let read = pin!(stream.read_buf(buffer));
        match read.poll(&mut Context::from_waker(wakers.read)) {
            Poll::Pending => {
                self.protocol.release_memory();
                self.intake.waits();
                return Poll::Pending;
            }
            Poll::Ready(Ok(0)) => self.intake.rest = Rest::Ended,
            Poll::Ready(Ok(count)) => {
                self.intake.came(count);
                if self.keeper.is_some() {
                    self.protocol.alive(now());
                }
            }
            Poll::Ready(Err(error)) => self.intake.rest = Rest::Broken(error),
        }
        Poll::Ready(())
    }

    /// Waits until a message more may be queued.
    pub(super) fn poll_ready(&mut self, wakers: Wakers<'_>) -> Poll<Result<(), WsError>> {
        if self.protocol.queued() <= HIGH_WATER {
            return Poll::Ready(Ok(()));
        }
        self.poll_write(wakers, HIGH_WATER)
    }

    /// Sends what `queue` gives to the protocol, when there is room.
    pub(super) fn poll_send(
        &mut self,
        wakers: Wakers<'_>,
        queue: &mut Option<impl FnOnce(&mut Protocol) -> Result<(), WsError>>,
    ) -> Poll<Result<(), WsError>> {
        if queue.is_some() {
            ready!(self.poll_ready(wakers))?;
        }
        if let Some(queue) = queue.take() {
            self.queue(queue)?;
        }
        self.poll_flush(wakers)
    }

    /// Queues what `queue` gives to the protocol.
    pub(super) fn queue(
        &mut self,
        queue: impl FnOnce(&mut Protocol) -> Result<(), WsError>,
    ) -> Result<(), WsError> {
        if self.deaf {
            return Err(WsError::Closed);
        }
        queue(&mut self.protocol)?;
        // A close that was sent as a message: who receives has another limit from here on.
        self.alarm |= self.protocol.is_closed();
        Ok(())
    }

    /// Queues as [`queue`](Self::queue) for a sender that flushes later.
    pub(super) fn feed(
        &mut self,
        queue: impl FnOnce(&mut Protocol) -> Result<(), WsError>,
    ) -> Result<(), WsError> {
        self.fed = true;
        self.queue(queue)
    }

    /// Waits until all that is queued is written.
    pub(super) fn poll_flush(&mut self, wakers: Wakers<'_>) -> Poll<Result<(), WsError>> {
        ready!(self.poll_write(wakers, 0))?;
        self.fed = false;
        if self.is_lost() {
            return Poll::Ready(Err(WsError::Closed));
        }
        if self.unflushed
            && let Some(stream) = &mut self.stream
        {
            let cx = &mut Context::from_waker(wakers.write);
            if let Err(error) = ready!(Pin::new(stream).poll_flush(cx)) {
                return Poll::Ready(Err(self.fall_deaf(error)));
            }
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Tells whether what was queued may have been dropped with the connection.
    fn is_lost(&self) -> bool {
        self.protocol.exception().is_some() || self.stage == Stage::Gone && !self.all_written
    }

    /// Writes until at most `rest` bytes are queued.
    fn poll_write(&mut self, wakers: Wakers<'_>, rest: usize) -> Poll<Result<(), WsError>> {
        loop {
            if rest > 0 && self.protocol.queued() <= rest {
                return Poll::Ready(Ok(()));
            }
            let Some(bytes) = self.protocol.poll_transmit_vectored() else {
                return Poll::Ready(Ok(()));
            };
            let (Some(stream), false) = (&mut self.stream, self.deaf) else {
                return Poll::Ready(Err(WsError::Closed));
            };
            let [first, second] = &bytes;
            let cx = &mut Context::from_waker(wakers.write);
            let stream = Pin::new(stream);
            let written = if second.is_empty() || !stream.is_write_vectored() {
                stream.poll_write(cx, first)
            } else {
                stream.poll_write_vectored(cx, &bytes)
            };
            match ready!(written) {
                Ok(0) => {
                    let error = io::ErrorKind::WriteZero.into();
                    return Poll::Ready(Err(self.fall_deaf(error)));
                }
                Ok(count) => self.protocol.transmitted(count),
                Err(error) => return Poll::Ready(Err(self.fall_deaf(error))),
            }
            self.unflushed = true;
        }
    }

    /// Notes that the stream takes nothing more. What it still has can be received.
    fn fall_deaf(&mut self, error: io::Error) -> WsError {
        self.deaf = true;
        error.into()
    }

    /// Starts to close; returns whether this call does the closing.
    pub(super) fn begin_close(&mut self, frame: CloseFrame) -> bool {
        // WS-28: behind a receive in vain, too, aiohttp waits for no answer.
        let is_known = self.protocol.close_code().is_some();
        if !self.protocol.close(Some(frame)) {
            return false;
        }
        self.unanswered = false;
        self.alarm = true;
        if self.receiving {
            self.interrupt = Interrupt::Due;
        }
        self.stage = if is_known {
            Stage::Parting
        } else {
            Stage::Closing
        };
        true
    }

    /// Waits until the socket is closed in both directions and the stream is gone.
    pub(super) fn poll_closed(&mut self, wakers: Wakers<'_>) -> Poll<()> {
        loop {
            if self.interrupt == Interrupt::Told {
                self.interrupt = Interrupt::None;
            }
            match self.stage {
                Stage::Gone => return Poll::Ready(()),
                Stage::Parting => ready!(self.poll_part(wakers)),
                Stage::Open | Stage::Closing => {
                    // Messages are dropped, WS-30; an error is an end, too.
                    while let Some(Ok(_)) = self.protocol.poll_event() {}
                    if self.protocol.is_done() {
                        self.part(None);
                    } else {
                        ready!(self.poll_bytes(wakers));
                    }
                }
            }
        }
    }

    /// Starts to end the connection; `last` is received when that is done.
    fn part(&mut self, last: Option<Result<WsMessage, WsError>>) {
        self.stage = Stage::Parting;
        self.last = last;
        self.alarm = true;
    }

    /// Writes the rest and ends the stream.
    fn poll_part(&mut self, wakers: Wakers<'_>) -> Poll<()> {
        // A peer that takes nothing more has what it wants.
        self.all_written = ready!(self.poll_flush(wakers)).is_ok();
        if let Some(stream) = &mut self.stream {
            let cx = &mut Context::from_waker(wakers.write);
            _ = ready!(Pin::new(stream).poll_shutdown(cx));
        }
        self.leave();
        Poll::Ready(())
    }

    /// Drops the stream.
    fn leave(&mut self) {
        self.stream = None;
        self.keeper = None;
        self.stage = Stage::Gone;
        self.alarm = true;
    }

    /// Gives the connection up, unless it came to its end.
    pub(super) fn abandon(&mut self, error: Option<WsError>) {
        if !self.protocol.is_done() {
            self.protocol.abandon(error);
        }
        self.leave();
    }

    /// Notes that a receive waited in vain.
    pub(super) fn receive_timed_out(&mut self) {
        self.receiving = false;
        self.protocol.receive_timed_out();
    }

    /// Notes that nobody waits for a message any more: the keeper is to read from here on.
    pub(super) fn receive_dropped(&mut self) {
        self.receiving = false;
        self.alarm |= self.is_kept();
    }

    /// Starts the clock of the heartbeat; tells whether there is one.
    pub(super) fn start_clock(&mut self) -> bool {
        self.protocol.alive(now());
        self.protocol.poll_timeout().is_some()
    }

    /// Has the keeper told of bytes that come, for as long as there is a stream.
    pub(super) fn keep(&mut self, keeper: Keeper) {
        self.keeper = Some(keeper);
    }

    pub(super) fn is_kept(&self) -> bool {
        self.keeper.is_some()
    }

    /// Does what the heartbeat asks for; returns when it wants to be asked again, and `None`
    /// when the socket is closed.
    pub(super) fn poll_keep(&mut self, wakers: Wakers<'_>) -> Option<Instant> {
        if self.stage != Stage::Open || self.protocol.is_closed() {
            return None;
        }
        let now = now();
        let due = self.protocol.poll_timeout()? <= now;
        // Of a receive that waits it is not known whether its future still lives; when all
        // was silent, what came is looked for in any case.
        if due || !self.receiving {
            self.read_ahead(wakers);
        }
        if !self.intake.is_open() {
            // Who receives is told of it, behind the messages that came.
            return None;
        }
        if self.intake.ahead >= READ_AHEAD {
            // What nobody takes is no silence of the peer.
            self.protocol.alive(now);
        }
        self.protocol.handle_timeout(now);
        if !self.protocol.is_closed()
            && let Poll::Ready(Err(error)) = self.poll_flush(wakers)
            && due
        {
            self.protocol.abandon(Some(error));
        }
        if self.protocol.is_closed() {
            self.give_up();
            return None;
        }
        self.protocol.poll_timeout()
    }

    /// Reads while nobody receives.
    fn read_ahead(&mut self, wakers: Wakers<'_>) {
        while self.intake.is_open() && self.intake.ahead < READ_AHEAD {
            if self.poll_fill(wakers).is_pending() {
                break;
            }
        }
    }

    /// Ends the socket that the protocol gave up. Who waits for a message is told why, once,
    /// WS-81.
    fn give_up(&mut self) {
        if self.receiving {
            self.last = self.protocol.exception().cloned().map(Err);
        }
        self.leave();
    }

    /// Tells whether this end closed, or the peer did and was answered. A receive that is
    /// ended by another half still sees an open socket.
    pub(super) fn is_closed(&self) -> bool {
        self.protocol.is_closed()
            && (self.stage == Stage::Gone || self.interrupt == Interrupt::None)
    }

    /// Tells whether somebody is known to wait for a message.
    pub(super) fn is_receiving(&self) -> bool {
        self.receiving
    }

    /// Tells whether a `close` elsewhere waits for the peer.
    pub(super) fn is_closing(&self) -> bool {
        self.stage == Stage::Closing
    }

    /// Tells whether the limit on closing holds, not that on receiving.
    pub(super) fn is_ending(&self) -> bool {
        self.protocol.is_closed()
    }

    /// Tells as [`Protocol::take_swallowed`].
    pub(super) fn take_swallowed(&mut self) -> bool {
        self.protocol.take_swallowed()
    }

    /// Tells whether other parties are to look at what changed.
    pub(super) fn take_alarm(&mut self) -> bool {
        mem::take(&mut self.alarm)
    }

    pub(super) fn protocol(&self) -> &Protocol {
        &self.protocol
    }

    pub(super) fn stream(&self) -> Option<&S> {
        self.stream.as_ref()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Drop for Core<S> {
    /// Says goodbye if the stream takes it at once.
    fn drop(&mut self) {
        if self.stream.is_none() {
            return;
        }
        let code = if self.unanswered {
            CloseCode::OK
        } else {
            CloseCode::GOING_AWAY
        };
        self.protocol.close(Some(closing(code)));
        _ = self.poll_part(Wakers::of(Waker::noop()));
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> fmt::Debug for Core<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("stage", &self.stage)
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}

/// A close frame without a reason.
fn closing(code: CloseCode) -> CloseFrame {
    CloseFrame {
        code,
        reason: WsText::default(),
    }
}

/// The time of tokio's clock, which tests may stop.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
