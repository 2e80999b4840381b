//! The pool over streams of its user's own, by its public names alone.

use std::future::{Future, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use aio_connector::{
    BoxFuture, ConnectRequest, Connection, ConnectionError, ConnectionKey, Dial, PooledConnector,
    PooledConnectorBuilder, Transport,
};
use aio_core::RequestUrl;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::task::coop;

/// Connects to ends that the test keeps.
#[derive(Default, Clone)]
struct InMemory {
    far: Arc<Mutex<Vec<DuplexStream>>>,
    /// Whether to read from a stream is a panic.
    panics: Arc<AtomicBool>,
    /// Told how many connections are open when a stream is closed.
    closing: Arc<Closing>,
}

#[derive(Default)]
struct Closing {
    connector: Mutex<Option<PooledConnector<InMemory>>>,
    open: Mutex<Vec<usize>>,
}

impl Dial for InMemory {
    fn dial<'a>(
        &'a self,
        _: &'a ConnectionKey,
        _: &'a mut ConnectRequest<'_>,
    ) -> BoxFuture<'a, Result<Transport, ConnectionError>> {
        let (near, far) = tokio::io::duplex(1024);
        self.far.lock().expect("no panic").push(far);
        let near = Near {
            near,
            panics: Arc::clone(&self.panics),
            closing: Arc::clone(&self.closing),
        };
        Box::pin(async { Ok(Transport::over(near)) })
    }
}

struct Near {
    near: DuplexStream,
    panics: Arc<AtomicBool>,
    closing: Arc<Closing>,
}

impl Drop for Near {
    fn drop(&mut self) {
        let connector = self.closing.connector.lock().expect("no panic").clone();
        if let Some(connector) = connector {
            let open = connector.stats().open;
            self.closing.open.lock().expect("no panic").push(open);
        }
    }
}

impl AsyncRead for Near {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        assert!(!self.panics.load(Ordering::Relaxed), "as it was told");
        Pin::new(&mut self.near).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Near {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.near).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.near).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.near).poll_shutdown(cx)
    }
}

fn url() -> RequestUrl {
    RequestUrl::parse("http://a.test/").expect("a URL")
}

fn build(builder: PooledConnectorBuilder<InMemory>) -> PooledConnector<InMemory> {
    builder.build().expect("valid")
}

async fn connect(connector: &PooledConnector<InMemory>) -> Connection {
    let url = url();
    let connected = connector.connect(&mut ConnectRequest::new(&url)).await;
    connected.expect("there is always one")
}

/// Gives its connection back when it is dropped.
struct Late(Option<Connection>);

impl Drop for Late {
    fn drop(&mut self) {
        self.0.take().into_iter().for_each(Connection::release);
    }
}

#[test]
fn a_connection_may_come_back_while_its_runtime_ends() {
    let (tell, told) = mpsc::channel();
    // In a thread of its own: what would hang is not to hang the test.
    std::thread::spawn(move || {
        let connector = build(PooledConnector::over(InMemory::default()));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let late = Late(Some(connect(&connector).await));
            tokio::spawn(async move {
                let _late = late;
                std::future::pending::<()>().await;
            });
            tokio::task::yield_now().await;
        });
        drop(runtime);
        tell.send(connector.stats().open).expect("the test waits");
    });
    let open = told.recv_timeout(Duration::from_secs(10));
    assert!(open.expect("the runtime ends") <= 1);
}

#[tokio::test]
async fn a_dead_connection_is_seen_by_a_task_that_has_done_its_share() {
    let dial = InMemory::default();
    let connector = build(PooledConnector::over(dial.clone()));
    connect(&connector).await.release();
    assert_eq!(connector.stats().idle, 1);
    dial.far.lock().expect("no panic").clear();
    let mut connecting = Box::pin(connect(&connector));
    let connection = poll_fn(|cx| {
        while let Poll::Ready(share) = coop::poll_proceed(cx) {
            share.made_progress();
        }
        connecting.as_mut().poll(cx)
    })
    .await;
    assert!(!connection.is_reused());
    assert_eq!(connector.stats().evicted.stale, 1);
    assert_eq!(connector.stats().created, 2);
}

#[tokio::test]
async fn a_stream_that_panics_leaves_its_slot() {
    let dial = InMemory::default();
    let connector = build(PooledConnector::over(dial.clone()).limit(1));
    let connection = connect(&connector).await;
    let mut waiter = Box::pin(connect(&connector));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(waiter.as_mut().poll(&mut cx).is_pending());
    connection.release();
    dial.panics.store(true, Ordering::Relaxed);
    let polled = catch_unwind(AssertUnwindSafe(|| {
        waiter.as_mut().poll(&mut cx).is_ready()
    }));
    assert!(polled.is_err(), "the stream panics");
    drop(waiter);
    assert_eq!(connector.stats().open, 0);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_taken_and_not_used_grows_no_younger() {
    let builder = PooledConnector::over(InMemory::default());
    let connector = build(builder.keepalive_timeout(Duration::from_secs(10)));
    for _ in 0..3 {
        connect(&connector).await.release();
        tokio::time::sleep(Duration::from_secs(6)).await;
    }
    let stats = connector.stats();
    assert_eq!((stats.created, stats.reused), (2, 0), "{stats:?}");
}

#[tokio::test]
async fn what_is_not_kept_goes_to_who_waits() {
    let builder = PooledConnector::over(InMemory::default());
    let connector = build(builder.limit(1).keepalive_timeout(Duration::ZERO));
    let connection = connect(&connector).await;
    let mut waiter = Box::pin(connect(&connector));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(waiter.as_mut().poll(&mut cx).is_pending());
    connection.release();
    waiter.await.release();
    assert_eq!(connector.stats().created, 1);
    assert_eq!(connector.stats().open, 0, "nobody waits");
}

#[tokio::test]
async fn a_closed_connector_does_not_warm_up() {
    let connector = build(PooledConnector::over(InMemory::default()));
    connector.close();
    let error = connector
        .warm_up(&url(), 3)
        .await
        .expect_err("it is closed");
    assert_eq!(error.aiohttp_class(), "ClientConnectionError");
}

#[tokio::test(start_paused = true)]
async fn a_slot_is_free_when_its_stream_is_closed_not_before() {
    let dial = InMemory::default();
    let builder = PooledConnector::over(dial.clone()).limit(1);
    let connector = build(builder.keepalive_timeout(Duration::from_secs(1)));
    *dial.closing.connector.lock().expect("no panic") = Some(connector.clone());
    // Closed by the reaper, for another origin, and with the connector.
    connect(&connector).await.release();
    tokio::time::sleep(Duration::from_secs(2)).await;
    connect(&connector).await.release();
    let other = RequestUrl::parse("http://b.test/").expect("a URL");
    let connected = connector.connect(&mut ConnectRequest::new(&other)).await;
    connected.expect("there is room").release();
    connector.close();
    assert_eq!(*dial.closing.open.lock().expect("no panic"), [1, 1, 1]);
    assert_eq!(connector.stats().open, 0);
    dial.closing.connector.lock().expect("no panic").take();
}
