//! Asks for a WebSocket over a stream.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;

use bytes::BytesMut;
use http::Request;
use http::header::{HOST, HeaderName, HeaderValue};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};

use super::{HandshakeError, head, random};
use crate::{
    ClientHandshake, DeflateParams, HandshakeOptions, Protocol, Role, WebSocket, WsConfig,
    WsTimeout,
};

/// Opens a WebSocket over a stream that leads to a server: TCP, TLS, a Unix socket, a pipe.
///
/// The request has the target and what headers there are to be beside those of the handshake.
/// `Host` is its authority, unless there is such a header. The target is sent as path and
/// query: proxies and redirects are for the caller.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (stream, other) = tokio::io::duplex(1024);
/// # let server = tokio::spawn(async move {
/// #     let mut server = aio_ws::server(other).protocols(["chat"]).await?;
/// #     server.send_str("hello").await?;
/// #     Ok::<_, Box<dyn std::error::Error + Send + Sync>>(server)
/// # });
/// let request = http::Request::get("ws://example.org/chat").body(())?;
/// let mut socket = aio_ws::client(stream, request)
///     .protocols(["chat", "superchat"])
///     .deflate(aio_ws::DeflateParams::default())
///     .await?;
/// assert_eq!(socket.receive_str().await?, "hello");
/// # assert!(server.await?.is_ok());
/// # Ok(())
/// # }
/// ```
pub fn client<S: AsyncRead + AsyncWrite + Unpin>(stream: S, request: Request<()>) -> Client<S> {
    Client {
        stream,
        request,
        options: HandshakeOptions::default(),
        config: WsConfig::default(),
        timeout: WsTimeout::default(),
    }
}

/// A WebSocket to be opened; made by [`client`]. `await` opens it, and so does
/// [`connect`](Self::connect), without a box.
///
/// Nothing bounds how long the server may take: that is for `tokio::time::timeout`.
#[must_use = "nothing is sent before it is awaited"]
pub struct Client<S> {
    stream: S,
    request: Request<()>,
    options: HandshakeOptions,
    config: WsConfig,
    timeout: WsTimeout,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// Asks for one of these subprotocols, those that are liked best first. Default: none.
    pub fn protocols(mut self, protocols: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.options.protocols = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// Sends this `Origin`. Default: none.
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.options.origin = Some(origin.into());
        self
    }

    /// Proposes to compress messages. Default: no compression.
    pub fn deflate(mut self, offer: DeflateParams) -> Self {
        self.options.deflate = Some(offer);
        self
    }

    /// Sets how the socket behaves once it is open. What it says of compression is replaced by
    /// what the server agrees to. A heartbeat begins with [`WebSocket::start_heartbeat`].
    pub fn config(mut self, config: WsConfig) -> Self {
        self.config = config;
        self
    }

    /// Sets how long the open socket waits for its peer.
    pub fn timeout(mut self, timeout: WsTimeout) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sends the request and checks the answer.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::Refused`] when the answer opens no WebSocket,
    /// [`HandshakeError::InvalidRequest`] before anything is sent, and what else can go wrong
    /// while the answer is read.
    pub async fn connect(self) -> Result<WebSocket<S>, HandshakeError> {
        let Self {
            mut stream,
            request,
            options,
            config,
            timeout,
        } = self;
        let handshake = ClientHandshake::new(random()?, options);
        stream.write_all(&head_of(&request, &handshake)?).await?;
        stream.flush().await?;

        let mut buffer = BytesMut::new();
        let response = head::read_response(&mut stream, &mut buffer).await?;
        let status = response.status();
        let negotiated = match handshake.check(status, response.headers()) {
            Ok(negotiated) => negotiated,
            Err(check) => {
                let headers = Box::new(response.into_parts().0.headers);
                return Err(HandshakeError::Refused {
                    status,
                    headers,
                    check,
                });
            }
        };

        let config = WsConfig {
            deflate: negotiated.deflate,
            ..config
        };
        let mut protocol = Protocol::new(Role::Client, config, random()?);
        protocol.receive(&buffer);
        Ok(WebSocket::new(stream, protocol)
            .with_negotiated(negotiated)
            .with_timeout(timeout))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> IntoFuture for Client<S> {
    type Output = Result<WebSocket<S>, HandshakeError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.connect())
    }
}

impl<S> fmt::Debug for Client<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Secrets may stand in all that the user has put into the request.
        f.debug_struct("Client")
            .field("host", &self.request.uri().host())
            .field("options", &self.options)
            .field("config", &self.config)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// Writes the head of the request: what the user has, then the handshake's (WS-05).
fn head_of(request: &Request<()>, handshake: &ClientHandshake) -> Result<Vec<u8>, HandshakeError> {
    let uri = request.uri();
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let mut head = format!("{} {target} HTTP/1.1\r\n", request.method()).into_bytes();

    let headers = request.headers();
    let host = match (headers.get(HOST), uri.host()) {
        (Some(host), _) => host.clone(),
        (None, Some(host)) => {
            let port = uri.port().map_or(String::new(), |port| format!(":{port}"));
            HeaderValue::try_from(format!("{host}{port}"))
                .map_err(|_| HandshakeError::InvalidRequest("host"))?
        }
        (None, None) => return Err(HandshakeError::InvalidRequest("host")),
    };
    head::write_header(&mut head, "Host", &host);

    let ours: Vec<_> = handshake.headers().collect();
    let is_ours = |name: &HeaderName| {
        let mut ours = ours.iter();
        ours.any(|(ours, _)| name.as_str().eq_ignore_ascii_case(ours))
    };
    for (name, value) in headers {
        if name != HOST && !is_ours(name) {
            head::write_header(&mut head, name.as_str(), value);
        }
    }
    for (name, value) in ClientHandshake::DEFAULT_HEADERS {
        if !headers.contains_key(name) {
            head::write_header(&mut head, name, &HeaderValue::from_static(value));
        }
    }
    for (name, value) in ours {
        let value = HeaderValue::try_from(value);
        let value = value.map_err(|_| HandshakeError::InvalidRequest(name))?;
        head::write_header(&mut head, name, &value);
    }
    head.extend_from_slice(b"\r\n");
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(request: &Request<()>, options: HandshakeOptions) -> Result<String, String> {
        let handshake = ClientHandshake::new(*b"the sample nonce", options);
        match head_of(request, &handshake) {
            Ok(head) => Ok(String::from_utf8(head).expect("ASCII")),
            Err(error) => Err(error.to_string()),
        }
    }

    fn get(url: &str) -> http::request::Builder {
        Request::get(url)
    }

    const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

    #[track_caller]
    fn check_start(request: http::request::Builder, want: &str) {
        let request = request.body(()).expect("valid");
        let head = head(&request, HandshakeOptions::default()).expect("valid");
        assert!(head.starts_with(want), "{head}");
    }

    #[test]
    fn the_target_is_path_and_query() {
        check_start(
            get("ws://a.test/b?c"),
            "GET /b?c HTTP/1.1\r\nHost: a.test\r\nUpgrade",
        );
        check_start(
            get("ws://a.test:81"),
            "GET / HTTP/1.1\r\nHost: a.test:81\r\nUpgrade",
        );
        check_start(
            get("ws://u:p@[::1]:80/"),
            "GET / HTTP/1.1\r\nHost: [::1]:80\r\n",
        );
        check_start(
            get("/x").header("host", "h"),
            "GET /x HTTP/1.1\r\nHost: h\r\nUpgrade",
        );
    }

    // SPEC 18.1, WS-05.
    #[test]
    fn headers_come_in_the_order_of_aiohttp() {
        let request = get("ws://a.test/")
            .header("x", "y")
            .body(())
            .expect("valid");
        let options = HandshakeOptions {
            protocols: vec!["a".to_owned(), "b".to_owned()],
            origin: Some("http://o".to_owned()),
            deflate: Some(DeflateParams::default()),
        };
        let want = format!(
            "GET / HTTP/1.1\r\nHost: a.test\r\nx: y\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n{KEY}\
             Sec-WebSocket-Protocol: a,b\r\nOrigin: http://o\r\n\
             Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
        );
        assert_eq!(head(&request, options), Ok(want));
    }

    // EDGE-274.
    #[test]
    fn the_users_version_stays_and_the_users_key_does_not() {
        let request = get("ws://a.test/")
            .header("Sec-WebSocket-Version", "8")
            .header("Sec-WebSocket-Key", "mine")
            .body(())
            .expect("valid");
        let want = format!(
            "GET / HTTP/1.1\r\nHost: a.test\r\nsec-websocket-version: 8\r\n\
             Upgrade: websocket\r\nConnection: Upgrade\r\n{KEY}\r\n"
        );
        assert_eq!(head(&request, HandshakeOptions::default()), Ok(want));
    }

    #[test]
    fn what_would_break_the_head_is_not_sent() {
        let request = || get("ws://a.test/").body(()).expect("valid");
        let refused = |name| Err(HandshakeError::InvalidRequest(name).to_string());
        let protocol = HandshakeOptions {
            protocols: vec!["a\r\nb: c".to_owned()],
            ..HandshakeOptions::default()
        };
        assert_eq!(
            head(&request(), protocol),
            refused("Sec-WebSocket-Protocol")
        );
        let origin = HandshakeOptions {
            origin: Some("\n".to_owned()),
            ..HandshakeOptions::default()
        };
        assert_eq!(head(&request(), origin), refused("Origin"));
        let nowhere = get("/").body(()).expect("valid");
        assert_eq!(head(&nowhere, HandshakeOptions::default()), refused("host"));
    }
}
