//! Proxies that a connection goes through.

#[cfg(feature = "socks")]
pub(crate) mod socks;
#[cfg(not(feature = "socks"))]
#[path = "socks/absent.rs"]
pub(crate) mod socks;
mod tunnel;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use aio_core::{
    BasicAuth, BasicAuthError, HeaderError, Headers, IntoUrl, RequestUrl, Scheme, UrlError,
    UrlErrorKind,
};

use self::socks::Socks;
#[cfg(feature = "socks")]
pub use self::socks::{SocksError, SocksReply};
pub(crate) use self::tunnel::open;
pub use self::tunnel::{TunnelAnswer, TunnelRefusal};
use crate::key::ConnectionKey;
use crate::tls::TlsConfig;

/// A proxy of HTTP or SOCKS: where it is, what it is told of who asks, and by which headers.
///
/// Cheap to clone. Connections through proxies that differ in anything are never shared.
///
/// # HTTP
///
/// `http` and `ws` requests are sent to it in absolute form; for `https` and `wss` it is
/// asked for a tunnel, by `CONNECT`, through which TLS is spoken with the server. To a
/// proxy whose URL is `https` TLS is spoken, too: by settings [of its own](Self::tls), else
/// by the connector's.
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
///
/// # SOCKS
///
/// With the feature `socks`. It is asked for a tunnel to any server, with TLS or without:
/// requests are as without a proxy. The schemes are curl's, the port is 1080 if the URL has
/// none:
///
/// | scheme | who looks up the server's name |
/// |---|---|
/// | `socks5` | this machine, by the connector's resolver; its addresses are asked for in turn |
/// | `socks5h` | the proxy |
/// | `socks4` | this machine; of its addresses those of IPv4 |
/// | `socks4a` | the proxy |
///
/// SOCKS5 is told login and password (RFC 1929), SOCKS4 a login, both in UTF-8. Neither
/// encrypts anything, nor knows headers. What goes wrong is a [`ConnectErrorKind::Proxy`],
/// whose source is a `SocksError`.
///
/// ```
/// # #[cfg(feature = "socks")] {
/// use aio_connector::Proxy;
///
/// let proxy = Proxy::new("socks5h://ada:s3cret@proxy.test")?;
/// assert_eq!(proxy.url().port(), 1080);
/// assert!(proxy.has_credentials());
/// # }
/// # Ok::<(), aio_connector::ProxyError>(())
/// ```
///
/// [`ConnectErrorKind::Proxy`]: crate::ConnectErrorKind::Proxy
#[derive(Clone)]
pub struct Proxy(Arc<Settings>);

#[derive(Clone)]
struct Settings {
    url: RequestUrl,
    /// The proxy as the peer of a connection.
    key: ConnectionKey,
    /// That of HTTP, as what follows.
    authorization: Option<Box<[u8]>>,
    headers: Headers,
    /// How it is spoken to, unless by HTTP.
    socks: Option<Socks>,
}

/// What no proxy can be made of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// The URL is none, or has no scheme.
    #[error("invalid URL of a proxy")]
    Url(#[from] UrlError),
    /// The scheme is none that proxies are spoken to by.
    #[error("proxies are http, https, socks4, socks4a, socks5 or socks5h, not {0:?}")]
    Scheme(Box<str>),
    /// SOCKS is not built in: it is the feature `socks`.
    #[error("SOCKS is not built in: no feature `socks`")]
    NoSocks,
    /// A SOCKS proxy cannot be told the credentials.
    #[error("invalid credentials of a SOCKS proxy: {0}")]
    SocksAuth(&'static str),
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
    /// If the URL is not absolute, or of no proxy, or its credentials cannot be told.
    pub fn new(url: impl IntoUrl) -> Result<Self, ProxyError> {
        let url = url.into_url().map_err(no_url)?;
        // `http://:@proxy` tells nothing, as in aiohttp.
        let has_any = |userinfo: &&BasicAuth| {
            !(userinfo.login().is_empty() && userinfo.password().is_empty())
        };
        let userinfo = url.userinfo().filter(has_any).cloned();
        let (url, socks) = match url.scheme() {
            Scheme::Http | Scheme::Https => (url.without_userinfo(), None),
            _ => {
                let socks = Socks::of(url.scheme_str())?;
                (with_port(&url, Socks::PORT)?, Some(socks))
            }
        };
        let proxy = Self(Arc::new(Settings {
            key: ConnectionKey::from(&url),
            url,
            authorization: None,
            headers: Headers::new(),
            socks,
        }));
        match userinfo {
            Some(userinfo) => proxy.auth(&userinfo),
            None => Ok(proxy),
        }
    }

    /// Tells it these credentials, in place of those before.
    ///
    /// # Errors
    /// If HTTP has no form for them: the login has a colon, or the encoding lacks a
    /// character. If SOCKS5 has no room: the login is empty, or either is longer than 255
    /// bytes. If SOCKS4, which is told the login only, has no end for it: it has a NUL.
    pub fn auth(mut self, auth: &BasicAuth) -> Result<Self, ProxyError> {
        let settings = self.settings();
        match &mut settings.socks {
            Some(socks) => socks.auth(auth)?,
            None => settings.authorization = Some(auth.encode()?.into_bytes().into()),
        }
        Ok(self)
    }

    /// Sends it a header with each request for a tunnel, and with no other one, in place of
    /// those of this name. But `Proxy-Authorization` takes the place of credentials, and
    /// `Host`, `Content-Length` and `Transfer-Encoding` are not sent: of which tunnel it is
    /// asked for, and that it has no body, is not to be said otherwise.
    ///
    /// A SOCKS proxy is told no headers: for it this does nothing.
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
        if self.0.socks.is_some() {
            return Ok(self);
        }
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

    /// Tells whether it is told any credentials.
    pub fn has_credentials(&self) -> bool {
        match &self.0.socks {
            Some(socks) => socks.has_login(),
            None => self.0.authorization.is_some(),
        }
    }

    /// Returns the value of `Proxy-Authorization`, if it is told any: a secret.
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

    /// Returns how it is spoken to, unless by HTTP.
    pub(crate) fn socks(&self) -> Option<&Socks> {
        self.0.socks.as_ref()
    }

    fn settings(&mut self) -> &mut Settings {
        Arc::make_mut(&mut self.0)
    }
}

/// Tells a scheme that no proxy has from what is no URL: `proxy:3128` is none of a scheme
/// `proxy`.
fn no_url(error: UrlError) -> ProxyError {
    match error.url().split_once(':') {
        Some((scheme, rest)) if error.kind() == UrlErrorKind::NonHttp && rest.starts_with("//") => {
            let no_host = |_| UrlError::new(error.url(), UrlErrorKind::NoHost).into();
            Socks::of(&scheme.to_ascii_lowercase()).map_or_else(|error| error, no_host)
        }
        _ => ProxyError::Url(error),
    }
}

/// Puts the port into the URL of a scheme that implies none, and leaves the rest out.
fn with_port(url: &RequestUrl, port: u16) -> Result<RequestUrl, UrlError> {
    let (scheme, authority) = (url.scheme_str(), url.authority());
    let text = match url.port() {
        0 => format!("{scheme}://{authority}:{port}"),
        _ => format!("{scheme}://{authority}"),
    };
    // It may have a port 0, and two are none.
    RequestUrl::parse(&text).map_err(|error| UrlError::new(url.as_str(), error.kind()))
}

impl PartialEq for Proxy {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || (self.0.key == other.0.key
                && self.0.authorization == other.0.authorization
                && self.0.headers == other.0.headers
                && self.0.socks == other.0.socks)
    }
}

impl Eq for Proxy {}

impl Hash for Proxy {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.key.hash(state);
        self.0.authorization.hash(state);
        self.0.socks.hash(state);
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
            .field("has_credentials", &self.has_credentials())
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
        for url in ["socks://h:1", "ws://h:1", "ftp://u:s3cret@h/"] {
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

    #[cfg(feature = "socks")]
    #[test]
    fn socks_proxies_have_schemes_and_a_port_of_their_own() {
        let url = |text| proxy(text).url().to_string();
        assert_eq!(url("SOCKS5://u:w@H.test"), "socks5://h.test:1080/");
        assert_eq!(url("socks4://h:9/path?query#top"), "socks4://h:9/");
        assert_eq!(
            url("socks4a://[fe80::1%25lo]"),
            "socks4a://[fe80::1%25lo]:1080/"
        );
        assert_eq!(proxy("socks5h://h").key().port(), 1080);
        // Another crate's URL leaves the hosts of such schemes as they are.
        let parsed = url::Url::parse("socks5h://u:w@H.Test").expect("a URL");
        let parsed = Proxy::new(parsed).expect("a proxy");
        assert_eq!(parsed, proxy("socks5h://u:w@h.test:1080"));

        let all = ["socks4", "socks4a", "socks5", "socks5h", "http"];
        let all = all.map(|scheme| proxy(&format!("{scheme}://h:1080")));
        for (at, one) in all.iter().enumerate() {
            assert!(all.iter().skip(at + 1).all(|other| other != one), "{one:?}");
        }
        assert_ne!(proxy("socks5://u@h"), proxy("socks5://h"));
        assert_ne!(proxy("socks5://u:w@h"), proxy("socks5://u:x@h"));

        for text in [
            "socks5://",
            "SOCKS5://:1080",
            "socks5://h:0",
            "socks5://h:p",
        ] {
            let error = Proxy::new(text).expect_err(text);
            let ProxyError::Url(error) = error else {
                panic!("{text}: {error:?}");
            };
            assert_eq!(
                error.url().trim_end_matches('/'),
                text.trim_end_matches('/')
            );
        }
        assert!(matches!(Proxy::new("socks5:h"), Err(ProxyError::Url(_))));
        assert_eq!(
            Proxy::new("socks5x://h"),
            Err(ProxyError::Scheme("socks5x".into()))
        );
    }

    #[cfg(feature = "socks")]
    #[test]
    fn socks_proxies_are_told_logins_but_no_headers() {
        let auth = |url, user: &str, password: &str| {
            let told = proxy(url).auth(&BasicAuth::new(user, password));
            told.map(|proxy| proxy.has_credentials())
        };
        let long = "x".repeat(255);
        let (five, four) = ("socks5://h", "socks4://h");
        assert_eq!(auth(five, &long, &long), Ok(true));
        assert_eq!(auth(five, "u", ""), Ok(true));
        assert_eq!(auth(five, "a:b\0", "\u{20ac}"), Ok(true));
        for (user, password) in [
            ("", "w"),
            (&*long.replace("xx", "xxx"), "w"),
            ("u", &*format!("{long}x")),
        ] {
            let error = auth(five, user, password).expect_err("no room");
            assert!(matches!(error, ProxyError::SocksAuth(_)));
        }
        assert_eq!(Proxy::new("socks5h://:@h"), Proxy::new("socks5h://h"));
        assert!(matches!(
            Proxy::new("socks5h://:w@h"),
            Err(ProxyError::SocksAuth(_))
        ));
        assert_eq!(auth(four, "", "w"), Ok(true));
        let error = auth(four, "a\0b", "").expect_err("no end");
        assert!(matches!(error, ProxyError::SocksAuth(_)));

        // A session's headers may be for several proxies.
        let plain = proxy("socks5://h");
        let told = ["X", "Proxy-Authorization"]
            .iter()
            .try_fold(plain.clone(), |proxy, name| proxy.header(name, "s3cret"));
        assert_eq!(told.as_ref(), Ok(&plain));
        assert!(plain.clone().header("X", "a\nb").is_err());
        assert!(!plain.has_credentials() && proxy("socks5://u@h").authorization().is_none());
        let shown = format!("{:?}", proxy("socks5://s3cret:s3cret@h"));
        assert_eq!(
            shown,
            "Proxy { url: socks5://h:1080/, has_credentials: true, headers: [] }"
        );
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
