//! The session: what requests share.

mod builder;
mod cookies;
mod head;
mod hops;
mod prepare;
mod proxy;
mod reading;
pub(crate) mod send;
mod tunnel;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aio_connector::{Connector, TcpConnector};
use aio_cookies::CookieStore;
use aio_core::{BasicAuth, ClientTimeout, Headers, IntoUrl, Params, RequestUrl};
use http::{Method, Version};

pub use self::builder::ClientSessionBuilder;
pub(crate) use self::send::Context;
use crate::env::Environment;
use crate::json::{JsonDeserialize, JsonSerialize};
use crate::middleware::Middleware;
use crate::options::{RaiseForStatus, RequestOptions};
use crate::request::{IntoRequest, RequestBuilder, method};
use crate::response::ResponseHead;
use crate::trace::TraceConfig;

/// Sends requests that share connections and defaults; aiohttp's `ClientSession`.
///
/// A handle: clones share everything. A response keeps its session alive; when the last
/// of both is gone, the connections are closed.
///
/// ```
/// # async fn run() -> Result<(), aio_client::ClientError> {
/// use aio_client::ClientSession;
///
/// let session = ClientSession::builder()
///     .base_url("http://127.0.0.1:8080/v1/")
///     .header("accept", "application/json")
///     .build()?;
/// let mut response = session.get("users").query([("page", "2")]).await?;
/// println!("{} {}", response.status(), response.url());
/// println!("{}", response.text().await?);
/// session.close().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ClientSession {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    connector: Arc<dyn Connector>,
    connector_owner: AtomicBool,
    cookie_jar: Arc<dyn CookieStore>,
    defaults: Defaults,
    middlewares: Arc<[Arc<dyn Middleware>]>,
    trace_configs: Vec<Arc<dyn TraceConfig>>,
    environment: Environment,
    trust_env: bool,
    closed: AtomicBool,
}

/// Finds a charset for text that names none: of the response's head and the body.
pub(crate) type FallbackCharset = Arc<dyn Fn(&ResponseHead, &[u8]) -> String + Send + Sync>;

/// What a request is given when it says nothing else.
pub(crate) struct Defaults {
    pub(crate) base_url: Option<RequestUrl>,
    pub(crate) headers: Headers,
    pub(crate) params: Vec<Params>,
    pub(crate) basic_auth: Option<BasicAuth>,
    pub(crate) options: Arc<RequestOptions>,
    pub(crate) json_serialize: Option<JsonSerialize>,
    pub(crate) json_deserialize: Option<JsonDeserialize>,
    pub(crate) fallback_charset: Option<FallbackCharset>,
}

impl ClientSession {
    /// Makes a session with the default settings and a connector of its own.
    pub fn new() -> Self {
        Self::builder().build_valid()
    }

    /// Returns the settings to make one with.
    pub fn builder() -> ClientSessionBuilder {
        ClientSessionBuilder::default()
    }

    /// Begins a request with any method, which is sent in upper case.
    pub fn request(&self, name: impl AsRef<str>, url: impl IntoUrl) -> RequestBuilder {
        RequestBuilder::new(self.clone(), method(name.as_ref()), url)
    }

    /// Begins a GET request.
    pub fn get(&self, url: impl IntoUrl) -> RequestBuilder {
        RequestBuilder::new(self.clone(), Ok(Method::GET), url)
    }

    /// Begins a HEAD request, whose redirects are not followed unless it is told to.
    pub fn head(&self, url: impl IntoUrl) -> RequestBuilder {
        let request = RequestBuilder::new(self.clone(), Ok(Method::HEAD), url);
        match self.defaults().options.redirects.allow {
            Some(_) => request,
            None => request.allow_redirects(false),
        }
    }

    /// Begins an OPTIONS request.
    pub fn options(&self, url: impl IntoUrl) -> RequestBuilder {
        RequestBuilder::new(self.clone(), Ok(Method::OPTIONS), url)
    }

    /// Begins a POST request.
    pub fn post(&self, url: impl IntoUrl) -> RequestBuilder {
        RequestBuilder::new(self.clone(), Ok(Method::POST), url)
    }

    /// Begins a PUT request.
    pub fn put(&self, url: impl IntoUrl) -> RequestBuilder {
        RequestBuilder::new(self.clone(), Ok(Method::PUT), url)
    }

    /// Begins a PATCH request.
    pub fn patch(&self, url: impl IntoUrl) -> RequestBuilder {
        RequestBuilder::new(self.clone(), Ok(Method::PATCH), url)
    }

    /// Begins a DELETE request.
    pub fn delete(&self, url: impl IntoUrl) -> RequestBuilder {
        RequestBuilder::new(self.clone(), Ok(Method::DELETE), url)
    }

    /// Begins a request of one that was built elsewhere: an [`http::Request`], or what
    /// [`RequestBuilder::build`] made.
    ///
    /// ```
    /// # async fn run(session: aio_client::ClientSession) -> Result<(), Box<dyn std::error::Error>> {
    /// let request = http::Request::post("http://127.0.0.1:8080/").body("text")?;
    /// let response = session.execute(request).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn execute(&self, request: impl IntoRequest) -> RequestBuilder {
        RequestBuilder::of(self.clone(), request)
    }

    /// Returns the connector.
    pub fn connector(&self) -> &Arc<dyn Connector> {
        &self.shared.connector
    }

    /// Returns the jar that keeps the cookies of responses.
    pub fn cookie_jar(&self) -> &Arc<dyn CookieStore> {
        &self.shared.cookie_jar
    }

    /// Returns the timeouts of requests that have none of their own.
    pub fn timeout(&self) -> ClientTimeout {
        self.shared.defaults.options.timeout
    }

    /// Returns the HTTP version of requests that name none.
    pub fn version(&self) -> Version {
        self.shared.defaults.options.version
    }

    /// Returns which responses are errors.
    pub fn raise_for_status(&self) -> &RaiseForStatus {
        &self.shared.defaults.options.raise_for_status
    }

    /// Tells whether bodies are decoded as their `Content-Encoding` says.
    pub fn auto_decompress(&self) -> bool {
        self.shared.defaults.options.auto_decompress
    }

    /// Tells whether the escapes of a redirect's location are normalised.
    pub fn requote_redirect_url(&self) -> bool {
        self.shared.defaults.options.redirects.requote
    }

    /// Returns the names of the headers that are not added by themselves.
    pub fn skip_auto_headers(&self) -> impl Iterator<Item = &str> {
        let names = self.shared.defaults.options.skip_auto_headers.iter();
        names.map(|name| &**name)
    }

    /// Tells whether the connector is closed with the session.
    pub fn connector_owner(&self) -> bool {
        self.shared.connector_owner.load(Ordering::Acquire)
    }

    /// Returns the headers that go with each request.
    pub fn headers(&self) -> &Headers {
        &self.shared.defaults.headers
    }

    /// Tells whether the environment is asked for proxies and credentials.
    pub fn trust_env(&self) -> bool {
        self.shared.trust_env
    }

    /// Returns what the session may learn from its process's environment.
    pub fn environment(&self) -> &Environment {
        &self.shared.environment
    }

    /// Tells whether it was closed, or its connector was.
    pub fn is_closed(&self) -> bool {
        self.shared.closed.load(Ordering::Acquire) || self.shared.connector.is_closed()
    }

    /// Closes the session, and its connector if it owns it; again does nothing.
    ///
    /// Idle connections are closed at once; reading on from a response fails, and so does
    /// each further request.
    pub async fn close(&self) {
        self.shared.closed.store(true, Ordering::Release);
        if self.connector_owner() {
            self.shared.connector.close();
        }
    }

    /// Closes the session, and gives its connector away open, for another session.
    ///
    /// ```
    /// use aio_client::ClientSession;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), aio_client::ClientError> {
    /// let first = ClientSession::new();
    /// let second = ClientSession::builder().connector(first.detach()).build()?;
    /// assert!(first.is_closed() && !second.is_closed());
    /// # Ok(()) }
    /// ```
    pub fn detach(&self) -> Arc<dyn Connector> {
        self.shared.connector_owner.store(false, Ordering::Release);
        self.shared.closed.store(true, Ordering::Release);
        Arc::clone(&self.shared.connector)
    }

    /// Closes the session to new requests, and its connector if it owns it; requests
    /// that have a connection have until `limit` to come to their end, then they fail;
    /// those that wait for one fail at once.
    ///
    /// ```
    /// # async fn run(session: aio_client::ClientSession) {
    /// session.close_within(std::time::Duration::from_secs(5)).await;
    /// assert!(session.is_closed());
    /// # }
    /// ```
    pub async fn close_within(&self, limit: Duration) {
        self.shared.closed.store(true, Ordering::Release);
        if self.connector_owner() {
            self.shared.connector.close_within(limit).await;
        }
    }

    pub(crate) fn defaults(&self) -> &Defaults {
        &self.shared.defaults
    }

    pub(crate) fn middlewares(&self) -> &Arc<[Arc<dyn Middleware>]> {
        &self.shared.middlewares
    }

    pub(crate) fn trace_configs(&self) -> &[Arc<dyn TraceConfig>] {
        &self.shared.trace_configs
    }
}

impl Default for ClientSession {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ClientSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSession")
            .field("connections", &self.shared.connector.stats())
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if *self.connector_owner.get_mut() {
            self.connector.close();
        }
    }
}

/// Begins a request in a session of its own, whose one connection is closed with the
/// response; aiohttp's `aiohttp.request`.
///
/// ```
/// # async fn run() -> Result<(), aio_client::ClientError> {
/// let mut response = aio_client::request("GET", "http://127.0.0.1:8080/").await?;
/// println!("{}", response.text().await?);
/// # Ok(())
/// # }
/// ```
pub fn request(method: impl AsRef<str>, url: impl IntoUrl) -> RequestBuilder {
    // Nothing contradicts this one setting.
    let connector = TcpConnector::builder()
        .force_close(true)
        .build()
        .unwrap_or_default();
    let session = ClientSession::builder().connector(connector).build_valid();
    session.request(method, url)
}
