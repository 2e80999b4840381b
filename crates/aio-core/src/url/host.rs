//! The authority of a URL: userinfo, host and port, checked before `url` sees them.

use std::net::{Ipv4Addr, Ipv6Addr};

use percent_encoding::percent_decode_str;

use crate::auth::BasicAuth;
use crate::error::UrlErrorKind;
use crate::url::Scheme;

/// What stands between `//` and the path.
pub(super) struct Authority {
    pub(super) userinfo: Option<BasicAuth>,
    pub(super) host: Host,
    /// The port given, unless it is the scheme's own.
    pub(super) port: Option<u16>,
}

pub(super) enum Host {
    /// A name or an IPv4 address.
    Name(String),
    /// An IPv6 address as it stands between brackets, and its zone.
    V6(String, Option<String>),
}

impl Authority {
    pub(super) fn parse(text: &str, scheme: Scheme) -> Result<Self, UrlErrorKind> {
        // Some parsers end the host here, others do not: `http://good\@evil/`.
        if text.contains('\\') {
            return Err(UrlErrorKind::InvalidHost);
        }
        let (userinfo, host) = match text.rsplit_once('@') {
            // A sloppy reader takes `http://[::1]@evil/` to be at `::1`.
            Some((userinfo, _)) if userinfo.contains(['[', ']']) => {
                return Err(UrlErrorKind::InvalidHost);
            }
            Some((userinfo, host)) => (Some(userinfo), host),
            None => (None, text),
        };
        let (host, port) = if let Some(rest) = host.strip_prefix('[') {
            let (address, port) = rest.split_once(']').ok_or(UrlErrorKind::InvalidHost)?;
            (v6(address)?, port)
        } else {
            let (name, port) = host.split_at(host.find(':').unwrap_or(host.len()));
            (Host::Name(name_or_v4(name)?), port)
        };
        let port = match port.strip_prefix(':') {
            Some(digits) => port_number(digits)?,
            None if port.is_empty() => None,
            None => return Err(UrlErrorKind::InvalidHost),
        };
        Ok(Self {
            userinfo: userinfo.and_then(credentials),
            host,
            port: port.filter(|&port| Some(port) != scheme.default_port()),
        })
    }
}

/// Turns the userinfo of a URL into credentials; `:` alone are empty ones, as in aiohttp.
pub(super) fn credentials(userinfo: &str) -> Option<BasicAuth> {
    if userinfo.is_empty() {
        return None;
    }
    let (login, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    Some(BasicAuth::new(percent_decoded(login), percent_decoded(password)).or_utf8())
}

fn percent_decoded(text: &str) -> String {
    match percent_decode_str(text).decode_utf8() {
        Ok(decoded) => decoded.into_owned(),
        Err(_) => text.to_owned(),
    }
}

fn port_number(digits: &str) -> Result<Option<u16>, UrlErrorKind> {
    if digits.is_empty() {
        return Ok(None);
    }
    if !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(UrlErrorKind::InvalidPort);
    }
    digits
        .parse()
        .map(Some)
        .map_err(|_| UrlErrorKind::InvalidPort)
}

fn v6(text: &str) -> Result<Host, UrlErrorKind> {
    let (address, zone) = match text.split_once('%') {
        // RFC 6874 writes the zone's `%` as `%25`; people write it plainly.
        Some((address, zone)) => (address, Some(zone.strip_prefix("25").unwrap_or(zone))),
        None => (text, None),
    };
    let address: Ipv6Addr = address.parse().map_err(|_| UrlErrorKind::InvalidHost)?;
    if zone.is_some_and(|zone| !is_zone(zone)) {
        return Err(UrlErrorKind::InvalidHost);
    }
    // The same text as in `url`: `::ffff:102:304`, where std has `::ffff:1.2.3.4`.
    let bracketed = ::url::Host::<&str>::Ipv6(address).to_string();
    let address = bracketed.trim_matches(['[', ']']).to_owned();
    Ok(Host::V6(address, zone.map(str::to_owned)))
}

fn is_zone(zone: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    !zone.is_empty() && zone.bytes().all(unreserved)
}

fn name_or_v4(text: &str) -> Result<String, UrlErrorKind> {
    if text.is_empty() {
        return Err(UrlErrorKind::NoHost);
    }
    // IDNA drops these without a word, so that `e\u{200b}vil.com` became `evil.com`.
    if text.chars().any(is_ignorable) {
        return Err(UrlErrorKind::InvalidHost);
    }
    let name = if text.is_ascii() {
        text.to_ascii_lowercase()
    } else {
        idna::domain_to_ascii_cow(text.as_bytes(), idna::AsciiDenyList::URL)
            .map_err(|_| UrlErrorKind::InvalidHost)?
            .into_owned()
    };
    if name
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.')
    {
        return check_v4(name);
    }
    let of_reg_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte);
    if !name.bytes().all(of_reg_name) {
        return Err(UrlErrorKind::InvalidHost);
    }
    // `url` parses the text again on demand and must then not fail.
    if !is_plain_host(&name) {
        ::url::Host::parse(&name).map_err(|_| UrlErrorKind::InvalidHost)?;
    }
    Ok(name)
}

/// Says whether `host` is a lower-case name or an IPv4 address that no parser alters.
pub(super) fn is_plain_host(host: &str) -> bool {
    let mut label = None;
    let mut previous = b'.';
    for byte in host.bytes() {
        // Two hyphens may be those of `xn--`, two dots an empty label: not for here.
        let is_doubled = byte == previous && matches!(byte, b'-' | b'.');
        if is_doubled || !matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_') {
            return false;
        }
        if previous == b'.' {
            label = Some(byte);
        }
        previous = byte;
    }
    match label {
        Some(b'a'..=b'z') => previous != b'.',
        Some(b'0'..=b'9') => host.parse::<Ipv4Addr>().is_ok(),
        _ => false,
    }
}

fn check_v4(digits: String) -> Result<String, UrlErrorKind> {
    if digits.bytes().all(|byte| byte == b'.') {
        return Err(UrlErrorKind::InvalidHost);
    }
    match digits.parse::<Ipv4Addr>() {
        Ok(_) => Ok(digits),
        Err(_) => Err(UrlErrorKind::NotCanonicalIpv4),
    }
}

/// Default_Ignorable_Code_Point of Unicode, and what RFC 3454 B.1 maps to nothing.
fn is_ignorable(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{1806}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}
