//! JSON arrays as browser extensions export them.

use super::parser::{self, Node};
use super::writer::{Fields, Value};
use super::{CookieFileProblem, cookie, domain, seconds, time};
use crate::cookie::{Cookie, SameSite};

/// Writes cookies as Cookie-Editor does.
pub(super) fn write(cookies: &[Cookie]) -> String {
    Value::List(cookies.iter().filter_map(record).collect()).to_json()
}

fn record(cookie: &Cookie) -> Option<Value<'_>> {
    let Some(domain) = &cookie.domain else {
        tracing::debug!(name = %cookie.name(), "shared cookie not written");
        return None;
    };
    let dot = if cookie.host_only { "" } else { "." };
    let same_site = match cookie.same_site() {
        Some(SameSite::Strict) => "strict",
        Some(SameSite::Lax) => "lax",
        Some(SameSite::None) => "no_restriction",
        None => "unspecified",
    };
    let mut fields = Fields::default();
    let domain = format!("{dot}{domain}").into_bytes();
    fields.push("domain", Value::Text(domain.into()));
    if let Some(end) = cookie.expires {
        fields.push("expirationDate", Value::Number(seconds(end)));
    }
    fields.push("hostOnly", Value::Flag(cookie.host_only));
    fields.push("httpOnly", Value::Flag(cookie.http_only));
    fields.push("name", Value::text(&cookie.name));
    fields.push("path", Value::text(&*cookie.path));
    fields.push("sameSite", Value::text(same_site));
    fields.push("secure", Value::Flag(cookie.secure));
    fields.push("session", Value::Flag(cookie.expires.is_none()));
    fields.push("value", Value::text(&cookie.coded));
    Some(fields.into())
}

/// Reads the export of an extension, and what Puppeteer and Playwright have of a page.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Cookie>, CookieFileProblem> {
    parser::parse(bytes)?
        .list()?
        .iter()
        .map(read_record)
        .collect()
}

fn read_record(record: &Node) -> Result<Cookie, CookieFileProblem> {
    record.object()?;
    let text = record.needed_text("domain")?;
    let bare = text.strip_prefix(b".").unwrap_or(text);
    let Some(domain) = domain(bare) else {
        return record.fail("`domain` is not a domain");
    };
    // Who does not say it has a dot in front of what is not for one host.
    let host_only = match record.get("hostOnly") {
        Some(_) => record.flag("hostOnly"),
        None => bare.len() == text.len(),
    };
    let end = match record.number("expirationDate")? {
        // Puppeteer and Playwright: of a cookie that ends with the session, -1.
        None => record.number("expires")?.filter(|&end| end != -1.0),
        end => end,
    };
    let same_site = match record.text("sameSite")?.map(<[u8]>::to_ascii_lowercase) {
        None => None,
        Some(text) => match text.as_slice() {
            b"no_restriction" | b"none" => Some("None".into()),
            b"lax" => Some("Lax".into()),
            b"strict" => Some("Strict".into()),
            b"unspecified" | b"" => None,
            _ => return record.fail("`sameSite` is none of those that are known"),
        },
    };
    let (name, value) = (record.needed_text("name")?, record.needed_text("value")?);
    let cookie = cookie(name, value, Some(domain), record.text("path")?);
    Ok(Cookie {
        host_only: cookie.host_only || host_only,
        expires: end.filter(|_| !record.flag("session")).map(time),
        secure: record.flag("secure"),
        http_only: record.flag("httpOnly"),
        same_site,
        ..cookie
    })
}
