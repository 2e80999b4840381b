//! The handshake of a session's WebSocket: a request like any other.

use std::sync::Arc;
use std::time::Duration;

use aio_client::{
    BasicAuth, ClientError, ClientRequest, ClientSession, ClientTimeout, CookieJar, Environment,
    HandshakeCheck, Next, RaiseForStatus, ResponseErrorKind,
};
use aio_tests::http_server::{Request, Response};

use crate::netrc::Netrc;
use crate::peer::{Listener, begin, soon};
use crate::seams::Log;
use crate::site::Site;
use crate::tls::ok;
use crate::ws::{check_echo, close, counts, echo, open, refused};

#[tokio::test]
async fn the_request_is_as_aiohttps() {
    // SPEC 18.1, WS-05, EDGE-274.
    let listener = Listener::new().await;
    let session = ClientSession::new();
    let request = session
        .ws_connect(listener.url("/chat"))
        .protocols(["a", "b"])
        .origin("http://o")
        .compress(15)
        .header("X", "y")
        .header("Sec-WebSocket-Key", "mine");
    let asking = begin(request.send()).await;
    let head = listener.accept().await.head().await;
    let key = head.split("Sec-WebSocket-Key: ").nth(1).expect("a key");
    let key = &key[..key.find('\r').expect("a line")];
    assert_eq!(key.len(), 24, "16 bytes in base64");
    let want = format!(
        "GET /chat HTTP/1.1\r\nHost: {}\r\nX: y\r\nSec-WebSocket-Key: {key}\r\n\
         Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Protocol: a,b\r\nOrigin: http://o\r\n\
         Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n",
        listener.host()
    );
    assert!(head.starts_with(&want), "{head}");
    let rest = head[want.len()..].lines();
    let names: Vec<_> = rest.filter_map(|line| line.split(':').next()).collect();
    assert_eq!(names, ["Accept", "Accept-Encoding", "User-Agent", ""]);
    asking.abort();

    let request = session.ws_connect(listener.url("/"));
    let request = request.header("sec-websocket-version", "8");
    let asking = begin(request.send()).await;
    let head = listener.accept().await.head().await.to_lowercase();
    assert!(head.contains("sec-websocket-version: 8\r\n"), "{head}");
    assert_eq!(head.matches("sec-websocket-version").count(), 1, "{head}");
    let again = head.split("sec-websocket-key: ").nth(1).expect("a key");
    assert!(!again.starts_with(&key.to_lowercase()), "a new key each");
    asking.abort();
}

#[tokio::test]
async fn cookies_go_along_and_come_back() {
    let site = Site::new(|request| match request.target.as_str() {
        "/ws" => Response::websocket(request).header("Set-Cookie", "ws=2"),
        _ => Response::ok("").header("Set-Cookie", "http=1"),
    })
    .await;
    let builder = site.session().cookie_jar(Arc::new(CookieJar::default()));
    let session = builder.build().expect("valid");
    session.get("http://a.test/").await.expect("a response");
    let mut ws = open(session.ws_connect("ws://a.test/ws")).await;
    assert_eq!(site.last_values("cookie"), ["http=1"]);
    close(&mut ws).await;
    session.get("http://a.test/").await.expect("a response");
    assert_eq!(site.last_values("cookie"), ["http=1; ws=2"]);
}

const ADA: &str = "Basic YWRhOnB3";

#[tokio::test]
async fn credentials_go_along() {
    let (site, netrc) = (
        echo().await,
        Netrc::new("machine a.test login ada password pw"),
    );
    let ada = || BasicAuth::new("ada", "pw");
    let session = |builder: aio_client::ClientSessionBuilder| builder.build().expect("valid");
    let plain = session(site.session());
    let environment = Environment::from_pairs([("NETRC", netrc.path())]);
    let trusting = site.session().trust_env(true).environment(environment);
    let trusting = session(trusting);
    let based = site.session().base_url("http://a.test/v1/");
    let based = session(based.basic_auth(ada()));
    for request in [
        plain.ws_connect("ws://a.test/").basic_auth(ada()),
        plain.ws_connect("ws://ada:pw@a.test/"),
        trusting.ws_connect("ws://a.test/"),
        based.ws_connect("feed"),
    ] {
        let mut ws = open(request).await;
        assert_eq!(site.last_values("authorization"), [ADA]);
        close(&mut ws).await;
    }
    assert_eq!(site.last().target, "/v1/feed");
    let two = plain
        .ws_connect("ws://ada:s3cret@a.test/")
        .basic_auth(ada());
    let two = two.header("Cookie", "id=s3cret");
    let shown = format!("{two:?}");
    assert!(
        shown.contains("a.test") && !shown.contains("s3cret"),
        "{shown}"
    );
    assert_eq!(refused(two).await.aiohttp_class(), "ValueError");
}

#[tokio::test]
async fn redirects_are_followed() {
    let site = Site::new(|request| match request.target.as_str() {
        "/old" => Response::new(302).header("Location", "/new"),
        "/elsewhere" => Response::new(302).header("Location", "http://b.test/new"),
        // RED-20.
        "/ws" => Response::new(302).header("Location", "ws://a.test/new"),
        _ => Response::websocket(request),
    })
    .await;
    let session = site.session().build().expect("valid");
    let mut ws = open(session.ws_connect("ws://a.test/old")).await;
    assert_eq!(ws.history().len(), 1);
    assert_eq!(ws.head().url().as_str(), "ws://a.test/new");
    check_echo(&mut ws, "there").await;

    let ada = BasicAuth::new("ada", "pw");
    let request = session.ws_connect("ws://a.test/elsewhere").basic_auth(ada);
    let mut ws = open(request.protocols(["p"])).await;
    assert!(site.last_values("authorization").is_empty());
    assert_eq!(site.last_values("sec-websocket-protocol"), ["p"]);
    close(&mut ws).await;

    let error = refused(session.ws_connect("ws://a.test/ws")).await;
    assert_eq!(error.aiohttp_class(), "NonHttpUrlRedirectClientError");
}

/// Checks how an answer fails that has these headers in place of good ones.
async fn check_refused(
    answer: fn(&Request) -> Response,
    status: u16,
    message: &str,
    check: HandshakeCheck,
    idle: usize,
) {
    let site = Site::new(answer).await;
    let session = ClientSession::new();
    let request = session.ws_connect(site.url("/")).compress(15);
    let error = refused(request).await;
    assert!(error.is_a("WSServerHandshakeError") && error.is_a("ClientResponseError"));
    assert_eq!(counts(&session), (idle, idle), "{message}");
    let ClientError::Response(error) = error else {
        panic!("{error:?}");
    };
    assert_eq!(error.kind, ResponseErrorKind::WsHandshake);
    assert_eq!((error.status, &*error.message), (status, message));
    assert_eq!(error.handshake, Some(check));
    let head = error.head.expect("a response");
    assert_eq!(
        head.headers().get("X-Own").expect("it is there").as_bytes(),
        b"1"
    );
}

/// An answer to a handshake with a header replaced.
fn with(request: &Request, name: &str, value: &str) -> Response {
    let mut answer = Response::websocket(request).header("X-Own", 1);
    answer.headers.retain(|(have, _)| have != name);
    answer.header(name, value)
}

#[tokio::test]
async fn an_answer_that_opens_none_is_an_error() {
    // WS-10 to WS-15, EDGE-288.
    use HandshakeCheck::{Accept, Connection, Extension, Status, Upgrade, WindowSize};
    let ok = |_: &Request| Response::ok("fine").header("X-Own", 1);
    check_refused(ok, 200, "Invalid response status", Status, 1).await;
    let upgrade = |request: &Request| with(request, "Upgrade", "h2c");
    check_refused(upgrade, 101, "Invalid upgrade header", Upgrade, 0).await;
    let none = |request: &Request| {
        let mut answer = with(request, "X-Own", "1");
        answer.headers.retain(|(name, _)| name != "Upgrade");
        answer
    };
    check_refused(none, 101, "Invalid upgrade header", Upgrade, 0).await;
    let connection = |request: &Request| with(request, "Connection", "keep-alive");
    check_refused(connection, 101, "Invalid connection header", Connection, 0).await;
    let accept = |request: &Request| with(request, "Sec-WebSocket-Accept", "x");
    check_refused(accept, 101, "Invalid challenge response", Accept, 0).await;
    let bits = |request: &Request| {
        let deflate = "permessage-deflate; client_max_window_bits=7";
        with(request, "Sec-WebSocket-Extensions", deflate)
    };
    check_refused(bits, 101, "Invalid window size", WindowSize, 0).await;
    let foo = |request: &Request| {
        with(
            request,
            "Sec-WebSocket-Extensions",
            "permessage-deflate; foo",
        )
    };
    let message = "Extension for deflate not supported; foo";
    check_refused(foo, 101, message, Extension("; foo".into()), 0).await;
}

#[tokio::test]
async fn a_refusal_whose_body_has_not_come_closes_its_connection() {
    // EDGE-288.
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let asking = begin(session.ws_connect(listener.url("/")).send()).await;
    let mut peer = listener.accept().await;
    peer.head().await;
    peer.send("HTTP/1.1 403 F\r\nContent-Length: 9\r\n\r\nabc")
        .await;
    let opened = soon("the answer", asking).await.expect("no panic");
    assert_eq!(opened.expect_err("a refusal").status(), Some(403));
    assert_eq!(counts(&session), (0, 0));
    soon("the end", peer.drain()).await;
}

#[tokio::test]
async fn statuses_that_the_session_takes_for_errors_are_those() {
    // WS-01.
    let site = Site::new(|request| match request.target.as_str() {
        "/busy" => Response::new(503),
        "/300" => Response::new(300),
        _ => Response::websocket(request),
    })
    .await;
    let session = ClientSession::builder().raise_for_status(true);
    let session = session.build().expect("valid");
    let error = refused(session.ws_connect(site.url("/busy"))).await;
    assert_eq!(error.aiohttp_class(), "ClientResponseError");
    let error = refused(session.ws_connect(site.url("/300"))).await;
    assert_eq!(error.aiohttp_class(), "WSServerHandshakeError");
    close(&mut open(session.ws_connect(site.url("/"))).await).await;

    let judge = RaiseForStatus::with(|mut response| async move {
        response.raise_for_status()?;
        Ok(response)
    });
    let session = ClientSession::builder().raise_for_status(judge);
    let session = session.build().expect("valid");
    let error = refused(session.ws_connect(site.url("/busy"))).await;
    assert_eq!(error.aiohttp_class(), "ClientResponseError");
    close(&mut open(session.ws_connect(site.url("/"))).await).await;
}

#[tokio::test]
async fn window_bits_that_there_are_not_are_refused_before_anything_else() {
    // EDGE-280.
    let session = ClientSession::new();
    session.close().await;
    for bits in [1, 8, 16, 255] {
        let error = refused(session.ws_connect("nonsense").compress(bits)).await;
        assert_eq!(error.aiohttp_class(), "ValueError");
        assert_eq!(
            error.to_string(),
            "Compress wbits must between 9 and 15, zlib does not support wbits=8"
        );
    }
    let error = refused(session.ws_connect("ws://a.test/").compress(0)).await;
    assert_eq!(error.aiohttp_class(), "RuntimeError");
}

#[tokio::test]
async fn middlewares_and_watchers_see_the_handshake() {
    let site = echo().await;
    let log = Log::default();
    let tag = |mut request: ClientRequest, next: Next| async move {
        assert_eq!(
            request
                .headers()
                .get("Upgrade")
                .expect("it asks")
                .as_bytes(),
            b"websocket"
        );
        request.headers_mut().insert("X-Tag", "1").expect("valid");
        next.run(request).await
    };
    let builder = ClientSession::builder().middleware(tag);
    let session = builder.trace_config(log.clone()).build().expect("valid");
    let mut ws = open(session.ws_connect(site.url("/"))).await;
    assert_eq!(site.last_values("x-tag"), ["1"]);
    let seen = log.0.lock().expect("no panic").clone();
    assert_eq!(seen.first().map(String::as_str), Some("GET /"), "{seen:?}");
    assert_eq!(
        seen.last().map(String::as_str),
        Some("RequestEnd"),
        "{seen:?}"
    );
    close(&mut ws).await;

    // One that keeps the byte stream for itself.
    let keep = |request: ClientRequest, next: Next| async move {
        let mut response = next.run(request).await?;
        response.close();
        Ok(response)
    };
    let session = ClientSession::builder().middleware(keep).build();
    let session = session.expect("valid");
    let error = refused(session.ws_connect(site.url("/"))).await;
    assert_eq!(error.aiohttp_class(), "ClientConnectionError", "{error:?}");
}

#[tokio::test]
async fn total_bounds_the_handshake_alone() {
    // WS-01, WS-16.
    let (site, listener) = (echo().await, Listener::new().await);
    let timeout = ClientTimeout {
        sock_read: Some(Duration::from_millis(20)),
        ..ClientTimeout::total(Duration::from_millis(60))
    };
    let session = ClientSession::builder().timeout(timeout).build();
    let session = session.expect("valid");
    let error = refused(session.ws_connect(listener.url("/"))).await;
    assert_eq!(error.aiohttp_class(), "SocketTimeoutError");
    let session = ClientSession::builder().timeout(Duration::from_millis(60));
    let session = session.build().expect("valid");
    let error = refused(session.ws_connect(listener.url("/"))).await;
    assert_eq!(error.aiohttp_class(), "TimeoutError");

    let session = ClientSession::builder().timeout(ClientTimeout {
        sock_read: Some(Duration::from_millis(500)),
        ..ClientTimeout::total(Duration::from_millis(500))
    });
    let session = session.build().expect("valid");
    let mut ws = open(session.ws_connect(site.url("/"))).await;
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(10)).await;
    tokio::time::resume();
    check_echo(&mut ws, "nobody hurries").await;
}

#[tokio::test]
async fn a_stale_connection_is_replaced() {
    // RTY-02: the handshake is a GET.
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let get = session.get(listener.url("/"));
    let (mut response, mut peer) = listener.answer(get, ok("ok")).await;
    response.read().await.expect("a body");
    assert_eq!(counts(&session), (1, 1));
    let asking = begin(session.ws_connect(listener.url("/")).send()).await;
    peer.head().await;
    drop(peer);
    let mut peer = soon("another connection", listener.accept()).await;
    assert!(peer.head().await.contains("\r\nUpgrade: websocket\r\n"));
    asking.abort();
}
