//! What a jar accepts, sends and holds.

use url::Url;

use crate::header::{CookieStyle, Profile};

/// What a [`CookieJar`](crate::CookieJar) accepts and sends.
///
/// ```
/// use aio_cookies::{CookieJar, CookieJarOptions};
///
/// let jar = CookieJar::with_options(CookieJarOptions {
///     allow_ip_hosts: true,
///     ..CookieJarOptions::aiohttp()
/// });
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CookieJarOptions {
    /// Whose rules the jar follows, and how it writes cookies.
    pub style: CookieStyle,
    /// Whether hosts that are IP addresses can set cookies and get them back; aiohttp calls
    /// it `unsafe`. False by default: then such hosts get shared cookies only.
    pub allow_ip_hosts: bool,
    /// URLs whose scheme, host and port count as secure even where the scheme is `http` or
    /// `ws`; none by default.
    pub treat_as_secure_origin: Vec<Url>,
    /// Whether no host can set cookies for a domain that the public suffix list names, as
    /// `co.uk`; true by default. Without the feature `public-suffix` there is no list.
    pub use_public_suffixes: bool,
    /// How many cookies the jar holds.
    pub limits: CookieLimits,
}

/// How many cookies a [`CookieJar`](crate::CookieJar) holds.
///
/// ```
/// use aio_cookies::{CookieJar, CookieJarOptions, CookieLimits};
///
/// let of_a_crawler = CookieJar::with_options(CookieJarOptions {
///     limits: CookieLimits { in_all: 100_000, ..CookieLimits::default() },
///     ..CookieJarOptions::default()
/// });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CookieLimits {
    /// Of one site, 180 by default: of a registered domain with all hosts in it, so that one
    /// who owns a domain cannot fill the jar (see [`Domain::registrable`](crate::Domain::registrable)). For
    /// [`Profile::Aiohttp`] it is the limit of each host or domain.
    pub of_a_site: usize,
    /// In all, 3300 by default. With a limit of 0, none is stored.
    pub in_all: usize,
}

impl CookieLimits {
    /// CKY-26: 150 of 180.
    pub(crate) fn quota_of_a_site(self) -> usize {
        self.of_a_site - self.of_a_site / 6
    }

    /// CKY-27: 3000 of 3300; then comes the new one.
    pub(crate) fn quota_in_all(self) -> usize {
        let quota = self.in_all - self.in_all / 11;
        quota.min(self.in_all.saturating_sub(1))
    }
}

impl Default for CookieLimits {
    // CKY-26, CKY-27: Firefox's numbers, which aiohttp took.
    fn default() -> Self {
        Self {
            of_a_site: 180,
            in_all: 3300,
        }
    }
}

impl Default for CookieJarOptions {
    fn default() -> Self {
        Self {
            style: CookieStyle::default(),
            allow_ip_hosts: false,
            treat_as_secure_origin: Vec::new(),
            use_public_suffixes: true,
            limits: CookieLimits::default(),
        }
    }
}

impl CookieJarOptions {
    /// The rules of aiohttp's jar, with its defaults.
    pub fn aiohttp() -> Self {
        Self {
            style: CookieStyle {
                profile: Profile::Aiohttp,
                quote_cookie: true,
            },
            ..Self::default()
        }
    }
}
