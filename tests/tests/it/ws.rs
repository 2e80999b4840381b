//! Messages over WebSockets of a session, and what tests of them share.

use std::pin::Pin;
use std::time::Duration;

use aio_client::{
    ClientError, ClientSession, ClientWebSocketResponse, ClientWsTimeout, CloseCode, WsError,
    WsMessage, WsMsgType, WsRequestBuilder, ws_connect,
};
use aio_tests::http_server::Response;
use futures_core::Stream;
use serde_json::{Value, json};

use crate::peer::soon;
use crate::site::Site;

pub(crate) async fn open(request: WsRequestBuilder) -> ClientWebSocketResponse {
    let opened = soon("the handshake", request.send()).await;
    opened.expect("a WebSocket")
}

pub(crate) async fn refused(request: WsRequestBuilder) -> ClientError {
    let opened = soon("the handshake", request.send()).await;
    opened.expect_err("it must fail")
}

/// Sends a text that comes back.
pub(crate) async fn check_echo(ws: &mut ClientWebSocketResponse, text: &str) {
    let echo = async {
        ws.send_str(text).await?;
        ws.receive_str().await
    };
    assert_eq!(soon("the echo", echo).await.expect("it is open"), text);
}

pub(crate) async fn close(ws: &mut ClientWebSocketResponse) {
    assert!(soon("the close", ws.close(CloseCode::OK, "")).await);
    assert_eq!(ws.close_code(), Some(1000), "{:?}", ws.exception());
}

pub(crate) async fn echo() -> Site {
    Site::new(Response::websocket).await
}

/// Tells how many connections are open, and how many of them idle.
pub(crate) fn counts(session: &ClientSession) -> (usize, usize) {
    let stats = session.connector().stats();
    (stats.open, stats.idle)
}

#[tokio::test]
async fn messages_go_both_ways() {
    let site = echo().await;
    let session = ClientSession::new();
    let mut ws = open(session.ws_connect(site.url("/echo?x=1"))).await;
    assert_eq!((ws.protocol(), ws.compress()), (None, 0));
    assert!(!ws.client_notakeover() && ws.deflate().is_none());
    assert_eq!(ws.head().status(), 101);
    assert_eq!(ws.head().url().target(), "/echo?x=1");
    assert!(ws.history().is_empty());
    assert!(ws.connection_info().peer_addr().is_some());
    for size in [0, 1, 125, 126, 65_535, 65_536, 1 << 20] {
        check_echo(&mut ws, &"x".repeat(size)).await;
        ws.send_bytes(vec![0xff; size]).await.expect("it is open");
        let bytes = soon("the echo", ws.receive_bytes()).await;
        assert_eq!(bytes.expect("bytes"), vec![0xff; size]);
    }
    ws.ping("mine").await.expect("it is open");
    check_echo(&mut ws, "behind the pong").await;
    close(&mut ws).await;
    assert!(ws.is_closed() && ws.exception().is_none());
    assert!(matches!(ws.receive().await, Ok(None)));
    assert!(matches!(ws.send_str("x").await, Err(WsError::Closed)));
    assert!(!ws.close(CloseCode::OK, "").await, "again");
    assert!(!ws.connection_info().is_reused());
}

#[tokio::test]
async fn waiting_for_a_message_may_have_a_limit() {
    // WS-28, EDGE-293.
    let site = echo().await;
    let session = ClientSession::new();
    let timeout = ClientWsTimeout {
        ws_receive: Some(Duration::from_millis(20)),
        ..ClientWsTimeout::default()
    };
    let request = session.ws_connect(site.url("/")).timeout(timeout);
    let mut ws = open(request).await;
    assert!(matches!(ws.receive().await, Err(WsError::Timeout)));
    assert!(!ws.is_closed());
    ws.send_str("late").await.expect("it is open");
    let long = Duration::from_secs(60);
    let late = ws.receive_timeout(long).await.expect("it is open");
    assert_eq!(late, Some("late".into()));
}

#[tokio::test]
async fn json_goes_both_ways() {
    // EDGE-281: bytes are read as well.
    let site = echo().await;
    let session = ClientSession::new();
    for decode in [true, false] {
        let request = session.ws_connect(site.url("/")).decode_text(decode);
        let mut ws = open(request).await;
        let value = json!({"name": "Ada", "n": [1, null]});
        ws.send_json(&value).await.expect("it is open");
        assert_eq!(ws.receive_json::<Value>().await.expect("JSON"), value);
        ws.send_str("{").await.expect("it is open");
        let error = ws.receive_json::<Value>().await.expect_err("no JSON");
        assert_eq!(error.aiohttp_class(), "JSONDecodeError");
        ws.send_json_bytes(&value).await.expect("it is open");
        // EDGE-282.
        let error = ws.receive_json::<Value>().await.expect_err("no text");
        assert_eq!(error.aiohttp_class(), "WSMessageTypeError");
        let keys = std::collections::HashMap::from([(vec![1], 2)]);
        let error = ws.send_json(&keys).await.expect_err("keys are text");
        assert_eq!(error.aiohttp_class(), "TypeError");
        close(&mut ws).await;
        let error = ws.receive_json::<Value>().await.expect_err("closed");
        assert!(
            matches!(
                error,
                WsError::MessageType {
                    got: WsMsgType::Closed,
                    ..
                }
            ),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_session_may_write_and_read_json_in_its_own_way() {
    let site = echo().await;
    let session = ClientSession::builder()
        .json_serialize(|value| Ok([b"v".to_vec(), serde_json::to_vec(&value)?].concat()))
        .json_deserialize(|text, target| {
            let mut json = serde_json::Deserializer::from_str(text.trim_start_matches('v'));
            target.read(&mut json)
        });
    let session = session.build().expect("valid");
    let mut ws = open(session.ws_connect(site.url("/"))).await;
    ws.send_json(&[7]).await.expect("it is open");
    assert_eq!(ws.receive_str().await.expect("a text"), "v[7]");
    ws.send_str("v[8]").await.expect("it is open");
    assert_eq!(ws.receive_json::<[u8; 1]>().await.expect("JSON"), [8]);
}

#[tokio::test]
async fn messages_may_be_too_large() {
    // WS-56.
    let site = echo().await;
    let session = ClientSession::new();
    let mut ws = open(session.ws_connect(site.url("/")).max_msg_size(10)).await;
    check_echo(&mut ws, "123456789").await;
    ws.send_str("1234567890").await.expect("it is open");
    let error = ws.receive().await.expect_err("too large");
    assert_eq!(error.to_string(), "Message size 10 exceeds limit 10");
    assert_eq!(ws.close_code(), Some(1009));
}

#[tokio::test]
async fn it_is_a_stream() {
    let site = echo().await;
    let mut ws = open(ws_connect(site.url("/"))).await;
    for text in ["one", "two"] {
        ws.send_str(text).await.expect("it is open");
    }
    let mut texts = Vec::new();
    for _ in 0..2 {
        let next = std::future::poll_fn(|cx| Pin::new(&mut ws).poll_next(cx));
        let message = soon("a message", next).await.expect("it is open");
        if let WsMessage::Text(text) = message.expect("a message") {
            texts.push(text.to_string());
        }
    }
    assert_eq!(texts, ["one", "two"]);
    close(&mut ws).await;
    let end = std::future::poll_fn(|cx| Pin::new(&mut ws).poll_next(cx)).await;
    assert!(end.is_none(), "{end:?}");
}

#[tokio::test]
async fn what_was_agreed_on_is_known_in_any_shape() {
    let site = Site::new(|request| {
        Response::websocket(request)
            .header("Sec-WebSocket-Protocol", "p")
            .header("Sec-WebSocket-Extensions", "permessage-deflate")
    })
    .await;
    let request = ws_connect(site.url("/")).protocols(["p"]).compress(15);
    let ws = open(request).await;
    assert_eq!((ws.protocol(), ws.compress()), (Some("p"), 15));
    let socket = ws.into_socket();
    assert_eq!((socket.protocol(), socket.compress()), (Some("p"), 15));
    let (reader, writer) = socket.split();
    let socket = reader.reunite(writer).expect("halves of one");
    assert_eq!((socket.protocol(), socket.compress()), (Some("p"), 15));
    assert!(socket.deflate().is_some());
}
