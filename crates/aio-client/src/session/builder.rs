//! The settings of a session.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use aio_connector::{Connector, TcpConnector, TlsConfig};
use aio_cookies::{CookieJar, CookieStore};
use aio_core::coding::Coding;
use aio_core::http1::Limits;
use aio_core::{BasicAuth, BoxError, ClientTimeout, Headers, IntoParams, IntoUrl};
use http::Version;

use super::{ClientSession, Defaults, Shared};
use crate::env::Environment;
use crate::error::{ClientError, UsageError};
use crate::json::{JsonTarget, JsonValue};
use crate::middleware::Middleware;
use crate::options::{RaiseForStatus, RequestOptions, encodable};
use crate::redirect::RedirectPolicy;
use crate::request::check_version;
use crate::response::ResponseHead;
use crate::retry::ConnectionRetry;
use crate::trace::TraceConfig;

/// Settings of a [`ClientSession`]; the first mistake is what [`build`](Self::build)
/// fails with.
#[must_use]
pub struct ClientSessionBuilder {
    defaults: Defaults,
    connector: Option<Arc<dyn Connector>>,
    connector_owner: bool,
    cookie_jar: Option<Arc<dyn CookieStore>>,
    cookies: Vec<(String, String)>,
    middlewares: Vec<Arc<dyn Middleware>>,
    trace_configs: Vec<Arc<dyn TraceConfig>>,
    environment: Option<Environment>,
    trust_env: bool,
    error: Option<ClientError>,
}

impl Default for ClientSessionBuilder {
    fn default() -> Self {
        Self {
            defaults: Defaults {
                base_url: None,
                headers: Headers::new(),
                options: Arc::default(),
                params: Vec::new(),
                basic_auth: None,
                json_serialize: None,
                json_deserialize: None,
                fallback_charset: None,
            },
            connector: None,
            connector_owner: true,
            cookie_jar: None,
            cookies: Vec::new(),
            middlewares: Vec::new(),
            trace_configs: Vec::new(),
            environment: None,
            trust_env: false,
            error: None,
        }
    }
}

impl ClientSessionBuilder {
    /// Joins relative URLs of requests to `url`, whose path must end with `/`.
    ///
    /// ```
    /// use aio_client::ClientSession;
    ///
    /// let session = ClientSession::builder().base_url("http://127.0.0.1:8080/v1/").build()?;
    /// let request = session.get("users").build()?;
    /// assert_eq!(request.url().as_str(), "http://127.0.0.1:8080/v1/users");
    /// # Ok::<(), aio_client::ClientError>(())
    /// ```
    pub fn base_url(mut self, url: impl IntoUrl) -> Self {
        let base = url
            .into_url()
            .and_then(|url| url.check_base().map(|()| url));
        match base {
            Ok(base) => self.defaults.base_url = Some(base),
            Err(error) => self.fail(error.into()),
        }
        self
    }

    /// Sends a header with each request that has none of that name.
    ///
    /// ```
    /// use aio_client::ClientSession;
    ///
    /// let session = ClientSession::builder().header("Accept", "text/plain").build()?;
    /// assert_eq!(session.headers().get("accept").unwrap().as_bytes(), b"text/plain");
    /// # Ok::<(), aio_client::ClientError>(())
    /// ```
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<[u8]>) -> Self {
        if let Err(error) = self.defaults.headers.append(name, value) {
            self.fail(UsageError::from(error).into());
        }
        self
    }

    /// Sends several headers so.
    pub fn headers<N: AsRef<str>, V: AsRef<[u8]>>(
        self,
        headers: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        headers
            .into_iter()
            .fold(self, |builder, (name, value)| builder.header(name, value))
    }

    /// Appends parameters to the query of each request's URL, but for those whose key is
    /// there already; a redirect's URL gets none. Called again, it adds more.
    ///
    /// ```
    /// use aio_client::ClientSession;
    ///
    /// let session = ClientSession::builder().query([("key", "7"), ("page", "1")]).build()?;
    /// // Sent: /?page=2&key=7
    /// let request = session.get("http://127.0.0.1:8080/").query([("page", 2)]);
    /// # Ok::<(), aio_client::ClientError>(())
    /// ```
    pub fn query(mut self, params: impl IntoParams) -> Self {
        match params.into_params() {
            Ok(params) => self.defaults.params.push(params),
            Err(error) => self.fail(UsageError::from(error).into()),
        }
        self
    }

    /// Keeps cookies in a jar that others may know, too; default a new
    /// [`CookieJar`](aio_cookies::CookieJar).
    ///
    /// ```
    /// use std::sync::Arc;
    /// use aio_client::{ClientSession, CookieJar};
    ///
    /// let jar = Arc::new(CookieJar::new());
    /// let one = ClientSession::builder().cookie_jar(jar.clone()).build()?;
    /// let other = ClientSession::builder().cookie_jar(jar.clone()).build()?;
    /// # Ok::<(), aio_client::ClientError>(())
    /// ```
    pub fn cookie_jar(mut self, jar: Arc<dyn CookieStore>) -> Self {
        self.cookie_jar = Some(jar);
        self
    }

    /// Puts a cookie into the jar that is sent to every host, redirects to other ones
    /// counted in.
    ///
    /// ```
    /// use aio_client::ClientSession;
    ///
    /// let session = ClientSession::builder().cookie("theme", "dark").build()?;
    /// assert!(!session.cookie_jar().is_empty());
    /// assert!(ClientSession::builder().cookie("a b", "").build().is_err());
    /// # Ok::<(), aio_client::ClientError>(())
    /// ```
    pub fn cookie(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.cookies([(name, value)])
    }

    /// Puts several cookies into the jar so.
    pub fn cookies<N: Into<String>, V: Into<String>>(
        mut self,
        cookies: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let cookies = cookies.into_iter();
        self.cookies
            .extend(cookies.map(|(name, value)| (name.into(), value.into())));
        self
    }

    /// Sends these credentials with each request that has none of its own; aiohttp's
    /// `auth`.
    ///
    /// Only to the origin of the base URL, if there is one; else to that of each request,
    /// but to no other one that it is redirected to. There a request with an
    /// `Authorization` header of its own fails, as in aiohttp.
    ///
    /// ```
    /// use aio_client::{BasicAuth, ClientSession};
    ///
    /// let session = ClientSession::builder()
    ///     .base_url("http://127.0.0.1:8080/")
    ///     .basic_auth(BasicAuth::new("ada", "s3cret"))
    ///     .build()?;
    /// # Ok::<(), aio_client::ClientError>(())
    /// ```
    pub fn basic_auth(mut self, auth: BasicAuth) -> Self {
        self.defaults.basic_auth = Some(auth);
        self
    }

    /// Leaves out a header that would be added by itself: `Accept`, `Accept-Encoding`,
    /// `User-Agent` or `Content-Type`.
    pub fn skip_auto_header(mut self, name: impl AsRef<str>) -> Self {
        self.options().skip_auto_headers.push(name.as_ref().into());
        self
    }

    /// Sets the timeouts of requests; default `total` 300 s, `sock_connect` 30 s.
    ///
    /// ```
    /// use std::time::Duration;
    /// use aio_client::{ClientSession, ClientTimeout};
    ///
    /// let timeout = ClientTimeout { total: None, ..ClientTimeout::default() };
    /// let session = ClientSession::builder().timeout(timeout).build()?;
    /// assert_eq!(session.timeout().sock_connect, Some(Duration::from_secs(30)));
    /// # Ok::<(), aio_client::ClientError>(())
    /// ```
    pub fn timeout(mut self, timeout: impl Into<ClientTimeout>) -> Self {
        self.options().timeout = timeout.into();
        self
    }

    /// Sets the HTTP version to send: 1.1, the default, or 1.0.
    pub fn version(mut self, version: Version) -> Self {
        match check_version(version) {
            Ok(()) => self.options().version = version,
            Err(error) => self.fail(error),
        }
        self
    }

    /// Sets the bounds on response heads.
    ///
    /// ```
    /// use aio_client::{ClientSession, Limits};
    ///
    /// let limits = Limits { max_field_size: 64 * 1024, ..Limits::default() };
    /// let session = ClientSession::builder().limits(limits).build()?;
    /// # Ok::<(), aio_client::ClientError>(())
    /// ```
    pub fn limits(mut self, limits: Limits) -> Self {
        self.options().limits = limits;
        self
    }

    /// Sets whether a body without length or chunking is read until the server closes;
    /// default true. Else there is none.
    pub fn read_until_eof(mut self, read_until_eof: bool) -> Self {
        self.options().read_until_eof = read_until_eof;
        self
    }

    /// Sets which responses are errors: those with a status of 400 or more (`true`), none,
    /// the default, or what a function says.
    pub fn raise_for_status(mut self, raise_for_status: impl Into<RaiseForStatus>) -> Self {
        self.options().raise_for_status = raise_for_status.into();
        self
    }

    /// Sets whether redirects are followed; default true, but false for
    /// [`ClientSession::head`].
    pub fn allow_redirects(mut self, allow: bool) -> Self {
        self.options().redirects.allow = Some(allow);
        self
    }

    /// Sets how many redirects are too many; default 10, 0 for any number.
    ///
    /// As in aiohttp, the `max`-th redirect is the error: `max - 1` are followed. The heads
    /// of all redirects are kept until the response: without a limit, a server that
    /// redirects on and on takes memory until `total` is over.
    pub fn max_redirects(mut self, max: usize) -> Self {
        self.options().redirects.max = max;
        self
    }

    /// Sets what says whether and how a redirect is followed; default all that
    /// [`allow_redirects`](Self::allow_redirects) lets through.
    pub fn redirect_policy(mut self, policy: RedirectPolicy) -> Self {
        self.options().redirects.policy = Some(policy);
        self
    }

    /// Sets whether the escapes of a redirect's location are normalised; default true.
    pub fn requote_redirect_url(mut self, requote: bool) -> Self {
        self.options().redirects.requote = requote;
        self
    }

    /// Sends bodies compressed, by gzip or deflate, and so in chunks; default as they are.
    pub fn compress(mut self, coding: impl Into<Option<Coding>>) -> Self {
        match encodable(coding.into()) {
            Ok(coding) => self.options().sending.compress = coding,
            Err(error) => self.fail(error.into()),
        }
        self
    }

    /// Sets how TLS is spoken by requests that say nothing of it, in place of the connector's
    /// settings; aiohttp's `ssl`. Default as the connector says.
    ///
    /// It is as if each request had [`tls`](crate::RequestBuilder::tls): sessions with settings
    /// of their own may share a connector, but no connections. A fingerprint that the connector
    /// has is checked all the same, unless these settings have one. Proxies are spoken to by
    /// settings [of their own](aio_connector::Proxy::tls), else by the connector's.
    ///
    /// ```
    /// # fn run(tls: aio_client::TlsConfig) -> Result<(), aio_client::ClientError> {
    /// use aio_client::ClientSession;
    ///
    /// let session = ClientSession::builder().tls(tls).build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn tls(mut self, tls: TlsConfig) -> Self {
        self.options().tls = Some(tls);
        self
    }

    /// Sets how long a body waits for the `100 Continue` that its request asked for;
    /// default one second, `None` or zero for as long as the other timeouts let it (as
    /// aiohttp).
    pub fn continue_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.options().sending.continue_timeout = timeout.into();
        self
    }

    /// Sets which requests are sent once more when their connection breaks before a
    /// response has come; default those with an idempotent method.
    pub fn retry_connection(mut self, retry: ConnectionRetry) -> Self {
        self.options().retry_connection = retry;
        self
    }

    /// Writes the values of JSON bodies; default compact JSON, as serde_json writes it.
    /// [`python_json`](crate::python_json) writes it as Python does.
    ///
    /// ```
    /// use aio_client::ClientSession;
    ///
    /// let session = ClientSession::builder()
    ///     .json_serialize(|value| Ok(serde_json::to_vec_pretty(&value)?))
    ///     .build()?;
    /// let request = session.post("http://127.0.0.1:8080/").json(&[7]).build()?;
    /// assert_eq!(request.body().as_bytes().unwrap(), "[\n  7\n]");
    /// # Ok::<(), aio_client::ClientError>(())
    /// ```
    pub fn json_serialize(
        mut self,
        serialize: impl Fn(JsonValue<'_>) -> Result<Vec<u8>, BoxError> + Send + Sync + 'static,
    ) -> Self {
        self.defaults.json_serialize = Some(Arc::new(serialize));
        self
    }

    /// Reads the values of JSON responses; default serde_json. aiohttp's `loads`.
    ///
    /// It is given the text without blanks around it, and never an empty one: that is
    /// `null` by itself.
    ///
    /// ```
    /// use aio_client::ClientSession;
    ///
    /// let session = ClientSession::builder()
    ///     .json_deserialize(|text, target| {
    ///         let mut json = serde_json::Deserializer::from_str(text);
    ///         target.read(&mut json)?;
    ///         Ok(json.end()?)
    ///     })
    ///     .build()?;
    /// # Ok::<(), aio_client::ClientError>(())
    /// ```
    pub fn json_deserialize(
        mut self,
        deserialize: impl Fn(&str, JsonTarget<'_>) -> Result<(), BoxError> + Send + Sync + 'static,
    ) -> Self {
        self.defaults.json_deserialize = Some(Arc::new(deserialize));
        self
    }

    /// Names the charset of text that names no known one itself, from the response's
    /// head and body; default UTF-8. aiohttp's `fallback_charset_resolver`.
    ///
    /// ```
    /// use aio_client::ClientSession;
    ///
    /// let session = ClientSession::builder()
    ///     .fallback_charset(|_head, body| match body.is_ascii() {
    ///         true => "utf-8".into(),
    ///         false => "windows-1252".into(),
    ///     })
    ///     .build()?;
    /// # Ok::<(), aio_client::ClientError>(())
    /// ```
    pub fn fallback_charset(
        mut self,
        resolver: impl Fn(&ResponseHead, &[u8]) -> String + Send + Sync + 'static,
    ) -> Self {
        self.defaults.fallback_charset = Some(Arc::new(resolver));
        self
    }

    /// Uses a connector, which is closed with the session; default one of its own.
    ///
    /// ```
    /// use aio_client::{ClientSession, TcpConnector};
    ///
    /// let connector = TcpConnector::builder().limit_per_host(10).build()?;
    /// let session = ClientSession::builder().connector(connector).build()?;
    /// # Ok::<(), aio_client::ClientError>(())
    /// ```
    pub fn connector(mut self, connector: impl Connector) -> Self {
        self.connector = Some(Arc::new(connector));
        self
    }

    /// Sets whether the connector is closed with the session; default true. A connector
    /// shared by several sessions is owned by none.
    pub fn connector_owner(mut self, owner: bool) -> Self {
        self.connector_owner = owner;
        self
    }

    /// Wraps the sending of requests; the first one added is the outermost.
    pub fn middleware(mut self, middleware: impl Middleware + 'static) -> Self {
        self.middlewares.push(Arc::new(middleware));
        self
    }

    /// Watches requests.
    pub fn trace_config(mut self, config: impl TraceConfig + 'static) -> Self {
        self.trace_configs.push(Arc::new(config));
        self
    }

    /// Sets whether the environment is asked for a proxy, where the session or a request
    /// names none, and for credentials (a netrc file); default false.
    ///
    /// For each hop of a request anew: the proxy that [`Environment::proxy_for`] tells, with
    /// the credentials in its URL, or else those that the netrc file has for it. If it is none
    /// that can be used, the request fails: [`ClientError::EnvironmentProxy`] names the variable.
    ///
    /// The file has credentials for hosts, too, those that redirects lead to as well: its
    /// `default` entry goes to any, under `http` and `https` alike, as in aiohttp.
    pub fn trust_env(mut self, trust: bool) -> Self {
        self.trust_env = trust;
        self
    }

    /// Sets what the session may learn from the environment; default that of the process.
    ///
    /// ```
    /// use aio_client::{ClientSession, Environment};
    ///
    /// let environment = Environment::from_pairs([("NETRC", "/etc/netrc")]);
    /// let session = ClientSession::builder().trust_env(true).environment(environment).build()?;
    /// # Ok::<(), aio_client::ClientError>(())
    /// ```
    pub fn environment(mut self, environment: Environment) -> Self {
        self.environment = Some(environment);
        self
    }

    /// Makes the session.
    ///
    /// # Errors
    /// If the base URL is not absolute or lacks its trailing slash, or a header has
    /// characters that no header may have, or a cookie some that no cookie may have, or the
    /// proxy is none.
    pub fn build(mut self) -> Result<ClientSession, ClientError> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let cookies = std::mem::take(&mut self.cookies);
        let jar = self.cookie_jar.get_or_insert_with(default_jar);
        let style = jar.style();
        // All are looked at before one is added: others may have the jar, too.
        for (name, value) in &cookies {
            style.pair(name, value).map_err(UsageError::from)?;
        }
        for (name, value) in &cookies {
            jar.add(name, value).map_err(UsageError::from)?;
        }
        Ok(self.build_valid())
    }

    pub(super) fn build_valid(self) -> ClientSession {
        ClientSession {
            shared: Arc::new(Shared {
                connector: self
                    .connector
                    .unwrap_or_else(|| Arc::new(TcpConnector::new())),
                connector_owner: self.connector_owner.into(),
                cookie_jar: self.cookie_jar.unwrap_or_else(default_jar),
                defaults: self.defaults,
                middlewares: self.middlewares.into(),
                trace_configs: self.trace_configs,
                environment: self.environment.unwrap_or_else(Environment::from_process),
                trust_env: self.trust_env,
                closed: AtomicBool::new(false),
            }),
        }
    }

    pub(super) fn options(&mut self) -> &mut RequestOptions {
        Arc::make_mut(&mut self.defaults.options)
    }

    pub(super) fn fail(&mut self, error: ClientError) {
        self.error.get_or_insert(error);
    }
}

fn default_jar() -> Arc<dyn CookieStore> {
    Arc::new(CookieJar::new())
}

impl fmt::Debug for ClientSessionBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSessionBuilder")
            .field("base_url", &self.defaults.base_url)
            .field("headers", &self.defaults.headers)
            .field("timeout", &self.defaults.options.timeout)
            .finish_non_exhaustive()
    }
}
