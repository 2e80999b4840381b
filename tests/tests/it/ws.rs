//! WebSockets of a session: the handshake as a request like any other, and the pool.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use aio_client::{
    BasicAuth, ClientError, ClientRequest, ClientSession, ClientTimeout, ClientWebSocketResponse,
    ClientWsTimeout, CloseCode, CookieJar, Environment, HandshakeCheck, Next, RaiseForStatus,
    ResponseErrorKind, TcpConnector, WsError, WsMessage, WsMsgType, WsRequestBuilder, ws_connect,
};
use aio_tests::http_server::{Request, Response};
use futures_core::Stream;
use serde_json::{Value, json};

use crate::netrc::Netrc;
use crate::peer::{Listener, begin, soon};
use crate::seams::Log;
use crate::site::Site;
use crate::tls::ok;

pub(crate) async fn open(request: WsRequestBuilder) -> ClientWebSocketResponse {
    let opened = soon("the handshake", request.send()).await;
    opened.expect("a WebSocket")
}

async fn refused(request: WsRequestBuilder) -> ClientError {
    let opened = soon("the handshake", request.send()).await;
    opened.expect_err("it must fail")
}

/// Sends a text that comes back.
pub(crate) async fn check_echo(ws: &mut ClientWebSocketResponse, text: &str) {
    let echo = async {
        ws.send_str(text).await?;
        ws.receive_str().await
    };
    assert_eq!(soon("the echo", echo).await.expect("it is open"), text);
}

pub(crate) async fn close(ws: &mut ClientWebSocketResponse) {
    assert!(soon("the close", ws.close(CloseCode::OK, "")).await);
    assert_eq!(ws.close_code(), Some(1000), "{:?}", ws.exception());
}

pub(crate) async fn echo() -> Site {
    Site::new(Response::websocket).await
}

/// Tells how many connections are open, and how many of them idle.
pub(crate) fn counts(session: &ClientSession) -> (usize, usize) {
    let stats = session.connector().stats();
    (stats.open, stats.idle)
}

fn limited(limit: usize) -> ClientSession {
    let connector = TcpConnector::builder().limit(limit).build();
    let session = ClientSession::builder().connector(connector.expect("valid"));
    session.build().expect("valid")
}

#[tokio::test]
async fn messages_go_both_ways() {
    let site = echo().await;
    let session = ClientSession::new();
    let mut ws = open(session.ws_connect(site.url("/echo?x=1"))).await;
    assert_eq!((ws.protocol(), ws.compress()), (None, 0));
    assert!(!ws.client_notakeover() && ws.deflate().is_none());
    assert_eq!(ws.head().status(), 101);
    assert_eq!(ws.head().url().target(), "/echo?x=1");
    assert!(ws.history().is_empty());
    assert!(ws.connection_info().peer_addr().is_some());
    for size in [0, 1, 125, 126, 65_535, 65_536, 1 << 20] {
        check_echo(&mut ws, &"x".repeat(size)).await;
        ws.send_bytes(vec![0xff; size]).await.expect("it is open");
        let bytes = soon("the echo", ws.receive_bytes()).await;
        assert_eq!(bytes.expect("bytes"), vec![0xff; size]);
    }
    ws.ping("mine").await.expect("it is open");
    check_echo(&mut ws, "behind the pong").await;
    close(&mut ws).await;
    assert!(ws.is_closed() && ws.exception().is_none());
    assert!(matches!(ws.receive().await, Ok(None)));
    assert!(matches!(ws.send_str("x").await, Err(WsError::Closed)));
    assert!(!ws.close(CloseCode::OK, "").await, "again");
    assert!(!ws.connection_info().is_reused());
}

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
async fn an_open_one_counts_and_a_closed_one_does_not() {
    // WS-33.
    let site = echo().await;
    let session = limited(1);
    let mut first = open(session.ws_connect(site.url("/"))).await;
    assert_eq!(counts(&session), (1, 0));
    let second = session.ws_connect(site.url("/")).send();
    let second = begin(second).await;
    check_echo(&mut first, "still there").await;
    assert_eq!(session.connector().stats().waiting, 1);
    close(&mut first).await;
    let second = soon("the next", second).await.expect("no panic");
    let mut second = second.expect("a WebSocket");
    assert_eq!(counts(&session), (1, 0));
    check_echo(&mut second, "here").await;
    drop(second);
    assert_eq!(counts(&session), (0, 0));
    // Halves are one connection, until both are gone.
    let (reader, mut writer) = open(session.ws_connect(site.url("/"))).await.split();
    drop(reader);
    assert_eq!(counts(&session), (1, 0));
    writer.send_str("x").await.expect("it is open");
    drop(writer);
    assert_eq!(counts(&session), (0, 0));
    // One with a task for its heartbeat as well.
    let request = session.ws_connect(site.url("/"));
    let beating = open(request.heartbeat(Duration::from_secs(60))).await;
    assert_eq!(counts(&session), (1, 0));
    drop(beating);
    let response = session.get(site.url("/"));
    soon("a response", response.send()).await.expect("a slot");
}

#[tokio::test]
async fn a_handshake_that_is_given_up_closes_its_connection() {
    // EDGE-289; at each await: `cancellation`.
    let (listener, session) = (Listener::new().await, limited(1));
    let asking = begin(session.ws_connect(listener.url("/")).send()).await;
    let mut peer = listener.accept().await;
    peer.head().await;
    asking.abort();
    assert!(asking.await.is_err());
    assert_eq!(counts(&session), (0, 0));
    soon("the end", peer.drain()).await;
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
async fn waiting_for_a_message_may_have_a_limit() {
    // WS-28, EDGE-293.
    let site = echo().await;
    let session = ClientSession::new();
    let timeout = ClientWsTimeout {
        ws_receive: Some(Duration::from_millis(20)),
        ..ClientWsTimeout::default()
    };
    let request = session.ws_connect(site.url("/")).timeout(timeout);
    let mut ws = open(request).await;
    assert!(matches!(ws.receive().await, Err(WsError::Timeout)));
    assert!(!ws.is_closed());
    ws.send_str("late").await.expect("it is open");
    let long = Duration::from_secs(60);
    let late = ws.receive_timeout(long).await.expect("it is open");
    assert_eq!(late, Some("late".into()));
}

#[tokio::test]
async fn a_closed_session_closes_its_websockets() {
    let site = echo().await;
    let session = ClientSession::new();
    let (mut reader, mut writer) = open(session.ws_connect(site.url("/"))).await.split();
    let mut other = open(session.ws_connect(site.url("/"))).await;
    let reading = begin(async move {
        let received = reader.receive().await;
        (received, reader.close_code(), reader.is_closed())
    })
    .await;
    session.close().await;
    let (received, code, closed) = soon("the end", reading).await.expect("no panic");
    assert!(matches!(received, Ok(None)), "{received:?}");
    assert_eq!((code, closed), (Some(1006), true));
    let sent = writer.send_str("x").await.expect_err("it is closed");
    assert_eq!(sent.aiohttp_class(), "ClientConnectionResetError");
    assert!(soon("the close", other.close(CloseCode::OK, "")).await);
    assert_eq!(other.close_code(), Some(1006));
    assert_eq!(counts(&session), (0, 0));
    let error = refused(session.ws_connect(site.url("/"))).await;
    assert_eq!(error.aiohttp_class(), "RuntimeError");
}

#[tokio::test]
async fn closing_within_a_limit_waits_for_them() {
    let site = echo().await;
    let session = ClientSession::new();
    let mut ws = open(session.ws_connect(site.url("/"))).await;
    let closing = session.clone();
    let closing = begin(async move { closing.close_within(Duration::from_secs(60)).await }).await;
    check_echo(&mut ws, "not yet").await;
    close(&mut ws).await;
    soon("the session's end", closing).await.expect("no panic");
}

#[tokio::test]
async fn it_keeps_its_session_alive() {
    let site = echo().await;
    let mut ws = open(ws_connect(site.url("/"))).await;
    check_echo(&mut ws, "of its own").await;
    let session = ClientSession::new();
    let connector = session.connector().clone();
    let (mut reader, mut writer) = open(session.ws_connect(site.url("/"))).await.split();
    drop(session);
    writer.send_str("here").await.expect("it is open");
    assert_eq!(reader.receive_str().await.expect("a text"), "here");
    assert!(!connector.is_closed());
    drop((reader, writer));
    assert!(connector.is_closed());
}

#[tokio::test]
async fn json_goes_both_ways() {
    // EDGE-281: bytes are read as well.
    let site = echo().await;
    let session = ClientSession::new();
    for decode in [true, false] {
        let request = session.ws_connect(site.url("/")).decode_text(decode);
        let mut ws = open(request).await;
        let value = json!({"name": "Ada", "n": [1, null]});
        ws.send_json(&value).await.expect("it is open");
        assert_eq!(ws.receive_json::<Value>().await.expect("JSON"), value);
        ws.send_str("{").await.expect("it is open");
        let error = ws.receive_json::<Value>().await.expect_err("no JSON");
        assert_eq!(error.aiohttp_class(), "JSONDecodeError");
        ws.send_json_bytes(&value).await.expect("it is open");
        // EDGE-282.
        let error = ws.receive_json::<Value>().await.expect_err("no text");
        assert_eq!(error.aiohttp_class(), "WSMessageTypeError");
        let keys = std::collections::HashMap::from([(vec![1], 2)]);
        let error = ws.send_json(&keys).await.expect_err("keys are text");
        assert_eq!(error.aiohttp_class(), "TypeError");
        close(&mut ws).await;
        let error = ws.receive_json::<Value>().await.expect_err("closed");
        assert!(
            matches!(
                error,
                WsError::MessageType {
                    got: WsMsgType::Closed,
                    ..
                }
            ),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_session_may_write_and_read_json_in_its_own_way() {
    let site = echo().await;
    let session = ClientSession::builder()
        .json_serialize(|value| Ok([b"v".to_vec(), serde_json::to_vec(&value)?].concat()))
        .json_deserialize(|text, target| {
            let mut json = serde_json::Deserializer::from_str(text.trim_start_matches('v'));
            target.read(&mut json)
        });
    let session = session.build().expect("valid");
    let mut ws = open(session.ws_connect(site.url("/"))).await;
    ws.send_json(&[7]).await.expect("it is open");
    assert_eq!(ws.receive_str().await.expect("a text"), "v[7]");
    ws.send_str("v[8]").await.expect("it is open");
    assert_eq!(ws.receive_json::<[u8; 1]>().await.expect("JSON"), [8]);
}

#[tokio::test]
async fn messages_may_be_too_large() {
    // WS-56.
    let site = echo().await;
    let session = ClientSession::new();
    let mut ws = open(session.ws_connect(site.url("/")).max_msg_size(10)).await;
    check_echo(&mut ws, "123456789").await;
    ws.send_str("1234567890").await.expect("it is open");
    let error = ws.receive().await.expect_err("too large");
    assert_eq!(error.to_string(), "Message size 10 exceeds limit 10");
    assert_eq!(ws.close_code(), Some(1009));
}

#[tokio::test]
async fn it_is_a_stream() {
    let site = echo().await;
    let mut ws = open(ws_connect(site.url("/"))).await;
    for text in ["one", "two"] {
        ws.send_str(text).await.expect("it is open");
    }
    let mut texts = Vec::new();
    for _ in 0..2 {
        let next = std::future::poll_fn(|cx| Pin::new(&mut ws).poll_next(cx));
        let message = soon("a message", next).await.expect("it is open");
        if let WsMessage::Text(text) = message.expect("a message") {
            texts.push(text.to_string());
        }
    }
    assert_eq!(texts, ["one", "two"]);
    close(&mut ws).await;
    let end = std::future::poll_fn(|cx| Pin::new(&mut ws).poll_next(cx)).await;
    assert!(end.is_none(), "{end:?}");
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
