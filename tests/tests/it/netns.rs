//! Addresses that are dead as addresses of far hosts are, with network namespaces.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use aio_client::{
    ClientError, ClientSession, ClientTimeout, DialAttempt, Phase, TcpConnector,
    TcpConnectorBuilder,
};
use aio_tests::netns::Hosts;
use tokio::io::AsyncWriteExt;

use crate::peer::{Peer, soon};
use crate::timeouts::At;

/// The usual delay between two addresses.
const DELAY: Duration = Duration::from_millis(250);

/// The bound of all of it.
const BOUND: Duration = Duration::from_secs(3);

/// A silent address, and one that cannot be reached, of each family.
const SILENT: [&str; 2] = ["10.99.0.1:80", "[fd99::1]:80"];
const UNREACHABLE: [&str; 2] = ["10.98.0.1:80", "[fd98::1]:80"];

/// Nobody listens there.
const REFUSED: [&str; 2] = ["10.9.0.2:81", "[fd09::2]:81"];

/// Answers one request at `address`, on the server's host.
fn serve(hosts: &Hosts, address: &str) {
    let listener = hosts.at_server(|| TcpListener::bind(address).expect("a free port"));
    listener.set_nonblocking(true).expect("a socket");
    thread::spawn(move || {
        block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
            let (stream, _) = soon("the client", listener.accept()).await.expect("open");
            let mut peer = Peer(stream);
            peer.head().await;
            let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
            peer.0.write_all(answer).await.expect("open");
        });
    });
}

fn block_on<T>(task: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(task)
}

/// Asks for a name with these addresses, on the client's host; gives who answered and how
/// long all of it took.
fn ask(
    hosts: &Hosts,
    addresses: &[&str],
    timeout: ClientTimeout,
) -> (Result<SocketAddr, ClientError>, Duration) {
    get(hosts, to(addresses), "http://a.test/", timeout)
}

fn to(addresses: &[&str]) -> TcpConnectorBuilder {
    let addresses = addresses.iter().map(|address| address.parse());
    let addresses: Vec<_> = addresses.map(|address| address.expect("valid")).collect();
    TcpConnector::builder().resolver(Arc::new(At(addresses)))
}

/// Asks for a URL, on the client's host; gives who answered and how long all of it took.
fn get(
    hosts: &Hosts,
    connector: TcpConnectorBuilder,
    url: &str,
    timeout: ClientTimeout,
) -> (Result<SocketAddr, ClientError>, Duration) {
    hosts.at_client(|| {
        block_on(async {
            let builder = ClientSession::builder().connector(connector.build().expect("valid"));
            let session = builder.timeout(timeout).build().expect("valid");
            let start = Instant::now();
            let response = soon("the end", session.get(url).send()).await;
            let elapsed = start.elapsed();
            let stats = session.connector().stats();
            assert_eq!(stats.open, usize::from(response.is_ok()));
            let peer = response.map(|response| {
                let peer = response.connection_info().peer_addr();
                peer.expect("a TCP peer")
            });
            (peer, elapsed)
        })
    })
}

const NO_LIMIT: ClientTimeout = ClientTimeout::none();

const SOCK_CONNECT: ClientTimeout = ClientTimeout {
    sock_connect: Some(Duration::from_secs(1)),
    ..ClientTimeout::none()
};

#[track_caller]
fn check_took(elapsed: Duration, least: Duration, bound: Duration) {
    assert!((least..bound).contains(&elapsed), "{elapsed:?}");
}

#[test]
fn silent_ipv6_costs_one_delay() {
    let Some(hosts) = Hosts::new() else {
        return;
    };
    serve(&hosts, "10.9.0.2:80");
    let addresses = [SILENT[1], "[fd99::2]:80", "10.9.0.2:80", "10.9.0.3:80"];
    let (peer, elapsed) = ask(&hosts, &addresses, NO_LIMIT);
    assert_eq!(peer.expect("IPv4 is good").to_string(), "10.9.0.2:80");
    check_took(elapsed, DELAY, BOUND);
}

#[test]
fn ipv6_that_cannot_be_reached_costs_nothing() {
    let Some(hosts) = Hosts::new() else {
        return;
    };
    serve(&hosts, "10.9.0.2:80");
    let connector = to(&[UNREACHABLE[1], "10.9.0.2:80"]).happy_eyeballs_delay(2 * BOUND);
    let (peer, elapsed) = get(&hosts, connector, "http://a.test/", NO_LIMIT);
    assert_eq!(peer.expect("IPv4 is good").to_string(), "10.9.0.2:80");
    check_took(elapsed, Duration::ZERO, BOUND);
}

#[test]
fn of_five_addresses_three_may_be_dead() {
    let Some(hosts) = Hosts::new() else {
        return;
    };
    serve(&hosts, "[fd09::2]:80");
    // Dialled in this order: the families take turns.
    let addresses = [
        SILENT[1],
        UNREACHABLE[0],
        REFUSED[1],
        "10.99.0.2:80",
        "[fd09::2]:80",
    ];
    let (peer, elapsed) = ask(&hosts, &addresses, NO_LIMIT);
    assert_eq!(peer.expect("one is good").to_string(), "[fd09::2]:80");
    // One delay behind each that is silent; the others fail at once.
    check_took(elapsed, 2 * DELAY, BOUND);
}

#[test]
fn where_all_are_dead_each_tells_why() {
    let Some(hosts) = Hosts::new() else {
        return;
    };
    let addresses = [
        SILENT[1],
        UNREACHABLE[0],
        REFUSED[1],
        SILENT[0],
        UNREACHABLE[1],
    ];
    let (outcome, elapsed) = ask(&hosts, &addresses, SOCK_CONNECT);
    check_took(elapsed, Duration::from_secs(1), BOUND);
    let error = outcome.expect_err("all are dead");
    // EDGE-180: the last one, though others took longer.
    assert_eq!(error.aiohttp_class(), "ClientConnectorError", "{error}");
    assert!(!error.is_timeout());
    assert!(error.to_string().ends_with("5 addresses failed"), "{error}");
    let attempt = error.attempt().expect("it was going somewhere");
    let tell = |dial: &DialAttempt| {
        assert_eq!(dial.phase, Phase::Connect);
        let error = dial.error.as_ref().expect("none was given up");
        let kind = error
            .downcast_ref::<std::io::Error>()
            .map(|error| error.kind());
        format!("{} {:?}", dial.address, kind.expect("the system's"))
    };
    let told: Vec<_> = attempt.dials.iter().map(tell).collect();
    let want = [
        "[fd99::1]:80 TimedOut",
        "10.98.0.1:80 HostUnreachable",
        "[fd09::2]:81 ConnectionRefused",
        "10.99.0.1:80 TimedOut",
        "[fd98::1]:80 HostUnreachable",
    ];
    assert_eq!(told, want);
    for (dial, address) in attempt.dials.iter().zip(addresses) {
        let is_silent = SILENT.contains(&address);
        assert_eq!(
            dial.elapsed >= Duration::from_secs(1),
            is_silent,
            "{dial:?}"
        );
    }
}

#[test]
fn a_zone_is_an_interface_of_the_clients_host() {
    let Some(hosts) = Hosts::new() else {
        return;
    };
    serve(&hosts, "[::]:80");
    let url = "http://[fe80::2%25cable.1]/";
    let (peer, _) = get(&hosts, TcpConnector::builder(), url, NO_LIMIT);
    let peer = peer.expect("the other end of the cable").ip();
    assert_eq!(peer.to_string(), "fe80::2");
    // The name of the other end.
    let url = "http://[fe80::2%25cable]/";
    let (outcome, _) = get(&hosts, TcpConnector::builder(), url, NO_LIMIT);
    let error = outcome.expect_err("an interface of another host");
    assert_eq!(error.aiohttp_class(), "ClientConnectorDNSError", "{error}");
}
