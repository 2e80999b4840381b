//! A response without its body, and the request it answers.

use std::fmt;
use std::sync::Arc;

use aio_connector::{Connection, ConnectionInfo, Exchange};
use aio_cookies::{Profile, SetCookie};
use aio_core::http1::Head;
use aio_core::{ContentDisposition, ContentType, HeaderView, Link, MultiDict, RequestUrl};
use bytes::Bytes;
use http::{Method, StatusCode, Version};

/// A response without its body; cheap to clone.
#[derive(Clone)]
pub struct ResponseHead(Arc<Heads>);

/// The heads of a response and of its request: in one block, for one allocation.
struct Heads {
    response: Head,
    request: RequestInfo,
    cookie_profile: Profile,
    informational: Option<Box<[(StatusCode, HeaderView)]>>,
    connection: ConnectionInfo,
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
    pub(crate) fn new(
        response: Head,
        request: RequestInfo,
        cookie_profile: Profile,
        exchange: &mut Exchange,
    ) -> Self {
        let connection = exchange.connection().map(Connection::info);
        Self(Arc::new(Heads {
            response,
            request,
            cookie_profile,
            informational: exchange.take_informational(),
            connection: connection.unwrap_or_default(),
        }))
    }

    /// Makes the one of a proxy that gives no tunnel.
    pub(crate) fn of_proxy(response: Head, request: RequestInfo, cookie_profile: Profile) -> Self {
        Self(Arc::new(Heads {
            response,
            request,
            cookie_profile,
            informational: None,
            connection: ConnectionInfo::default(),
        }))
    }

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

    /// Returns the interim (1xx) responses before it, such as 103 Early Hints, in the order
    /// in which they came; 101 is no such one.
    ///
    /// Their number and size are bounded: see
    /// [`Exchange::informational`](aio_connector::Exchange::informational).
    ///
    /// ```
    /// # fn preload(response: &aio_client::ClientResponse) {
    /// for (status, headers) in response.informational() {
    ///     println!("{status}: {:?}", headers.get("link"));
    /// }
    /// # }
    /// ```
    pub fn informational(&self) -> &[(StatusCode, HeaderView)] {
        self.0.informational.as_deref().unwrap_or_default()
    }

    /// Returns what is known of the connection that it came on: addresses, TLS, and whether
    /// it was used before. Stays when the connection is gone.
    pub fn connection_info(&self) -> &ConnectionInfo {
        &self.0.connection
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

    /// Returns how the body is to be shown or saved, and under which name, if the first
    /// `Content-Disposition` says so.
    pub fn content_disposition(&self) -> Option<ContentDisposition> {
        let field = self.headers().get("content-disposition")?;
        Some(ContentDisposition::parse(field.as_bytes()))
    }

    /// Returns the links of all `Link` headers, in order, by their `rel`; without one, by
    /// their target as written.
    ///
    /// ```
    /// # async fn run(session: aio_client::ClientSession) -> Result<(), aio_client::ClientError> {
    /// let mut page = session.get("http://127.0.0.1:8080/list").await?;
    /// while let Some(next) = page.links().get("next").and_then(|link| link.url()) {
    ///     page = session.get(next).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn links(&self) -> MultiDict<Link> {
        let fields = self.headers().get_all("link");
        Link::parse_all(fields.map(|field| field.as_bytes()), self.url())
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

impl fmt::Debug for ResponseHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseHead")
            .field("request", self.request_info())
            .field("status", &self.status())
            .field(
                "reason",
                &format_args!("\"{}\"", self.raw_reason().escape_ascii()),
            )
            .field("headers", self.headers())
            .finish_non_exhaustive()
    }
}
