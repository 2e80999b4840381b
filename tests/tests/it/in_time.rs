//! Timeouts of connecting by any means, and of peers that are slow now and then.
//!
//! Connections are in memory: so a paused clock goes on only when everybody waits.

use std::future::{Future, pending};
use std::time::Duration;

use aio_client::{
    BoxFuture, ClientError, ClientSession, ClientTimeout, ConnectRequest, Connection,
    ConnectionError, ConnectionKey, Connector, Dial, Phase, PooledConnector, Stats, Transport,
};
use tokio::io::DuplexStream;
use tokio::sync::mpsc;

use crate::peer::Peer;

const URL: &str = "http://a.test/";
const EMPTY: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const TEN: &str = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n";

const CONNECT: &str = "ConnectionTimeoutError";
const SOCKET: &str = "SocketTimeoutError";
const TOTAL: &str = "TimeoutError";

const fn secs(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

const NONE: ClientTimeout = ClientTimeout::none();

/// Waits for what is to happen by itself, longer than any test of the paused clock takes.
async fn in_time<F: Future>(future: F) -> F::Output {
    let output = tokio::time::timeout(Duration::from_secs(10_000), future).await;
    output.expect("it ends")
}

/// Sends a GET and tells what it failed with: the class, the phase, and after how many
/// seconds. Nothing is open then.
async fn get(session: &ClientSession, timeout: ClientTimeout) -> (&'static str, Phase, u64) {
    let answer = in_time(session.get(URL).timeout(timeout).send()).await;
    let error = answer.expect_err("late");
    assert_eq!(session.connector().stats().open, 0, "{error}");
    assert!(error.is_timeout(), "{error:?}");
    told(&error)
}

fn told(error: &ClientError) -> (&'static str, Phase, u64) {
    let attempt = error.attempt().expect("it had begun");
    (
        error.aiohttp_class(),
        attempt.phase,
        attempt.elapsed.as_secs(),
    )
}

fn session(connector: impl Connector) -> ClientSession {
    let builder = ClientSession::builder().connector(connector);
    builder.build().expect("valid")
}

/// Connects in a second and then agrees on TLS for ever, with or without telling so.
#[derive(Debug)]
struct Handshakes {
    tells: bool,
}

impl Dial for Handshakes {
    fn dial<'a>(
        &'a self,
        _: &'a ConnectionKey,
        request: &'a mut ConnectRequest<'_>,
    ) -> BoxFuture<'a, Result<Transport, ConnectionError>> {
        Box::pin(async move {
            let second = || tokio::time::sleep(Duration::from_secs(1));
            if self.tells {
                // The first address does not answer: `sock_connect` begins anew.
                request.within(Phase::Connect, second()).await?;
                request.within(Phase::Connect, second()).await?;
                request.within(Phase::Tls, pending()).await
            } else {
                pending().await
            }
        })
    }
}

#[tokio::test(start_paused = true)]
async fn any_way_to_connect_can_be_bound() {
    for (tells, timeout, want) in [
        (
            true,
            ClientTimeout {
                tls: secs(3),
                sock_connect: secs(9),
                ..NONE
            },
            (CONNECT, Phase::Tls, 5),
        ),
        (
            true,
            ClientTimeout {
                tls: secs(9),
                sock_connect: secs(3),
                ..NONE
            },
            (CONNECT, Phase::Tls, 4),
        ),
        (
            true,
            ClientTimeout {
                tls: secs(9),
                connect: secs(4),
                ..NONE
            },
            (CONNECT, Phase::Tls, 4),
        ),
        (
            false,
            ClientTimeout {
                tls: secs(1),
                sock_connect: secs(1),
                connect: secs(7),
                ..NONE
            },
            (CONNECT, Phase::Pool, 7),
        ),
        (
            false,
            ClientTimeout::total(Duration::from_secs(8)),
            (TOTAL, Phase::Pool, 8),
        ),
    ] {
        let connector = PooledConnector::over(Handshakes { tells }).build();
        let session = session(connector.expect("valid"));
        assert_eq!(get(&session, timeout).await, want, "{timeout:?}");
    }
}

/// A connector that never connects, and keeps to no timeout.
#[derive(Debug)]
struct Never;

impl Connector for Never {
    fn connect<'a>(
        &'a self,
        _: &'a mut ConnectRequest<'_>,
    ) -> BoxFuture<'a, Result<Connection, ConnectionError>> {
        Box::pin(pending())
    }

    fn close(&self) {}

    fn close_within(&self, _: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }

    fn is_closed(&self) -> bool {
        false
    }

    fn stats(&self) -> Stats {
        Stats::default()
    }
}

#[tokio::test(start_paused = true)]
async fn connect_and_total_bound_any_connector() {
    let session = session(Never);
    let connect = ClientTimeout {
        connect: secs(2),
        ..NONE
    };
    let got = get(&session, connect).await;
    assert_eq!((got.0, got.2), (CONNECT, 2));
    let got = get(&session, ClientTimeout::total(Duration::from_secs(3))).await;
    assert_eq!((got.0, got.2), (TOTAL, 3));
}

/// How much a connection in memory takes before the peer has read it.
pub(crate) const PIPE: usize = 1024;

/// Connects to the test, in memory.
pub(crate) struct Memory(mpsc::UnboundedSender<DuplexStream>);

/// The other ends of the connections, in the order in which they are made.
pub(crate) struct Peers(mpsc::UnboundedReceiver<DuplexStream>);

impl Memory {
    fn new() -> (Self, Peers) {
        let (connections, peers) = mpsc::unbounded_channel();
        (Self(connections), Peers(peers))
    }

    /// Makes a session with connections in memory.
    pub(crate) fn session() -> (ClientSession, Peers) {
        let (memory, peers) = Self::new();
        let connector = PooledConnector::over(memory).build().expect("valid");
        (session(connector), peers)
    }
}

impl Peers {
    pub(crate) async fn next(&mut self) -> Peer<DuplexStream> {
        Peer(self.0.recv().await.expect("a connection"))
    }
}

impl Dial for Memory {
    fn dial<'a>(
        &'a self,
        _: &'a ConnectionKey,
        _: &'a mut ConnectRequest<'_>,
    ) -> BoxFuture<'a, Result<Transport, ConnectionError>> {
        let (near, far) = tokio::io::duplex(PIPE);
        _ = self.0.send(far);
        Box::pin(async { Ok(Transport::over(near)) })
    }
}

async fn pause(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn the_first_byte_may_be_late_alone() {
    let first_byte = ClientTimeout {
        first_byte: secs(5),
        ..NONE
    };
    for (timeout, want) in [
        (first_byte, (SOCKET, Phase::Head, 5)),
        (
            ClientTimeout {
                sock_read: secs(3),
                ..first_byte
            },
            (SOCKET, Phase::Head, 3),
        ),
        (
            ClientTimeout {
                sock_read: secs(9),
                ..first_byte
            },
            (SOCKET, Phase::Head, 5),
        ),
        (
            ClientTimeout {
                total: secs(4),
                ..first_byte
            },
            (TOTAL, Phase::Head, 4),
        ),
    ] {
        let (session, _peers) = Memory::session();
        assert_eq!(get(&session, timeout).await, want, "{timeout:?}");
    }
}

const WRITE: ClientTimeout = ClientTimeout {
    write: secs(5),
    ..NONE
};

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_little_at_a_time_is_in_time() {
    let (session, mut peers) = Memory::session();
    let body = format!("{}!", "x".repeat(8 * PIPE));
    let request = session.post(URL).body(body).timeout(WRITE);
    let answer = async {
        let mut peer = peers.next().await;
        peer.head().await;
        for _ in 0..8 {
            pause(4).await;
            peer.exactly(PIPE).await;
        }
        peer.until(b"!").await;
        pause(100).await;
        peer.send(EMPTY).await;
        peer
    };
    let (response, _peer) = in_time(async { tokio::join!(request.send(), answer) }).await;
    assert!(response.expect("a response").ok());
    assert_eq!(session.connector().stats().idle, 1);
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_is_refused_is_not_late() {
    let (session, mut peers) = Memory::session();
    let request = session.post(URL).body(vec![0; 4 * PIPE]).timeout(WRITE);
    let answer = async {
        let mut peer = peers.next().await;
        peer.head().await;
        peer.send("HTTP/1.1 413 X\r\nContent-Length: 10\r\n\r\n")
            .await;
        pause(100).await;
        peer.send("0123456789").await;
        peer
    };
    let read = async {
        let mut response = request.await?;
        response.text().await
    };
    let (text, _peer) = in_time(async { tokio::join!(read, answer) }).await;
    assert_eq!(text.expect("a body"), "0123456789");
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_is_never_late() {
    // TMO-15, TMO-18.
    let timeout = ClientTimeout {
        sock_read: secs(5),
        first_byte: secs(5),
        write: secs(5),
        ..NONE
    };
    let (session, mut peers) = Memory::session();
    let answer = async {
        let mut peer = peers.next().await;
        peer.head().await;
        peer.send(TEN).await;
        peer
    };
    let request = session.get(URL).timeout(timeout).send();
    let (response, mut peer) = in_time(async { tokio::join!(request, answer) }).await;
    let mut response = response.expect("a response");
    for _ in 0..3 {
        pause(100).await;
        peer.send("x").await;
        let piece = response.content().chunk().await.expect("in time");
        assert_eq!(piece.as_deref(), Some(&b"x"[..]));
    }
    let error = in_time(response.content().chunk()).await;
    let error = error.expect_err("silent");
    let (class, phase, after) = told(&error);
    assert_eq!((class, phase, after), (SOCKET, Phase::Body, 305));
    assert_eq!(session.connector().stats().open, 0);
}
