//! The JSON of aiohttp's jar; SPEC CKY-80 to 84.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::parser::{self, Node};
use super::writer::{Fields, Value};
use super::{CookieFileProblem, cookie, domain, seconds, time};
use crate::coding;
use crate::cookie::Cookie;
use crate::domain::Domain;

/// Writes cookies by domain and path.
pub(super) fn write(cookies: &[Cookie]) -> String {
    let mut places = Vec::new();
    let mut place_of = HashMap::new();
    let mut taken = HashSet::new();
    for cookie in cookies {
        let path = cookie.path.trim_end_matches('/');
        let mut key = format!("{}|{path}", cookie.domain_key());
        // aiohttp has one of a name here and looks at the path in the record: one more is
        // put beside.
        while !taken.insert((key.clone(), &cookie.name)) {
            key.push('/');
        }
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

/// Reads what this or another aiohttp wrote.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Cookie>, CookieFileProblem> {
    let mut cookies = Vec::new();
    let file = parser::parse(bytes)?;
    for (key, records) in file.object()? {
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
        for (_, record) in records.object()? {
            cookies.extend(read_record(record, host.as_ref())?);
        }
    }
    Ok(cookies)
}

/// Reads a cookie that is filed under `host`; none if it is for another one.
fn read_record(record: &Node, host: Option<&Domain>) -> Result<Option<Cookie>, CookieFileProblem> {
    record.object()?;
    let (key, value) = (record.needed_text("key")?, record.needed_text("value")?);
    let coded = record.needed_text("coded_value")?;
    let own = match record.text("domain")? {
        None | Some(b"") => None,
        Some(own) => match domain(own.strip_prefix(b".").unwrap_or(own)) {
            Some(own) => Some(own),
            None => return record.fail("`domain` is not a domain"),
        },
    };
    let own = own.filter(|_| !record.flag("host_only"));
    if let (Some(own), Some(host)) = (&own, host)
        && !own.covers(host)
    {
        tracing::debug!(
            domain = own.as_str(),
            "cookie of a file is of another domain"
        );
        return Ok(None);
    }
    let domain = own.as_ref().or(host).cloned();
    let cookie = cookie(key, coded, domain, record.text("path")?);
    let same_site = record.text("samesite")?.filter(|text| !text.is_empty());
    Ok(Some(Cookie {
        value: value.into(),
        host_only: own.is_none() && host.is_some(),
        expires: record.number("expires_timestamp")?.map(time),
        secure: record.flag("secure"),
        http_only: record.flag("httponly"),
        partitioned: record.flag("partitioned"),
        same_site: same_site.map(|text| String::from_utf8_lossy(text).into()),
        ..cookie
    }))
}
