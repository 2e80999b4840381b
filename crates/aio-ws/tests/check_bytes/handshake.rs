//! Any bytes are a handshake or are none: nothing panics or waits, and what a server agrees to, a
//! client takes.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use aio_ws::{ClientHandshake, DeflateParams, HandshakeError, HandshakeOptions, handshake};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use tokio::io::{join, sink};

/// What a peer sends: as an answer, as a request, and each line as a field of either.
pub(crate) fn check(input: &[u8]) {
    heads(input);
    fields(input);
}

/// Runs what need not wait.
fn run<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

fn heads(input: &[u8]) {
    let request = Request::get("ws://a.test/").body(()).expect("valid");
    let opened = run(aio_ws::client(join(input, sink()), request).connect());
    // The key is random.
    assert!(opened.is_err());

    let mut answer = Vec::new();
    let opened = run(aio_ws::server(join(input, &mut answer)).accept()).map(drop);
    let is_answered = matches!(opened, Ok(()) | Err(HandshakeError::NotAsked(_)));
    assert_eq!(is_answered, answer.starts_with(b"HTTP/1.1 "));
    assert_eq!(opened.is_ok(), answer.starts_with(b"HTTP/1.1 101 "));
}

fn fields(input: &[u8]) {
    let options = HandshakeOptions {
        protocols: vec!["a".to_owned(), "b".to_owned()],
        deflate: Some(DeflateParams::default()),
        ..HandshakeOptions::default()
    };
    let mut headers = HeaderMap::new();
    let mut insert = |name, value| headers.insert(name, HeaderValue::from_static(value));
    insert("host", "a.test");
    insert("upgrade", "websocket");
    insert("connection", "Upgrade");
    insert("sec-websocket-version", "13");
    insert("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    insert("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    for line in input.split(|&b| b == b'\n') {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append("sec-websocket-extensions", value.clone());
            headers.append("sec-websocket-protocol", value);
        }
    }

    let client = ClientHandshake::new(*b"the sample nonce", options.clone());
    let _ = client.check(StatusCode::SWITCHING_PROTOCOLS, &headers);

    let mut request = Request::new(());
    *request.headers_mut() = headers;
    let (answer, agreed) = handshake::accept(&request, &options).expect("well-formed");
    let got = client.check(answer.status(), answer.headers());
    assert_eq!(got, Ok(agreed));
}
