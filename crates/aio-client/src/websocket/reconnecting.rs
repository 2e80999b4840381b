//! A WebSocket over as many connections as it takes.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use aio_connector::BoxFuture;
use aio_core::BoxError;
use aio_ws::{CloseCode, WsError, WsMessage, WsText};
use futures_core::Stream;
use futures_sink::Sink;
use serde::Serialize;
use tokio::time::{Instant, Sleep, sleep};

use super::outbox::{Outbox, Unconfirmed};
use super::response::json_text;
use super::{ClientWebSocketResponse, ReconnectError, WsRequestBuilder};
use crate::backoff::{Backoff, between};

/// A WebSocket that is opened again whenever its connection is lost. Made by
/// [`WsRequestBuilder::reconnecting`].
///
/// It is driven by who waits for an event, for [`connected`](Self::connected) or for a
/// [`send`](Self::send): there is no task behind it, but for the one of a heartbeat. Each
/// connection is asked for anew through the session, with its cookies of then. With a
/// [`heartbeat`](WsRequestBuilder::heartbeat) a dead server is found; a silence longer than
/// [`ws_receive`](crate::ClientWsTimeout::ws_receive) counts as a lost connection as well.
///
/// # When it reconnects
///
/// When the connection is lost, or cannot be made, for a reason that
/// [may pass](ReconnectError::may_pass); [`retry_if`](Self::retry_if) decides otherwise. It
/// waits first: a random time below 500 ms, and below double that with each failure more, up
/// to 30 s; and as long as the server says in `Retry-After`. A connection that was open for
/// the longest of these waits begins anew. There is no end to it, unless
/// [`max_failures`](Self::max_failures) or [`max_away`](Self::max_away) sets one.
///
/// # What was sent
///
/// No message is sent twice by itself. What [`send`](Self::send) took is *unconfirmed* until
/// a pong comes to a ping that was sent behind it: then the server's WebSocket has read it,
/// which is not to say that anybody acted on it. For this there is a ping of its own, one on
/// the way at a time, whenever something is unconfirmed; a server that counts pings against a
/// limit is spared by [`confirm_by_pings(false)`](Self::confirm_by_pings). Who has better
/// knowledge, as by the answer to an order, [confirms](Self::confirm) it.
///
/// Behind a lost connection [`WsEvent::Gap`] comes before the first message of the next one,
/// with what is unconfirmed: it may have arrived or not. What the server sent meanwhile is
/// missed as well.
///
/// ```
/// # async fn run(session: aio_client::ClientSession) -> Result<(), aio_client::ReconnectError> {
/// use std::time::Duration;
/// use aio_client::WsEvent;
///
/// let request = session.ws_connect("ws://127.0.0.1:8080/chat");
/// let mut ws = request
///     .heartbeat(Duration::from_secs(20))
///     .reconnecting()
///     .resubscribe(|socket, _| Box::pin(async move {
///         socket.send_str("join #rust").await?;
///         Ok(())
///     }));
/// ws.send("hello").await?;
/// while let Some(event) = ws.next_event().await? {
///     match event {
///         WsEvent::Message(message) => println!("{message:?}"),
///         WsEvent::Gap { unconfirmed } => {
///             for (_, message) in unconfirmed.messages {
///                 ws.send(message).await?;
///             }
///         }
///         _ => {}
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub struct ReconnectingWebSocket {
    request: WsRequestBuilder,
    state: State,
    outbox: Outbox,
    /// What a connection still had that was found broken by who sends.
    events: VecDeque<WsEvent>,
    /// Whether a connection was lost that no [`WsEvent::Gap`] told of.
    gap: bool,
    /// How many connections were lost.
    lost: u64,
    failures: u32,
    /// When the first of them was.
    away: Option<Instant>,
    backoff: Backoff,
    max_failures: Option<u32>,
    max_away: Option<Duration>,
    waits: bool,
    retry_if: Box<dyn FnMut(&ReconnectError) -> bool + Send>,
    resubscribe: Option<Resubscribe>,
}

type Resubscribe = Arc<
    dyn for<'a> Fn(&'a mut ClientWebSocketResponse, u64) -> BoxFuture<'a, Result<(), BoxError>>
        + Send
        + Sync,
>;

enum State {
    Start,
    Connecting(BoxFuture<'static, Result<ClientWebSocketResponse, ReconnectError>>),
    Open(Box<ClientWebSocketResponse>, Instant),
    Waiting(Pin<Box<Sleep>>),
    /// With what is still to be told.
    Ended(Option<ReconnectError>),
}

/// What comes of a [`ReconnectingWebSocket`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum WsEvent {
    /// A message; a ping or a pong if they are not
    /// [answered by themselves](WsRequestBuilder::autoping).
    Message(WsMessage),
    /// Here a connection was lost; another one is open.
    Gap {
        /// What was sent over it and may have arrived or not.
        unconfirmed: Unconfirmed,
    },
}

impl ReconnectingWebSocket {
    pub(super) fn new(request: WsRequestBuilder) -> Self {
        Self {
            request,
            state: State::Start,
            outbox: Outbox::default(),
            events: VecDeque::new(),
            gap: false,
            lost: 0,
            failures: 0,
            away: None,
            backoff: Backoff {
                first: Duration::from_millis(500),
                longest: Duration::from_secs(30),
            },
            max_failures: None,
            max_away: None,
            waits: true,
            retry_if: Box::new(ReconnectError::may_pass),
            resubscribe: None,
        }
    }

    /// Sets what is done with each fresh connection before its first message is received:
    /// subscribing, logging in. It is told how many connections were lost before.
    ///
    /// It may receive as well, and what it receives comes as no event. What it sends is not
    /// kept as unconfirmed: it is sent anew by the next call. An error that is a [`WsError`]
    /// or a [`ClientError`](crate::ClientError) counts as if the connection was lost by it;
    /// any other one ends the WebSocket.
    ///
    /// ```
    /// # fn make(session: aio_client::ClientSession) -> aio_client::ReconnectingWebSocket {
    /// session
    ///     .ws_connect("ws://127.0.0.1:8080/feed")
    ///     .reconnecting()
    ///     .resubscribe(|socket, _lost| Box::pin(async move {
    ///         socket.send_str("login ada").await?;
    ///         match &*socket.receive_str().await? {
    ///             "welcome" => Ok(()),
    ///             other => Err(format!("not let in: {other}").into()),
    ///         }
    ///     }))
    /// # }
    /// ```
    pub fn resubscribe<F>(mut self, resubscribe: F) -> Self
    where
        F: for<'a> Fn(&'a mut ClientWebSocketResponse, u64) -> BoxFuture<'a, Result<(), BoxError>>
            + Send
            + Sync
            + 'static,
    {
        self.resubscribe = Some(Arc::new(resubscribe));
        self
    }

    /// Sets which failures are tried again; default those that
    /// [may pass](ReconnectError::may_pass). A closed session ends it in any case.
    ///
    /// It sees each failure, so it is a place to log them as well.
    ///
    /// ```
    /// # fn make(session: aio_client::ClientSession) -> aio_client::ReconnectingWebSocket {
    /// use aio_client::ReconnectError;
    ///
    /// session.ws_connect("ws://127.0.0.1:8080/feed").reconnecting().retry_if(|error| {
    ///     eprintln!("feed: {error}");
    ///     match error {
    ///         // This server restarts so.
    ///         ReconnectError::Closed(frame) if frame.code.get() == 4000 => true,
    ///         error => error.may_pass(),
    ///     }
    /// })
    /// # }
    /// ```
    pub fn retry_if(
        mut self,
        retry_if: impl FnMut(&ReconnectError) -> bool + Send + 'static,
    ) -> Self {
        self.retry_if = Box::new(retry_if);
        self
    }

    /// Sets below which time the first wait is, and below which every one; default 500 ms and
    /// 30 s. A wait has at least 10 ms to be drawn from.
    pub fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.backoff = Backoff { first, longest };
        self
    }

    /// Sets how many failures in a row there may be, the loss of a connection among them;
    /// default `None`, any number.
    pub fn max_failures(mut self, max: impl Into<Option<u32>>) -> Self {
        self.max_failures = max.into();
        self
    }

    /// Sets how long after the first of the failures in a row another try may begin; default
    /// `None`, for ever.
    pub fn max_away(mut self, max: impl Into<Option<Duration>>) -> Self {
        self.max_away = max.into();
        self
    }

    /// Sets whether sending waits for a connection while there is none; default true. Else it
    /// fails at once with [`ReconnectError::Away`], and only [`next_event`](Self::next_event)
    /// and [`connected`](Self::connected) open one.
    pub fn send_waits(mut self, waits: bool) -> Self {
        self.waits = waits;
        self
    }

    /// Sets how much of what is unconfirmed is kept: default 1024 messages, and 1 MiB in
    /// bytes. Of older ones only the number is known.
    pub fn keep_unconfirmed(mut self, messages: usize, bytes: usize) -> Self {
        self.outbox.max_messages = messages;
        self.outbox.max_bytes = bytes;
        self
    }

    /// Sets whether pings are sent behind messages so that their pongs confirm them; default
    /// true. Else only [`confirm`](Self::confirm) does.
    pub fn confirm_by_pings(mut self, pings: bool) -> Self {
        self.outbox.by_pings = pings;
        self
    }

    /// Returns the next message, or the gap where a connection was lost, sooner or later;
    /// `None` behind a close with code 1000, of the server or by [`close`](Self::close).
    ///
    /// Dropped half way, as in `select!`, it loses nothing.
    ///
    /// # Errors
    /// If the connection is lost or cannot be made, and that is not to be tried again; once.
    pub async fn next_event(&mut self) -> Result<Option<WsEvent>, ReconnectError> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    /// Waits until there is a connection and it is subscribed, and returns it to be looked at.
    ///
    /// Dropped half way, it loses nothing.
    ///
    /// # Errors
    /// As [`send`](Self::send), but it waits in any case.
    pub async fn connected(&mut self) -> Result<&ClientWebSocketResponse, ReconnectError> {
        poll_fn(|cx| self.poll_open(cx)).await;
        match &self.state {
            State::Open(socket, _) => Ok(socket),
            _ => Err(self.why_ended()),
        }
    }

    /// Sends a text or a binary message, a ping or a pong, and returns its number: they are
    /// counted from 0 on, whatever their connection.
    ///
    /// What it took, it does not fail with: a message that the connection does not deliver is
    /// in the [gap](WsEvent::Gap) behind it. Dropped while it waits for a connection, or for
    /// room as [`WebSocket::send`](crate::WebSocket::send), nothing is sent; dropped later,
    /// the message is, and is unconfirmed as any other.
    ///
    /// # Errors
    /// [`ReconnectError::Away`] without a connection if [`send_waits`](Self::send_waits) is
    /// off; why it has ended; [`ReconnectError::Socket`] if the message cannot be sent so.
    pub async fn send(&mut self, message: impl Into<WsMessage>) -> Result<u64, ReconnectError> {
        let message = message.into();
        if matches!(message, WsMessage::Close(_) | WsMessage::Closing) {
            let error = WsError::NotSendable(message.msg_type());
            return Err(ReconnectError::Socket(error));
        }
        let number = poll_fn(|cx| self.poll_send(cx, &message)).await?;
        poll_fn(|cx| self.poll_flush(cx)).await;
        Ok(number)
    }

    /// Sends a value as a text of JSON, written by the session's
    /// [`json_serialize`](crate::ClientSessionBuilder::json_serialize).
    ///
    /// # Errors
    /// If it has no form in JSON, or as [`send`](Self::send).
    pub async fn send_json<T: Serialize + ?Sized>(
        &mut self,
        value: &T,
    ) -> Result<u64, ReconnectError> {
        let text = json_text(&self.request.session, value).map_err(ReconnectError::Socket)?;
        self.send(text).await
    }

    /// Notes that the message with this number has arrived, as the server said in its own
    /// way; nothing if that is known.
    pub fn confirm(&mut self, number: u64) {
        self.outbox.confirm(number);
    }

    /// Takes what is unconfirmed of all connections, also of the one that is open: for what
    /// is to be done when this WebSocket has ended.
    pub fn take_unconfirmed(&mut self) -> Unconfirmed {
        self.outbox.cut();
        self.outbox.take_lost()
    }

    /// Ends it: closes the connection as [`WebSocket::close`](crate::WebSocket::close), if
    /// there is one. Returns whether it had not ended.
    ///
    /// Dropped half way, it gives the connection up, and has ended as well.
    pub async fn close(&mut self, code: CloseCode, reason: impl Into<WsText>) -> bool {
        match mem::replace(&mut self.state, State::Ended(None)) {
            State::Open(mut socket, _) => {
                socket.close(code, reason).await;
                true
            }
            State::Ended(error) => {
                self.state = State::Ended(error);
                false
            }
            _ => true,
        }
    }

    fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<WsEvent>, ReconnectError>> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Poll::Ready(Ok(Some(event)));
            }
            ready!(self.poll_open(cx));
            if let State::Ended(error) = &mut self.state {
                return Poll::Ready(error.take().map_or(Ok(None), Err));
            }
            if let Some(gap) = self.take_gap() {
                return Poll::Ready(Ok(Some(gap)));
            }
            if let Some(message) = ready!(self.poll_message(cx)) {
                return Poll::Ready(Ok(Some(WsEvent::Message(message))));
            }
        }
    }

    /// Waits until there is a connection, or it has ended.
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match &mut self.state {
                State::Start => self.connect(),
                State::Connecting(opening) => match ready!(opening.as_mut().poll(cx)) {
                    Ok(socket) => self.state = State::Open(Box::new(socket), Instant::now()),
                    Err(error) => self.failed(error),
                },
                State::Waiting(wait) => {
                    ready!(wait.as_mut().poll(cx));
                    self.connect();
                }
                State::Open(..) | State::Ended(_) => return Poll::Ready(()),
            }
        }
    }

    fn connect(&mut self) {
        self.state = State::Ended(None);
        // It has no body that could be sent once only.
        let Some(request) = self.request.try_clone() else {
            return;
        };
        let (resubscribe, lost) = (self.resubscribe.clone(), self.lost);
        self.state = State::Connecting(Box::pin(async move {
            let opened = request.send().await;
            let mut socket = opened.map_err(ReconnectError::Connect)?;
            if let Some(resubscribe) = resubscribe
                && let Err(error) = resubscribe(&mut socket, lost).await
            {
                return Err(ReconnectError::of_hook(error, &socket));
            }
            Ok(socket)
        }));
    }

    /// Waits for another try, if there is to be one.
    fn failed(&mut self, error: ReconnectError) {
        let now = Instant::now();
        let away = *self.away.get_or_insert(now);
        self.failures = self.failures.saturating_add(1);
        let wait = between(Duration::ZERO, self.backoff.at_most(self.failures));
        let asked = error.retry_after(SystemTime::now()).unwrap_or_default();
        let wait = wait.saturating_add(asked);
        let too_often = self.max_failures.is_some_and(|max| self.failures > max);
        let is_over = |max| (now - away).saturating_add(wait) > max;
        let may_pass = (self.retry_if)(&error);
        let ends = !may_pass
            || too_often
            || self.max_away.is_some_and(is_over)
            || self.request.session.is_closed();
        if !ends {
            tracing::debug!(%error, ?wait, "a WebSocket is opened again");
            self.state = State::Waiting(Box::pin(sleep(wait)));
            return;
        }
        let is_done =
            matches!(&error, ReconnectError::Closed(frame) if frame.code == CloseCode::OK);
        self.state = State::Ended(Some(error).filter(|_| !is_done));
    }

    /// Lets go of the connection.
    fn lose(&mut self, error: ReconnectError) {
        let State::Open(_, since) = &self.state else {
            return;
        };
        if since.elapsed() >= self.backoff.longest {
            self.failures = 0;
            self.away = None;
        }
        self.outbox.cut();
        self.gap = true;
        self.lost += 1;
        self.failed(error);
    }

    fn take_gap(&mut self) -> Option<WsEvent> {
        mem::take(&mut self.gap).then(|| WsEvent::Gap {
            unconfirmed: self.outbox.take_lost(),
        })
    }

    /// Receives the next message of the connection; `None` when that is lost.
    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<WsMessage>> {
        loop {
            let State::Open(socket, _) = &mut self.state else {
                return Poll::Ready(None);
            };
            let received = socket.poll_receive(cx);
            let is_own = self.outbox.awaits_pong() && self.outbox.pong(&socket.last_pong());
            let error = match received {
                Poll::Pending => {
                    self.ping(cx);
                    return Poll::Pending;
                }
                Poll::Ready(Ok(Some(WsMessage::Close(frame)))) => {
                    ReconnectError::Closed(frame.unwrap_or(CloseCode::NO_STATUS.into()))
                }
                Poll::Ready(Ok(Some(WsMessage::Pong(_)))) if is_own => continue,
                Poll::Ready(Ok(Some(message))) => return Poll::Ready(Some(message)),
                Poll::Ready(Ok(None)) => {
                    let error = socket.exception().unwrap_or(WsError::UnexpectedEnd);
                    ReconnectError::Socket(error)
                }
                Poll::Ready(Err(error)) => ReconnectError::Socket(error),
            };
            self.lose(error);
        }
    }

    /// Sends the ping that is due, if one is. What fails here does so when it is received.
    fn ping(&mut self, cx: &mut Context<'_>) {
        if let State::Open(socket, _) = &mut self.state
            && let Some(ping) = self.outbox.ping()
        {
            let mut socket = Pin::new(&mut **socket);
            _ = socket.as_mut().start_send(WsMessage::Ping(ping));
            _ = socket.poll_flush(cx);
        }
    }

    /// Queues a message as soon as there is a connection with room for it.
    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        message: &WsMessage,
    ) -> Poll<Result<u64, ReconnectError>> {
        loop {
            if !self.waits && !matches!(self.state, State::Open(..) | State::Ended(_)) {
                return Poll::Ready(Err(ReconnectError::Away));
            }
            ready!(self.poll_open(cx));
            let State::Open(socket, _) = &mut self.state else {
                return Poll::Ready(Err(self.why_ended()));
            };
            let mut socket = Pin::new(&mut **socket);
            let queued = match ready!(socket.as_mut().poll_ready(cx)) {
                Ok(()) => socket.as_mut().start_send(message.clone()),
                Err(_) => Err(WsError::Closed),
            };
            match queued {
                Ok(()) => {
                    let number = self.outbox.sent(message.clone());
                    if let Some(ping) = self.outbox.ping() {
                        // What fails here does so when it is received.
                        _ = socket.start_send(WsMessage::Ping(ping));
                    }
                    return Poll::Ready(Ok(number));
                }
                Err(error @ WsError::Closed) => self.broken(cx, error),
                Err(error) => return Poll::Ready(Err(ReconnectError::Socket(error))),
            }
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let State::Open(socket, _) = &mut self.state
            && let Err(error) = ready!(Pin::new(&mut **socket).poll_flush(cx))
        {
            self.broken(cx, error);
        }
        Poll::Ready(())
    }

    /// Lets go of a connection that takes nothing more, but for what it has to give.
    fn broken(&mut self, cx: &mut Context<'_>, error: WsError) {
        while let Poll::Ready(Some(message)) = self.poll_message(cx) {
            let gap = self.take_gap();
            self.events.extend(gap);
            self.events.push_back(WsEvent::Message(message));
        }
        self.lose(ReconnectError::Socket(error));
    }

    /// Returns why it has ended, though that may have been told.
    fn why_ended(&self) -> ReconnectError {
        match &self.state {
            State::Ended(Some(error)) => error.clone(),
            _ => ReconnectError::Socket(WsError::Closed),
        }
    }
}

impl Stream for ReconnectingWebSocket {
    type Item = Result<WsEvent, ReconnectError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_event(cx).map(Result::transpose)
    }
}

impl fmt::Debug for ReconnectingWebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Start | State::Connecting(_) => "connecting",
            State::Open(..) => "open",
            State::Waiting(_) => "waiting",
            State::Ended(_) => "ended",
        };
        f.debug_struct("ReconnectingWebSocket")
            .field("request", &self.request)
            .field("state", &state)
            .field("lost", &self.lost)
            .field("failures", &self.failures)
            .finish_non_exhaustive()
    }
}
