//! Decides whether a cookie of a response is accepted, and for which hosts and paths.

use std::time::{Duration, SystemTime};

use url::Url;

use crate::cookie::{Cookie, SameSite};
use crate::domain::{Domain, DomainAttribute};
use crate::header::Profile;
use crate::parse::SetCookie;
use crate::path::default_path;
use crate::site::Reach;
use crate::suffix;

/// RFC 6265bis 5.5: no cookie is kept for longer.
const AGE_LIMIT: Duration = Duration::from_secs(400 * 86_400);

/// The last second of the year 9999, as far as aiohttp counts.
pub(crate) const LAST_SECOND: Duration = Duration::from_secs(253_402_300_798);

/// Where a cookie came from.
#[derive(Debug, Clone)]
pub(crate) struct Origin<'a> {
    pub(crate) host: Domain,
    pub(crate) url: &'a Url,
    /// Whether the connection counts as secure.
    pub(crate) secure: bool,
    pub(crate) reach: Reach,
    pub(crate) use_public_suffixes: bool,
    pub(crate) now: SystemTime,
}

/// Why a cookie is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    ForeignDomain,
    PublicSuffix,
    InsecureOrigin,
    Prefix,
    ForeignSite,
    SameSiteNone,
    OverlaysSecure,
    FullSite,
    NoRoom,
}

impl Refusal {
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::ForeignDomain => "foreign domain",
            Self::PublicSuffix => "public suffix",
            Self::InsecureOrigin => "secure cookie of an insecure origin",
            Self::Prefix => "not what the prefix of its name promises",
            Self::ForeignSite => "it is not for pages of other sites",
            Self::SameSiteNone => "SameSite=None without Secure",
            Self::OverlaysSecure => "it would hide a secure cookie",
            Self::NoRoom => "the jar holds none",
            Self::FullSite => "its site is full of secure cookies",
        }
    }
}

/// RFC 6265bis 5.7, steps 5 to 22; aiohttp knows no rules on `Secure` and on prefixes.
pub(crate) fn admit(
    set_cookie: SetCookie,
    origin: &Origin<'_>,
    profile: Profile,
) -> Result<Cookie, Refusal> {
    let expires = expiry(&set_cookie, origin.now, profile);
    let attributes = set_cookie.attributes;
    let (domain, host_only) = match domain(attributes.domain.as_deref(), profile) {
        DomainAttribute::HostOnly => (origin.host.clone(), true),
        DomainAttribute::Domain(domain) if !domain.covers(&origin.host) => {
            return Err(Refusal::ForeignDomain);
        }
        DomainAttribute::Domain(domain)
            if origin.use_public_suffixes
                && suffix::is_shared(domain.as_str(), origin.host.as_str()) =>
        {
            return Err(Refusal::PublicSuffix);
        }
        DomainAttribute::Domain(domain)
            if is_for_nobody(&domain, origin.use_public_suffixes, profile) =>
        {
            // RFC 6265bis 5.7, step 9: a host that is a public suffix keeps the cookie to
            // itself.
            if domain != origin.host {
                return Err(Refusal::PublicSuffix);
            }
            (domain, true)
        }
        // Nothing is inside an address; aiohttp has it otherwise.
        DomainAttribute::Domain(domain) => {
            let host_only = domain.is_ip() && profile == Profile::Rfc6265bis;
            (domain, host_only)
        }
        DomainAttribute::Invalid => return Err(Refusal::ForeignDomain),
    };
    let path = attributes.path.filter(|path| path.starts_with('/'));
    let has_root_path = path.as_deref() == Some("/");
    let cookie = Cookie {
        name: set_cookie.name,
        value: set_cookie.value,
        coded: set_cookie.coded,
        domain: Some(domain),
        host_only,
        path: path.unwrap_or_else(|| default_path(origin.url.path()).into()),
        expires,
        secure: attributes.secure,
        http_only: attributes.http_only,
        partitioned: attributes.partitioned,
        same_site: attributes.same_site.filter(|text| !text.is_empty()),
        created: origin.now,
        stored: origin.now,
        last_access: origin.now,
    };
    if !origin.reach.may_set(&cookie) {
        return Err(Refusal::ForeignSite);
    }
    if profile == Profile::Aiohttp {
        return Ok(cookie);
    }
    if cookie.secure && !origin.secure {
        return Err(Refusal::InsecureOrigin);
    }
    if cookie.same_site() == Some(SameSite::None) && !cookie.secure {
        return Err(Refusal::SameSiteNone);
    }
    if !keeps_promise(&cookie, has_root_path) {
        return Err(Refusal::Prefix);
    }
    Ok(cookie)
}

fn domain(attribute: Option<&str>, profile: Profile) -> DomainAttribute {
    let Some(value) = attribute else {
        return DomainAttribute::HostOnly;
    };
    match profile {
        // CKY-12.
        Profile::Aiohttp if value.ends_with('.') => DomainAttribute::HostOnly,
        // RFC 6265bis 5.7, step 8: internationalised names come in Punycode.
        Profile::Rfc6265bis if !value.is_ascii() => DomainAttribute::Invalid,
        _ => DomainAttribute::parse(value),
    }
}

/// Tells whether the hosts in `domain` are no one's in particular.
///
/// aiohttp has no public suffix list. What the list names is refused all the same (CKY-14
/// leaves it open), but a top-level domain that is in no list has cookies, as there.
pub(crate) fn is_for_nobody(domain: &Domain, use_public_suffixes: bool, profile: Profile) -> bool {
    let is_top = || !domain.as_str().trim_end_matches('.').contains('.');
    domain.is_listed_suffix() && use_public_suffixes
        || profile == Profile::Rfc6265bis && !domain.is_ip() && is_top()
}

/// `Max-Age` counts before `Expires`.
fn expiry(set_cookie: &SetCookie, now: SystemTime, profile: Profile) -> Option<SystemTime> {
    let end = match set_cookie.attributes.max_age {
        Some(seconds) => match u64::try_from(seconds) {
            Ok(seconds) => now.checked_add(Duration::from_secs(seconds)),
            // RFC 6265bis 5.6.2: the earliest time there is; any that is past will do.
            Err(_) => Some(now),
        },
        None => Some(set_cookie.attributes.expires?),
    };
    let limit = match profile {
        Profile::Rfc6265bis => now.checked_add(AGE_LIMIT),
        Profile::Aiohttp => SystemTime::UNIX_EPOCH.checked_add(LAST_SECOND),
    };
    // A time that the platform cannot tell is never reached.
    match (end, limit) {
        (Some(end), Some(limit)) => Some(end.min(limit)),
        (end, limit) => end.or(limit),
    }
}

/// Tells whether a name begins so; in any case, since servers compare so.
pub(crate) fn has_prefix(name: &[u8], prefix: &[u8]) -> bool {
    let start = name.get(..prefix.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// RFC 6265bis 5.7, steps 20 to 22: what the prefix of a name promises must be true.
fn keeps_promise(cookie: &Cookie, has_root_path: bool) -> bool {
    let (secure, host) = (b"__Secure-".as_slice(), b"__Host-".as_slice());
    if cookie.name.is_empty() {
        return !has_prefix(&cookie.value, secure) && !has_prefix(&cookie.value, host);
    }
    if has_prefix(&cookie.name, host) {
        return cookie.secure && cookie.host_only && has_root_path;
    }
    cookie.secure || !has_prefix(&cookie.name, secure)
}
