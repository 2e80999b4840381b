//! A pool in front of any way to connect.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crate::connection::Connection;
use crate::connector::{ConnectRequest, Connector, Dial};
use crate::dns::BoxFuture;
use crate::drive::Link;
use crate::error::{ConnectionError, Phase};
use crate::observe::ConnectEvent;
use crate::pool::{Acquire, Acquired, Bounds, Pool, Slot, limit_or_unlimited};
use crate::stats::Stats;

/// Makes connections with a [`Dial`] and keeps them, within limits; aiohttp's
/// `BaseConnector`.
///
/// A handle: clones share the same connections, and with the last of them all are closed,
/// those in use too.
///
/// ```
/// use aio_connector::{
///     BoxFuture, ConnectRequest, ConnectionError, ConnectionKey, Dial, PooledConnector,
///     Transport,
/// };
/// use aio_core::RequestUrl;
///
/// /// Connects to servers in this process.
/// struct InMemory;
///
/// impl Dial for InMemory {
///     fn dial<'a>(
///         &'a self,
///         _: &'a ConnectionKey,
///         _: &'a mut ConnectRequest<'_>,
///     ) -> BoxFuture<'a, Result<Transport, ConnectionError>> {
///         let (near, far) = tokio::io::duplex(64 * 1024);
///         // `far` goes to a server.
///         drop(far);
///         Box::pin(async { Ok(Transport::over(near)) })
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let connector = PooledConnector::over(InMemory).limit(10).build()?;
/// let url = RequestUrl::parse("http://example.org/")?;
/// let connection = connector.connect(&mut ConnectRequest::new(&url)).await?;
/// assert_eq!(connector.stats().open, 1);
/// # Ok(())
/// # }
/// ```
pub struct PooledConnector<D> {
    shared: Arc<Shared<D>>,
}

struct Shared<D> {
    pool: Arc<Pool>,
    dialer: D,
    force_close: bool,
}

/// How long an idle connection may be used again by default; aiohttp's.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// Settings of a connector that contradict each other; aiohttp's `ValueError`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// A connection that is closed after one request is not kept alive.
    #[error("keepalive_timeout cannot be set if force_close is true")]
    KeepaliveOfClosed,
}

/// Settings of a [`PooledConnector`].
#[derive(Debug, Clone)]
pub struct PooledConnectorBuilder<D> {
    pub(crate) dialer: D,
    limit: Option<usize>,
    limit_per_host: Option<usize>,
    /// Set, to whatever.
    keepalive_timeout: Option<Option<Duration>>,
    force_close: bool,
}

impl<D: Dial> PooledConnector<D> {
    /// Returns the settings to make one with that connects by `dialer`.
    pub fn over(dialer: D) -> PooledConnectorBuilder<D> {
        PooledConnectorBuilder {
            dialer,
            limit: Some(100),
            limit_per_host: None,
            keepalive_timeout: None,
            force_close: false,
        }
    }

    /// Gets a connection: an idle one that is open and silent, or a new one, when the
    /// limits allow; else it waits in the queue.
    ///
    /// Dropping the future leaves the queue, or the dialling, and frees the slot.
    ///
    /// ```
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// use aio_connector::{ConnectRequest, TcpConnector};
    /// use aio_core::RequestUrl;
    ///
    /// let url = RequestUrl::parse("http://127.0.0.1:8080/")?;
    /// let connector = TcpConnector::new();
    /// let connection = connector.connect(&mut ConnectRequest::new(&url)).await?;
    /// println!("{:?}", connection.peer_addr());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the name has no address, no address accepts within `sock_connect`, or the
    /// connector is closed.
    pub async fn connect(
        &self,
        request: &mut ConnectRequest<'_>,
    ) -> Result<Connection, ConnectionError> {
        request.phase = Phase::Pool;
        let url = request.url;
        let mut acquire = self.shared.pool.acquire(url);
        let acquired = match request.pool.filter(|limit| !limit.is_zero()) {
            None => queued(&mut acquire, request).await,
            Some(limit) => match tokio::time::timeout(limit, queued(&mut acquire, request)).await {
                Ok(acquired) => acquired,
                Err(_) => return Err(request.timed_out()),
            },
        };
        match acquired {
            Acquired::Reuse(slot, link) => {
                request.observe(ConnectEvent::Reused);
                Ok(Connection::new(link, slot))
            }
            // Boxed: most requests find a connection and need not carry its size.
            Acquired::Dial(slot) => Box::pin(self.dial(slot, request)).await,
            Acquired::Closed => Err(ConnectionError::Closed {
                attempt: Box::new(request.attempt()),
            }),
        }
    }

    async fn dial(
        &self,
        slot: Slot,
        request: &mut ConnectRequest<'_>,
    ) -> Result<Connection, ConnectionError> {
        request.observe(ConnectEvent::CreateStart);
        let user = slot.user();
        let dialled = {
            let mut dialling = pin!(self.shared.dialer.dial(slot.key(), request));
            poll_fn(|cx| {
                user.is_waiting(cx.waker());
                if self.is_closed() {
                    return Poll::Ready(None);
                }
                dialling.as_mut().poll(cx).map(Some)
            })
            .await
        };
        let Some(dialled) = dialled else {
            return Err(ConnectionError::Closed {
                attempt: Box::new(request.attempt()),
            });
        };
        let transport = dialled?;
        request.observe(ConnectEvent::CreateEnd);
        let link = Box::new(Link::new(transport, user));
        Ok(Connection::new(link, slot))
    }

    /// Closes idle connections, sends those who wait away with an error, and fails what
    /// is under way on connections in use. Calling it again does nothing.
    pub fn close(&self) {
        self.shared.pool.close();
    }

    /// Tells whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.shared.pool.is_closed()
    }

    /// Tells whether each connection is closed after one request.
    pub fn force_close(&self) -> bool {
        self.shared.force_close
    }

    /// Counts its connections now.
    pub fn stats(&self) -> Stats {
        self.shared.pool.stats()
    }
}

/// Waits for `acquire` and tells the observer of the waiting.
async fn queued(acquire: &mut Acquire<'_>, request: &mut ConnectRequest<'_>) -> Acquired {
    let mut told = false;
    poll_fn(|cx| {
        let polled = std::pin::Pin::new(&mut *acquire).poll(cx);
        if polled.is_pending() && acquire.is_queued() && !std::mem::replace(&mut told, true) {
            request.observe(ConnectEvent::QueuedStart);
        }
        if polled.is_ready() && told {
            request.observe(ConnectEvent::QueuedEnd);
        }
        polled
    })
    .await
}

impl<D: Dial> Connector for PooledConnector<D> {
    fn connect<'a>(
        &'a self,
        request: &'a mut ConnectRequest<'_>,
    ) -> BoxFuture<'a, Result<Connection, ConnectionError>> {
        Box::pin(Self::connect(self, request))
    }

    fn close(&self) {
        Self::close(self);
    }

    fn is_closed(&self) -> bool {
        Self::is_closed(self)
    }

    fn force_close(&self) -> bool {
        Self::force_close(self)
    }

    fn stats(&self) -> Stats {
        Self::stats(self)
    }
}

impl<D> Clone for PooledConnector<D> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<D: Dial> fmt::Debug for PooledConnector<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PooledConnector")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl<D: Dial> PooledConnectorBuilder<D> {
    /// Bounds the open connections, idle ones counted in; default 100, `None` and 0 mean
    /// no bound.
    pub fn limit(mut self, limit: impl Into<Option<usize>>) -> Self {
        self.limit = limit.into();
        self
    }

    /// Bounds the open connections to one host, port and scheme; default none, as
    /// `None` and 0.
    pub fn limit_per_host(mut self, limit: impl Into<Option<usize>>) -> Self {
        self.limit_per_host = limit.into();
        self
    }

    /// Bounds how long an idle connection may be used again; default 15 s, `None` means
    /// for ever. A shorter `Keep-Alive: timeout` of the server is kept to.
    pub fn keepalive_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.keepalive_timeout = Some(timeout.into());
        self
    }

    /// Closes each connection after one request, and tells the server so; default false.
    pub fn force_close(mut self, force_close: bool) -> Self {
        self.force_close = force_close;
        self
    }

    /// Makes the connector.
    ///
    /// # Errors
    /// If a `keepalive_timeout` is set together with `force_close`.
    pub fn build(self) -> Result<PooledConnector<D>, SettingsError> {
        if self.force_close
            && self
                .keepalive_timeout
                .is_some_and(|timeout| timeout.is_some())
        {
            return Err(SettingsError::KeepaliveOfClosed);
        }
        Ok(self.build_valid())
    }

    pub(crate) fn build_valid(self) -> PooledConnector<D> {
        let bounds = Bounds {
            limit: limit_or_unlimited(self.limit),
            per_host: limit_or_unlimited(self.limit_per_host),
            keepalive: self.keepalive_timeout.unwrap_or(Some(KEEPALIVE)),
        };
        let shared = Shared {
            pool: Pool::new(bounds),
            dialer: self.dialer,
            force_close: self.force_close,
        };
        PooledConnector {
            shared: Arc::new(shared),
        }
    }
}

impl<D> Drop for Shared<D> {
    fn drop(&mut self) {
        self.pool.close();
    }
}
