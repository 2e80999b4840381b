//! What a session asks of a cookie jar.

use std::fmt;
use std::time::SystemTime;

use url::Url;

use crate::error::CookieError;
use crate::header::{CookiePair, CookieStyle};
use crate::site::CookieSite;

/// Keeps the cookies of responses and gives those of requests.
///
/// Sessions hold one as `Arc<dyn CookieStore>`. [`CookieJar`](crate::CookieJar) is the
/// usual one, [`DummyCookieJar`] keeps nothing.
pub trait CookieStore: fmt::Debug + Send + Sync {
    /// Stores the cookies of a response to `request`: the values of its `Set-Cookie`
    /// fields, in their order.
    fn update_cookies(
        &self,
        request: &CookieRequest<'_>,
        set_cookie: &mut dyn Iterator<Item = &[u8]>,
    );

    /// Returns the cookies to send with `request`.
    fn filter_cookies(&self, request: &CookieRequest<'_>) -> Vec<CookiePair>;

    /// Adds a cookie of the program's own, to be sent to every host.
    ///
    /// # Errors
    ///
    /// As [`CookieJar::add`](crate::CookieJar::add).
    fn add(&self, name: &str, value: &str) -> Result<(), CookieError>;

    /// Tells whether it is known to have no cookie, so that it need not be asked for them.
    fn is_empty(&self) -> bool {
        false
    }

    /// Tells how cookies are written, those of a single request too.
    fn style(&self) -> CookieStyle {
        CookieStyle::default()
    }
}

/// A request, as far as cookies are concerned.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct CookieRequest<'a> {
    /// Where it goes to, or came from.
    pub url: &'a Url,
    /// The present time, by which cookies expire.
    pub now: SystemTime,
    /// Who asked for it; the program itself by default.
    pub site: CookieSite<'a>,
}

impl<'a> CookieRequest<'a> {
    /// Describes a request to `url` at the time `now`, which no page asked for.
    pub fn new(url: &'a Url, now: SystemTime) -> Self {
        let site = CookieSite::Own;
        Self { url, now, site }
    }
}

// The path and what stands before the host may be secrets.
impl fmt::Debug for CookieRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CookieRequest")
            .field("origin", &self.url.origin().ascii_serialization())
            .field("now", &self.now)
            .field("site", &self.site)
            .finish()
    }
}

/// A cookie store that keeps nothing.
///
/// Cookies of a single request are sent all the same.
///
/// ```
/// use aio_cookies::{CookieStore, DummyCookieJar};
///
/// let jar: std::sync::Arc<dyn CookieStore> = std::sync::Arc::new(DummyCookieJar::default());
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DummyCookieJar {
    /// How cookies of a single request are written.
    pub style: CookieStyle,
}

impl CookieStore for DummyCookieJar {
    fn update_cookies(&self, _: &CookieRequest<'_>, _: &mut dyn Iterator<Item = &[u8]>) {}

    fn filter_cookies(&self, _: &CookieRequest<'_>) -> Vec<CookiePair> {
        Vec::new()
    }

    /// Checks the cookie and forgets it.
    fn add(&self, name: &str, value: &str) -> Result<(), CookieError> {
        self.style.pair(name, value).map(drop)
    }

    fn is_empty(&self) -> bool {
        true
    }

    fn style(&self) -> CookieStyle {
        self.style
    }
}
