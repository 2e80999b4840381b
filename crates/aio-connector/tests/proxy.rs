//! Tunnels through proxies that the test plays, hostile ones among them.

// Nobody asks for a tunnel who cannot speak TLS in it.
#![cfg(feature = "__tls")]

use std::error::Error;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use aio_connector::{
    ConnectErrorKind, ConnectEvent, ConnectRequest, Connection, ConnectionError, ObserveConnect,
    Phase, Proxy, TcpConnector, TunnelRefusal,
};
use aio_core::{BasicAuth, ClientTimeout, HttpError, RequestUrl};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// How long something may take that is to happen by itself.
const SOON: Duration = Duration::from_secs(10);

struct Fake {
    listener: TcpListener,
    proxy: Proxy,
}

impl Fake {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let address = listener.local_addr().expect("bound");
        let proxy = Proxy::new(format!("http://{address}")).expect("a proxy");
        Self { listener, proxy }
    }

    fn port(&self) -> u16 {
        self.proxy.url().port()
    }

    /// Accepts a connection and reads the request for a tunnel.
    async fn asked(&self) -> (TcpStream, String) {
        let (mut stream, _) = self.listener.accept().await.expect("a connection");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("the client goes on"));
        }
        (stream, String::from_utf8(head).expect("text"))
    }
}

fn target() -> RequestUrl {
    RequestUrl::parse("https://a.test/?token=s3cret").expect("a URL")
}

async fn connect(
    pool: &TcpConnector,
    proxy: &Proxy,
    timeout: &ClientTimeout,
) -> Result<Connection, ConnectionError> {
    let url = target();
    let mut request = ConnectRequest::begun(&url, timeout, aio_connector::now());
    request.proxy = Some(proxy);
    pool.connect(&mut request).await
}

/// Lets a proxy answer a request for a tunnel so, and gives the error.
async fn refused(answer: impl AsRef<[u8]>, closes: bool) -> ConnectionError {
    let (fake, pool) = (Fake::new().await, TcpConnector::new());
    let play = async {
        let (mut stream, _) = fake.asked().await;
        // The client need not read it all.
        _ = stream.write_all(answer.as_ref()).await;
        if closes {
            drop(stream);
            return;
        }
        // The client hangs up: nothing is left behind.
        let mut rest = [0; 1024];
        while let Ok(1..) = stream.read(&mut rest).await {}
    };
    let none = ClientTimeout::none();
    let both = async { tokio::join!(connect(&pool, &fake.proxy, &none), play) };
    let (connected, ()) = timeout(SOON, both).await.expect("it does not hang");
    let stats = pool.stats();
    assert_eq!((stats.open, stats.idle, stats.waiting), (0, 0, 0));
    let error = connected.expect_err("no tunnel");
    assert!(
        !format!("{error} {error:?}").contains("s3cret"),
        "{error:?}"
    );
    error
}

/// Checks the error of an answer that is no HTTP, or too much of it.
async fn check_malformed(answer: impl AsRef<[u8]>, want: impl Fn(&HttpError) -> bool) {
    let error = refused(answer, false).await;
    assert_eq!(error.aiohttp_class(), "ClientResponseError");
    let ConnectionError::Tunnel { refusal, attempt } = error else {
        panic!("{error:?}");
    };
    assert_eq!(attempt.phase, Phase::Tunnel);
    let TunnelRefusal::Malformed(error) = refusal else {
        panic!("{refusal:?}");
    };
    assert!(want(&error), "{error:?}");
}

#[tokio::test]
async fn answers_that_are_no_http_are_refused() {
    check_malformed("garbage\r\n\r\n", |error| {
        matches!(error, HttpError::BadStatusLine(_))
    })
    .await;
    check_malformed(b"\x16\x03\x01\x00\x00", |error| {
        matches!(error, HttpError::BadStatusLine(_))
    })
    .await;
    check_malformed("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", |error| {
        matches!(error, HttpError::InvalidHeader(_))
    })
    .await;
}

#[tokio::test]
async fn answers_without_end_are_refused() {
    let field = format!("X: {}\r\n", "x".repeat(8000));
    let head = format!("HTTP/1.1 200 OK\r\n{}", field.repeat(256));
    assert!(head.len() > 2_000_000);
    check_malformed(head, |error| {
        matches!(error, HttpError::TooManyHeaders { .. })
    })
    .await;
    check_malformed(
        format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(1 << 20)),
        |error| matches!(error, HttpError::FieldTooLong { .. }),
    )
    .await;
    check_malformed(format!("HTTP/1.1 200 {}", "x".repeat(1 << 20)), |error| {
        matches!(error, HttpError::LineTooLong { .. })
    })
    .await;
    check_malformed("HTTP/1.1 100 Continue\r\n\r\n".repeat(1000), |error| {
        matches!(error, HttpError::TooManyInterim { .. })
    })
    .await;
}

#[tokio::test]
async fn a_proxy_that_leaves_is_disconnected() {
    for answer in ["", "HTTP/1.1 200 OK\r\nX"] {
        let error = refused(answer, true).await;
        assert_eq!(error.aiohttp_class(), "ServerDisconnectedError");
        let ConnectionError::Disconnected { partial, attempt } = error else {
            panic!("{error:?}");
        };
        assert_eq!(
            (attempt.phase, &*partial),
            (Phase::Tunnel, answer.as_bytes())
        );
        assert!(!attempt.sent, "of the request itself");
    }
}

#[tokio::test]
async fn bytes_behind_the_answer_are_nobodys() {
    for behind in ["HTTP/1.1 200 OK\r\n\r\n", "\x16", "hi"] {
        let length = "Content-Length: 2\r\n";
        let error = refused(format!("HTTP/1.1 200 OK\r\n{length}\r\n{behind}"), false).await;
        assert_eq!(error.aiohttp_class(), "ClientProxyConnectionError");
        let ConnectionError::Connect(error) = error else {
            panic!("{error:?}");
        };
        assert_eq!(error.kind(), &ConnectErrorKind::Proxy);
        assert_eq!(
            (error.host(), error.attempt().phase),
            ("127.0.0.1", Phase::Tunnel)
        );
        let source = error.source().expect("a cause").to_string();
        assert_eq!(source, "the proxy said more than its answer");
    }
}

/// Checks a refusal: its status, and what is shown of its body.
async fn check_status(answer: &str, status: u16, body: &str) {
    let error = refused(answer, false).await;
    assert_eq!(error.aiohttp_class(), "ClientHttpProxyError");
    assert!(!error.is_retryable());
    let ConnectionError::Tunnel { refusal, attempt } = error else {
        panic!("{error:?}");
    };
    assert_eq!(attempt.phase, Phase::Tunnel);
    let TunnelRefusal::Status(answer) = refusal else {
        panic!("{refusal:?}");
    };
    assert_eq!(
        (answer.head.status.as_u16(), &answer.body[..]),
        (status, body.as_bytes())
    );
    assert!(answer.sent.starts_with(b"CONNECT a.test:443 HTTP/1.1\r\n"));
}

#[tokio::test]
async fn any_other_status_is_a_refusal() {
    // CON-87.
    check_status(
        "HTTP/1.1 407 No\r\nContent-Length: 4\r\n\r\nbody and more",
        407,
        "body",
    )
    .await;
    check_status("HTTP/1.1 503\r\n\r\nuntil the end", 503, "until the end").await;
    check_status(
        "HTTP/1.0 502 Bad\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n3\r\nhal",
        502,
        "hihal",
    )
    .await;
    check_status("HTTP/1.1 204 No Content\r\n\r\n", 204, "").await;
    check_status(
        "HTTP/1.1 302 Found\r\nLocation: http://a.test/\r\n\r\n",
        302,
        "",
    )
    .await;
    check_status("HTTP/1.1 101 Switching Protocols\r\n\r\n", 101, "").await;
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n";
    check_status(&format!("{interim}HTTP/1.1 403 No\r\n\r\n"), 403, "").await;
}

#[tokio::test]
async fn what_is_kept_of_a_body_is_bounded() {
    let long = format!("HTTP/1.1 403 No\r\n\r\n{}", "x".repeat(1 << 20));
    let ConnectionError::Tunnel { refusal, .. } = refused(long, false).await else {
        panic!("a refusal");
    };
    let TunnelRefusal::Status(answer) = refusal else {
        panic!("{refusal:?}");
    };
    assert!(answer.body.len() <= 4096);
}

#[tokio::test]
async fn a_proxy_is_told_the_peer_and_what_is_its_own() {
    // CON-85, EDGE-200.
    let (fake, pool) = (Fake::new().await, TcpConnector::new());
    let proxy = fake.proxy.clone();
    let proxy = proxy.auth(&BasicAuth::new("ada", "pw")).expect("valid");
    let proxy = proxy.header("X-Team", "7").expect("valid");
    let proxy = ["Host", "Content-Length", "Transfer-Encoding"]
        .iter()
        .try_fold(proxy, |proxy, name| proxy.header(name, "9"))
        .expect("valid");
    for (url, want) in [
        ("https://a.test/x?y", "a.test:443|a.test"),
        ("wss://a.test:8443/", "a.test:8443|a.test:8443"),
        ("https://[::1]/", "[::1]:443|[::1]"),
        ("https://[fe80::1%25lo]:1/", "[fe80::1]:1|[fe80::1]:1"),
    ] {
        let url = RequestUrl::parse(url).expect("a URL");
        let mut request = ConnectRequest::new(&url);
        request.proxy = Some(&proxy);
        let asked = async { drop(timeout(SOON, pool.connect(&mut request)).await) };
        let answer = async { fake.asked().await.1 };
        let ((), head) = tokio::join!(asked, answer);
        let (target, host) = want.split_once('|').expect("two");
        let want = format!(
            "CONNECT {target} HTTP/1.1\r\nHost: {host}\r\nX-Team: 7\r\n\
             Proxy-Authorization: Basic YWRhOnB3\r\n\r\n"
        );
        assert_eq!(head, want);
    }
}

#[tokio::test]
async fn a_silent_proxy_has_sock_connect_to_answer() {
    let (fake, pool) = (Fake::new().await, TcpConnector::new());
    let limit = ClientTimeout {
        sock_connect: Some(Duration::from_millis(300)),
        ..ClientTimeout::none()
    };
    let silent = async {
        let (mut stream, _) = fake.asked().await;
        stream
            .write_all(b"HTTP/1.1 200 OK\r\n")
            .await
            .expect("open");
        stream
    };
    let both = async { tokio::join!(connect(&pool, &fake.proxy, &limit), silent) };
    let (connected, mut stream) = timeout(SOON, both).await.expect("in time");
    let error = connected.expect_err("too late");
    assert_eq!(error.aiohttp_class(), "ConnectionTimeoutError");
    assert_eq!(error.attempt().phase, Phase::Tunnel);
    assert_eq!(stream.read(&mut [0]).await.expect("closed"), 0);
    assert_eq!(pool.stats().open, 0);
    // So has a tunnel nobody speaks TLS at the other end of.
    let silent = async {
        let (mut stream, _) = fake.asked().await;
        stream
            .write_all(b"HTTP/1.1 200 OK\r\n\r\n")
            .await
            .expect("open");
        stream
    };
    let both = async { tokio::join!(connect(&pool, &fake.proxy, &limit), silent) };
    let (connected, _stream) = timeout(SOON, both).await.expect("in time");
    let error = connected.expect_err("too late");
    assert_eq!(error.attempt().phase, Phase::Tls);
}

#[tokio::test]
async fn giving_up_leaves_nothing() {
    // What the proxy has said when the request is dropped.
    for said in ["", "HTTP/1.1 2", "HTTP/1.1 200 OK\r\n\r\n"] {
        let (fake, pool) = (Fake::new().await, TcpConnector::new());
        let none = ClientTimeout::none();
        let mut connecting = Box::pin(connect(&pool, &fake.proxy, &none));
        let answer = async {
            let (mut stream, _) = fake.asked().await;
            stream.write_all(said.as_bytes()).await.expect("open");
            if said.ends_with("\r\n\r\n") {
                // The beginning of TLS.
                assert_eq!(stream.read_u8().await.expect("open"), 0x16);
            }
            stream
        };
        let mut answer = pin!(answer);
        let answered = poll_fn(|cx| {
            assert!(connecting.as_mut().poll(cx).is_pending());
            answer.as_mut().poll(cx)
        });
        let mut stream = timeout(SOON, answered).await.expect("asked");
        drop(connecting);
        let mut rest = Vec::new();
        let closed = timeout(SOON, stream.read_to_end(&mut rest)).await;
        assert!(closed.is_ok(), "{said:?}");
        assert_eq!((pool.stats().open, pool.stats().waiting), (0, 0));
    }
}

#[tokio::test]
async fn nobody_listens() {
    // CON-88: the error is about the proxy.
    let (fake, pool) = (Fake::new().await, TcpConnector::new());
    let (proxy, port) = (fake.proxy.clone(), fake.port());
    drop(fake);
    let none = ClientTimeout::none();
    let error = connect(&pool, &proxy, &none).await.expect_err("refused");
    assert_eq!(error.aiohttp_class(), "ClientProxyConnectionError");
    let ConnectionError::Connect(error) = error else {
        panic!("{error:?}");
    };
    assert_eq!(error.kind(), &ConnectErrorKind::Proxy);
    assert_eq!((error.host(), error.port()), ("127.0.0.1", port));
    assert_eq!(&*error.attempt().url, "https://a.test/?…");
}

/// Writes down what it is told.
#[derive(Default)]
struct Log(Vec<String>);

impl ObserveConnect for Log {
    fn on_connect(&mut self, event: ConnectEvent<'_>) {
        self.0.push(format!("{event:?}"));
    }
}

/// Knows no name.
#[derive(Debug)]
struct Nobody;

impl aio_connector::Resolver for Nobody {
    fn resolve<'a>(
        &'a self,
        _: &'a str,
        _: u16,
        _: aio_connector::AddressFamily,
    ) -> aio_connector::BoxFuture<'a, std::io::Result<aio_connector::Resolved>> {
        Box::pin(async { Err(std::io::ErrorKind::NotFound.into()) })
    }
}

#[tokio::test]
async fn the_name_of_a_proxy_is_looked_up_unseen() {
    // CON-54, CON-91.
    let builder = TcpConnector::builder().resolver(Arc::new(Nobody));
    let pool = builder.build().expect("valid");
    let proxy = Proxy::new("http://proxy.test:3128").expect("a proxy");
    let (url, mut log) = (target(), Log::default());
    let mut request = ConnectRequest::new(&url);
    request.proxy = Some(&proxy);
    request.observer = Some(&mut log);
    let error = pool.connect(&mut request).await.expect_err("no address");
    assert_eq!(error.aiohttp_class(), "ClientConnectorDNSError");
    let ConnectionError::Connect(error) = error else {
        panic!("{error:?}");
    };
    assert_eq!((error.host(), error.port()), ("proxy.test", 3128));
    assert_eq!(log.0, ["CreateStart"]);
}

#[tokio::test]
async fn a_plain_peer_is_asked_for_without_a_tunnel() {
    // EDGE-205: each peer has connections of its own, and all together the limit.
    let (fake, pool) = (Fake::new().await, TcpConnector::builder().limit(1).build());
    let pool = pool.expect("valid");
    let urls = ["http://one.test/", "http://two.test/"];
    let urls = urls.map(|url| RequestUrl::parse(url).expect("a URL"));
    let mut one = ConnectRequest::new(&urls[0]);
    one.proxy = Some(&fake.proxy);
    let first = pool.connect(&mut one).await.expect("a connection");
    assert_eq!(first.key().host(), "one.test");
    assert_eq!(first.key().proxy(), Some(&fake.proxy));
    assert_eq!(first.peer_addr(), fake.listener.local_addr().ok());
    let mut two = ConnectRequest::new(&urls[1]);
    two.proxy = Some(&fake.proxy);
    let mut waiting = Box::pin(pool.connect(&mut two));
    let polled = waiting
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Pending));
    assert_eq!(pool.stats().waiting, 1);
    first.release();
    let second = timeout(SOON, waiting)
        .await
        .expect("a slot")
        .expect("a connection");
    assert!(!second.is_reused());
    assert_eq!(pool.stats().open, 1);
}
