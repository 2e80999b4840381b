//! The limits of a connector, and who waits for whom (SPEC §16.6).

use std::net::SocketAddr;

use aio_client::{ClientError, ClientResponse, ClientSession, TcpConnector, TcpConnectorBuilder};
use tokio::task::JoinHandle;

use crate::peer::{Listener, begin, soon};

/// Of a response whose body is yet to come: it holds its connection.
const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

fn session(builder: TcpConnectorBuilder) -> (ClientSession, TcpConnector) {
    let connector = builder.build().expect("valid settings");
    let builder = ClientSession::builder().connector(connector.clone());
    (builder.build().expect("valid settings"), connector)
}

type Begun = JoinHandle<Result<ClientResponse, ClientError>>;

async fn text(begun: Begun) -> String {
    let response = soon("the response", begun).await.expect("no panic");
    let mut response = response.expect("a response");
    response.text().await.expect("a body")
}

#[track_caller]
fn check_stats(connector: &TcpConnector, open: usize, waiting: usize) {
    let stats = connector.stats();
    assert_eq!(
        (stats.open, stats.waiting),
        (open, waiting),
        "open, waiting"
    );
}

/// EDGE-170.
#[tokio::test]
async fn five_waiters_are_served_in_order_on_one_connection() {
    let listener = Listener::new().await;
    let (session, connector) = session(TcpConnector::builder().limit(1));
    let (mut held, mut peer) = listener.answer(session.get(listener.url("/0")), HEAD).await;
    let mut waiters = Vec::new();
    for number in 1..=5 {
        let url = listener.url(&format!("/{number}"));
        waiters.push(begin(session.get(url).send()).await);
        check_stats(&connector, 1, number);
    }
    peer.send("hi").await;
    assert_eq!(held.text().await.expect("a body"), "hi");
    for (number, waiter) in waiters.into_iter().enumerate() {
        let head = soon("the next request", peer.head()).await;
        assert!(head.starts_with(&format!("GET /{} ", number + 1)), "{head}");
        assert_eq!(connector.stats().open, 1);
        peer.send(OK).await;
        assert_eq!(text(waiter).await, "hi");
    }
    assert_eq!(connector.stats().created, 1);
}

/// EDGE-171.
#[tokio::test]
async fn a_waiter_that_gives_up_is_passed_over_and_forgotten() {
    let (here, there) = (Listener::new().await, Listener::new().await);
    let (session, connector) = session(TcpConnector::builder().limit(1));
    let (mut held, _peer) = here.answer(session.get(here.url("/")), HEAD).await;
    let gone = begin(session.get(there.url("/")).send()).await;
    let next = begin(session.get(here.url("/")).send()).await;
    check_stats(&connector, 1, 2);
    assert_eq!(connector.stats_by_key().len(), 2);
    gone.abort();
    assert!(gone.await.is_err_and(|error| error.is_cancelled()));
    check_stats(&connector, 1, 1);
    assert_eq!(connector.stats_by_key().len(), 1, "its key is forgotten");

    held.close();
    let mut peer = soon("the next connection", here.accept()).await;
    peer.head().await;
    peer.send(OK).await;
    assert_eq!(text(next).await, "hi");
}

/// EDGE-172.
#[tokio::test]
async fn behind_a_dial_that_fails_the_next_waiter_has_its_turn() {
    let here = Listener::new().await;
    // Bound, and nobody listens.
    let closed = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
    let closed = closed.expect("a socket");
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    closed.bind(&any.into()).expect("a port");
    let nowhere = closed.local_addr().expect("bound").as_socket();
    let nowhere = format!("http://{}/", nowhere.expect("an address"));

    let (session, connector) = session(TcpConnector::builder().limit(1));
    let (mut held, _peer) = here.answer(session.get(here.url("/")), HEAD).await;
    let failing = begin(session.get(nowhere).send()).await;
    let next = begin(session.get(here.url("/")).send()).await;
    check_stats(&connector, 1, 2);
    held.close();
    let failed = soon("the error", failing).await.expect("no panic");
    let error = failed.expect_err("nobody listens");
    assert_eq!(error.aiohttp_class(), "ClientConnectorError");
    let mut peer = soon("the next connection", here.accept()).await;
    peer.head().await;
    peer.send(OK).await;
    assert_eq!(text(next).await, "hi");
}

/// Two requests to one host and one to another, with one connection for each host.
async fn check_per_host(builder: TcpConnectorBuilder) {
    let (here, there) = (Listener::new().await, Listener::new().await);
    let (session, connector) = session(builder);
    let (mut held, mut peer) = here.answer(session.get(here.url("/")), HEAD).await;
    let second = begin(session.get(here.url("/")).send()).await;
    check_stats(&connector, 1, 1);
    // The other host is not held up.
    let (other, _peer) = there.answer(session.get(there.url("/")), HEAD).await;
    check_stats(&connector, 2, 1);
    assert!(!second.is_finished());
    peer.send("hi").await;
    assert_eq!(held.text().await.expect("a body"), "hi");
    peer.head().await;
    peer.send(OK).await;
    assert_eq!(text(second).await, "hi");
    drop(other);
    assert_eq!(connector.stats().created, 2);
}

#[tokio::test]
async fn the_limit_per_host_holds_up_that_host_alone() {
    // EDGE-173.
    check_per_host(TcpConnector::builder().limit(2).limit_per_host(1)).await;
    // EDGE-174.
    check_per_host(TcpConnector::builder().limit(0).limit_per_host(1)).await;
}

/// EDGE-176.
#[tokio::test]
async fn closing_sends_all_waiters_away() {
    let (listener, there) = (Listener::new().await, Listener::new().await);
    let (session, connector) = session(TcpConnector::builder().limit(1));
    let (held, _peer) = listener.answer(session.get(listener.url("/")), HEAD).await;
    let mut waiters = Vec::new();
    for url in [listener.url("/"), there.url("/"), listener.url("/")] {
        waiters.push(begin(session.get(url).send()).await);
    }
    check_stats(&connector, 1, 3);
    connector.close();
    for waiter in waiters {
        let outcome = soon("the waiter", waiter).await.expect("no panic");
        let error = outcome.expect_err("closed");
        assert_eq!(error.aiohttp_class(), "ClientConnectionError", "{error}");
    }
    drop(held);
    check_stats(&connector, 0, 0);
}

#[tokio::test]
async fn a_connector_tells_its_limits() {
    let (_, connector) = session(TcpConnector::builder().limit(7).limit_per_host(3));
    let limits = (connector.limit(), connector.limit_per_host());
    assert_eq!(limits, (Some(7), Some(3)));
    assert!(!connector.force_close());
    let (_, connector) = session(TcpConnector::builder().limit(None).keepalive_timeout(None));
    assert_eq!(
        (connector.limit(), connector.limit_per_host()),
        (None, None)
    );
    assert_eq!(connector.keepalive_timeout(), None);
}
