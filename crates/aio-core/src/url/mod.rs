//! The URL of a request: the text as sent, and what is cut off before sending.
//!
//! yarl, aiohttp's URL type, is the model. [`url::Url`](::url::Url) reads the same text
//! otherwise: it turns `127.1` into an address, refuses zones, changes escapes. So our
//! checks run on the text, and `url` sees it only when someone asks for its type.

mod host;
mod into;
mod params;
mod parse;
mod quote;

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use ::url::{Position, Url};

use crate::auth::BasicAuth;
use crate::error::{UrlError, UrlErrorKind};

pub use self::into::IntoUrl;
pub use self::params::{IntoParams, ParamError, ParamValue, Params};

/// An absolute URL with a host, ready to be requested.
///
/// Userinfo and fragment are kept aside: they are never sent, and neither
/// [`as_str`](Self::as_str) nor `Debug` and `Display` show them.
///
/// ```
/// use aio_core::RequestUrl;
///
/// let url = RequestUrl::parse("HTTP://ada:pw@Example.org:80/a b/../\u{e9}?q=1 2#top")?;
/// assert_eq!(url.as_str(), "http://example.org/%C3%A9?q=1+2");
/// assert_eq!(url.target(), "/%C3%A9?q=1+2");
/// assert_eq!((url.host(), url.port()), ("example.org", 80));
/// assert_eq!(url.fragment(), Some("top"));
/// assert_eq!(url.join("../x")?.as_str(), "http://example.org/x");
/// # Ok::<(), aio_core::UrlError>(())
/// ```
#[derive(Clone)]
pub struct RequestUrl {
    text: Text,
    scheme: Scheme,
    port: u16,
    /// Where the host stands in the text: without brackets and zone.
    host: (usize, usize),
    /// Where the path starts: at its `/`.
    path: usize,
    /// Where the query starts: behind its `?`.
    query: Option<usize>,
    // Boxed: hardly any URL has them.
    aside: Option<Box<Aside>>,
}

#[derive(Clone)]
enum Text {
    Own {
        text: Arc<str>,
        url: OnceLock<Box<Url>>,
    },
    Url(Url),
}

/// What belongs to a URL and is not sent with it.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
struct Aside {
    userinfo: Option<BasicAuth>,
    fragment: Option<String>,
}

impl Aside {
    fn boxed(self) -> Option<Box<Self>> {
        (self.userinfo.is_some() || self.fragment.is_some()).then(|| Box::new(self))
    }
}

/// The scheme of a [`RequestUrl`], as far as this client speaks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `http`
    Http,
    /// `https`
    Https,
    /// `ws`
    Ws,
    /// `wss`
    Wss,
    /// Any other: for a connector to judge.
    Other,
}

impl Scheme {
    fn of(name: &str) -> Self {
        match name {
            "http" => Self::Http,
            "https" => Self::Https,
            "ws" => Self::Ws,
            "wss" => Self::Wss,
            _ => Self::Other,
        }
    }

    /// Returns the port that the scheme implies, if any.
    pub fn default_port(self) -> Option<u16> {
        match self {
            Self::Http | Self::Ws => Some(80),
            Self::Https | Self::Wss => Some(443),
            Self::Other => None,
        }
    }

    /// Says whether the scheme wants TLS.
    pub fn is_tls(self) -> bool {
        matches!(self, Self::Https | Self::Wss)
    }
}

impl RequestUrl {
    /// Parses and requotes `text` as aiohttp does with a `str`.
    ///
    /// What needs an escape is escaped, needless escapes are undone, dot segments
    /// removed, the host is lower-cased and put into its IDNA form.
    ///
    /// # Errors
    /// If `text` is no absolute URL, or its host or port is invalid.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        match parse::plain(text) {
            Some(url) => Ok(url),
            None => parse::whole(text, parse::Quoting::Requote),
        }
    }

    /// Parses `text` and keeps path and query as they are (yarl's `encoded=True`).
    ///
    /// ```
    /// # use aio_core::RequestUrl;
    /// let url = RequestUrl::encoded("http://example.org/%7euser/../%2f?sig=a%2bb")?;
    /// assert_eq!(url.target(), "/%7euser/../%2f?sig=a%2bb");
    /// assert!(RequestUrl::encoded("http://example.org/a b").is_err());
    /// # Ok::<(), aio_core::UrlError>(())
    /// ```
    ///
    /// # Errors
    /// As [`parse`](Self::parse); and if there is a blank, a control character or
    /// anything beyond ASCII behind the host.
    pub fn encoded(text: &str) -> Result<Self, UrlError> {
        parse::whole(text, parse::Quoting::Verbatim)
    }

    /// Takes a parsed URL as it is.
    ///
    /// # Errors
    /// If it has no host.
    pub fn from_url(mut url: Url) -> Result<Self, UrlError> {
        let scheme = Scheme::of(url.scheme());
        let Some(host) = url.host_str().filter(|host| !host.is_empty()) else {
            let kind = match scheme {
                Scheme::Other => UrlErrorKind::NonHttp,
                _ => UrlErrorKind::NoHost,
            };
            return Err(UrlError::new(url.as_str(), kind));
        };
        let brackets = usize::from(host.starts_with('['));
        let host_len = host.len();
        // Where the host stands when there is no userinfo before it.
        let start = url.scheme().len() + "://".len();
        let has_userinfo = url[..Position::BeforeHost].len() > start;
        let has_aside = has_userinfo || url.fragment().is_some();
        let aside = if has_aside {
            Aside::cut_off(&mut url).boxed()
        } else {
            None
        };
        Ok(Self {
            scheme,
            port: url.port_or_known_default().unwrap_or_default(),
            host: (start + brackets, start + host_len - brackets),
            path: url[..Position::BeforePath].len(),
            query: url.query().map(|query| url.as_str().len() - query.len()),
            text: Text::Url(url),
            aside,
        })
    }

    /// Resolves `reference` against this URL (RFC 3986 5.2), requoting it.
    ///
    /// `//host/x` keeps the scheme, `http:x` is relative to an `http` URL, a backslash
    /// is part of the path. A fragment of this URL is not inherited, userinfo is.
    ///
    /// # Errors
    /// As [`parse`](Self::parse), of an absolute reference.
    pub fn join(&self, reference: &str) -> Result<Self, UrlError> {
        parse::reference(self, reference, parse::Quoting::Requote)
    }

    /// Resolves `reference` like [`join`](Self::join) and keeps its escapes as they are.
    ///
    /// # Errors
    /// As [`encoded`](Self::encoded).
    pub fn join_encoded(&self, reference: &str) -> Result<Self, UrlError> {
        parse::reference(self, reference, parse::Quoting::Verbatim)
    }

    /// Appends `params` to the query.
    ///
    /// ```
    /// # use aio_core::{IntoParams, RequestUrl};
    /// let url = RequestUrl::parse("http://example.org/?x=1")?;
    /// let params = [("q", "a b&c"), ("x", "2")].into_params().expect("no floats in it");
    /// assert_eq!(url.with_params(&params).target(), "/?x=1&q=a+b%26c&x=2");
    /// # Ok::<(), aio_core::UrlError>(())
    /// ```
    #[must_use]
    pub fn with_params(self, params: &Params) -> Self {
        if params.is_empty() {
            return self;
        }
        let mut text = String::from(self.as_str());
        match self.query() {
            None => text.push('?'),
            Some(query) if query.is_empty() || query.ends_with('&') => {}
            Some(_) => text.push('&'),
        }
        let query = self.query.unwrap_or(text.len());
        params.write(&mut text);
        Self {
            text: Text::own(&text),
            query: Some(query),
            ..self
        }
    }

    /// Appends those of `params` whose key the query does not have.
    ///
    /// ```
    /// # use aio_core::{IntoParams, RequestUrl};
    /// let url = RequestUrl::parse("http://example.org/?x=1")?;
    /// let params = [("x", "0"), ("y", "0")].into_params().expect("no floats in it");
    /// assert_eq!(url.with_missing_params([&params]).target(), "/?x=1&y=0");
    /// # Ok::<(), aio_core::UrlError>(())
    /// ```
    #[must_use]
    pub fn with_missing_params<'a>(self, params: impl IntoIterator<Item = &'a Params>) -> Self {
        let own = self.query().unwrap_or_default().to_owned();
        let missing = params
            .into_iter()
            .map(|params| params.without_keys_of(&own));
        missing.fold(self, |url, params| url.with_params(&params))
    }

    /// Returns the URL without its query, as errors and logs show it.
    pub fn without_query(&self) -> Cow<'_, str> {
        match self.query {
            None => Cow::Borrowed(self.as_str()),
            Some(query) => Cow::Owned(format!(
                "{}…",
                self.as_str().get(..query).unwrap_or_default()
            )),
        }
    }

    /// Drops the userinfo.
    #[must_use]
    pub fn without_userinfo(mut self) -> Self {
        if let Some(aside) = self.aside.take() {
            self.aside = Aside {
                userinfo: None,
                fragment: aside.fragment,
            }
            .boxed();
        }
        self
    }

    /// Returns the URL without userinfo and fragment: aiohttp's `response.url`.
    pub fn as_str(&self) -> &str {
        match &self.text {
            Text::Own { text, .. } => text,
            Text::Url(url) => url.as_str(),
        }
    }

    /// Returns the URL with its fragment, without userinfo: aiohttp's `real_url`.
    pub fn real_url(&self) -> Cow<'_, str> {
        match self.fragment() {
            None => Cow::Borrowed(self.as_str()),
            Some(fragment) => Cow::Owned(format!("{}#{fragment}", self.as_str())),
        }
    }

    /// Returns the URL without userinfo, fragment and zone, as [`Url`].
    ///
    /// Its text differs from [`as_str`](Self::as_str) where `url` normalises otherwise:
    /// a `'` in a query, a host like `0x7f.1`, dot segments given as encoded.
    #[expect(
        clippy::missing_panics_doc,
        reason = "it cannot: see the tests of chance"
    )]
    pub fn url(&self) -> &Url {
        match &self.text {
            Text::Url(url) => url,
            Text::Own { url, .. } => url.get_or_init(|| {
                let url = Url::parse(&self.absolute_form());
                Box::new(url.expect("scheme, host and port are checked"))
            }),
        }
    }

    /// Returns the URL as it stands in a request line to a proxy: without userinfo, fragment
    /// and zone, which means something on this machine only (RFC 6874 4).
    ///
    /// ```
    /// # use aio_core::RequestUrl;
    /// let url = RequestUrl::parse("http://ada:pw@[fe80::1%25eth0]:80?q#top")?;
    /// assert_eq!(url.absolute_form(), "http://[fe80::1]/?q");
    /// # Ok::<(), aio_core::UrlError>(())
    /// ```
    pub fn absolute_form(&self) -> Cow<'_, str> {
        match self.zone_range() {
            None => Cow::Borrowed(self.as_str()),
            Some(zone) => Cow::Owned(self.as_str().replacen(self.part(zone), "", 1)),
        }
    }

    /// Returns path and query as they stand in a request line.
    pub fn target(&self) -> &str {
        self.part(self.path..self.as_str().len())
    }

    /// Returns the path, at least `/`.
    pub fn path(&self) -> &str {
        let end = self.query.map_or(self.as_str().len(), |query| query - 1);
        self.part(self.path..end)
    }

    /// Returns the query without its `?`.
    pub fn query(&self) -> Option<&str> {
        self.query
            .map(|query| self.part(query..self.as_str().len()))
    }

    /// Returns the fragment without its `#`, quoted.
    pub fn fragment(&self) -> Option<&str> {
        self.aside.as_ref()?.fragment.as_deref()
    }

    /// Returns the userinfo, percent-decoded.
    ///
    /// It is sent as ISO-8859-1 if that can hold it, else as UTF-8.
    pub fn userinfo(&self) -> Option<&BasicAuth> {
        self.aside.as_ref()?.userinfo.as_ref()
    }

    /// Returns the scheme.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Returns the scheme's name in lower case.
    pub fn scheme_str(&self) -> &str {
        self.as_str()
            .split_once(':')
            .map_or("", |(scheme, _)| scheme)
    }

    /// Says whether the scheme wants TLS.
    pub fn is_tls(&self) -> bool {
        self.scheme.is_tls()
    }

    /// Returns the host for a lookup: ASCII, lower case, without brackets and zone.
    ///
    /// A trailing dot stays: it tells a resolver that the name is complete.
    pub fn host(&self) -> &str {
        self.part(self.host.0..self.host.1)
    }

    /// Returns the zone of an IPv6 address, as `eth0`.
    pub fn zone(&self) -> Option<&str> {
        self.part(self.zone_range()?).strip_prefix("%25")
    }

    /// Returns the port, given or implied; 0 if the scheme implies none.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns host and port as they stand in the URL.
    pub fn authority(&self) -> &str {
        let bracket = usize::from(self.host().contains(':'));
        self.part(self.host.0 - bracket..self.path)
    }

    /// Returns the value of the `Host` header.
    ///
    /// An address of IPv6 stands in brackets; default port, zone and trailing dots are
    /// left out.
    pub fn host_header(&self) -> Cow<'_, str> {
        let authority = self.authority();
        let host = self.host();
        if !host.ends_with('.') && self.zone_range().is_none() {
            return Cow::Borrowed(authority);
        }
        let port = match authority.rsplit_once(':') {
            Some((_, port)) if !port.ends_with(']') => format!(":{port}"),
            _ => String::new(),
        };
        if host.contains(':') {
            return Cow::Owned(format!("[{host}]{port}"));
        }
        Cow::Owned(format!("{}{port}", host.trim_end_matches('.')))
    }

    /// Says whether scheme, host and port are the same.
    pub fn same_origin(&self, other: &Self) -> bool {
        self.origin() == other.origin()
    }

    /// Makes sure that the scheme is `http`, `https`, `ws` or `wss`: one that any connector
    /// takes.
    ///
    /// # Errors
    /// [`UrlErrorKind::NonHttp`] if it is another one.
    pub fn check_http(&self) -> Result<(), UrlError> {
        match self.scheme {
            Scheme::Other => Err(UrlError::new(self.as_str(), UrlErrorKind::NonHttp)),
            _ => Ok(()),
        }
    }

    /// Makes sure that relative URLs can be joined to this one.
    ///
    /// # Errors
    /// [`UrlErrorKind::NoTrailingSlash`] if the path does not end with `/`.
    pub fn check_base(&self) -> Result<(), UrlError> {
        if self.path().ends_with('/') {
            return Ok(());
        }
        Err(UrlError::new(self.as_str(), UrlErrorKind::NoTrailingSlash))
    }

    /// The text up to the path: a default port is not in it, letters are lower-cased.
    fn origin(&self) -> &str {
        self.part(0..self.path)
    }

    fn zone_range(&self) -> Option<Range<usize>> {
        let rest = self.part(self.host.1..self.path);
        let end = rest.starts_with('%').then(|| rest.find(']'))??;
        Some(self.host.1..self.host.1 + end)
    }

    fn part(&self, range: Range<usize>) -> &str {
        self.as_str().get(range).unwrap_or_default()
    }
}

impl Text {
    fn own(text: &str) -> Self {
        Self::Own {
            text: text.into(),
            url: OnceLock::new(),
        }
    }
}

impl Aside {
    /// Takes userinfo and fragment out of `url`.
    fn cut_off(url: &mut Url) -> Self {
        let mut aside = Self::default();
        if let Some(fragment) = url.fragment() {
            aside.fragment = Some(fragment.to_owned());
            url.set_fragment(None);
        }
        let userinfo = match url.password() {
            Some(password) => format!("{}:{password}", url.username()),
            None => url.username().to_owned(),
        };
        aside.userinfo = host::credentials(&userinfo);
        // Both fail only without a host.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        aside
    }
}

impl FromStr for RequestUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        Self::parse(text)
    }
}

impl PartialEq for RequestUrl {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str() && self.aside == other.aside
    }
}

impl Eq for RequestUrl {}

impl Hash for RequestUrl {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
        self.aside.hash(state);
    }
}

impl fmt::Display for RequestUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RequestUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RequestUrl")
            .field(&self.without_query())
            .finish()
    }
}

#[cfg(test)]
mod tests;
