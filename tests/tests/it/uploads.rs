//! Uploads: responses that come before their end, and what an error says of what was sent.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use aio_client::{
    Body, ClientError, ClientRequest, ClientResponse, ClientSession, ClientTimeout, Next, Phase,
    ReaderBody, UploadProgress,
};
use bytes::Bytes;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use crate::peer::{Listener, begin, soon};

const CREATED: &str = "HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nok";
const REFUSED: &str = "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno";
const EMPTY: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// A body whose pieces are sent by the test.
struct Fed(mpsc::UnboundedReceiver<&'static str>);

impl futures_core::Stream for Fed {
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0
            .poll_recv(cx)
            .map(|piece| piece.map(|piece| Ok(piece.into())))
    }
}

pub(crate) fn fed() -> (mpsc::UnboundedSender<&'static str>, Body) {
    let (feed, pieces) = mpsc::unbounded_channel();
    (feed, Body::stream(Fed(pieces)))
}

/// A body that always has one piece more.
struct Endless;

impl futures_core::Stream for Endless {
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(Some(Ok(Bytes::from_static(b"0123456789"))))
    }
}

#[tokio::test]
async fn an_upload_goes_on_behind_a_response_that_does_not_refuse_it() {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let (feed, body) = fed();
    feed.send("one").expect("it is read");
    let request = session.post(listener.url("/")).body(body);
    let (mut response, mut peer) = listener.answer(request, CREATED).await;
    assert_eq!(response.status(), 202);
    let text = begin(async move { response.text().await }).await;
    feed.send("two").expect("it is read");
    drop(feed);
    let sent = soon("the rest", peer.until(b"\r\n0\r\n\r\n")).await;
    assert_eq!(sent, "3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n");
    let text = soon("the body", text).await.expect("no panic");
    assert_eq!(text.expect("a body"), "ok");
    assert_eq!(session.connector().stats().idle, 1);
}

#[tokio::test]
async fn an_upload_ends_with_the_response_that_refuses_it() {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let (feed, body) = fed();
    feed.send("one").expect("it is read");
    let request = session.post(listener.url("/")).body(body);
    let (mut response, mut peer) = listener.answer(request, REFUSED).await;
    let text = soon("the body", response.text()).await;
    assert_eq!(text.expect("a body"), "no");
    assert_eq!(session.connector().stats().open, 0);
    soon("the connection", peer.drain()).await;
    assert!(feed.is_closed(), "the source is dropped");
}

#[tokio::test]
async fn a_response_dropped_before_its_upload_is_out_closes_its_connection() {
    for answer in [CREATED, REFUSED, EMPTY] {
        let (listener, session) = (Listener::new().await, ClientSession::new());
        let (feed, body) = fed();
        let request = session.post(listener.url("/")).body(body);
        let (response, mut peer) = listener.answer(request, answer).await;
        drop(response);
        assert_eq!(session.connector().stats().open, 0, "{answer:?}");
        soon(answer, peer.drain()).await;
        assert!(feed.is_closed(), "{answer:?}: the source is dropped");
    }
}

#[tokio::test]
async fn an_endless_upload_is_over_with_total() {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let request = session.post(listener.url("/")).body(Body::stream(Endless));
    // The source never waits, and so a paused clock would never go on.
    let request = request.timeout(Duration::from_millis(50));
    let drain = async { listener.accept().await.drain().await };
    let both = async { tokio::join!(request.send(), drain).0 };
    let error = soon("total", both).await.expect_err("too late");
    assert_eq!(error.aiohttp_class(), "TimeoutError");
    let attempt = error.attempt().expect("it had begun");
    assert_eq!((attempt.phase, attempt.sent), (Phase::Send, true));
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn an_endless_upload_does_not_hide_its_response() {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let request = session.post(listener.url("/")).body(Body::stream(Endless));
    let peer = async {
        let mut peer = listener.accept().await;
        peer.head().await;
        peer.send(REFUSED).await;
        peer.drain().await;
    };
    let read = async {
        let mut response = request.await?;
        response.text().await
    };
    let (text, ()) = soon("the response", async { tokio::join!(read, peer) }).await;
    assert_eq!(text.expect("a body"), "no");
}

#[tokio::test]
async fn a_peer_that_goes_away_in_the_middle_of_an_upload_is_an_os_error() {
    // REQ-67.
    let (listener, session) = (Listener::new().await, ClientSession::new());
    // More than all buffers on the way hold.
    let request = session.post(listener.url("/")).body(vec![0; 64 << 20]);
    let leave = async { drop(listener.accept().await.head().await) };
    let (error, ()) = tokio::join!(request.send(), leave);
    let error = error.expect_err("the peer left");
    assert_eq!(error.aiohttp_class(), "ClientOSError");
    assert!(error.is_os() && !error.is_retryable());
    let attempt = error.attempt().expect("it had begun");
    assert_eq!((attempt.phase, attempt.sent), (Phase::Send, true));
}

#[tokio::test]
async fn a_second_attempt_does_not_take_back_what_the_first_has_sent() {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let request = session.put(listener.url("/")).body("12345");
    // Nobody listens when the client tries again.
    let leave = async move {
        let mut peer = listener.accept().await;
        drop(listener);
        peer.until(b"12345").await;
    };
    let (error, ()) = tokio::join!(request.send(), leave);
    let error = error.expect_err("nobody listens");
    assert!(error.is_connector() && !error.is_retryable(), "{error:?}");
    assert!(error.attempt().is_some_and(|attempt| attempt.sent));
}

/// Sends a request, and once more after a while that never ends.
async fn back_off(request: ClientRequest, next: Next) -> Result<ClientResponse, ClientError> {
    let again = request.try_clone().expect("the body is no stream");
    let mut response = next.clone().run(request).await?;
    response.read().await?;
    tokio::time::pause();
    tokio::time::sleep(Duration::MAX).await;
    next.run(again).await
}

#[tokio::test]
async fn total_in_a_middleware_that_backs_off_says_that_the_request_was_sent() {
    let builder = ClientSession::builder().middleware(back_off);
    let (listener, session) = (Listener::new().await, builder.build().expect("valid"));
    let request = session.post(listener.url("/")).body("12345");
    let answer = async {
        let mut peer = listener.accept().await;
        peer.until(b"12345").await;
        peer.send(EMPTY).await;
        peer
    };
    let (error, _peer) = tokio::join!(request.send(), answer);
    let error = error.expect_err("too late");
    assert_eq!(error.aiohttp_class(), "TimeoutError");
    assert!(error.attempt().is_some_and(|attempt| attempt.sent));
    assert!(!error.is_retryable());
}

#[tokio::test(start_paused = true)]
async fn total_in_a_middleware_that_sends_nothing_may_be_tried_again() {
    let wait = |request: ClientRequest, next: Next| async move {
        tokio::time::sleep(Duration::MAX).await;
        next.run(request).await
    };
    let builder = ClientSession::builder().middleware(wait);
    let session = builder.build().expect("valid");
    let error = session.post("http://127.0.0.1:1/").body("12345").await;
    let error = error.expect_err("too late");
    assert_eq!(error.aiohttp_class(), "TimeoutError");
    assert!(error.is_retryable(), "{error:?}");
}

#[tokio::test]
async fn a_middleware_sees_a_dead_connection_once_more() {
    // RTY-06.
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let watch = move |request: ClientRequest, next: Next| {
        counter.fetch_add(1, Ordering::Relaxed);
        next.run(request)
    };
    let builder = ClientSession::builder().middleware(watch);
    let (listener, session) = (Listener::new().await, builder.build().expect("valid"));
    let answer = async {
        listener.accept().await.head().await;
        let mut peer = listener.accept().await;
        peer.head().await;
        peer.send(EMPTY).await;
        peer
    };
    let (response, _peer) = tokio::join!(session.get(listener.url("/")).send(), answer);
    assert_eq!(response.expect("a response").status(), 200);
    assert_eq!(count.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_server_that_has_answered_whole_is_not_too_slow() {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let (feed, body) = fed();
    feed.send("one").expect("it is read");
    let timeout = ClientTimeout {
        sock_read: Some(Duration::from_secs(1)),
        ..ClientTimeout::none()
    };
    let request = session.post(listener.url("/")).body(body).timeout(timeout);
    let (mut response, mut peer) = listener.answer(request, CREATED).await;
    tokio::time::pause();
    let text = begin(async move { response.text().await }).await;
    // The paused clock goes on while everybody waits, past all that might ring.
    tokio::time::sleep(Duration::from_secs(100)).await;
    tokio::time::resume();
    feed.send("two").expect("it is read");
    drop(feed);
    soon("the rest", peer.until(b"\r\n0\r\n\r\n")).await;
    let text = soon("the body", text).await.expect("no panic");
    assert_eq!(text.expect("a body"), "ok");
}

#[tokio::test]
async fn what_a_middleware_made_a_post_is_sent_once() {
    let post = |mut request: ClientRequest, next: Next| {
        request.set_method(http::Method::POST);
        next.run(request)
    };
    let session = ClientSession::builder()
        .middleware(post)
        .build()
        .expect("valid");
    let listener = Listener::new().await;
    // One connection only is answered: a second one would wait for ever.
    let closing = async { drop(listener.accept().await.head().await) };
    let request = session.get(listener.url("/")).send();
    let (error, ()) = soon("the error", async { tokio::join!(request, closing) }).await;
    let error = error.expect_err("the server closed");
    assert_eq!(error.aiohttp_class(), "ServerDisconnectedError");
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn progress_is_that_of_the_body_that_a_middleware_sends() {
    let replace = |mut request: ClientRequest, next: Next| {
        request.set_body("longer");
        next.run(request)
    };
    let session = ClientSession::builder()
        .middleware(replace)
        .build()
        .expect("valid");
    let (listener, progress) = (Listener::new().await, UploadProgress::default());
    let request = session.post(listener.url("/")).body("body");
    let request = request.upload_progress(progress.clone());
    listener.answer(request, EMPTY).await;
    assert_eq!(progress.sent(), 6);
}

#[tokio::test]
async fn a_body_that_is_all_there_does_not_wait_for_its_source_to_end() {
    for (chunked, sized) in [(false, true), (false, false), (true, true)] {
        let (listener, session) = (Listener::new().await, ClientSession::new());
        let (reader, mut writer) = tokio::io::duplex(64);
        writer.write_all(b"abc").await.expect("room");
        let body = ReaderBody::new(reader);
        let mut request = session.post(listener.url("/")).chunked(chunked);
        request = match sized {
            true => request.body(body.with_length(3)),
            false => request.body(body).header("Content-Length", "3"),
        };
        let (mut response, _peer) = soon("the head", listener.answer(request, CREATED)).await;
        let text = soon("the body", response.text()).await;
        assert_eq!(text.expect("a body"), "ok");
        assert_eq!(session.connector().stats().idle, 1);
        assert!(
            writer.write_all(b"more").await.is_err(),
            "the reader is gone"
        );
    }
}

#[tokio::test]
async fn who_asks_for_credentials_first_may_not_read_the_body() {
    // squid 5.7 does not, and says that its connection can be used again.
    const ASKS: &str = "HTTP/1.1 407 Who\r\nContent-Length: 2\r\n\r\nno";
    let (listener, session) = (Listener::new().await, ClientSession::new());
    for (request, idle) in [
        (session.post(listener.url("/")).body("body"), 0),
        (session.get(listener.url("/")), 1),
    ] {
        let (mut response, _peer) = listener.answer(request, ASKS).await;
        assert_eq!(response.text().await.expect("a body"), "no");
        assert_eq!(session.connector().stats().idle, idle);
    }
}
