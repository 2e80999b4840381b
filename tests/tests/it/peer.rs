//! A server that the test itself plays: it says what it is told, when it is told.

use std::future::{Future, poll_fn};
use std::time::Duration;

use aio_client::{ClientResponse, RequestBuilder};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, sink};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How long something may take that is to happen by itself, on a machine that does five times
/// as much besides; only a failing test waits so long.
const SOON: Duration = Duration::from_secs(60);

/// Where clients connect to.
pub(crate) struct Listener(TcpListener);

/// The server's end of a connection.
pub(crate) struct Peer<S = TcpStream>(pub(crate) S);

impl Listener {
    pub(crate) async fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.expect("a port"))
    }

    pub(crate) fn host(&self) -> String {
        self.0.local_addr().expect("it is bound").to_string()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.host())
    }

    pub(crate) async fn accept(&self) -> Peer {
        let (stream, _) = self.0.accept().await.expect("a connection");
        stream.set_nodelay(true).expect("a socket");
        Peer(stream)
    }

    /// Sends `request`, answers its head with `answer`, and gives both ends.
    pub(crate) async fn answer(
        &self,
        request: RequestBuilder,
        answer: impl AsRef<[u8]>,
    ) -> (ClientResponse, Peer) {
        let peer = async {
            let mut peer = self.accept().await;
            peer.head().await;
            peer.send(answer).await;
            peer
        };
        let (response, peer) = tokio::join!(request.send(), peer);
        (response.expect("a response"), peer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    /// Receives the head of a request, and nothing behind it.
    pub(crate) async fn head(&mut self) -> String {
        self.until(b"\r\n\r\n").await
    }

    /// Receives up to and with `end`.
    pub(crate) async fn until(&mut self, end: &[u8]) -> String {
        let mut received = Vec::new();
        while !received.ends_with(end) {
            received.push(self.0.read_u8().await.expect("the client goes on"));
        }
        String::from_utf8(received).expect("text")
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let sent = self.0.write_all(bytes.as_ref()).await;
        sent.expect("the client listens");
        self.0.flush().await.expect("the client listens");
    }

    /// Receives the head of a request, or none if the client has left.
    pub(crate) async fn try_head(&mut self) -> Option<String> {
        let mut received = vec![self.0.read_u8().await.ok()?];
        while !received.ends_with(b"\r\n\r\n") {
            received.push(self.0.read_u8().await.ok()?);
        }
        String::from_utf8(received).ok()
    }

    /// Receives so many bytes.
    pub(crate) async fn exactly(&mut self, len: usize) -> Vec<u8> {
        let mut received = vec![0; len];
        let read = self.0.read_exact(&mut received).await;
        read.expect("the client goes on");
        received
    }

    /// Receives whatever comes, until the client closes.
    pub(crate) async fn drain(&mut self) {
        let mut scratch = vec![0; 64 * 1024];
        // A reset closes as well.
        while let Ok(1..) = self.0.read(&mut scratch).await {}
    }

    /// Receives so many bytes and forgets them.
    pub(crate) async fn skip(&mut self, bytes: u64) {
        let skipped = tokio::io::copy(&mut (&mut self.0).take(bytes), &mut sink()).await;
        assert_eq!(skipped.expect("the client goes on"), bytes);
    }

    /// Ends what it says, and goes on to listen.
    pub(crate) async fn end(&mut self) {
        let ended = self.0.shutdown().await;
        ended.expect("the client has not closed");
    }
}

impl Peer {
    /// Closes with a reset.
    pub(crate) fn reset(self) {
        let no_lingering = SockRef::from(&self.0).set_linger(Some(Duration::ZERO));
        no_lingering.expect("a socket");
    }

    /// Gives the two ends of the connection.
    pub(crate) fn wire(&self) -> Wire {
        let server = self.0.local_addr().expect("it is connected").port();
        let client = self.0.peer_addr().expect("it is connected").port();
        Wire::new(server, client)
    }
}

/// A connection on 127.0.0.1 as the system sees it, by its ports.
pub(crate) struct Wire {
    server: u16,
    client: u16,
}

impl Wire {
    pub(crate) fn new(server: u16, client: u16) -> Self {
        Self { server, client }
    }

    /// Waits until something has reached the client that nobody there has read.
    pub(crate) async fn reached(&self) {
        let reached = async {
            while self.is_quiet() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        soon("the client's end of the connection", reached).await;
    }

    /// Tells whether the client's end is open, and all read that came.
    fn is_quiet(&self) -> bool {
        let table = std::fs::read_to_string("/proc/net/tcp").expect("the system tells");
        let end = |port| format!("0100007F:{port:04X}");
        let quiet = format!("{} {} 01 ", end(self.client), end(self.server));
        let line = table.lines().find_map(|line| line.split_once(&quiet));
        // Behind the state: how much waits to be sent, and how much to be read.
        line.is_some_and(|(_, rest)| rest.split([':', ' ']).nth(1) == Some("00000000"))
    }
}

/// Begins `future` in a task of its own; returns when that has to wait.
pub(crate) async fn begin<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let (tell, waits) = oneshot::channel();
    let (mut tell, mut future) = (Some(tell), Box::pin(future));
    let task = tokio::spawn(poll_fn(move |cx| {
        let polled = future.as_mut().poll(cx);
        if polled.is_pending()
            && let Some(tell) = tell.take()
        {
            _ = tell.send(());
        }
        polled
    }));
    waits.await.expect("it waits");
    task
}

/// Waits for what is to happen by itself.
pub(crate) async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(SOON, future).await {
        Ok(output) => output,
        Err(_) => panic!("{what}: not within {SOON:?}"),
    }
}

/// Polls `future` until nothing is left to do but wait, and drops it then.
pub(crate) async fn give_up<F: Future>(future: F) {
    // The clock goes on when everybody waits: until then all that is there was taken.
    tokio::time::pause();
    let output = tokio::time::timeout(Duration::from_secs(1), future).await;
    tokio::time::resume();
    assert!(output.is_err(), "it did not have to wait");
}
