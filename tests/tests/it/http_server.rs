//! The handler server, driven by a bare socket.

use std::time::Duration;

use aio_tests::http_server::{Body, Request, Response, TestServer};
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn answer(request: Request) -> Response {
    match request.target.as_str() {
        "/echo" => Response::ok(request.body).header("X-Method", request.method),
        "/repeat" => Response::new(200).body(Body::Repeat {
            block: Bytes::from_static(b"abc"),
            length: 7,
        }),
        "/chunked" => Response::new(200).body(Body::Chunked(vec!["ab".into(), "c".into()])),
        "/never" => std::future::pending().await,
        _ => Response::new(404).header("Connection", "close"),
    }
}

async fn start() -> TestServer {
    TestServer::start(answer).await.expect("a free port")
}

/// Sends bytes on a connection of its own and returns all that comes back.
async fn exchange(sent: &str) -> String {
    let server = start().await;
    let mut stream = TcpStream::connect(server.address())
        .await
        .expect("a listening server");
    stream
        .write_all(sent.as_bytes())
        .await
        .expect("an open connection");
    let mut received = String::new();
    stream
        .read_to_string(&mut received)
        .await
        .expect("an end, no reset");
    received
}

#[tokio::test]
async fn answers_are_byte_exact_and_keep_the_connection() {
    let received = exchange(
        "PUT /echo HTTP/1.1\r\nContent-Length: 2\r\n\r\nhiPOST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\
         1\r\nx\r\n0\r\n\r\nGET /gone HTTP/1.1\r\n\r\n",
    )
    .await;
    let want = "HTTP/1.1 200 OK\r\nX-Method: PUT\r\nContent-Length: 2\r\n\r\nhi\
         HTTP/1.1 200 OK\r\nX-Method: POST\r\nContent-Length: 1\r\n\r\nx\
         HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(received, want);
}

#[tokio::test]
async fn bodies_are_streamed() {
    let received = exchange("GET /repeat HTTP/1.1\r\nConnection: close\r\n\r\n").await;
    assert_eq!(
        received,
        "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nabcabca"
    );
    let received = exchange("GET /chunked HTTP/1.0\r\n\r\n").await;
    assert_eq!(
        received,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    );
    let received = exchange("HEAD /repeat HTTP/1.0\r\n\r\n").await;
    assert_eq!(received, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n");
}

#[tokio::test]
async fn expect_is_answered_before_the_body() {
    let server = start().await;
    let mut stream = TcpStream::connect(server.address())
        .await
        .expect("a listening server");
    let head = b"PUT /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n";
    stream.write_all(head).await.expect("an open connection");
    let mut interim = [0; 25];
    stream
        .read_exact(&mut interim)
        .await
        .expect("an interim answer");
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"x").await.expect("an open connection");
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await.expect("an end");
    assert!(rest.ends_with("\r\n\r\nx"), "{rest:?}");
}

#[tokio::test]
async fn connections_are_counted_and_closes_are_seen() {
    let server = start().await;
    let idle = TcpStream::connect(server.address())
        .await
        .expect("a listening server");
    let mut waiting = TcpStream::connect(server.address())
        .await
        .expect("a listening server");
    waiting
        .write_all(b"GET /never HTTP/1.1\r\n\r\n")
        .await
        .expect("an open connection");
    server.wait_for_open(2).await;
    assert_eq!((server.connections(), server.open()), (2, 2));
    drop(idle);
    server.wait_for_open(1).await;
    drop(waiting);
    server.wait_for_open(0).await;
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn dropping_the_server_closes_its_connections() {
    let server = start().await;
    let mut stream = TcpStream::connect(server.address())
        .await
        .expect("a listening server");
    server.wait_for_open(1).await;
    let address = server.address();
    drop(server);
    assert_eq!(stream.read(&mut [0]).await.expect("an end"), 0);
    let refused = tokio::time::timeout(Duration::from_secs(2), TcpStream::connect(address)).await;
    assert!(refused.expect("an answer in time").is_err());
}
