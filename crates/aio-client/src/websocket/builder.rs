//! A WebSocket that is about to be opened.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::time::Duration;

use aio_connector::{BoxFuture, IntoProxy, TlsConfig};
use aio_core::{BasicAuth, IntoParams, IntoUrl};
use aio_ws::{DeflateParams, WindowBits};

use super::options::{ClientWsTimeout, WsOptions};
use super::{ClientWebSocketResponse, ReconnectingWebSocket, connect};
use crate::error::ClientError;
use crate::request::RequestBuilder;
use crate::session::ClientSession;

/// A WebSocket about to be opened; awaiting it opens it.
///
/// The request for it is one as any other of its session: it has the session's headers,
/// cookies, credentials and proxy, goes through its middlewares, follows redirects, and takes
/// one of its connector's connections, which counts in the limits as long as the WebSocket
/// has it. Of the session's timeouts, `total` bounds the handshake, and none what comes later.
/// If the session takes responses with a status of 400 or more for errors, such an answer is
/// one, else each but 101 is a
/// [`WsHandshake`](crate::ResponseErrorKind::WsHandshake).
///
/// ```
/// # async fn run(session: aio_client::ClientSession) -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use aio_client::CloseCode;
///
/// let mut ws = session
///     .ws_connect("ws://127.0.0.1:8080/feed")
///     .protocols(["v2", "v1"])
///     .heartbeat(Duration::from_secs(20))
///     .compress(15)
///     .await?;
/// println!("{:?} {}", ws.protocol(), ws.compress());
/// ws.close(CloseCode::OK, "done").await;
/// # Ok(())
/// # }
/// ```
#[must_use = "a WebSocket is opened when it is awaited"]
pub struct WsRequestBuilder {
    pub(super) session: ClientSession,
    request: RequestBuilder,
    options: WsOptions,
}

impl WsRequestBuilder {
    pub(super) fn new(session: ClientSession, url: impl IntoUrl) -> Self {
        let request = session.get(url).read_until_eof(false);
        Self {
            session,
            request,
            options: WsOptions::default(),
        }
    }

    /// Sets the method of the request; default GET, the only one that RFC 6455 knows.
    pub fn method(self, name: impl AsRef<str>) -> Self {
        self.with_request(|request| request.method(name.as_ref()))
    }

    /// Asks for one of these subprotocols, the one liked best first;
    /// [`protocol`](aio_ws::WebSocket::protocol) tells which the server chose.
    pub fn protocols<P: Into<String>>(self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.with(|options| {
            options.handshake.protocols = protocols.into_iter().map(Into::into).collect()
        })
    }

    /// Sets how long receiving and closing may take; default as long as it likes, and 10 s.
    ///
    /// ```
    /// # async fn run(session: aio_client::ClientSession) -> Result<(), aio_client::ClientError> {
    /// use std::time::Duration;
    /// use aio_client::ClientWsTimeout;
    ///
    /// let timeout = ClientWsTimeout {
    ///     ws_receive: Some(Duration::from_secs(60)),
    ///     ..ClientWsTimeout::default()
    /// };
    /// let ws = session.ws_connect("ws://127.0.0.1:8080/").timeout(timeout).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn timeout(self, timeout: ClientWsTimeout) -> Self {
        self.with(|options| options.timeout = timeout)
    }

    /// Sets whether a CLOSE of the server is answered by itself; default true. Else the
    /// WebSocket stays open until it is closed here.
    pub fn autoclose(self, autoclose: bool) -> Self {
        self.with(|options| options.config.autoclose = autoclose)
    }

    /// Sets whether pings are answered by themselves, and neither they nor pongs are given
    /// as messages; default true.
    pub fn autoping(self, autoping: bool) -> Self {
        self.with(|options| options.config.autoping = autoping)
    }

    /// Sends a ping whenever nothing has come for so long, and gives the connection up when
    /// nothing comes for half that time after it; default none.
    pub fn heartbeat(self, interval: impl Into<Option<Duration>>) -> Self {
        let interval = interval.into();
        self.with(|options| options.config.heartbeat = interval)
    }

    /// Sets the `Origin` header, which tells the server whose page it is that asks.
    pub fn origin(self, origin: impl Into<String>) -> Self {
        self.with(|options| options.handshake.origin = Some(origin.into()))
    }

    /// Offers the server to compress messages with a window of so many bits, 9 to 15; 0, the
    /// default, offers nothing. [`compress`](aio_ws::WebSocket::compress) tells what the
    /// server took of it.
    pub fn compress(self, window_bits: u8) -> Self {
        // WS-06: it is the server's window that is asked for.
        match WindowBits::new(window_bits) {
            Ok(server_max_window_bits) => self.deflate(DeflateParams {
                server_max_window_bits,
                ..DeflateParams::default()
            }),
            Err(_) if window_bits == 0 => self.deflate(None),
            Err(error) => self.with(|options| options.refused = Some(error)),
        }
    }

    /// Offers the server to compress messages so; default not at all.
    ///
    /// ```
    /// # async fn run(session: aio_client::ClientSession) -> Result<(), aio_client::ClientError> {
    /// use aio_client::DeflateParams;
    ///
    /// // Less memory on both sides.
    /// let params = DeflateParams {
    ///     server_no_context_takeover: true,
    ///     client_no_context_takeover: true,
    ///     ..DeflateParams::default()
    /// };
    /// let ws = session.ws_connect("ws://127.0.0.1:8080/").deflate(params).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn deflate(self, params: impl Into<Option<DeflateParams>>) -> Self {
        let params = params.into();
        self.with(|options| options.handshake.deflate = params)
    }

    /// Sends messages shorter than so many bytes as they are, though compression was agreed
    /// on; default 0: all are compressed.
    pub fn min_compress_size(self, bytes: usize) -> Self {
        self.with(|options| options.config.min_compress_size = bytes)
    }

    /// Sets the size at which a message is too large, in bytes; default 4 MiB, 0 for any size.
    ///
    /// A message of this size is too large, too, as in aiohttp.
    pub fn max_msg_size(self, bytes: usize) -> Self {
        self.with(|options| options.config.max_msg_size = bytes)
    }

    /// Sets whether texts are checked to be UTF-8 and given as text; default true. Else they
    /// are given as bytes, as they come.
    pub fn decode_text(self, decode: bool) -> Self {
        self.with(|options| options.config.decode_text = decode)
    }

    /// Adds a header, as [`RequestBuilder::header`]; `Upgrade`, `Connection` and
    /// `Sec-WebSocket-Version` take the place of those that are sent else.
    pub fn header(self, name: impl AsRef<str>, value: impl AsRef<[u8]>) -> Self {
        self.with_request(|request| request.header(name, value))
    }

    /// Adds several headers.
    pub fn headers<N: AsRef<str>, V: AsRef<[u8]>>(
        self,
        headers: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        self.with_request(|request| request.headers(headers))
    }

    /// Appends parameters to the URL's query; aiohttp's `params`.
    pub fn query(self, params: impl IntoParams) -> Self {
        self.with_request(|request| request.query(params))
    }

    /// Sets the credentials of the `Authorization` header; aiohttp's `auth`.
    pub fn basic_auth(self, auth: BasicAuth) -> Self {
        self.with_request(|request| request.basic_auth(auth))
    }

    /// Goes through a proxy, as [`RequestBuilder::proxy`].
    pub fn proxy(self, proxy: impl IntoProxy) -> Self {
        self.with_request(|request| request.proxy(proxy))
    }

    /// Goes through no proxy, whatever the session and the environment say.
    pub fn no_proxy(self) -> Self {
        self.with_request(RequestBuilder::no_proxy)
    }

    /// Tells the proxy these credentials, as [`RequestBuilder::proxy_auth`].
    pub fn proxy_auth(self, auth: BasicAuth) -> Self {
        self.with_request(|request| request.proxy_auth(auth))
    }

    /// Sends the proxy a header, as [`RequestBuilder::proxy_header`].
    pub fn proxy_header(self, name: impl AsRef<str>, value: impl AsRef<[u8]>) -> Self {
        self.with_request(|request| request.proxy_header(name, value))
    }

    /// Sends the proxy several headers so.
    pub fn proxy_headers<N: AsRef<str>, V: AsRef<[u8]>>(
        self,
        headers: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        self.with_request(|request| request.proxy_headers(headers))
    }

    /// Sets how TLS is spoken, as [`RequestBuilder::tls`]; aiohttp's `ssl`.
    pub fn tls(self, tls: TlsConfig) -> Self {
        self.with_request(|request| request.tls(tls))
    }

    /// Sets the name that TLS asks the server for, as [`RequestBuilder::server_hostname`].
    pub fn server_hostname(self, name: impl Into<Box<str>>) -> Self {
        self.with_request(|request| request.server_hostname(name))
    }

    /// Opens the WebSocket.
    ///
    /// Awaiting the builder is the same, but boxes the future.
    ///
    /// # Errors
    /// Whatever the request fails with, or a
    /// [`WsHandshake`](crate::ResponseErrorKind::WsHandshake) if the answer opens no WebSocket.
    pub fn send(
        self,
    ) -> impl Future<Output = Result<ClientWebSocketResponse, ClientError>> + Send + 'static {
        connect::open(self.session, self.request, self.options)
    }

    /// Makes a WebSocket of it that is opened again whenever its connection is lost.
    ///
    /// ```
    /// # async fn run(session: aio_client::ClientSession) -> Result<(), aio_client::ReconnectError> {
    /// use std::time::Duration;
    ///
    /// let request = session.ws_connect("ws://127.0.0.1:8080/feed");
    /// let mut ws = request.heartbeat(Duration::from_secs(20)).reconnecting();
    /// while let Some(event) = ws.next_event().await? {
    ///     println!("{event:?}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn reconnecting(self) -> ReconnectingWebSocket {
        ReconnectingWebSocket::new(self)
    }

    /// Makes the same again.
    pub(super) fn try_clone(&self) -> Option<Self> {
        Some(Self {
            session: self.session.clone(),
            request: self.request.try_clone()?,
            options: self.options.clone(),
        })
    }

    fn with(mut self, change: impl FnOnce(&mut WsOptions)) -> Self {
        change(&mut self.options);
        self
    }

    fn with_request(mut self, change: impl FnOnce(RequestBuilder) -> RequestBuilder) -> Self {
        self.request = change(self.request);
        self
    }
}

impl IntoFuture for WsRequestBuilder {
    type Output = Result<ClientWebSocketResponse, ClientError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

impl fmt::Debug for WsRequestBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WsRequestBuilder")
            .field("request", &self.request)
            .field("options", &self.options)
            .finish()
    }
}
