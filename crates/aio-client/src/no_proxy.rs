//! Which hosts no proxy is used for: the rules of `no_proxy`.
//!
//! hyper-util's matcher goes by curl's rules, not Python's, and knows neither ports nor `ws`.

use std::net::IpAddr;

use aio_core::RequestUrl;
use ipnet::{IpNet, Ipv4Net};

/// A list of `no_proxy`, read once; [`proxy_for`](crate::Environment::proxy_for) has its rules.
#[derive(Debug, Clone, Default)]
pub(crate) struct NoProxy(Vec<Entry>);

#[derive(Debug, Clone)]
struct Entry {
    hosts: Hosts,
    /// Any, if none is said.
    port: Option<u16>,
}

#[derive(Debug, Clone)]
enum Hosts {
    /// Those whose text is this one, where each star stands for anything.
    Like(Box<str>),
    /// Names without a dot.
    Local,
    /// The one with this name, in lower case, and those below it.
    Below(Box<str>),
    Network(IpNet),
}

impl NoProxy {
    /// Reads a list; entries that stand for no host are left out.
    pub(crate) fn parse(list: &str) -> Self {
        // As in Python and curl, not among others, be they blanks.
        if list == "*" {
            let (hosts, port) = (Hosts::Like("*".into()), None);
            return Self(vec![Entry { hosts, port }]);
        }
        let entries = list.split(|char: char| char == ',' || char.is_ascii_whitespace());
        let entry = |text| Entry::parse(text, Hosts::parse);
        Self(entries.filter_map(entry).collect())
    }

    /// Reads the exceptions of Windows, which stand for those below them by a star only.
    #[cfg(any(windows, test))]
    pub(crate) fn of_windows(list: &str) -> Self {
        let entry = |text: &str| Entry::parse(text.trim(), Hosts::exception);
        Self(list.split(';').filter_map(entry).collect())
    }

    /// Tells whether it has the host of `url`.
    pub(crate) fn has(&self, url: &RequestUrl) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let host = url.host();
        let address = host
            .parse()
            .ok()
            .map(|address: IpAddr| address.to_canonical());
        let has = |entry: &Entry| {
            entry.port.is_none_or(|port| port == url.port()) && entry.hosts.has(host, address)
        };
        self.0.iter().any(has)
    }
}

impl Entry {
    fn parse(text: &str, hosts: impl Fn(&str) -> Option<Hosts>) -> Option<Self> {
        if let Some(hosts) = hosts(text) {
            return Some(Self { hosts, port: None });
        }
        let (host, port) = text.rsplit_once(':')?;
        Some(Self {
            hosts: hosts(host)?,
            port: Some(port.parse().ok()?),
        })
    }
}

impl Hosts {
    fn parse(text: &str) -> Option<Self> {
        if text == "<local>" {
            return Some(Self::Local);
        }
        if let Some(network) = network(text) {
            return Some(network);
        }
        let name = text.trim_start_matches('.');
        // A name has no colon, and what has a slash was meant to be a network.
        if name.is_empty() || name.contains([':', '/']) {
            return None;
        }
        // As in the URL, where it is not ASCII.
        let name = match url::Host::parse(name) {
            Ok(url::Host::Domain(domain)) if !name.is_ascii() => domain,
            _ => name.to_ascii_lowercase(),
        };
        Some(Self::Below(name.into()))
    }

    #[cfg(any(windows, test))]
    fn exception(text: &str) -> Option<Self> {
        match text {
            "<local>" => Some(Self::Local),
            "" => None,
            _ => network(text).or_else(|| {
                let form = text.to_ascii_lowercase().into();
                (!text.contains(':')).then_some(Self::Like(form))
            }),
        }
    }

    /// Tells whether a host is one of them, by its name or, if it is one, its address.
    fn has(&self, host: &str, address: Option<IpAddr>) -> bool {
        match (self, address) {
            (Self::Like(form), _) => is_like(host, form),
            (Self::Network(network), Some(address)) => network.contains(&address),
            (Self::Local, None) => !host.contains('.'),
            (Self::Below(name), None) => {
                let above = host.strip_suffix(&**name);
                above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
            }
            _ => false,
        }
    }
}

/// Tells whether a host has this form, in which each star stands for anything.
fn is_like(host: &str, form: &str) -> bool {
    let Some((first, rest)) = form.split_once('*') else {
        return host == form;
    };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    let behind = host.strip_prefix(first);
    let Some(mut host) = behind.and_then(|host| host.strip_suffix(last)) else {
        return false;
    };
    for part in middle.split('*') {
        let Some((_, behind)) = host.split_once(part) else {
            return false;
        };
        host = behind;
    }
    true
}

/// Reads an address, in brackets or not, with the length of a prefix or not.
fn network(text: &str) -> Option<Hosts> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length.parse().ok()?)),
        None => (text, None),
    };
    let inner = address
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let address: IpAddr = inner.unwrap_or(address).parse().ok()?;
    let length = length.unwrap_or(IpNet::from(address).prefix_len());
    let network = match address.to_canonical() {
        // IPv4 within IPv6 is IPv4, if the prefix says so.
        IpAddr::V4(mapped) if address.is_ipv6() && length >= 96 => {
            Ipv4Net::new(mapped, length - 96).ok()?.into()
        }
        _ => IpNet::new(address, length).ok()?,
    };
    Some(Hosts::Network(network))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(list: &str, url: &str, want: bool) {
        let url = RequestUrl::parse(url).expect("a URL");
        assert_eq!(NoProxy::parse(list).has(&url), want, "{list:?} {url}");
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
            "..o.test",
            "x, o.test",
        ] {
            check(list, "http://o.test/", true);
        }
        for list in [
            "est", "*.test", "x.o.test", "", ",", ".", "o.test.", "*,x", "o", "o.tes", "/o.test",
        ] {
            check(list, "http://o.test/", false);
        }
        check("a.com", "http://x.a.com/", true);
        check(".a.com", "http://x.a.com/", true);
        check(".a.com", "http://a.com/", true);
        check("a.com", "http://xa.com/", false);
        check("a.com", "http://a.com./", false);
        check("*.a.com", "http://x.a.com/", false);
        check("*", "http://a.com/", true);
        check("*", "http://[::1]/", true);
        check(" *", "http://a.com/", false);
        // As people write it, and as it is asked for.
        for list in [
            "b\u{fc}cher.test",
            ".B\u{dc}CHER.test",
            "xn--bcher-kva.test",
        ] {
            check(list, "http://x.b\u{fc}cher.test/", true);
        }
        // As in curl.
        check("x.test\to.test", "http://o.test/", true);
        check("x.test o.test", "http://o.test/", true);
        check("localhost", "http://localhost/", true);
        check("localhost", "http://127.0.0.1/", false);
        check("x", "http://127.0.0.1/", false);
    }

    #[test]
    fn local_is_for_names_without_a_dot() {
        check("<local>", "http://intranet/", true);
        check("a.test,<local>:81", "http://intranet:81/", true);
        check("<local>", "http://a.test/", false);
        check("<local>", "http://[::1]/", false);
    }

    #[test]
    fn exceptions_of_windows_are_names_in_full() {
        let check = |list: &str, hosts: &[&str], want: bool| {
            for host in hosts {
                let url = RequestUrl::parse(&format!("http://{host}/")).expect("a URL");
                assert_eq!(NoProxy::of_windows(list).has(&url), want, "{list:?} {host}");
            }
        };
        check("a.test; B.TEST", &["a.test", "b.test"], true);
        check("a.test", &["x.a.test", "a.test.evil", "xa.test"], false);
        check("*.a.test", &["x.a.test", "y.x.a.test"], true);
        check("*.a.test;;", &["a.test", "xa.test"], false);
        check("*", &["a.test", "[::1]", "10.1.2.3"], true);
        check("10.*;192.168.*.*", &["10.1.2.3", "192.168.1.2"], true);
        check("10.*", &["110.1.2.3", "11.1.2.3"], false);
        check("c*d;*mid*end", &["cd", "cxd", "amidend", "midxend"], true);
        check("c*d;*mid*end", &["c", "cdx", "miend", "endmid"], false);
        check("a*a", &["a", "b"], false);
        check("<local>", &["intranet"], true);
        check("<local>", &["a.test", "[::1]"], false);
        check("a.test:81;[::1]:81", &["a.test:81", "[::1]:81"], true);
        check("a.test:81;http://b", &["a.test", "b", "x.a.test:81"], false);
        check("fe80::1;10.1.2.3", &["[fe80::1]", "10.1.2.3"], true);
    }

    #[test]
    fn an_entry_with_a_port_is_for_that_port() {
        check("c:81", "http://c/", false);
        check("c:81", "http://c:81/", true);
        check("c:80", "http://c/", true);
        check("c:443", "https://x.c/", true);
        check("c:port", "http://c/", false);
        check("c:", "http://c/", false);
        check("c:65536", "http://c/", false);
        check("[::1]:81", "http://[::1]:81/", true);
        check("[::1]:81", "http://[::1]/", false);
        check("[fd00::/8]:81", "http://[fd00::1]:81/", false);
        check("10.0.0.0/8:81", "http://10.0.0.1:81/", true);
        // Who writes so means the address.
        check("::1:81", "http://[::1]:81/", false);
        check("::1:81", "http://[::1:81]/", true);
    }

    #[test]
    fn addresses_may_have_a_prefix() {
        check("127.0.0.1", "http://127.0.0.1/", true);
        check("127.0.0.1:81", "http://127.0.0.1:81/", true);
        check("127.0.0.1", "http://127.0.0.11/", false);
        check("1", "http://127.0.0.1/", false);
        check("0.0.1", "http://127.0.0.1/", false);
        check("::1", "http://[::1]/", true);
        check("[::1]", "http://[::1]/", true);
        check("[::1", "http://[::1]/", false);
        check("0:0::1", "http://[::1]/", true);
        check("10.0.0.0/8", "http://10.255.0.1/", true);
        check("10.0.0.0/8", "http://11.0.0.1/", false);
        check("10.1.2.3/0", "http://192.0.2.1/", true);
        check("10.1.2.3/32", "http://10.1.2.3/", true);
        check("10.1.2.3/33", "http://10.1.2.3/", false);
        check("10.1.2.3/x", "http://10.1.2.3/", false);
        check("10.0.0.0/8", "http://[::a00:1]/", false);
        check("fd00::/8", "http://[fd12::1]/", true);
        check("[fd00::]/8", "http://[fd12::1]/", true);
        check("fd00::/8", "http://[fe80::1]/", false);
        check("::/0", "http://[fe80::1]/", true);
        check("10.0.0.0/8", "http://10.test/", false);
    }

    #[test]
    fn ipv4_within_ipv6_is_ipv4() {
        check("10.1.2.3", "http://[::ffff:10.1.2.3]/", true);
        check("10.0.0.0/8", "http://[::ffff:a01:203]/", true);
        check("::ffff:10.1.2.3", "http://10.1.2.3/", true);
        check("::ffff:10.0.0.0/104", "http://10.1.2.3/", true);
        check("::ffff:10.0.0.0/104", "http://11.1.2.3/", false);
        check("::/0", "http://10.1.2.3/", false);
        check("::ffff:10.0.0.0/129", "http://10.0.0.0/", false);
    }

    #[test]
    fn an_address_may_have_a_zone() {
        check("fe80::/10", "http://[fe80::1%25lo]/", true);
        check("fe80::1", "http://[fe80::1%25lo]/", true);
    }
}
