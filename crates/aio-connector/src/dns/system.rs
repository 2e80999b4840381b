//! The operating system's resolver.

use std::io;

use super::{AddressFamily, BoxFuture, Resolved, Resolver};

/// Asks the operating system, in a thread of tokio's blocking pool; aiohttp's
/// `ThreadedResolver`.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve<'a>(
        &'a self,
        host: &'a str,
        port: u16,
        _: AddressFamily,
    ) -> BoxFuture<'a, io::Result<Resolved>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((host, port)).await?;
            Ok(found.collect::<Vec<_>>().into())
        })
    }
}
