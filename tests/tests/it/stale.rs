//! Connections of the pool that look alive and are dead: what is sent again over another,
//! and what is not (SPEC §5).

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use aio_client::{
    Body, BoxFuture, ClientSession, ClientSessionBuilder, ConnectRequest, ConnectionError,
    ConnectionKey, ConnectionRetry, Dial, PooledConnector, Transport,
};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::sync::Notify;

use crate::peer::{Listener, Peer, begin, soon};
use crate::seams::Log;

const URL: &str = "http://a.test/";

/// How a connection behaves once it has served a request.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Lives,
    /// It looks alive, but takes only so many bytes, and then fails.
    Dies {
        taken: usize,
        kind: io::ErrorKind,
    },
}

/// Takes nothing at all any more.
const DEAD: Fate = Fate::Dies {
    taken: 0,
    kind: io::ErrorKind::BrokenPipe,
};

/// A server in memory, whose n-th connection has the n-th fate; those behind them live.
#[derive(Debug)]
struct Server {
    fates: Vec<Fate>,
    dials: AtomicUsize,
    /// The method and the body of each request that came whole.
    requests: Arc<Mutex<Vec<(String, String)>>>,
}

impl Server {
    fn new(fates: &[Fate]) -> Arc<Self> {
        Arc::new(Self {
            fates: fates.to_vec(),
            dials: AtomicUsize::new(0),
            requests: Arc::default(),
        })
    }

    /// Makes a session that has sent a first request, whose connection has met its fate.
    async fn session(self: &Arc<Self>, builder: ClientSessionBuilder) -> ClientSession {
        let connector = PooledConnector::over(Dialer(Arc::clone(self))).build();
        let builder = builder.connector(connector.expect("valid"));
        // Only a failing test takes so long.
        let builder = builder.timeout(Duration::from_secs(10));
        let session = builder.build().expect("valid");
        let first = session.get(URL).await.expect("a response").read().await;
        assert_eq!(first.expect("a body"), "ok");
        assert_eq!(session.connector().stats().idle, 1);
        session
    }

    fn dials(&self) -> usize {
        self.dials.load(Ordering::Relaxed)
    }

    /// Gives the requests behind the first one.
    fn requests(&self) -> Vec<(String, String)> {
        let requests = self.requests.lock().expect("no panic");
        requests.iter().skip(1).cloned().collect()
    }
}

/// Answers each request, until the client closes.
async fn serve(far: DuplexStream, requests: Arc<Mutex<Vec<(String, String)>>>) {
    let mut peer = Peer(far);
    while let Some(head) = peer.try_head().await {
        let length = |line: &str| line.strip_prefix("Content-Length: ")?.parse().ok();
        let length = head.lines().find_map(length).unwrap_or(0);
        let body = String::from_utf8(peer.exactly(length).await).expect("text");
        let method = head.split(' ').next().unwrap_or_default().to_owned();
        requests.lock().expect("no panic").push((method, body));
        let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        peer.send(if head.starts_with("HEAD") {
            &ok[..38]
        } else {
            ok
        })
        .await;
    }
}

struct Dialer(Arc<Server>);

impl Dial for Dialer {
    fn dial<'a>(
        &'a self,
        _: &'a ConnectionKey,
        _: &'a mut ConnectRequest<'_>,
    ) -> BoxFuture<'a, Result<Transport, ConnectionError>> {
        let number = self.0.dials.fetch_add(1, Ordering::Relaxed);
        let fate = self.0.fates.get(number).copied().unwrap_or(Fate::Lives);
        let (stream, far) = tokio::io::duplex(64 * 1024);
        tokio::spawn(serve(far, Arc::clone(&self.0.requests)));
        let near = Near {
            stream,
            // A first connection serves the first request.
            served: number > 0,
            fate,
            failed: false,
        };
        Box::pin(async { Ok(Transport::over(near)) })
    }
}

/// The client's end of a connection.
struct Near {
    stream: DuplexStream,
    /// Something was received, or it is to meet its fate at once.
    served: bool,
    fate: Fate,
    failed: bool,
}

impl AsyncRead for Near {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Fate::Dies { kind, .. } = self.fate
            && self.failed
        {
            return Poll::Ready(Err(kind.into()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.served |= buffer.filled().len() > before;
        read
    }
}

impl AsyncWrite for Near {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Self { served, fate, .. } = &mut *self;
        match fate {
            Fate::Dies { taken: 0, kind } if *served => {
                let kind = *kind;
                self.failed = true;
                Poll::Ready(Err(kind.into()))
            }
            Fate::Dies { taken, .. } if *served => {
                let written = bytes.len().min(*taken);
                *taken -= written;
                Poll::Ready(Ok(written))
            }
            _ => Pin::new(&mut self.stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Sends a request over connections of these fates; `again` tells whether it is to be sent
/// once more, with all of its body.
async fn check(retry: ConnectionRetry, method: &str, body: &'static str, fate: Fate, again: bool) {
    let shown = format!("{retry:?} {method} {body:?} {fate:?}");
    let server = Server::new(&[fate]);
    let session = server.session(ClientSession::builder()).await;
    let mut request = session.request(method, URL).retry_connection(retry);
    if !body.is_empty() {
        request = request.body(body);
    }
    let answer = soon(&shown, request.send()).await;
    if again {
        assert!(answer.expect(&shown).ok());
        assert_eq!(server.requests(), [(method.into(), body.into())], "{shown}");
        assert_eq!(server.dials(), 2, "{shown}");
        return;
    }
    let error = answer.expect_err(&shown);
    let left = matches!(fate, Fate::Dies { taken: 1.., .. });
    assert_eq!(error.attempt().map(|attempt| attempt.sent), Some(left));
    assert_eq!(error.is_retryable(), !left, "{shown}");
    assert_eq!((server.requests(), server.dials()), (vec![], 1), "{shown}");
    assert_eq!(session.connector().stats().open, 0, "{shown}");
}

const IDEMPOTENT: [&str; 6] = ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"];
const OTHERS: [&str; 3] = ["POST", "PATCH", "LOCK"];

#[tokio::test]
async fn idempotent_requests_are_sent_again() {
    // RTY-02, RTY-03, RTY-07.
    use io::ErrorKind::{BrokenPipe, ConnectionReset};
    for kind in [BrokenPipe, ConnectionReset] {
        for taken in [0, 10] {
            let fate = Fate::Dies { taken, kind };
            for method in IDEMPOTENT {
                check(ConnectionRetry::Idempotent, method, "", fate, true).await;
            }
            check(ConnectionRetry::Idempotent, "PUT", "body", fate, true).await;
            for method in OTHERS {
                check(ConnectionRetry::Idempotent, method, "body", fate, false).await;
            }
        }
    }
}

#[tokio::test]
async fn unsent_requests_are_sent_again_where_asked_for() {
    use io::ErrorKind::{BrokenPipe, ConnectionReset};
    for kind in [BrokenPipe, ConnectionReset] {
        for method in OTHERS {
            let unsent = Fate::Dies { taken: 0, kind };
            check(ConnectionRetry::Unsent, method, "", unsent, true).await;
            check(ConnectionRetry::Unsent, method, "body", unsent, true).await;
            let sent = Fate::Dies { taken: 1, kind };
            check(ConnectionRetry::Unsent, method, "", sent, false).await;
            check(ConnectionRetry::Unsent, method, "body", sent, false).await;
        }
        let sent = Fate::Dies { taken: 1, kind };
        check(ConnectionRetry::Unsent, "GET", "", sent, true).await;
    }
}

#[tokio::test]
async fn nothing_is_sent_again_where_that_is_off() {
    for method in ["GET", "PUT", "POST"] {
        check(ConnectionRetry::Off, method, "", DEAD, false).await;
    }
}

#[tokio::test]
async fn a_second_attempt_is_watched_as_the_first_but_for_its_start() {
    // RTY-11.
    let (log, server) = (Log::default(), Server::new(&[DEAD]));
    let builder = ClientSession::builder().trace_config(log.clone());
    let session = server.session(builder).await;
    log.0.lock().expect("no panic").clear();
    session.get(URL).await.expect("a response");
    let want = [
        "GET /",
        "RequestStart",
        "Connect(Reused)",
        "RequestHeadersSent",
        "Connect(CreateStart)",
        "Connect(CreateEnd)",
        "RequestHeadersSent",
        "RequestEnd",
    ];
    assert_eq!(*log.0.lock().expect("no panic"), want);
}

#[tokio::test]
async fn what_fails_with_its_connection_alive_is_not_sent_again() {
    // RTY-04.
    for (answer, class) in [
        ("HTTP\r\n\r\n", "ClientResponseError"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nxx",
            "ClientPayloadError",
        ),
    ] {
        for method in ["GET", "POST"] {
            let builder = ClientSession::builder().retry_connection(ConnectionRetry::Unsent);
            let (listener, session) = (Listener::new().await, builder.build().expect("valid"));
            let request = session.request(method, listener.url("/")).send();
            let serve = async {
                let mut peer = listener.accept().await;
                peer.head().await;
                peer.send(answer).await;
            };
            let read = async { request.await?.read().await };
            let both = async { tokio::join!(read, serve).0 };
            let error = soon(answer, both).await.expect_err("it is broken");
            assert_eq!(error.aiohttp_class(), class, "{method}");
            assert_eq!(session.connector().stats().created, 1, "{method}");
        }
    }
}

#[tokio::test]
async fn a_connection_that_dies_while_a_body_is_opened_is_not_used() {
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let (response, first) = listener.answer(session.get(listener.url("/")), ok).await;
    drop(response);
    let opened = Arc::new(Notify::new());
    let opening = Arc::clone(&opened);
    let body = Body::replayable(None, move || {
        let opening = Arc::clone(&opening);
        async move {
            opening.notified().await;
            Ok(Body::from("body"))
        }
    });
    // A POST is not sent again.
    let sent = begin(session.post(listener.url("/")).body(body).send()).await;
    let wire = first.wire();
    drop(first);
    wire.reached().await;
    opened.notify_one();
    let mut second = soon("another connection", listener.accept()).await;
    second.until(b"\r\n\r\nbody").await;
    second.send(ok).await;
    let response = soon("a response", sent).await.expect("no panic");
    assert_eq!(response.expect("a response").status(), 200);
    assert_eq!(session.connector().stats().open, 1);
}
