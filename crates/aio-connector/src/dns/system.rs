//! The operating system's resolver.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{AddressFamily, BoxFuture, Resolved, Resolver, no_address};

/// Asks the operating system, in a thread of tokio's blocking pool; aiohttp's
/// `ThreadedResolver`.
///
/// It asks for both families, and leaves out what is not wanted. `localhost` and the names
/// below it are the loopback addresses where the system knows none for them (RFC 6761 6.3).
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve<'a>(
        &'a self,
        host: &'a str,
        port: u16,
        family: AddressFamily,
    ) -> BoxFuture<'a, io::Result<Resolved>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((host, port)).await;
            let found = found.and_then(|found| of_family(found, family));
            let found = found.or_else(|error| match is_localhost(host) {
                true => of_family(loopback(port), family),
                false => Err(error),
            });
            found.map(Into::into)
        })
    }
}

fn of_family(
    found: impl IntoIterator<Item = SocketAddr>,
    family: AddressFamily,
) -> io::Result<Vec<SocketAddr>> {
    let mut found: Vec<_> = found.into_iter().collect();
    found.retain(|address| family.has(&address.ip()));
    if found.is_empty() {
        return Err(no_address(family));
    }
    Ok(found)
}

fn loopback(port: u16) -> [SocketAddr; 2] {
    [
        (Ipv6Addr::LOCALHOST, port).into(),
        (Ipv4Addr::LOCALHOST, port).into(),
    ]
}

/// Tells whether the last label is `localhost`.
fn is_localhost(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let label = host.rsplit('.').next().unwrap_or(host);
    label.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(host: &str, family: AddressFamily) -> io::Result<Vec<SocketAddr>> {
        let found = SystemResolver.resolve(host, 80, family).await;
        found.map(|found| found.addresses)
    }

    async fn check_loopback(host: &str, family: AddressFamily) {
        let found = ask(host, family).await.expect(host);
        assert!(!found.is_empty(), "{host}");
        for address in found {
            let is_wanted = address.ip().is_loopback() && family.has(&address.ip());
            assert!(is_wanted && address.port() == 80, "{host}: {address}");
        }
    }

    #[tokio::test]
    async fn localhost_and_what_is_below_it_is_this_machine() {
        use AddressFamily::{Any, V4, V6};
        for host in ["localhost", "LocalHost.", "a.b.localhost"] {
            for family in [Any, V4, V6] {
                check_loopback(host, family).await;
            }
        }
    }

    #[test]
    fn localhost_is_the_last_label() {
        let check = |host, want| assert_eq!(is_localhost(host), want, "{host}");
        check("localhost", true);
        check("LOCALHOST.", true);
        check("a.localhost", true);
        check("localhost.test", false);
        check("notlocalhost", false);
        check("", false);
    }

    #[tokio::test]
    async fn addresses_of_another_family_are_none() {
        let error = ask("127.0.0.1", AddressFamily::V6).await.expect_err("IPv4");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert_eq!(error.to_string(), "the host has no IPv6 address");
    }

    #[tokio::test]
    async fn the_scope_of_a_link_local_address_stays() {
        let found = ask("fe80::1%7", AddressFamily::Any).await.expect("one");
        let [SocketAddr::V6(address)] = found.as_slice() else {
            panic!("{found:?}");
        };
        assert_eq!(address.scope_id(), 7);
    }
}
