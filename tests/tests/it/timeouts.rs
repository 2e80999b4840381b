//! Timeouts, each with a peer that is slow in just this.

use std::fs::OpenOptions;
use std::io;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use aio_client::{
    AddressFamily, BoxFuture, ClientError, ClientSession, ClientTimeout, Environment, Phase,
    RequestBuilder, Resolved, Resolver, TcpConnector, TlsConfig,
};
use tokio::net::{TcpSocket, TcpStream};

use crate::peer::{Listener, begin, soon};

const SHORT: Duration = Duration::from_millis(50);
const NONE: ClientTimeout = ClientTimeout::none();

/// Answers each name with the same addresses.
#[derive(Debug)]
pub(crate) struct At(pub(crate) Vec<SocketAddr>);

impl Resolver for At {
    fn resolve<'a>(
        &'a self,
        _: &'a str,
        _: u16,
        _: AddressFamily,
    ) -> BoxFuture<'a, io::Result<Resolved>> {
        Box::pin(async { Ok(self.0.clone().into()) })
    }
}

/// Never answers.
#[derive(Debug)]
struct Silent;

impl Resolver for Silent {
    fn resolve<'a>(
        &'a self,
        _: &'a str,
        _: u16,
        _: AddressFamily,
    ) -> BoxFuture<'a, io::Result<Resolved>> {
        Box::pin(std::future::pending())
    }
}

fn session(resolver: impl Resolver + 'static) -> ClientSession {
    let connector = TcpConnector::builder().resolver(Arc::new(resolver)).build();
    let connector = connector.expect("valid settings");
    let session = ClientSession::builder().connector(connector).build();
    session.expect("valid settings")
}

/// Sends a request that is to be too late, and checks what it fails with.
async fn check_late(request: RequestBuilder, phase: Phase, class: &str) {
    let late = soon("the error", request.send()).await;
    check_error(&late.expect_err("too late"), phase, class);
}

#[track_caller]
fn check_error(error: &ClientError, phase: Phase, class: &str) {
    assert_eq!(error.aiohttp_class(), class, "{error:?}");
    assert!(error.is_timeout());
    let attempt = error.attempt().expect("it was going somewhere");
    assert_eq!(attempt.phase, phase);
    let sent = !matches!(
        phase,
        Phase::Pool | Phase::Resolve | Phase::Connect | Phase::Tls
    );
    assert_eq!(attempt.sent, sent);
}

#[track_caller]
fn check_closed(session: &ClientSession) {
    let stats = session.connector().stats();
    let counts = (stats.open, stats.idle, stats.waiting, stats.dialling);
    assert_eq!(counts, (0, 0, 0, 0));
}

/// An address whose queue of new connections is full, so that nobody more gets in, with
/// what keeps it full.
pub(crate) async fn full() -> (SocketAddr, impl Sized) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket
        .bind("127.0.0.1:0".parse().expect("an address"))
        .expect("a port");
    let listener = socket.listen(0).expect("it listens");
    let address = listener.local_addr().expect("it is bound");
    let mut inside = Vec::new();
    while let Ok(stream) = tokio::time::timeout(10 * SHORT, TcpStream::connect(address)).await {
        inside.push(stream.expect("it listens"));
        assert!(inside.len() < 64, "the queue is never full");
    }
    (address, (listener, inside))
}

#[tokio::test]
async fn dns_bounds_the_resolving() {
    let session = session(Silent);
    let request = session.get("http://a.test/").timeout(ClientTimeout {
        dns: Some(SHORT),
        sock_connect: Some(10 * SHORT),
        ..NONE
    });
    check_late(request, Phase::Resolve, "ConnectionTimeoutError").await;
    check_closed(&session);
}

#[tokio::test(start_paused = true)]
async fn resolving_is_bounded_by_connect_not_by_sock_connect() {
    // TMO-21.
    let (session, start) = (session(Silent), tokio::time::Instant::now());
    let request = session.get("http://a.test/").timeout(ClientTimeout {
        connect: Some(3 * SHORT),
        sock_connect: Some(SHORT),
        ..NONE
    });
    check_late(request, Phase::Resolve, "ConnectionTimeoutError").await;
    assert!(start.elapsed() >= 3 * SHORT);
    check_closed(&session);
}

#[tokio::test]
async fn pool_bounds_the_waiting_for_a_connection() {
    let listener = Listener::new().await;
    let connector = TcpConnector::builder().limit(1).build();
    let connector = connector.expect("valid settings");
    let session = ClientSession::builder().connector(connector).build();
    let session = session.expect("valid settings");
    let first = begin(session.get(listener.url("/")).send()).await;
    let request = session.get(listener.url("/")).timeout(ClientTimeout {
        pool: Some(SHORT),
        ..NONE
    });
    check_late(request, Phase::Pool, "ConnectionTimeoutError").await;
    let stats = session.connector().stats();
    assert_eq!((stats.waiting, stats.open + stats.dialling), (0, 1));
    first.abort();
}

#[tokio::test]
async fn tls_bounds_the_handshake() {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let request = session.get(format!("https://{}/", listener.host()));
    let request = request.tls(TlsConfig::new()).timeout(ClientTimeout {
        tls: Some(SHORT),
        sock_connect: Some(Duration::from_secs(3600)),
        ..NONE
    });
    let drained = async { listener.accept().await.drain().await };
    let late = check_late(request, Phase::Tls, "ConnectionTimeoutError");
    tokio::join!(late, drained);
    check_closed(&session);
}

#[tokio::test]
async fn sock_connect_spans_the_handshake() {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let request = session.get(format!("https://{}/", listener.host()));
    let request = request.tls(TlsConfig::new()).timeout(ClientTimeout {
        sock_connect: Some(SHORT),
        ..NONE
    });
    let drained = async { listener.accept().await.drain().await };
    let late = check_late(request, Phase::Tls, "ConnectionTimeoutError");
    tokio::join!(late, drained);
    check_closed(&session);
}

#[tokio::test]
async fn behind_an_address_that_does_not_answer_comes_the_next() {
    // TMO-13.
    let (listener, (silent, _full)) = (Listener::new().await, full().await);
    let session = session(At(vec![
        silent,
        listener.host().parse().expect("an address"),
    ]));
    let timeout = ClientTimeout {
        sock_connect: Some(SHORT),
        ..NONE
    };
    let request = session.get("http://a.test/").timeout(timeout);
    let answer = "HTTP/1.1 204 No Content\r\n\r\n";
    let (response, _peer) = soon("the answer", listener.answer(request, answer)).await;
    assert_eq!(response.status(), 204);
    assert_eq!(session.connector().stats().open, 1);
}

#[tokio::test]
async fn the_last_address_is_the_one_that_is_told_of() {
    // TMO-13.
    let (silent, _full) = full().await;
    let refused = "127.0.0.1:1".parse().expect("an address");
    let timeout = ClientTimeout {
        sock_connect: Some(SHORT),
        ..NONE
    };
    let to = |addresses| {
        session(At(addresses))
            .get("http://a.test/")
            .timeout(timeout)
    };
    let late = to(vec![refused, silent]);
    check_late(late, Phase::Connect, "ConnectionTimeoutError").await;
    let error = soon("the error", to(vec![silent, refused]).send()).await;
    let error = error.expect_err("nobody listens");
    assert_eq!(error.aiohttp_class(), "ClientConnectorError");
    assert!(!error.is_timeout());
}

#[tokio::test]
async fn first_byte_bounds_the_waiting_for_an_answer() {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let timeout = ClientTimeout {
        first_byte: Some(SHORT),
        ..NONE
    };
    let request = session.post(listener.url("/")).body("12345");
    let drained = async { listener.accept().await.drain().await };
    let late = check_late(request.timeout(timeout), Phase::Head, "SocketTimeoutError");
    tokio::join!(late, drained);
    check_closed(&session);
}

#[tokio::test]
async fn first_byte_is_over_with_the_first_byte() {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let timeout = ClientTimeout {
        first_byte: Some(Duration::from_secs(100)),
        ..NONE
    };
    let request = session.get(listener.url("/")).timeout(timeout);
    let answer = async {
        let mut peer = listener.accept().await;
        peer.head().await;
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
            .await;
        peer
    };
    let (response, mut peer) = tokio::join!(request.send(), answer);
    let mut response = response.expect("a response");
    tokio::time::pause();
    let body = begin(async move { response.read().await }).await;
    tokio::time::sleep(Duration::from_secs(1000)).await;
    tokio::time::resume();
    peer.send("k").await;
    let body = soon("the body", body).await.expect("no panic");
    assert_eq!(body.expect("a body"), "ok");
}

#[tokio::test]
async fn write_bounds_the_pauses_of_an_upload() {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let timeout = ClientTimeout {
        write: Some(4 * SHORT),
        ..NONE
    };
    // More than all buffers on the way hold, and the peer reads nothing of it.
    let request = session.post(listener.url("/")).body(vec![0; 64 << 20]);
    let late = check_late(request.timeout(timeout), Phase::Send, "SocketTimeoutError");
    let ((), _peer) = tokio::join!(late, listener.accept());
    check_closed(&session);
}

#[tokio::test]
async fn write_goes_on_when_the_response_is_read() {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let timeout = ClientTimeout {
        write: Some(4 * SHORT),
        ..NONE
    };
    let request = session.post(listener.url("/")).body(vec![0; 64 << 20]);
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
    let (mut response, _peer) = listener.answer(request.timeout(timeout), answer).await;
    let error = soon("the error", response.read()).await;
    let error = error.expect_err("too late");
    check_error(&error, Phase::Send, "SocketTimeoutError");
    check_closed(&session);
}

#[tokio::test]
async fn a_body_that_is_slow_to_come_is_not_late() {
    // TMO-16, and the same of the timeouts that aiohttp has not.
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let (feed, body) = crate::uploads::fed();
    let limit = Some(Duration::from_secs(1));
    let timeout = ClientTimeout {
        sock_read: limit,
        first_byte: limit,
        write: limit,
        ..NONE
    };
    let request = session.post(listener.url("/")).body(body).timeout(timeout);
    let sending = begin(request.send()).await;
    let mut peer = listener.accept().await;
    peer.head().await;
    tokio::time::pause();
    // The paused clock goes on while everybody waits, past all that might ring.
    tokio::time::sleep(Duration::from_secs(100)).await;
    tokio::time::resume();
    feed.send("one").expect("it is read");
    drop(feed);
    peer.until(b"\r\n0\r\n\r\n").await;
    peer.send("HTTP/1.1 204 No Content\r\n\r\n").await;
    let response = soon("the response", sending).await.expect("no panic");
    assert_eq!(response.expect("in time").status(), 204);
}

#[tokio::test]
async fn sock_read_begins_anew_with_each_piece() {
    // TMO-15: three pauses, each shorter than the limit, all of them longer.
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let timeout = ClientTimeout {
        sock_read: Some(Duration::from_secs(100)),
        ..NONE
    };
    let request = session.get(listener.url("/")).timeout(timeout);
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n";
    let (mut response, mut peer) = listener.answer(request, answer).await;
    for _ in 0..3 {
        let chunk = begin(async move {
            let chunk = response.content().chunk().await;
            (response, chunk)
        });
        let chunk = chunk.await;
        tokio::time::pause();
        tokio::time::sleep(Duration::from_secs(60)).await;
        tokio::time::resume();
        peer.send("x").await;
        let (back, piece) = soon("a piece", chunk).await.expect("no panic");
        assert_eq!(piece.expect("in time").expect("a piece"), "x");
        response = back;
    }
    tokio::time::pause();
    let error = response.content().chunk().await.expect_err("a long pause");
    check_error(&error, Phase::Body, "SocketTimeoutError");
    check_closed(&session);
}

#[tokio::test]
async fn what_is_late_is_not_sent_again() {
    // TMO-20.
    let listener = Listener::new().await;
    for timeout in [
        ClientTimeout {
            sock_read: Some(SHORT),
            ..NONE
        },
        ClientTimeout {
            first_byte: Some(SHORT),
            ..NONE
        },
        ClientTimeout::total(SHORT),
    ] {
        let session = ClientSession::new();
        let request = session.get(listener.url("/")).timeout(timeout);
        let (error, _peer) = tokio::join!(request.send(), listener.accept());
        assert!(error.expect_err("too late").is_timeout());
        assert_eq!(session.connector().stats().created, 1);
        check_closed(&session);
    }
}

#[tokio::test]
async fn total_bounds_the_looking_for_credentials() {
    // A pipe that nobody writes to: opening it takes for ever.
    let name = format!("aio-tests-{}-netrc-pipe", std::process::id());
    let path = std::env::temp_dir().join(name);
    let made = Command::new("mkfifo").arg(&path).status();
    assert!(made.expect("coreutils").success());
    let variable = ("NETRC", path.to_string_lossy());
    let session = ClientSession::builder()
        .trust_env(true)
        .environment(Environment::from_pairs([variable]))
        .build()
        .expect("valid settings");
    let request = session.get("http://127.0.0.1:1/").timeout(SHORT);
    let late = tokio::time::timeout(Duration::from_secs(10), request.send()).await;
    // Whoever reads comes to an end, before anything can fail here.
    let opened = OpenOptions::new().read(true).write(true).open(&path);
    std::fs::remove_file(&path).expect("it is there");
    drop(opened.expect("a pipe"));
    let error = late.expect("not for ever").expect_err("too late");
    check_error(&error, Phase::Pool, "TimeoutError");
}
