//! What tells apart connections that must not be shared.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use aio_core::RequestUrl;
use indexmap::Equivalent;

use crate::pool::Wanted;

/// The peer of a connection; aiohttp's `ConnectionKey`.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectionKey {
    host: Box<str>,
    port: u16,
    tls: bool,
    zone: Option<Box<str>>,
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
        self.tls
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
            tls: self.tls,
            zone: self.zone.as_deref(),
        }
    }
}

impl From<&RequestUrl> for ConnectionKey {
    fn from(url: &RequestUrl) -> Self {
        Self {
            host: url.host().into(),
            port: url.port(),
            tls: url.is_tls(),
            zone: url.zone().map(Into::into),
            host_header: url.host_header().into(),
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
            if self.tls { " tls" } else { "" }
        )
    }
}

/// A [`ConnectionKey`] that borrows from a URL, to look one up without making one.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct KeyParts<'a> {
    host: &'a str,
    port: u16,
    tls: bool,
    zone: Option<&'a str>,
}

impl<'a> From<&'a RequestUrl> for KeyParts<'a> {
    fn from(url: &'a RequestUrl) -> Self {
        Self {
            host: url.host(),
            port: url.port(),
            tls: url.is_tls(),
            zone: url.zone(),
        }
    }
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

impl<'a> From<&'a RequestUrl> for Target<'a> {
    fn from(url: &'a RequestUrl) -> Self {
        Self {
            parts: url.into(),
            url,
        }
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
        Arc::new(self.url.into())
    }
}
