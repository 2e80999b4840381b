//! The settings of the connector for TCP.

use std::sync::Arc;
use std::time::Duration;

use super::TcpConnectorBuilder;
use crate::dns::{AddressFamily, Resolver};
use crate::filter::AddressFilter;
use crate::tls::TlsConfig;

impl TcpConnectorBuilder {
    /// Resolves names with `resolver`; default
    /// [`SystemResolver`](crate::SystemResolver). aiohttp's `resolver`.
    pub fn resolver(mut self, resolver: Arc<dyn Resolver>) -> Self {
        self.dialer.names.resolver = resolver;
        self
    }

    /// Sets how TLS is spoken where a request does not say; default as
    /// `TlsConfig::new()`: whoever the operating system trusts. aiohttp's `ssl`.
    pub fn tls(mut self, tls: TlsConfig) -> Self {
        self.dialer.tls = tls;
        self
    }

    /// Sets which addresses of a name are looked for and dialled; default any.
    pub fn family(mut self, family: AddressFamily) -> Self {
        self.dialer.names.family = family;
        self
    }

    /// Sets which addresses may be dialled; default all. [`AddressFilter::public`] is for
    /// programs that fetch what strangers name.
    pub fn address_filter(mut self, filter: AddressFilter) -> Self {
        self.dialer.filter = Some(filter);
        self
    }

    /// Sets how long an address has to itself before the next one is dialled too; default
    /// 250 ms, RFC 8305's Connection Attempt Delay.
    ///
    /// The first that is connected to wins, the others are dropped; where one fails, the
    /// next is dialled at once. `None` dials one after the other only, 0 all at once;
    /// anyway eight at most are being dialled.
    pub fn happy_eyeballs_delay(mut self, delay: impl Into<Option<Duration>>) -> Self {
        self.dialer.eyeballs.delay = delay.into();
        self
    }

    /// Sets how many addresses of the first one's family are dialled before one of the
    /// other, from where on they take turns: RFC 8305's First Address Family Count.
    ///
    /// Default 1; without a `happy_eyeballs_delay` 0, which keeps the order of the resolver.
    pub fn interleave(mut self, count: usize) -> Self {
        self.dialer.eyeballs.interleave = Some(count);
        self
    }
}
