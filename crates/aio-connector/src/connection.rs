//! An open connection in the hands of one request.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aio_core::RequestUrl;
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::drive::Link;
use crate::info::ConnectionInfo;
use crate::key::{ConnectionKey, Target};
use crate::pool::{self, Kept};
use crate::timer::{Timer, now};
use crate::timings::{Marks, Steps};
use crate::transport::Transport;
use crate::upgraded::Upgraded;

/// The right to have one connection open.
pub(crate) type Slot = pool::Slot<Arc<ConnectionKey>, Box<Link>>;

/// An open connection that a request has to itself; aiohttp's `Connection`.
///
/// Dropping it closes it and frees its slot in the pool.
pub struct Connection {
    // In one block with its slot, not beside it: it is moved from hand to hand.
    link: Box<Link>,
}

impl Connection {
    pub(crate) fn new(mut link: Box<Link>, slot: Slot, begun: Instant) -> Self {
        link.marks = Marks::begun(begun);
        link.slot = Some(slot);
        (link.force_close, link.used) = (false, false);
        Self { link }
    }

    /// Makes a connection to the origin of `url` over any byte stream; it belongs to no
    /// connector and is closed after one exchange.
    ///
    /// ```
    /// # use aio_connector::Connection;
    /// # fn run() -> Result<(), aio_core::UrlError> {
    /// let (near, _far) = tokio::io::duplex(1024);
    /// let url = aio_core::RequestUrl::parse("http://example.org/")?;
    /// let connection = Connection::over(near, &url);
    /// assert_eq!(connection.key().host(), "example.org");
    /// # Ok(())
    /// # }
    /// ```
    pub fn over<S>(stream: S, url: &RequestUrl) -> Self
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let slot = Slot::of_its_own(&Target::from(url));
        let mut link = Box::new(Link::new(Transport::over(stream), slot.user()));
        link.slot = Some(slot);
        link.force_close = true;
        Self { link }
    }

    /// Returns whom it connects to.
    pub fn key(&self) -> &ConnectionKey {
        self.link.slot().key()
    }

    /// Tells whether it has served another request before.
    pub fn is_reused(&self) -> bool {
        self.link.requests() > u64::from(self.link.used)
    }

    /// Returns what is known of it, to be kept when it is gone.
    #[inline]
    pub fn info(&self) -> ConnectionInfo {
        ConnectionInfo {
            facts: Arc::clone(self.link.facts()),
            is_reused: self.is_reused(),
        }
    }

    /// Returns the peer's address, if it has one.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.link.facts().peer_addr
    }

    /// Returns the address on this side, if it has one.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.link.facts().local_addr
    }

    /// Returns the byte stream under it.
    pub fn transport(&self) -> &Transport {
        self.link.transport()
    }

    /// Tells whether its connector was closed.
    pub fn is_closed(&self) -> bool {
        self.link.slot().pool().is_closed()
    }

    /// Tells whether the peer has neither closed it nor said a word that nobody asked for;
    /// asks the system, without waiting.
    pub fn is_quiet(&mut self) -> bool {
        self.link.is_quiet()
    }

    /// Returns the buffer for the head of a request, empty, and whom the request goes to.
    pub fn head_buffer(&mut self) -> (&mut BytesMut, &ConnectionKey) {
        self.link.head_buffer()
    }

    /// Returns its timer; it stays with the connection from request to request.
    pub fn timer(&mut self) -> &mut Timer {
        &mut self.link.timer
    }

    /// Takes over a timer that was used while connecting, if it has none itself.
    pub fn take_timer(&mut self, timer: &mut Timer) {
        self.link.timer.adopt(timer);
    }

    /// Takes the byte stream out, with what was received and not read yet, and frees the
    /// slot: its connector knows it no longer.
    ///
    /// ```
    /// # use aio_connector::Connection;
    /// # use tokio::io::{AsyncReadExt, AsyncWriteExt};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (near, mut far) = tokio::io::duplex(1024);
    /// # let url = aio_core::RequestUrl::parse("http://example.org/")?;
    /// # let connection = Connection::over(near, &url);
    /// let (mut transport, received) = connection.detach();
    /// far.write_all(b"hi").await?;
    /// assert!(received.is_empty());
    /// assert_eq!(transport.read_u8().await?, b'h');
    /// # Ok(())
    /// # }
    /// ```
    pub fn detach(self) -> (Transport, Bytes) {
        self.link.into_parts()
    }

    /// Takes the byte stream out together with the slot: it counts on until it is dropped.
    pub(crate) fn upgrade(self) -> (Upgraded, Bytes) {
        let info = self.info();
        self.link.into_upgraded(info)
    }

    /// Closes it and frees its slot.
    pub fn close(self) {
        drop(self);
    }

    /// Gives it back to the pool if it can be used again, else closes it.
    ///
    /// One that no request was sent on goes back as it came.
    pub fn release(self) {
        self.release_at(now());
    }

    pub(crate) fn release_at(mut self, now: Instant) {
        let link = &mut self.link;
        if link.force_close {
            return;
        }
        if !link.used {
            if link.is_quiet()
                && let Some(slot) = link.slot.take()
            {
                // Who takes it next did not wait for them.
                link.steps = None;
                slot.give_back_unused(self.link, now);
            }
        } else if link.is_reusable()
            && let Some(slot) = link.slot.take()
        {
            link.rest();
            let hint = link
                .message()
                .and_then(|message| message.keep_alive_timeout);
            // The server closes at the last instant, and so would a request then go out.
            let hint = hint.map(|seconds| {
                Duration::from_millis((u64::from(seconds) * 1000).saturating_sub(500))
            });
            slot.give_back(self.link, hint, now);
        }
    }

    /// Takes note of the steps that getting it took.
    pub(crate) fn with_steps(mut self, steps: Option<Box<Steps>>) -> Self {
        self.link.steps = steps;
        self
    }

    pub(crate) fn link(&self) -> &Link {
        &self.link
    }

    pub(crate) fn link_mut(&mut self) -> &mut Link {
        &mut self.link
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("key", self.key())
            .finish_non_exhaustive()
    }
}
