//! `Expect: 100-continue`: when the body goes out, and when it does not.

use std::time::Duration;

use aio_client::wire::coding::{Coding, Decoder};
use aio_client::{
    Body, ClientError, ClientRequest, ClientSession, ClientTimeout, Next, UploadProgress,
};
use bytes::BytesMut;

use crate::peer::{Listener, begin, give_up, soon};
use crate::uploads::fed;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[tokio::test]
async fn the_body_waits_for_leave() {
    // BODY-100, BODY-104.
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let progress = UploadProgress::default();
    let request = session
        .post(listener.url("/"))
        .body("the body")
        .expect100(true)
        .upload_progress(progress.clone())
        .continue_timeout(None);
    let sent = begin(request.send()).await;
    let mut peer = listener.accept().await;
    let head = peer.head().await;
    assert!(head.contains("\r\nExpect: 100-continue\r\n"), "{head}");
    peer.send("HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")
        .await;
    assert_eq!(peer.exactly(8).await, b"the body");
    peer.send(OK).await;
    let response = soon("a response", sent).await.expect("no panic");
    assert_eq!(response.expect("a response").status(), 200);
    assert_eq!(progress.sent(), 8);
    assert_eq!(session.connector().stats().idle, 1);
}

#[tokio::test]
async fn a_header_of_the_callers_asks_as_well() {
    // REQ-54.
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let request = session
        .post(listener.url("/"))
        .body("body")
        .header("expect", "100-CONTINUE");
    let sent = begin(request.send()).await;
    let mut peer = listener.accept().await;
    let head = peer.head().await;
    assert!(
        head.contains("\r\nexpect: 100-CONTINUE\r\n") && !head.contains("Expect"),
        "{head}"
    );
    // Had the body come with the head, this would be it.
    peer.send("HTTP/1.1 100 Continue\r\n\r\n").await;
    assert_eq!(peer.exactly(4).await, b"body");
    peer.send(OK).await;
    soon("a response", sent)
        .await
        .expect("no panic")
        .expect("a response");
}

#[tokio::test]
async fn a_request_without_body_has_its_response() {
    // EDGE-063, BODY-103. As in aiohttp, a server that ignores the question loses its
    // connection.
    let leave = format!("HTTP/1.1 100 Continue\r\n\r\n{OK}");
    for (body, answer, idle) in [
        (Body::none as fn() -> Body, leave.as_str(), 1),
        (|| Body::from(""), leave.as_str(), 1),
        (Body::none, OK, 0),
        (|| Body::from(""), OK, 0),
    ] {
        let (listener, session) = (Listener::new().await, ClientSession::new());
        let request = session.post(listener.url("/")).body(body()).expect100(true);
        let (mut response, _peer) = listener.answer(request, answer).await;
        assert_eq!(response.text().await.expect("a body"), "ok");
        let stats = session.connector().stats();
        assert_eq!((stats.open, stats.idle), (idle, idle));
    }
}

#[tokio::test]
async fn a_final_response_keeps_the_body_back() {
    // EDGE-064, BODY-101.
    for answer in [
        OK,
        "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno",
    ] {
        let (listener, session) = (Listener::new().await, ClientSession::new());
        let progress = UploadProgress::default();
        let request = session
            .post(listener.url("/"))
            .body("the body")
            .upload_progress(progress.clone())
            .expect100(true);
        let (mut response, mut peer) = listener.answer(request, answer).await;
        assert_eq!(response.read().await.expect("a body").len(), 2);
        assert_eq!(session.connector().stats().open, 0);
        // Nothing comes but the end.
        assert_eq!(soon("the end", peer.try_head()).await, None);
        assert_eq!(progress.sent(), 0);
    }
}

#[tokio::test]
async fn a_middleware_may_take_the_body_away() {
    // EDGE-065.
    let drop_body = |mut request: ClientRequest, next: Next| {
        request.set_body(Body::none());
        next.run(request)
    };
    let session = ClientSession::builder()
        .middleware(drop_body)
        .build()
        .expect("valid");
    let listener = Listener::new().await;
    let request = session
        .post(listener.url("/"))
        .body("the body")
        .expect100(true);
    let (response, _peer) = soon("a response", listener.answer(request, OK)).await;
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn a_rejected_upload_costs_its_connection_only() {
    // EDGE-066.
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let (feed, body) = fed();
    feed.send("one").expect("it is read");
    let request = session.post(listener.url("/")).body(body);
    let refused = "HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno";
    let (mut response, first) = listener.answer(request, refused).await;
    assert_eq!(response.text().await.expect("a body"), "no");
    drop(first);
    let (response, _peer) = listener.answer(session.get(listener.url("/")), OK).await;
    assert_eq!(response.status(), 200);
    assert!(feed.is_closed());
}

#[tokio::test]
async fn giving_up_while_waiting_closes_the_connection() {
    // EDGE-067.
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let request = session
        .post(listener.url("/"))
        .body("the body")
        .expect100(true)
        .continue_timeout(None)
        .timeout(ClientTimeout::none());
    let play = async {
        let mut peer = listener.accept().await;
        peer.head().await;
        peer
    };
    let (mut peer, ()) = tokio::join!(play, give_up(request.send()));
    assert_eq!(session.connector().stats().open, 0);
    assert_eq!(soon("the end", peer.try_head()).await, None);
}

#[tokio::test]
async fn an_upload_with_leave_may_take_its_time() {
    // TMO-16: the leave is no response.
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let (feed, body) = fed();
    let timeout = ClientTimeout {
        sock_read: Some(Duration::from_secs(1)),
        ..ClientTimeout::none()
    };
    let request = session.post(listener.url("/")).body(body);
    let sent = begin(request.expect100(true).timeout(timeout).send()).await;
    let mut peer = listener.accept().await;
    peer.head().await;
    peer.send("HTTP/1.1 100 Continue\r\n\r\n").await;
    feed.send("one").expect("it is read");
    soon("the first piece", peer.until(b"3\r\none")).await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(5)).await;
    tokio::time::resume();
    feed.send("two").expect("it is read");
    drop(feed);
    soon("the rest", peer.until(b"two\r\n0\r\n\r\n")).await;
    peer.send(OK).await;
    let response = soon("a response", sent).await.expect("no panic");
    assert_eq!(response.expect("a response").status(), 200);
}

#[tokio::test]
async fn an_unsent_body_is_compressed_once() {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let (feed, body) = fed();
    feed.send("the body").expect("it is read");
    drop(feed);
    let request = session
        .post(listener.url("/"))
        .body(body)
        .compress(Coding::Gzip)
        .expect100(true);
    let play = async {
        let mut peer = listener.accept().await;
        peer.head().await;
        peer.send("HTTP/1.1 307 T\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n")
            .await;
        let mut peer = listener.accept().await;
        let head = peer.head().await;
        assert!(head.contains("\r\nContent-Encoding: gzip\r\n"), "{head}");
        peer.send("HTTP/1.1 100 Continue\r\n\r\n").await;
        let mut packed = Vec::new();
        loop {
            let size = peer.until(b"\r\n").await;
            let size = usize::from_str_radix(size.trim_end(), 16).expect("a size");
            packed.append(&mut peer.exactly(size).await);
            peer.exactly(2).await;
            if size == 0 {
                break;
            }
        }
        peer.send(OK).await;
        packed
    };
    let both = async { tokio::join!(request.send(), play) };
    let (response, packed) = soon("a response", both).await;
    assert_eq!(response.expect("a response").status(), 200);
    let mut text = BytesMut::new();
    Decoder::new(Coding::Gzip)
        .decode(&mut packed.into(), &mut text, 1024)
        .expect("gzip");
    assert_eq!(text, "the body");
}

#[tokio::test]
async fn nobody_waits_for_ever() {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let request = session
        .post(listener.url("/"))
        .body("the body")
        .expect100(true);
    let sent = begin(request.send()).await;
    let mut peer = listener.accept().await;
    peer.head().await;
    let before = tokio::time::Instant::now();
    tokio::time::pause();
    assert_eq!(soon("the body", peer.exactly(8)).await, b"the body");
    tokio::time::resume();
    let waited = before.elapsed();
    assert!((1000..2000).contains(&waited.as_millis()), "{waited:?}");
    peer.send(OK).await;
    soon("a response", sent)
        .await
        .expect("no panic")
        .expect("a response");
}

#[tokio::test]
async fn the_total_timeout_ends_the_waiting() {
    // BODY-102.
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let request = session
        .post(listener.url("/"))
        .body("the body")
        .expect100(true)
        .continue_timeout(None)
        .timeout(ClientTimeout::total(Duration::from_secs(3)));
    let sent = begin(request.send()).await;
    let mut peer = listener.accept().await;
    peer.head().await;
    tokio::time::pause();
    let error = soon("the timeout", sent).await.expect("no panic");
    tokio::time::resume();
    assert!(matches!(error, Err(ClientError::Timeout(_))));
    assert_eq!(session.connector().stats().open, 0);
}
