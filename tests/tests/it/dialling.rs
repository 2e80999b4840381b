//! Hosts with several addresses, some of which do not answer, or not well.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aio_client::{Attempt, ClientSession, ClientTimeout, Phase, TcpConnector, TcpConnectorBuilder};
use aio_tests::http_server::{Response, TestServer};
use aio_tests::tls::Authority;
use tokio::net::TcpListener;

use crate::peer::{Listener, begin, give_up, soon};
use crate::timeouts::{At, full};

const SHORT: Duration = Duration::from_millis(50);

const URL: &str = "http://a.test/";

fn connector(addresses: Vec<SocketAddr>) -> TcpConnectorBuilder {
    let builder = TcpConnector::builder().resolver(Arc::new(At(addresses)));
    builder.happy_eyeballs_delay(SHORT)
}

fn session(connector: TcpConnectorBuilder) -> ClientSession {
    let connector = connector.build().expect("valid");
    let builder = ClientSession::builder().connector(connector);
    builder
        .timeout(ClientTimeout::none())
        .build()
        .expect("valid")
}

/// Nobody listens there.
fn refused() -> SocketAddr {
    "127.0.0.1:1".parse().expect("an address")
}

/// Counts sockets that wait to be let in at `address`.
fn knocking(address: SocketAddr) -> usize {
    const SYN_SENT: &str = "02";
    let table = std::fs::read_to_string("/proc/net/tcp").expect("the system tells");
    let knocks = format!(" 0100007F:{:04X} {SYN_SENT} ", address.port());
    table.matches(&knocks).count()
}

/// Waits until so many sockets wait to be let in there.
async fn wait_for_knocks(address: SocketAddr, count: usize) {
    let knocks = async {
        while knocking(address) != count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    soon("another number of sockets", knocks).await;
}

#[track_caller]
fn check_nothing_left(session: &ClientSession, silent: SocketAddr) {
    assert_eq!(knocking(silent), 0);
    let stats = session.connector().stats();
    assert_eq!((stats.open, stats.dialling, stats.waiting), (0, 0, 0));
}

/// What the addresses failed for, and how far they came.
fn told(attempt: &Attempt) -> Vec<(SocketAddr, Phase, bool)> {
    let dials = attempt.dials.iter();
    dials
        .map(|dial| (dial.address, dial.phase, dial.error.is_some()))
        .collect()
}

#[tokio::test]
async fn the_slower_ones_are_closed() {
    let (listener, (silent, _full)) = (Listener::new().await, full().await);
    let good = listener.host().parse().expect("an address");
    let session = session(connector(vec![silent, silent, good]));
    let request = session.get(URL);
    let answer = "HTTP/1.1 204 No Content\r\n\r\n";
    let (response, _peer) = soon("the answer", listener.answer(request, answer)).await;
    assert_eq!(knocking(silent), 0);
    assert_eq!(session.connector().stats().open, 1);
    // Of all addresses together, and there was no TLS.
    let timings = response.timings();
    assert!(timings.connect >= Some(2 * SHORT), "{timings:?}");
    assert_eq!(timings.tls, None);
}

#[tokio::test]
async fn without_a_delay_the_second_address_waits() {
    let (silent, _full) = full().await;
    let session = session(connector(vec![silent, silent]).happy_eyeballs_delay(None));
    let task = begin(session.get(URL).send()).await;
    tokio::time::sleep(4 * SHORT).await;
    assert_eq!(knocking(silent), 1);
    task.abort();
    wait_for_knocks(silent, 0).await;
}

#[tokio::test]
async fn a_dialling_given_up_leaves_no_socket() {
    let (silent, _full) = full().await;
    let session = session(connector(vec![silent; 3]).happy_eyeballs_delay(Duration::ZERO));
    let task = begin(session.get(URL).send()).await;
    wait_for_knocks(silent, 3).await;
    assert_eq!(session.connector().stats().dialling, 1);
    task.abort();
    soon("the end", task).await.expect_err("given up");
    check_nothing_left(&session, silent);
    // And at once.
    give_up(session.get(URL).send()).await;
    check_nothing_left(&session, silent);
}

#[tokio::test]
async fn closing_ends_all_that_is_dialled() {
    // EDGE-175.
    let (silent, _full) = full().await;
    let session = session(connector(vec![silent; 3]).happy_eyeballs_delay(Duration::ZERO));
    let task = begin(session.get(URL).send()).await;
    wait_for_knocks(silent, 3).await;
    session.close().await;
    let error = soon("the end", task).await.expect("no panic");
    let error = error.expect_err("closed");
    assert_eq!(error.aiohttp_class(), "ClientConnectionError");
    let attempt = error.attempt().expect("it was going somewhere");
    assert_eq!(told(attempt), [(silent, Phase::Connect, false); 3]);
    check_nothing_left(&session, silent);
}

#[tokio::test]
async fn a_timeout_of_the_request_lists_what_was_under_way() {
    let (silent, _full) = full().await;
    // Long enough for all four to begin, also on a machine that is busy.
    const LATE: Duration = Duration::from_millis(600);
    let total = ClientTimeout::total(LATE);
    let connect = ClientTimeout {
        connect: Some(LATE),
        ..ClientTimeout::none()
    };
    for (timeout, class) in [(total, "TimeoutError"), (connect, "ConnectionTimeoutError")] {
        let session = session(connector(vec![refused(), silent, refused(), silent]));
        let request = session.get(URL).timeout(timeout).send();
        let error = soon("the timeout", request).await.expect_err("silent");
        assert_eq!(error.aiohttp_class(), class);
        let attempt = error.attempt().expect("it was going somewhere");
        let want = [
            (refused(), Phase::Connect, true),
            (silent, Phase::Connect, false),
            (refused(), Phase::Connect, true),
            (silent, Phase::Connect, false),
        ];
        assert_eq!(told(attempt), want);
        let second = &attempt.dials[1];
        assert!(second.elapsed >= 3 * SHORT, "{second:?}");
        assert!(
            second.began + second.elapsed <= attempt.elapsed,
            "{attempt:?}"
        );
        assert!(error.to_string().contains("2 addresses failed"), "{error}");
        check_nothing_left(&session, silent);
    }
}

/// Plays a server with TLS; which one it is stands in its answers.
async fn server(authority: &Authority) -> TestServer {
    let answer = async |_| Response::new(204);
    let server = TestServer::start_tls(authority.server(&["a.test"]), answer).await;
    server.expect("a port")
}

/// Five addresses: one refuses, one speaks no TLS, one is silent about it, one is not
/// trusted, and last the given one. The listeners are theirs.
async fn mixed(last: SocketAddr) -> (Vec<SocketAddr>, TestServer, impl Sized) {
    let speaks_no_tls = TestServer::start(async |_| Response::new(204)).await;
    let speaks_no_tls = speaks_no_tls.expect("a port");
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let strange = server(&Authority::new()).await;
    let addresses = vec![
        refused(),
        speaks_no_tls.address(),
        silent.local_addr().expect("bound"),
        strange.address(),
        last,
    ];
    (addresses, strange, (speaks_no_tls, silent))
}

const SOCK_CONNECT: ClientTimeout = ClientTimeout {
    sock_connect: Some(Duration::from_millis(500)),
    ..ClientTimeout::none()
};

#[tokio::test]
async fn behind_four_that_fail_differently_the_fifth_is_reached() {
    // EDGE-179.
    let authority = Authority::new();
    let good = server(&authority).await;
    let (addresses, strange, _listeners) = mixed(good.address()).await;
    let session = session(connector(addresses).tls(authority.client()));
    let request = session.get("https://a.test/").timeout(SOCK_CONNECT).send();
    let response = soon("the answer", request)
        .await
        .expect("the fifth is good");
    assert_eq!(response.connection_info().peer_addr(), Some(good.address()));
    assert_eq!((strange.connections(), good.connections()), (1, 1));
    let timings = response.timings();
    assert!(
        timings.tls >= SOCK_CONNECT.sock_connect.map(|all| all / 2),
        "{timings:?}"
    );
}

#[tokio::test]
async fn the_error_is_that_of_the_last() {
    // EDGE-180.
    let strange = server(&Authority::new()).await;
    let (addresses, _strange, _listeners) = mixed(strange.address()).await;
    let session = session(connector(addresses.clone()).tls(Authority::new().client()));
    let request = session.get("https://a.test/").timeout(SOCK_CONNECT).send();
    let error = soon("the end", request).await.expect_err("all are bad");
    assert_eq!(error.aiohttp_class(), "ClientConnectorCertificateError");
    assert!(error.to_string().ends_with("5 addresses failed"), "{error}");
    let phases = [
        Phase::Connect,
        Phase::Tls,
        Phase::Tls,
        Phase::Tls,
        Phase::Tls,
    ];
    let want: Vec<_> = addresses.into_iter().zip(phases).collect();
    let want: Vec<_> = want
        .iter()
        .map(|(address, phase)| (*address, *phase, true))
        .collect();
    assert_eq!(told(error.attempt().expect("it was going somewhere")), want);
}

#[tokio::test]
async fn a_family_that_is_not_there_hides_no_certificate() {
    // As aiohttp tells it, whichever family is dialled first.
    let strange = server(&Authority::new()).await;
    let nobody = "[::1]:1".parse().expect("an address");
    for addresses in [[strange.address(), nobody], [nobody, strange.address()]] {
        let session = session(connector(addresses.to_vec()).tls(Authority::new().client()));
        let request = session.get("https://a.test/").send();
        let error = soon("the end", request).await.expect_err("all are bad");
        assert_eq!(error.aiohttp_class(), "ClientConnectorCertificateError");
        let attempt = error.attempt().expect("it was going somewhere");
        assert_eq!((attempt.phase, attempt.dials.len()), (Phase::Tls, 2));
    }
}
