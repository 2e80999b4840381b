//! An open connection in the hands of one request.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aio_core::RequestUrl;
use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::drive::Link;
use crate::key::ConnectionKey;
use crate::pool::Pool;
use crate::stream::Stream;
use crate::timer::{Timer, now};

/// An open connection that a request has to itself; aiohttp's `Connection`.
///
/// Dropping it closes it and frees its slot in the pool.
pub struct Connection {
    /// Taken out when it goes back to the pool.
    link: Option<Box<Link>>,
    pool: Arc<Pool>,
    key: Arc<ConnectionKey>,
    pub(crate) force_close: bool,
}

impl Connection {
    pub(crate) fn new(link: Box<Link>, pool: Arc<Pool>, key: Arc<ConnectionKey>) -> Self {
        Self {
            link: Some(link),
            pool,
            key,
            force_close: false,
        }
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
        let link = Box::new(Link::new(Stream::Boxed(Box::new(stream))));
        let (pool, key) = Pool::of_one(url);
        let mut connection = Self::new(link, pool, key);
        connection.force_close = true;
        connection
    }

    /// Returns whom it connects to.
    pub fn key(&self) -> &ConnectionKey {
        &self.key
    }

    /// Tells whether it has served a request before.
    pub fn is_reused(&self) -> bool {
        self.link().requests > 0
    }

    /// Returns the peer's address, if it has one.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.link().stream().peer_addr()
    }

    /// Returns the address on this side, if it has one.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.link().stream().local_addr()
    }

    /// Tells whether its connector was closed.
    pub fn is_closed(&self) -> bool {
        self.pool.is_closed()
    }

    /// Returns the buffer for the head of a request, empty, and whom the request goes to.
    pub fn head_buffer(&mut self) -> (&mut BytesMut, &ConnectionKey) {
        let link = self
            .link
            .as_deref_mut()
            .expect("the link leaves with the connection itself");
        (link.head_buffer(), &self.key)
    }

    /// Returns its timer; it stays with the connection from request to request.
    pub fn timer(&mut self) -> &mut Timer {
        &mut self.link_mut().timer
    }

    /// Takes over a timer that was used while connecting, if it has none itself.
    pub fn take_timer(&mut self, timer: &mut Timer) {
        self.link_mut().timer.adopt(timer);
    }

    /// Closes it and frees its slot.
    pub fn close(self) {
        drop(self);
    }

    /// Gives it back to the pool if it can be used again, else closes it.
    pub(crate) fn release(mut self) {
        let reusable = !self.force_close && self.link_mut().is_reusable();
        if reusable && let Some(mut link) = self.link.take() {
            link.forget_exchange();
            let hint = link
                .message()
                .and_then(|message| message.keep_alive_timeout);
            let hint = hint.map(|seconds| Duration::from_secs(seconds.into()));
            self.pool.give_back(&self.key, link, now(), hint);
        }
    }

    pub(crate) fn link(&self) -> &Link {
        self.link
            .as_deref()
            .expect("the link leaves with the connection itself")
    }

    pub(crate) fn link_mut(&mut self) -> &mut Link {
        self.link
            .as_deref_mut()
            .expect("the link leaves with the connection itself")
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(link) = self.link.take() {
            // The socket first: the slot stands for it.
            drop(link);
            self.pool.vacate(&self.key);
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}
