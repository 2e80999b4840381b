//! What a connector knows of names.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use super::{AddressFamily, Resolver, SystemResolver};
use crate::connector::ConnectRequest;
use crate::error::{ConnectErrorKind, DialError, Phase};
use crate::key::ConnectionKey;
use crate::observe::ConnectEvent;

/// A resolver and what is asked of it.
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) resolver: Arc<dyn Resolver>,
    pub(crate) family: AddressFamily,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            resolver: Arc::new(SystemResolver),
            family: AddressFamily::Any,
        }
    }
}

impl Names {
    /// Finds the addresses of the peer's name, those of another family left out.
    pub(crate) async fn addresses(
        &self,
        key: &ConnectionKey,
        request: &mut ConnectRequest<'_>,
    ) -> Result<Vec<SocketAddr>, DialError> {
        // CON-55: a name with several trailing dots is looked up with one.
        let host = key.host().trim_end_matches('.');
        let host = key.host().get(..host.len() + 1).unwrap_or(key.host());
        request.observe(ConnectEvent::ResolveStart { host });
        let resolving = self.resolver.resolve(host, key.port(), self.family);
        let resolved = request.within(Phase::Resolve, resolving).await;
        let resolved = resolved.map_err(|_| DialError::Timeout)?;
        let failed = |error| DialError::failed(ConnectErrorKind::Resolve, error);
        let mut addresses = resolved.map_err(failed)?.addresses;
        request.observe(ConnectEvent::ResolveEnd { host });
        addresses.retain(|address| self.family.has(&address.ip()));
        if addresses.is_empty() {
            let none = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
            return Err(failed(none));
        }
        Ok(addresses)
    }

    /// Forgets what is under way: its connector is closed.
    pub(crate) fn close(&self) {}
}
