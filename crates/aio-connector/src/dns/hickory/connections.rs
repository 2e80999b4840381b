//! Connections to name servers: one for each, made anew where it has ended.
//!
//! Left alone, hickory 0.26 dials for every look-up that comes before the first connection
//! is there, more often than many servers allow; it fails where more than 32 questions are
//! under way on a connection, or where one has ended; it loses one with every question that
//! is given up while it is made; and it forgets why there is none.

use std::future::{Ready, poll_fn, ready};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use hickory_resolver::config::{ConnectionConfig, ProtocolConfig, ResolverOpts};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::xfer::{DnsExchange, DnsHandle};
use hickory_resolver::proto::op::{DnsRequest, DnsResponse};
use hickory_resolver::{ConnectionProvider, PoolContext, TlsConfig};
use tokio::sync::{OnceCell, Semaphore, watch};
use tokio::time::timeout;

use crate::dns::BoxFuture;

/// How many questions are asked by UDP at once, whomever: each has a socket, of which a
/// process has 1024 as a rule.
const SOCKETS: usize = 256;
/// How many questions are under way on a connection at once; hickory has no room for more.
const QUESTIONS: usize = 32;

type Exchange = DnsExchange<TokioRuntimeProvider>;

/// The connections of one runtime.
#[derive(Clone)]
pub(super) struct Connections {
    runtime: TokioRuntimeProvider,
    context: Arc<PoolContext>,
    /// How long an answer may take, with all that goes before.
    timeout: Duration,
    sockets: Arc<Semaphore>,
    /// It ends with the resolver.
    kept: watch::Receiver<()>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Few: one for each server and way to ask it.
    open: Vec<Arc<Open>>,
    failure: Option<Arc<io::Error>>,
}

/// A connection.
struct Open {
    address: SocketAddr,
    way: ProtocolConfig,
    /// Once it is made; a failure is for all who wait for it.
    exchange: OnceCell<Result<Exchange, NetError>>,
    room: Arc<Semaphore>,
}

impl Connections {
    /// Makes those that are used until the other end of `kept` is dropped.
    pub(super) fn new(
        mut options: ResolverOpts,
        tls: TlsConfig,
        kept: watch::Receiver<()>,
    ) -> Self {
        let timeout = options.timeout;
        // Ours comes first: hickory tells that its time is over as it tells that a
        // connection has ended.
        options.timeout = timeout * 2;
        Self {
            runtime: TokioRuntimeProvider::default(),
            timeout,
            sockets: Arc::new(Semaphore::new(SOCKETS)),
            kept,
            context: Arc::new(PoolContext::new(options, tls)),
            state: Arc::default(),
        }
    }

    /// Returns what a connection failed for last.
    pub(super) fn failure(&self) -> Option<Arc<io::Error>> {
        self.state().failure.clone()
    }

    /// Uses a connection no more: the server may be gone without a word.
    fn leave(&self, open: &Arc<Open>, error: &NetError) {
        let mut state = self.state();
        state.open.retain(|other| !Arc::ptr_eq(other, open));
        if let NetError::Io(error) = error {
            state.failure = Some(Arc::clone(error));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConnectionProvider for Connections {
    type Conn = NameServerHandle;
    type FutureConn = Ready<Result<NameServerHandle, NetError>>;
    type RuntimeProvider = TokioRuntimeProvider;

    fn new_connection(
        &self,
        ip: IpAddr,
        config: &ConnectionConfig,
        _: &PoolContext,
    ) -> Result<Self::FutureConn, NetError> {
        let handle = NameServerHandle {
            connections: self.clone(),
            ip,
            config: config.clone(),
        };
        Ok(ready(Ok(handle)))
    }

    fn runtime_provider(&self) -> &TokioRuntimeProvider {
        &self.runtime
    }
}

/// A name server and a way to ask it.
#[derive(Clone)]
pub(super) struct NameServerHandle {
    connections: Connections,
    ip: IpAddr,
    config: ConnectionConfig,
}

impl NameServerHandle {
    /// Asks as long as there is the resolver, whether or not someone waits for the answer.
    async fn answer_while_kept(self, request: DnsRequest) -> Result<DnsResponse, NetError> {
        let mut kept = self.connections.kept.clone();
        let mut gone = pin!(kept.changed());
        let mut answer = pin!(self.answer(request));
        poll_fn(|cx| match answer.as_mut().poll(cx) {
            Poll::Pending => gone.as_mut().poll(cx).map(|_| Err(ended())),
            answered => answered,
        })
        .await
    }

    async fn answer(self, request: DnsRequest) -> Result<DnsResponse, NetError> {
        let open = self.open();
        let was_idle = open.exchange.initialized();
        match self.answer_on(&open, request.clone()).await {
            // It may have ended before.
            Err(error) if was_idle && error.is_connection_closed() => {
                self.answer_on(&self.open(), request).await
            }
            answer => answer,
        }
    }

    /// Asks on a connection, which is made if need be.
    async fn answer_on(
        &self,
        open: &Arc<Open>,
        request: DnsRequest,
    ) -> Result<DnsResponse, NetError> {
        let asked = timeout(self.connections.timeout, self.try_on(open, request));
        let answer = asked.await.unwrap_or(Err(NetError::Timeout));
        if let Err(error) = &answer {
            self.connections.leave(open, error);
        }
        answer
    }

    async fn try_on(&self, open: &Open, request: DnsRequest) -> Result<DnsResponse, NetError> {
        let Connections {
            runtime, context, ..
        } = &self.connections;
        let dial = async || {
            runtime
                .new_connection(self.ip, &self.config, context)?
                .await
        };
        let exchange = open.exchange.get_or_init(dial).await.clone()?;
        let _place = open.room.acquire().await;
        let mut answers = exchange.send(request);
        match poll_fn(|cx| Pin::new(&mut answers).poll_next(cx)).await {
            // So it says that the connection has ended.
            None | Some(Err(NetError::Busy | NetError::Message(_))) => Err(ended()),
            Some(answer) => answer,
        }
    }

    /// Finds the connection, or the place for one.
    fn open(&self) -> Arc<Open> {
        let address = SocketAddr::new(self.ip, self.config.port);
        let way = &self.config.protocol;
        let mut state = self.connections.state();
        let mut all = state.open.iter();
        if let Some(open) = all.find(|open| open.address == address && open.way == *way) {
            return Arc::clone(open);
        }
        let room = match way {
            ProtocolConfig::Udp => Arc::clone(&self.connections.sockets),
            _ => Arc::new(Semaphore::new(QUESTIONS)),
        };
        let open = Arc::new(Open {
            address,
            way: way.clone(),
            exchange: OnceCell::new(),
            room,
        });
        state.open.push(Arc::clone(&open));
        open
    }
}

fn ended() -> NetError {
    io::Error::from(io::ErrorKind::ConnectionAborted).into()
}

impl DnsHandle for NameServerHandle {
    type Response = Answer;
    type Runtime = TokioRuntimeProvider;

    fn send(&self, request: DnsRequest) -> Answer {
        let handle = self.clone();
        if self.config.protocol == ProtocolConfig::Udp {
            return Answer(Some(Box::pin(handle.answer(request))));
        }
        // A question is given up whenever another server is quicker. The connection is made
        // all the same, and whether an answer comes tells whether it is still good.
        let asked = tokio::spawn(handle.answer_while_kept(request));
        Answer(Some(Box::pin(async {
            asked.await.map_err(io::Error::from)?
        })))
    }
}

/// An answer to come, as hickory wants it: a stream of one.
pub(super) struct Answer(Option<BoxFuture<'static, Result<DnsResponse, NetError>>>);

impl Stream for Answer {
    type Item = Result<DnsResponse, NetError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(answer) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let answer = ready!(answer.as_mut().poll(cx));
        self.0 = None;
        Poll::Ready(Some(answer))
    }
}
