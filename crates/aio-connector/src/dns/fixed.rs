//! A table of names.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};

use super::{AddressFamily, BoxFuture, Resolved, Resolver, spelled};

/// Knows the addresses of some names, as `--resolve` tells curl; others it leaves to
/// another resolver, if there is one.
///
/// Names are the same in any case, in letters or in IDNA form (`bücher.example` is
/// `xn--bcher-kva.example`), and with a dot at their end. `*` stands for any name that is
/// not told of.
///
/// ```
/// use std::net::Ipv4Addr;
/// use std::sync::Arc;
/// use aio_connector::{FixedResolver, SystemResolver, TcpConnector};
///
/// let resolver = FixedResolver::new()
///     .name("example.org", [Ipv4Addr::LOCALHOST])
///     .name_at("example.org", 8443, [[192, 0, 2, 1], [192, 0, 2, 2]])
///     .or(SystemResolver);
/// let connector = TcpConnector::builder().resolver(Arc::new(resolver)).build()?;
/// # Ok::<(), aio_connector::SettingsError>(())
/// ```
#[derive(Debug, Default)]
pub struct FixedResolver {
    names: HashMap<String, Ports>,
    others: Option<Box<dyn Resolver>>,
}

/// The addresses by port; `None` is for any.
type Ports = HashMap<Option<u16>, Vec<IpAddr>>;

impl FixedResolver {
    /// Makes one that knows no name.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells the addresses of `host` for any port, the one to try first in front; told
    /// again, it has the new ones only. None at all says that there is no such host.
    pub fn name(self, host: &str, addresses: impl IntoIterator<Item = impl Into<IpAddr>>) -> Self {
        self.enter(host, None, addresses)
    }

    /// Tells the addresses of `host` for one port, which go before those for any.
    pub fn name_at(
        self,
        host: &str,
        port: u16,
        addresses: impl IntoIterator<Item = impl Into<IpAddr>>,
    ) -> Self {
        self.enter(host, Some(port), addresses)
    }

    /// Leaves all other names to `resolver`; by default they are not found.
    pub fn or(mut self, resolver: impl Resolver + 'static) -> Self {
        self.others = Some(Box::new(resolver));
        self
    }

    fn enter(
        mut self,
        host: &str,
        port: Option<u16>,
        addresses: impl IntoIterator<Item = impl Into<IpAddr>>,
    ) -> Self {
        let ports = self.names.entry(undotted(spelled(host))).or_default();
        ports.insert(port, addresses.into_iter().map(Into::into).collect());
        self
    }

    fn find(&self, host: &str, port: u16) -> Option<&[IpAddr]> {
        let of = |host: &str| {
            let ports = self.names.get(host)?;
            ports.get(&Some(port)).or_else(|| ports.get(&None))
        };
        let addresses = of(&undotted(spelled(host))).or_else(|| of("*"));
        addresses.map(Vec::as_slice)
    }
}

fn undotted(mut host: String) -> String {
    host.truncate(host.trim_end_matches('.').len());
    host
}

impl Resolver for FixedResolver {
    fn resolve<'a>(
        &'a self,
        host: &'a str,
        port: u16,
        family: AddressFamily,
    ) -> BoxFuture<'a, io::Result<Resolved>> {
        let found = match (self.find(host, port), &self.others) {
            (None, Some(others)) => return others.resolve(host, port, family),
            (None, None) | (Some([]), _) => {
                let text = format!("no address is given for {host}:{port}");
                Err(io::Error::new(io::ErrorKind::NotFound, text))
            }
            (Some(addresses), _) => {
                let with_port = addresses.iter().map(|ip| SocketAddr::new(*ip, port));
                Ok(with_port.collect::<Vec<_>>().into())
            }
        };
        Box::pin(async { found })
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn ask(resolver: &FixedResolver, host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
        let mut asked = resolver.resolve(host, port, AddressFamily::Any);
        let asked = asked.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(found) = asked else {
            panic!("a table has nothing to wait for");
        };
        let found = found.map(|found| found.addresses);
        found.map_err(|error| error.to_string())
    }

    /// Checks the last bytes of the addresses.
    #[track_caller]
    fn check(resolver: &FixedResolver, host: &str, port: u16, want: &[u8]) {
        let want: Vec<SocketAddr> = want
            .iter()
            .map(|last| ([192, 0, 2, *last], port).into())
            .collect();
        assert_eq!(ask(resolver, host, port), Ok(want), "{host}:{port}");
    }

    #[track_caller]
    fn check_unknown(resolver: &FixedResolver, host: &str, port: u16) {
        let want = format!("no address is given for {host}:{port}");
        assert_eq!(ask(resolver, host, port), Err(want));
    }

    #[test]
    fn a_name_is_known_for_any_port_or_for_one() {
        let resolver = FixedResolver::new()
            .name("a.test", [[192, 0, 2, 1]])
            .name_at("a.test", 81, [[192, 0, 2, 2], [192, 0, 2, 3]])
            .name_at("b.test", 81, [[192, 0, 2, 4]]);
        check(&resolver, "a.test", 80, &[1]);
        check(&resolver, "a.test", 81, &[2, 3]);
        check(&resolver, "b.test", 81, &[4]);
        check_unknown(&resolver, "b.test", 80);
        check_unknown(&resolver, "sub.a.test", 80);
        check_unknown(&resolver, "localhost", 80);
    }

    #[test]
    fn a_name_may_be_spelled_in_other_ways() {
        let resolver = FixedResolver::new()
            .name("A.Test", [[192, 0, 2, 1]])
            .name("b.test.", [[192, 0, 2, 2]])
            .name("Bücher.test", [[192, 0, 2, 3]])
            .name("under_score.test", [[192, 0, 2, 4]]);
        check(&resolver, "a.test", 80, &[1]);
        check(&resolver, "a.test.", 80, &[1]);
        check(&resolver, "b.test", 80, &[2]);
        check(&resolver, "xn--bcher-kva.test", 80, &[3]);
        check(&resolver, "under_score.test", 80, &[4]);
    }

    #[test]
    fn a_star_is_any_other_name() {
        let resolver = FixedResolver::new()
            .name_at("*", 443, [[192, 0, 2, 1]])
            .name("a.test", [[192, 0, 2, 2]])
            .name("gone.test", [] as [Ipv4Addr; 0]);
        check(&resolver, "any.test", 443, &[1]);
        check(&resolver, "a.test", 443, &[2]);
        check_unknown(&resolver, "any.test", 80);
        check_unknown(&resolver, "gone.test", 443);
    }

    #[test]
    fn other_names_are_left_to_another_resolver() {
        let others = FixedResolver::new().name("*", [[192, 0, 2, 9]]);
        let resolver = FixedResolver::new()
            .name("a.test", [[192, 0, 2, 1]])
            .name("a.test", [[192, 0, 2, 2]])
            .name("gone.test", [] as [Ipv4Addr; 0])
            .or(others);
        check(&resolver, "a.test", 80, &[2]);
        check(&resolver, "b.test", 80, &[9]);
        check_unknown(&resolver, "gone.test", 80);
    }
}
