//! Proxies that a connection goes through.

mod tunnel;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use aio_core::{
    BasicAuth, BasicAuthError, HeaderError, Headers, IntoUrl, RequestUrl, Scheme, UrlError,
    UrlErrorKind,
};

pub(crate) use self::tunnel::open;
pub use self::tunnel::{TunnelAnswer, TunnelRefusal};
use crate::key::ConnectionKey;
use crate::tls::TlsConfig;

/// An HTTP proxy: where it is, what it is told of who asks, and by which headers.
///
/// `http` and `ws` requests are sent to it in absolute form; for `https` and `wss` it is
/// asked for a tunnel, by `CONNECT`, through which TLS is spoken with the server. To a
/// proxy whose URL is `https` TLS is spoken, too: by settings [of its own](Self::tls), else
/// by the connector's.
///
/// Cheap to clone. Connections through proxies that differ in anything are never shared.
///
/// ```
/// use aio_connector::Proxy;
/// use aio_core::BasicAuth;
///
/// let proxy = Proxy::new("http://proxy.test:3128")?
///     .auth(&BasicAuth::new("ada", "s3cret"))?
///     .header("X-Team", "compilers")?;
/// assert_eq!(proxy.url().as_str(), "http://proxy.test:3128/");
/// assert_eq!(proxy, Proxy::new("http://ada:s3cret@proxy.test:3128")?.header("X-Team", "compilers")?);
/// # Ok::<(), aio_connector::ProxyError>(())
/// ```
#[derive(Clone)]
pub struct Proxy(Arc<Settings>);

#[derive(Clone)]
struct Settings {
    url: RequestUrl,
    /// The proxy as the peer of a connection.
    key: ConnectionKey,
    authorization: Option<Box<[u8]>>,
    headers: Headers,
}

/// What no proxy can be made of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// The URL is none, or has no scheme.
    #[error("invalid URL of a proxy")]
    Url(#[from] UrlError),
    /// The scheme is none that proxies are spoken to by.
    #[error("only http and https proxies are supported, not {0:?}")]
    Scheme(Box<str>),
    /// The credentials have no header form.
    #[error("invalid credentials of a proxy")]
    Auth(#[from] BasicAuthError),
    /// A header would break the head it is written into.
    #[error("invalid header for a proxy")]
    Header(#[from] HeaderError),
}

impl Proxy {
    /// Makes one of its URL, from which credentials are taken; path and query mean nothing.
    ///
    /// # Errors
    /// If the URL is not absolute, or not `http` or `https`, or its login has a colon.
    pub fn new(url: impl IntoUrl) -> Result<Self, ProxyError> {
        let url = url.into_url().map_err(|error| match scheme_of(&error) {
            // `proxy:3128` is no URL of a scheme `proxy`.
            Some(scheme) => ProxyError::Scheme(scheme.into()),
            None => ProxyError::Url(error),
        })?;
        if !matches!(url.scheme(), Scheme::Http | Scheme::Https) {
            return Err(ProxyError::Scheme(url.scheme_str().into()));
        }
        let userinfo = url.userinfo().cloned();
        let url = url.without_userinfo();
        let proxy = Self(Arc::new(Settings {
            key: ConnectionKey::from(&url),
            url,
            authorization: None,
            headers: Headers::new(),
        }));
        match userinfo {
            Some(userinfo) => proxy.auth(&userinfo),
            None => Ok(proxy),
        }
    }

    /// Tells it these credentials, in place of those before.
    ///
    /// # Errors
    /// If the login has a colon, or the encoding lacks a character.
    pub fn auth(mut self, auth: &BasicAuth) -> Result<Self, ProxyError> {
        let encoded = auth.encode()?;
        self.settings().authorization = Some(encoded.into_bytes().into());
        Ok(self)
    }

    /// Sends it a header with each request for a tunnel, and with no other one, in place of
    /// those of this name. But `Proxy-Authorization` takes the place of credentials.
    ///
    /// # Errors
    /// If the name is no token or the value has a control character other than TAB.
    pub fn header(
        mut self,
        name: impl AsRef<str>,
        value: impl AsRef<[u8]>,
    ) -> Result<Self, ProxyError> {
        let (name, value) = (name.as_ref(), value.as_ref());
        aio_core::check_field(name, value)?;
        if name.eq_ignore_ascii_case("proxy-authorization") {
            self.settings().authorization = Some(value.into());
        } else {
            self.settings().headers.insert(name, value)?;
        }
        Ok(self)
    }

    /// Speaks TLS with it so, if its URL is `https`, in place of the connector's settings.
    ///
    /// None of them is for the server, nor is one of a request's `tls` for the proxy: each
    /// has authorities, client certificates and a fingerprint of its own. What the connector
    /// has is for both, if there is nothing else: its client certificate, too, which is
    /// shown to a proxy that asks for one.
    ///
    /// ```
    /// # fn run(company: aio_connector::TlsConfig) -> Result<(), aio_connector::ProxyError> {
    /// use aio_connector::Proxy;
    ///
    /// let proxy = Proxy::new("https://proxy.test:3129")?.tls(company);
    /// # Ok(())
    /// # }
    /// ```
    pub fn tls(mut self, tls: TlsConfig) -> Self {
        self.settings().key.set_tls(tls);
        self
    }

    /// Returns its URL without credentials.
    pub fn url(&self) -> &RequestUrl {
        &self.0.url
    }

    /// Returns the value of `Proxy-Authorization`, if it is told any credentials: a secret.
    pub fn authorization(&self) -> Option<&[u8]> {
        self.0.authorization.as_deref()
    }

    /// Returns the headers of requests for a tunnel, but `Proxy-Authorization`.
    pub fn headers(&self) -> &Headers {
        &self.0.headers
    }

    /// Returns whom to dial.
    pub(crate) fn key(&self) -> &ConnectionKey {
        &self.0.key
    }

    fn settings(&mut self) -> &mut Settings {
        Arc::make_mut(&mut self.0)
    }
}

/// Finds the scheme of a URL that is refused for it.
fn scheme_of(error: &UrlError) -> Option<&str> {
    let (scheme, rest) = error.url().split_once(':')?;
    (error.kind() == UrlErrorKind::NonHttp && rest.starts_with("//")).then_some(scheme)
}

impl PartialEq for Proxy {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || (self.0.key == other.0.key
                && self.0.authorization == other.0.authorization
                && self.0.headers == other.0.headers)
    }
}

impl Eq for Proxy {}

impl Hash for Proxy {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.key.hash(state);
        self.0.authorization.hash(state);
        for field in self.0.headers.iter() {
            (field.name(), field.as_bytes()).hash(state);
        }
    }
}

impl fmt::Debug for Proxy {
    /// Shows neither credentials nor what its headers say.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.headers.iter().map(|field| field.name()).collect();
        f.debug_struct("Proxy")
            .field("url", &format_args!("{}", self.0.url.without_query()))
            .field("has_credentials", &self.0.authorization.is_some())
            .field("headers", &names)
            .finish()
    }
}

/// What can be given as a proxy: its URL, in any form that a request's may have, or a
/// [`Proxy`].
///
/// ```
/// use aio_connector::{IntoProxy, Proxy};
///
/// let proxy = "http://proxy.test:3128".into_proxy()?;
/// assert_eq!(proxy, (&proxy).into_proxy()?);
/// assert!("proxy.test:3128".into_proxy().is_err());
/// # Ok::<(), aio_connector::ProxyError>(())
/// ```
pub trait IntoProxy {
    /// Turns it into a [`Proxy`].
    ///
    /// # Errors
    /// As those of [`Proxy::new`].
    fn into_proxy(self) -> Result<Proxy, ProxyError>;
}

impl<U: IntoUrl> IntoProxy for U {
    fn into_proxy(self) -> Result<Proxy, ProxyError> {
        Proxy::new(self)
    }
}

impl IntoProxy for Proxy {
    fn into_proxy(self) -> Result<Proxy, ProxyError> {
        Ok(self)
    }
}

impl IntoProxy for &Proxy {
    fn into_proxy(self) -> Result<Proxy, ProxyError> {
        Ok(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, RandomState};

    use super::*;

    fn proxy(url: &str) -> Proxy {
        Proxy::new(url).expect("a proxy")
    }

    #[test]
    fn content_tells_proxies_apart() {
        let hash = RandomState::new();
        let same = [
            proxy("http://ada:pw@p.test:3128"),
            proxy("HTTP://ada:pw@P.test:3128/path?query"),
            proxy("http://p.test:3128")
                .auth(&BasicAuth::new("ada", "pw"))
                .expect("no colon"),
        ];
        for other in &same {
            assert_eq!(&same[0], other);
            assert_eq!(hash.hash_one(&same[0]), hash.hash_one(other));
        }
        let with = |name, value| proxy("http://ada:pw@p.test:3128").header(name, value);
        for other in [
            proxy("http://ada:pw@p.test:3129"),
            proxy("http://ada:pw@q.test:3128"),
            proxy("https://ada:pw@p.test:3128"),
            proxy("http://ada:other@p.test:3128"),
            proxy("http://p.test:3128"),
            with("X", "1").expect("a header"),
            with("Proxy-Authorization", "Bearer x").expect("a header"),
        ] {
            assert_ne!(same[0], other);
        }
    }

    #[test]
    fn urls_that_are_no_proxy() {
        // CON-81, EDGE-203.
        for url in ["socks5://h:1", "ws://h:1", "ftp://u:s3cret@h/"] {
            let error = Proxy::new(url).expect_err(url);
            let scheme = url.split(':').next().expect("one").into();
            assert_eq!(error, ProxyError::Scheme(scheme));
        }
        for url in [
            "h:1",
            "127.0.0.1:1",
            "h",
            "",
            "//h:1",
            "http://",
            "http://:bad",
            "http://h:p",
        ] {
            let error = Proxy::new(url).expect_err(url);
            assert!(matches!(error, ProxyError::Url(_)), "{url}: {error:?}");
        }
        let error = Proxy::new("http://a%3Ab:c@h").expect_err("a colon");
        assert_eq!(error, ProxyError::Auth(BasicAuthError::ColonInLogin));
        let error = proxy("http://h")
            .header("X", "a\nb")
            .expect_err("a line end");
        assert!(matches!(error, ProxyError::Header(_)));
    }

    #[test]
    fn credentials_beyond_latin_1_are_utf_8() {
        // EDGE-204; what ISO-8859-1 can hold is sent so, as aiohttp 3 does.
        let of = |url| String::from_utf8(proxy(url).authorization().expect("some").into());
        assert_eq!(of("http://us:p%C3%A9@h").expect("ASCII"), "Basic dXM6cOk=");
        assert_eq!(
            of("http://us:p%E2%82%AC@h").expect("ASCII"),
            "Basic dXM6cOKCrA=="
        );
    }

    #[test]
    fn debug_hides_secrets() {
        let proxy = proxy("http://s3cret:s3cret@h/?s3cret")
            .header("X", "s3cret")
            .expect("valid");
        let shown = format!("{proxy:?}");
        assert!(!shown.contains("s3cret"), "{shown}");
        assert!(
            shown.contains("http://h/") && shown.contains("\"X\""),
            "{shown}"
        );
    }
}
