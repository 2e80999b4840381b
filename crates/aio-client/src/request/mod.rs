//! A request before it is sent.

mod builder;
mod into;
mod proxy;
mod reading;

use std::fmt;
use std::sync::Arc;

use aio_connector::Proxy;
use aio_core::{
    BasicAuth, Body, Headers, IntoUrl, RequestUrl, UploadProgress, UrlError, UrlErrorKind,
};
use http::{Method, Version};

pub use self::builder::RequestBuilder;
pub use self::into::IntoRequest;
use crate::error::{ClientError, UsageError};
use crate::options::RequestOptions;
use crate::session::ClientSession;

/// A request as middlewares see it; aiohttp's `ClientRequest`.
#[derive(Debug)]
pub struct ClientRequest {
    pub(crate) parts: RequestParts,
    pub(crate) body: Body,
}

/// A request without its body.
#[derive(Clone)]
pub(crate) struct RequestParts {
    pub(crate) method: Method,
    pub(crate) url: RequestUrl,
    pub(crate) headers: Headers,
    // Boxed: few requests have them, and all carry their size.
    pub(crate) authorization: Option<Box<BasicAuth>>,
    pub(crate) cookies: Vec<(String, String)>,
    pub(crate) upload_progress: Option<UploadProgress>,
    /// Through which proxy it goes; known when it is sent.
    pub(crate) proxy: Option<Proxy>,
    /// The session's, until the request changes one.
    pub(crate) options: Arc<RequestOptions>,
}

// Values of cookies are secrets.
impl fmt::Debug for RequestParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, _)| name).collect();
        f.debug_struct("RequestParts")
            .field("method", &self.method)
            .field("url", &self.url)
            .field("headers", &self.headers)
            .field("cookies", &cookies)
            .field("proxy", &self.proxy)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl ClientRequest {
    fn new(
        session: &ClientSession,
        method: Method,
        url: impl IntoUrl,
    ) -> Result<Self, ClientError> {
        let defaults = session.defaults();
        let url = url.resolve(defaults.base_url.as_ref());
        let url = url.map_err(|error| without_host(error, session.connector().schemes()))?;
        // CON-06.
        if let Err(error) = url.check_http()
            && !session.connector().schemes().contains(&url.scheme_str())
        {
            return Err(error.into());
        }
        let parts = RequestParts {
            method,
            url,
            headers: Headers::new(),
            authorization: None,
            cookies: Vec::new(),
            upload_progress: None,
            proxy: None,
            options: Arc::clone(&defaults.options),
        };
        Ok(Self {
            parts,
            body: Body::none(),
        })
    }

    /// Returns the method.
    pub fn method(&self) -> &Method {
        &self.parts.method
    }

    /// Returns the URL.
    pub fn url(&self) -> &RequestUrl {
        &self.parts.url
    }

    /// Replaces the method.
    pub fn set_method(&mut self, method: Method) {
        self.parts.method = method;
    }

    /// Replaces the URL; its credentials are not made a header.
    pub fn set_url(&mut self, url: RequestUrl) {
        self.parts.url = url;
    }

    /// Returns the headers that the caller and the session set, and the credentials.
    pub fn headers(&self) -> &Headers {
        &self.parts.headers
    }

    /// Returns the same to change them.
    pub fn headers_mut(&mut self) -> &mut Headers {
        &mut self.parts.headers
    }

    /// Returns the proxy that it goes through, if it goes through any; known when the
    /// request is sent, as by a middleware.
    pub fn proxy(&self) -> Option<&Proxy> {
        self.parts.proxy.as_ref()
    }

    /// Replaces the proxy of a request that is being sent; `None` sends it directly.
    pub fn set_proxy(&mut self, proxy: impl Into<Option<Proxy>>) {
        self.parts.proxy = proxy.into();
    }

    /// Returns the body.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// Replaces the body.
    pub fn set_body(&mut self, body: impl Into<Body>) {
        self.body = body.into();
    }

    /// Makes the same request again, unless its body can be sent once only.
    pub fn try_clone(&self) -> Option<Self> {
        Some(Self {
            parts: self.parts.clone(),
            body: self.body.try_clone()?,
        })
    }
}

/// Names what a URL of one of these schemes lacks, which is refused before anyone knows who
/// takes it: `unix:///run/app.sock`.
fn without_host(error: UrlError, schemes: &[&str]) -> UrlError {
    let scheme = error.url().split_once(':').map_or("", |(scheme, _)| scheme);
    let is_taken = schemes
        .iter()
        .any(|taken| taken.eq_ignore_ascii_case(scheme));
    match error.kind() {
        UrlErrorKind::NonHttp if is_taken => UrlError::new(error.url(), UrlErrorKind::NoHost),
        _ => error,
    }
}

/// Refuses what this client does not speak.
pub(crate) fn check_version(version: Version) -> Result<(), ClientError> {
    match version {
        Version::HTTP_10 | Version::HTTP_11 => Ok(()),
        other => Err(UsageError::Version(other).into()),
    }
}

fn usage(error: impl Into<UsageError>) -> ClientError {
    ClientError::Usage(error.into())
}

/// Makes a method of its name, in upper case; aiohttp takes any token.
pub(crate) fn method(name: &str) -> Result<Method, UsageError> {
    Method::from_bytes(name.to_ascii_uppercase().as_bytes())
        .map_err(|_| UsageError::Method(name.into()))
}
