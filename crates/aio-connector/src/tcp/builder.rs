//! The settings of the connector for TCP.

use std::sync::Arc;

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
}
