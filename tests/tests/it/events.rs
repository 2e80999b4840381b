//! Server-sent events over a connection.

use std::future::poll_fn;
use std::io::Write;
use std::pin::Pin;
use std::time::Duration;

use aio_client::{ClientResponse, ClientSession, ClientTimeout, EventOptions, EventStream};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_core::Stream;

use crate::peer::{Listener, Peer, give_up, soon};

const ENDLESS: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";

/// Gets a response that begins with `answer`.
async fn get(answer: impl AsRef<[u8]>) -> (ClientResponse, Peer) {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let request = session.get(listener.url("/"));
    listener
        .answer(request.timeout(ClientTimeout::none()), answer)
        .await
}

async fn data<C>(events: &mut EventStream<C>) -> Option<String>
where
    C: std::borrow::BorrowMut<aio_client::Content>,
{
    let event = soon("an event", events.next()).await;
    event.expect("events go on").map(|event| event.data)
}

#[tokio::test]
async fn events_are_told_as_they_come() {
    let (mut response, mut peer) = get(ENDLESS).await;
    let mut events = response.events().expect("events");
    peer.send("retry: 1500\nid: 1\ndata: one\n\ndata: two")
        .await;
    assert_eq!(data(&mut events).await.as_deref(), Some("one"));
    assert_eq!(events.last_event_id(), "1");
    assert_eq!(events.retry(), Some(Duration::from_millis(1500)));
    give_up(events.next()).await;
    peer.send("\nevent: x\n\ndata: th").await;
    let event = soon("an event", events.next()).await;
    let event = event.expect("events go on").expect("events go on");
    assert_eq!((&*event.event, &*event.data, &*event.id), ("x", "two", "1"));
    peer.send("ree\n").await;
    drop(peer);
    assert_eq!(data(&mut events).await, None);
    assert_eq!(data(&mut events).await, None);
    assert!(response.is_closed());
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn a_stream_that_has_ended_gives_its_connection_back() {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let answer = "HTTP/1.1 200 OK\r\nContent-Type: Text/Event-Stream; charset=utf-8\r\nContent-Length: 13\r\n\r\ndata: first\n\n";
    let (response, mut peer) = listener
        .answer(session.get(listener.url("/")), answer)
        .await;
    let mut events = response.into_events().expect("events");
    assert_eq!(data(&mut events).await.as_deref(), Some("first"));
    assert_eq!(data(&mut events).await, None);
    let next = tokio::spawn(session.get(listener.url("/")).send());
    soon("the next request on the same connection", peer.head()).await;
    peer.send("HTTP/1.1 204 No Content\r\n\r\n").await;
    assert_eq!(
        next.await.expect("no panic").expect("a response").status(),
        204
    );
}

// A stream may be dropped between two events: what has come behind the first stays.
#[tokio::test]
async fn events_not_asked_for_stay_with_the_body() {
    let (mut response, mut peer) = get(ENDLESS).await;
    peer.send("data: one\n\ndata: two\n\nthree\nrest").await;
    for want in ["one", "two"] {
        let mut events = response.events().expect("events");
        assert_eq!(data(&mut events).await.as_deref(), Some(want));
    }
    let line = soon("a line", response.content().line()).await;
    assert_eq!(line.expect("a body").as_deref(), Some(&b"three\n"[..]));
    drop(peer);
    assert_eq!(response.read().await.expect("a body"), "rest");
}

#[tokio::test]
async fn events_in_gzip_are_told_when_they_are_flushed() {
    let head = ENDLESS.replace("\r\n\r\n", "\r\nContent-Encoding: gzip\r\n\r\n");
    let (response, mut peer) = get(head).await;
    let mut events = response.into_events().expect("events");
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    for told in ["one", "two"] {
        write!(gzip, "data: {told}\n\n").expect("in memory");
        gzip.flush().expect("in memory");
        peer.send(std::mem::take(gzip.get_mut())).await;
        assert_eq!(data(&mut events).await.as_deref(), Some(told));
    }
}

#[tokio::test]
async fn what_is_no_event_stream_is_refused_unless_it_is_asked_for() {
    let answer =
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\ndata: a\n\n";
    let (mut response, _peer) = get(answer).await;
    let error = response.events().expect_err("text");
    assert_eq!(error.aiohttp_class(), "ContentTypeError");
    assert_eq!(error.status(), Some(200));
    let any = EventOptions {
        content_type: None,
        ..EventOptions::default()
    };
    let mut events = response.events_with(&any).expect("any type");
    assert_eq!(data(&mut events).await.as_deref(), Some("a"));

    let (response, _peer) = get("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    assert!(response.into_events().is_err(), "no type at all");
}

#[tokio::test]
async fn an_event_without_end_closes_the_connection() {
    let (mut response, mut peer) = get(ENDLESS).await;
    let small = EventOptions {
        max_event_size: 100,
        ..EventOptions::default()
    };
    let mut events = response.events_with(&small).expect("events");
    peer.send("data: a\n\ndata: ").await;
    assert_eq!(data(&mut events).await.as_deref(), Some("a"));
    peer.send([b'x'; 101]).await;
    for _ in 0..2 {
        let error = soon("an error", events.next()).await.expect_err("too long");
        assert_eq!(error.aiohttp_class(), "LineTooLong");
        assert!(error.to_string().contains("more than 100 bytes"), "{error}");
    }
    assert!(response.is_closed());
    soon("the end of the connection", peer.drain()).await;
}

#[tokio::test]
async fn a_body_that_is_cut_off_is_an_error_behind_its_events() {
    let head =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    let (response, mut peer) = get(head).await;
    let mut events = response.into_events().expect("events");
    peer.send("9\r\ndata: a\n\n\r\n9\r\ndata").await;
    drop(peer);
    let mut next = async || {
        soon(
            "an event",
            poll_fn(|cx| Pin::new(&mut events).poll_next(cx)),
        )
        .await
    };
    let event = next().await.expect("an event").expect("it is whole");
    assert_eq!(event.data, "a");
    let error = next().await.expect("an error").expect_err("cut off");
    assert_eq!(error.aiohttp_class(), "ClientPayloadError");
    assert!(next().await.is_none());
}
