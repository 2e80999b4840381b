//! Sockets: where they connect from, what they are set to, and what may be missing for one.

use std::env;
use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aio_client::{
    ClientError, ClientSession, ConnectError, ConnectErrorKind, ConnectionError, RequestUrl,
    TcpConnector, TcpConnectorBuilder,
};
use aio_tests::http_server::{Response, TestServer};
use rustix::process::{Resource, getrlimit, setrlimit};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::runtime;
use tokio::time::timeout;

use crate::peer::{Listener, soon};

/// Makes one over a connector.
pub(crate) fn session(connector: TcpConnectorBuilder) -> ClientSession {
    let connector = connector.build().expect("valid settings");
    let session = ClientSession::builder().connector(connector).build();
    session.expect("valid settings")
}

/// Gets the error of a connection that could not be made.
async fn connect_error(session: &ClientSession, url: &str) -> ConnectError {
    match soon("the error", session.get(url).send()).await {
        Err(ClientError::Connection(ConnectionError::Connect(error))) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_server_sees_the_local_address() {
    // EDGE-194.
    let listener = Listener::new().await;
    let local = (Ipv4Addr::new(127, 0, 0, 2), 0);
    let session = session(TcpConnector::builder().local_addr(local));
    let (response, peer) = listener
        .answer(session.get(listener.url("/")), "HTTP/1.1 204 OK\r\n\r\n")
        .await;
    let seen = peer.0.peer_addr().expect("it is connected");
    assert_eq!(seen.ip(), local.0);
    assert_eq!(response.connection_info().local_addr(), Some(seen));
}

#[tokio::test]
async fn a_local_address_of_no_use_is_told() {
    // CON-63, as aiohttp says it.
    let other_family = session(TcpConnector::builder().local_addr(([0_u16; 8], 0)));
    let error = connect_error(&other_family, "http://127.0.0.1:9/").await;
    assert_eq!(error.kind(), &ConnectErrorKind::Socket);
    let cause = error.cause().expect("a cause").to_string();
    assert_eq!(cause, "no matching local address with family=IPv4 found");

    let foreign = session(TcpConnector::builder().local_addr(([192, 0, 2, 1], 0)));
    let error = connect_error(&foreign, "http://127.0.0.1:9/").await;
    assert_eq!(error.kind(), &ConnectErrorKind::Socket);
    let cause = error.cause().expect("a cause").to_string();
    assert_eq!(
        cause,
        "error while attempting to bind on address 192.0.2.1:0"
    );
    let kind = error.os_error().expect("the system's error").kind();
    assert_eq!(kind, io::ErrorKind::AddrNotAvailable);
    let class = ClientError::from(ConnectionError::Connect(error));
    assert_eq!(class.aiohttp_class(), "ClientConnectorError");
}

#[tokio::test]
async fn a_socket_factory_makes_the_sockets() {
    // EDGE-193.
    let listener = Listener::new().await;
    let (made, asked) = (Arc::new(Mutex::new(None)), listener.host());
    let note = Arc::clone(&made);
    let connector = TcpConnector::builder().socket_factory(move |peer| {
        assert_eq!(peer.to_string(), asked);
        let socket = Socket::new(Domain::for_address(peer), Type::STREAM, Some(Protocol::TCP))?;
        socket.bind(&SocketAddr::from(([127, 0, 0, 3], 0)).into())?;
        *note.lock().expect("no panic") = socket.local_addr()?.as_socket();
        Ok(socket.into())
    });
    let session = session(connector);
    let (_response, peer) = listener
        .answer(session.get(listener.url("/")), "HTTP/1.1 204 OK\r\n\r\n")
        .await;
    let seen = peer.0.peer_addr().expect("it is connected");
    assert_eq!(*made.lock().expect("no panic"), Some(seen));
}

/// Says to a program of the tests which part of a test it is to play.
const PART: &str = "AIO_TESTS_PART";

/// Runs a test of this file again in a process of its own, where [`PART`] is `part`.
fn again(test: &str, part: &str, wrapper: &[&str]) -> io::Result<Output> {
    let program = env::current_exe()?;
    let program = program.to_str().ok_or(io::ErrorKind::InvalidFilename)?;
    let name = format!("sockets::{test}");
    let arguments = [program, &name, "--exact", "--nocapture", "--test-threads=1"];
    let mut line = wrapper.iter().chain(&arguments);
    let first = line.next().ok_or(io::ErrorKind::InvalidInput)?;
    Command::new(first).args(line).env(PART, part).output()
}

#[track_caller]
fn passed(output: &Output) {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let told = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("1 passed"), "the test was not found: {told}");
}

/// Runs `test` in a runtime of its own, for at most half a minute.
fn run(test: impl Future<Output = ()>) {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let limited = async { timeout(Duration::from_secs(30), test).await };
    let done = runtime.expect("a runtime").block_on(limited);
    done.expect("it does not hang");
}

#[test]
fn the_limit_of_open_files_is_a_kind_of_its_own() {
    // The limit is the whole process's.
    let Ok(url) = env::var(PART) else {
        return run(async {
            let server = TestServer::start(async |_| Response::ok("hello")).await;
            let server = server.expect("a server");
            let url = server.url("/");
            let child = tokio::task::spawn_blocking(move || {
                again("the_limit_of_open_files_is_a_kind_of_its_own", &url, &[])
            });
            passed(&child.await.expect("no panic").expect("a process"));
        });
    };
    run(async {
        let session = session(TcpConnector::builder());
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = Some(64);
        setrlimit(Resource::Nofile, limit).expect("it may be lowered");
        let mut files: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
        assert!(!files.is_empty(), "some were left");

        let error = connect_error(&session, &url).await;
        assert_eq!(error.kind(), &ConnectErrorKind::FileLimit);
        let number = error.os_error().and_then(io::Error::raw_os_error);
        assert_eq!(number, Some(24));
        assert!(error.to_string().contains("too many open files"), "{error}");
        let error = ConnectionError::Connect(error);
        assert!(error.is_retryable() && !error.is_timeout());
        // The system's resolver, which opens files itself, has no word for it.
        let error = connect_error(&session, "http://a.invalid/").await;
        assert_eq!(error.kind(), &ConnectErrorKind::FileLimit);

        files.truncate(files.len() - 1);
        let mut response = session.get(&url).await.expect("a response");
        assert_eq!(response.text().await.expect("a body"), "hello");
    });
}

/// Finds the command that runs another in a network namespace of its own: that of root, or
/// anybody's.
fn namespace() -> Option<&'static [&'static str]> {
    const COMMANDS: [&[&str]; 2] = [
        &["unshare", "--net"],
        &["unshare", "--map-root-user", "--net"],
    ];
    let works = |command: &&[&str]| {
        let mut words = command.iter().chain(&["ip", "link"]);
        let program = words.next().map(Command::new);
        let output = program.map(|mut program| program.args(words).output());
        output.is_some_and(|output| output.is_ok_and(|output| output.status.success()))
    };
    COMMANDS.into_iter().find(works)
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn skipped() {
    eprintln!("skipped: no network namespaces here, or no unshare, or no ip");
}

/// How many local ports there are in the namespace of the test below.
const PORTS: usize = 10;

#[test]
fn local_addresses_have_ports_of_their_own() {
    let test = "local_addresses_have_ports_of_their_own";
    if env::var_os(PART).is_none() {
        return match namespace() {
            Some(wrapper) => passed(&again(test, "client", wrapper).expect("a process")),
            None => skipped(),
        };
    }
    let up = Command::new("ip")
        .args(["link", "set", "lo", "up"])
        .status();
    assert!(up.expect("iproute2").success());
    let range = "/proc/sys/net/ipv4/ip_local_port_range";
    std::fs::write(range, "20000 20009").expect("a namespace of our own");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 8080)).expect("nobody else is here");
    let url = "http://127.0.0.1:8080/";
    run(async {
        let locals = |hosts: &[u8]| {
            let hosts: Vec<_> = hosts
                .iter()
                .map(|host| (Ipv4Addr::new(127, 0, 0, *host), 0))
                .collect();
            TcpConnector::builder().limit(None).local_addrs(hosts)
        };
        check_ports(TcpConnector::builder().limit(None), url, PORTS, &listener).await;
        check_ports(locals(&[2]), url, PORTS, &listener).await;
        check_ports(locals(&[3, 4, 5]), url, 3 * PORTS, &listener).await;

        // The same EADDRNOTAVAIL: there is no address of the family, ports there are.
        std::fs::write("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1").expect("IPv6");
        let plain = session(TcpConnector::builder());
        let error = connect_error(&plain, "http://[::1]:8080/").await;
        assert_eq!(error.os_error().and_then(io::Error::raw_os_error), Some(99));
        assert_eq!(error.kind(), &ConnectErrorKind::Refused);
    });
}

/// Opens `want` connections, and finds no port for one more.
async fn check_ports(
    connector: TcpConnectorBuilder,
    url: &str,
    want: usize,
    listener: &TcpListener,
) {
    let connector = connector.build().expect("valid settings");
    let origin = RequestUrl::parse(url).expect("a URL");
    let warm = connector.warm_up(&origin, want).await;
    warm.expect("there are ports");
    let error = connector
        .warm_up(&origin, want + 1)
        .await
        .expect_err("no port is left");
    let ConnectionError::Connect(error) = &error else {
        panic!("{error:?}");
    };
    assert_eq!(error.kind(), &ConnectErrorKind::NoLocalPort);
    assert!(error.to_string().contains("no free local port"), "{error}");
    let errno = error.os_error().and_then(io::Error::raw_os_error);
    assert!(matches!(errno, Some(98 | 99)), "{error:?}");
    let mut seen = Vec::new();
    for _ in 0..want {
        let (_, from) = listener.accept().expect("a connection");
        seen.push(from.ip());
    }
    let hosts: std::collections::BTreeSet<IpAddr> = seen.iter().copied().collect();
    for host in &hosts {
        assert_eq!(seen.iter().filter(|seen| *seen == host).count(), PORTS);
    }
    assert_eq!(hosts.len() * PORTS, want);
}
