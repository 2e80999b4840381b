//! One request and its response on a connection: the seam under the session.

use std::fmt;
use std::io;
use std::task::{Context, Poll};
use std::time::Instant;

use aio_core::http1::{BodyEvent, Exchanged, Head, Limits, Message};
use aio_core::{Body, BoxError, HeaderView, HttpError, PayloadError};
use bytes::{Bytes, BytesMut};
use http::StatusCode;

use crate::connection::Connection;
use crate::drive::Link;
use crate::error::PartialHead;
use crate::timer::Timer;
use crate::timings::{Marks, Steps, Timings};
use crate::transport::Transport;
use crate::upgraded::Upgraded;
use crate::upload::UploadFraming;

/// A request on its connection, from the first byte sent to the last one received.
///
/// It is driven by whoever polls it; no task stands behind it. When the body has ended
/// its connection goes back to the pool in that same poll. Dropped earlier, it gives the
/// connection back if the rest of the body has already arrived, and closes it if not.
///
/// ```
/// use std::future::poll_fn;
///
/// use aio_connector::{Connection, Exchange, ExchangeOptions, UploadFraming};
/// use aio_core::http1::{BodyEvent, Exchanged, Limits};
/// use aio_core::{Body, RequestUrl};
/// use http::Method;
/// use tokio::io::AsyncWriteExt;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (near, mut far) = tokio::io::duplex(1024);
/// far.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").await?;
///
/// let mut connection = Connection::over(near, &RequestUrl::parse("http://example.org/")?);
/// let (head, key) = connection.head_buffer();
/// let request = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", key.host_header());
/// head.extend_from_slice(request.as_bytes());
/// let options = ExchangeOptions {
///     framing: UploadFraming::Length(0),
///     limits: Limits::default(),
///     exchanged: Exchanged::of(&Method::GET),
///     expect_continue: false,
///     force_close: false,
/// };
/// let mut exchange = Exchange::start(connection, Body::none(), options);
/// let head = poll_fn(|cx| exchange.poll_head(cx)).await?;
/// assert_eq!(head.status, 200);
/// let body = poll_fn(|cx| exchange.poll_body(cx)).await?;
/// assert!(matches!(body, BodyEvent::Data(data) if data == "hi"));
/// # Ok(())
/// # }
/// ```
pub struct Exchange {
    connection: Option<Connection>,
    left: Option<Left>,
}

/// What is known of an exchange when its connection was left.
struct Left {
    sent: u64,
    is_sent: bool,
    marks: Marks,
    over: Instant,
    /// The response came whole.
    whole: bool,
    steps: Option<Box<Steps>>,
    trailers: Option<Box<HeaderView>>,
}

/// How a request is sent and its response read.
#[derive(Debug, Clone, Copy)]
pub struct ExchangeOptions {
    /// How the body of the request is framed.
    pub framing: UploadFraming,
    /// Bounds on the response head.
    pub limits: Limits,
    /// What the response must know of the request.
    pub exchanged: Exchanged,
    /// Whether the body waits for the server's leave, a 1xx response; for a head with
    /// `Expect: 100-continue`. A final response in its place closes the connection at its
    /// end, and the body is unsent.
    pub expect_continue: bool,
    /// Whether the connection is closed after the exchange whatever the server says.
    pub force_close: bool,
}

/// Why an exchange failed; the session adds where it was going.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExchangeError {
    /// The response head is malformed.
    #[error("malformed response head")]
    Http(#[source] HttpError),
    /// A body is not what its head says.
    #[error("broken body")]
    Payload(#[source] PayloadError),
    /// The peer closed before the head was whole.
    #[error("server disconnected")]
    Disconnected {
        /// What had come of the head, at most 4 KiB.
        partial: PartialHead,
    },
    /// Receiving failed before the head was whole.
    #[error("cannot receive the response")]
    Read(#[source] io::Error),
    /// Sending failed, and no response came: a request without a body.
    #[error("cannot send the request")]
    Write(#[source] io::Error),
    /// The same: a request with a body.
    #[error("cannot send the request body")]
    WriteBody(#[source] io::Error),
    /// The request's body could not be read from its source.
    #[error("cannot read the request body")]
    Source(#[source] BoxError),
    /// The exchange is over, or its head was not read yet, or its connector is closed.
    #[error("connection closed")]
    Closed,
}

impl From<HttpError> for ExchangeError {
    fn from(error: HttpError) -> Self {
        Self::Http(error)
    }
}

impl From<PayloadError> for ExchangeError {
    fn from(error: PayloadError) -> Self {
        Self::Payload(error)
    }
}

impl Exchange {
    /// Begins to send the head that stands in the connection's head buffer, and `body`.
    pub fn start(mut connection: Connection, body: Body, options: ExchangeOptions) -> Self {
        let link = connection.link_mut();
        link.force_close |= options.force_close;
        link.used = true;
        link.start(body, &options);
        Self {
            connection: Some(connection),
            left: None,
        }
    }

    /// Returns the head as sent, until it is taken out and as long as the connection is in
    /// use; empty then.
    pub fn sent_head(&self) -> &Bytes {
        static NONE: Bytes = Bytes::new();
        self.link().map_or(&NONE, |link| &link.sent_head)
    }

    /// Takes the head out.
    #[inline]
    pub fn take_sent_head(&mut self) -> Bytes {
        let connection = self.connection.as_mut();
        connection.map_or_else(Bytes::new, |connection| {
            std::mem::take(&mut connection.link_mut().sent_head)
        })
    }

    /// Returns the number of bytes sent so far, head and framing counted in.
    pub fn sent(&self) -> u64 {
        match &self.left {
            Some(left) => left.sent,
            None => self.link().map_or(0, Link::sent),
        }
    }

    /// Returns whether the request is out.
    pub fn is_sent(&self) -> bool {
        match &self.left {
            Some(left) => left.is_sent,
            None => self.link().is_some_and(Link::is_sent),
        }
    }

    /// Tells whether the connection is to take more of the request: there is more of it,
    /// it does not wait for the source of its body, and the response does not refuse it.
    pub fn is_sending(&self) -> bool {
        self.connection
            .as_ref()
            .is_some_and(|connection| connection.link().is_sending())
    }

    /// Tells whether the head is out and the body waits for the server's leave.
    ///
    /// Some servers never give it: whoever has waited long enough may
    /// [send the body](Self::send_body) all the same.
    pub fn is_waiting_for_continue(&self) -> bool {
        self.connection
            .as_ref()
            .is_some_and(|connection| connection.link().is_waiting_for_continue())
    }

    /// Sends a body that waits for the server's leave without it, from the next poll on.
    pub fn send_body(&mut self) {
        if let Some(connection) = &mut self.connection {
            connection.link_mut().send_body();
        }
    }

    /// Gives back a body that the server has answered without, once there is a response.
    pub fn take_unsent_body(&mut self) -> Option<Body> {
        let link = self.connection.as_mut()?.link_mut();
        link.take_unsent_body()
    }

    /// Tells whether the response has come whole, so that the server owes nothing.
    pub fn is_received(&self) -> bool {
        self.connection
            .as_ref()
            .is_none_or(|connection| connection.link().is_received())
    }

    /// Returns how often data was received so far; grows with each piece.
    pub fn receipts(&self) -> u64 {
        self.connection
            .as_ref()
            .map_or(0, |connection| connection.link().receipts())
    }

    /// Returns the connection while it is in use for the exchange.
    pub fn connection(&self) -> Option<&Connection> {
        self.connection.as_ref()
    }

    /// Returns the connection's timer, so that one timer serves request after request.
    pub fn timer(&mut self) -> Option<&mut Timer> {
        self.connection.as_mut().map(Connection::timer)
    }

    /// Returns what follows from the response head, once there is one.
    pub fn message(&self) -> Option<Message> {
        self.connection.as_ref()?.link().message()
    }

    /// Returns the interim (1xx) responses so far, statuses and headers in the order in
    /// which they came.
    ///
    /// They are as many as [`Limits::max_interim`] allows, and all together no longer than
    /// one head may be; what comes beyond that is passed over.
    pub fn informational(&self) -> &[(StatusCode, HeaderView)] {
        self.link().map_or(&[], Link::informational)
    }

    /// Takes the interim responses out, if there were any.
    #[inline]
    pub fn take_informational(&mut self) -> Option<Box<[(StatusCode, HeaderView)]>> {
        let link = self.connection.as_mut()?.link_mut();
        link.take_informational()
    }

    /// Returns the fields that came behind the last chunk, once that has come and if there
    /// were any. Whatever their names, they change nothing.
    pub fn trailers(&self) -> Option<&HeaderView> {
        match &self.left {
            Some(left) => left.trailers.as_deref(),
            None => self.link()?.trailers(),
        }
    }

    /// Tells how long the parts took of a request that `started` then.
    pub fn timings(&self, started: Instant) -> Timings {
        match (&self.left, self.link()) {
            (Some(left), _) => {
                let over = Some((left.over, left.whole));
                left.marks.timings(left.steps.as_deref(), started, over)
            }
            (None, Some(link)) => link.marks.timings(link.steps.as_deref(), started, None),
            (None, None) => Marks::begun(started).timings(None, started, None),
        }
    }

    /// Returns how many bytes of body are still to come, if that is known.
    pub fn remaining(&self) -> Option<u64> {
        self.connection
            .as_ref()
            .map_or(Some(0), |connection| connection.link().remaining())
    }

    /// Sends the request and reads the head of its final response.
    ///
    /// # Errors
    /// If the peer closes, the connection fails, the body's source fails, or the head is
    /// no HTTP. The connection is then closed.
    pub fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Head, ExchangeError>> {
        let Poll::Ready(head) = self.open()?.link_mut().poll_head(cx) else {
            return self.wait();
        };
        if head.is_err() {
            self.close();
        }
        Poll::Ready(head)
    }

    /// Takes what has already arrived of the body; [`BodyEvent::More`] is not its end, and
    /// [`BodyEvent::End`] not yet that of the exchange while the request is not out.
    ///
    /// # Errors
    /// If the framing is malformed. The connection is then closed.
    pub fn buffered(&mut self) -> Result<BodyEvent, ExchangeError> {
        let Some(connection) = &mut self.connection else {
            return Ok(BodyEvent::End);
        };
        let event = connection.link_mut().buffered();
        self.settle(event.map_err(ExchangeError::Payload))
    }

    /// Reads on in the body; never gives [`BodyEvent::More`].
    ///
    /// # Errors
    /// If the connection fails or the framing is malformed. The connection is then closed.
    pub fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<BodyEvent, ExchangeError>> {
        if self.connection.is_none() {
            return Poll::Ready(Ok(BodyEvent::End));
        }
        let Poll::Ready(event) = self.open()?.link_mut().poll_body(cx) else {
            return self.wait();
        };
        Poll::Ready(self.settle(event))
    }

    /// Reads a body of known length straight into `target`'s free capacity, of which some
    /// is made if there is none; gives 0 when the body has ended.
    ///
    /// # Errors
    /// As [`poll_body`](Self::poll_body).
    pub fn poll_body_into(
        &mut self,
        cx: &mut Context<'_>,
        target: &mut BytesMut,
    ) -> Poll<Result<usize, ExchangeError>> {
        if self.connection.is_none() {
            return Poll::Ready(Ok(0));
        }
        let Poll::Ready(read) = self.open()?.link_mut().poll_body_into(cx, target) else {
            return self.wait();
        };
        match &read {
            Err(_) => self.close(),
            Ok(_) if self.has_ended() => self.finish(),
            Ok(_) => {}
        }
        Poll::Ready(read)
    }

    /// Takes the byte stream out behind a response that hands it over (101 to an upgrade, or
    /// 2xx to CONNECT), with what was received behind the head; nothing behind any other. Its
    /// connector knows it no longer: see [`upgrade`](Self::upgrade).
    ///
    /// Such a response keeps its connection, though it has no body, until it is released.
    pub fn detach(&mut self) -> Option<(Transport, Bytes)> {
        self.link().filter(|link| link.is_upgraded())?;
        let (connection, _) = self.leave(true)?;
        Some(connection.detach())
    }

    /// Takes the byte stream out as [`detach`](Self::detach) does, but lets it count in its
    /// connector's limits until it is dropped.
    pub fn upgrade(&mut self) -> Option<(Upgraded, Bytes)> {
        self.link().filter(|link| link.is_upgraded())?;
        let (connection, _) = self.leave(true)?;
        Some(connection.upgrade())
    }

    /// Gives the connection back if the rest of the body has arrived, else closes it.
    pub fn release(&mut self) {
        if let Some((connection, now)) = self.leave(false) {
            connection.release_at(now);
        }
    }

    /// Closes the connection.
    pub fn close(&mut self) {
        if let Some((connection, _)) = self.leave(false) {
            connection.close();
        }
    }

    /// Gives the connection back behind an exchange that is over.
    fn finish(&mut self) {
        if let Some((connection, now)) = self.leave(true) {
            connection.release_at(now);
        }
    }

    /// Takes the connection, and keeps what is known of the exchange; also gives the time.
    #[inline]
    fn leave(&mut self, whole: bool) -> Option<(Connection, Instant)> {
        let mut connection = self.connection.take()?;
        let link = connection.link_mut();
        let now = link.end(whole);
        self.left = Some(Left {
            sent: link.sent(),
            is_sent: link.is_sent(),
            marks: link.marks,
            over: now,
            whole,
            steps: link.steps.take(),
            trailers: link.take_trailers(),
        });
        Some((connection, now))
    }

    fn link(&self) -> Option<&Link> {
        self.connection.as_ref().map(Connection::link)
    }

    /// Tells whether the connection is needed no more.
    fn has_ended(&self) -> bool {
        self.link()
            .is_none_or(|link| link.has_ended() && !link.is_upgraded())
    }

    /// Is pending, unless the connector was closed just before the waker was left.
    fn wait<T>(&mut self) -> Poll<Result<T, ExchangeError>> {
        match self.open() {
            Ok(_) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    fn open(&mut self) -> Result<&mut Connection, ExchangeError> {
        if self.connection.as_ref().is_some_and(Connection::is_closed) {
            self.close();
        }
        match &mut self.connection {
            Some(connection) => Ok(connection),
            None => Err(ExchangeError::Closed),
        }
    }

    /// Ends the exchange when its body has ended or failed.
    fn settle(
        &mut self,
        event: Result<BodyEvent, ExchangeError>,
    ) -> Result<BodyEvent, ExchangeError> {
        match &event {
            Err(_) => self.close(),
            Ok(_) if self.has_ended() => self.finish(),
            Ok(_) => {}
        }
        event
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.release();
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("connection", &self.connection)
            .finish_non_exhaustive()
    }
}
