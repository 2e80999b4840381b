//! WebSockets and their session: what they take of its pool, and when they end with it.

use std::time::Duration;

use aio_client::{ClientSession, CloseCode, TcpConnector, ws_connect};
use tokio::net::TcpListener;

use crate::peer::{Listener, begin, soon};
use crate::ws::{check_echo, close, counts, echo, open, refused};

fn limited(limit: usize) -> ClientSession {
    let connector = TcpConnector::builder().limit(limit).build();
    let session = ClientSession::builder().connector(connector.expect("valid"));
    session.build().expect("valid")
}

#[tokio::test]
async fn an_open_one_counts_and_a_closed_one_does_not() {
    // WS-33.
    let site = echo().await;
    let session = limited(1);
    let mut first = open(session.ws_connect(site.url("/"))).await;
    assert_eq!(counts(&session), (1, 0));
    let second = session.ws_connect(site.url("/")).send();
    let second = begin(second).await;
    check_echo(&mut first, "still there").await;
    assert_eq!(session.connector().stats().waiting, 1);
    close(&mut first).await;
    let second = soon("the next", second).await.expect("no panic");
    let mut second = second.expect("a WebSocket");
    assert_eq!(counts(&session), (1, 0));
    check_echo(&mut second, "here").await;
    drop(second);
    assert_eq!(counts(&session), (0, 0));
    // Halves are one connection, until both are gone.
    let (reader, mut writer) = open(session.ws_connect(site.url("/"))).await.split();
    drop(reader);
    assert_eq!(counts(&session), (1, 0));
    writer.send_str("x").await.expect("it is open");
    drop(writer);
    assert_eq!(counts(&session), (0, 0));
    // One with a task for its heartbeat as well.
    let request = session.ws_connect(site.url("/"));
    let beating = open(request.heartbeat(Duration::from_secs(60))).await;
    assert_eq!(counts(&session), (1, 0));
    drop(beating);
    let response = session.get(site.url("/"));
    soon("a response", response.send()).await.expect("a slot");
}

#[tokio::test]
async fn a_handshake_that_is_given_up_closes_its_connection() {
    // EDGE-289; at each await: `cancellation`.
    let (listener, session) = (Listener::new().await, limited(1));
    let asking = begin(session.ws_connect(listener.url("/")).send()).await;
    let mut peer = listener.accept().await;
    peer.head().await;
    asking.abort();
    assert!(asking.await.is_err());
    assert_eq!(counts(&session), (0, 0));
    soon("the end", peer.drain()).await;
}

#[tokio::test]
async fn a_closed_session_closes_its_websockets() {
    let site = echo().await;
    let session = ClientSession::new();
    let (mut reader, mut writer) = open(session.ws_connect(site.url("/"))).await.split();
    let mut other = open(session.ws_connect(site.url("/"))).await;
    let reading = begin(async move {
        let received = reader.receive().await;
        (received, reader.close_code(), reader.is_closed())
    })
    .await;
    session.close().await;
    let (received, code, closed) = soon("the end", reading).await.expect("no panic");
    assert!(matches!(received, Ok(None)), "{received:?}");
    assert_eq!((code, closed), (Some(1006), true));
    let sent = writer.send_str("x").await.expect_err("it is closed");
    assert_eq!(sent.aiohttp_class(), "ClientConnectionResetError");
    assert!(soon("the close", other.close(CloseCode::OK, "")).await);
    assert_eq!(other.close_code(), Some(1006));
    assert_eq!(counts(&session), (0, 0));
    let error = refused(session.ws_connect(site.url("/"))).await;
    assert_eq!(error.aiohttp_class(), "RuntimeError");
}

#[tokio::test]
async fn what_came_before_its_session_was_closed_is_received_and_then_it_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("ws://{}/", listener.local_addr().expect("bound"));
    let flood = begin(async move {
        let (stream, _) = listener.accept().await.expect("a client");
        let mut ws = aio_client::ws::server(stream).await.expect("a handshake");
        while ws.send_bytes([0; 1000]).await.is_ok() {}
    })
    .await;
    let session = ClientSession::new();
    let mut ws = open(session.ws_connect(url)).await;
    assert!(soon("a message", ws.receive_bytes()).await.is_ok());
    session.close().await;
    let mut count = 0;
    while let Some(message) = soon("the end", ws.receive()).await.expect("no error") {
        assert_eq!(message.into_bytes().expect("bytes").len(), 1000);
        count += 1;
        assert!(count < 2000, "it ends, though the server does not");
    }
    assert!(count > 0);
    assert_eq!(ws.close_code(), Some(1006));
    soon("the server's end", flood).await.expect("no panic");
}

#[tokio::test]
async fn closing_within_a_limit_waits_for_them() {
    let site = echo().await;
    let session = ClientSession::new();
    let mut ws = open(session.ws_connect(site.url("/"))).await;
    let closing = session.clone();
    let closing = begin(async move { closing.close_within(Duration::from_secs(60)).await }).await;
    check_echo(&mut ws, "not yet").await;
    close(&mut ws).await;
    soon("the session's end", closing).await.expect("no panic");
}

#[tokio::test]
async fn it_keeps_its_session_alive() {
    let site = echo().await;
    let mut ws = open(ws_connect(site.url("/"))).await;
    check_echo(&mut ws, "of its own").await;
    let session = ClientSession::new();
    let connector = session.connector().clone();
    let (mut reader, mut writer) = open(session.ws_connect(site.url("/"))).await.split();
    drop(session);
    writer.send_str("here").await.expect("it is open");
    assert_eq!(reader.receive_str().await.expect("a text"), "here");
    assert!(!connector.is_closed());
    drop((reader, writer));
    assert!(connector.is_closed());
}
