//! What tells apart connections that must not be shared.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use aio_core::RequestUrl;
use indexmap::Equivalent;

use crate::pool::Wanted;
use crate::proxy::Proxy;
use crate::tls::TlsConfig;

/// The peer of a connection; aiohttp's `ConnectionKey`.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectionKey {
    host: Box<str>,
    port: u16,
    is_tls: bool,
    zone: Option<Box<str>>,
    tls: Option<TlsConfig>,
    server_name: Option<Box<str>>,
    proxy: Option<Proxy>,
    /// The `Host` field for this peer, made once.
    host_header: Box<str>,
}

impl ConnectionKey {
    /// Returns the host as in the URL, in lower case.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Tells whether the connection is encrypted; aiohttp's `is_ssl`.
    pub fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// Returns how TLS is spoken, if not as the connector's settings say; aiohttp's `ssl`.
    pub fn tls(&self) -> Option<&TlsConfig> {
        self.tls.as_ref()
    }

    /// Has TLS spoken so, if it is spoken at all.
    pub(crate) fn set_tls(&mut self, tls: TlsConfig) {
        self.tls = Some(tls).filter(|_| self.is_tls);
    }

    /// Returns the name that TLS asks the server for, and that its certificate must have:
    /// the one that was given, or the host's, without dots at its end.
    pub fn server_name(&self) -> &str {
        let name = self.server_name.as_deref().unwrap_or(&self.host);
        name.trim_end_matches('.')
    }

    /// Returns the proxy that it goes through, if it does.
    pub fn proxy(&self) -> Option<&Proxy> {
        self.proxy.as_ref()
    }

    /// Returns the proxy that reads the requests on it and forwards them, and wants them in
    /// absolute form for that: one of HTTP, if there is no TLS to the peer. Any other gives
    /// a tunnel, and reads none.
    pub fn forwarded_by(&self) -> Option<&Proxy> {
        self.proxy()
            .filter(|proxy| !self.is_tls && proxy.socks().is_none())
    }

    /// Returns the value of the `Host` field for this peer.
    pub fn host_header(&self) -> &str {
        &self.host_header
    }

    /// Returns the IPv6 zone, if the URL names one.
    pub fn zone(&self) -> Option<&str> {
        self.zone.as_deref()
    }

    fn parts(&self) -> KeyParts<'_> {
        KeyParts {
            host: &self.host,
            port: self.port,
            is_tls: self.is_tls,
            zone: self.zone.as_deref(),
            tls: self.tls.as_ref(),
            server_name: self.server_name.as_deref(),
            proxy: self.proxy.as_ref(),
        }
    }
}

impl From<&RequestUrl> for ConnectionKey {
    fn from(url: &RequestUrl) -> Self {
        Self::from(&Target::from(url))
    }
}

impl From<&Target<'_>> for ConnectionKey {
    fn from(target: &Target<'_>) -> Self {
        let parts = &target.parts;
        Self {
            host: parts.host.into(),
            port: parts.port,
            is_tls: parts.is_tls,
            zone: parts.zone.map(Into::into),
            tls: parts.tls.cloned(),
            server_name: parts.server_name.map(Into::into),
            proxy: parts.proxy.cloned(),
            host_header: target.url.host_header().into(),
        }
    }
}

impl Hash for ConnectionKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

impl fmt::Debug for ConnectionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}{}",
            self.host,
            self.port,
            if self.is_tls { " tls" } else { "" }
        )?;
        match &self.proxy {
            Some(proxy) => write!(f, " through {:?}", proxy.key()),
            None => Ok(()),
        }
    }
}

/// A [`ConnectionKey`] that borrows, to look one up without making one.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct KeyParts<'a> {
    host: &'a str,
    port: u16,
    is_tls: bool,
    zone: Option<&'a str>,
    tls: Option<&'a TlsConfig>,
    server_name: Option<&'a str>,
    proxy: Option<&'a Proxy>,
}

impl Equivalent<Arc<ConnectionKey>> for KeyParts<'_> {
    fn equivalent(&self, key: &Arc<ConnectionKey>) -> bool {
        *self == key.parts()
    }
}

/// The origin that a connection is wanted to; makes its key only when it is a new one.
#[derive(Debug)]
pub(crate) struct Target<'a> {
    parts: KeyParts<'a>,
    url: &'a RequestUrl,
}

impl<'a> Target<'a> {
    /// What is said of TLS does not tell plain connections apart.
    pub(crate) fn new(
        url: &'a RequestUrl,
        tls: Option<&'a TlsConfig>,
        server_name: Option<&'a str>,
        proxy: Option<&'a Proxy>,
    ) -> Self {
        let is_tls = url.is_tls();
        let parts = KeyParts {
            host: url.host(),
            port: url.port(),
            is_tls,
            zone: url.zone(),
            tls: tls.filter(|_| is_tls),
            server_name: server_name.filter(|_| is_tls),
            proxy,
        };
        Self { parts, url }
    }
}

impl<'a> From<&'a RequestUrl> for Target<'a> {
    fn from(url: &'a RequestUrl) -> Self {
        Self::new(url, None, None, None)
    }
}

impl Hash for Target<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts.hash(state);
    }
}

impl Equivalent<Arc<ConnectionKey>> for Target<'_> {
    fn equivalent(&self, key: &Arc<ConnectionKey>) -> bool {
        self.parts.equivalent(key)
    }
}

impl Wanted<Arc<ConnectionKey>> for Target<'_> {
    fn to_key(&self) -> Arc<ConnectionKey> {
        Arc::new(self.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(url: &str, server_name: Option<&str>) -> ConnectionKey {
        let url = RequestUrl::parse(url).expect("a URL");
        ConnectionKey::from(&Target::new(&url, None, server_name, None))
    }

    #[track_caller]
    fn check(url: &str, server_name: Option<&str>, want: &str) {
        assert_eq!(key(url, server_name).server_name(), want);
    }

    #[test]
    fn the_server_name_has_no_dots_at_its_end() {
        check("https://a.test/", None, "a.test");
        check("https://a.test../", None, "a.test");
        check("https://a.test/", Some("b.test."), "b.test");
        check("https://[::1]/", None, "::1");
    }

    #[test]
    fn the_server_name_tells_connections_apart_if_there_is_tls() {
        let (name, none) = (Some("b.test"), None);
        assert!(key("https://a.test/", name) != key("https://a.test/", none));
        assert!(key("http://a.test/", name) == key("http://a.test/", none));
    }
}
