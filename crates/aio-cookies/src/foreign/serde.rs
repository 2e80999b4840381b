//! Cookies as serde writes and reads them.
//!
//! Names and values are text where they are UTF-8 and the format is for people; else they are
//! octets, so that any cookie comes back as it was.

use std::fmt;
use std::time::SystemTime;

use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};

use crate::cookie::Cookie;
use crate::domain::Domain;
use crate::persist;

/// A cookie by its parts. The value counts among them: who writes cookies writes secrets.
#[derive(serde::Serialize, serde::Deserialize)]
struct Record {
    name: Octets,
    value: Octets,
    /// As it was received.
    #[serde(default)]
    coded_value: Option<Octets>,
    #[serde(default)]
    domain: Option<String>,
    #[serde(default)]
    host_only: bool,
    path: String,
    #[serde(default)]
    expires: Option<SystemTime>,
    #[serde(default)]
    secure: bool,
    #[serde(default)]
    http_only: bool,
    #[serde(default)]
    partitioned: bool,
    #[serde(default)]
    same_site: Option<String>,
    #[serde(default = "unknown_time")]
    created: SystemTime,
    #[serde(default = "unknown_time")]
    stored: SystemTime,
    #[serde(default = "unknown_time")]
    last_access: SystemTime,
}

struct Octets(Box<[u8]>);

fn unknown_time() -> SystemTime {
    SystemTime::UNIX_EPOCH
}

/// By its parts, the value among them: what is written is a secret.
impl Serialize for Cookie {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // serde refuses times before 1970.
        let time = |time: SystemTime| time.max(SystemTime::UNIX_EPOCH);
        let record = Record {
            name: Octets(self.name.clone()),
            value: Octets(self.value.clone()),
            coded_value: Some(Octets(self.coded.clone())),
            domain: self.domain.as_ref().map(Domain::to_string),
            host_only: self.host_only,
            path: self.path.to_string(),
            expires: self.expires.map(time),
            secure: self.secure,
            http_only: self.http_only,
            partitioned: self.partitioned,
            same_site: self.same_site_attribute().map(str::to_owned),
            created: time(self.created),
            stored: time(self.stored),
            last_access: time(self.last_access),
        };
        record.serialize(serializer)
    }
}

/// Name, value and path are needed, the rest is as if it were not said; without a domain the
/// cookie is a shared one. What could not be sent is an error.
impl<'de> Deserialize<'de> for Cookie {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let record = Record::deserialize(deserializer)?;
        let coded = record.coded_value.map(|coded| coded.0);
        let domain = match &record.domain {
            Some(text) => Some(persist::domain(text.as_bytes()).ok_or_else(|| illegal("domain"))?),
            None => None,
        };
        let cookie = Self {
            name: record.name.0,
            coded: coded.unwrap_or_else(|| record.value.0.clone()),
            value: record.value.0,
            domain,
            host_only: record.host_only,
            path: record.path.into(),
            expires: record.expires,
            secure: record.secure,
            http_only: record.http_only,
            partitioned: record.partitioned,
            same_site: record.same_site.map(String::into_boxed_str),
            created: record.created,
            stored: record.stored,
            last_access: record.last_access,
        };
        match cookie.flaw() {
            Some(part) => Err(illegal(part)),
            None => Ok(cookie),
        }
    }
}

fn illegal<E: de::Error>(part: &str) -> E {
    E::custom(format_args!("illegal {part} of a cookie"))
}

impl Serialize for Octets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            Ok(text) if serializer.is_human_readable() => serializer.serialize_str(text),
            _ => serializer.serialize_bytes(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return deserializer.deserialize_any(OctetsVisitor);
        }
        deserializer.deserialize_byte_buf(OctetsVisitor)
    }
}

struct OctetsVisitor;

impl<'de> Visitor<'de> for OctetsVisitor {
    type Value = Octets;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text or octets")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Octets, E> {
        Ok(Octets(text.as_bytes().into()))
    }

    fn visit_bytes<E: de::Error>(self, octets: &[u8]) -> Result<Octets, E> {
        Ok(Octets(octets.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Octets, A::Error> {
        let mut octets = Vec::new();
        while let Some(octet) = seq.next_element()? {
            octets.push(octet);
        }
        Ok(Octets(octets.into()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use url::Url;

    use super::*;
    use crate::{CookieJar, CookieJarOptions, CookieRequest};

    #[test]
    fn any_cookie_comes_back_as_it_was() {
        let url = Url::parse("https://www.a.test/dir/page").expect("a URL");
        let now = SystemTime::UNIX_EPOCH + Duration::from_nanos(1_790_000_000_123_456_789);
        let request = CookieRequest::new(&url, now);
        for options in [CookieJarOptions::default(), CookieJarOptions::aiohttp()] {
            let jar = CookieJar::with_options(options);
            jar.add("shared", "two words").expect("legal");
            let fields: [&[u8]; 5] = [
                b"plain=1",
                b"octets=\xff\xfe",
                b"nameless",
                b"quoted=\"x;y\"; Path=/; Domain=a.test",
                b"all=\xc3\xa9; Secure; HttpOnly; Partitioned; SameSite=oDD; Max-Age=90",
            ];
            jar.update_cookies(&request, fields);
            let cookies = jar.cookies(now);
            assert!(cookies.len() > 3);
            let text = serde_json::to_string(&cookies).expect("JSON");
            let back: Vec<Cookie> = serde_json::from_str(&text).expect("cookies");
            assert_eq!(back, cookies);
        }
    }

    #[test]
    fn few_parts_are_needed() {
        let text = r#"{"name": "a", "value": "1", "path": "/", "domain": "A.test"}"#;
        let cookie: Cookie = serde_json::from_str(text).expect("a cookie");
        assert_eq!(
            (cookie.coded_value(), cookie.created()),
            (b"1".as_slice(), unknown_time())
        );
        assert_eq!(cookie.domain().map(Domain::as_str), Some("a.test"));
        assert!(!cookie.is_host_only());
    }

    #[test]
    fn what_no_server_could_set_is_an_error() {
        #[track_caller]
        fn check(parts: &str, want: &str) {
            let text = format!(r#"{{"path": "/", {parts}}}"#);
            let error = serde_json::from_str::<Cookie>(&text).expect_err(parts);
            let want = format!("illegal {want} of a cookie");
            assert!(error.to_string().starts_with(&want), "{parts}: {error}");
        }
        check(r#""name": "a\r\nx: y", "value": """#, "name");
        check(r#""name": "a=b", "value": """#, "name");
        check(r#""name": "a", "value": "1\n""#, "value");
        check(
            r#""name": "a", "value": "1", "coded_value": "1\r""#,
            "value",
        );
        check(r#""name": "a", "value": "1; b=2""#, "value");
        check(r#""name": "", "value": """#, "value");
        check(r#""name": "a", "value": "1", "domain": """#, "domain");
        check(r#""name": "a", "value": "1", "host_only": true"#, "domain");
        let text = r#"{"name": "a", "value": "1", "path": "x"}"#;
        assert!(serde_json::from_str::<Cookie>(text).is_err());
    }
}
