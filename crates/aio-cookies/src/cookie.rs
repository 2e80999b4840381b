//! A cookie as a jar keeps it.

use std::borrow::Cow;
use std::fmt;
use std::time::SystemTime;

use crate::coding;
use crate::domain::Domain;
use crate::header::{self, CookiePair, CookieStyle, Profile};
use crate::path::path_match;

/// A cookie of a jar.
///
/// Names and values are octets, since servers send any; [`name`](Self::name) and
/// [`value`](Self::value) show them as text.
#[derive(Clone, PartialEq, Eq)]
pub struct Cookie {
    pub(crate) name: Box<[u8]>,
    pub(crate) value: Box<[u8]>,
    pub(crate) coded: Box<[u8]>,
    pub(crate) domain: Option<Domain>,
    pub(crate) host_only: bool,
    pub(crate) path: Box<str>,
    pub(crate) expires: Option<SystemTime>,
    pub(crate) secure: bool,
    pub(crate) http_only: bool,
    pub(crate) partitioned: bool,
    pub(crate) same_site: Option<Box<str>>,
    pub(crate) created: SystemTime,
    pub(crate) stored: SystemTime,
    pub(crate) last_access: SystemTime,
}

/// Which requests of other sites a cookie is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SameSite {
    /// None.
    Strict,
    /// Those that go to a new page.
    Lax,
    /// All.
    None,
}

impl Cookie {
    /// Returns the name; what is not UTF-8 in it shows as `�`.
    pub fn name(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.name)
    }

    /// Returns the value; what is not UTF-8 in it shows as `�`.
    ///
    /// In a jar of [`Profile::Aiohttp`] it is without quotes and escapes.
    pub fn value(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.value)
    }

    /// Returns the value as it was received.
    pub fn coded_value(&self) -> &[u8] {
        &self.coded
    }

    /// Returns the domain that the cookie is for; a shared cookie has none.
    pub fn domain(&self) -> Option<&Domain> {
        self.domain.as_ref()
    }

    /// Tells whether the cookie is for its domain alone, not for hosts inside it.
    pub fn is_host_only(&self) -> bool {
        self.host_only
    }

    /// Returns the path that the cookie is for.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the time that the cookie ends at, if it ends before the session does.
    pub fn expires(&self) -> Option<SystemTime> {
        self.expires
    }

    /// Tells whether the cookie is sent over secure connections only.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Tells whether the cookie is hidden from scripts; this means nothing here.
    pub fn is_http_only(&self) -> bool {
        self.http_only
    }

    /// Tells whether the cookie is kept apart for each top-level site; this means nothing
    /// here.
    pub fn is_partitioned(&self) -> bool {
        self.partitioned
    }

    /// Returns what `SameSite` says, if it says something known.
    pub fn same_site(&self) -> Option<SameSite> {
        let text = self.same_site_attribute()?;
        let known = [
            ("strict", SameSite::Strict),
            ("lax", SameSite::Lax),
            ("none", SameSite::None),
        ];
        let found = known
            .iter()
            .find(|(name, _)| text.eq_ignore_ascii_case(name));
        found.map(|&(_, same_site)| same_site)
    }

    /// Returns the text of `SameSite` as it came.
    pub fn same_site_attribute(&self) -> Option<&str> {
        self.same_site.as_deref()
    }

    /// Returns the time that the cookie was first stored at; who replaces one inherits it.
    ///
    /// The beginning of Unix time, where it is not known: of cookies from files, some of which
    /// do not have it, and of shared ones. These count as older than others.
    pub fn created(&self) -> SystemTime {
        self.created
    }

    /// Returns the time that the cookie was stored at as it is now: with this value and these
    /// attributes. The beginning of Unix time, where it is not known.
    pub fn stored(&self) -> SystemTime {
        self.stored
    }

    /// Returns the time that the cookie was stored or sent at last.
    pub fn last_access(&self) -> SystemTime {
        self.last_access
    }

    /// Tells whether the cookie has ended by `now`.
    pub fn is_expired(&self, now: SystemTime) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// The cookie as a jar of `profile` keeps it, of a file or another jar.
    pub(crate) fn in_profile(self, profile: Profile) -> Self {
        let value = match profile {
            Profile::Rfc6265bis => self.coded.clone(),
            Profile::Aiohttp if self.value == self.coded => coding::plain(&self.coded),
            Profile::Aiohttp => return self,
        };
        Self { value, ..self }
    }

    /// Names what no server could have set.
    pub(crate) fn flaw(&self) -> Option<&'static str> {
        let is_control = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
        let splits = |byte: &u8| is_control(byte) || *byte == b';';
        if self.name.iter().any(|byte| splits(byte) || *byte == b'=') {
            return Some("name");
        }
        let is_bad = self.value.iter().any(is_control) || self.coded.iter().any(is_control);
        let is_quoted = header::end_of_quoted(&self.coded) == Some(self.coded.len());
        let is_open = !is_quoted && (self.coded.contains(&b';') || self.value.contains(&b';'));
        if is_bad || is_open || self.name.is_empty() && self.coded.is_empty() {
            return Some("value");
        }
        if !self.path.starts_with('/') {
            return Some("path");
        }
        (self.host_only && self.domain.is_none()).then_some("domain")
    }

    /// The domain as jars look it up: that of shared cookies is empty.
    pub(crate) fn domain_key(&self) -> &str {
        self.domain.as_ref().map_or("", Domain::as_str)
    }

    /// The path as it is compared: aiohttp does not look at slashes at its end (CKY-16).
    pub(crate) fn compared_path(&self, profile: Profile) -> &str {
        compared(&self.path, profile)
    }

    pub(crate) fn has_path(&self, path: &str, profile: Profile) -> bool {
        self.compared_path(profile) == compared(path, profile)
    }

    pub(crate) fn is_for_path(&self, request_path: &str, profile: Profile) -> bool {
        // CKY-35: aiohttp still has `/a/` not match `/a`.
        let is_long_enough = request_path.len() >= self.path.len();
        is_long_enough && path_match(request_path, self.compared_path(profile))
    }

    /// Tells whether `other` takes the place of this cookie, both of one domain.
    pub(crate) fn is_replaced_by(&self, other: &Self, profile: Profile) -> bool {
        // RFC 6265bis 5.7, step 23; CKY-17.
        let is_same_kind = profile == Profile::Aiohttp || self.host_only == other.host_only;
        self.name == other.name && is_same_kind && self.has_path(&other.path, profile)
    }

    /// Tells whether `other` is this cookie, sent or not since.
    pub(crate) fn is_same_but_for_use(&self, other: &Self) -> bool {
        let last_access = other.last_access;
        *other
            == Self {
                last_access,
                ..self.clone()
            }
    }

    /// The pair to send; SPEC CKY-50 to 52.
    pub(crate) fn pair(&self, style: CookieStyle) -> CookiePair {
        let value = match style.profile {
            Profile::Rfc6265bis => self.coded.clone(),
            Profile::Aiohttp if !style.quote_cookie => self.value.clone(),
            Profile::Aiohttp if self.coded.starts_with(b"\"") => self.coded.clone(),
            Profile::Aiohttp => coding::quote(&self.value()).as_bytes().into(),
        };
        CookiePair {
            name: self.name.clone(),
            value,
        }
    }
}

fn compared(path: &str, profile: Profile) -> &str {
    match profile {
        Profile::Rfc6265bis => path,
        Profile::Aiohttp => path.trim_end_matches('/'),
    }
}

// Values are secrets.
impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cookie")
            .field("name", &self.name())
            .field("domain", &self.domain_key())
            .field("path", &self.path)
            .field("host_only", &self.host_only)
            .field("secure", &self.secure)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}
