//! Names, as a session sees them.

use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use aio_client::wire::RequestUrl;
use aio_client::{
    AddressFamily, AddressFilter, BoxFuture, ClientError, ClientSession, ConnectRequest,
    ConnectionError, Event, FixedResolver, RequestTrace, Resolved, Resolver, TcpConnector,
    TcpConnectorBuilder, TraceConfig, TraceStart,
};
use aio_tests::http_server::{Request, Response, TestServer};
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, yield_now};

use crate::peer::{begin, soon};
use crate::seams::Log;

/// Says that a name is this machine, once it may.
#[derive(Debug)]
struct Gate {
    open: Semaphore,
    asked: AtomicUsize,
}

impl Gate {
    fn new(open: usize) -> Arc<Self> {
        let (open, asked) = (Semaphore::new(open), AtomicUsize::new(0));
        Arc::new(Self { open, asked })
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Resolver for Gate {
    fn resolve<'a>(
        &'a self,
        _: &'a str,
        port: u16,
        _: AddressFamily,
    ) -> BoxFuture<'a, io::Result<Resolved>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            self.open.acquire().await.expect("never closed").forget();
            Ok(vec![(Ipv4Addr::LOCALHOST, port).into()].into())
        })
    }
}

async fn hello(_: Request) -> Response {
    Response::ok("hello")
}

fn session(connector: TcpConnectorBuilder) -> ClientSession {
    let connector = connector.build().expect("valid");
    let session = ClientSession::builder().connector(connector).build();
    session.expect("valid")
}

fn url(server: &TestServer, host: &str) -> String {
    format!("http://{host}:{}/", server.address().port())
}

#[tokio::test]
async fn a_thousand_requests_to_a_new_name_make_one_look_up() {
    let server = TestServer::start(hello).await.expect("a server");
    let gate = Gate::new(0);
    // As many sockets as a process may have on a modest machine; the others wait for them.
    let session = session(TcpConnector::builder().limit(100).resolver(gate.clone()));
    let url = url(&server, "new.test");
    let mut requests = Vec::new();
    for _ in 0..1000 {
        requests.push(begin(session.get(&url).send()).await);
    }
    gate.open.add_permits(1);
    for request in requests {
        let sent = soon("a response", request).await.expect("no panic");
        let text = sent.expect("a response").text().await;
        assert_eq!(text.expect("a body"), "hello");
    }
    assert_eq!(gate.asked(), 1);
}

// A connection that is used again, and IP addresses (EDGE-189), have nothing to do with
// names; TRC-10, 11 and 14.
#[tokio::test]
async fn traces_see_what_becomes_of_a_name() {
    let server = TestServer::start(hello).await.expect("a server");
    let log = Log::default();
    let connector = TcpConnector::builder().resolver(Gate::new(1));
    let session = ClientSession::builder()
        .connector(connector.build().expect("valid"))
        .trace_config(log.clone())
        .build()
        .expect("valid");
    let get = async |host: &str, closes: &str| {
        let request = session.get(url(&server, host)).header("Connection", closes);
        let mut response = soon("a response", request.send())
            .await
            .expect("a response");
        response.read().await.expect("a body");
        let events = log.0.lock().expect("no panic").split_off(0);
        let connect = events
            .iter()
            .filter_map(|event| event.strip_prefix("Connect("));
        let names = connect.map(|event| event.split([' ', ')']).next().unwrap_or(event));
        names.map(str::to_owned).collect::<Vec<_>>()
    };
    let (begun, made) = ("CreateStart", "CreateEnd");
    let looked_up = [begun, "CacheMiss", "ResolveStart", "ResolveEnd", made];
    assert_eq!(get("a.test", "keep-alive").await, looked_up);
    assert_eq!(get("a.test", "close").await, ["Reused"]);
    assert_eq!(get("a.test", "close").await, [begun, "CacheHit", made]);
    assert_eq!(get("127.0.0.1", "close").await, [begun, made]);
}

/// Panics when it is told of the cache.
#[derive(Debug)]
struct Broken;

impl TraceConfig for Broken {
    fn start(&self, _: &TraceStart<'_>) -> Box<dyn RequestTrace> {
        Box::new(|event: &Event<'_>| {
            assert!(!format!("{event:?}").contains("Cache"), "told of {event:?}");
        })
    }
}

// EDGE-188: a trace that panics harms neither its request nor those that wait with it.
#[tokio::test]
async fn a_trace_that_panics_leaves_nobody_hanging() {
    let server = TestServer::start(hello).await.expect("a server");
    let gate = Gate::new(0);
    let connector = TcpConnector::builder().resolver(gate.clone());
    let session = ClientSession::builder()
        .connector(connector.build().expect("valid"))
        .trace_config(Broken)
        .build()
        .expect("valid");
    let get = || begin(session.get(url(&server, "a.test")).send());
    let requests = [get().await, get().await, get().await];
    gate.open.add_permits(1);
    for request in requests {
        let sent = soon("a response", request).await.expect("no panic");
        sent.expect("a response");
    }
    assert_eq!(gate.asked(), 1);
}

#[tokio::test]
async fn a_session_may_have_names_of_its_own() {
    let server = TestServer::start(hello).await.expect("a server");
    let port = server.address().port();
    let table = FixedResolver::new()
        .name("Bücher.test", [Ipv4Addr::LOCALHOST])
        .name_at("other.test", port, [Ipv4Addr::LOCALHOST]);
    let connector = TcpConnector::builder().resolver(Arc::new(table));
    let connector = connector.build().expect("valid");
    let session = ClientSession::builder().connector(connector.clone());
    let session = session.build().expect("valid");
    for host in [
        "bücher.test",
        "BÜCHER.test",
        "xn--bcher-kva.test",
        "other.test.",
    ] {
        let response = session.get(url(&server, host)).await;
        assert_eq!(response.expect("a response").status(), 200, "{host}");
    }
    let hosts: Vec<_> = connector.cached_hosts();
    let hosts: Vec<_> = hosts.iter().map(|host| (&*host.host, host.port)).collect();
    assert_eq!(hosts, [("xn--bcher-kva.test", port), ("other.test.", port)]);
    let error = session.get("http://other.test:1/").await.expect_err("none");
    assert_eq!(error.aiohttp_class(), "ClientConnectorDNSError");
    let ClientError::Connection(ConnectionError::Connect(error)) = error else {
        panic!("{error:?}");
    };
    let cause = error.os_error().expect("a cause").to_string();
    assert_eq!(cause, "no address is given for other.test:1");
}

/// Gives one address after a few turns of other tasks, and now and then fails.
#[derive(Debug, Default)]
struct Busy(AtomicUsize);

impl Resolver for Busy {
    fn resolve<'a>(
        &'a self,
        _: &'a str,
        port: u16,
        _: AddressFamily,
    ) -> BoxFuture<'a, io::Result<Resolved>> {
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            for _ in 0..number % 5 {
                yield_now().await;
            }
            match number % 7 {
                0 => Err(io::Error::other("busy")),
                _ => Ok(vec![SocketAddr::from(([192, 0, 2, 1], port))].into()),
            }
        })
    }
}

// Requests in several threads, of which some are given up, and some forget what others wait
// for: each comes to its end.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_look_ups_at_once_all_come_to_an_end() {
    let connector = TcpConnector::builder()
        .limit(None)
        .resolver(Arc::new(Busy::default()))
        .ttl_dns_cache(Duration::ZERO)
        .address_filter(AddressFilter::new(|_| false));
    let connector = connector.build().expect("valid");
    let mut requests = JoinSet::new();
    for number in 0..4000_usize {
        let connector = connector.clone();
        requests.spawn(async move {
            let url = format!("http://{}.test/", number % 4);
            let url = RequestUrl::parse(&url).expect("a URL");
            let mut request = ConnectRequest::new(&url);
            let mut connecting = Box::pin(connector.connect(&mut request));
            let begun = poll_fn(|cx| Poll::Ready(connecting.as_mut().poll(cx))).await;
            if number.is_multiple_of(11) {
                connector.clear_dns_cache(None);
            }
            let given_up = begun.is_pending() && number.is_multiple_of(3);
            if !given_up {
                let error = match begun {
                    Poll::Ready(connected) => connected.map(drop),
                    Poll::Pending => connecting.await.map(drop),
                };
                let error = error.expect_err("nobody may connect");
                assert!(matches!(error, ConnectionError::Connect(_)), "{error:?}");
            }
        });
    }
    soon("the end of all", requests.join_all()).await;
}
