//! Which addresses may be dialled.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use crate::error::{ConnectErrorKind, DialError};

/// Says which addresses may be dialled.
///
/// # Fetching what strangers name
///
/// A program that fetches URLs from strangers — of webhooks, feeds, pictures to be shown —
/// can be had to ask servers that only the program can reach: on its own machine, in its
/// network, or at the address where clouds hand out credentials. To look at the URL does not
/// help: there are many ways to write an address, any name may have a private address, or
/// get one between two look-ups, and a server may redirect.
///
/// So the connector asks its filter about each address that it is about to dial, when the
/// name is resolved, for every hop of a redirect. Whatever the URL was, a connection to an
/// address that is not allowed is never made.
///
/// ```
/// # use aio_connector::{AddressFilter, TcpConnector};
/// // In a program: `ClientSession::builder().connector(connector).build()`.
/// let connector = TcpConnector::builder().address_filter(AddressFilter::public()).build()?;
/// # Ok::<(), aio_connector::SettingsError>(())
/// ```
///
/// Of a name's addresses those that are allowed are dialled. If there are none, the request
/// fails with [`ConnectErrorKind::Forbidden`].
///
/// What goes round a filter: an HTTP proxy resolves names itself, and what is dialled is the
/// proxy, whose address the filter is asked about. So it is with `socks4a` and `socks5h`
/// proxies, but for addresses that stand in URLs; `socks4` and `socks5` ones are asked for
/// addresses only, each of which it must allow. A `socket_factory` may connect to where it
/// wants; a connector for Unix sockets dials no addresses; a public address may lead into
/// one's own network (a router that translates, a public host of one's own that trusts its
/// neighbours). Refuse those with [`and`](Self::and).
#[derive(Clone)]
pub struct AddressFilter(Arc<dyn Fn(IpAddr) -> bool + Send + Sync>);

impl AddressFilter {
    /// Makes one that allows what `allows` does.
    ///
    /// An IPv4 address in the form of an IPv6 address (`::ffff:192.0.2.1`) is asked for as
    /// the IPv4 address that it is.
    ///
    /// ```
    /// use aio_connector::AddressFilter;
    ///
    /// let here = AddressFilter::new(|address| address.is_loopback());
    /// assert!(here.allows("::ffff:127.0.0.1".parse()?));
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    pub fn new(allows: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(allows))
    }

    /// Makes one that allows the public internet: what is globally reachable by IANA's
    /// registries of special-purpose addresses.
    ///
    /// Refused are unspecified, loopback, private, shared (carrier-grade NAT), link-local,
    /// multicast, broadcast, documentation, benchmarking and reserved addresses, all IPv6
    /// addresses but those given out (`2000::/3`), those of protocols (`2001::/23`, Teredo
    /// among them) and of 6to4, the addresses where clouds serve their metadata, also
    /// Azure's `168.63.129.16`, which is a public one, and IPv6 addresses that carry a
    /// refused IPv4 address (mapped, NAT64, ISATAP). A NAT64 prefix of one's own network
    /// cannot be known here: refuse it with [`and`](Self::and).
    ///
    /// ```
    /// use aio_connector::AddressFilter;
    ///
    /// let public = AddressFilter::public();
    /// assert!(public.allows("9.9.9.9".parse()?));
    /// assert!(!public.allows("169.254.169.254".parse()?));
    /// assert!(!public.allows("64:ff9b::10.0.0.1".parse()?));
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    pub fn public() -> Self {
        Self::new(is_public)
    }

    /// Makes one that allows what both allow.
    ///
    /// ```
    /// use std::net::IpAddr;
    /// use aio_connector::AddressFilter;
    ///
    /// // A public address that leads into a network of one's own.
    /// let inner = IpAddr::from([9, 9, 9, 9]);
    /// let filter = AddressFilter::public().and(AddressFilter::new(move |asked| asked != inner));
    /// assert!(!filter.allows(inner));
    /// ```
    pub fn and(self, other: Self) -> Self {
        Self::new(move |address| self.allows(address) && other.allows(address))
    }

    /// Makes one that allows these, too.
    ///
    /// ```
    /// use aio_connector::AddressFilter;
    ///
    /// let filter = AddressFilter::public().allowing([[10, 0, 0, 7]]);
    /// assert!(filter.allows([10, 0, 0, 7].into()) && !filter.allows([10, 0, 0, 8].into()));
    /// ```
    pub fn allowing<A: Into<IpAddr>>(self, addresses: impl IntoIterator<Item = A>) -> Self {
        let canonical = |address: A| address.into().to_canonical();
        let allowed: Vec<_> = addresses.into_iter().map(canonical).collect();
        Self::new(move |address| allowed.contains(&address) || self.allows(address))
    }

    /// Tells whether an address may be dialled.
    pub fn allows(&self, address: IpAddr) -> bool {
        (self.0)(address.to_canonical())
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

/// What is not public of IPv4: IANA's registry of special-purpose addresses, as of 2025, the
/// few globally reachable ones inside `192.0.0.0/24` not taken out, which serve no HTTP.
const SPECIAL_V4: [(Ipv4Addr, u32); 16] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8), // this network; Linux takes 0.0.0.0 for itself
    (Ipv4Addr::new(10, 0, 0, 0), 8), // private
    (Ipv4Addr::new(100, 64, 0, 0), 10), // shared; 100.100.100.200 is Alibaba's metadata
    (Ipv4Addr::new(127, 0, 0, 0), 8), // loopback
    (Ipv4Addr::new(168, 63, 129, 16), 32), // Azure's host, in no registry
    (Ipv4Addr::new(169, 254, 0, 0), 16), // link-local; 169.254.169.254 is metadata
    (Ipv4Addr::new(172, 16, 0, 0), 12), // private
    (Ipv4Addr::new(192, 0, 0, 0), 24), // protocols; 192.0.0.192 is Oracle's metadata
    (Ipv4Addr::new(192, 0, 2, 0), 24), // documentation
    (Ipv4Addr::new(192, 88, 99, 0), 24), // relays of 6to4, deprecated
    (Ipv4Addr::new(192, 168, 0, 0), 16), // private
    (Ipv4Addr::new(198, 18, 0, 0), 15), // benchmarking
    (Ipv4Addr::new(198, 51, 100, 0), 24), // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24), // documentation
    (Ipv4Addr::new(224, 0, 0, 0), 4), // multicast
    (Ipv4Addr::new(240, 0, 0, 0), 4), // reserved, broadcast
];

/// What is not public of `2000::/3`.
const SPECIAL_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocols, Teredo among them
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4, deprecated
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation
];

/// Tells whether an address, which is not a mapped one, is on the public internet.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let address = address.to_bits();
    let has = |&(net, length): &(Ipv4Addr, u32)| (address ^ net.to_bits()) >> (32 - length) == 0;
    !SPECIAL_V4.iter().any(has)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let carried = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    let is_given_out = match address.segments() {
        // RFC 6052: a router sends it on to the IPv4 address.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => return is_public_v4(carried(high, low)),
        // RFC 5214, ISATAP: so does one that takes part.
        [.., 0 | 0x200, 0x5efe, high, low] if !is_public_v4(carried(high, low)) => false,
        [first, ..] => first >> 13 == 0b001,
    };
    let address = address.to_bits();
    let has = |&(net, length): &(Ipv6Addr, u32)| (address ^ net.to_bits()) >> (128 - length) == 0;
    is_given_out && !SPECIAL_V6.iter().any(has)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(want: bool, addresses: &str) {
        let public = AddressFilter::public();
        for address in addresses.split_whitespace() {
            let parsed = address.parse().expect("an address");
            assert_eq!(public.allows(parsed), want, "{address}");
        }
    }

    #[test]
    fn the_public_internet_is_allowed() {
        check(
            true,
            "1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0",
        );
        check(
            true,
            "126.255.255.255 128.0.0.0 169.253.255.255 169.255.0.0 172.15.255.255",
        );
        check(
            true,
            "172.32.0.0 191.255.255.255 192.0.1.0 192.0.3.0 192.167.255.255",
        );
        check(
            true,
            "192.169.0.0 198.17.255.255 198.20.0.0 223.255.255.255 168.63.129.17",
        );
        check(
            true,
            "2000:: 2001:200:: 2001:4860:4860::8888 2003:: 2606:4700::1111 2a00::1",
        );
        check(true, "2001:db7:: 2001:db9:: 2001:ffff:: 3ffe:: 3fff:1000::");
        check(
            true,
            "::ffff:8.8.8.8 64:ff9b::8.8.8.8 2a00::5efe:808:808 2a00::200:5efe:8.8.8.8",
        );
    }

    #[test]
    fn special_ipv4_is_refused() {
        check(
            false,
            "0.0.0.0 0.255.255.255 10.0.0.0 10.255.255.255 100.64.0.0 100.127.255.255",
        );
        check(
            false,
            "127.0.0.0 127.0.0.1 127.255.255.255 169.254.0.0 169.254.255.255",
        );
        check(
            false,
            "172.16.0.0 172.31.255.255 192.0.0.0 192.0.0.255 192.0.2.0 192.0.2.255",
        );
        check(
            false,
            "192.88.99.0 192.88.99.255 192.168.0.0 192.168.255.255 198.18.0.0",
        );
        check(
            false,
            "198.19.255.255 198.51.100.0 198.51.100.255 203.0.113.0 203.0.113.255",
        );
        check(
            false,
            "224.0.0.0 239.255.255.255 240.0.0.0 255.255.255.254 255.255.255.255",
        );
    }

    #[test]
    fn metadata_of_clouds_is_refused() {
        check(
            false,
            "169.254.169.254 169.254.170.2 100.100.100.200 192.0.0.192 168.63.129.16",
        );
        check(false, "fd00:ec2::254 fd20:ce::254 fe80::a9fe:a9fe");
    }

    #[test]
    fn special_ipv6_is_refused() {
        check(
            false,
            ":: ::1 ::2 100:: 100:0:0:1:: 64:ff9b:1:: 64:ff9b:2:: 1fff:ffff::",
        );
        check(
            false,
            "2001:: 2001:0:1:2:: 2001:1ff:ffff:: 2001:2:: 2001:10:: 2001:20::",
        );
        check(
            false,
            "2001:db8:: 2001:db8:ffff:: 2002:: 2002:808:808:: 2002:7f00:1::",
        );
        check(
            false,
            "3fff:: 3fff:fff:: 4000:: 5f00:: fc00:: fdff:: fe80:: fe80::1 febf::",
        );
        check(false, "fec0:: ff02::1 ff0e::1 ffff::");
    }

    #[test]
    fn ipv4_inside_ipv6_is_looked_at() {
        check(
            false,
            "::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:0.0.0.0",
        );
        check(
            false,
            "::127.0.0.1 ::8.8.8.8 ::ffff:0:127.0.0.1 ::ffff:0:8.8.8.8",
        );
        check(
            false,
            "64:ff9b::127.0.0.1 64:ff9b::10.0.0.1 64:ff9b:1::8.8.8.8",
        );
        check(
            false,
            "2a00::5efe:7f00:1 2a00::200:5efe:10.0.0.1 2a00:1:2:3:0:5efe:a00:1",
        );
    }

    #[test]
    fn exceptions_and_restrictions_stack() {
        let odd = AddressFilter::new(|address| match address {
            IpAddr::V4(address) => address.octets()[3] % 2 == 1,
            IpAddr::V6(_) => false,
        });
        let filter = AddressFilter::public().and(odd).allowing([[127, 0, 0, 2]]);
        let allowed = |address: &str| filter.allows(address.parse().expect("an address"));
        assert!(allowed("8.8.8.7") && allowed("127.0.0.2") && allowed("::ffff:127.0.0.2"));
        assert!(!allowed("8.8.8.8") && !allowed("127.0.0.1") && !allowed("2a00::1"));
        let mapped: Ipv6Addr = "::ffff:10.0.0.1".parse().expect("an address");
        let filter = AddressFilter::public().allowing([mapped]);
        assert!(filter.allows([10, 0, 0, 1].into()) && filter.allows(mapped.into()));
    }
}
