//! Handshakes over streams, whole and cut.

use std::time::Duration;

use bytes::BytesMut;
use http::{Request, Response};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::time::timeout;

use super::*;
use crate::{DeflateParams, HandshakeOptions, WebSocket, WindowBits, handshake};

/// Waits for what takes no time.
async fn soon<F: Future>(future: F) -> F::Output {
    let future = timeout(Duration::from_secs(10), future);
    future.await.expect("it does not hang")
}

fn ask(stream: DuplexStream) -> Client<DuplexStream> {
    let request = Request::get("ws://a.test/").body(()).expect("valid");
    client(stream, request)
}

const ACCEPTED: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                        Connection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n";

/// Returns what a client makes of an answer, and of the end of the stream behind it. In the
/// answer `{accept}` is what the key demands.
async fn opened_by(answer: &[u8]) -> Result<WebSocket<DuplexStream>, HandshakeError> {
    let (ours, mut theirs) = duplex(256 * 1024);
    let client = ask(ours)
        .protocols(["a", "b"])
        .deflate(DeflateParams::default());
    let answering = async move {
        let request = head::read_request(&mut theirs, &mut BytesMut::new()).await?;
        let options = HandshakeOptions::default();
        let (response, _) = handshake::accept(&request, &options).expect("a handshake");
        let accept = response.headers()["sec-websocket-accept"].as_bytes();
        let mut answer = answer.to_vec();
        let mut places = answer.windows(8).enumerate();
        if let Some((at, _)) = places.find(|(_, piece)| piece == b"{accept}") {
            answer.splice(at..at + 8, accept.iter().copied());
        }
        theirs.write_all(&answer).await?;
        Ok::<_, HandshakeError>(())
    };
    let (opened, answered) = soon(async { tokio::join!(client.connect(), answering) }).await;
    answered.expect("it asks");
    opened
}

#[tokio::test]
async fn both_ends_agree() {
    let (ours, theirs) = duplex(64);
    let server = server(theirs).protocols(["b", "a"]).deflate(DeflateParams {
        client_no_context_takeover: true,
        client_max_window_bits: WindowBits::MIN,
        ..DeflateParams::default()
    });
    let client = ask(ours)
        .protocols(["c", "a", "b"])
        .deflate(DeflateParams::default());
    let (client, server) = soon(async { tokio::join!(client.connect(), server.accept()) }).await;
    let (mut client, mut server) = (client.expect("open"), server.expect("open"));
    for socket in [&client, &server] {
        assert_eq!(socket.protocol(), Some("a"));
        assert_eq!((socket.compress(), socket.client_notakeover()), (9, true));
    }
    let text = "to be compressed ".repeat(1000);
    soon(async {
        let (sent, got) = tokio::join!(client.send_str(text.clone()), server.receive_str());
        assert!(sent.is_ok() && got.is_ok_and(|got| *got == *text));
        let (sent, got) = tokio::join!(server.send_str(text.clone()), client.receive_str());
        assert!(sent.is_ok() && got.is_ok_and(|got| *got == *text));
    })
    .await;
}

#[tokio::test]
async fn without_compression_on_one_end_there_is_none() {
    // EDGE-278.
    let answer = format!("{ACCEPTED}\r\n");
    let socket = opened_by(answer.as_bytes()).await.expect("open");
    assert_eq!((socket.protocol(), socket.compress()), (None, 0));

    let (ours, theirs) = duplex(1000);
    let server = server(theirs).deflate(DeflateParams::default());
    let (client, server) = soon(async { tokio::join!(ask(ours).connect(), server) }).await;
    for socket in [client.expect("open"), server.expect("open")] {
        assert_eq!((socket.protocol(), socket.compress()), (None, 0));
    }
}

// WS-17, EDGE-283.
#[tokio::test]
async fn frames_behind_the_head_are_received() {
    let head = format!("{ACCEPTED}Sec-WebSocket-Protocol: x, b\r\n\r\n");
    let answer = [head.as_bytes(), b"\x01\x02he\x80\x03llo"].concat();
    let mut socket = opened_by(&answer).await.expect("open");
    assert_eq!(socket.protocol(), Some("b"));
    assert_eq!(soon(socket.receive_str()).await.expect("a text"), "hello");
}

// WS-10 to WS-15, in order.
#[tokio::test]
async fn the_first_check_that_fails_is_told() {
    for (answer, want) in [
        ("HTTP/1.1 200 OK\r\n\r\n", HandshakeCheck::Status),
        ("HTTP/1.1 101 x\r\n\r\n", HandshakeCheck::Upgrade),
        (
            "HTTP/1.1 101 x\r\nUpgrade: h2c\r\n\r\n",
            HandshakeCheck::Upgrade,
        ),
        (
            "HTTP/1.1 101 x\r\nUpgrade: WebSocket\r\n\r\n",
            HandshakeCheck::Connection,
        ),
        (
            "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: keep-alive\r\n\r\n",
            HandshakeCheck::Connection,
        ),
        (
            "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: keep-alive\r\n\
             Connection: x, UPGRADE\r\nSec-WebSocket-Accept: x{accept}\r\n\r\n",
            HandshakeCheck::Accept,
        ),
        (
            &format!("{ACCEPTED}Sec-WebSocket-Extensions: permessage-deflate; foo\r\n\r\n"),
            HandshakeCheck::Extension("; foo".to_owned()),
        ),
    ] {
        let opened = opened_by(answer.as_bytes()).await;
        let Err(HandshakeError::Refused {
            status,
            headers,
            check,
        }) = opened
        else {
            panic!("{answer:?} is refused");
        };
        assert_eq!(check, want, "{answer:?}");
        assert_eq!(status == 200, check == HandshakeCheck::Status);
        assert_eq!(headers.is_empty(), !answer.contains(": "));
    }
}

#[tokio::test]
async fn interim_answers_are_passed_over() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\n";
    let answer = format!("{interim}HTTP/1.1 103 x\r\na: b\r\n\r\n{ACCEPTED}\r\n");
    assert!(opened_by(answer.as_bytes()).await.is_ok());
    let endless = opened_by(interim.repeat(3000).as_bytes()).await;
    assert!(matches!(endless, Err(HandshakeError::TooLarge)));
}

#[tokio::test]
async fn what_is_no_answer_is_told() {
    let long = format!("HTTP/1.1 101 {}", "x".repeat(64 * 1024));
    let long = opened_by(long.as_bytes()).await;
    assert!(matches!(long, Err(HandshakeError::TooLarge)));
    let other = opened_by(b"SSH-2.0-x\r\n\r\n").await;
    assert!(matches!(other, Err(HandshakeError::Malformed)));
    let cut = opened_by(ACCEPTED.as_bytes()).await;
    let class = cut.map_err(|error| error.aiohttp_class()).map(drop);
    assert_eq!(class, Err("ServerDisconnectedError"));
}

const ASKS: &str = "GET /a?b HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// Returns why a server takes no request, and its answer.
async fn refused(request: &str) -> (HandshakeError, String) {
    let (mut ours, theirs) = duplex(100_000);
    ours.write_all(request.as_bytes()).await.expect("room");
    let error = soon(server(theirs).accept()).await.expect_err(request);
    let mut answer = String::new();
    soon(ours.read_to_string(&mut answer)).await.expect("ASCII");
    (error, answer)
}

// RFC 6455 4.2.1.
#[tokio::test]
async fn requests_that_are_no_handshake_are_answered() {
    for (from, to, want, answer) in [
        (
            "GET",
            "POST",
            RequestCheck::Method,
            "405 Method Not Allowed\r\nallow: GET\r\n",
        ),
        ("/1.1", "/1.0", RequestCheck::HttpVersion, "400 "),
        ("Host", "Hose", RequestCheck::Host, "400 "),
        ("websocket", "h2c", RequestCheck::Upgrade, "400 "),
        (
            "Connection: Upgrade",
            "Connection: close",
            RequestCheck::Connection,
            "400 ",
        ),
        (
            ": 13",
            ": 8",
            RequestCheck::Version,
            "426 Upgrade Required\r\nsec-websocket-version: 13",
        ),
        ("dGhl", "", RequestCheck::Key, "400 "),
        ("dGhl", "AAAAdGhl", RequestCheck::Key, "400 "),
        ("dGhl", "!Ghl", RequestCheck::Key, "400 "),
    ] {
        let request = format!("{}\r\n", ASKS.replacen(from, to, 1));
        let (error, got) = refused(&request).await;
        assert!(
            matches!(error, HandshakeError::NotAsked(check) if check == want),
            "{error}"
        );
        assert!(got.starts_with(&format!("HTTP/1.1 {answer}")), "{got}");
        assert!(
            got.ends_with("\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
            "{got}"
        );
    }
}

#[tokio::test]
async fn a_server_looks_before_it_answers() {
    let asked = || async {
        let (mut ours, theirs) = duplex(1000);
        let request = format!("{ASKS}\r\n");
        ours.write_all(request.as_bytes()).await.expect("room");
        let asked = soon(server(theirs).read_request()).await.expect("asked");
        assert_eq!(asked.request().uri(), "/a?b");
        (ours, asked)
    };
    let mut head = BytesMut::new();

    let (mut ours, mut asked_first) = asked().await;
    let value = http::HeaderValue::from_static("y");
    asked_first.headers_mut().insert("x", value);
    let _socket = soon(asked_first.accept()).await.expect("open");
    let answer = soon(head::read_response(&mut ours, &mut head)).await;
    let answer = answer.expect("HTTP");
    assert_eq!(answer.status(), 101);
    assert_eq!(answer.headers()["x"], "y");

    let (mut ours, asked_again) = asked().await;
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::FORBIDDEN;
    soon(asked_again.refuse(response)).await.expect("sent");
    let answer = soon(head::read_response(&mut ours, &mut head)).await;
    assert_eq!(answer.expect("HTTP").status(), 403);
    assert!(head.is_empty());
}

#[tokio::test]
async fn what_is_printed_for_debugging_has_no_secrets() {
    const SECRET: &str = "s3cret";
    let answer = format!("HTTP/1.1 403 x\r\nSet-Cookie: id={SECRET}\r\nX: shown\r\n\r\n");
    let refused = opened_by(answer.as_bytes()).await.expect_err("refused");
    let printed = format!("{refused:?} {refused}");
    assert!(
        printed.contains("shown") && !printed.contains(SECRET),
        "{printed}"
    );

    let request = Request::get(format!("ws://user:{SECRET}@a.test/{SECRET}"))
        .header("Authorization", SECRET)
        .header("X-Api-Key", SECRET);
    let client = client(duplex(1).0, request.body(()).expect("valid"));
    let printed = format!("{client:?}");
    assert!(
        printed.contains("a.test") && !printed.contains(SECRET),
        "{printed}"
    );

    let (mut ours, theirs) = duplex(1000);
    let request = format!(
        "{ASKS}Cookie: {SECRET}\r\nAuthorization: {SECRET}\r\n\
         Proxy-Authorization: {SECRET}\r\nX: shown\r\n\r\n{SECRET}"
    );
    ours.write_all(request.as_bytes()).await.expect("room");
    let asked = soon(server(theirs).read_request()).await.expect("asked");
    let printed = format!("{asked:?}");
    assert!(
        printed.contains("shown") && !printed.contains(SECRET),
        "{printed}"
    );
    assert_eq!(asked.request().headers()["cookie"], SECRET);
}
