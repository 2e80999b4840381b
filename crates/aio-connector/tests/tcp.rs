//! The connector for TCP, against servers on loopback.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use aio_connector::{
    AddressFamily, BoxFuture, ConnectErrorKind, ConnectRequest, Connection, ConnectionError,
    Exchange, ExchangeOptions, Phase, Resolved, Resolver, TcpConnector, UploadFraming,
};
use aio_core::http1::{BodyEvent, Exchanged, Limits};
use aio_core::{Body, RequestUrl};
use http::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

struct Server {
    listener: TcpListener,
    url: RequestUrl,
}

impl Server {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let address = listener.local_addr().expect("bound");
        let url = RequestUrl::parse(&format!("http://{address}/")).expect("a URL");
        Self { listener, url }
    }

    async fn accept(&self) -> TcpStream {
        self.listener.accept().await.expect("a connection").0
    }
}

async fn connect(pool: &TcpConnector, url: &RequestUrl) -> Result<Connection, ConnectionError> {
    pool.connect(&mut ConnectRequest::new(url)).await
}

fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[track_caller]
fn check_stats(pool: &TcpConnector, want: (usize, usize, usize)) {
    let stats = pool.stats();
    assert_eq!(
        (stats.open, stats.idle, stats.waiting),
        want,
        "(open, idle, waiting)"
    );
}

fn get(mut connection: Connection) -> Exchange {
    connection
        .head_buffer()
        .0
        .extend_from_slice(b"GET / HTTP/1.1\r\n\r\n");
    let options = ExchangeOptions {
        framing: UploadFraming::Length(0),
        limits: Limits::default(),
        exchanged: Exchanged::of(&Method::GET),
        expect_continue: false,
        force_close: false,
    };
    Exchange::start(connection, Body::none(), options)
}

/// Sends a request, lets `peer` answer, and reads the head.
async fn exchange(connection: Connection, peer: &mut TcpStream, answer: &[u8]) -> Exchange {
    let mut exchange = get(connection);
    let served = async {
        let asked = peer.read(&mut [0; 1024]).await.expect("open");
        assert!(asked > 0);
        peer.write_all(answer).await.expect("open");
    };
    let (head, ()) = tokio::join!(poll_fn(|cx| exchange.poll_head(cx)), served);
    head.expect("a head");
    exchange
}

async fn read(mut exchange: Exchange) {
    while poll_fn(|cx| exchange.poll_body(cx)).await.expect("a body") != BodyEvent::End {}
}

/// Makes a connection that stands idle in the pool.
async fn idle(pool: &TcpConnector, server: &Server) -> TcpStream {
    let (connection, peer) = tokio::join!(connect(pool, &server.url), server.accept());
    let mut peer = peer;
    read(exchange(connection.expect("a connection"), &mut peer, ANSWER).await).await;
    check_stats(pool, (1, 1, 0));
    peer
}

/// Waits until the socket of `peer`'s other end has got what `peer` did last.
async fn settled(peer: TcpStream) {
    // Over loopback what is sent has arrived when the sender's call is back.
    drop(peer);
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let (pool, server) = (TcpConnector::new(), Server::new().await);
    let mut peer = idle(&pool, &server).await;
    let again = connect(&pool, &server.url).await.expect("a connection");
    assert!(again.is_reused());
    check_stats(&pool, (1, 0, 0));
    read(exchange(again, &mut peer, ANSWER).await).await;
    check_stats(&pool, (1, 1, 0));
    pool.close();
    check_stats(&pool, (0, 0, 0));
    assert_eq!(peer.read(&mut [0]).await.expect("closed"), 0);
}

#[tokio::test]
async fn a_closed_idle_connection_is_not_used_again() {
    let (pool, server) = (TcpConnector::new(), Server::new().await);
    settled(idle(&pool, &server).await).await;
    let again = connect(&pool, &server.url).await.expect("a connection");
    assert!(!again.is_reused());
    check_stats(&pool, (1, 0, 0));
}

#[tokio::test]
async fn an_idle_connection_with_stray_bytes_is_not_used_again() {
    let (pool, server) = (TcpConnector::new(), Server::new().await);
    let mut peer = idle(&pool, &server).await;
    peer.write_all(b"HTTP/1.1 408 Bye\r\n\r\n")
        .await
        .expect("open");
    let again = connect(&pool, &server.url).await.expect("a connection");
    assert!(!again.is_reused());
    check_stats(&pool, (1, 0, 0));
}

/// EDGE-170.
#[tokio::test]
async fn at_the_limit_requests_wait_in_order() {
    let pool = TcpConnector::builder()
        .limit(1)
        .build()
        .expect("valid settings");
    let server = Server::new().await;
    let first = connect(&pool, &server.url).await.expect("a connection");
    let mut second = pin!(connect(&pool, &server.url));
    let mut third = pin!(connect(&pool, &server.url));
    assert!(poll_once(second.as_mut()).is_pending());
    assert!(poll_once(third.as_mut()).is_pending());
    check_stats(&pool, (1, 0, 2));
    first.close();
    check_stats(&pool, (1, 0, 1));
    let second = second.await.expect("its turn");
    assert!(poll_once(third.as_mut()).is_pending());
    drop(second);
    third.await.expect("its turn");
    check_stats(&pool, (0, 0, 0));
}

#[tokio::test]
async fn a_connect_given_up_at_any_poll_leaves_nothing_behind() {
    let server = Server::new().await;
    let pool = TcpConnector::builder()
        .limit(1)
        .build()
        .expect("valid settings");
    let mut polls = 0;
    loop {
        let mut connecting = Box::pin(connect(&pool, &server.url));
        let mut left = polls;
        let done = poll_fn(|cx| match connecting.as_mut().poll(cx) {
            Poll::Ready(connected) => Poll::Ready(connected.is_ok()),
            Poll::Pending if left == 0 => Poll::Ready(false),
            Poll::Pending => {
                left -= 1;
                Poll::Pending
            }
        })
        .await;
        drop(connecting);
        check_stats(&pool, (0, 0, 0));
        if done {
            return;
        }
        polls += 1;
        assert!(polls < 20, "it connects some time");
    }
}

/// EDGE-171.
#[tokio::test]
async fn a_waiter_given_up_passes_its_turn_on() {
    let pool = TcpConnector::builder()
        .limit(1)
        .build()
        .expect("valid settings");
    let server = Server::new().await;
    let first = connect(&pool, &server.url).await.expect("a connection");
    let mut second = Box::pin(connect(&pool, &server.url));
    let mut third = pin!(connect(&pool, &server.url));
    assert!(poll_once(second.as_mut()).is_pending());
    assert!(poll_once(third.as_mut()).is_pending());
    // The second was handed the slot and never looks.
    drop(first);
    drop(second);
    third.await.expect("its turn");
    check_stats(&pool, (0, 0, 0));
}

/// EDGE-176.
#[tokio::test]
async fn closing_the_connector_sends_waiters_away() {
    let pool = TcpConnector::builder()
        .limit(1)
        .build()
        .expect("valid settings");
    let server = Server::new().await;
    let first = connect(&pool, &server.url).await.expect("a connection");
    let mut waiting = pin!(connect(&pool, &server.url));
    assert!(poll_once(waiting.as_mut()).is_pending());
    pool.close();
    let error = waiting.await.expect_err("closed");
    assert!(matches!(error, ConnectionError::Closed { .. }), "{error:?}");
    assert_eq!(error.attempt().phase, Phase::Pool);
    drop(first);
    check_stats(&pool, (0, 0, 0));
    let error = connect(&pool, &server.url).await.expect_err("closed");
    assert!(matches!(error, ConnectionError::Closed { .. }), "{error:?}");
}

/// Answers with `announced` bytes, of which `sent` are sent, and drops the response.
async fn check_release(announced: usize, sent: usize, want: (usize, usize, usize)) {
    let (pool, server) = (TcpConnector::new(), Server::new().await);
    let (connection, peer) = tokio::join!(connect(&pool, &server.url), server.accept());
    let mut peer = peer;
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {announced}\r\n\r\n");
    let connection = connection.expect("a connection");
    let unread = exchange(connection, &mut peer, head.as_bytes()).await;
    peer.write_all(&vec![b'x'; sent]).await.expect("open");
    drop(unread);
    check_stats(&pool, want);
}

#[tokio::test]
async fn a_short_rest_that_has_arrived_is_drained() {
    check_release(10, 10, (1, 1, 0)).await;
    check_release(32 * 1024, 32 * 1024, (1, 1, 0)).await;
    check_release(10, 9, (0, 0, 0)).await;
    check_release(100 * 1024, 100 * 1024, (0, 0, 0)).await;
}

#[derive(Debug)]
struct Nowhere(Option<&'static str>);

impl Resolver for Nowhere {
    fn resolve<'a>(
        &'a self,
        _: &'a str,
        _: u16,
        _: AddressFamily,
    ) -> BoxFuture<'a, std::io::Result<Resolved>> {
        let answer = self.0.map_or(Ok(Resolved::default()), |text| {
            Err(std::io::Error::other(text))
        });
        Box::pin(async { answer })
    }
}

async fn check_failed(pool: TcpConnector, url: &str, kind: ConnectErrorKind, phase: Phase) {
    let parsed = RequestUrl::parse(url).expect("a URL");
    let error = connect(&pool, &parsed).await.expect_err("nobody there");
    assert_eq!(
        (error.attempt().phase, error.attempt().sent),
        (phase, false),
        "{url}"
    );
    assert!(error.is_connector() && error.is_retryable(), "{error:?}");
    let ConnectionError::Connect(error) = error else {
        panic!("{error:?}");
    };
    assert_eq!((error.host(), error.port()), (parsed.host(), parsed.port()));
    assert_eq!(*error.kind(), kind);
    assert!(error.os_error().is_some(), "{error:?}");
    check_stats(&pool, (0, 0, 0));
}

#[tokio::test]
async fn a_failed_connect_tells_where_it_was_going() {
    let at = |resolver| {
        TcpConnector::builder()
            .resolver(Arc::new(resolver))
            .build()
            .expect("valid settings")
    };
    let resolve = ConnectErrorKind::Resolve;
    let url = "http://nobody.test:81/";
    check_failed(at(Nowhere(Some("no"))), url, resolve, Phase::Resolve).await;
    let address = Server::new().await.url;
    let refused = ConnectErrorKind::Refused;
    check_failed(
        TcpConnector::new(),
        address.as_str(),
        refused,
        Phase::Connect,
    )
    .await;
}

#[tokio::test]
async fn a_name_without_addresses_fails_in_the_resolve_phase() {
    let pool = TcpConnector::builder()
        .resolver(Arc::new(Nowhere(None)))
        .build()
        .expect("valid settings");
    check_failed(
        pool,
        "http://nobody.test:81/",
        ConnectErrorKind::Resolve,
        Phase::Resolve,
    )
    .await;
}

#[tokio::test]
async fn a_connection_that_switched_protocols_is_not_used_again() {
    let (pool, server) = (TcpConnector::new(), Server::new().await);
    let (connection, peer) = tokio::join!(connect(&pool, &server.url), server.accept());
    let mut peer = peer;
    let switched = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n";
    drop(exchange(connection.expect("a connection"), &mut peer, switched).await);
    check_stats(&pool, (0, 0, 0));
}

/// Closes the connector while it is asked for a piece.
struct Closing(TcpConnector);

impl futures_core::Stream for Closing {
    type Item = Result<bytes::Bytes, aio_core::BoxError>;

    fn poll_next(self: std::pin::Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.close();
        Poll::Pending
    }
}

#[tokio::test]
async fn a_close_in_the_middle_of_a_poll_is_not_missed() {
    let (pool, server) = (TcpConnector::new(), Server::new().await);
    let (connection, _peer) = tokio::join!(connect(&pool, &server.url), server.accept());
    let mut connection = connection.expect("a connection");
    connection
        .head_buffer()
        .0
        .extend_from_slice(b"POST / HTTP/1.1\r\n\r\n");
    let options = ExchangeOptions {
        framing: UploadFraming::Chunked,
        limits: Limits::default(),
        exchanged: Exchanged::of(&Method::POST),
        expect_continue: false,
        force_close: false,
    };
    let body = Body::stream(Closing(pool.clone()));
    let mut exchange = Exchange::start(connection, body, options);
    let polled = poll_once(pin!(poll_fn(|cx| exchange.poll_head(cx))));
    assert!(
        matches!(polled, Poll::Ready(Err(_))),
        "it waits for a peer that is gone"
    );
}
