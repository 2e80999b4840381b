//! The pool as its user sees it: bounds, the reaper, warming up, closing with a deadline,
//! and any way to connect.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aio_client::{
    BoxFuture, ClientSession, ClientTimeout, ConnectRequest, ConnectionError, ConnectionKey, Dial,
    PooledConnector, RequestUrl, TcpConnector, TcpConnectorBuilder, Transport,
};
use aio_tests::http_server::{Response, TestServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use crate::peer::{Listener, begin, soon};

const TEN: &str = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n";

async fn server() -> TestServer {
    let started = TestServer::start(|_| async { Response::ok("fine") }).await;
    started.expect("a free port")
}

fn session(builder: TcpConnectorBuilder) -> (ClientSession, TcpConnector) {
    let connector = builder.build().expect("valid");
    let builder = ClientSession::builder().timeout(ClientTimeout::none());
    let session = builder.connector(connector.clone()).build();
    (session.expect("valid"), connector)
}

async fn get(session: &ClientSession, server: &TestServer) {
    let mut response = session.get(server.url("/")).await.expect("a response");
    assert_eq!(response.text().await.expect("a body"), "fine");
}

fn url(server: &TestServer) -> RequestUrl {
    RequestUrl::parse(&server.url("/")).expect("a URL")
}

#[tokio::test]
async fn idle_connections_are_closed_with_nobody_asking() {
    let (server, keepalive) = (server().await, Duration::from_millis(50));
    let (session, connector) = session(TcpConnector::builder().keepalive_timeout(keepalive));
    get(&session, &server).await;
    let idle = Instant::now();
    soon("the close", server.wait_for_open(0)).await;
    assert!(idle.elapsed() < Duration::from_secs(5), "not by luck");
    assert_eq!((connector.stats().open, connector.stats().expired), (0, 1));
    // The task goes on with what comes later.
    get(&session, &server).await;
    soon("the close", server.wait_for_open(0)).await;
    assert_eq!(connector.stats().expired, 2);
}

#[test]
fn the_reaper_outlives_the_runtime_it_was_started_in() {
    let keepalive = Duration::from_millis(50);
    let (session, connector) = session(TcpConnector::builder().keepalive_timeout(keepalive));
    for expired in 0..2 {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let server = server().await;
            get(&session, &server).await;
            soon("the close", server.wait_for_open(0)).await;
        });
        assert!(
            connector.stats().expired > expired,
            "{:?}",
            connector.stats()
        );
    }
}

#[tokio::test]
async fn a_dropped_session_leaves_no_task_and_no_connection() {
    let server = server().await;
    let before = tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks();
    let (session, connector) = session(TcpConnector::builder());
    get(&session, &server).await;
    drop((session, connector));
    soon("the close", server.wait_for_open(0)).await;
    let ended = async {
        // The server's own task for the connection ends too.
        while tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
            > before
        {
            tokio::task::yield_now().await;
        }
    };
    soon("the tasks' end", ended).await;
}

#[tokio::test]
async fn a_connection_serves_as_many_requests_as_it_may() {
    let server = server().await;
    let (session, connector) = session(TcpConnector::builder().max_requests(3));
    for _ in 0..7 {
        get(&session, &server).await;
    }
    assert_eq!(server.connections(), 3);
    assert_eq!(connector.stats().evicted.requests, 2);
    assert_eq!(connector.stats().reused, 4);
}

#[tokio::test]
async fn an_old_connection_is_not_used_again() {
    let server = server().await;
    let age = Duration::from_nanos(1);
    let (session, connector) = session(TcpConnector::builder().max_age(age));
    for _ in 0..3 {
        get(&session, &server).await;
    }
    assert_eq!(server.connections(), 3);
    assert_eq!(connector.stats().evicted.age, 3);
}

#[tokio::test]
async fn warming_up_opens_what_the_limits_allow() {
    let server = server().await;
    let (session, connector) = session(TcpConnector::builder().limit(3));
    let opened = connector.warm_up(&url(&server), 2).await;
    assert_eq!(opened.expect("the server is there"), 2);
    assert_eq!(connector.stats().idle, 2);
    let opened = connector.warm_up(&url(&server), 9).await;
    assert_eq!(opened.expect("the server is there"), 1);
    get(&session, &server).await;
    assert_eq!((server.connections(), connector.stats().reused), (3, 1));
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = closed.local_addr().expect("an address");
    drop(closed);
    let url = RequestUrl::parse(&format!("http://{address}/")).expect("a URL");
    let (_session, connector) = self::session(TcpConnector::builder());
    let error = connector.warm_up(&url, 2).await.expect_err("refused");
    assert_eq!(error.aiohttp_class(), "ClientConnectorError");
    assert_eq!(connector.stats().open, 0);
}

#[tokio::test]
async fn what_is_under_way_may_end_before_a_close_with_a_deadline() {
    let listener = Listener::new().await;
    let (session, connector) = session(TcpConnector::builder().limit(1));
    let request = session.get(listener.url("/"));
    let (mut response, mut peer) = listener.answer(request, format!("{TEN}01234")).await;
    let waiter = begin(session.get(listener.url("/")).send()).await;
    let closing = {
        let session = session.clone();
        begin(async move { session.close_within(Duration::from_secs(60)).await }).await
    };
    let error = soon("the waiter", waiter).await.expect("no panic");
    let error = error.expect_err("the session is closed");
    assert_eq!(error.aiohttp_class(), "ClientConnectionError", "{error}");
    assert!(session.is_closed());
    assert!(
        session.get(listener.url("/")).await.is_err(),
        "it is closed"
    );
    assert!(!closing.is_finished(), "a response is being read");
    peer.send("56789").await;
    assert_eq!(response.text().await.expect("the rest"), "0123456789");
    soon("the close", closing).await.expect("no panic");
    assert_eq!(connector.stats().open, 0);
}

#[tokio::test]
async fn after_the_deadline_nothing_is_left() {
    let listener = Listener::new().await;
    let (session, connector) = session(TcpConnector::builder());
    let request = session.get(listener.url("/"));
    let (mut response, mut peer) = listener.answer(request, format!("{TEN}01234")).await;
    let reader = begin(async move { response.text().await }).await;
    session.close_within(Duration::from_millis(10)).await;
    let error = soon("the reader", reader).await.expect("no panic");
    assert_eq!(
        error.expect_err("closed").aiohttp_class(),
        "ClientConnectionError"
    );
    soon("the connection", peer.drain()).await;
    assert_eq!(connector.stats().open, 0);
}

#[tokio::test]
async fn counts_are_told_by_key() {
    let (first, second) = (server().await, server().await);
    let (session, connector) = session(TcpConnector::builder());
    get(&session, &first).await;
    let response = session.get(second.url("/")).await.expect("a response");
    let counts = |server: &TestServer| {
        let stats = connector.stats_by_key();
        let port = server.address().port();
        let found = stats.iter().find(|(key, _)| key.port() == port);
        found.map(|(_, stats)| (stats.open, stats.idle, stats.waiting))
    };
    assert_eq!(counts(&first), Some((1, 1, 0)));
    assert_eq!(counts(&second).map(|counts| counts.0), Some(1));
    drop(response);
}

/// Connects to a server in the same process, which counts.
struct InMemory {
    dials: Arc<AtomicUsize>,
}

impl Dial for InMemory {
    fn dial<'a>(
        &'a self,
        _: &'a ConnectionKey,
        _: &'a mut ConnectRequest<'_>,
    ) -> BoxFuture<'a, Result<Transport, ConnectionError>> {
        let (near, far) = tokio::io::duplex(1024);
        self.dials.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(serve(far));
        Box::pin(async { Ok(Transport::over(near)) })
    }
}

/// Answers each request that comes, until there is no more.
async fn serve(mut stream: DuplexStream) {
    let (mut received, mut piece) = (Vec::new(), [0; 1024]);
    while let Ok(read) = stream.read(&mut piece).await
        && read > 0
    {
        received.extend_from_slice(&piece[..read]);
        if received.ends_with(b"\r\n\r\n") {
            received.clear();
            let answer = format!("{TEN}0123456789");
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }
}

#[tokio::test]
async fn any_way_to_connect_gets_the_pool() {
    let dials = Arc::default();
    let dial = InMemory {
        dials: Arc::clone(&dials),
    };
    let connector = PooledConnector::over(dial).limit(2).build().expect("valid");
    let session = ClientSession::builder()
        .connector(connector.clone())
        .build();
    let session = session.expect("valid");
    let requests: Vec<_> = (0..20)
        .map(|_| tokio::spawn(session.get("http://nowhere.test/").send()))
        .collect();
    for request in requests {
        let mut response = request.await.expect("no panic").expect("a response");
        assert_eq!(response.text().await.expect("a body"), "0123456789");
    }
    assert_eq!(dials.load(Ordering::Relaxed), 2);
    assert_eq!(
        (connector.stats().created, connector.stats().reused),
        (2, 18)
    );
}

#[tokio::test]
async fn a_detached_connection_is_the_pools_no_longer() {
    let server = server().await;
    let (_session, connector) = session(TcpConnector::builder().limit(1));
    let url = url(&server);
    let connection = connector.connect(&mut ConnectRequest::new(&url)).await;
    let connection = connection.expect("the server is there");
    assert_eq!(connection.transport().peer_addr(), Some(server.address()));
    let (mut transport, received) = connection.detach();
    assert!(received.is_empty());
    assert_eq!(connector.stats().open, 0);
    connector.close();
    let sent = transport
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await;
    sent.expect("it is open");
    let mut status = [0; 15];
    let read = soon("the answer", transport.read_exact(&mut status)).await;
    read.expect("an answer");
    assert_eq!(&status, b"HTTP/1.1 200 OK");
}

#[tokio::test]
async fn a_connection_that_was_not_used_goes_back() {
    let server = server().await;
    let (session, connector) = session(TcpConnector::builder());
    let url = url(&server);
    let connection = connector.connect(&mut ConnectRequest::new(&url)).await;
    connection.expect("the server is there").release();
    assert_eq!(connector.stats().idle, 1);
    get(&session, &server).await;
    assert_eq!(server.connections(), 1);
    let connection = connector.connect(&mut ConnectRequest::new(&url)).await;
    drop(connection.expect("the server is there"));
    assert_eq!(connector.stats().open, 0);
}
