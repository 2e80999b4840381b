//! Names to addresses.

mod cache;
mod fixed;
#[cfg(feature = "hickory-dns")]
mod hickory;
mod names;
mod system;

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

pub use self::cache::CachedHost;
pub use self::fixed::FixedResolver;
#[cfg(feature = "hickory-dns")]
pub use self::hickory::{HickoryResolver, NameServer};
pub(crate) use self::names::Names;
pub use self::system::SystemResolver;

/// A boxed future that may go to another thread.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Which addresses are looked for; aiohttp's `family`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum AddressFamily {
    /// Any; aiohttp's 0.
    #[default]
    Any,
    /// IPv4; `AF_INET`.
    V4,
    /// IPv6; `AF_INET6`.
    V6,
}

impl AddressFamily {
    /// Tells whether `address` is one of them.
    ///
    /// ```
    /// use aio_connector::AddressFamily;
    ///
    /// assert!(AddressFamily::Any.has(&"::1".parse()?));
    /// assert!(!AddressFamily::V4.has(&"::1".parse()?));
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    pub fn has(self, address: &IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
        }
    }
}

/// What a resolver has found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resolved {
    /// The addresses, each with the port that was asked for, the one to try first in front;
    /// of more than 256 the first ones are used.
    pub addresses: Vec<SocketAddr>,
    /// How long they hold, if the resolver knows: the least TTL of the records.
    pub ttl: Option<Duration>,
}

impl From<Vec<SocketAddr>> for Resolved {
    fn from(addresses: Vec<SocketAddr>) -> Self {
        let ttl = None;
        Self { addresses, ttl }
    }
}

/// Finds the addresses of a name; aiohttp's `AbstractResolver`.
///
/// IP addresses in a URL are never asked for.
///
/// ```
/// use aio_connector::{AddressFamily, BoxFuture, Resolved, Resolver};
///
/// #[derive(Debug)]
/// struct Nowhere;
///
/// impl Resolver for Nowhere {
///     fn resolve<'a>(
///         &'a self,
///         _: &'a str,
///         _: u16,
///         _: AddressFamily,
///     ) -> BoxFuture<'a, std::io::Result<Resolved>> {
///         Box::pin(async { Ok(Resolved::default()) })
///     }
/// }
/// ```
pub trait Resolver: Send + Sync + std::fmt::Debug {
    /// Finds the addresses of `host`, each with `port`, the one to try first in front.
    ///
    /// The host is in lower case, in IDNA form, and may end with a dot. Addresses of another
    /// family than that asked for are passed over, and no address at all counts as a
    /// failure.
    ///
    /// A connector with a DNS cache asks in a task of its own, which goes on when the request
    /// that it was begun for is given up, and ends with the connector. A panic in it fails
    /// those who wait for it.
    fn resolve<'a>(
        &'a self,
        host: &'a str,
        port: u16,
        family: AddressFamily,
    ) -> BoxFuture<'a, io::Result<Resolved>>;
}

impl<R: Resolver + ?Sized> Resolver for Arc<R> {
    fn resolve<'a>(
        &'a self,
        host: &'a str,
        port: u16,
        family: AddressFamily,
    ) -> BoxFuture<'a, io::Result<Resolved>> {
        (**self).resolve(host, port, family)
    }
}

/// Writes a host as resolvers are asked for it: in lower case and in IDNA form.
fn spelled(host: &str) -> String {
    match url::Host::parse(host) {
        Ok(url::Host::Domain(name)) => name,
        // No name that is ever asked for, or one that is in this form but for its case.
        _ => host.to_ascii_lowercase(),
    }
}

fn no_address(family: AddressFamily) -> io::Error {
    let none = match family {
        AddressFamily::Any => "the host has no address",
        AddressFamily::V4 => "the host has no IPv4 address",
        AddressFamily::V6 => "the host has no IPv6 address",
    };
    io::Error::new(io::ErrorKind::NotFound, none)
}
