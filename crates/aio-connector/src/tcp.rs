//! The connector for TCP.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use aio_core::RequestUrl;

use crate::connection::Connection;
use crate::dial::{DialError, Dialer};
use crate::dns::{Resolver, SystemResolver};
use crate::drive::Link;
use crate::error::{Attempt, ConnectError, ConnectionError, Phase};
use crate::observe::{ConnectEvent, ObserveConnect};
use crate::pool::{Acquire, Acquired, Bounds, Pool, Slot, limit_or_unlimited};
use crate::stats::Stats;
use crate::timer::now;

/// Makes and keeps TCP connections; aiohttp's `TCPConnector`.
///
/// A handle: clones share the same connections, and with the last of them all are closed,
/// those in use too.
///
/// ```
/// use aio_connector::TcpConnector;
///
/// let connector = TcpConnector::builder().limit(20).limit_per_host(5).build()?;
/// assert_eq!(connector.stats().open, 0);
/// # Ok::<(), aio_connector::SettingsError>(())
/// ```
#[derive(Clone)]
pub struct TcpConnector {
    shared: Arc<Shared>,
}

struct Shared {
    pool: Arc<Pool>,
    dialer: Dialer,
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

/// Settings of a [`TcpConnector`].
#[derive(Debug, Clone)]
pub struct TcpConnectorBuilder {
    limit: Option<usize>,
    limit_per_host: Option<usize>,
    /// Set, to whatever.
    keepalive_timeout: Option<Option<Duration>>,
    force_close: bool,
    resolver: Arc<dyn Resolver>,
}

/// What a connector must know to connect.
pub struct ConnectRequest<'a> {
    /// Where to.
    pub url: &'a RequestUrl,
    /// How long it may wait for a free connection.
    pub pool: Option<Duration>,
    /// How long one attempt to one address may take.
    pub sock_connect: Option<Duration>,
    /// Who watches.
    pub observer: Option<&'a mut dyn ObserveConnect>,
    /// What is being done; stays readable when the connecting is given up.
    pub phase: Phase,
    /// When the request began, for its errors.
    pub started: Instant,
}

impl<'a> ConnectRequest<'a> {
    /// Makes one without timeouts and watchers, which begins now.
    pub fn new(url: &'a RequestUrl) -> Self {
        Self {
            url,
            pool: None,
            sock_connect: None,
            observer: None,
            phase: Phase::Pool,
            started: now(),
        }
    }

    pub(crate) fn observe(&mut self, event: ConnectEvent<'_>) {
        if let Some(observer) = &mut self.observer {
            observer.on_connect(event);
        }
    }

    fn attempt(&self) -> Attempt {
        Attempt {
            url: self.url.without_query().into(),
            phase: self.phase,
            elapsed: now().saturating_duration_since(self.started),
            sent: false,
        }
    }
}

impl fmt::Debug for ConnectRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectRequest")
            .field("url", &self.url)
            .field("phase", &self.phase)
            .finish_non_exhaustive()
    }
}

impl TcpConnector {
    /// Makes one with default settings.
    pub fn new() -> Self {
        Self::builder().build_valid()
    }

    /// Returns the settings to make one with.
    pub fn builder() -> TcpConnectorBuilder {
        TcpConnectorBuilder {
            limit: Some(100),
            limit_per_host: None,
            keepalive_timeout: None,
            force_close: false,
            resolver: Arc::new(SystemResolver),
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
                Err(_) => {
                    let attempt = Box::new(request.attempt());
                    return Err(ConnectionError::Timeout { attempt });
                }
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
        let stream = match dialled {
            Ok(stream) => stream,
            Err(DialError::Timeout) => {
                return Err(ConnectionError::Timeout {
                    attempt: Box::new(request.attempt()),
                });
            }
            Err(DialError::Failed(kind, source)) => {
                let key = slot.key();
                let (attempt, source) = (request.attempt(), Some(Arc::new(source) as _));
                let error = ConnectError::new(key.host(), key.port(), kind, attempt, source);
                return Err(ConnectionError::Connect(error));
            }
        };
        request.observe(ConnectEvent::CreateEnd);
        let link = Box::new(Link::new(stream, user));
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

impl Default for TcpConnector {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for TcpConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpConnector")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl TcpConnectorBuilder {
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

    /// Resolves names with `resolver`; default [`SystemResolver`].
    pub fn resolver(mut self, resolver: Arc<dyn Resolver>) -> Self {
        self.resolver = resolver;
        self
    }

    /// Makes the connector.
    ///
    /// # Errors
    /// If a `keepalive_timeout` is set together with `force_close`.
    pub fn build(self) -> Result<TcpConnector, SettingsError> {
        if self.force_close
            && self
                .keepalive_timeout
                .is_some_and(|timeout| timeout.is_some())
        {
            return Err(SettingsError::KeepaliveOfClosed);
        }
        Ok(self.build_valid())
    }

    fn build_valid(self) -> TcpConnector {
        let bounds = Bounds {
            limit: limit_or_unlimited(self.limit),
            per_host: limit_or_unlimited(self.limit_per_host),
            keepalive: self.keepalive_timeout.unwrap_or(Some(KEEPALIVE)),
        };
        let shared = Shared {
            pool: Pool::new(bounds),
            dialer: Dialer {
                resolver: self.resolver,
            },
            force_close: self.force_close,
        };
        TcpConnector {
            shared: Arc::new(shared),
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.pool.close();
    }
}
