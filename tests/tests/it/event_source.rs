//! Server-sent events that go on behind a broken connection.

use std::time::{Duration, Instant};

use aio_client::{ClientSession, ConnectionRetry, EventSource};

use crate::peer::{Listener, Peer, give_up, soon};

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";
const RETRY: Duration = Duration::from_millis(1);

fn events(listener: &Listener) -> EventSource {
    let request = ClientSession::new().get(listener.url("/feed"));
    request.event_source().retry(RETRY)
}

/// Answers the next request with `answer` and leaves the connection open.
async fn answer(listener: &Listener, answer: impl AsRef<[u8]>) -> (String, Peer) {
    let mut peer = listener.accept().await;
    let head = peer.head().await;
    peer.send(answer).await;
    (head, peer)
}

/// Asks for an event from a server that closes behind `said`.
async fn next(
    events: &mut EventSource,
    listener: &Listener,
    said: &str,
) -> (String, Option<String>) {
    let server = async { answer(listener, said).await.0 };
    let (head, event) = soon("an event", async { tokio::join!(server, events.next()) }).await;
    (
        head,
        event
            .expect("no error")
            .map(|event| event.id + "/" + &event.data),
    )
}

#[tokio::test]
async fn a_stream_that_breaks_off_goes_on_behind_the_last_event() {
    let listener = Listener::new().await;
    let mut events = events(&listener);
    let (head, event) = next(
        &mut events,
        &listener,
        &format!("{HEAD}\r\nid: 7\ndata: a\n\nid: 8\ndata: lost\n"),
    )
    .await;
    assert_eq!(event.as_deref(), Some("7/a"));
    for said in [
        "Accept: text/event-stream\r\n",
        "Cache-Control: no-store\r\n",
    ] {
        assert!(head.contains(said), "{head}");
    }
    assert!(!head.contains("Last-Event-ID"), "{head}");

    // One that is cut off in its framing is no other.
    let cut = format!("{HEAD}Content-Length: 99\r\n\r\ndata: b\n\n");
    let (head, event) = next(&mut events, &listener, &cut).await;
    assert_eq!(event.as_deref(), Some("7/b"));
    assert!(head.contains("Last-Event-ID: 7\r\n"), "{head}");

    // An id that no header can have is told by none.
    let (head, event) = next(
        &mut events,
        &listener,
        &format!("{HEAD}\r\nid: \x01\ndata: c\n\n"),
    )
    .await;
    assert_eq!(event.as_deref(), Some("\x01/c"));
    assert_eq!(head.matches("Last-Event-ID: 7\r\n").count(), 1, "{head}");

    let (head, event) = next(&mut events, &listener, "HTTP/1.1 204 No Content\r\n\r\n").await;
    assert_eq!(event, None);
    assert!(!head.contains("Last-Event-ID"), "{head}");
    assert_eq!(events.next().await.expect("no error"), None);
    assert_eq!(events.last_event_id(), "\x01");
}

#[tokio::test]
async fn a_future_given_up_loses_nothing() {
    let listener = Listener::new().await;
    let mut events = events(&listener);
    give_up(events.next()).await;
    let mut peer = listener.accept().await;
    peer.head().await;
    give_up(events.next()).await;
    peer.send(format!("{HEAD}\r\nid: 1\ndata: a")).await;
    give_up(events.next()).await;
    peer.send("\n\ndata: b").await;
    let event = soon("an event", events.next()).await.expect("no error");
    assert_eq!(event.expect("an event").data, "a");
    give_up(events.next()).await;
    drop(peer);
    let (head, event) = next(&mut events, &listener, &format!("{HEAD}\r\ndata: c\n\n")).await;
    assert_eq!(event.as_deref(), Some("1/c"));
    assert!(head.contains("Last-Event-ID: 1\r\n"), "{head}");
}

#[tokio::test]
async fn the_server_says_how_long_to_wait() {
    let listener = Listener::new().await;
    let mut events = events(&listener).retry(Duration::from_secs(1000));
    let (_, event) = next(
        &mut events,
        &listener,
        &format!("{HEAD}\r\nretry: 1\ndata: a\n\n"),
    )
    .await;
    assert_eq!(event.as_deref(), Some("/a"));
    // It would not come in time after the 1000 seconds.
    let (_, event) = next(
        &mut events,
        &listener,
        &format!("{HEAD}\r\nretry: 86400000\ndata: b\n\n"),
    )
    .await;
    assert_eq!(event.as_deref(), Some("/b"));
    give_up(events.next()).await;
}

async fn check_refused(said: &str, class: &str) {
    let listener = Listener::new().await;
    let mut events = events(&listener);
    let server = answer(&listener, said);
    let (_, event) = soon(said, async { tokio::join!(server, events.next()) }).await;
    let error = event.expect_err("no events");
    assert_eq!(error.aiohttp_class(), class, "{said}");
    assert_eq!(
        events.next().await.expect("no second error"),
        None,
        "{said}"
    );
}

#[tokio::test]
async fn what_is_no_event_stream_ends_it() {
    check_refused(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n",
        "ContentTypeError",
    )
    .await;
    for status in ["500 Oh", "404 No", "201 Created", "304 Same"] {
        let said = format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/event-stream\r\nContent-Length: 0\r\n\r\n"
        );
        check_refused(&said, "ClientResponseError").await;
    }
    check_refused("nonsense\r\n\r\n", "ClientResponseError").await;
}

#[tokio::test]
async fn an_event_that_is_too_long_ends_it() {
    let listener = Listener::new().await;
    let mut events = events(&listener).max_event_size(10);
    let said = format!("{HEAD}\r\ndata: 45678901\n\n");
    let (_, event) = soon("an error", async {
        tokio::join!(answer(&listener, said), events.next())
    })
    .await;
    assert_eq!(event.expect_err("too long").aiohttp_class(), "LineTooLong");
    assert_eq!(events.next().await.expect("no second error"), None);
}

#[tokio::test]
async fn too_many_failures_in_a_row_end_it() {
    let listener = Listener::new().await;
    let mut events = events(&listener).max_failures(2);
    // An event in between begins the count anew.
    for _ in 0..3 {
        let reset = async {
            for _ in 0..2 {
                let mut peer = listener.accept().await;
                peer.head().await;
                peer.reset();
            }
            answer(&listener, format!("{HEAD}\r\ndata: a\n\n")).await;
        };
        let (_, event) = soon("an event", async { tokio::join!(reset, events.next()) }).await;
        assert_eq!(event.expect("no error").expect("an event").data, "a");
    }
    drop(listener);
    let error = soon("an error", events.next())
        .await
        .expect_err("nobody listens");
    assert!(error.is_connector(), "{error:?}");
    assert_eq!(
        soon("the end", events.next())
            .await
            .expect("no second error"),
        None
    );
}

#[tokio::test]
async fn a_stream_of_comments_that_breaks_is_no_failure_in_a_row() {
    let listener = Listener::new().await;
    let mut events = events(&listener).max_failures(1);
    let server = async {
        for _ in 0..4 {
            let said = format!("{HEAD}Content-Length: 99\r\n\r\n: still here\n");
            drop(answer(&listener, said).await);
        }
        answer(&listener, format!("{HEAD}\r\ndata: a\n\n")).await;
    };
    let (_, event) = soon("an event", async { tokio::join!(server, events.next()) }).await;
    assert_eq!(event.expect("no error").expect("an event").data, "a");
}

#[tokio::test]
async fn however_short_the_wait_failures_make_it_longer() {
    let listener = Listener::new().await;
    let request = ClientSession::new().get(listener.url("/feed"));
    let request = request.retry_connection(ConnectionRetry::Off);
    let mut events = request
        .event_source()
        .retry(Duration::ZERO)
        .max_failures(None);
    let begun = Instant::now();
    let server = async {
        for _ in 0..4 {
            let mut peer = listener.accept().await;
            peer.head().await;
            peer.reset();
        }
        answer(&listener, format!("{HEAD}\r\ndata: a\n\n")).await;
    };
    let (_, event) = soon("an event", async { tokio::join!(server, events.next()) }).await;
    event.expect("no error").expect("an event");
    // At least half of 10 ms, 20, 40 and 80.
    assert!(begun.elapsed() >= Duration::from_millis(75));
}

#[tokio::test]
async fn a_wrong_request_is_an_error_at_once() {
    let session = ClientSession::new();
    let mut events = session.get("nowhere").event_source();
    assert!(events.next().await.expect_err("no URL").is_invalid_url());
    assert_eq!(events.next().await.expect("no second error"), None);
    session.close().await;
    let mut events = session.get("http://127.0.0.1/").event_source();
    assert_eq!(
        events.next().await.expect_err("closed").aiohttp_class(),
        "RuntimeError"
    );
}

#[tokio::test]
async fn a_session_that_is_closed_ends_it_at_once() {
    let (listener, session) = (Listener::new().await, ClientSession::new());
    let mut events = session.get(listener.url("/feed")).event_source();
    let server = answer(&listener, format!("{HEAD}\r\ndata: a\n\n"));
    let ((_, peer), event) = soon("an event", async { tokio::join!(server, events.next()) }).await;
    event.expect("no error").expect("an event");
    session.close().await;
    // Not after the 3 seconds of a failure that may pass.
    let error = soon("an error", events.next()).await.expect_err("closed");
    assert_eq!(error.aiohttp_class(), "ClientConnectionError");
    assert_eq!(events.next().await.expect("no second error"), None);
    drop(peer);
}

#[tokio::test]
async fn a_body_that_can_be_sent_once_is_not_sent_again() {
    let listener = Listener::new().await;
    let reader = aio_client::ReaderBody::new(&b"once"[..]);
    let request = ClientSession::new()
        .post(listener.url("/feed"))
        .body(reader);
    let mut events = request.event_source().retry(RETRY);
    let server = async {
        let mut peer = listener.accept().await;
        peer.until(b"0\r\n\r\n").await;
        peer.send(format!("{HEAD}\r\ndata: a\n\n")).await;
    };
    let (_, event) = soon("an event", async { tokio::join!(server, events.next()) }).await;
    assert_eq!(event.expect("no error").expect("an event").data, "a");
    let end = soon("the end", events.next()).await;
    assert_eq!(end.expect("no error"), None);
}
