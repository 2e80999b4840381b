//! Which hosts no proxy is used for: the rules of `no_proxy`.

use std::net::IpAddr;

use aio_core::RequestUrl;

/// Tells whether `list`, separated by commas, has the host of `url`.
///
/// As in Python, `*` alone is all hosts, and a name stands for itself and all below it, with
/// or without a dot before it. More than there, an address may have a prefix length
/// (`10.0.0.0/8`) and any entry a port (`a.test:8080`, `[::1]:8080`).
pub(crate) fn has(list: &str, url: &RequestUrl) -> bool {
    let list = list.trim();
    let host = url.host();
    list == "*"
        || list
            .split(',')
            .any(|entry| matches(entry.trim(), host, url.port()))
}

fn matches(entry: &str, host: &str, port: u16) -> bool {
    let (name, only_port) = split_port(entry);
    if only_port.is_some_and(|only| only != port) {
        return false;
    }
    if let Ok(address) = host.parse::<IpAddr>() {
        return is_in(address, name);
    }
    let name = name.trim_start_matches('.');
    // As in the URL, where it is not ASCII.
    let name = match url::Host::parse(name) {
        Ok(url::Host::Domain(domain)) if !name.is_ascii() => domain,
        _ => name.to_ascii_lowercase(),
    };
    let Some(above) = host.strip_suffix(&*name).filter(|_| !name.is_empty()) else {
        return false;
    };
    above.is_empty() || above.ends_with('.')
}

/// Splits a port off; the colons of a bare IPv6 address are none.
fn split_port(entry: &str) -> (&str, Option<u16>) {
    if let Some((address, rest)) = entry
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        return (
            address,
            rest.strip_prefix(':').and_then(|port| port.parse().ok()),
        );
    }
    match entry.split_once(':') {
        Some((name, port)) if !port.contains(':') => match port.parse() {
            Ok(port) => (name, Some(port)),
            Err(_) => (entry, None),
        },
        _ => (entry, None),
    }
}

/// Tells whether an address is the one of `range`, or within its prefix.
fn is_in(address: IpAddr, range: &str) -> bool {
    let (network, length) = match range.split_once('/') {
        Some((network, length)) => (network, length.parse::<u32>().ok()),
        None => (range, Some(128)),
    };
    match (address, network.parse(), length) {
        (IpAddr::V4(address), Ok(IpAddr::V4(network)), Some(length)) => same_prefix(
            address.to_bits().into(),
            network.to_bits().into(),
            32,
            length,
        ),
        (IpAddr::V6(address), Ok(IpAddr::V6(network)), Some(length)) => {
            same_prefix(address.to_bits(), network.to_bits(), 128, length)
        }
        _ => false,
    }
}

/// Compares the first `length` of the lower `bits` bits.
fn same_prefix(one: u128, other: u128, bits: u32, length: u32) -> bool {
    (one ^ other)
        .checked_shr(bits - length.min(bits))
        .unwrap_or(0)
        == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(list: &str, url: &str, want: bool) {
        let url = RequestUrl::parse(url).expect("a URL");
        assert_eq!(has(list, &url), want, "{list:?} {url}");
    }

    #[test]
    fn names_stand_for_all_below_them() {
        // CON-94, as probed.
        for list in [
            "o.test",
            ".test",
            "test",
            "O.TEST",
            " o.test ",
            ".o.test",
            "x, o.test",
        ] {
            check(list, "http://o.test/", true);
        }
        for list in ["est", "*.test", "x.o.test", "", ",", ".", "o.test.", "*,x"] {
            check(list, "http://o.test/", false);
        }
        check("a.com", "http://x.a.com/", true);
        check(".a.com", "http://x.a.com/", true);
        check("a.com", "http://xa.com/", false);
        check("*", "http://a.com/", true);
        check(" * ", "http://[::1]/", true);
        // As people write it, and as it is asked for.
        for list in [
            "b\u{fc}cher.test",
            ".B\u{dc}CHER.test",
            "xn--bcher-kva.test",
        ] {
            check(list, "http://x.b\u{fc}cher.test/", true);
        }
    }

    #[test]
    fn an_entry_with_a_port_is_for_that_port() {
        check("c:81", "http://c/", false);
        check("c:81", "http://c:81/", true);
        check("c:80", "http://c/", true);
        check("c:443", "https://x.c/", true);
        check("c:port", "http://c/", false);
        check("[::1]:81", "http://[::1]:81/", true);
        check("[::1]:81", "http://[::1]/", false);
    }

    #[test]
    fn addresses_may_have_a_prefix() {
        check("127.0.0.1", "http://127.0.0.1/", true);
        check("127.0.0.1:81", "http://127.0.0.1:81/", true);
        check("127.0.0.1", "http://127.0.0.11/", false);
        check("1", "http://127.0.0.1/", false);
        check("::1", "http://[::1]/", true);
        check("[::1]", "http://[::1]/", true);
        check("0:0::1", "http://[::1]/", true);
        check("10.0.0.0/8", "http://10.255.0.1/", true);
        check("10.0.0.0/8", "http://11.0.0.1/", false);
        check("10.1.2.3/0", "http://192.0.2.1/", true);
        check("10.1.2.3/32", "http://10.1.2.3/", true);
        check("10.1.2.3/x", "http://10.1.2.3/", false);
        check("10.0.0.0/8", "http://[::a00:1]/", false);
        check("fd00::/8", "http://[fd12::1]/", true);
        check("fd00::/8", "http://[fe80::1]/", false);
        check("::/0", "http://[fe80::1]/", true);
        check("10.0.0.0/8", "http://10.test/", false);
    }
}
