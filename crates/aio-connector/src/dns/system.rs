//! The operating system's resolver.

use std::io;
use std::net::SocketAddr;

use super::{BoxFuture, Resolver};

/// Asks the operating system, in a thread of tokio's blocking pool; aiohttp's
/// `ThreadedResolver`.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    }
}
