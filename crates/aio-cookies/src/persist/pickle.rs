//! Reads the pickles that aiohttp saved its jars as, up to version 3.13.
//!
//! They are read, never obeyed: a pickle can have Python call anything, while all that can come
//! of one here is cookies. What else it names is refused by that name (SPEC CKY-85).

mod input;
mod machine;
mod value;

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use self::input::malformed;
use self::value::{Kind, Object, Pickle, Value};
use super::{CookieFileProblem, cookie, domain, surrogates};
use crate::admit::LAST_SECOND;
use crate::cookie::Cookie;
use crate::date::parse_date;
use crate::domain::Domain;
use crate::parse::{Attributes, seconds};

/// How many octets may be looked at for each octet of the file. Those of jars come to 5 at most:
/// the name of a host can be 255 octets long, and is written once for all cookies of a response.
const GROWTH: usize = 16;

/// How many octets may be looked at in all; a jar of 3300 of the largest cookies has less than
/// an eighth of it.
const MAX_BUDGET: usize = 1 << 29;

/// Reads a pickled jar: a dictionary from domain and path, or from domain alone as before
/// aiohttp 3.8, to the `SimpleCookie` with its cookies.
///
/// What a pickle does not say is lost, as in aiohttp 3.14: whether a cookie was for its host
/// alone, and since when `Max-Age` counts; it counts from `now`.
pub(super) fn read(bytes: &[u8], now: SystemTime) -> Result<Vec<Cookie>, CookieFileProblem> {
    let (pickle, top) = machine::run(bytes)?;
    let Some(jar) = pickle.object(top, Kind::Dict) else {
        return Err(malformed(bytes.len(), "no jar of cookies"));
    };
    let mut budget = Budget(bytes.len().saturating_mul(GROWTH).min(MAX_BUDGET));
    let mut cookies = Vec::new();
    for &(key, value) in &jar.items {
        let place = match pickle.tuple(key) {
            Some(&[domain, path]) => pickle.text(path).and(pickle.text(domain)),
            Some(_) => None,
            None => pickle.text(key),
        };
        let bucket = pickle.object(value, Kind::SimpleCookie);
        let (Some(place), Some(bucket)) = (place, bucket) else {
            return Err(malformed(jar.at, "not cookies by domain and path"));
        };
        budget.spend(place.len(), jar.at)?;
        let host = match place {
            [] => None,
            place => match domain(place) {
                Some(host) => Some(host),
                None => return Err(malformed(jar.at, "a key is not of a domain")),
            },
        };
        for &(_, value) in &bucket.items {
            let Some(object) = pickle.object(value, Kind::Morsel) else {
                return Err(malformed(bucket.at, "a cookie that is no Morsel"));
            };
            budget.spend(COOKIE + place.len(), object.at)?;
            let morsel = Morsel::of(&pickle, object, &mut budget)?;
            cookies.extend(morsel.cookie(host.as_ref(), now));
        }
    }
    Ok(cookies)
}

/// What a cookie takes besides its texts, in octets. In a file it takes more than a 16th of it.
const COOKIE: usize = 256;

/// What may still be looked at: one text or object can stand in any number of places.
struct Budget(usize);

impl Budget {
    fn spend(&mut self, octets: usize, at: usize) -> Result<(), CookieFileProblem> {
        match self.0.checked_sub(octets) {
            Some(left) => self.0 = left,
            None => return Err(malformed(at, "the same things again and again")),
        }
        Ok(())
    }
}

/// A cookie as Python keeps it.
struct Morsel<'a> {
    key: &'a [u8],
    value: &'a [u8],
    coded: &'a [u8],
    attributes: Attributes,
}

impl<'a> Morsel<'a> {
    fn of(
        pickle: &'a Pickle<'_>,
        object: &Object,
        budget: &mut Budget,
    ) -> Result<Self, CookieFileProblem> {
        let Some(state) = object.state else {
            return Err(malformed(object.at, "a Morsel without a value"));
        };
        let state = pickle.object(Value::Object(state), Kind::Dict);
        let state = state.map_or(&[][..], |state| &state.items);
        budget.spend(state.len(), object.at)?;
        let text = |wanted: &[u8]| {
            let of_key = |(key, _): &&(Value, Value)| pickle.text(*key) == Some(wanted);
            let found = state.iter().rfind(of_key);
            found.and_then(|&(_, value)| pickle.text(value))
        };
        let (Some(key), Some(value), Some(coded)) =
            (text(b"key"), text(b"value"), text(b"coded_value"))
        else {
            return Err(malformed(object.at, "a Morsel without a value"));
        };
        budget.spend(key.len() + value.len() + coded.len(), object.at)?;
        let mut attributes = Attributes::default();
        for &(name, value) in &object.items {
            budget.spend(1 + pickle.text(value).map_or(0, <[u8]>::len), object.at)?;
            if set_attribute(&mut attributes, pickle, name, value).is_none() {
                return Err(malformed(object.at, "an attribute that is no text"));
            }
        }
        Ok(Self {
            key,
            value,
            coded,
            attributes,
        })
    }

    /// The cookie, filed under `host`; a shared one is under none.
    fn cookie(self, host: Option<&Domain>, now: SystemTime) -> Option<Cookie> {
        let own = match self.attributes.domain.as_deref() {
            Some(own) if !own.ends_with('.') => {
                Some(domain(own.strip_prefix('.').unwrap_or(own).as_bytes())?)
            }
            // CKY-12.
            _ => None,
        };
        if let (Some(own), Some(host)) = (&own, host)
            && !own.covers(host)
        {
            tracing::debug!(
                domain = own.as_str(),
                "cookie of a file is of another domain"
            );
            return None;
        }
        let domain = own.as_ref().or(host).cloned();
        let path = self.attributes.path.as_deref().map(str::as_bytes);
        let cookie = cookie(&octets(self.key), &octets(self.coded), domain, path);
        Some(Cookie {
            value: octets(self.value).into(),
            host_only: own.is_none() && host.is_some(),
            expires: self.expires(now),
            secure: self.attributes.secure,
            http_only: self.attributes.http_only,
            partitioned: self.attributes.partitioned,
            same_site: self.attributes.same_site,
            ..cookie
        })
    }

    /// `Max-Age` counts before `Expires`.
    fn expires(&self, now: SystemTime) -> Option<SystemTime> {
        let Some(seconds) = self.attributes.max_age else {
            return self.attributes.expires;
        };
        let age = Duration::from_secs(seconds.max(0).unsigned_abs());
        let last = SystemTime::UNIX_EPOCH.checked_add(LAST_SECOND);
        match now.checked_add(age) {
            Some(end) => Some(last.map_or(end, |last| end.min(last))),
            None => last,
        }
    }
}

/// The octets of a text; one that has none, as Python sees it, stays as it is.
fn octets(text: &[u8]) -> Cow<'_, [u8]> {
    surrogates::octets(text).unwrap_or(Cow::Borrowed(text))
}

/// Reads an item of a Morsel; `None` if it can be no attribute.
fn set_attribute(
    attributes: &mut Attributes,
    pickle: &Pickle<'_>,
    name: Value,
    value: Value,
) -> Option<()> {
    let text = || -> Option<Option<Box<str>>> {
        match value {
            Value::None => Some(None),
            value => {
                let text = String::from_utf8_lossy(pickle.text(value)?);
                Some((!text.is_empty()).then(|| text.into()))
            }
        }
    };
    match pickle.text(name)? {
        b"domain" => attributes.domain = text()?,
        b"path" => attributes.path = text()?,
        b"samesite" => attributes.same_site = text()?,
        b"expires" => {
            let date = pickle.text(value).and_then(parse_date);
            attributes.expires = date;
        }
        b"max-age" => {
            attributes.max_age = match value {
                Value::None | Value::Int(0) => None,
                Value::Int(seconds) => Some(seconds),
                Value::Float(seconds) => Some(seconds as i64),
                value => pickle.text(value).map(<[u8]>::trim_ascii).and_then(seconds),
            };
        }
        b"secure" => attributes.secure = is_true(pickle, value),
        b"httponly" => attributes.http_only = is_true(pickle, value),
        b"partitioned" => attributes.partitioned = is_true(pickle, value),
        // `comment` and `version` mean nothing to a jar.
        _ => {}
    }
    Some(())
}

/// As Python asks: what is empty or zero is false.
fn is_true(pickle: &Pickle<'_>, value: Value) -> bool {
    match value {
        Value::Bool(flag) => flag,
        Value::Int(int) => int != 0,
        Value::Float(float) => float != 0.0,
        value => pickle.text(value).is_some_and(|text| !text.is_empty()),
    }
}

#[cfg(test)]
mod tests;
