//! Requests that are sent again when their connection breaks, and those that are not.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use aio_client::{
    BoxFuture, ClientRequest, ClientSession, ConnectRequest, ConnectionError, ConnectionKey,
    ConnectionRetry, Dial, Next, PooledConnector, RequestBuilder, Transport,
};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

use crate::peer::{Listener, Peer, soon};

const EMPTY: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// Takes so many bytes, and is broken then.
struct Broken(usize);

impl AsyncRead for Broken {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.0 {
            0 => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            _ => Poll::Pending,
        }
    }
}

impl AsyncWrite for Broken {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let taken = self.0.min(bytes.len());
        self.0 -= taken;
        match taken {
            0 => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            taken => Poll::Ready(Ok(taken)),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Gives its streams away, one for each connection.
struct Streams(Mutex<VecDeque<Transport>>);

impl Dial for Streams {
    fn dial<'a>(
        &'a self,
        _: &'a ConnectionKey,
        _: &'a mut ConnectRequest<'_>,
    ) -> BoxFuture<'a, Result<Transport, ConnectionError>> {
        let stream = self.0.lock().expect("no panic").pop_front();
        Box::pin(async { Ok(stream.expect("as many connections as streams")) })
    }
}

/// A connector whose first connection takes `taken` bytes, and whose second one works and
/// leads to the peer.
fn broken(taken: usize) -> (PooledConnector<Streams>, Peer<DuplexStream>) {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let streams = [Transport::over(Broken(taken)), Transport::over(near)];
    let dialer = Streams(Mutex::new(streams.into()));
    let connector = PooledConnector::over(dialer).build();
    (connector.expect("valid settings"), Peer(far))
}

fn session(connector: PooledConnector<Streams>, retry: ConnectionRetry) -> ClientSession {
    let builder = ClientSession::builder().connector(connector);
    let session = builder.retry_connection(retry).build();
    session.expect("valid settings")
}

/// Checks that the request is answered, over the second connection.
async fn check_answered(request: RequestBuilder, mut peer: Peer<DuplexStream>) {
    let answer = async {
        peer.head().await;
        peer.send(EMPTY).await;
    };
    let both = async { tokio::join!(request.send(), answer) };
    let (response, ()) = soon("the answer", both).await;
    assert_eq!(response.expect("a response").status(), 200);
}

/// Checks that the request fails with the first connection.
async fn check_failed(session: &ClientSession, request: RequestBuilder, sent: bool) {
    let error = soon("the error", request.send()).await;
    let error = error.expect_err("its connection is broken");
    assert!(!error.is_timeout(), "{error:?}");
    let attempt = error.attempt().expect("it was going somewhere");
    assert_eq!(attempt.sent, sent);
    let stats = session.connector().stats();
    assert_eq!((stats.created, stats.open), (1, 0));
}

const URL: &str = "http://a.test/";

#[tokio::test]
async fn a_post_of_which_nothing_left_is_sent_again_by_option() {
    let (connector, peer) = broken(0);
    let session = session(connector, ConnectionRetry::Unsent);
    check_answered(session.post(URL).body("12345"), peer).await;
    assert_eq!(session.connector().stats().created, 2);
}

#[tokio::test]
async fn the_request_has_the_last_word_on_the_option() {
    let (connector, peer) = broken(0);
    let session = session(connector, ConnectionRetry::Off);
    let request = session.post(URL).body("12345");
    check_answered(request.retry_connection(ConnectionRetry::Unsent), peer).await;
}

#[tokio::test]
async fn a_post_is_not_sent_again_without_the_option() {
    let (connector, _peer) = broken(0);
    let session = session(connector, ConnectionRetry::default());
    check_failed(&session, session.post(URL).body("12345"), false).await;
}

#[tokio::test]
async fn a_post_of_which_a_byte_has_left_is_not_sent_again() {
    let (connector, _peer) = broken(1);
    let session = session(connector, ConnectionRetry::Unsent);
    check_failed(&session, session.post(URL).body("12345"), true).await;
}

#[tokio::test]
async fn a_stream_that_has_given_a_piece_is_not_sent_again() {
    let (connector, _peer) = broken(0);
    let session = session(connector, ConnectionRetry::Unsent);
    let (feed, body) = crate::uploads::fed();
    feed.send("one").expect("it is read");
    check_failed(&session, session.post(URL).body(body), false).await;
    feed.send("two")
        .expect_err("it was given up with the request");
}

#[tokio::test]
async fn what_is_idempotent_is_sent_again_unless_switched_off() {
    for taken in [0, 1] {
        let (connector, peer) = broken(taken);
        let session = session(connector, ConnectionRetry::default());
        check_answered(session.get(URL), peer).await;
    }
    for taken in [0, 1] {
        let (connector, _peer) = broken(taken);
        let session = session(connector, ConnectionRetry::Off);
        check_failed(&session, session.get(URL), taken > 0).await;
    }
}

#[tokio::test]
async fn it_is_sent_once_more_only() {
    let streams = [0; 2].map(|taken| Transport::over(Broken(taken)));
    let dialer = Streams(Mutex::new(streams.into()));
    let connector = PooledConnector::over(dialer).build();
    let session = session(connector.expect("valid settings"), ConnectionRetry::Unsent);
    let error = soon("the error", session.post(URL).body("12345").send()).await;
    error.expect_err("both connections are broken");
    assert_eq!(session.connector().stats().created, 2);
}

#[tokio::test]
async fn middlewares_run_again_for_a_post_of_which_nothing_left() {
    let runs = Arc::new(Mutex::new(0));
    let count = Arc::clone(&runs);
    let counted = move |request: ClientRequest, next: Next| {
        *count.lock().expect("no panic") += 1;
        next.run(request)
    };
    for (taken, retry, want) in [
        (0, ConnectionRetry::Unsent, 2),
        (1, ConnectionRetry::Unsent, 1),
        (0, ConnectionRetry::Idempotent, 1),
    ] {
        *runs.lock().expect("no panic") = 0;
        let (connector, peer) = broken(taken);
        let builder = ClientSession::builder().connector(connector);
        let builder = builder.retry_connection(retry).middleware(counted.clone());
        let session = builder.build().expect("valid settings");
        let request = session.post(URL).body("12345");
        if want == 2 {
            check_answered(request, peer).await;
        } else {
            let error = soon("the error", request.send()).await;
            error.expect_err("its connection is broken");
        }
        assert_eq!(*runs.lock().expect("no panic"), want);
    }
}

#[tokio::test]
async fn a_server_that_accepts_and_closes_is_asked_once_when_switched_off() {
    for (retry, want) in [(ConnectionRetry::Off, 1), (ConnectionRetry::Idempotent, 2)] {
        let session = ClientSession::builder().retry_connection(retry).build();
        let (listener, session) = (Listener::new().await, session.expect("valid settings"));
        let closing = async {
            loop {
                drop(listener.accept().await.head().await);
            }
        };
        let error = tokio::select! {
            error = session.get(listener.url("/")).send() => error.expect_err("it closes"),
            () = closing => unreachable!("it closes for ever"),
        };
        assert_eq!(error.aiohttp_class(), "ServerDisconnectedError");
        assert_eq!(session.connector().stats().created, want);
    }
}
