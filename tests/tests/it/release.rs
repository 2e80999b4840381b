//! When a connection goes back, is closed, or stays with its response (SPEC §16.1).

use std::sync::Arc;
use std::time::Duration;

use aio_client::{
    ClientResponse, ClientSession, ClientTimeout, CookieError, CookiePair, CookieRequest,
    CookieStore, CookieStyle, TcpConnector, TcpConnectorBuilder,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::peer::{Listener, Peer, begin, soon};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
const TEN: &str = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n";

fn session(connector: TcpConnectorBuilder) -> ClientSession {
    let connector = connector.build().expect("valid settings");
    let session = ClientSession::builder().connector(connector).build();
    session.expect("valid settings")
}

fn one_connection() -> ClientSession {
    session(TcpConnector::builder().limit(1))
}

/// Counts open and idle connections.
fn counts(session: &ClientSession) -> (usize, usize) {
    let stats = session.connector().stats();
    (stats.open, stats.idle)
}

/// Sends a request that `peer` answers.
async fn again(session: &ClientSession, listener: &Listener, peer: &mut Peer) -> ClientResponse {
    let answer = async {
        peer.head().await;
        peer.send(OK).await;
    };
    let (response, ()) = tokio::join!(
        session.get(listener.url("/")).send(),
        soon("the request", answer)
    );
    response.expect("a response")
}

/// Checks that a request needs a new connection and gets it.
async fn check_fresh(session: &ClientSession, listener: &Listener) {
    let fresh = listener.answer(session.get(listener.url("/")), OK);
    let (mut response, _peer) = soon("a fresh connection", fresh).await;
    assert_eq!(response.text().await.expect("a body"), "hi");
}

#[tokio::test]
async fn requests_one_after_another_share_a_connection() {
    // EDGE-001, RSP-43.
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let (mut response, mut peer) = listener.answer(session.get(listener.url("/")), OK).await;
    assert_eq!(response.text().await.expect("a body"), "hi");
    let mut response = again(&session, &listener, &mut peer).await;
    assert_eq!(response.text().await.expect("a body"), "hi");
    assert_eq!(session.connector().stats().created, 1);
    assert_eq!(counts(&session), (1, 1));
}

#[tokio::test]
async fn what_has_no_body_leaves_its_connection_reusable_unread() {
    // EDGE-002, EDGE-003, RSP-41.
    for (method, answer) in [
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"),
        ("GET", "HTTP/1.1 101 Switching Protocols\r\n\r\n"),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", "HTTP/1.1 304 Not Modified\r\n\r\n"),
        ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ] {
        let (listener, session) = (Listener::new().await, one_connection());
        let request = session.request(method, listener.url("/"));
        let (mut response, mut peer) = listener.answer(request, answer).await;
        assert!(response.is_closed(), "{method} {answer:?}");
        let mut next = again(&session, &listener, &mut peer).await;
        assert_eq!(next.text().await.expect("a body"), "hi");
        assert_eq!(response.read().await.expect("none"), "", "{answer:?}");
        assert_eq!(session.connector().stats().created, 1, "{answer:?}");
    }
}

#[tokio::test]
async fn releasing_pools_what_has_come_and_closes_what_has_not() {
    // EDGE-004, RSP-35, RSP-39.
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let (mut response, mut peer) = listener.answer(session.get(listener.url("/")), TEN).await;
    assert!(!response.is_closed());
    peer.send("0123456789").await;
    peer.wire().reached().await;
    response.release();
    assert_eq!(counts(&session), (1, 1), "it had come");
    let error = response.read().await.expect_err("released");
    assert_eq!(error.aiohttp_class(), "ClientConnectionError");
    drop(again(&session, &listener, &mut peer).await);

    let answer = async {
        peer.head().await;
        peer.send(TEN).await;
        peer.send("01234").await;
    };
    let (response, ()) = tokio::join!(session.get(listener.url("/")).send(), answer);
    let mut response = response.expect("a response");
    response.release();
    assert_eq!(counts(&session), (0, 0), "it had not");
    soon("the end", peer.drain()).await;
    response.read().await.expect_err("released");
}

#[tokio::test]
async fn releasing_closes_what_has_gone_wrong() {
    // EDGE-198.
    let garbage = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (head, body) in [(garbage, "x\r\n0\r\n\r\n"), (TEN, "reset")] {
        let (listener, session) = (Listener::new().await, ClientSession::new());
        let (mut response, mut peer) = listener.answer(session.get(listener.url("/")), head).await;
        if body == "reset" {
            peer.reset();
        } else {
            peer.send(body).await;
            peer.wire().reached().await;
        }
        response.release();
        assert_eq!(counts(&session), (0, 0), "{body:?}");
        check_fresh(&session, &listener).await;
    }
}

#[tokio::test]
async fn closing_closes_whatever_has_come() {
    // RSP-36.
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let (mut response, mut peer) = listener.answer(session.get(listener.url("/")), TEN).await;
    peer.send("0123456789").await;
    peer.wire().reached().await;
    response.close();
    assert_eq!(counts(&session), (0, 0));
    soon("the end", peer.drain()).await;
}

#[tokio::test]
async fn an_upgraded_response_keeps_its_connection() {
    // EDGE-005, RSP-42, RSP-58.
    let upgrade = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
    for (method, answer) in [("GET", upgrade), ("CONNECT", "HTTP/1.1 200 OK\r\n\r\n")] {
        let (listener, session) = (Listener::new().await, ClientSession::new());
        let request = session.request(method, listener.url("/"));
        let request = request
            .header("Connection", "upgrade")
            .header("Upgrade", "x");
        let answer = format!("{answer}early");
        let (mut response, mut peer) = listener.answer(request, answer).await;
        assert_eq!(response.read().await.expect("no body"), "");
        assert!(response.connection().is_some() && !response.is_closed());
        assert_eq!(counts(&session), (1, 0));
        let (mut transport, received) = response.detach().expect("it is handed over");
        assert_eq!(received, "early", "{method}");
        transport.write_all(b"ping").await.expect("it is open");
        assert_eq!(peer.exactly(4).await, b"ping");
        peer.send("pong").await;
        let mut pong = [0; 4];
        let read = transport.read_exact(&mut pong);
        soon("the answer", read).await.expect("it is open");
        assert_eq!(&pong, b"pong");
        assert_eq!(counts(&session), (0, 0), "its slot is free");
    }
}

#[tokio::test]
async fn a_connection_in_the_midst_of_http_is_not_handed_over() {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let (response, mut peer) = listener.answer(session.get(listener.url("/")), TEN).await;
    assert!(response.detach().is_none());
    soon("the end", peer.drain()).await;
}

#[tokio::test]
async fn a_connection_is_closed_where_the_server_says_so() {
    // EDGE-006.
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let answer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi";
    let (mut response, mut peer) = listener
        .answer(session.get(listener.url("/")), answer)
        .await;
    assert_eq!(response.text().await.expect("a body"), "hi");
    assert_eq!(counts(&session), (0, 0));
    soon("the end", peer.drain()).await;
}

#[tokio::test]
async fn a_connection_that_was_idle_for_too_long_is_not_used() {
    // EDGE-007: once when nothing has looked yet, once behind the cleaning.
    let timeout = Duration::from_millis(10);
    let connector = TcpConnector::builder().keepalive_timeout(timeout);
    let (listener, session) = (Listener::new().await, session(connector));
    for created in 1..=2 {
        let (mut response, mut peer) = listener.answer(session.get(listener.url("/")), OK).await;
        assert_eq!(response.text().await.expect("a body"), "hi");
        assert_eq!(session.connector().stats().created, created);
        if created == 1 {
            // The thread sleeps, and with it whoever would clean up.
            std::thread::sleep(2 * timeout);
        } else {
            soon("the cleaning", peer.drain()).await;
        }
    }
    check_fresh(&session, &listener).await;
}

#[tokio::test]
async fn bytes_behind_a_response_without_a_body_cost_its_connection() {
    // EDGE-010, RSP-57.
    for (method, answer) in [
        (
            "GET",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nbody",
        ),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\nbody"),
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"),
        // EDGE-026, within the same packet.
        (
            "GET",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        ),
    ] {
        let (listener, session) = (Listener::new().await, one_connection());
        let request = session.request(method, listener.url("/"));
        let (mut response, mut peer) = listener.answer(request, answer).await;
        assert_eq!(response.read().await.expect("no body"), "", "{answer:?}");
        soon("the end", peer.drain()).await;
        check_fresh(&session, &listener).await;
    }
}

#[tokio::test]
async fn what_a_server_says_unasked_is_no_answer() {
    // EDGE-012, EDGE-026.
    for unasked in [
        None,
        Some("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong"),
    ] {
        let (listener, session) = (Listener::new().await, one_connection());
        let (mut response, mut peer) = listener.answer(session.get(listener.url("/")), OK).await;
        response.read().await.expect("a body");
        let wire = peer.wire();
        match unasked {
            Some(unasked) => peer.send(unasked).await,
            None => peer.end().await,
        }
        wire.reached().await;
        check_fresh(&session, &listener).await;
    }
}

#[tokio::test]
async fn a_server_that_closes_at_once_is_asked_twice_at_most() {
    // EDGE-013, RTY-05.
    for (method, attempts) in [("GET", 2), ("POST", 1)] {
        let (listener, session) = (Listener::new().await, ClientSession::new());
        let closing = async {
            loop {
                drop(listener.accept().await);
            }
        };
        let error = tokio::select! {
            error = session.request(method, listener.url("/")).send() => error.expect_err("closed"),
            () = closing => unreachable!("it closes for ever"),
        };
        let class = error.aiohttp_class();
        // Whether the request is written before the close arrives is chance.
        let closed = [
            "ServerDisconnectedError",
            "ClientOSError",
            "ClientConnectionResetError",
        ];
        assert!(closed.contains(&class), "{class}");
        assert_eq!(session.connector().stats().created, attempts, "{method}");
    }
}

#[tokio::test]
async fn leaving_a_response_by_an_error_frees_its_slot() {
    // EDGE-014, EDGE-021, RSP-12, RSP-40.
    let (listener, session) = (Listener::new().await, one_connection());
    let fails = async || -> Result<(), &'static str> {
        let (_response, _peer) = listener.answer(session.get(listener.url("/")), TEN).await;
        Err("something else")
    };
    assert_eq!(fails().await, Err("something else"));
    assert_eq!(counts(&session), (0, 0));
    check_fresh(&session, &listener).await;
}

#[tokio::test]
async fn a_detached_session_does_not_close_its_connector() {
    // EDGE-015, EDGE-020.
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let (mut response, mut peer) = listener.answer(session.get(listener.url("/")), OK).await;
    response.read().await.expect("a body");
    let connector = session.detach();
    let error = session.get(listener.url("/")).await.expect_err("detached");
    assert_eq!(error.aiohttp_class(), "RuntimeError");
    drop((session, response));
    assert!(!connector.is_closed());
    let other = ClientSession::builder().connector(connector).build();
    let other = other.expect("valid settings");
    drop(again(&other, &listener, &mut peer).await);
    assert_eq!(other.connector().stats().created, 1);
}

#[tokio::test]
async fn the_free_function_leaves_nothing_behind() {
    // EDGE-016: its connection dies with the error, as with a response.
    let listener = Listener::new().await;
    let peer = async {
        let mut peer = listener.accept().await;
        peer.head().await;
        peer.send("nonsense\r\n\r\n").await;
        peer.drain().await;
    };
    let request = aio_client::request("get", listener.url("/")).send();
    let (response, ()) = tokio::join!(request, soon("the end", peer));
    response.expect_err("no HTTP");
}

/// Panics when it is to keep a cookie.
#[derive(Debug)]
struct Broken;

impl CookieStore for Broken {
    fn update_cookies(&self, _: &CookieRequest<'_>, _: &mut dyn Iterator<Item = &[u8]>) {
        panic!("no cookies today");
    }

    fn filter_cookies(&self, _: &CookieRequest<'_>) -> Vec<CookiePair> {
        Vec::new()
    }

    fn add(&self, _: &str, _: &str) -> Result<(), CookieError> {
        Ok(())
    }

    fn is_empty(&self) -> bool {
        true
    }

    fn style(&self) -> CookieStyle {
        CookieStyle::default()
    }
}

#[tokio::test]
async fn a_jar_that_panics_does_not_keep_the_connection() {
    // EDGE-018: storing gives no error here; a panic goes up, and the slot is free.
    let builder = ClientSession::builder().cookie_jar(Arc::new(Broken));
    let connector = TcpConnector::builder().limit(1).build();
    let builder = builder.connector(connector.expect("valid settings"));
    let (listener, session) = (Listener::new().await, builder.build().expect("valid"));
    let sending = tokio::spawn(session.get(listener.url("/")).send());
    let mut peer = listener.accept().await;
    peer.head().await;
    peer.send("HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nContent-Length: 0\r\n\r\n")
        .await;
    let sent = soon("the panic", sending).await;
    assert!(sent.expect_err("it goes up").is_panic());
    assert_eq!(counts(&session), (1, 1), "the response had come whole");
    let mut response = again(&session, &listener, &mut peer).await;
    assert_eq!(response.text().await.expect("a body"), "hi");
}

#[tokio::test]
async fn a_failed_handshake_frees_its_slot() {
    // EDGE-019.
    let (listener, session) = (Listener::new().await, one_connection());
    let secret = listener.url("/").replace("http:", "https:");
    for _ in 0..2 {
        let plain = async {
            let mut peer = listener.accept().await;
            peer.send(OK).await;
            peer.drain().await;
        };
        let (response, ()) = tokio::join!(session.get(&*secret).send(), soon("the end", plain));
        response.expect_err("it speaks no TLS");
        assert_eq!(counts(&session), (0, 0));
        check_fresh(&session, &listener).await;
    }
}

#[tokio::test]
async fn closing_twice_is_closing_once() {
    // EDGE-022.
    let session = ClientSession::new();
    session.close().await;
    session.close().await;
    assert!(session.is_closed());

    let session = ClientSession::new();
    session.connector().close();
    assert!(session.is_closed());
    let error = session.get("http://127.0.0.1/").await.expect_err("closed");
    assert_eq!(error.aiohttp_class(), "RuntimeError");
}

#[tokio::test]
async fn a_body_that_came_whole_goes_back_before_its_upload_is_late() {
    // RSP-43: not while the request is still going out.
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let request = session.post(listener.url("/")).body(vec![b'x'; 32 << 20]);
    let request = request.timeout(ClientTimeout::none());
    let (mut response, mut peer) = listener.answer(request, OK).await;
    assert!(!response.is_closed(), "much of the request is not out");
    let reading = begin(async move { (response.read().await, response) }).await;
    peer.skip(32 << 20).await;
    let (body, response) = soon("the end", reading).await.expect("no panic");
    assert_eq!(body.expect("a body"), "hi");
    assert!(response.is_closed());
    assert_eq!(counts(&session), (1, 1));
}
