//! What a session asks for connections, and what makes a new one.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aio_core::{ClientTimeout, RequestUrl, deadline};

use crate::connection::Connection;
use crate::dial::Dials;
use crate::dns::BoxFuture;
use crate::error::{Attempt, ConnectError, ConnectErrorKind, ConnectionError, DialError, Phase};
use crate::key::ConnectionKey;
use crate::observe::{ConnectEvent, ObserveConnect};
use crate::proxy::Proxy;
use crate::stats::{KeyStats, Stats};
use crate::timer::{SharedTimer, now};
use crate::timings::Steps;
use crate::tls::TlsConfig;
use crate::transport::Transport;

/// Gives connections; aiohttp's `BaseConnector.connect`.
///
/// [`PooledConnector`](crate::PooledConnector) is the one to use; a [`Dial`] is all it
/// needs.
pub trait Connector: Send + Sync + 'static {
    /// Gives a connection that is at hand, without waiting.
    fn connect_now(&self, request: &mut ConnectRequest<'_>) -> Option<Connection> {
        let _ = request;
        None
    }

    /// Gives a connection; dropping the future gives up.
    ///
    /// # Errors
    /// If none can be made, in time, or the connector is closed.
    fn connect<'a>(
        &'a self,
        request: &'a mut ConnectRequest<'_>,
    ) -> BoxFuture<'a, Result<Connection, ConnectionError>>;

    /// Closes idle connections, sends those who wait away with an error, and fails what
    /// is under way on connections in use. Calling it again does nothing.
    fn close(&self);

    /// Closes it but for connections in use, which have until `limit` to come to their
    /// end; then closes them too.
    fn close_within(&self, limit: Duration) -> BoxFuture<'_, ()>;

    /// Tells whether it was closed, to new requests at least.
    fn is_closed(&self) -> bool;

    /// Tells whether each connection is closed after one request.
    fn force_close(&self) -> bool {
        false
    }

    /// Returns which schemes of URLs it takes besides `http`, `https`, `ws` and `wss`; by
    /// default none. Of aiohttp's `allowed_protocol_schema_set`.
    fn schemes(&self) -> &[&str] {
        &[]
    }

    /// Counts its connections now.
    fn stats(&self) -> Stats;

    /// Counts the connections to each peer that has one or is waited for; by default
    /// tells of none.
    fn stats_by_key(&self) -> Vec<(ConnectionKey, KeyStats)> {
        Vec::new()
    }
}

impl<C: Connector + ?Sized> Connector for Arc<C> {
    fn connect_now(&self, request: &mut ConnectRequest<'_>) -> Option<Connection> {
        (**self).connect_now(request)
    }

    fn connect<'a>(
        &'a self,
        request: &'a mut ConnectRequest<'_>,
    ) -> BoxFuture<'a, Result<Connection, ConnectionError>> {
        (**self).connect(request)
    }

    fn close(&self) {
        (**self).close();
    }

    fn close_within(&self, limit: Duration) -> BoxFuture<'_, ()> {
        (**self).close_within(limit)
    }

    fn is_closed(&self) -> bool {
        (**self).is_closed()
    }

    fn force_close(&self) -> bool {
        (**self).force_close()
    }

    fn schemes(&self) -> &[&str] {
        (**self).schemes()
    }

    fn stats(&self) -> Stats {
        (**self).stats()
    }

    fn stats_by_key(&self) -> Vec<(ConnectionKey, KeyStats)> {
        (**self).stats_by_key()
    }
}

/// Makes new connections; aiohttp's `_create_connection`.
pub trait Dial: Send + Sync + 'static {
    /// Makes a byte stream to the peer that `key` names, through its proxy if it has one;
    /// dropping the future gives up.
    ///
    /// Requests are in absolute form if the key is [`forwarded_by`] a proxy, which is who
    /// must get them.
    ///
    /// [`forwarded_by`]: ConnectionKey::forwarded_by
    ///
    /// # Errors
    /// If there is none to be made; [`ConnectRequest::failed`] makes the error, and
    /// [`ConnectRequest::within`] that of a step that takes too long.
    fn dial<'a>(
        &'a self,
        key: &'a ConnectionKey,
        request: &'a mut ConnectRequest<'_>,
    ) -> BoxFuture<'a, Result<Transport, ConnectionError>>;

    /// Returns which schemes of URLs it takes besides `http`, `https`, `ws` and `wss`; by
    /// default none.
    fn schemes(&self) -> &[&str] {
        &[]
    }

    /// Tells whether it goes through proxies; by default it does. Else keys have none, and
    /// requests are sent as without (CON-102).
    fn takes_proxies(&self) -> bool {
        true
    }

    /// Ends what it does for no request in particular: its connector is closed.
    fn close(&self) {}
}

/// What a connector must know to connect.
pub struct ConnectRequest<'a> {
    /// Where to.
    pub url: &'a RequestUrl,
    /// How TLS is spoken, in place of the connector's settings.
    pub tls: Option<&'a TlsConfig>,
    /// The name that TLS asks the server for, and that its certificate must have, in place
    /// of the host's; aiohttp's `server_hostname`.
    pub server_name: Option<&'a str>,
    /// Through which proxy, if through any.
    pub proxy: Option<&'a Proxy>,
    /// How long the steps may take; `connect` and `total` are kept to by who asks.
    pub timeout: &'a ClientTimeout,
    /// The timer of who asks; without it each step has one of its own.
    pub timer: Option<&'a SharedTimer>,
    /// Who watches.
    pub observer: Option<&'a mut dyn ObserveConnect>,
    /// What is being done; stays readable when the connecting is given up.
    pub phase: Phase,
    /// When the request began, for its errors.
    pub started: Instant,
    /// What time it is, if that was asked just now.
    pub now: Option<Instant>,
    /// When `sock_connect` is over for the address that is dialled.
    sock_connect: Option<Instant>,
    /// What the steps were so far. Boxed: most requests find a connection.
    pub(crate) steps: Option<Box<Steps>>,
}

impl<'a> ConnectRequest<'a> {
    /// Makes one without timeouts and watchers, which begins now.
    pub fn new(url: &'a RequestUrl) -> Self {
        const NONE: ClientTimeout = ClientTimeout::none();
        Self::begun(url, &NONE, now())
    }

    /// Makes one without watchers for a request that began at `started`.
    pub fn begun(url: &'a RequestUrl, timeout: &'a ClientTimeout, started: Instant) -> Self {
        Self {
            url,
            tls: None,
            server_name: None,
            proxy: None,
            timeout,
            timer: None,
            observer: None,
            phase: Phase::Pool,
            started,
            now: None,
            sock_connect: None,
            steps: None,
        }
    }

    /// Does one step within the timeout that there is for it: `pool`, `dns`, `tls`, or
    /// `sock_connect`, which begins anew with each [`Phase::Connect`] and [`Phase::Tunnel`],
    /// and spans the TLS handshake behind it.
    ///
    /// ```
    /// use aio_connector::{ConnectErrorKind, ConnectRequest, ConnectionError, ConnectionKey, Phase};
    /// use tokio::net::TcpStream;
    ///
    /// async fn connect(
    ///     key: &ConnectionKey,
    ///     request: &mut ConnectRequest<'_>,
    /// ) -> Result<TcpStream, ConnectionError> {
    ///     let connecting = TcpStream::connect((key.host(), key.port()));
    ///     let connected = request.within(Phase::Connect, connecting).await?;
    ///     connected.map_err(|error| request.failed(key, ConnectErrorKind::Refused, error))
    /// }
    /// ```
    ///
    /// # Errors
    /// If it takes longer.
    pub async fn within<F: Future>(
        &mut self,
        phase: Phase,
        step: F,
    ) -> Result<F::Output, ConnectionError> {
        let done = self.step(phase, step).await;
        done.ok_or_else(|| self.timed_out())
    }

    /// Does one step within the timeout that there is for it; gives nothing if it takes
    /// longer.
    pub(crate) async fn step<F: Future>(&mut self, phase: Phase, step: F) -> Option<F::Output> {
        self.phase = phase;
        let begun = now();
        let too_late = self.too_late(phase, begun);
        let own = SharedTimer::default();
        let done = self.timer.unwrap_or(&own).within(too_late, step).await;
        self.ended(phase, begun);
        done
    }

    /// Agrees on TLS with an address for which `sock_connect` is over then.
    pub(crate) async fn agree<F: Future>(
        &mut self,
        sock_connect: Option<Instant>,
        agreeing: F,
    ) -> Option<F::Output> {
        self.sock_connect = sock_connect;
        self.step(Phase::Tls, agreeing).await
    }

    /// Notes that a step of this phase, which began then, has ended.
    pub(crate) fn ended(&mut self, phase: Phase, begun: Instant) {
        self.steps.get_or_insert_default().ended(phase, begun);
    }

    /// Returns what is noted of the addresses that are dialled.
    pub(crate) fn dials(&mut self) -> &mut Dials {
        &mut self.steps.get_or_insert_default().dials
    }

    /// Returns when a step that begins now takes too long.
    fn too_late(&mut self, phase: Phase, now: Instant) -> Option<Instant> {
        let limit = |limit: Option<_>| limit.and_then(|limit| deadline(now, Some(limit)));
        match phase {
            Phase::Pool => limit(self.timeout.pool),
            Phase::Resolve => limit(self.timeout.dns),
            Phase::Connect | Phase::Tunnel => {
                self.sock_connect = limit(self.timeout.sock_connect);
                self.sock_connect
            }
            Phase::Tls => {
                let both = [limit(self.timeout.tls), self.sock_connect];
                both.into_iter().flatten().min()
            }
            Phase::Send | Phase::Head | Phase::Body => None,
        }
    }

    /// Tells the observer, if there is one.
    pub fn observe(&mut self, event: ConnectEvent<'_>) {
        if let Some(observer) = &mut self.observer {
            observer.on_connect(event);
        }
    }

    /// Tells where the request was going and how far it has come, for its errors.
    pub fn attempt(&self) -> Attempt {
        let (steps, now) = (self.steps.as_ref(), now());
        Attempt {
            url: self.url.without_query().into(),
            phase: self.phase,
            elapsed: now.saturating_duration_since(self.started),
            sent: false,
            dials: steps.map_or_else(Vec::new, |steps| steps.dials.tell(self.started, now)),
        }
    }

    /// Makes the error of a dial to `key` that failed.
    pub fn failed(
        &self,
        key: &ConnectionKey,
        kind: ConnectErrorKind,
        source: impl Error + Send + Sync + 'static,
    ) -> ConnectionError {
        self.failed_for(key, kind, Arc::new(source))
    }

    pub(crate) fn failed_for(
        &self,
        key: &ConnectionKey,
        kind: ConnectErrorKind,
        source: Arc<dyn Error + Send + Sync>,
    ) -> ConnectionError {
        let (host, port) = (key.host(), key.port());
        let error = ConnectError::new(host, port, kind, self.attempt(), Some(source));
        ConnectionError::Connect(error)
    }

    /// Makes the error of a dial to `key` from what it ended with.
    pub(crate) fn dial_failed(&self, key: &ConnectionKey, error: DialError) -> ConnectionError {
        match error {
            DialError::Timeout => self.timed_out(),
            DialError::Failed((kind, source)) => self.failed_for(key, kind, source),
        }
    }

    /// Makes the error of a phase that took too long.
    pub fn timed_out(&self) -> ConnectionError {
        ConnectionError::Timeout {
            attempt: Box::new(self.attempt()),
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
