//! Answers a client that asks for a WebSocket over a stream.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;

use bytes::BytesMut;
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderValue};
use http::{Request, Response};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};

use super::{HandshakeError, head, random};
use crate::{
    DeflateParams, HandshakeOptions, Negotiated, Protocol, Role, WebSocket, WsConfig, WsTimeout,
    handshake,
};

/// Opens a WebSocket over a stream that comes from a client.
///
/// One that wants to see the request first takes [`Server::read_request`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (stream, other) = tokio::io::duplex(1024);
/// # let client = tokio::spawn(async move {
/// #     let request = http::Request::get("ws://a.test/chat").body(())?;
/// #     let mut client = aio_ws::client(other, request).await?;
/// #     client.send_str("hello").await?;
/// #     Ok::<_, Box<dyn std::error::Error + Send + Sync>>(client)
/// # });
/// let asked = aio_ws::server(stream).read_request().await?;
/// assert_eq!(asked.request().uri().path(), "/chat");
/// let mut socket = asked.accept().await?;
/// assert_eq!(socket.receive_str().await?, "hello");
/// # assert!(client.await?.is_ok());
/// # Ok(())
/// # }
/// ```
pub fn server<S: AsyncRead + AsyncWrite + Unpin>(stream: S) -> Server<S> {
    Server {
        stream,
        options: HandshakeOptions::default(),
        config: WsConfig::default(),
        timeout: WsTimeout::default(),
    }
}

/// A client's stream to be answered; made by [`server`]. `await` takes what it asks for.
///
/// Nothing bounds how long the client may take: that is for `tokio::time::timeout`.
#[derive(Debug)]
#[must_use = "nothing is read before it is awaited"]
pub struct Server<S> {
    stream: S,
    options: HandshakeOptions,
    config: WsConfig,
    timeout: WsTimeout,
}

/// A client that asks for a WebSocket; dropped, it gets no answer.
pub struct Asked<S> {
    server: Server<S>,
    request: Request<()>,
    response: Response<()>,
    negotiated: Negotiated,
    behind: BytesMut,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Server<S> {
    /// Speaks these subprotocols; the client's first among them is taken. Default: none.
    pub fn protocols(mut self, protocols: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.options.protocols = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// Compresses messages for clients that propose it. Default: no compression.
    pub fn deflate(mut self, wanted: DeflateParams) -> Self {
        self.options.deflate = Some(wanted);
        self
    }

    /// Sets how the socket behaves once it is open. What it says of compression is replaced by
    /// what the client proposes. A heartbeat begins with [`WebSocket::start_heartbeat`].
    pub fn config(mut self, config: WsConfig) -> Self {
        self.config = config;
        self
    }

    /// Sets how long the open socket waits for its peer.
    pub fn timeout(mut self, timeout: WsTimeout) -> Self {
        self.timeout = timeout;
        self
    }

    /// Reads what the client asks for.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::NotAsked`] when it is no WebSocket, which is answered then; and what
    /// else can go wrong while the request is read.
    pub async fn read_request(mut self) -> Result<Asked<S>, HandshakeError> {
        let mut behind = BytesMut::new();
        let request = head::read_request(&mut self.stream, &mut behind).await?;
        match handshake::accept(&request, &self.options) {
            Ok((response, negotiated)) => Ok(Asked {
                server: self,
                request,
                response,
                negotiated,
                behind,
            }),
            Err(check) => {
                refuse(&mut self.stream, check.response()).await?;
                Err(HandshakeError::NotAsked(check))
            }
        }
    }

    /// Reads what the client asks for, and takes it.
    ///
    /// # Errors
    ///
    /// As [`read_request`](Self::read_request) and [`Asked::accept`].
    pub async fn accept(self) -> Result<WebSocket<S>, HandshakeError> {
        self.read_request().await?.accept().await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Asked<S> {
    /// Returns the request.
    pub fn request(&self) -> &Request<()> {
        &self.request
    }

    /// Returns the headers of the answer, for more of them.
    pub fn headers_mut(&mut self) -> &mut http::HeaderMap {
        self.response.headers_mut()
    }

    /// Opens the WebSocket.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::Io`] when the answer cannot be sent.
    pub async fn accept(self) -> Result<WebSocket<S>, HandshakeError> {
        let Server {
            mut stream,
            config,
            timeout,
            ..
        } = self.server;
        stream.write_all(&head_of(&self.response)).await?;
        stream.flush().await?;
        let config = WsConfig {
            deflate: self.negotiated.deflate,
            ..config
        };
        let mut protocol = Protocol::new(Role::Server, config, random()?);
        protocol.receive(&self.behind);
        Ok(WebSocket::new(stream, protocol)
            .with_negotiated(self.negotiated)
            .with_timeout(timeout))
    }

    /// Answers something else, without a body, and ends the stream.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::Io`] when the answer cannot be sent.
    pub async fn refuse(mut self, response: Response<()>) -> Result<(), HandshakeError> {
        refuse(&mut self.server.stream, response).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> IntoFuture for Server<S> {
    type Output = Result<WebSocket<S>, HandshakeError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.accept())
    }
}

impl<S> fmt::Debug for Asked<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not what is said behind the request, nor what the user answers.
        f.debug_struct("Asked")
            .field("request", &self.request)
            .field("negotiated", &self.negotiated)
            .finish_non_exhaustive()
    }
}

async fn refuse<S: AsyncWrite + Unpin>(
    stream: &mut S,
    mut response: Response<()>,
) -> Result<(), HandshakeError> {
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    stream.write_all(&head_of(&response)).await?;
    stream.shutdown().await?;
    Ok(())
}

fn head_of(response: &Response<()>) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {}\r\n", response.status()).into_bytes();
    for (name, value) in response.headers() {
        head::write_header(&mut head, name.as_str(), value);
    }
    head.extend_from_slice(b"\r\n");
    head
}
