//! An HTTP client session: aiohttp for Rust.
//!
//! ```
//! # async fn run() -> Result<(), aio_client::ClientError> {
//! use std::time::Duration;
//! use aio_client::{ClientSession, ClientTimeout, TcpConnector};
//!
//! let session = ClientSession::builder()
//!     .base_url("http://127.0.0.1:8080/v1/")
//!     .timeout(ClientTimeout::total(Duration::from_secs(30)))
//!     .connector(TcpConnector::builder().limit(100).limit_per_host(10).build()?)
//!     .build()?;
//! let mut response = session.get("users").query([("page", "2")]).await?;
//! let users: Vec<String> = response.raise_for_status()?.json().await?;
//! println!("{} {} {}", response.status(), response.url(), users.len());
//! # Ok(())
//! # }
//! ```
//!
//! Who knows aiohttp finds its names in [`docs::from_aiohttp`].

#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod backoff;
#[cfg(feature = "charset")]
mod charset;
mod codings;
mod content;
mod deadline;
pub mod docs;
mod env;
mod error;
mod event_source;
mod file;
mod form;
mod json;
mod middleware;
mod multipart;
mod netrc;
mod no_proxy;
mod options;
mod proxy;
mod reader;
mod redirect;
mod request;
mod response;
mod retry;
mod session;
mod trace;
mod websocket;

pub use aio_connector as connector;
pub use aio_cookies as cookies;
pub use aio_core as wire;
pub use aio_ws as ws;

pub use aio_connector::{
    AddressFamily, AddressFilter, Attempt, BoxFuture, CachedHost, CertificateProblem, ConnectError,
    ConnectErrorKind, ConnectEvent, ConnectRequest, Connection, ConnectionError, ConnectionInfo,
    ConnectionKey, Connector, Dial, DialAttempt, Evictions, FixedResolver, IntoProxy, KeyStats,
    PartialHead, Phase, PooledConnector, PooledConnectorBuilder, Proxy, ProxyError, Resolved,
    Resolver, ReuseOrder, SettingsError, Stats, SystemResolver, TcpConnector, TcpConnectorBuilder,
    TcpDialer, TcpKeepalive, Timings, TlsConfig, TlsConfigError, TlsInfo, TlsProblem, TlsVersion,
    Transport, TunnelAnswer, TunnelRefusal,
};
#[cfg(feature = "__tls")]
pub use aio_connector::{Fingerprint, TlsConfigBuilder};
#[cfg(feature = "hickory-dns")]
pub use aio_connector::{HickoryResolver, NameServer};
#[cfg(windows)]
pub use aio_connector::{NamedPipeConnector, NamedPipeConnectorBuilder, NamedPipeDialer};
#[cfg(feature = "socks")]
pub use aio_connector::{SocksError, SocksReply};
#[cfg(unix)]
pub use aio_connector::{UnixConnector, UnixConnectorBuilder, UnixDialer};
pub use aio_cookies::{
    Cookie, CookieError, CookieFileError, CookieFileProblem, CookieFormat, CookieJar,
    CookieJarOptions, CookieLimits, CookiePair, CookieRequest, CookieSite, CookieStore,
    CookieStyle, Domain, DomainAttribute, DummyCookieJar, Profile, SameSite, SetCookie,
    default_path, parse_date, path_match, read_cookies,
};
pub use aio_core::coding::Coding;
pub use aio_core::form::FormError;
pub use aio_core::http1::Limits;
pub use aio_core::text::OnError;
pub use aio_core::{
    AuthEncoding, BasicAuth, BasicAuthError, Body, BoxError, ClientTimeout, ContentDisposition,
    ContentType, EventParser, EventTooLong, HeaderError, HeaderRef, HeaderView, Headers, HttpError,
    IntoParams, IntoUrl, Link, MultiDict, MultipartError, MultipartLimits, MultipartWriter,
    ParamError, ParamValue, Params, PayloadError, RequestUrl, Scheme, ServerSentEvent,
    UploadProgress, UrlError, UrlErrorKind,
};

pub use aio_ws::{
    CloseCode, CloseFrame, DeflateParams, HandshakeCheck, ProtocolError, WebSocket, WindowBits,
    WsError, WsMessage, WsMsgType, WsReader, WsText, WsWriter,
};

#[cfg(feature = "charset")]
pub use self::charset::detect_charset;
pub use self::content::Content;
pub use self::env::Environment;
pub use self::error::{
    ClientError, ClientPayloadError, ClientReadError, ClientResponseError, ReadError,
    ResponseErrorKind, UsageError,
};
pub use self::event_source::EventSource;
pub use self::file::FileBody;
pub use self::form::{FormData, FormPart, random_boundary};
pub use self::json::{JsonTarget, JsonValue, python_json};
pub use self::middleware::{Middleware, Next};
pub use self::multipart::{BodyPart, MultipartReader};
pub use self::options::{JudgeResponse, RaiseForStatus};
pub use self::reader::ReaderBody;
pub use self::redirect::{RedirectAction, RedirectHop, RedirectPolicy};
pub use self::request::{ClientRequest, IntoRequest, RequestBuilder};
pub use self::response::{
    ClientResponse, EventOptions, EventStream, JsonOptions, RequestInfo, ResponseHead, TextOptions,
};
pub use self::retry::ConnectionRetry;
pub use self::session::{ClientSession, ClientSessionBuilder, request};
pub use self::trace::{Event, RequestTrace, TraceConfig, TraceStart};
pub use self::websocket::{
    ClientWebSocketResponse, ClientWsTimeout, ReconnectError, ReconnectingWebSocket, Unconfirmed,
    WsConnection, WsEvent, WsRequestBuilder, ws_connect,
};

/// The traits to have in scope.
pub mod prelude {
    pub use crate::{
        Connector, CookieStore, Dial, IntoParams, IntoProxy, IntoRequest, IntoUrl, Middleware,
        RequestTrace, Resolver, TraceConfig,
    };
}

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
