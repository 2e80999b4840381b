//! Who asked for a request, as far as `SameSite` asks (RFC 6265bis 5.2).

use std::fmt;

use url::Url;

use crate::cookie::{Cookie, SameSite};
use crate::domain::Domain;

/// Who asked for a request; by this, `SameSite` decides on a cookie.
///
/// Two URLs are of the same site if both are secure or neither is, and the domain that someone
/// registered is the same (see [`Domain::registrable`]). A cookie that does not say `SameSite`
/// counts as `Lax`.
///
/// ```
/// # use std::time::SystemTime;
/// # use url::Url;
/// use aio_cookies::{CookieJar, CookieRequest, CookieSite};
///
/// let (shop, now) = (Url::parse("https://shop.example/")?, SystemTime::now());
/// let jar = CookieJar::new();
/// let mut request = CookieRequest::new(&shop, now);
/// jar.update_cookies(&request, ["id=7; SameSite=Strict", "theme=dark"]);
///
/// let elsewhere = Url::parse("https://elsewhere.example/")?;
/// request.site = CookieSite::Link(&elsewhere);
/// assert_eq!(jar.cookie_header(&request).as_deref(), Some("theme=dark"));
/// request.site = CookieSite::Page(&elsewhere);
/// assert_eq!(jar.cookie_header(&request), None);
/// # Ok::<(), url::ParseError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum CookieSite<'a> {
    /// The program itself, as a user who types a URL: `SameSite` is not looked at. The
    /// default.
    #[default]
    Own,
    /// The page at this URL, for itself: an image, a script, a call of an API.
    Page(&'a Url),
    /// A link on the page at this URL, which is followed by a method that changes nothing.
    Link(&'a Url),
    /// A form on the page at this URL, which is posted, and the answer takes the page's place.
    Form(&'a Url),
}

/// Which cookies may go with a request, and which may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    All,
    /// A link or a form of another site: what is not sent can still be set.
    Entering {
        is_safe: bool,
    },
    /// A page of another site.
    Foreign,
}

impl CookieSite<'_> {
    /// Tells what this allows of a request to `url`.
    pub(crate) fn reach(self, url: &Url) -> Reach {
        match self {
            Self::Own => Reach::All,
            Self::Page(page) | Self::Link(page) | Self::Form(page) if is_same(page, url) => {
                Reach::All
            }
            Self::Page(_) => Reach::Foreign,
            Self::Link(_) => Reach::Entering { is_safe: true },
            Self::Form(_) => Reach::Entering { is_safe: false },
        }
    }
}

// As with requests: no more of a page than its origin.
impl fmt::Debug for CookieSite<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, page) = match self {
            Self::Own => return f.write_str("Own"),
            Self::Page(page) => ("Page", page),
            Self::Link(page) => ("Link", page),
            Self::Form(page) => ("Form", page),
        };
        let origin = page.origin().ascii_serialization();
        f.debug_tuple(kind).field(&origin).finish()
    }
}

impl Reach {
    /// RFC 6265bis 5.8.3: whether `cookie` is sent. A shared one is the program's own.
    pub(crate) fn may_send(self, cookie: &Cookie) -> bool {
        let lax = || cookie.same_site() != Some(SameSite::Strict);
        match self {
            Self::All => true,
            _ if cookie.domain().is_none() || is_for_all(cookie) => true,
            Self::Entering { is_safe } => is_safe && lax(),
            Self::Foreign => false,
        }
    }

    /// RFC 6265bis 5.7, step 18: whether `cookie` may be set.
    pub(crate) fn may_set(self, cookie: &Cookie) -> bool {
        self != Self::Foreign || is_for_all(cookie)
    }
}

fn is_for_all(cookie: &Cookie) -> bool {
    cookie.same_site() == Some(SameSite::None)
}

fn is_same(page: &Url, url: &Url) -> bool {
    let is_secure = |url: &Url| matches!(url.scheme(), "https" | "wss");
    let host = |url: &Url| url.host_str().and_then(Domain::from_host);
    let (Some(of_page), Some(of_url)) = (host(page), host(url)) else {
        return false;
    };
    is_secure(page) == is_secure(url) && of_page.site() == of_url.site()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(page: &str, url: &str, want: bool) {
        let parse = |text| Url::parse(text).expect("a URL");
        assert_eq!(is_same(&parse(page), &parse(url)), want, "{page} {url}");
    }

    #[test]
    fn a_site_is_a_registered_domain_and_how_it_is_spoken_to() {
        check("https://a.test/x", "https://www.a.test:81/", true);
        check("https://a.test/", "wss://a.test/", true);
        check("http://a.test/", "ws://b.a.test/", true);
        check("http://a.test/", "https://a.test/", false);
        check("https://a.test/", "https://b.test/", false);
        check("https://a.test/", "https://a.test./", false);
        check("http://localhost/", "http://localhost:8080/", true);
        check("http://sub.localhost/", "http://localhost/", false);
        check("http://127.0.0.1/", "http://127.0.0.1/", true);
        check("http://127.0.0.1/", "http://126.0.0.1/", false);
        check("http://[::1]/", "http://[0::1]/", true);
        check("data:,x", "data:,x", false);
    }

    #[cfg(feature = "public-suffix")]
    #[test]
    fn a_public_suffix_is_no_site() {
        check("https://a.co.uk/", "https://b.co.uk/", false);
        check("https://www.a.co.uk/", "https://a.co.uk/", true);
        check("https://github.io/", "https://user.github.io/", false);
    }
}
