//! A response: its head, and its body in one piece.

use std::fmt;
use std::sync::Arc;

use aio_connector::{Attempt, Connection};
use aio_cookies::{Profile, SetCookie};
use aio_core::http1::Head;
use aio_core::text::{Charset, OnError};
use aio_core::{ContentType, HeaderView, RequestUrl};
use bytes::Bytes;
use http::{Method, StatusCode, Version};
use serde::de::DeserializeOwned;

use crate::content::Content;
use crate::error::{ClientError, ClientResponseError, ReadError, ResponseErrorKind};
use crate::options::RequestOptions;
use crate::session::Context;

/// The response to a request; aiohttp's `ClientResponse`.
///
/// The reading methods take `&mut self` and keep the body, so that `text` then `json`
/// works. Dropping it gives its connection back, if the rest of the body has arrived, or
/// closes it.
///
/// ```
/// # async fn run() -> Result<(), aio_client::ClientError> {
/// # let session = aio_client::ClientSession::new();
/// let mut response = session.get("http://127.0.0.1:8080/big.iso").await?;
/// println!("{} {}", response.status(), response.url());
/// while let Some(chunk) = response.content().chunk().await? {
///     println!("{} bytes", chunk.len());
/// }
/// # Ok(())
/// # }
/// ```
pub struct ClientResponse {
    head: ResponseHead,
    content: Content,
    /// The body, once it was read whole.
    body: Option<Bytes>,
    history: Vec<ResponseHead>,
}

/// A response without its body; cheap to clone.
#[derive(Clone)]
pub struct ResponseHead(Arc<Heads>);

/// The heads of a response and of its request: in one block, for one allocation.
struct Heads {
    response: Head,
    request: RequestInfo,
    cookie_profile: Profile,
}

/// The request that a response answers, as it was sent; aiohttp's `RequestInfo`.
#[derive(Clone)]
pub struct RequestInfo {
    method: Method,
    url: RequestUrl,
    sent: Bytes,
}

impl RequestInfo {
    pub(crate) fn new(method: Method, url: RequestUrl, sent: Bytes) -> Self {
        Self { method, url, sent }
    }

    /// Returns the method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Returns the URL; its [`real_url`](RequestUrl::real_url) has the fragment.
    pub fn url(&self) -> &RequestUrl {
        &self.url
    }

    /// Returns the headers as sent, those added by itself among them.
    pub fn headers(&self) -> HeaderView {
        aio_core::http1::sent_fields(&self.sent)
    }
}

impl fmt::Debug for RequestInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.url.without_query())
    }
}

impl ResponseHead {
    /// Returns the status.
    pub fn status(&self) -> StatusCode {
        self.0.response.status
    }

    /// Tells whether the status is below 400.
    pub fn ok(&self) -> bool {
        self.0.response.status.as_u16() < 400
    }

    /// Returns the reason phrase; bytes that are no UTF-8 are replaced.
    pub fn reason(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.0.response.reason)
    }

    /// Returns the reason phrase as received.
    pub fn raw_reason(&self) -> &Bytes {
        &self.0.response.reason
    }

    /// Returns the HTTP version: 1.0 or 1.1.
    pub fn version(&self) -> Version {
        self.0.response.version
    }

    /// Returns the headers.
    pub fn headers(&self) -> &HeaderView {
        &self.0.response.headers
    }

    /// Returns the headers in order, names in their spelling and values as bytes.
    pub fn raw_headers(&self) -> impl Iterator<Item = (&str, &[u8])> + '_ {
        self.headers()
            .iter()
            .map(|field| (field.name(), field.as_bytes()))
    }

    /// Returns the method of the request.
    pub fn method(&self) -> &Method {
        &self.0.request.method
    }

    /// Returns the URL of the request; `Display` shows it without its fragment.
    pub fn url(&self) -> &RequestUrl {
        &self.0.request.url
    }

    /// Returns the URL of the request with its fragment.
    pub fn real_url(&self) -> std::borrow::Cow<'_, str> {
        self.0.request.url.real_url()
    }

    /// Returns the request that it answers.
    pub fn request_info(&self) -> &RequestInfo {
        &self.0.request
    }

    /// Returns the cookies that it sets, whether the jar takes them or not, in order.
    pub fn cookies(&self) -> Vec<SetCookie> {
        let fields = self.headers().get_all("set-cookie");
        fields
            .filter_map(|field| SetCookie::parse(self.0.cookie_profile, field.as_bytes()))
            .collect()
    }

    /// Returns the content type without parameters, in lower case; absent or malformed,
    /// `application/octet-stream`.
    pub fn content_type(&self) -> ContentType {
        let field = self.headers().get("content-type");
        field.map_or_else(ContentType::default, |field| {
            ContentType::parse(field.as_bytes())
        })
    }

    /// Returns the charset that the content type names, as written.
    pub fn charset(&self) -> Option<String> {
        self.content_type().charset().map(str::to_owned)
    }

    /// Returns what `Content-Length` says, decoding left aside.
    pub fn content_length(&self) -> Option<u64> {
        self.headers()
            .get("content-length")?
            .to_str()
            .ok()?
            .parse()
            .ok()
    }
}

impl std::ops::Deref for ClientResponse {
    type Target = ResponseHead;

    fn deref(&self) -> &ResponseHead {
        &self.head
    }
}

/// How to read a body as text.
#[derive(Debug, Clone, Copy, Default)]
pub struct TextOptions<'a> {
    /// The charset; default that of the response, else the session's fallback, UTF-8.
    pub encoding: Option<&'a str>,
    /// What to do about bytes that mean nothing; default an error.
    pub errors: OnError,
}

/// How to read a body as JSON.
#[derive(Debug, Clone, Copy)]
pub struct JsonOptions<'a> {
    /// The charset; default as for text.
    pub encoding: Option<&'a str>,
    /// The content type that is asked for, `None` for any; default
    /// `application/json`, which stands for all JSON types.
    pub content_type: Option<&'a str>,
}

impl Default for JsonOptions<'_> {
    fn default() -> Self {
        Self {
            encoding: None,
            content_type: Some("application/json"),
        }
    }
}

impl ClientResponse {
    pub(crate) fn new(
        context: &Context,
        options: Arc<RequestOptions>,
        request: RequestInfo,
        head: Head,
        exchange: aio_connector::Exchange,
    ) -> Self {
        let head = ResponseHead(Arc::new(Heads {
            response: head,
            request,
            cookie_profile: context.session.cookie_jar().style().profile,
        }));
        Self {
            content: Content::new(context, &head, options, exchange),
            head,
            body: None,
            history: Vec::new(),
        }
    }

    pub(crate) fn set_history(&mut self, history: Vec<ResponseHead>) {
        self.history = history;
    }

    pub(crate) fn attempt(&self) -> Attempt {
        self.content.attempt()
    }

    /// Returns the response without its body.
    pub fn head(&self) -> &ResponseHead {
        &self.head
    }

    /// Returns the redirects on the way to it, oldest first.
    pub fn history(&self) -> &[ResponseHead] {
        &self.history
    }

    /// Returns the body as a stream of pieces; what was read of it is not in
    /// [`read`](Self::read) any more.
    pub fn content(&mut self) -> &mut Content {
        &mut self.content
    }

    /// Returns the connection, until the body has ended.
    pub fn connection(&self) -> Option<&Connection> {
        self.content.connection()
    }

    /// Tells whether its connection was given back or closed.
    pub fn is_closed(&self) -> bool {
        self.connection().is_none()
    }

    /// Reads the whole body and keeps it; again gives the same.
    ///
    /// Dropping the future loses nothing: the next call reads on, as do the methods of
    /// [`content`](Self::content).
    ///
    /// # Errors
    /// If the body ends early, cannot be decoded, or comes too late. Each later read
    /// fails with the same error.
    pub async fn read(&mut self) -> Result<Bytes, ClientError> {
        if self.body.is_some() && self.content.is_closed() {
            // RSP-29: what was read stays for `text` and `json`, not for this.
            self.content.check()?;
        }
        self.kept().await
    }

    /// Reads the whole body, or gives what was read of it before.
    async fn kept(&mut self) -> Result<Bytes, ClientError> {
        if let Some(body) = &self.body {
            return Ok(body.clone());
        }
        let read = self.content.read_all().await;
        if let Err(ClientError::Timeout(_)) = &read {
            self.content.fail_as_closed();
        }
        let body = read?;
        self.body = Some(body.clone());
        Ok(body)
    }

    /// Reads the whole body as text.
    ///
    /// # Errors
    /// As [`read`](Self::read), and if there are bytes that mean nothing in the charset.
    pub async fn text(&mut self) -> Result<String, ClientError> {
        self.text_with(&TextOptions::default()).await
    }

    /// Reads the whole body as text in another way than by default.
    ///
    /// # Errors
    /// As [`text`](Self::text), and if the charset asked for is unknown.
    pub async fn text_with(&mut self, options: &TextOptions<'_>) -> Result<String, ClientError> {
        let body = self.kept().await?;
        let charset = match options.encoding {
            Some(name) => Charset::for_label(name).ok_or_else(|| {
                self.content
                    .read_error(ReadError::UnknownCharset(name.into()))
            })?,
            None => self.charset_of(&body),
        };
        let text = charset.decode(&body, options.errors);
        text.map_err(|error| self.content.read_error(ReadError::Text(error)))
    }

    /// Returns the charset that [`text`](Self::text) uses; aiohttp's `get_encoding`.
    ///
    /// # Errors
    /// As [`read`](Self::read): without a known charset in the head, the body decides.
    pub async fn encoding(&mut self) -> Result<&'static str, ClientError> {
        let body = self.kept().await?;
        Ok(self.charset_of(&body).name())
    }

    /// RSP-22.
    fn charset_of(&self, body: &[u8]) -> Charset {
        let content_type = self.content_type();
        let field = self.headers().get("content-type");
        let label = field.and_then(|field| charset_label(field.as_bytes()));
        if let Some(known) = label.as_deref().and_then(Charset::for_label) {
            return known;
        }
        let json = [
            "application/json",
            "application/rdap",
            "application/rdap+json",
        ];
        if json.contains(&content_type.essence()) {
            return Charset::UTF_8;
        }
        let resolver = self.content.session().defaults().fallback_charset.as_ref();
        resolver
            .and_then(|resolver| Charset::for_label(&resolver(&self.head, body)))
            .unwrap_or(Charset::UTF_8)
    }

    /// Reads the whole body as JSON; a blank body is `null`.
    ///
    /// # Errors
    /// As [`text`](Self::text), if the content type is not a JSON one, or if the body is
    /// not the JSON that `T` needs.
    pub async fn json<T: DeserializeOwned>(&mut self) -> Result<T, ClientError> {
        self.json_with(&JsonOptions::default()).await
    }

    /// Reads the whole body as JSON in another way than by default.
    ///
    /// # Errors
    /// As [`json`](Self::json).
    pub async fn json_with<T: DeserializeOwned>(
        &mut self,
        options: &JsonOptions<'_>,
    ) -> Result<T, ClientError> {
        self.kept().await?;
        let given = self
            .headers()
            .get("content-type")
            .map(|field| field.as_bytes());
        let given = String::from_utf8_lossy(given.unwrap_or_default()).to_lowercase();
        let is_expected = |expected: &str| match expected {
            // The header may be a list of types.
            "application/json" => {
                given.starts_with(expected) || ContentType::parse(given.as_bytes()).is_json()
            }
            other => given.contains(other),
        };
        let expected = options.content_type.filter(|expected| !expected.is_empty());
        if expected.is_some_and(|expected| !is_expected(expected)) {
            let message = format!("Attempt to decode JSON with unexpected mimetype: {given}");
            return Err(self.error(ResponseErrorKind::ContentType, message).into());
        }
        let options = TextOptions {
            encoding: options.encoding,
            ..TextOptions::default()
        };
        let text = self.text_with(&options).await?;
        // Python strips more blanks than JSON knows.
        let text = text.trim_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
        let text = if text.is_empty() { "null" } else { text };
        let value = serde_json::from_str(text);
        value.map_err(|error| self.content.read_error(ReadError::Json(Arc::new(error))))
    }

    /// Fails if the status is 400 or more.
    ///
    /// # Errors
    /// With the status, reason and headers of such a response.
    pub fn raise_for_status(&mut self) -> Result<&mut Self, ClientError> {
        if self.ok() {
            return Ok(self);
        }
        let reason = self.reason().into_owned();
        Err(self.error(ResponseErrorKind::Status, reason).into())
    }

    fn error(&self, kind: ResponseErrorKind, message: String) -> ClientResponseError {
        ClientResponseError {
            kind,
            status: self.status().as_u16(),
            message: message.into(),
            head: Some(self.head.clone()),
            history: self.history.clone(),
            attempt: self.attempt(),
            source: None,
        }
    }

    /// Gives up the head and keeps the body, as a stream of pieces that owns what it
    /// needs; what was read of it before is not in it.
    pub fn into_stream(self) -> Content {
        self.content
    }

    /// Gives the connection back if the rest of the body has arrived, else closes it. A
    /// body that was read before stays.
    pub fn release(&mut self) {
        self.content.release();
    }

    /// Closes the connection. A body that was read before stays.
    pub fn close(&mut self) {
        self.content.close();
    }
}

/// Finds the charset parameter for `text`: aiohttp reads it more simply there than for
/// its `charset`, quotes count for nothing.
fn charset_label(content_type: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(content_type);
    text.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let is_charset = name.trim().eq_ignore_ascii_case("charset");
        is_charset.then(|| value.trim_matches([' ', '"']).to_owned())
    })
}

impl fmt::Debug for ResponseHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseHead")
            .field("request", self.request_info())
            .field("status", &self.status())
            .field("headers", self.headers())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ClientResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientResponse")
            .field("head", &self.head)
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
