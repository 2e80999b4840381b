//! A request under construction.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::sync::Arc;
use std::time::Duration;

use aio_connector::{BoxFuture, TlsConfig};
use aio_core::coding::Coding;
use aio_core::http1::Limits;
use aio_core::{
    BasicAuth, Body, ClientTimeout, IntoParams, IntoUrl, MultipartWriter, UploadProgress,
};
use bytes::Bytes;
use http::{Method, Version};
use serde::Serialize;

use super::{ClientRequest, IntoRequest, check_version, usage};
use crate::error::{ClientError, UsageError};
use crate::form::FormData;
use crate::json::{JsonValue, compact};
use crate::options::{RaiseForStatus, RequestOptions, encodable};
use crate::redirect::RedirectPolicy;
use crate::response::ClientResponse;
use crate::retry::ConnectionRetry;
use crate::session::{ClientSession, send};

/// A request under construction; awaiting it sends it.
///
/// The first mistake made while building is what sending it fails with.
///
/// ```
/// # async fn run() -> Result<(), aio_client::ClientError> {
/// use std::time::Duration;
/// use aio_client::{ClientSession, ClientTimeout};
///
/// let session = ClientSession::new();
/// let mut response = session
///     .get("http://127.0.0.1:8080/users")
///     .query([("page", 2)])
///     .header("accept", "application/json")
///     .timeout(ClientTimeout::total(Duration::from_secs(5)))
///     .await?;
/// println!("{}", response.text().await?);
/// # Ok(())
/// # }
/// ```
#[must_use = "a request is sent when it is awaited"]
pub struct RequestBuilder {
    session: ClientSession,
    request: Result<ClientRequest, ClientError>,
}

impl RequestBuilder {
    pub(crate) fn new(
        session: ClientSession,
        method: Result<Method, UsageError>,
        url: impl IntoUrl,
    ) -> Self {
        let request = method
            .map_err(ClientError::Usage)
            .and_then(|method| ClientRequest::new(&session, method, url));
        Self { session, request }
    }

    pub(crate) fn of(session: ClientSession, request: impl IntoRequest) -> Self {
        let request = request.into_request(&session);
        Self { session, request }
    }

    /// Replaces the method.
    pub(crate) fn method(self, name: &str) -> Self {
        let method = super::method(name);
        self.with(|request| {
            request.parts.method = method?;
            Ok(())
        })
    }

    /// Adds a header; a session default of the same name is replaced, another header of
    /// this request is not.
    ///
    /// ```
    /// # let session = aio_client::ClientSession::new();
    /// let request = session.get("http://127.0.0.1:8080/").header("X-Id", "7").build()?;
    /// assert_eq!(request.headers().get("x-id").unwrap().as_bytes(), b"7");
    /// # Ok::<(), aio_client::ClientError>(())
    /// ```
    pub fn header(self, name: impl AsRef<str>, value: impl AsRef<[u8]>) -> Self {
        self.with(|request| request.parts.headers.append(name, value).map_err(usage))
    }

    /// Adds several headers.
    pub fn headers<N: AsRef<str>, V: AsRef<[u8]>>(
        self,
        headers: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        headers
            .into_iter()
            .fold(self, |builder, (name, value)| builder.header(name, value))
    }

    /// Leaves out a header that would be added by itself: `Accept`, `Accept-Encoding`,
    /// `User-Agent` or `Content-Type`; besides those of the session.
    pub fn skip_auto_header(self, name: impl AsRef<str>) -> Self {
        self.with_options(|options| options.skip_auto_headers.push(name.as_ref().into()))
    }

    /// Appends parameters to the URL's query; aiohttp's `params`.
    ///
    /// ```
    /// # let session = aio_client::ClientSession::new();
    /// let request = session.get("http://127.0.0.1:8080/?a=1").query([("q", "a b")]).query("c=d");
    /// assert_eq!(request.build()?.url().target(), "/?a=1&q=a+b&c=d");
    /// # Ok::<(), aio_client::ClientError>(())
    /// ```
    pub fn query(self, params: impl IntoParams) -> Self {
        self.with(|request| {
            let params = params.into_params().map_err(usage)?;
            let url = request.parts.url.clone();
            request.parts.url = url.with_params(&params);
            Ok(())
        })
    }

    /// Sends a cookie with this request, and with the redirects within its origin; it does
    /// not get into the session's jar.
    ///
    /// ```
    /// # async fn run(session: aio_client::ClientSession) -> Result<(), aio_client::ClientError> {
    /// session.get("http://127.0.0.1:8080/").cookie("theme", "dark").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn cookie(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.cookies([(name, value)])
    }

    /// Sends several cookies so.
    pub fn cookies<N: Into<String>, V: Into<String>>(
        self,
        cookies: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        self.with(|request| {
            let own = &mut request.parts.cookies;
            own.extend(
                cookies
                    .into_iter()
                    .map(|(name, value)| (name.into(), value.into())),
            );
            Ok(())
        })
    }

    /// Sets the credentials of the `Authorization` header; aiohttp's `auth`.
    ///
    /// ```
    /// # async fn run(session: aio_client::ClientSession) -> Result<(), aio_client::ClientError> {
    /// use aio_client::BasicAuth;
    ///
    /// session.get("http://127.0.0.1:8080/").basic_auth(BasicAuth::new("ada", "s3cret")).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn basic_auth(self, auth: BasicAuth) -> Self {
        self.with(|request| {
            request.parts.authorization = Some(Box::new(auth));
            Ok(())
        })
    }

    /// Sets the body: text, bytes or a [`Body`]; aiohttp's `data`.
    ///
    /// ```
    /// # let session = aio_client::ClientSession::new();
    /// let request = session.post("http://127.0.0.1:8080/").body("café").build()?;
    /// assert_eq!(request.body().len(), Some(5));
    /// assert_eq!(request.body().content_type(), Some("text/plain; charset=utf-8"));
    /// # Ok::<(), aio_client::ClientError>(())
    /// ```
    pub fn body(self, body: impl Into<Body>) -> Self {
        self.with(|request| {
            if !request.body.is_none() {
                return Err(UsageError::TwoBodies.into());
            }
            request.body = body.into();
            Ok(())
        })
    }

    /// Sets the body to `value` as JSON, with `Content-Type: application/json`, written by
    /// the session's [`json_serialize`](crate::ClientSessionBuilder::json_serialize).
    ///
    /// ```
    /// # let session = aio_client::ClientSession::new();
    /// let request = session.post("http://127.0.0.1:8080/").json(&["Ada", "Grace"]).build()?;
    /// assert_eq!(request.body().as_bytes().unwrap(), r#"["Ada","Grace"]"#);
    /// # Ok::<(), aio_client::ClientError>(())
    /// ```
    pub fn json<T: Serialize + ?Sized>(self, value: &T) -> Self {
        let written = match &self.session.defaults().json_serialize {
            Some(serialize) => serialize(JsonValue::new(&value)),
            None => compact(&value),
        };
        match written {
            Ok(json) => self.body(Body::typed(Bytes::from(json), "application/json")),
            Err(error) => self.with(|_| Err(UsageError::Json(error.to_string().into()).into())),
        }
    }

    /// Sets the body to a form: a [`FormData`], or pairs of text and numbers.
    ///
    /// ```
    /// # let session = aio_client::ClientSession::new();
    /// use aio_client::FormData;
    ///
    /// let request = session.post("http://127.0.0.1:8080/").form([("user", "ada")]).build()?;
    /// assert_eq!(request.body().as_bytes().unwrap(), "user=ada");
    /// let form = FormData::new().text("user", "ada").file("avatar", "me.png");
    /// let request = session.post("http://127.0.0.1:8080/").form(form);
    /// # Ok::<(), aio_client::ClientError>(())
    /// ```
    pub fn form(self, form: impl Into<FormData>) -> Self {
        match form.into().into_body() {
            Ok(body) => self.body(body),
            Err(error) => self.with(|_| Err(usage(error))),
        }
    }

    /// Sets the body to the parts of `writer`.
    pub fn multipart(self, writer: MultipartWriter) -> Self {
        self.body(writer)
    }

    /// Sets the timeouts, in place of the session's as a whole.
    ///
    /// ```
    /// # async fn run(session: aio_client::ClientSession) -> Result<(), aio_client::ClientError> {
    /// session.get("http://127.0.0.1:8080/").timeout(std::time::Duration::from_secs(5)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn timeout(self, timeout: impl Into<ClientTimeout>) -> Self {
        self.with_options(|options| options.timeout = timeout.into())
    }

    /// Sets the HTTP version to send: 1.0 or 1.1, in place of the session's.
    pub fn version(self, version: Version) -> Self {
        self.with(|_| check_version(version))
            .with_options(|options| options.version = version)
    }

    /// Sets the bounds on the response head, in place of the session's.
    pub fn limits(self, limits: Limits) -> Self {
        self.with_options(|options| options.limits = limits)
    }

    /// Sets whether a body without length or chunking is read until the server closes, in
    /// place of the session's setting. Else there is none.
    pub fn read_until_eof(self, read_until_eof: bool) -> Self {
        self.with_options(|options| options.read_until_eof = read_until_eof)
    }

    /// Sets which responses are errors, in place of the session's setting: those with a
    /// status of 400 or more (`true`), none, or what a function says.
    ///
    /// ```
    /// # async fn run(session: aio_client::ClientSession) -> Result<(), aio_client::ClientError> {
    /// let request = session.get("http://127.0.0.1:8080/missing").raise_for_status(true);
    /// assert_eq!(request.await.unwrap_err().status(), Some(404));
    /// # Ok(())
    /// # }
    /// ```
    pub fn raise_for_status(self, raise_for_status: impl Into<RaiseForStatus>) -> Self {
        self.with_options(|options| options.raise_for_status = raise_for_status.into())
    }

    /// Sets whether redirects are followed; default true, but false for
    /// [`ClientSession::head`].
    ///
    /// ```
    /// # async fn run(session: aio_client::ClientSession) -> Result<(), aio_client::ClientError> {
    /// let response = session.get("http://127.0.0.1:8080/").allow_redirects(false).await?;
    /// println!("{} {:?}", response.status(), response.headers().get("Location"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn allow_redirects(self, allow: bool) -> Self {
        self.with_options(|options| options.redirects.allow = Some(allow))
    }

    /// Sets how many redirects are too many, in place of the session's setting; 0 for any
    /// number.
    ///
    /// As in aiohttp, the `max`-th redirect is the error: `max - 1` are followed.
    pub fn max_redirects(self, max: usize) -> Self {
        self.with_options(|options| options.redirects.max = max)
    }

    /// Sets what says whether a redirect is followed, in place of the session's policy.
    ///
    /// ```
    /// # async fn run(session: aio_client::ClientSession) -> Result<(), aio_client::ClientError> {
    /// use aio_client::RedirectPolicy;
    ///
    /// session.get("http://127.0.0.1:8080/").redirect_policy(RedirectPolicy::same_origin()).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn redirect_policy(self, policy: RedirectPolicy) -> Self {
        self.with_options(|options| options.redirects.policy = Some(policy))
    }

    /// Sets whether the escapes of a redirect's location are normalised, in place of the
    /// session's setting.
    pub fn requote_redirect_url(self, requote: bool) -> Self {
        self.with_options(|options| options.redirects.requote = requote)
    }

    /// Sends the body compressed, and so in chunks; an empty one is sent as it is.
    /// aiohttp's `compress=True` is [`Coding::Deflate`]. Only gzip and deflate are encoded
    /// here; the others are an error.
    ///
    /// ```
    /// # async fn run(session: aio_client::ClientSession) -> Result<(), aio_client::ClientError> {
    /// use aio_client::Coding;
    ///
    /// session.post("http://127.0.0.1:8080/").body("a long text").compress(Coding::Gzip).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn compress(self, coding: impl Into<Option<Coding>>) -> Self {
        match encodable(coding.into()) {
            Ok(coding) => self.with_options(|options| options.sending.compress = coding),
            Err(error) => self.with(|_| Err(error.into())),
        }
    }

    /// Sends the body in chunks, though its length may be known.
    ///
    /// Of a request without a body, one with a method that has none by itself (GET, HEAD,
    /// OPTIONS, TRACE) says nothing of chunks.
    pub fn chunked(self, chunked: bool) -> Self {
        self.with_options(|options| options.sending.chunked = chunked)
    }

    /// Lets `progress` tell how much of the body is sent, on this try.
    ///
    /// ```
    /// # async fn run(session: aio_client::ClientSession) -> Result<(), aio_client::ClientError> {
    /// use aio_client::UploadProgress;
    ///
    /// let progress = UploadProgress::default();
    /// let request = session.put("http://127.0.0.1:8080/").body("bytes");
    /// request.upload_progress(progress.clone()).await?;
    /// assert_eq!(progress.sent(), 5);
    /// # Ok(())
    /// # }
    /// ```
    pub fn upload_progress(self, progress: UploadProgress) -> Self {
        self.with(|request| {
            request.parts.upload_progress = Some(progress);
            Ok(())
        })
    }

    /// Asks the server whether it wants the body (`Expect: 100-continue`), and sends it
    /// only when the server says so, or says nothing for the
    /// [`continue_timeout`](Self::continue_timeout).
    ///
    /// ```
    /// # async fn run(session: aio_client::ClientSession) -> Result<(), aio_client::ClientError> {
    /// use std::time::Duration;
    ///
    /// let request = session.put("http://127.0.0.1:8080/").body("a long text").expect100(true);
    /// request.continue_timeout(Duration::from_secs(3)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn expect100(self, expect: bool) -> Self {
        self.with_options(|options| options.sending.expect100 = expect)
    }

    /// Sets how long a body waits for the server to want it, in place of the session's
    /// setting.
    pub fn continue_timeout(self, timeout: impl Into<Option<Duration>>) -> Self {
        self.with_options(|options| options.sending.continue_timeout = timeout.into())
    }

    /// Sets whether the request is sent once more when its connection breaks before a
    /// response has come, in place of the session's setting.
    pub fn retry_connection(self, retry: ConnectionRetry) -> Self {
        self.with_options(|options| options.retry_connection = retry)
    }

    /// Sets how TLS is spoken, in place of the session's and the connector's settings;
    /// aiohttp's `ssl`.
    ///
    /// Requests with the same settings, or clones of them, share connections; those that
    /// set none have connections of their own.
    ///
    /// As in aiohttp the settings hold for redirects, too, wherever these lead: whoever is
    /// trusted is trusted there, and may ask for the client certificate, if there is one. Who
    /// is not trusted does not see it. So let such settings trust those alone that they are
    /// for, or stop redirects to others:
    ///
    /// ```
    /// # async fn run(
    /// #     session: aio_client::ClientSession,
    /// #     tls: aio_client::TlsConfig,
    /// # ) -> Result<(), aio_client::ClientError> {
    /// use aio_client::RedirectPolicy;
    ///
    /// let request = session.get("https://a.test/").tls(tls);
    /// request.redirect_policy(RedirectPolicy::same_origin()).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn tls(self, tls: TlsConfig) -> Self {
        self.with_options(|options| options.tls = Some(tls))
    }

    /// Sets the name that TLS asks the server for, and that its certificate must have, in
    /// place of the URL's host.
    pub fn server_hostname(self, name: impl Into<Box<str>>) -> Self {
        self.with_options(|options| options.server_hostname = Some(name.into()))
    }

    /// Makes the request without sending it, for [`execute`](ClientSession::execute); the
    /// session's headers and the like come when it is sent.
    ///
    /// ```
    /// # let session = aio_client::ClientSession::new();
    /// let mut request = session.get("http://127.0.0.1:8080/").build()?;
    /// request.set_method("HEAD".parse().expect("a method"));
    /// let request = session.execute(request).header("X-Id", "7");
    /// # Ok::<(), aio_client::ClientError>(())
    /// ```
    ///
    /// # Errors
    /// Whatever was wrong with the request first.
    pub fn build(self) -> Result<ClientRequest, ClientError> {
        self.request
    }

    /// Makes the same request again, unless its body can be sent once only.
    ///
    /// ```
    /// use aio_client::ClientSession;
    ///
    /// let request = ClientSession::new().post("http://127.0.0.1:8080/").body("again");
    /// assert!(request.try_clone().is_some());
    /// ```
    pub fn try_clone(&self) -> Option<Self> {
        let request = match &self.request {
            Ok(request) => Ok(request.try_clone()?),
            Err(error) => Err(error.clone()),
        };
        Some(Self {
            session: self.session.clone(),
            request,
        })
    }

    /// Sends the request and reads the head of its response.
    ///
    /// Awaiting the builder is the same, but boxes the future.
    ///
    /// ```
    /// # async fn run(session: aio_client::ClientSession) -> Result<(), aio_client::ClientError> {
    /// let request = tokio::spawn(session.get("http://127.0.0.1:8080/").send());
    /// let response = request.await.expect("no panic")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A call is one request: it cannot be awaited again.
    ///
    /// ```compile_fail,E0382
    /// # // EDGE-017
    /// # async fn run(session: aio_client::ClientSession) -> Result<(), aio_client::ClientError> {
    /// let call = session.get("http://127.0.0.1:8080/").send();
    /// call.await?;
    /// call.await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Whatever was wrong with the request first; else what the connection or the
    /// response's head fails with, or a timeout.
    pub fn send(
        self,
    ) -> impl Future<Output = Result<ClientResponse, ClientError>> + Send + 'static {
        send::send(self.session, self.request)
    }

    pub(crate) fn with_options(self, change: impl FnOnce(&mut RequestOptions)) -> Self {
        self.with(|request| {
            change(Arc::make_mut(&mut request.parts.options));
            Ok(())
        })
    }

    pub(crate) fn with(
        mut self,
        change: impl FnOnce(&mut ClientRequest) -> Result<(), ClientError>,
    ) -> Self {
        if let Ok(request) = &mut self.request
            && let Err(error) = change(request)
        {
            self.request = Err(error);
        }
        self
    }
}

impl IntoFuture for RequestBuilder {
    type Output = Result<ClientResponse, ClientError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

impl fmt::Debug for RequestBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBuilder")
            .field("request", &self.request)
            .finish_non_exhaustive()
    }
}
