//! A pool in front of any way to connect.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use aio_core::{ClientTimeout, RequestUrl};

use crate::connection::{Connection, Slot};
use crate::connector::{ConnectRequest, Connector, Dial};
use crate::dns::BoxFuture;
use crate::drive::Link;
use crate::error::{ConnectionError, Phase};
use crate::key::{ConnectionKey, Target};
use crate::observe::ConnectEvent;
use crate::pool::{self, Bounds, ReuseOrder, limit_or_unlimited};
use crate::stats::{KeyStats, Stats};
use crate::timer::now;

/// Makes connections with a [`Dial`] and keeps them, within limits; aiohttp's
/// `BaseConnector`.
///
/// A handle: clones share the same connections, and with the last of them all are closed,
/// those in use too. One task, in the runtime of whoever came first, closes what is idle
/// for too long; that runtime must have its timer enabled and be driven. A connection
/// serves the runtime it was made in: found by another it is closed, as a stale one.
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

type Pool = pool::Pool<Arc<ConnectionKey>, Box<Link>>;
type Acquire<'a> = pool::Acquire<'a, Arc<ConnectionKey>, Box<Link>, Target<'a>>;
type Acquired = pool::Acquired<Arc<ConnectionKey>, Box<Link>>;

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
    max_age: Option<Duration>,
    max_requests: Option<u64>,
    max_idle: Option<usize>,
    max_idle_per_host: Option<usize>,
    reuse_order: ReuseOrder,
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
            max_age: None,
            max_requests: None,
            max_idle: None,
            max_idle_per_host: None,
            reuse_order: ReuseOrder::default(),
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
    /// If the name has no address, no address accepts within `sock_connect`, TLS cannot be
    /// agreed on, or the connector is closed.
    pub async fn connect(
        &self,
        request: &mut ConnectRequest<'_>,
    ) -> Result<Connection, ConnectionError> {
        request.phase = Phase::Pool;
        let mut acquire = self.shared.pool.acquire(self.target(request));
        match queued(&mut acquire, request).await? {
            Acquired::Reuse(slot, link) => {
                request.observe(ConnectEvent::Reused);
                let steps = request.steps.take();
                Ok(Connection::new(link, slot, now()).with_steps(steps))
            }
            // Boxed: most requests find a connection and need not carry its size.
            Acquired::Dial(slot) => Box::pin(self.dial(slot, request)).await,
            Acquired::Closed => Err(ConnectionError::Closed {
                attempt: Box::new(request.attempt()),
            }),
        }
    }

    fn target<'a>(&self, request: &ConnectRequest<'a>) -> Target<'a> {
        let proxy = request.proxy.filter(|_| self.dialer().takes_proxies());
        Target::new(request.url, request.tls, request.server_name, proxy)
    }

    async fn dial(
        &self,
        mut slot: Slot,
        request: &mut ConnectRequest<'_>,
    ) -> Result<Connection, ConnectionError> {
        request.observe(ConnectEvent::CreateStart);
        let begun = now();
        let user = slot.user();
        let dialled = {
            let mut dialling = pin!(self.shared.dialer.dial(slot.key(), request));
            poll_fn(|cx| {
                user.is_waiting(cx.waker());
                if self.shared.pool.is_closed() {
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
        slot.dialled();
        request.observe(ConnectEvent::CreateEnd);
        let link = Box::new(Link::new(transport, user));
        let mut steps = request.steps.take().unwrap_or_default();
        steps.dialled(begun);
        Ok(Connection::new(link, slot, now()).with_steps(Some(steps)))
    }

    /// Opens connections to the origin of `url` until `n` are open, as far as the limits
    /// allow, and keeps them for requests to come, as long as any idle connection; returns
    /// how many it opened.
    ///
    /// One attempt to one address may take 30 s.
    ///
    /// ```
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// use aio_connector::TcpConnector;
    /// use aio_core::RequestUrl;
    ///
    /// let connector = TcpConnector::new();
    /// let opened = connector.warm_up(&RequestUrl::parse("http://127.0.0.1:8080/")?, 4).await?;
    /// assert_eq!(connector.stats().idle, opened);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The first one of a connection that could not be made; the others are kept. Or if
    /// the connector is closed.
    pub async fn warm_up(&self, url: &RequestUrl, n: usize) -> Result<usize, ConnectionError> {
        if self.is_closed() {
            let attempt = Box::new(ConnectRequest::new(url).attempt());
            return Err(ConnectionError::Closed { attempt });
        }
        let reserve = || self.shared.pool.reserve(&Target::from(url), n);
        let dial = |slot| {
            Box::pin(async move {
                let timeout = ClientTimeout::default();
                let mut request = ConnectRequest::begun(url, &timeout, now());
                self.dial(slot, &mut request).await.map(Connection::release)
            })
        };
        let mut dials: Vec<_> = std::iter::from_fn(reserve).map(dial).collect();
        let (mut opened, mut failed) = (0, None);
        poll_fn(|cx| {
            dials.retain_mut(|dial| match dial.as_mut().poll(cx) {
                Poll::Pending => true,
                Poll::Ready(Ok(())) => {
                    opened += 1;
                    false
                }
                Poll::Ready(Err(error)) => {
                    failed.get_or_insert(error);
                    false
                }
            });
            if dials.is_empty() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        failed.map_or(Ok(opened), Err)
    }

    /// Closes idle connections, sends those who wait away with an error, and fails what
    /// is under way on connections in use: those are closed when their users notice, who
    /// are woken for it. Calling it again does nothing.
    pub fn close(&self) {
        self.shared.pool.close();
        self.shared.dialer.close();
    }

    /// Closes it but for the connections in use, which have until `limit` to come to their
    /// end; then closes them too.
    ///
    /// Given up before, it stays closed to new requests, and what is under way goes on.
    pub async fn close_within(&self, limit: Duration) {
        self.shared.pool.close_gently();
        let _ = tokio::time::timeout(limit, self.shared.pool.emptied()).await;
        self.close();
    }

    /// Tells whether it was closed, to new requests at least.
    pub fn is_closed(&self) -> bool {
        self.shared.pool.is_closing()
    }

    /// Tells whether each connection is closed after one request.
    pub fn force_close(&self) -> bool {
        self.shared.force_close
    }

    /// Returns how many connections may be open, if there is a bound.
    ///
    /// ```
    /// use aio_connector::TcpConnector;
    ///
    /// assert_eq!(TcpConnector::new().limit(), Some(100));
    /// assert_eq!(TcpConnector::builder().limit(0).build()?.limit(), None);
    /// # Ok::<(), aio_connector::SettingsError>(())
    /// ```
    pub fn limit(&self) -> Option<usize> {
        some_limit(self.shared.pool.bounds().limit)
    }

    /// Returns how many of them may be open to one peer, if there is a bound.
    pub fn limit_per_host(&self) -> Option<usize> {
        some_limit(self.shared.pool.bounds().per_host)
    }

    /// Returns how long an idle connection may be used again; `None` is for ever.
    pub fn keepalive_timeout(&self) -> Option<Duration> {
        self.shared.pool.bounds().keepalive
    }

    /// Returns what makes its connections.
    pub fn dialer(&self) -> &D {
        &self.shared.dialer
    }

    /// Counts its connections, and what it has done so far.
    pub fn stats(&self) -> Stats {
        self.shared.pool.stats()
    }

    /// Counts the connections to each peer that has one or is waited for.
    pub fn stats_by_key(&self) -> Vec<(ConnectionKey, KeyStats)> {
        let stats = self.shared.pool.stats_by_key();
        let owned = |(key, stats): (Arc<ConnectionKey>, _)| ((*key).clone(), stats);
        stats.into_iter().map(owned).collect()
    }
}

fn some_limit(limit: usize) -> Option<usize> {
    (limit < usize::MAX).then_some(limit)
}

/// Waits for `acquire` within `pool`, and tells the observer of the waiting.
async fn queued(
    acquire: &mut Acquire<'_>,
    request: &mut ConnectRequest<'_>,
) -> Result<Acquired, ConnectionError> {
    let at_hand = poll_fn(|cx| Poll::Ready(Pin::new(&mut *acquire).poll(cx))).await;
    if let Poll::Ready(acquired) = at_hand {
        return Ok(acquired);
    }
    debug_assert!(acquire.is_queued(), "nothing else makes it wait");
    request.observe(ConnectEvent::QueuedStart);
    let acquired = request.within(Phase::Pool, acquire).await?;
    if !matches!(acquired, Acquired::Closed) {
        request.observe(ConnectEvent::QueuedEnd);
    }
    Ok(acquired)
}

impl<D: Dial> Connector for PooledConnector<D> {
    fn connect_now(&self, request: &mut ConnectRequest<'_>) -> Option<Connection> {
        let now = request.now.unwrap_or_else(now);
        let (slot, link) = self.shared.pool.at_hand(&self.target(request), now)?;
        request.observe(ConnectEvent::Reused);
        Some(Connection::new(link, slot, now))
    }

    fn connect<'a>(
        &'a self,
        request: &'a mut ConnectRequest<'_>,
    ) -> BoxFuture<'a, Result<Connection, ConnectionError>> {
        Box::pin(Self::connect(self, request))
    }

    fn close(&self) {
        Self::close(self);
    }

    fn close_within(&self, limit: Duration) -> BoxFuture<'_, ()> {
        Box::pin(Self::close_within(self, limit))
    }

    fn is_closed(&self) -> bool {
        Self::is_closed(self)
    }

    fn force_close(&self) -> bool {
        Self::force_close(self)
    }

    fn schemes(&self) -> &[&str] {
        self.dialer().schemes()
    }

    fn stats(&self) -> Stats {
        Self::stats(self)
    }

    fn stats_by_key(&self) -> Vec<(ConnectionKey, KeyStats)> {
        Self::stats_by_key(self)
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

    /// Bounds the open connections to one host, port and scheme, those with TLS settings, a
    /// server name or a proxy of their own counted apart (CON-13); default none, as `None`
    /// and 0.
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

    /// Bounds how old a connection may be that is used again; default none. Responses
    /// under way are read to their end.
    pub fn max_age(mut self, age: impl Into<Option<Duration>>) -> Self {
        self.max_age = age.into();
        self
    }

    /// Bounds how many requests a connection serves; default none, as `None` and 0.
    pub fn max_requests(mut self, requests: impl Into<Option<u64>>) -> Self {
        self.max_requests = requests.into();
        self
    }

    /// Bounds the idle connections, of which the one released longest ago gives way;
    /// default none, as `None`. 0 keeps no connection that nobody waits for.
    pub fn max_idle(mut self, idle: impl Into<Option<usize>>) -> Self {
        self.max_idle = idle.into();
        self
    }

    /// Bounds the idle connections to one peer, told apart as by `limit_per_host`, in the
    /// same way.
    pub fn max_idle_per_host(mut self, idle: impl Into<Option<usize>>) -> Self {
        self.max_idle_per_host = idle.into();
        self
    }

    /// Sets which of several idle connections is used again; default
    /// [`ReuseOrder::OldestFirst`].
    pub fn reuse_order(mut self, order: ReuseOrder) -> Self {
        self.reuse_order = order;
        self
    }

    /// Does nothing: connections are always closed at once. aiohttp's switch for servers
    /// that do not end TLS.
    pub fn enable_cleanup_closed(self, _: bool) -> Self {
        self
    }

    /// Closes each connection after one request, and tells the server so; default false.
    ///
    /// For a peer that closes behind each response without having said so, as tinyproxy: a
    /// request that must not be sent twice fails if it meets the end of its connection.
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
            idle: self.max_idle.unwrap_or(usize::MAX),
            idle_per_host: self.max_idle_per_host.unwrap_or(usize::MAX),
            keepalive: self.keepalive_timeout.unwrap_or(Some(KEEPALIVE)),
            age: self.max_age,
            requests: self
                .max_requests
                .filter(|most| *most > 0)
                .unwrap_or(u64::MAX),
            order: self.reuse_order,
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
        // What the dialer does ends with it.
        self.pool.close();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::sync::Mutex;
    use std::task::{Context, Wake, Waker};

    use super::*;

    /// A waker that notes, when it is dropped, whether the locks were free: what a waker
    /// keeps alive may be a task with a connection of this same pool.
    struct Owner {
        is_free: Box<dyn Fn() -> bool + Send + Sync>,
        dropped: Arc<Mutex<Vec<bool>>>,
    }

    impl Owner {
        fn waker(
            dropped: &Arc<Mutex<Vec<bool>>>,
            is_free: impl Fn() -> bool + Send + Sync + 'static,
        ) -> Waker {
            let (is_free, dropped) = (Box::new(is_free), Arc::clone(dropped));
            Waker::from(Arc::new(Self { is_free, dropped }))
        }
    }

    impl Wake for Owner {
        fn wake(self: Arc<Self>) {}
    }

    impl Drop for Owner {
        fn drop(&mut self) {
            self.dropped
                .lock()
                .expect("no panic")
                .push((self.is_free)());
        }
    }

    fn pool() -> Arc<Pool> {
        Pool::new(Bounds {
            limit: 1,
            ..Bounds::NONE
        })
    }

    /// Has a request wait with an [`Owner`], and tells what that noted when `end` is over.
    #[track_caller]
    fn check(what: &str, end: impl FnOnce(&Arc<Pool>, Pin<&mut Option<Acquire<'_>>>, Slot)) {
        let pool = pool();
        let url = RequestUrl::parse("http://a.test/").expect("a URL");
        let mut noop = Context::from_waker(Waker::noop());
        let Poll::Ready(Acquired::Dial(slot)) =
            Pin::new(&mut pool.acquire(Target::from(&url))).poll(&mut noop)
        else {
            panic!("the slot is free");
        };
        let dropped = Arc::default();
        let shared = Arc::clone(&pool);
        let owner = Owner::waker(&dropped, move || !shared.is_locked());
        let mut second = Some(pool.acquire(Target::from(&url)));
        let polled = Pin::new(&mut second)
            .as_pin_mut()
            .expect("made above")
            .poll(&mut Context::from_waker(&owner));
        assert!(polled.is_pending(), "{what}");
        drop(owner);
        assert!(dropped.lock().expect("no panic").is_empty(), "{what}");
        end(&pool, Pin::new(&mut second), slot);
        let dropped = dropped.lock().expect("no panic").clone();
        assert_eq!(dropped, [true], "{what}: once, and without the lock");
    }

    #[test]
    fn wakers_are_dropped_without_the_lock() {
        check("given up", |_, mut second, _| second.set(None));
        check("polled by another", |_, second, _| {
            let again = second.as_pin_mut().expect("it waits");
            let polled = again.poll(&mut Context::from_waker(Waker::noop()));
            assert!(polled.is_pending(), "the slot is taken");
        });
        check("woken by a free slot", |_, _, slot| drop(slot));
        check("woken by the closing", |pool, _, _| pool.close());
    }
}
