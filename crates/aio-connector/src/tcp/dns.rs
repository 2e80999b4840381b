//! How a connector for TCP keeps the addresses of names.

use std::time::Duration;

use super::{TcpConnector, TcpConnectorBuilder};
use crate::dns::{AddressFamily, CachedHost};

impl TcpConnectorBuilder {
    /// Sets whether addresses are kept, and looked up once for all requests of a runtime
    /// that ask meanwhile; default true. aiohttp's `use_dns_cache`.
    ///
    /// Without, each new connection asks the resolver.
    pub fn use_dns_cache(mut self, use_dns_cache: bool) -> Self {
        self.dialer.names.use_cache = use_dns_cache;
        self
    }

    /// Sets how long addresses are kept; default 10 s, `None` means for ever, and zero
    /// hardly at all: aiohttp's `ttl_dns_cache`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use aio_connector::TcpConnector;
    ///
    /// let connector = TcpConnector::builder()
    ///     .ttl_dns_cache(Duration::from_secs(60))
    ///     .serve_stale_dns(Duration::from_secs(600))
    ///     .build()?;
    /// # Ok::<(), aio_connector::SettingsError>(())
    /// ```
    pub fn ttl_dns_cache(mut self, ttl: impl Into<Option<Duration>>) -> Self {
        self.dialer.names.options.ttl = ttl.into();
        self
    }

    /// Sets whether a TTL that the resolver tells takes the place of
    /// [`ttl_dns_cache`](Self::ttl_dns_cache); default false, as in aiohttp.
    pub fn honour_dns_ttl(mut self, honour: bool) -> Self {
        self.dialer.names.options.honours_ttl = honour;
        self
    }

    /// Gives addresses whose time is over for so long still, while they are looked up anew
    /// behind the request's back; default `None`: each request waits for new ones.
    ///
    /// They are given, too, as long as the new look-up fails.
    pub fn serve_stale_dns(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.dialer.names.options.serve_stale = limit.into();
        self
    }

    /// Bounds how many names are kept, each with a port; default 1000. The one that was
    /// not used for the longest time goes. aiohttp's `dns_cache_max_size`.
    pub fn dns_cache_max_size(mut self, size: usize) -> Self {
        self.dialer.names.options.max_size = size;
        self
    }
}

impl TcpConnector {
    /// Lists the names whose addresses are kept, that unused for the longest time in
    /// front; aiohttp's `cached_hosts`.
    pub fn cached_hosts(&self) -> Vec<CachedHost> {
        self.dialer().names.hosts()
    }

    /// Forgets the addresses of a host and port, or with `None` those of all; aiohttp's
    /// `clear_dns_cache`.
    ///
    /// A look-up under way goes on for those who wait for it, and is then forgotten.
    ///
    /// ```
    /// use aio_connector::TcpConnector;
    ///
    /// let connector = TcpConnector::new();
    /// connector.clear_dns_cache(("example.org", 443));
    /// connector.clear_dns_cache(None);
    /// assert!(connector.cached_hosts().is_empty());
    /// ```
    pub fn clear_dns_cache<'a>(&self, name: impl Into<Option<(&'a str, u16)>>) {
        self.dialer().names.forget(name.into());
    }

    /// Returns which addresses of a name are looked for; aiohttp's `family`.
    pub fn family(&self) -> AddressFamily {
        self.dialer().names.family
    }

    /// Tells whether addresses are kept; aiohttp's `use_dns_cache`.
    pub fn use_dns_cache(&self) -> bool {
        self.dialer().names.use_cache
    }
}
