//! Connections that speak another protocol now, over ends that the test keeps.

use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aio_connector::{
    BoxFuture, ConnectRequest, ConnectionError, ConnectionKey, Dial, Exchange, ExchangeOptions,
    PooledConnector, Transport, Upgraded, UploadFraming,
};
use aio_core::http1::{Exchanged, Limits};
use aio_core::{Body, RequestUrl};
use http::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::timeout;

#[derive(Default, Clone)]
struct InMemory(Arc<Mutex<Option<DuplexStream>>>);

impl Dial for InMemory {
    fn dial<'a>(
        &'a self,
        _: &'a ConnectionKey,
        _: &'a mut ConnectRequest<'_>,
    ) -> BoxFuture<'a, Result<Transport, ConnectionError>> {
        let (near, far) = duplex(64);
        *self.0.lock().expect("no panic") = Some(far);
        Box::pin(async { Ok(Transport::over(near)) })
    }
}

/// Has a connection answered by a 101, and what follows that.
async fn upgraded(
    connector: &PooledConnector<InMemory>,
    dial: &InMemory,
) -> (Upgraded, DuplexStream) {
    let url = RequestUrl::parse("ws://a.test/").expect("a URL");
    let connected = connector.connect(&mut ConnectRequest::new(&url)).await;
    let mut connection = connected.expect("there is always one");
    let mut far = dial
        .0
        .lock()
        .expect("no panic")
        .take()
        .expect("it is dialled");
    connection.head_buffer().0.extend_from_slice(b"GET\r\n\r\n");
    let options = ExchangeOptions {
        framing: UploadFraming::Length(0),
        limits: Limits::default(),
        exchanged: Exchanged::of(&Method::GET),
        expect_continue: false,
        force_close: false,
    };
    let mut exchange = Exchange::start(connection, Body::none(), options);
    far.write_all(b"HTTP/1.1 101 S\r\nUpgrade: x\r\n\r\nearly")
        .await
        .expect("it fits");
    let head = poll_fn(|cx| exchange.poll_head(cx)).await;
    assert_eq!(head.expect("a head").status.as_u16(), 101);
    let (upgraded, received) = exchange.upgrade().expect("it is handed over");
    assert_eq!(received, "early");
    let mut request = [0; 7];
    far.read_exact(&mut request).await.expect("the request");
    (upgraded, far)
}

fn connector() -> (PooledConnector<InMemory>, InMemory) {
    let dial = InMemory::default();
    let connector = PooledConnector::over(dial.clone()).limit(1).build();
    (connector.expect("valid"), dial)
}

async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    let done = timeout(Duration::from_secs(10), future).await;
    done.unwrap_or_else(|_| panic!("{what} takes too long"))
}

#[tokio::test]
async fn it_counts_until_it_is_dropped_and_never_goes_back() {
    // WS-33.
    let (connector, dial) = connector();
    let (mut upgraded, mut far) = upgraded(&connector, &dial).await;
    assert!(!upgraded.info().is_reused());
    upgraded.write_all(b"ping").await.expect("it is open");
    let mut got = [0; 4];
    far.read_exact(&mut got).await.expect("it is open");
    far.write_all(b"pong").await.expect("it is open");
    upgraded.read_exact(&mut got).await.expect("it is open");
    assert_eq!(&got, b"pong");

    let (stats, url) = (
        connector.stats(),
        RequestUrl::parse("ws://a.test/").expect("a URL"),
    );
    assert_eq!((stats.open, stats.idle), (1, 0));
    let mut request = ConnectRequest::new(&url);
    let waiting = connector.connect(&mut request);
    let waited = timeout(Duration::from_millis(20), waiting).await;
    assert!(waited.is_err(), "the limit is reached");
    drop(upgraded);
    let stats = connector.stats();
    assert_eq!((stats.open, stats.idle), (0, 0));
    let mut rest = Vec::new();
    soon("the end", far.read_to_end(&mut rest))
        .await
        .expect("closed");
}

#[tokio::test]
async fn a_closed_connector_ends_it_in_both_tasks() {
    let (connector, dial) = connector();
    let (upgraded, _far) = upgraded(&connector, &dial).await;
    let (mut reader, mut writer) = tokio::io::split(upgraded);
    let reading = tokio::spawn(async move { reader.read(&mut [0; 8]).await });
    // More than the pipe holds: both wait.
    let writing = tokio::spawn(async move { writer.write_all(&[0; 1000]).await });
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
    connector.close();
    let read = soon("the reader", reading).await.expect("no panic");
    assert_eq!(read.expect("an end"), 0);
    let written = soon("the writer", writing).await.expect("no panic");
    let error = written.expect_err("it is closed");
    assert_eq!(error.kind(), io::ErrorKind::NotConnected);
    assert_eq!(connector.stats().open, 0);
}
