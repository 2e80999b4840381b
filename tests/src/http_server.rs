//! A small HTTP/1.1 server for tests and examples: a function answers, the bytes are exactly its answer.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use rustls::{HandshakeKind, ServerConfig};
use sha1::{Digest, Sha1};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

/// A server on a free port of 127.0.0.1 that runs until it is dropped.
///
/// ```
/// use aio_tests::http_server::{Request, Response, TestServer};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// let server = TestServer::start(async |request: Request| match request.target.as_str() {
///     "/" => Response::ok("hello").header("content-type", "text/plain"),
///     _ => Response::new(404),
/// })
/// .await?;
/// println!("{}", server.url("/"));
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct TestServer<A = SocketAddr> {
    address: A,
    is_tls: bool,
    connections: watch::Receiver<Connections>,
    acceptor: JoinHandle<()>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Connections {
    accepted: usize,
    open: usize,
    resumed: usize,
}

/// A request as received.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method as sent.
    pub method: String,
    /// The target as sent.
    pub target: String,
    /// True for HTTP/1.1, false for 1.0.
    pub http11: bool,
    /// Names and values as sent, in order; blanks around values stripped.
    pub headers: Vec<(String, String)>,
    /// The whole body, without its framing.
    pub body: Bytes,
}

/// An answer, written as given.
///
/// `Content-Length` is added when no header says how long the body is.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The reason phrase.
    pub reason: String,
    /// Names and values, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Body,
}

/// The body of a response.
#[derive(Clone, Debug)]
pub enum Body {
    /// These bytes.
    Bytes(Bytes),
    /// A block over and over, cut off at `length`; never in memory as a whole.
    Repeat {
        /// The block.
        block: Bytes,
        /// The length of the body.
        length: u64,
    },
    /// One HTTP chunk for each.
    Chunked(Vec<Bytes>),
}

impl TestServer {
    /// Starts a server; every request is answered by `handler`.
    ///
    /// A client that leaves while `handler` runs cancels it.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub async fn start<H, F>(handler: H) -> io::Result<Self>
    where
        H: Fn(Request) -> F + Send + Sync + 'static,
        F: Future<Output = Response> + Send + 'static,
    {
        Self::start_with(None, handler).await
    }

    /// Starts one that speaks TLS; see [`Authority`](crate::tls::Authority).
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub async fn start_tls<H, F>(tls: Arc<ServerConfig>, handler: H) -> io::Result<Self>
    where
        H: Fn(Request) -> F + Send + Sync + 'static,
        F: Future<Output = Response> + Send + 'static,
    {
        Self::start_with(Some(TlsAcceptor::from(tls)), handler).await
    }

    async fn start_with<H, F>(tls: Option<TlsAcceptor>, handler: H) -> io::Result<Self>
    where
        H: Fn(Request) -> F + Send + Sync + 'static,
        F: Future<Output = Response> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        Ok(Self::listening(address, listener, tls, handler))
    }

    /// Returns where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the URL of a path that begins with `/`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        format!("{scheme}://{}{path}", self.address)
    }
}

impl TestServer<PathBuf> {
    /// Starts one on a Unix socket at `path`, where there must be nothing yet; it speaks TLS
    /// if it has settings for that.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn start_unix<H, F>(
        path: impl Into<PathBuf>,
        tls: Option<Arc<ServerConfig>>,
        handler: H,
    ) -> io::Result<Self>
    where
        H: Fn(Request) -> F + Send + Sync + 'static,
        F: Future<Output = Response> + Send + 'static,
    {
        let path = path.into();
        let listener = UnixListener::bind(&path)?;
        let tls = tls.map(TlsAcceptor::from);
        Ok(Self::listening(path, listener, tls, handler))
    }

    /// Returns the path of its socket.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.address
    }
}

impl<A> TestServer<A> {
    fn listening<H, F>(
        address: A,
        listener: impl Listener,
        tls: Option<TlsAcceptor>,
        handler: H,
    ) -> Self
    where
        H: Fn(Request) -> F + Send + Sync + 'static,
        F: Future<Output = Response> + Send + 'static,
    {
        let is_tls = tls.is_some();
        let (counts, connections) = watch::channel(Connections::default());
        let acceptor = accept(listener, tls, Arc::new(handler), Arc::new(counts));
        Self {
            address,
            is_tls,
            connections,
            acceptor: tokio::spawn(acceptor),
        }
    }

    /// Returns how many connections were accepted so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.borrow().accepted
    }

    /// Returns how many connections are open now.
    #[must_use]
    pub fn open(&self) -> usize {
        self.connections.borrow().open
    }

    /// Returns how many connections resumed an earlier TLS session.
    #[must_use]
    pub fn resumed(&self) -> usize {
        self.connections.borrow().resumed
    }

    /// Waits until exactly so many connections are open.
    pub async fn wait_for_open(&self, open: usize) {
        let mut connections = self.connections.clone();
        // An error says that the server has stopped: its task is gone.
        _ = connections.wait_for(|now| now.open == open).await;
    }

    /// Waits until so many connections or more were accepted.
    pub async fn wait_for_connections(&self, accepted: usize) {
        let mut connections = self.connections.clone();
        _ = connections.wait_for(|now| now.accepted >= accepted).await;
    }
}

impl<A> Drop for TestServer<A> {
    fn drop(&mut self) {
        // Its connections are tasks of its own and end with it.
        self.acceptor.abort();
    }
}

impl Request {
    /// Returns the first value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(header, _)| header.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    fn keeps_alive(&self) -> bool {
        let connection = self
            .header("connection")
            .unwrap_or_default()
            .to_ascii_lowercase();
        if self.http11 {
            !connection.contains("close")
        } else {
            connection.contains("keep-alive")
        }
    }
}

impl Response {
    /// An answer without headers and body.
    #[must_use]
    pub fn new(status: u16) -> Self {
        let reason = http::StatusCode::from_u16(status)
            .ok()
            .and_then(|status| status.canonical_reason());
        Self {
            status,
            reason: reason.unwrap_or_default().to_owned(),
            headers: Vec::new(),
            body: Body::Bytes(Bytes::new()),
        }
    }

    /// 200 with a body.
    #[must_use]
    pub fn ok(body: impl Into<Bytes>) -> Self {
        Self::new(200).body(Body::Bytes(body.into()))
    }

    /// 101, behind which the server sends the frames of the WebSocket back until it is closed.
    #[must_use]
    pub fn websocket(request: &Request) -> Self {
        let key = request.header("sec-websocket-key").unwrap_or_default();
        let mut hash = Sha1::new();
        hash.update(key);
        hash.update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
        Self::new(101)
            .header("Upgrade", "websocket")
            .header("Connection", "Upgrade")
            .header("Sec-WebSocket-Accept", BASE64.encode(hash.finalize()))
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }

    fn has(&self, name: &str) -> bool {
        self.headers
            .iter()
            .any(|(header, _)| header.eq_ignore_ascii_case(name))
    }

    fn closes(&self) -> bool {
        let is_close = |(name, value): &(String, String)| {
            name.eq_ignore_ascii_case("connection") && value.to_ascii_lowercase().contains("close")
        };
        self.headers.iter().any(is_close)
    }

    fn head(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, self.reason);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let bodiless = self.status < 200 || self.status == 204 || self.status == 304;
        if !bodiless && !self.has("content-length") && !self.has("transfer-encoding") {
            match &self.body {
                Body::Bytes(body) => head.push_str(&format!("Content-Length: {}\r\n", body.len())),
                Body::Repeat { length, .. } => {
                    head.push_str(&format!("Content-Length: {length}\r\n"))
                }
                Body::Chunked(_) => head.push_str("Transfer-Encoding: chunked\r\n"),
            }
        }
        head.push_str("\r\n");
        head.into_bytes()
    }
}

/// Where clients connect to.
trait Listener: Send + Sync + 'static {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Gives the next connection.
    fn accept(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<TcpStream> {
        let (stream, _) = Self::accept(self).await?;
        _ = stream.set_nodelay(true);
        Ok(stream)
    }
}

impl Listener for UnixListener {
    type Stream = UnixStream;

    async fn accept(&self) -> io::Result<UnixStream> {
        Ok(Self::accept(self).await?.0)
    }
}

async fn accept<H, F>(
    listener: impl Listener,
    tls: Option<TlsAcceptor>,
    handler: Arc<H>,
    counts: Arc<watch::Sender<Connections>>,
) where
    H: Fn(Request) -> F + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    let mut serving = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok(stream) = accepted else {
                    continue;
                };
                counts.send_modify(|now| {
                    now.accepted += 1;
                    now.open += 1;
                });
                let open = Open(counts.clone());
                serving.spawn(serve(stream, tls.clone(), handler.clone(), open));
            }
            Some(_) = serving.join_next() => {}
        }
    }
}

/// Counts a connection as open until it is dropped.
struct Open(Arc<watch::Sender<Connections>>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.send_modify(|now| now.open -= 1);
    }
}

/// Serves a connection to its end; that the client leaves is no error.
async fn serve<S, H, F>(stream: S, tls: Option<TlsAcceptor>, handler: Arc<H>, open: Open)
where
    S: AsyncRead + AsyncWrite + Unpin,
    H: Fn(Request) -> F,
    F: Future<Output = Response>,
{
    _ = match tls {
        None => Connection::new(stream).serve(&*handler).await,
        Some(tls) => serve_tls(stream, tls, &*handler, &open).await,
    };
    // First the socket, then the count: who has waited for the count sees the port closed.
    drop(open);
}

async fn serve_tls<F: Future<Output = Response>>(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    tls: TlsAcceptor,
    handler: &impl Fn(Request) -> F,
    open: &Open,
) -> io::Result<()> {
    let stream = tls.accept(stream).await?;
    if stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed) {
        open.0.send_modify(|now| now.resumed += 1);
    }
    let mut connection = Connection::new(stream);
    connection.serve(handler).await?;
    connection.stream.shutdown().await
}

struct Connection<S> {
    stream: S,
    input: BytesMut,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    fn new(stream: S) -> Self {
        Self {
            stream,
            input: BytesMut::new(),
        }
    }

    async fn serve<F: Future<Output = Response>>(
        &mut self,
        handler: &impl Fn(Request) -> F,
    ) -> io::Result<()> {
        while let Some(request) = self.read_request().await? {
            let keeps_alive = request.keeps_alive();
            let is_head = request.method == "HEAD";
            let response = tokio::select! {
                response = handler(request) => response,
                () = self.left() => return Ok(()),
            };
            self.write(&response, is_head).await?;
            self.stream.flush().await?;
            if response.status == 101 {
                return self.echo_frames().await;
            }
            if !keeps_alive || response.closes() {
                break;
            }
        }
        Ok(())
    }

    /// Sends the frames of a WebSocket back, not masked, until one closes it; answers pings.
    async fn echo_frames(&mut self) -> io::Result<()> {
        loop {
            let head = self.take(2).await?;
            let length = match head[1] & 0x7f {
                126 => usize::from(self.take(2).await?.get_u16()),
                127 => usize::try_from(self.take(8).await?.get_u64()).unwrap_or(usize::MAX),
                length => length.into(),
            };
            let mask = self.take(4).await?;
            let mut payload = self.take(length).await?.to_vec();
            for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
                *byte ^= mask;
            }
            let opcode = match head[0] & 0x0f {
                9 => 10,
                opcode => opcode,
            };
            let mut frame = vec![head[0] & 0xf0 | opcode];
            match payload.len() {
                length @ 0..126 => frame.push(length as u8),
                length @ 126..0x1_0000 => {
                    frame.push(126);
                    frame.put_u16(length as u16);
                }
                length => {
                    frame.push(127);
                    frame.put_u64(length as u64);
                }
            }
            frame.extend(payload);
            self.stream.write_all(&frame).await?;
            self.stream.flush().await?;
            if opcode == 8 {
                return Ok(());
            }
        }
    }

    /// Waits until the client has closed; for ever when it sends something first.
    async fn left(&mut self) {
        if let Ok(true) = self.receive().await {
            std::future::pending().await
        }
    }

    /// Reads a request; there is none when the client closes before its first byte.
    async fn read_request(&mut self) -> io::Result<Option<Request>> {
        let head_end = loop {
            if let Some(end) = self
                .input
                .windows(4)
                .position(|window| window == b"\r\n\r\n")
            {
                break end + 4;
            }
            if !self.receive().await? {
                return if self.input.is_empty() {
                    Ok(None)
                } else {
                    Err(io::ErrorKind::UnexpectedEof.into())
                };
            }
        };
        let head = self.input.split_to(head_end);
        let mut request =
            parse_head(&String::from_utf8_lossy(&head)).ok_or(io::ErrorKind::InvalidData)?;
        if request
            .header("expect")
            .is_some_and(|expect| expect.eq_ignore_ascii_case("100-continue"))
        {
            self.stream
                .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")
                .await?;
        }
        let chunked = request
            .header("transfer-encoding")
            .is_some_and(|coding| coding.contains("chunked"));
        if chunked {
            request.body = self.read_chunks().await?;
        } else if let Some(length) = request.header("content-length") {
            let length = length.parse().map_err(|_| io::ErrorKind::InvalidData)?;
            request.body = self.take(length).await?;
        }
        Ok(Some(request))
    }

    async fn read_chunks(&mut self) -> io::Result<Bytes> {
        let mut body = BytesMut::new();
        loop {
            let line = self.take_line().await?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).map_err(|_| io::ErrorKind::InvalidData)?;
            if size == 0 {
                while !self.take_line().await?.is_empty() {}
                return Ok(body.freeze());
            }
            body.extend(self.take(size).await?);
            if !self.take_line().await?.is_empty() {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
    }

    async fn take_line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.input.windows(2).position(|window| window == b"\r\n") {
                let line = self.input.split_to(end + 2);
                return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            self.receive_more().await?;
        }
    }

    async fn take(&mut self, length: usize) -> io::Result<Bytes> {
        while self.input.len() < length {
            self.input.reserve(length - self.input.len());
            self.receive_more().await?;
        }
        Ok(self.input.split_to(length).freeze())
    }

    async fn receive_more(&mut self) -> io::Result<()> {
        if self.receive().await? {
            Ok(())
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }

    async fn receive(&mut self) -> io::Result<bool> {
        self.input.reserve(64 * 1024);
        Ok(self.stream.read_buf(&mut self.input).await? > 0)
    }

    async fn write(&mut self, response: &Response, is_head: bool) -> io::Result<()> {
        let mut head = response.head();
        match &response.body {
            _ if is_head => self.stream.write_all(&head).await,
            // One packet where it fits into one.
            Body::Bytes(body) if body.len() < 64 * 1024 => {
                head.extend_from_slice(body);
                self.stream.write_all(&head).await
            }
            Body::Bytes(body) => {
                self.stream.write_all(&head).await?;
                self.stream.write_all(body).await
            }
            Body::Repeat { block, length } => {
                self.stream.write_all(&head).await?;
                let mut left = *length;
                while left > 0 && !block.is_empty() {
                    let piece = block.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                    self.stream.write_all(&block[..piece]).await?;
                    left -= piece as u64;
                }
                Ok(())
            }
            Body::Chunked(chunks) => {
                self.stream.write_all(&head).await?;
                for chunk in chunks.iter().filter(|chunk| !chunk.is_empty()) {
                    let line = format!("{:x}\r\n", chunk.len());
                    self.stream
                        .write_all(&[line.as_bytes(), chunk, b"\r\n"].concat())
                        .await?;
                }
                self.stream.write_all(b"0\r\n\r\n").await
            }
        }
    }
}

fn parse_head(head: &str) -> Option<Request> {
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    let mut headers = Vec::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    Some(Request {
        method: method.to_owned(),
        target: target.to_owned(),
        http11: version == "HTTP/1.1",
        headers,
        body: Bytes::new(),
    })
}
