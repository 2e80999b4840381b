//! Proxies that say what they should not: each ends in a clear error, soon, with nothing of
//! it left behind.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use aio_client::{ClientError, ClientSession, ClientTimeout, Phase, Proxy};
use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::peer::{Listener, Peer, soon};

/// What a proxy does behind its answer.
#[derive(Debug, Clone, Copy)]
enum Then {
    /// Waits for the client to leave.
    Stay,
    Leave,
    Reset,
    /// Says this when the client has begun with TLS, and stays.
    Say(&'static str),
    /// Says this over and over, as fast as it can.
    Flood(&'static str),
    /// Says this over and over, slowly.
    Trickle(&'static str),
}

use Then::{Flood, Leave, Reset, Say, Stay, Trickle};

/// How much a proxy may get rid of: what is read of a head, and what two sockets hold.
const MOST: usize = 16 << 20;

/// How long a proxy has that does not come to an end by itself.
const PATIENCE: ClientTimeout = ClientTimeout {
    sock_connect: Some(Duration::from_millis(300)),
    ..ClientTimeout::none()
};

/// A proxy that gives the same answer on all connections.
struct Hostile {
    url: String,
    /// How many connections it had, and how many of them the client has left.
    counts: Arc<[AtomicUsize; 2]>,
    _acceptor: JoinSet<()>,
}

impl Hostile {
    async fn start(reads: bool, answer: &str, then: Then) -> Self {
        let listener = Listener::new().await;
        let url = format!("http://ada:s3cret@{}", listener.host());
        let counts = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
        let (answer, counted) = (answer.to_owned(), Arc::clone(&counts));
        let mut acceptor = JoinSet::new();
        acceptor.spawn(async move {
            loop {
                let mut peer = listener.accept().await;
                counted[0].fetch_add(1, Relaxed);
                if reads {
                    peer.head().await;
                } else {
                    // So that what is not read cannot be sent either.
                    let socket = SockRef::from(&peer.0);
                    socket.set_recv_buffer_size(4096).expect("a socket");
                }
                play(peer, &answer, then).await;
                counted[1].fetch_add(1, Relaxed);
            }
        });
        Self {
            url,
            counts,
            _acceptor: acceptor,
        }
    }

    /// Waits until the client has left all its connections, and tells how many there were.
    async fn left(&self) -> usize {
        let left = async {
            loop {
                let [begun, left] = [0, 1].map(|index: usize| self.counts[index].load(Relaxed));
                if begun == left {
                    return begun;
                }
                sleep(Duration::from_millis(1)).await;
            }
        };
        soon("the client leaves", left).await
    }
}

async fn play(mut peer: Peer, answer: &str, then: Then) {
    // The client need not read it all.
    if peer.0.write_all(answer.as_bytes()).await.is_err() {
        return;
    }
    match then {
        Stay => peer.drain().await,
        Leave => {}
        Reset => peer.reset(),
        Say(text) => {
            peer.exactly(1).await;
            _ = peer.0.write_all(text.as_bytes()).await;
            peer.drain().await;
        }
        Flood(text) => {
            let much = text.repeat(1 + 64 * 1024 / text.len());
            let mut sent = answer.len();
            while peer.0.write_all(much.as_bytes()).await.is_ok() {
                sent += much.len();
                assert!(sent < MOST, "it is read without end");
            }
        }
        Trickle(text) => {
            while peer.0.write_all(text.as_bytes()).await.is_ok() {
                sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

/// The texts of an error and of its causes, and all that `Debug` shows.
fn shown(error: &dyn Error) -> String {
    let cause = error.source().map(shown).unwrap_or_default();
    format!("{error} | {error:?} | {cause}")
}

/// Checks what comes of a request for a tunnel: the class of the error, its phase, a part of
/// its text, and how often it was tried.
async fn check(answer: &str, then: Then, class: &str, phase: Phase, text: &str, tries: usize) {
    let proxy = Hostile::start(true, answer, then).await;
    let timeout = match then {
        Trickle(_) => PATIENCE,
        _ => ClientTimeout::none(),
    };
    let session = ClientSession::builder()
        .proxy(proxy.url.as_str())
        .timeout(timeout)
        .build()
        .expect("valid");
    let request = session
        .get("https://ada:s3cret@a.test/?token=s3cret")
        .header("Cookie", "id=s3cret");
    let error = soon("the error", request.send()).await.expect_err(answer);
    let begin: String = answer.chars().take(60).collect();
    let shown = shown(&error);
    assert!(!shown.contains("s3cret"), "{shown}");
    assert_eq!(error.aiohttp_class(), class, "{begin:?}: {shown}");
    let attempt = error.attempt().expect("under way");
    assert_eq!(attempt.phase, phase, "{begin:?}: {shown}");
    assert!(!attempt.sent, "of the request itself");
    assert!(error.to_string().contains(text), "{begin:?}: {shown}");
    let stats = session.connector().stats();
    assert_eq!(
        (stats.open, stats.idle, stats.waiting),
        (0, 0, 0),
        "{begin:?}"
    );
    assert_eq!(proxy.left().await, tries, "{begin:?}");
}

const OK: &str = "HTTP/1.1 200 OK\r\n\r\n";

/// Checks an answer that is no HTTP, or too much of it.
async fn malformed(answer: &str, then: Then, text: &str) {
    let class = "ClientResponseError";
    let text = format!("no tunnel through the proxy: 400, \"{text}");
    check(answer, then, class, Phase::Tunnel, &text, 1).await;
}

#[tokio::test]
async fn answers_that_are_no_http_are_refused() {
    for answer in [
        "garbage\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n",
        "\x16\x03\x01\0\0",
        "<html>HTTP/0.9</html>",
        "HTTP/2 200\r\n\r\n",
        "HTTP/1.1 2\r\n\r\n",
        "HTTP/1.1 020 OK\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
    ] {
        malformed(answer, Stay, "bad status line").await;
        malformed(answer, Leave, "bad status line").await;
    }
    for field in [
        "no colon",
        "X: a\0b",
        "X: a\rb",
        "X : y",
        ": y",
        "X: y\r\n\0",
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\n{field}\r\n\r\n");
        malformed(&answer, Stay, "invalid header").await;
    }
    malformed("\r\n\r\n\r\n", Flood("\r\n"), "bad status line").await;
}

#[tokio::test]
async fn answers_without_end_are_refused() {
    let field = format!("X: {}\r\n", "x".repeat(8000));
    let large = format!("HTTP/1.1 200 OK\r\n{}\r\n", field.repeat(265));
    assert!(large.len() > 2 << 20);
    malformed(&large, Stay, "too many headers").await;
    let ok = "HTTP/1.1 200 OK\r\n";
    malformed(ok, Flood("X: y\r\n"), "too many headers").await;
    malformed(
        "HTTP/1.1 200 OK\r\nX: ",
        Flood("x"),
        "got more than 8190 bytes when reading a h",
    )
    .await;
    malformed(
        "HTTP/1.1 200 OK\r\nX: y",
        Flood("\r\n z"),
        "got more than 8190 bytes when reading a h",
    )
    .await;
    malformed(
        "HTTP/1.1 200 ",
        Flood("x"),
        "got more than 8190 bytes when reading the s",
    )
    .await;
    malformed("", Flood("x"), "bad status line").await;
    let interim = "HTTP/1.1 100 Continue\r\n\r\n";
    malformed(interim, Flood(interim), "more than 32 interim").await;

    // What is slow is late.
    let class = "ConnectionTimeoutError";
    for (begin, again) in [
        ("HTTP/1.1 200 ", "x"),
        ("HTTP/1.1 200 OK\r\nX: ", "x"),
        ("HTTP/1.1 200 OK\r\n", "X: y\r\n"),
        ("", "HTTP/1.1 103 Early\r\n\r\n"),
    ] {
        let text = "timeout: https://a.test/";
        check(begin, Trickle(again), class, Phase::Tunnel, text, 1).await;
    }
}

#[tokio::test]
async fn a_proxy_that_breaks_off_is_asked_once_more() {
    // RTY-01.
    let whole = "HTTP/1.1 200 OK\r\nVia: p\r\n\r\n";
    for end in 0..whole.len() {
        let class = "ServerDisconnectedError";
        let answer = &whole[..end];
        check(answer, Leave, class, Phase::Tunnel, "disconnected", 2).await;
    }
    check("", Reset, "ClientOSError", Phase::Tunnel, "failed", 2).await;
}

#[tokio::test]
async fn a_refusal_is_bounded_whatever_is_behind_it() {
    // CON-87.
    let no = "HTTP/1.1 407 Who is it\r\nContent-Length: 50\r\n\r\ns3cret";
    let chunked = "HTTP/1.1 502 Bad\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (answer, then, text) in [
        (no, Leave, "407, \"Who is it\""),
        (no, Stay, "407"),
        (no, Flood("x"), "407"),
        (no, Trickle("x"), "407"),
        ("HTTP/1.0 403 No\r\n\r\n", Flood("x"), "403"),
        ("HTTP/1.1 403 No\r\n\r\n", Trickle("x"), "403"),
        (chunked, Flood("1;x\r\nx\r\n"), "502"),
        (chunked, Flood("0"), "502"),
        (chunked, Stay, "502"),
        ("HTTP/1.1 407\r\nContent-Length: x\r\n\r\n", Stay, "407"),
        ("HTTP/1.1 999 Odd\r\n\r\n", Stay, "999"),
        (
            "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n",
            Stay,
            "201",
        ),
        ("HTTP/1.1 204 No Content\r\n\r\n", Stay, "204"),
        (
            "HTTP/1.1 302 Found\r\nLocation: http://b.test/\r\n\r\n",
            Stay,
            "302",
        ),
        ("HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", Stay, "101"),
        ("HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 503\r\n\r\n", Stay, "503"),
    ] {
        let class = "ClientHttpProxyError";
        let text = format!("no tunnel through the proxy: {text}");
        check(answer, then, class, Phase::Tunnel, &text, 1).await;
    }
}

#[tokio::test]
async fn what_comes_of_a_tunnel_to_nowhere() {
    let talkative = "ClientProxyConnectionError";
    for behind in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        "\x16",
        "hi",
    ] {
        let answer = format!("{OK}{behind}");
        let text = "cannot connect to 127.0.0.1:";
        check(&answer, Stay, talkative, Phase::Tunnel, text, 1).await;
        check(&answer, Leave, talkative, Phase::Tunnel, text, 1).await;
    }
    // RFC 9110 9.3.6: a tunnel has no body, whatever its head says.
    let class = "ClientConnectorSSLError";
    for answer in [
        OK,
        "HTTP/1.0 200 Connection established\r\n\r\n",
        "HTTP/1.1 200\r\n\r\n",
        "\r\nHTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\n\n",
        "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\nContent-Length: 7\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nConnection: close\r\nProxy-Connection: close\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ] {
        let text = "cannot connect to a.test:443 [TLS";
        for said in [
            "garbage, and no handshake",
            // The answer of a server that speaks no TLS.
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        ] {
            check(answer, Say(said), class, Phase::Tls, text, 1).await;
        }
    }
    let class = "ClientConnectorError";
    let text = "cannot connect to a.test:443";
    check(OK, Leave, class, Phase::Tls, text, 1).await;
    check(OK, Reset, class, Phase::Tls, text, 1).await;
}

/// Asks for a tunnel with a head that takes no end, of a proxy that reads nothing.
async fn unread(answer: &str, then: Then) -> ClientError {
    let hostile = Hostile::start(false, answer, then).await;
    let proxy = Proxy::new(hostile.url.as_str()).expect("a proxy");
    let long = "s3cret".repeat(1 << 19);
    let proxy = proxy.header("X-Long", long).expect("valid");
    let session = ClientSession::builder().proxy(proxy).timeout(PATIENCE);
    let session = session.build().expect("valid");
    let request = session.get("https://a.test/");
    let error = soon("the error", request.send()).await;
    let error = error.expect_err("nobody reads it");
    assert!(!shown(&error).contains("s3cret"));
    assert_eq!(session.connector().stats().open, 0);
    error
}

#[tokio::test]
async fn a_proxy_that_reads_nothing_is_late_or_heard() {
    let error = unread("HTTP/1.1 431 Too much\r\n\r\n", Stay).await;
    assert_eq!(error.status(), Some(431));
    let error = unread("HTTP/1.1 431 Too much\r\n\r\n", Leave).await;
    assert_eq!(error.status(), Some(431));
    let silent = unread("", Trickle("HTTP/1.1 100 Go\r\n\r\n")).await;
    assert_eq!(silent.aiohttp_class(), "ConnectionTimeoutError");
}

#[tokio::test]
async fn what_comes_of_a_plain_request() {
    // CON-90: an answer of the proxy is the answer.
    let check = async |answer: &str, then, want: Result<u16, &str>| {
        let proxy = Hostile::start(true, answer, then).await;
        let session = ClientSession::builder().proxy(proxy.url.as_str());
        let session = session.build().expect("valid");
        let request = session.get("http://ada:s3cret@a.test/?token=s3cret");
        match (soon("an end", request.send()).await, want) {
            (Ok(response), Ok(status)) => {
                assert_eq!(response.status(), status);
                assert!(!format!("{response:?}").contains("s3cret"));
            }
            (Err(error), Err(class)) => {
                assert_eq!(error.aiohttp_class(), class);
                assert!(!shown(&error).contains("s3cret"));
            }
            (got, want) => panic!("{answer:?}: {got:?}, not {want:?}"),
        }
        assert_eq!(session.connector().stats().open, 0);
        proxy.left().await;
    };
    for (answer, then, want) in [
        ("HTTP/1.1 407 Who\r\n\r\n", Flood("x"), Ok(407)),
        (
            "HTTP/1.1 502 Bad\r\nContent-Length: 9\r\n\r\n",
            Stay,
            Ok(502),
        ),
        ("garbage", Stay, Err("ClientResponseError")),
        (
            "HTTP/1.1 200 OK\r\n",
            Flood("X: y\r\n"),
            Err("ClientResponseError"),
        ),
        ("", Leave, Err("ServerDisconnectedError")),
        ("HTTP/1.1 2", Leave, Err("ServerDisconnectedError")),
        ("", Reset, Err("ClientOSError")),
    ] {
        check(answer, then, want).await;
    }
}
