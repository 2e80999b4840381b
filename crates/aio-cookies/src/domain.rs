//! Tells which hosts a cookie's domain covers (RFC 6265 5.1.2 and 5.1.3).

use std::borrow::Cow;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::suffix;

/// A host, or the domain of a cookie, in the one spelling in which both are compared.
///
/// Names are in lower case and Punycode, IPv6 addresses in their shortest form and without
/// brackets. A dot at the end is part of the name: to cookies, `example.com.` is another
/// host than `example.com`, as it is in browsers.
///
/// ```
/// use aio_cookies::Domain;
///
/// let domain = Domain::from_host("Bücher.example").expect("a host");
/// assert_eq!(domain.as_str(), "xn--bcher-kva.example");
/// assert!(domain.covers(&Domain::from_host("www.bücher.example").expect("a host")));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Domain {
    text: Box<str>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Kind {
    Name,
    Ip,
}

/// What a `Domain` attribute asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DomainAttribute {
    /// It is empty: the cookie is for the host that sent it, and no other.
    HostOnly,
    /// The cookie is for this domain, if the host that sent it belongs to it.
    Domain(Domain),
    /// It can be no domain: the cookie is to be ignored.
    Invalid,
}

impl Domain {
    /// Reads the host of a URL: a name, an IPv4 address, or an IPv6 address with or without
    /// brackets.
    ///
    /// Returns `None` if `host` is empty or no valid internationalised name.
    pub fn from_host(host: &str) -> Option<Self> {
        let host = lower_case(host)?;
        if host.is_empty() {
            return None;
        }
        if let Some(text) = canonical_ipv6(&host) {
            return Some(Self {
                text: text.into(),
                kind: Kind::Ip,
            });
        }
        let kind = if host.parse::<Ipv4Addr>().is_ok() {
            Kind::Ip
        } else {
            Kind::Name
        };
        Some(Self {
            text: host.into(),
            kind,
        })
    }

    /// Returns the domain as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Tells whether this is an IP address; one covers itself alone.
    pub fn is_ip(&self) -> bool {
        self.kind == Kind::Ip
    }

    /// Tells whether `host` is this domain or inside it (RFC 6265 5.1.3, "domain-match").
    ///
    /// ```
    /// # use aio_cookies::Domain;
    /// # let domain = |text| Domain::from_host(text).expect("a host");
    /// assert!(domain("example.com").covers(&domain("www.example.com")));
    /// assert!(!domain("example.com").covers(&domain("badexample.com")));
    /// assert!(!domain("0.0.1").covers(&domain("127.0.0.1")));
    /// ```
    pub fn covers(&self, host: &Self) -> bool {
        if self == host {
            return true;
        }
        let inside = host.text.strip_suffix(&*self.text);
        !host.is_ip() && inside.is_some_and(|labels| labels.ends_with('.'))
    }

    /// Returns the domain that its owner registered: `a.co.uk` of `www.a.co.uk`.
    ///
    /// IP addresses have none, nor have public suffixes, as `co.uk` and `github.io` are, nor
    /// names with an empty label. A top-level domain that the public suffix list does not
    /// know is a suffix: `localhost` is one, and so is `corp` in `wiki.corp`. Without the
    /// feature `public-suffix` it knows none.
    ///
    #[cfg_attr(feature = "public-suffix", doc = "```")]
    #[cfg_attr(not(feature = "public-suffix"), doc = "```ignore")]
    /// # use aio_cookies::Domain;
    /// let domain = Domain::from_host("www.bank.co.uk").expect("a host");
    /// assert_eq!(domain.registrable(), Some("bank.co.uk"));
    /// ```
    pub fn registrable(&self) -> Option<&str> {
        if self.is_ip() {
            return None;
        }
        suffix::registrable(&self.text)
    }

    /// Tells whether the public suffix list names this domain.
    pub(crate) fn is_listed_suffix(&self) -> bool {
        !self.is_ip() && suffix::is_listed(&self.text)
    }

    /// What belongs together: the registered domain with all inside it, or this host alone.
    pub(crate) fn site(&self) -> &str {
        self.registrable().unwrap_or(&self.text)
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl DomainAttribute {
    /// Reads the value of a `Domain` attribute; one dot in front does not count.
    ///
    /// Whether the domain covers the host that sent it, or is a public suffix, is not asked
    /// here.
    ///
    /// ```
    /// use aio_cookies::{Domain, DomainAttribute};
    ///
    /// let domain = Domain::from_host("example.com").expect("a host");
    /// assert_eq!(DomainAttribute::parse(".Example.com"), DomainAttribute::Domain(domain));
    /// assert_eq!(DomainAttribute::parse(""), DomainAttribute::HostOnly);
    /// ```
    pub fn parse(value: &str) -> Self {
        // RFC 6265 5.2.3. aiohttp also takes a value with a dot at its end for an empty one;
        // RFC 6265bis and browsers take it for a domain that no usual host belongs to.
        let value = value.strip_prefix('.').unwrap_or(value);
        if value.is_empty() {
            return Self::HostOnly;
        }
        Domain::from_host(value).map_or(Self::Invalid, Self::Domain)
    }
}

/// Writes `host` in lower case and Punycode; `None` if it is no internationalised name.
fn lower_case(host: &str) -> Option<Cow<'_, str>> {
    if !host.is_ascii() {
        return idna::domain_to_ascii(host).ok().map(Cow::Owned);
    }
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Some(Cow::Owned(host.to_ascii_lowercase()));
    }
    Some(Cow::Borrowed(host))
}

/// Writes an IPv6 address in its shortest form, without brackets; its zone is kept.
fn canonical_ipv6(host: &str) -> Option<String> {
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    let (address, zone) = host.split_at(host.find('%').unwrap_or(host.len()));
    let address: Ipv6Addr = address.parse().ok()?;
    Some(format!("{address}{zone}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_host(host: &str, want: Option<&str>) {
        let domain = Domain::from_host(host);
        assert_eq!(domain.as_ref().map(Domain::as_str), want, "{host:?}");
    }

    #[track_caller]
    fn check_covers(domain: &str, host: &str, want: bool) {
        let parse = |text| Domain::from_host(text).expect("a host");
        assert_eq!(
            parse(domain).covers(&parse(host)),
            want,
            "{domain:?} {host:?}"
        );
    }

    #[track_caller]
    fn check_attribute(value: &str, want: &str) {
        let attribute = DomainAttribute::parse(value);
        assert!(
            matches!(&attribute, DomainAttribute::Domain(domain) if domain.as_str() == want),
            "{value:?}: {attribute:?}"
        );
    }

    #[test]
    fn names_are_lower_case_punycode() {
        check_host("example.com", Some("example.com"));
        check_host("Example.COM", Some("example.com"));
        check_host("example.com.", Some("example.com."));
        check_host("example...com", Some("example...com"));
        check_host("δοκιμή.ΔΟΚΙΜΉ", Some("xn--jxalpdlp.xn--jxalpdlp"));
        check_host("🫠.com", Some("xn--129h.com"));
        check_host("localhost", Some("localhost"));
        check_host("under_score.test", Some("under_score.test"));
    }

    #[test]
    fn addresses_are_in_their_shortest_form() {
        check_host("127.0.0.1", Some("127.0.0.1"));
        check_host("[::1]", Some("::1"));
        check_host("2001:DB8:0:0:0:0:0:1", Some("2001:db8::1"));
        check_host("[fe80::1%eth0]", Some("fe80::1%eth0"));
        check_host("[::ffff:127.0.0.1]", Some("::ffff:127.0.0.1"));
    }

    #[test]
    fn no_host_is_no_domain() {
        check_host("", None);
        check_host("\u{fffd}.com", None);
    }

    #[test]
    fn a_domain_covers_itself_and_what_is_below() {
        check_covers("example.com", "example.com", true);
        check_covers("example.com", "www.example.com", true);
        check_covers("example.com", "a.b.example.com", true);
        check_covers("EXAMPLE.com", "www.Example.COM", true);
        check_covers("com", "example.com", true);
        check_covers("localhost", "localhost", true);
        check_covers("example.com.", "www.example.com.", true);
        check_covers("猫.cat", "www.xn--z7x.cat", true);
    }

    #[test]
    fn a_domain_covers_nothing_beside_or_above() {
        check_covers("www.example.com", "example.com", false);
        check_covers("example.com", "badexample.com", false);
        check_covers("example.com", "example.com.org", false);
        check_covers("example.com", "example.com.", false);
        check_covers("example.com.", "example.com", false);
        check_covers("home..example.org", "home.example.org", false);
        check_covers("example.com", "com", false);
    }

    #[test]
    fn an_address_is_covered_by_itself_alone() {
        check_covers("127.0.0.1", "127.0.0.1", true);
        check_covers("0.0.1", "127.0.0.1", false);
        check_covers("1", "127.0.0.1", false);
        check_covers("0.0.1", "１２７.0.0.1", false);
        check_covers("[::1]", "0:0::1", true);
        check_covers("10.0.0.1", "::ffff:10.0.0.1", false);
        check_covers("::1", "2008::1", false);
        check_covers("fe80::1%a", "fe80::1%b", false);
        check_covers("127.0.0.1", "a.127.0.0.1", true);
    }

    #[test]
    fn one_leading_dot_of_an_attribute_does_not_count() {
        check_attribute(".example.com", "example.com");
        check_attribute("example.com", "example.com");
        check_attribute("Example.Com", "example.com");
        check_attribute("..example.com", ".example.com");
        check_attribute("example.com.", "example.com.");
    }

    #[test]
    fn an_empty_attribute_means_the_host_only() {
        assert_eq!(DomainAttribute::parse(""), DomainAttribute::HostOnly);
        assert_eq!(DomainAttribute::parse("."), DomainAttribute::HostOnly);
    }

    #[test]
    fn an_attribute_that_is_no_name_is_invalid() {
        assert_eq!(
            DomainAttribute::parse("\u{fffd}.com"),
            DomainAttribute::Invalid
        );
    }

    #[test]
    fn the_http_state_attributes_cover_their_host_as_expected() {
        #[track_caller]
        fn check(attribute: &str, want: bool) {
            let host = Domain::from_host("home.example.org").expect("a host");
            let covers = match DomainAttribute::parse(attribute) {
                DomainAttribute::Domain(domain) => domain.covers(&host),
                DomainAttribute::HostOnly => true,
                DomainAttribute::Invalid => false,
            };
            assert_eq!(covers, want, "{attribute:?}");
        }
        check("home.example.org", true);
        check(".home.example.org", true);
        check("home.eXaMpLe.org", true);
        check(".example.org", true);
        check("sibling.example.org", false);
        check("subdomain.home.example.org", false);
        check("..home.example.org", false);
        check("home..example.org", false);
        check(".  home.example.org", false);
        check("home.example.org.", false);
        check("home.example.org..", false);
        check("home.example.org .", false);
        check("\"home.example.org\"", false);
        check("home.example.org:8888", false);
    }
}
