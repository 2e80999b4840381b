//! The JSON of aiohttp's jar; SPEC CKY-80 to 84.

use std::borrow::Cow;
use std::collections::HashMap;

use super::parser::{self, Object};
use super::writer::{Fields, Value};
use super::{CookieFileProblem, browser, cookie, domain, seconds, time};
use crate::coding;
use crate::cookie::Cookie;
use crate::domain::Domain;

/// Writes cookies by domain and path.
pub(super) fn write(cookies: &[&Cookie]) -> String {
    let mut last = HashMap::new();
    for (at, cookie) in cookies.iter().enumerate() {
        last.insert(identity(cookie), at);
    }
    let mut places = Vec::new();
    let mut place_of = HashMap::new();
    let mut count = HashMap::new();
    for (at, cookie) in cookies.iter().enumerate() {
        if last.get(&identity(cookie)) != Some(&at) {
            continue;
        }
        let path = cookie.path.trim_end_matches('/');
        // aiohttp has one of a name here and looks at the path in the record: one more is
        // put beside.
        let before = count.entry((cookie.domain_key(), path, &cookie.name));
        let before = before.and_modify(|count| *count += 1).or_insert(0);
        let beside = "/".repeat(*before);
        let key = format!("{}|{path}{beside}", cookie.domain_key());
        let at = *place_of.entry(key.clone()).or_insert_with(|| {
            places.push((Cow::Owned(key.into_bytes()), Vec::new()));
            places.len() - 1
        });
        if let Some((_, records)) = places.get_mut(at) {
            records.push((Cow::Borrowed(&*cookie.name), record(cookie)));
        }
    }
    let places = places
        .into_iter()
        .map(|(key, records)| (key, Value::Object(records)));
    Value::Object(places.collect()).to_json()
}

/// No jar has two of the same.
fn identity(cookie: &Cookie) -> (&[u8], &str, &str, bool) {
    let (domain, path) = (cookie.domain_key(), &*cookie.path);
    (&cookie.name, domain, path, cookie.host_only)
}

/// What aiohttp has of a cookie, in its order.
fn record(cookie: &Cookie) -> Value<'_> {
    // A jar of RFC 6265bis does not look into values; aiohttp wants to have them plain.
    let value = if cookie.value == cookie.coded {
        coding::plain(&cookie.coded).into_vec()
    } else {
        cookie.value.to_vec()
    };
    let mut fields = Fields::default();
    fields.push("key", Value::text(&cookie.name));
    fields.push("value", Value::Text(value.into()));
    fields.push("coded_value", Value::text(&cookie.coded));
    fields.push_text("path", &cookie.path);
    fields.push_text("domain", cookie.domain_key());
    fields.push_flag("secure", cookie.secure);
    fields.push_flag("httponly", cookie.http_only);
    fields.push_text("samesite", cookie.same_site_attribute().unwrap_or_default());
    fields.push_flag("partitioned", cookie.partitioned);
    fields.push_flag("host_only", cookie.host_only);
    if let Some(end) = cookie.expires {
        fields.push("expires_timestamp", Value::Number(seconds(end)));
    }
    fields.into()
}

/// Reads what this or another aiohttp wrote, or an object with an array of cookies, as
/// Playwright and the protocol of Chrome's tools have it.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Cookie>, CookieFileProblem> {
    let file = parser::parse(bytes)?.object()?;
    // All names of aiohttp have a bar.
    if let Some(list) = file.get("cookies") {
        return browser::read_list(list);
    }
    let mut cookies = Vec::new();
    for (key, records) in file.entries() {
        let Some(bar) = key.iter().position(|&byte| byte == b'|') else {
            return records.fail("the key of the object is not `domain|path`");
        };
        let host = match key.get(..bar).unwrap_or_default() {
            [] => None,
            host => match domain(host) {
                Some(host) => Some(host),
                None => return records.fail("the key of the object is not of a domain"),
            },
        };
        for (_, record) in records.object()?.entries() {
            cookies.extend(read_record(&record.object()?, host.as_ref())?);
            CookieFileProblem::check_count(cookies.len())?;
        }
    }
    Ok(cookies)
}

/// Reads a cookie that is filed under `host`; none if it is for another one.
fn read_record(
    record: &Object<'_>,
    host: Option<&Domain>,
) -> Result<Option<Cookie>, CookieFileProblem> {
    let (key, value) = (record.needed_text("key")?, record.needed_text("value")?);
    let coded = record.needed_text("coded_value")?;
    let own = match record.text("domain")?.as_deref() {
        None | Some(b"") => None,
        Some(own) => match domain(own.strip_prefix(b".").unwrap_or(own)) {
            Some(own) => Some(own),
            None => return record.fail("`domain` is not a domain"),
        },
    };
    let host_only = record.flag("host_only");
    // Where it is filed counts; what is filed nowhere is not for everyone because of that.
    let (domain, host_only) = match (own, host) {
        (Some(own), Some(host)) if !host_only => {
            if !own.covers(host) {
                let domain = own.as_str();
                tracing::debug!(domain, "cookie of a file is of another domain");
                return Ok(None);
            }
            (Some(own), false)
        }
        (_, Some(host)) => (Some(host.clone()), true),
        (Some(own), None) => (Some(own), host_only),
        (None, None) => (None, false),
    };
    let path = record.text("path")?;
    let cookie = cookie(&key, &coded, domain, path.as_deref());
    let same_site = record.text("samesite")?.filter(|text| !text.is_empty());
    Ok(Some(Cookie {
        value: value.into(),
        host_only,
        expires: record.number("expires_timestamp")?.map(time),
        secure: record.flag("secure"),
        http_only: record.flag("httponly"),
        partitioned: record.flag("partitioned"),
        same_site: same_site.map(|text| String::from_utf8_lossy(&text).into()),
        ..cookie
    }))
}
