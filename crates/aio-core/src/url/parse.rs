//! From text to [`RequestUrl`].

use std::borrow::Cow;

use crate::error::{UrlError, UrlErrorKind};
use crate::url::host::{Authority, Host, is_plain_host};
use crate::url::quote::{Part, is_sendable, requote, without_dot_segments};
use crate::url::{Aside, RequestUrl, Scheme, Text};

/// What to do with the escapes of a path and a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quoting {
    Requote,
    Verbatim,
}

/// Parses an absolute URL.
pub(super) fn whole(text: &str, quoting: Quoting) -> Result<RequestUrl, UrlError> {
    let refused = |kind| UrlError::new(text, kind);
    let stripped = without_line_ends(text);
    let parts = Parts::split(&stripped);
    match (parts.scheme, parts.authority) {
        (Some(scheme), Some(authority)) => {
            absolute(scheme, authority, &parts, quoting).map_err(refused)
        }
        (Some(scheme), None) if Scheme::of(&scheme.to_ascii_lowercase()) == Scheme::Other => {
            Err(refused(UrlErrorKind::NonHttp))
        }
        _ => Err(refused(UrlErrorKind::Malformed)),
    }
}

/// Says whether `text` has a host, but no scheme: `//host/path`.
pub(super) fn lacks_scheme(text: &str) -> bool {
    without_leading_blanks(text).starts_with("//")
}

/// Resolves a reference against `base`.
pub(super) fn reference(
    base: &RequestUrl,
    text: &str,
    quoting: Quoting,
) -> Result<RequestUrl, UrlError> {
    let refused = |kind| UrlError::new(text, kind);
    let stripped = without_line_ends(text);
    let parts = Parts::split(&stripped);
    let is_foreign = |scheme: &str| !scheme.eq_ignore_ascii_case(base.scheme_str());
    match (parts.scheme, parts.authority) {
        (Some(_), Some(_)) => whole(text, quoting),
        // `http:x` is relative to an http URL, as in browsers (RFC 3986 5.2.2).
        (Some(scheme), None) if is_foreign(scheme) => whole(text, quoting),
        (None, Some(authority)) if !authority.is_empty() => {
            absolute(base.scheme_str(), authority, &parts, quoting).map_err(refused)
        }
        _ => relative(base, &parts, quoting).map_err(refused),
    }
}

/// Takes a text that comes out of [`whole`] as it goes in, in one pass; others are `None`.
pub(super) fn plain(text: &str) -> Option<RequestUrl> {
    let stripped = |(prefix, scheme)| Some((text.strip_prefix(prefix)?, scheme));
    let (rest, scheme) = SCHEMES.into_iter().find_map(stripped)?;
    let mut port = scheme.default_port()?;
    let bytes = rest.as_bytes();
    let host_len = bytes.iter().position(|byte| matches!(byte, b':' | b'/'))?;
    let (host, after_host) = rest.split_at_checked(host_len)?;
    if !is_plain_host(host) {
        return None;
    }
    let mut path_at = host_len;
    if let Some(digits) = after_host.strip_prefix(':') {
        let len = digits.find('/').filter(|len| (1..=5).contains(len))?;
        let given = digits
            .get(..len)
            .filter(|digits| is_plain_port(digits))?
            .parse()
            .ok()?;
        if given == port {
            return None;
        }
        port = given;
        path_at += 1 + len;
    }
    let path = bytes
        .get(path_at..)
        .filter(|path| path.first() == Some(&b'/'))?;
    let path_len = path
        .iter()
        .position(|&byte| !of_class(byte, PATH))
        .unwrap_or(path.len());
    let (path, query) = path.split_at_checked(path_len)?;
    // A segment that starts with a dot may be a dot segment.
    if path.windows(2).any(|pair| pair == b"/.") {
        return None;
    }
    let is_plain_query = match query {
        [] => true,
        [b'?', query @ ..] => !query.is_empty() && query.iter().all(|&byte| of_class(byte, QUERY)),
        _ => false,
    };
    if !is_plain_query {
        return None;
    }
    let query = (!query.is_empty()).then_some(path_at + path_len + 1);
    let start = text.len() - rest.len();
    Some(RequestUrl {
        text: Text::own(text),
        scheme,
        port,
        host: (start, start + host_len),
        path: start + path_at,
        query: query.map(|query| start + query),
        aside: None,
    })
}

fn is_plain_port(digits: &str) -> bool {
    !digits.starts_with('0') && digits.bytes().all(|digit| digit.is_ascii_digit())
}

const SCHEMES: [(&str, Scheme); 4] = [
    ("http://", Scheme::Http),
    ("https://", Scheme::Https),
    ("ws://", Scheme::Ws),
    ("wss://", Scheme::Wss),
];

const PATH: u8 = 1;
const QUERY: u8 = 2;

/// For each byte the parts of a URL in which it stands for itself.
#[cfg_attr(
    not(test),
    expect(clippy::indexing_slicing, reason = "evaluated when compiling")
)]
static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut at = 0;
    while at < 128 {
        let byte = at as u8;
        classes[at] = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => PATH | QUERY,
            b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'\'' | b'(' | b')' | b'*' | b',' => {
                PATH | QUERY
            }
            b'@' | b':' | b'/' | b'+' | b'&' | b'=' | b';' => PATH | QUERY,
            b'?' => QUERY,
            _ => 0,
        };
        at += 1;
    }
    classes
};

fn of_class(byte: u8, class: u8) -> bool {
    CLASSES
        .get(usize::from(byte))
        .is_some_and(|classes| classes & class != 0)
}

/// A URL reference taken apart (RFC 3986 appendix B), nothing decoded.
struct Parts<'a> {
    scheme: Option<&'a str>,
    authority: Option<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
    fragment: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn split(text: &'a str) -> Self {
        let text = without_leading_blanks(text);
        let (text, fragment) = cut(text, '#');
        let (text, query) = cut(text, '?');
        let (scheme, text) = match text.split_once(':') {
            Some((scheme, rest)) if is_scheme(scheme) => (Some(scheme), rest),
            _ => (None, text),
        };
        let (authority, path) = match text.strip_prefix("//") {
            Some(rest) => {
                let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                (Some(authority), path)
            }
            None => (None, text),
        };
        // An empty query or fragment is none, as in yarl.
        let filled = |part: &&str| !part.is_empty();
        Self {
            scheme,
            authority,
            path,
            query: query.filter(filled),
            fragment: fragment.filter(filled),
        }
    }

    fn write_query(&self, out: &mut String, quoting: Quoting) -> Result<(), UrlErrorKind> {
        match self.query {
            Some(query) => {
                out.push('?');
                write(out, query, Part::Query, quoting)
            }
            None => Ok(()),
        }
    }

    fn fragment(&self, quoting: Quoting) -> Result<Option<String>, UrlErrorKind> {
        let Some(fragment) = self.fragment else {
            return Ok(None);
        };
        let mut out = String::with_capacity(fragment.len());
        write(&mut out, fragment, Part::Fragment, quoting)?;
        Ok(Some(out))
    }
}

/// Leaves out what yarl and browsers leave out anywhere: tabs and line ends.
fn without_line_ends(text: &str) -> Cow<'_, str> {
    let left_out = ['\t', '\r', '\n'];
    if text.contains(left_out) {
        Cow::Owned(text.replace(left_out, ""))
    } else {
        Cow::Borrowed(text)
    }
}

/// Cuts off what yarl and browsers skip: blanks and control characters.
fn without_leading_blanks(text: &str) -> &str {
    text.trim_start_matches(|c| c <= ' ')
}

fn cut(text: &str, delimiter: char) -> (&str, Option<&str>) {
    match text.split_once(delimiter) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

fn is_scheme(text: &str) -> bool {
    let of_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.bytes().all(of_scheme)
}

fn write(out: &mut String, text: &str, part: Part, quoting: Quoting) -> Result<(), UrlErrorKind> {
    match quoting {
        Quoting::Requote => requote(out, text, part),
        Quoting::Verbatim if is_sendable(text) => out.push_str(text),
        Quoting::Verbatim => return Err(UrlErrorKind::Malformed),
    }
    Ok(())
}

fn absolute(
    scheme_name: &str,
    authority: &str,
    parts: &Parts<'_>,
    quoting: Quoting,
) -> Result<RequestUrl, UrlErrorKind> {
    let scheme_name = scheme_name.to_ascii_lowercase();
    let scheme = Scheme::of(&scheme_name);
    // `file` has rules of its own in `url`, and no connector is for it.
    if scheme_name == "file" || (scheme == Scheme::Other && authority.is_empty()) {
        return Err(UrlErrorKind::NonHttp);
    }
    let authority = Authority::parse(authority, scheme)?;

    // Escapes and `://` need some room more.
    let room = parts.path.len() + parts.query.map_or(0, str::len) + 32;
    let mut text = String::with_capacity(scheme_name.len() + room);
    text.push_str(&scheme_name);
    text.push_str("://");
    let host = match &authority.host {
        Host::Name(name) => push_span(&mut text, name),
        Host::V6(address, zone) => {
            text.push('[');
            let span = push_span(&mut text, address);
            if let Some(zone) = zone {
                text.push_str("%25");
                text.push_str(zone);
            }
            text.push(']');
            span
        }
    };
    if let Some(port) = authority.port {
        text.push_str(&format!(":{port}"));
    }
    let path = text.len();
    let mut written = String::with_capacity(parts.path.len());
    write(&mut written, parts.path, Part::Path, quoting)?;
    match quoting {
        Quoting::Requote if written.contains('.') => {
            text.push_str(&without_dot_segments(&written));
        }
        _ => text.push_str(&written),
    }
    if text.len() == path {
        text.push('/');
    }
    let query = parts.query.map(|_| text.len() + 1);
    parts.write_query(&mut text, quoting)?;
    Ok(RequestUrl {
        text: Text::own(&text),
        scheme,
        port: authority.port.or(scheme.default_port()).unwrap_or_default(),
        host,
        path,
        query,
        aside: Aside {
            userinfo: authority.userinfo,
            fragment: parts.fragment(quoting)?,
        }
        .boxed(),
    })
}

fn push_span(text: &mut String, part: &str) -> (usize, usize) {
    let start = text.len();
    text.push_str(part);
    (start, text.len())
}

fn relative(
    base: &RequestUrl,
    parts: &Parts<'_>,
    quoting: Quoting,
) -> Result<RequestUrl, UrlErrorKind> {
    let mut written = String::with_capacity(parts.path.len());
    write(&mut written, parts.path, Part::Path, quoting)?;
    let path = if written.is_empty() {
        Cow::Borrowed(base.path())
    } else if written.starts_with('/') && quoting == Quoting::Verbatim {
        Cow::Owned(written)
    } else if written.starts_with('/') {
        Cow::Owned(without_dot_segments(&written))
    } else {
        let (folder, _) = base.path().rsplit_once('/').unwrap_or_default();
        Cow::Owned(without_dot_segments(&format!("{folder}/{written}")))
    };
    let mut text = format!("{}{path}", base.origin());
    let query_at = text.len() + 1;
    match (parts.path.is_empty(), parts.query, base.query()) {
        (true, None, Some(query)) => {
            text.push('?');
            text.push_str(query);
        }
        _ => parts.write_query(&mut text, quoting)?,
    }
    let userinfo = base.userinfo().cloned();
    Ok(RequestUrl {
        query: (query_at <= text.len()).then_some(query_at),
        text: Text::own(&text),
        scheme: base.scheme,
        port: base.port,
        host: base.host,
        path: base.path,
        aside: Aside {
            userinfo,
            fragment: parts.fragment(quoting)?,
        }
        .boxed(),
    })
}
