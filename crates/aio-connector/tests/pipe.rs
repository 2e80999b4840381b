//! The connector for named pipes, against servers in this process.
#![cfg(windows)]

use std::future::poll_fn;
use std::time::Duration;

use aio_connector::{
    ConnectErrorKind, ConnectRequest, Connection, ConnectionError, Connector, Exchange,
    ExchangeOptions, NamedPipeConnector, Phase, UploadFraming,
};
use aio_core::http1::{BodyEvent, Exchanged, Limits};
use aio_core::{Body, ClientTimeout, RequestUrl};
use http::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::windows::named_pipe::{ClientOptions, NamedPipeServer, ServerOptions};
use tokio::time::{sleep, timeout};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

/// Only a failing test waits so long.
const SOON: Duration = Duration::from_secs(10);

/// Makes the name of a pipe of this process.
fn name(of: &str) -> String {
    format!(r"\\.\pipe\aio-{}-{of}", std::process::id())
}

/// Makes a pipe that takes one client at a time.
fn serve(name: &str) -> NamedPipeServer {
    let server = ServerOptions::new().max_instances(1).create(name);
    server.expect("a pipe")
}

async fn connect(
    pool: &NamedPipeConnector,
    limits: &ClientTimeout,
) -> Result<Connection, ConnectionError> {
    let url = RequestUrl::parse("npipe://a.test/").expect("a URL");
    let mut request = ConnectRequest::begun(&url, limits, std::time::Instant::now());
    timeout(SOON, pool.connect(&mut request))
        .await
        .expect("in time")
}

/// Sends a request, lets `peer` answer, and reads the response.
async fn exchange(mut connection: Connection, peer: &mut NamedPipeServer) {
    let buffer = connection.head_buffer().0;
    buffer.extend_from_slice(b"GET / HTTP/1.1\r\n\r\n");
    let options = ExchangeOptions {
        framing: UploadFraming::Length(0),
        limits: Limits::default(),
        exchanged: Exchanged::of(&Method::GET),
        expect_continue: false,
        force_close: false,
    };
    let mut exchange = Exchange::start(connection, Body::none(), options);
    let served = async {
        assert!(peer.read(&mut [0; 1024]).await.expect("open") > 0);
        peer.write_all(ANSWER).await.expect("open");
    };
    let (head, ()) = tokio::join!(poll_fn(|cx| exchange.poll_head(cx)), served);
    head.expect("a head");
    while poll_fn(|cx| exchange.poll_body(cx)).await.expect("a body") != BodyEvent::End {}
}

#[tokio::test]
async fn a_connection_serves_request_after_request() {
    let name = name("serves");
    let (mut server, none) = (serve(&name), ClientTimeout::none());
    let pool = NamedPipeConnector::new(&name);
    assert_eq!(pool.path().to_str(), Some(name.as_str()));
    assert_eq!(Connector::schemes(&pool), ["npipe"]);
    for is_reused in [false, true] {
        let connection = connect(&pool, &none).await.expect("a connection");
        assert_eq!(connection.is_reused(), is_reused);
        server.connect().await.expect("a client");
        exchange(connection, &mut server).await;
        assert_eq!(pool.stats().idle, 1);
    }
    pool.close();
    assert_eq!(pool.stats().open, 0);
}

#[tokio::test]
async fn a_pipe_that_is_not_there_is_named() {
    let name = name("missing");
    let pool = NamedPipeConnector::new(&name);
    let error = connect(&pool, &ClientTimeout::none()).await;
    let error = error.map(drop).expect_err("nobody serves it");
    assert_eq!(error.aiohttp_class(), "ClientConnectorError");
    let ConnectionError::Connect(error) = error else {
        panic!("{error}");
    };
    let path = name.as_str().into();
    assert_eq!(error.kind(), &ConnectErrorKind::Pipe { path });
    // ERROR_FILE_NOT_FOUND
    assert_eq!(error.os_error().and_then(|os| os.raw_os_error()), Some(2));
}

#[tokio::test]
async fn a_pipe_that_is_busy_is_waited_for() {
    let name = name("busy");
    let server = serve(&name);
    let other = ClientOptions::new().open(&name).expect("the first");
    let pool = NamedPipeConnector::new(&name);
    let limits = ClientTimeout {
        sock_connect: Some(Duration::from_millis(30)),
        ..ClientTimeout::none()
    };
    let error = connect(&pool, &limits).await;
    let error = error.map(drop).expect_err("it is busy");
    assert!(error.is_timeout(), "{error}");
    assert_eq!(error.attempt().phase, Phase::Connect);
    assert_eq!(pool.stats().open, 0);

    let none = ClientTimeout::none();
    let free = async {
        sleep(Duration::from_millis(30)).await;
        drop(other);
        server.disconnect().expect("the first has gone");
        server.connect().await.expect("a client");
    };
    let (connection, ()) = tokio::join!(connect(&pool, &none), free);
    connection.expect("a connection");
}
