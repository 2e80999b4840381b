//! Which addresses may be dialled.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::error::{ConnectErrorKind, DialError};

/// Says which addresses may be dialled.
#[derive(Clone)]
pub struct AddressFilter(Arc<dyn Fn(IpAddr) -> bool + Send + Sync>);

impl AddressFilter {
    /// Makes one that allows what `allows` does.
    pub fn new(allows: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(allows))
    }

    /// Tells whether an address may be dialled.
    pub fn allows(&self, address: IpAddr) -> bool {
        (self.0)(address)
    }

    /// Leaves out what may not be dialled; fails if nothing is left.
    pub(crate) fn retain(&self, addresses: &mut Vec<SocketAddr>) -> Result<(), DialError> {
        let first = addresses.first().copied();
        addresses.retain(|address| self.allows(address.ip()));
        match first {
            Some(first) if addresses.is_empty() => {
                let kind = ConnectErrorKind::Forbidden {
                    address: first.ip(),
                };
                let refused = io::Error::from(io::ErrorKind::PermissionDenied);
                Err(DialError::failed(kind, refused))
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for AddressFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AddressFilter").finish_non_exhaustive()
    }
}
