//! Closing a session, and connections that are not for the next request.

use std::sync::Arc;

use aio_client::{
    AddressFamily, BoxFuture, ClientError, ClientSession, ClientTimeout, Resolved, Resolver,
    TcpConnector,
};

use crate::peer::{Listener, begin, soon};

const TEN: &str = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n";

fn session() -> ClientSession {
    let builder = ClientSession::builder().timeout(ClientTimeout::none());
    builder.build().expect("valid")
}

#[track_caller]
fn check_closed<T: std::fmt::Debug>(
    outcome: Result<Result<T, ClientError>, tokio::task::JoinError>,
) {
    let error = outcome.expect("no panic").expect_err("closed");
    assert_eq!(error.aiohttp_class(), "ClientConnectionError", "{error}");
}

#[tokio::test]
async fn closing_wakes_whoever_reads() {
    let (listener, session) = (Listener::new().await, session());
    let request = session.get(listener.url("/"));
    let (mut response, mut peer) = listener.answer(request, format!("{TEN}012")).await;
    let reader = begin(async move { response.read().await }).await;
    session.close().await;
    check_closed(soon("the reader", reader).await);
    soon("the connection", peer.drain()).await;
    assert_eq!(session.connector().stats().open, 0);
}

#[tokio::test]
async fn closing_wakes_whoever_waits_for_a_response() {
    let (listener, session) = (Listener::new().await, session());
    let request = begin(session.get(listener.url("/")).send()).await;
    let mut peer = listener.accept().await;
    peer.head().await;
    session.close().await;
    check_closed(soon("the request", request).await);
    soon("the connection", peer.drain()).await;
    assert_eq!(session.connector().stats().open, 0);
}

#[tokio::test]
async fn closing_wakes_whoever_sends() {
    let (listener, session) = (Listener::new().await, session());
    let upload = session.post(listener.url("/")).body(vec![0; 64 << 20]);
    let request = begin(upload.send()).await;
    let mut peer = listener.accept().await;
    peer.head().await;
    session.close().await;
    check_closed(soon("the request", request).await);
    soon("the connection", peer.drain()).await;
}

#[tokio::test]
async fn closing_wakes_whoever_waits_for_a_connection() {
    let connector = TcpConnector::builder().limit(1).build().expect("valid");
    let builder = ClientSession::builder().connector(connector);
    let (listener, session) = (Listener::new().await, builder.build().expect("valid"));
    let (response, _peer) = listener.answer(session.get(listener.url("/")), TEN).await;
    let second = begin(session.get(listener.url("/")).send()).await;
    assert_eq!(session.connector().stats().waiting, 1);
    session.close().await;
    check_closed(soon("the second request", second).await);
    drop(response);
}

/// Sends two requests; the peer answers the first with `answer`, and behind it, when the
/// second has begun, with what would be a response to that.
async fn check_not_pooled(method: &str, answer: &str) {
    let (listener, session) = (Listener::new().await, session());
    let request = session.request(method, listener.url("/"));
    let request = match method {
        "GET" => request
            .header("Connection", "Upgrade")
            .header("Upgrade", "x"),
        _ => request,
    };
    let (mut response, mut peer) = listener.answer(request, answer).await;
    let shown = format!("{method} {answer:?}");
    if answer.starts_with("HTTP/1.1 204") {
        assert_eq!(response.read().await.expect("no body"), "", "{shown}");
    }
    drop(response);
    assert_eq!(session.connector().stats().open, 0, "{shown}");
    soon(&shown, peer.drain()).await;
    let request = session.get(listener.url("/"));
    let fresh = listener.answer(request, "HTTP/1.1 299 Fresh\r\nContent-Length: 0\r\n\r\n");
    let (response, _peer) = soon(&shown, fresh).await;
    assert_eq!(response.reason(), "Fresh", "{shown}");
}

#[tokio::test]
async fn what_is_no_http_connection_any_more_is_not_pooled() {
    check_not_pooled("CONNECT", "HTTP/1.1 200 OK\r\n\r\n").await;
    check_not_pooled("CONNECT", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let upgrade = "HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n";
    check_not_pooled("GET", upgrade).await;
    let upgrade =
        "HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: x\r\nContent-Length: 0\r\n\r\n";
    check_not_pooled("GET", upgrade).await;
}

#[tokio::test]
async fn a_response_that_has_no_body_but_tells_its_length_is_not_pooled() {
    // What it announces may come late, as the response to the next request.
    check_not_pooled("POST", "HTTP/1.1 204 X\r\nContent-Length: 10\r\n\r\n").await;
    check_not_pooled(
        "POST",
        "HTTP/1.1 204 X\r\nTransfer-Encoding: chunked\r\n\r\n",
    )
    .await;
}

#[tokio::test]
async fn a_response_that_has_no_body_is_pooled() {
    for (method, answer) in [
        ("GET", "HTTP/1.1 204 X\r\n\r\n"),
        ("GET", "HTTP/1.1 304 X\r\nContent-Length: 10\r\n\r\n"),
        ("HEAD", "HTTP/1.1 200 X\r\nContent-Length: 10\r\n\r\n"),
        ("CONNECT", "HTTP/1.1 400 X\r\nContent-Length: 0\r\n\r\n"),
    ] {
        let (listener, session) = (Listener::new().await, session());
        let request = session.request(method, listener.url("/"));
        let (_response, _peer) = listener.answer(request, answer).await;
        let idle = session.connector().stats().idle;
        assert_eq!(idle, 1, "{method} {answer:?}");
    }
}

#[test]
fn two_runtimes_share_a_session() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().expect("a runtime")
    };
    let (first, second, session) = (runtime(), runtime(), session());
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let one = |listener: &Listener| session.get(listener.url("/"));
    // Its connection is idle, and nobody drives the runtime that it belongs to.
    let listener = first.block_on(Listener::new());
    let (response, mut kept) = first.block_on(listener.answer(one(&listener), ok));
    assert_eq!(
        (response.status().as_u16(), session.connector().stats().idle),
        (200, 1)
    );
    second.block_on(async {
        let listener = Listener::new().await;
        let (mut response, _peer) = listener.answer(one(&listener), ok).await;
        assert_eq!(response.text().await.expect("a body"), "ok");
    });
    // The first goes on with what it had.
    let again = first.block_on(async {
        let answer = async {
            kept.head().await;
            kept.send(ok).await;
        };
        tokio::join!(one(&listener).send(), answer).0
    });
    let mut again = again.expect("a response");
    assert_eq!(first.block_on(again.text()).expect("a body"), "ok");
}

#[test]
fn a_connection_of_another_runtime_is_not_used() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().expect("a runtime")
    };
    let (first, second, session) = (runtime(), runtime(), session());
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", port.local_addr().expect("it is bound"));
    let server = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let connections = [0, 1].map(|_| {
            let (mut peer, _) = port.accept().expect("a connection");
            let mut head = [0; 4096];
            assert!(peer.read(&mut head).expect("a request") > 0);
            peer.write_all(ok.as_bytes()).expect("the client listens");
            peer
        });
        drop(connections);
    });
    for runtime in [&first, &second] {
        let get = async { session.get(&url).await?.text().await };
        assert_eq!(runtime.block_on(get).expect("a body"), "ok");
    }
    server.join().expect("both came");
}

/// A resolver that never answers.
#[derive(Debug)]
struct Silent;

impl Resolver for Silent {
    fn resolve<'a>(
        &'a self,
        _: &'a str,
        _: u16,
        _: AddressFamily,
    ) -> BoxFuture<'a, std::io::Result<Resolved>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn closing_wakes_whoever_resolves() {
    let connector = TcpConnector::builder().resolver(Arc::new(Silent));
    let connector = connector.build().expect("valid");
    let builder = ClientSession::builder().connector(connector);
    let session = builder.build().expect("valid");
    let request = begin(session.get("http://some.host/").send()).await;
    session.close().await;
    let outcome = soon("the request", request).await.expect("no panic");
    let error = outcome.expect_err("closed");
    assert_eq!(error.aiohttp_class(), "ClientConnectionError", "{error}");
}
