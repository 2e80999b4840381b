//! `cookies.txt`, as Netscape had it: a line for each cookie, tabs between its columns.

use std::net::Ipv6Addr;
use std::time::SystemTime;

use super::{CookieFileProblem, cookie, domain, time};
use crate::cookie::Cookie;
use crate::domain::Domain;

/// Python's `http.cookiejar` reads no file without the first line.
const HEAD: &[u8] = b"# Netscape HTTP Cookie File\n# Written by aio-cookies.\n\n";

/// In front of a comment, which other programs thus ignore: curl's addition.
const HTTP_ONLY: &[u8] = b"#HttpOnly_";

pub(super) fn write(cookies: &[&Cookie]) -> Vec<u8> {
    let mut text = HEAD.to_vec();
    for cookie in cookies {
        match &cookie.domain {
            Some(domain) if fits(cookie) => write_line(cookie, domain, &mut text),
            _ => tracing::debug!(name = %cookie.name(), "cookies.txt cannot hold this cookie"),
        }
    }
    text
}

/// Tells whether `cookie` has nothing that ends a column or a line.
fn fits(cookie: &Cookie) -> bool {
    let texts = [cookie.domain_key(), &*cookie.path].map(str::as_bytes);
    let mut octets = [&*cookie.name, &*cookie.coded]
        .into_iter()
        .chain(texts)
        .flatten();
    octets.all(|octet| !matches!(octet, b'\t' | b'\n' | b'\r' | b'\0'))
}

fn write_line(cookie: &Cookie, domain: &Domain, text: &mut Vec<u8>) {
    let (dot, inside) = match cookie.host_only {
        true => ("", "FALSE"),
        false => (".", "TRUE"),
    };
    let secure = if cookie.secure { "TRUE" } else { "FALSE" };
    let since = |end: SystemTime| end.duration_since(SystemTime::UNIX_EPOCH);
    // 0 has no end at all.
    let end = cookie
        .expires
        .map_or(0, |end| since(end).unwrap_or_default().as_secs().max(1));
    let columns = format!(
        "{dot}{domain}\t{inside}\t{}\t{secure}\t{end}\t",
        cookie.path
    );
    if cookie.http_only {
        text.extend_from_slice(HTTP_ONLY);
    }
    text.extend_from_slice(columns.as_bytes());
    text.extend_from_slice(&cookie.name);
    text.push(b'\t');
    text.extend_from_slice(&cookie.coded);
    text.push(b'\n');
}

pub(super) fn read(bytes: &[u8]) -> Result<Vec<Cookie>, CookieFileProblem> {
    let mut cookies = Vec::new();
    for (at, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let http_only = line.strip_prefix(HTTP_ONLY);
        let is_comment = http_only.is_none() && line.starts_with(b"#");
        if is_comment || line.trim_ascii().is_empty() {
            continue;
        }
        match read_line(http_only.unwrap_or(line)) {
            Ok(cookie) => cookies.push(Cookie {
                http_only: http_only.is_some(),
                ..cookie
            }),
            Err(reason) => return Err(CookieFileProblem::malformed(at + 1, reason)),
        }
        CookieFileProblem::check_count(cookies.len())?;
    }
    Ok(cookies)
}

/// Reads a line, or tells what is wrong with it.
fn read_line(line: &[u8]) -> Result<Cookie, &'static str> {
    // One more than there may be.
    let columns: Vec<&[u8]> = line.splitn(8, |&byte| byte == b'\t').collect();
    let (host, inside, path, secure, end, name, value) = match *columns.as_slice() {
        [host, inside, path, secure, end, name, value] => {
            (host, inside, path, secure, end, name, value)
        }
        // An editor may take the tab before an empty value away.
        [host, inside, path, secure, end, name] => {
            (host, inside, path, secure, end, name, &b""[..])
        }
        _ => return Err("not seven columns with tabs between them"),
    };
    let domain = domain(without_port(host.strip_prefix(b".").unwrap_or(host)))
        .ok_or("the first column is not a domain")?;
    let inside = flag(inside).ok_or("the second column is neither TRUE nor FALSE")?;
    let secure = flag(secure).ok_or("the fourth column is neither TRUE nor FALSE")?;
    let expires = read_end(end).ok_or("the fifth column is not a time")?;
    let cookie = cookie(name, value, Some(domain), Some(path));
    Ok(Cookie {
        host_only: cookie.host_only || !inside,
        expires,
        secure,
        ..cookie
    })
}

/// wget puts the port behind a host, where it is not the usual one; behind an IPv6 address,
/// too, of which some become others by it.
fn without_port(host: &[u8]) -> &[u8] {
    let text = std::str::from_utf8(host).unwrap_or_default();
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    match text.rsplit_once(':') {
        Some((bare, port)) if is_port(port) && text.parse::<Ipv6Addr>().is_err() => bare.as_bytes(),
        _ => host,
    }
}

fn flag(column: &[u8]) -> Option<bool> {
    match column.to_ascii_uppercase().as_slice() {
        b"TRUE" => Some(true),
        b"FALSE" => Some(false),
        _ => None,
    }
}

/// Reads when a cookie ends; 0 and, in files of Python, nothing is with the session.
fn read_end(column: &[u8]) -> Option<Option<SystemTime>> {
    if column.is_empty() {
        return Some(None);
    }
    // Some exporters have fractions.
    let seconds: f64 = std::str::from_utf8(column).ok()?.parse().ok()?;
    if !seconds.is_finite() {
        return None;
    }
    Some((seconds != 0.0).then(|| time(seconds)))
}
