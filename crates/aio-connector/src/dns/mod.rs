//! Names to addresses.

mod system;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;

pub use self::system::SystemResolver;

/// A boxed future that may go to another thread.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Finds the addresses of a name; aiohttp's `AbstractResolver`.
///
/// IP addresses in a URL are never asked for.
///
/// ```
/// use std::net::SocketAddr;
/// use aio_connector::{BoxFuture, Resolver};
///
/// #[derive(Debug)]
/// struct Nowhere;
///
/// impl Resolver for Nowhere {
///     fn resolve<'a>(&'a self, _: &'a str, _: u16) -> BoxFuture<'a, std::io::Result<Vec<SocketAddr>>> {
///         Box::pin(async { Ok(Vec::new()) })
///     }
/// }
/// ```
pub trait Resolver: Send + Sync + std::fmt::Debug {
    /// Finds the addresses of `host`, each with `port`, the one to try first in front.
    ///
    /// The host is in lower case, in IDNA form, and may end with a dot. No address at
    /// all counts as a failure.
    fn resolve<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>>;
}
