//! The connector for Unix sockets, against servers in this process.
#![cfg(unix)]

use std::fs;
use std::future::{Future, poll_fn};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use aio_connector::{
    ConnectErrorKind, ConnectRequest, Connection, ConnectionError, Connector, Exchange,
    ExchangeOptions, Phase, UnixConnector, UploadFraming,
};
use aio_core::http1::{BodyEvent, Exchanged, Limits};
use aio_core::{Body, RequestUrl};
use http::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

/// Only a failing test waits so long.
const SOON: Duration = Duration::from_secs(10);

/// A directory that goes with its owner.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("aio-unix-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("a directory");
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}

struct Server {
    listener: UnixListener,
    path: PathBuf,
    _scratch: Scratch,
}

impl Server {
    fn new() -> Self {
        let scratch = Scratch::new();
        let path = scratch.0.join("socket");
        Self {
            listener: UnixListener::bind(&path).expect("a socket"),
            path,
            _scratch: scratch,
        }
    }

    async fn accept(&self) -> UnixStream {
        let accepted = timeout(SOON, self.listener.accept()).await;
        accepted.expect("in time").expect("a connection").0
    }

    /// Makes a connection that stands idle in the pool.
    async fn idle(&self, pool: &UnixConnector) -> UnixStream {
        let connection = connect(pool, "http://a.test/").await;
        let mut peer = self.accept().await;
        exchange(connection.expect("a connection"), &mut peer).await;
        check_stats(pool, (1, 1, 0));
        peer
    }
}

fn url(text: &str) -> RequestUrl {
    RequestUrl::parse(text).expect("a URL")
}

async fn connect(pool: &UnixConnector, to: &str) -> Result<Connection, ConnectionError> {
    let url = url(to);
    let mut request = ConnectRequest::new(&url);
    timeout(SOON, pool.connect(&mut request))
        .await
        .expect("in time")
}

fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[track_caller]
fn check_stats(pool: &UnixConnector, want: (usize, usize, usize)) {
    let stats = pool.stats();
    let counts = (stats.open, stats.idle, stats.waiting);
    assert_eq!(counts, want, "(open, idle, waiting)");
}

/// Sends a request, lets `peer` answer, and reads the response.
async fn exchange(mut connection: Connection, peer: &mut UnixStream) {
    let buffer = connection.head_buffer().0;
    buffer.extend_from_slice(b"GET / HTTP/1.1\r\n\r\n");
    let options = ExchangeOptions {
        framing: UploadFraming::Length(0),
        limits: Limits::default(),
        exchanged: Exchanged::of(&Method::GET),
        expect_continue: false,
        force_close: false,
    };
    let mut exchange = Exchange::start(connection, Body::none(), options);
    let served = async {
        assert!(peer.read(&mut [0; 1024]).await.expect("open") > 0);
        peer.write_all(ANSWER).await.expect("open");
    };
    let (head, ()) = tokio::join!(poll_fn(|cx| exchange.poll_head(cx)), served);
    head.expect("a head");
    while poll_fn(|cx| exchange.poll_body(cx)).await.expect("a body") != BodyEvent::End {}
}

#[tokio::test]
async fn a_connection_is_used_again_and_closed_with_the_pool() {
    let server = Server::new();
    let pool = UnixConnector::new(&server.path);
    assert_eq!(pool.path(), server.path);
    let mut peer = server.idle(&pool).await;
    let again = connect(&pool, "http://a.test/").await;
    let again = again.expect("a connection");
    assert!(again.is_reused());
    exchange(again, &mut peer).await;
    check_stats(&pool, (1, 1, 0));
    pool.close();
    check_stats(&pool, (0, 0, 0));
    assert_eq!(peer.read(&mut [0]).await.expect("closed"), 0);
}

#[tokio::test]
async fn the_host_tells_peers_apart_though_all_are_one() {
    let server = Server::new();
    let pool = UnixConnector::new(&server.path);
    let _peer = server.idle(&pool).await;
    for other in ["http://b.test/", "http://a.test:81/", "unix://a.test/"] {
        let other = connect(&pool, other).await.expect("a connection");
        assert!(!other.is_reused());
        let info = other.info();
        assert_eq!((info.peer_addr(), info.local_addr()), (None, None));
    }
}

/// Has the peer of an idle connection do something; the runtime learns nothing of it before
/// the next request asks for a connection.
async fn check_not_reused(what: impl AsyncFnOnce(UnixStream) -> Option<UnixStream>) {
    let server = Server::new();
    let pool = UnixConnector::new(&server.path);
    let peer = server.idle(&pool).await;
    let _peer = what(peer).await;
    let again = connect(&pool, "http://a.test/").await;
    assert!(!again.expect("a connection").is_reused());
}

#[tokio::test]
async fn a_connection_that_was_closed_is_not_used_again() {
    check_not_reused(async |peer| {
        drop(peer);
        None
    })
    .await;
}

#[tokio::test]
async fn a_connection_with_stray_bytes_is_not_used_again() {
    check_not_reused(async |mut peer| {
        let late = peer.write_all(b"HTTP/1.1 408 Bye\r\n\r\n").await;
        late.expect("open");
        Some(peer)
    })
    .await;
}

#[tokio::test]
async fn at_the_limit_requests_wait_in_order() {
    let server = Server::new();
    let pool = UnixConnector::builder(&server.path).limit(1).build();
    let pool = pool.expect("valid settings");
    let first = connect(&pool, "http://a.test/").await;
    let mut peer = server.accept().await;
    let mut second = pin!(connect(&pool, "http://a.test/"));
    let mut third = pin!(connect(&pool, "http://a.test/"));
    assert!(poll_once(second.as_mut()).is_pending());
    assert!(poll_once(third.as_mut()).is_pending());
    check_stats(&pool, (1, 0, 2));
    exchange(first.expect("a connection"), &mut peer).await;
    assert!(poll_once(third.as_mut()).is_pending());
    let second = second.await.expect("a connection");
    assert!(second.is_reused());
    second.release();
    third.await.expect("a connection").release();
    check_stats(&pool, (1, 1, 0));
}

/// Connects to `path`, which must fail for what `want` says of the cause.
async fn check_refused(path: impl Into<PathBuf>, shown: Option<&str>, want: &str) {
    let path = path.into();
    let pool = UnixConnector::new(&path);
    let error = connect(&pool, "http://a.test/x").await.expect_err("no way");
    let ConnectionError::Connect(error) = &error else {
        panic!("{path:?}: {error}");
    };
    let text = path.to_string_lossy();
    let path = shown.unwrap_or(&text);
    let kind = ConnectErrorKind::Unix { path: path.into() };
    assert_eq!(error.kind(), &kind);
    assert_eq!(error.attempt().phase, Phase::Connect);
    let os = error.os_error().expect("the system says why").to_string();
    assert!(os.contains(want), "{path:?}: {os}");
    let message = error.to_string();
    let start = format!("cannot connect to Unix socket {path}: http://a.test/x while connecting");
    assert!(message.starts_with(&start), "{message}");
    check_stats(&pool, (0, 0, 0));
}

#[tokio::test]
async fn who_does_not_listen_is_named_with_what_the_system_says() {
    // EDGE-192, EXC-04.
    let scratch = Scratch::new();
    let inside = |name: &str| scratch.0.join(name);
    check_refused(inside("missing"), None, "os error 2").await;
    check_refused(inside("missing/socket"), None, "os error 2").await;
    fs::write(inside("file"), "no socket").expect("a file");
    check_refused(inside("file/socket"), None, "os error 20").await;
    drop(UnixListener::bind(inside("left")).expect("a socket"));
    check_refused(inside("left"), None, "refused").await;
    symlink("loop", inside("loop")).expect("a link");
    // Others say the same in other words.
    if cfg!(target_os = "linux") {
        check_refused(inside("file"), None, "refused").await;
        check_refused(inside(""), None, "refused").await;
        check_refused(inside("loop"), None, "os error 40").await;
        check_refused("", None, "os error 22").await;
    }
    check_refused("a\0b", None, "null bytes").await;
    check_refused("x".repeat(200), None, "shorter than SUN_LEN").await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_path_that_begins_with_a_nul_is_an_abstract_name() {
    let name = format!("aio-unix-{}", std::process::id());
    let path = format!("\0{name}");
    let shown = format!("@{name}");
    check_refused(&path, Some(&shown), "refused").await;
    let listener = UnixListener::bind(&path).expect("a name");
    let pool = UnixConnector::new(&path);
    assert_eq!(pool.path(), PathBuf::from(&path));
    let connection = connect(&pool, "http://a.test/").await;
    let (mut peer, _) = listener.accept().await.expect("a connection");
    exchange(connection.expect("a connection"), &mut peer).await;
    check_stats(&pool, (1, 1, 0));
    let long = format!("\0{}", "x".repeat(200));
    let shown = format!("@{}", "x".repeat(200));
    check_refused(long, Some(&shown), "shorter than SUN_LEN").await;
}

#[tokio::test]
async fn it_takes_its_own_scheme_besides_those_of_http() {
    let pool = UnixConnector::new("/run/nobody");
    assert_eq!(Connector::schemes(&pool), ["unix"]);
}

/// Linux alone tells a client that the queue is full.
#[cfg(target_os = "linux")]
mod busy {
    use aio_core::ClientTimeout;
    use socket2::{Domain, SockAddr, Socket, Type};
    use tokio::time::{Instant, sleep};

    use super::*;

    /// A server whose queue is full.
    struct Busy {
        listener: Socket,
        path: PathBuf,
        queued: Vec<Socket>,
        _scratch: Scratch,
    }

    impl Busy {
        fn new() -> Self {
            let scratch = Scratch::new();
            let path = scratch.0.join("socket");
            let address = SockAddr::unix(&path).expect("a short path");
            let socket = || {
                let socket = Socket::new(Domain::UNIX, Type::STREAM, None).expect("a socket");
                socket.set_nonblocking(true).expect("a socket");
                socket
            };
            let listener = socket();
            listener.bind(&address).expect("a path");
            listener.listen(1).expect("a socket");
            let mut queued = Vec::new();
            loop {
                let client = socket();
                if client.connect(&address).is_err() {
                    break;
                }
                queued.push(client);
                assert!(queued.len() < 10, "the queue is short");
            }
            Self {
                listener,
                path,
                queued,
                _scratch: scratch,
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_busy_is_tried_again_until_there_is_room() {
        let busy = Busy::new();
        let pool = UnixConnector::new(&busy.path);
        let begun = Instant::now();
        let room = async {
            sleep(Duration::from_millis(500)).await;
            busy.listener.accept().expect("one that is queued")
        };
        let (connection, _peer) = tokio::join!(connect(&pool, "http://a.test/"), room);
        connection.expect("a connection");
        let took = begun.elapsed().as_millis();
        assert!((500..600).contains(&took), "{took} ms");
    }

    #[tokio::test(start_paused = true)]
    async fn who_stays_busy_is_given_up_after_sock_connect() {
        let busy = Busy::new();
        let pool = UnixConnector::new(&busy.path);
        let limits = ClientTimeout {
            sock_connect: Some(Duration::from_secs(1)),
            ..ClientTimeout::none()
        };
        let (url, begun) = (url("http://a.test/"), Instant::now());
        let mut request = ConnectRequest::begun(&url, &limits, begun.into_std());
        let error = pool.connect(&mut request).await.expect_err("no room");
        assert!(error.is_timeout(), "{error}");
        assert_eq!(error.aiohttp_class(), "ConnectionTimeoutError");
        assert_eq!(error.attempt().phase, Phase::Connect);
        let took = begun.elapsed();
        assert!((Duration::from_secs(1)..Duration::from_secs(2)).contains(&took));
        check_stats(&pool, (0, 0, 0));
    }

    #[tokio::test]
    async fn a_request_that_is_given_up_leaves_nothing() {
        let busy = Busy::new();
        let pool = UnixConnector::new(&busy.path);
        {
            let mut waiting = pin!(connect(&pool, "http://a.test/"));
            assert!(poll_once(waiting.as_mut()).is_pending());
            check_stats(&pool, (1, 0, 0));
        }
        check_stats(&pool, (0, 0, 0));
        for _ in &busy.queued {
            busy.listener.accept().expect("one that is queued");
        }
        assert!(busy.listener.accept().is_err(), "nobody else has come");
    }
}
