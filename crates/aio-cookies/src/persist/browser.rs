//! JSON arrays as browser extensions export them.

use url::Url;

use super::parser::{self, Node, Object};
use super::writer::{Fields, Value};
use super::{CookieFileProblem, cookie, domain, seconds, time};
use crate::cookie::{Cookie, SameSite};
use crate::domain::Domain;

/// Writes cookies as Cookie-Editor does.
pub(super) fn write(cookies: &[&Cookie]) -> String {
    Value::List(cookies.iter().filter_map(|cookie| record(cookie)).collect()).to_json()
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

/// Reads the export of an extension, and what Puppeteer, Playwright and Selenium have of a page.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Cookie>, CookieFileProblem> {
    read_list(parser::parse(bytes)?)
}

/// Reads an array of cookies, wherever it stands.
pub(super) fn read_list(list: Node<'_>) -> Result<Vec<Cookie>, CookieFileProblem> {
    let mut cookies = Vec::new();
    for record in list.list()? {
        cookies.extend(read_record(&record.object()?)?);
    }
    Ok(cookies)
}

/// Reads a cookie; none if it is one of another site's pages.
fn read_record(record: &Object<'_>) -> Result<Option<Cookie>, CookieFileProblem> {
    let text = record.needed_text("domain")?;
    let bare = text.strip_prefix(b".").unwrap_or(&text);
    let Some(domain) = domain(bare) else {
        return record.fail("`domain` is not a domain");
    };
    let (name, value) = (record.needed_text("name")?, record.needed_text("value")?);
    let partition = partition(record)?;
    if partition
        .as_ref()
        .is_some_and(|site| !is_of_site(site, &domain))
    {
        let (name, domain) = (String::from_utf8_lossy(&name), domain.as_str());
        tracing::debug!(%name, domain, "cookie of a file is of another site's pages");
        return Ok(None);
    }
    // Who does not say it has a dot in front of what is not for one host.
    let host_only = match record.get("hostOnly") {
        Some(_) => record.flag("hostOnly"),
        None => bare.len() == text.len(),
    };
    let mut end = None;
    for key in ENDS {
        end = end.or(record.number(key)?);
    }
    // Puppeteer and Playwright: -1, of a cookie that ends with the session.
    let end = end.filter(|&end| end != -1.0 && !record.flag("session"));
    let same_site = record.text("sameSite")?.unwrap_or_default();
    let same_site = match same_site.to_ascii_lowercase().as_slice() {
        b"no_restriction" | b"none" => Some("None".into()),
        b"lax" => Some("Lax".into()),
        b"strict" => Some("Strict".into()),
        // "unspecified", or what nobody knows.
        _ => None,
    };
    let path = record.text("path")?;
    let cookie = cookie(&name, &value, Some(domain), path.as_deref());
    Ok(Some(Cookie {
        host_only: cookie.host_only || host_only,
        expires: end.map(time),
        secure: record.flag("secure"),
        http_only: record.flag("httpOnly"),
        partitioned: partition.is_some(),
        same_site,
        ..cookie
    }))
}

/// The end of a cookie to extensions, to Puppeteer and Playwright, and to Selenium.
const ENDS: [&str; 3] = ["expirationDate", "expires", "expiry"];

/// Returns the site among whose pages alone the browser has the cookie, if it is one of those.
fn partition(record: &Object<'_>) -> Result<Option<Vec<u8>>, CookieFileProblem> {
    const KEY: &str = "partitionKey";
    let site = match record.get(KEY).map(Node::object) {
        Some(Ok(key)) => match key.text("topLevelSite")? {
            // Puppeteer.
            None => key.text("sourceOrigin")?,
            site => site,
        },
        _ => record.text(KEY)?,
    };
    Ok(site.filter(|site| !site.is_empty()))
}

fn is_of_site(url: &[u8], domain: &Domain) -> bool {
    let url = std::str::from_utf8(url)
        .ok()
        .and_then(|url| Url::parse(url).ok());
    let host = url.and_then(|url| Domain::from_host(url.host_str()?));
    host.is_some_and(|host| host.site() == domain.site())
}
