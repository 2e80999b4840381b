//! The cookie jar.

mod index;

use std::collections::HashSet;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use url::Url;

use self::index::{Index, Query};
use crate::admit::{Origin, Refusal, admit, has_prefix, is_for_nobody};
use crate::coding;
use crate::cookie::Cookie;
use crate::domain::Domain;
use crate::error::CookieError;
use crate::header::{self, CookiePair, CookieStyle, Profile};
use crate::host::Host;
use crate::options::CookieJarOptions;
use crate::parse::{Attributes, SetCookie};
use crate::persist::{Change, Synced};
use crate::store::{CookieRequest, CookieStore};

/// CKY-25: those behind are not stored.
const MAX_COOKIES_OF_A_RESPONSE: usize = 50;

/// Keeps cookies in memory and tells which ones a request carries.
///
/// All methods take `&self`; a jar can be shared by sessions and threads. It reads no
/// clock: the time comes with each call.
///
/// ```
/// # use std::time::{Duration, SystemTime};
/// # use url::Url;
/// use aio_cookies::{CookieJar, CookieRequest};
///
/// let (login, now) = (Url::parse("https://shop.example/login")?, SystemTime::now());
/// let jar = CookieJar::new();
/// jar.update_cookies(&CookieRequest::new(&login, now), [
///     "id=7; Path=/; Secure; Max-Age=60",
///     "theme=dark; Path=/; Domain=shop.example",
/// ]);
///
/// let api = Url::parse("https://api.shop.example/")?;
/// let header = |url, now| jar.cookie_header(&CookieRequest::new(url, now));
/// assert_eq!(header(&login, now).as_deref(), Some("id=7; theme=dark"));
/// assert_eq!(header(&api, now).as_deref(), Some("theme=dark"));
/// assert_eq!(header(&login, now + Duration::from_secs(60)).as_deref(), Some("theme=dark"));
/// # Ok::<(), url::ParseError>(())
/// ```
///
/// A jar holds at most 180 cookies of a site and 3300 in all; see
/// [`CookieLimits`](crate::CookieLimits). When a new
/// one would make them more, those that have ended go first, then those that were sent or
/// stored the longest ago, down to 150 and 3000. In a full site, `Secure` cookies only give way
/// to another one, when there are no others. Of one response, the first 50 cookies are stored.
#[derive(Default)]
pub struct CookieJar {
    options: CookieJarOptions,
    index: Mutex<Index>,
    pub(crate) synced: Mutex<Synced>,
}

impl CookieJar {
    /// Makes an empty jar that follows RFC 6265bis.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes an empty jar.
    pub fn with_options(options: CookieJarOptions) -> Self {
        Self {
            index: Mutex::new(Index::new(options.style, options.limits)),
            synced: Mutex::default(),
            options,
        }
    }

    /// Returns the options that the jar was made with.
    pub fn options(&self) -> &CookieJarOptions {
        &self.options
    }

    /// Stores the cookies of a response: the values of its `Set-Cookie` fields.
    ///
    /// What is malformed, or what the host may not set, is dropped, and a `tracing` event
    /// tells why.
    pub fn update_cookies<I>(&self, request: &CookieRequest<'_>, set_cookie: I)
    where
        I: IntoIterator<Item: AsRef<[u8]>>,
    {
        let Some(origin) = self.origin(request) else {
            return;
        };
        let profile = self.options.style.profile;
        let parsed = set_cookie
            .into_iter()
            .filter_map(|field| SetCookie::parse(profile, field.as_ref()))
            .take(MAX_COOKIES_OF_A_RESPONSE);
        self.put(parsed, &origin);
    }

    /// Stores cookies of a response that are parsed already, or that the program made itself;
    /// as [`update_cookies`](Self::update_cookies), but for the limit of 50.
    pub fn update_parsed(
        &self,
        request: &CookieRequest<'_>,
        cookies: impl IntoIterator<Item = SetCookie>,
    ) {
        if let Some(origin) = self.origin(request) {
            self.put(cookies.into_iter(), &origin);
        }
    }

    /// Adds a cookie that goes to every host, IP addresses too: a shared cookie.
    ///
    /// # Errors
    ///
    /// When the name or the value cannot be sent; see [`CookieStyle::pair`]. No profile
    /// takes control characters.
    ///
    /// ```
    /// # use url::Url;
    /// use aio_cookies::{CookieJar, CookieRequest};
    ///
    /// let jar = CookieJar::new();
    /// jar.add("tracing", "off")?;
    /// let (url, now) = (Url::parse("http://127.0.0.1/")?, std::time::SystemTime::now());
    /// let header = jar.cookie_header(&CookieRequest::new(&url, now));
    /// assert_eq!(header.as_deref(), Some("tracing=off"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn add(&self, name: &str, value: &str) -> Result<(), CookieError> {
        self.share(self.own(name, value)?);
        Ok(())
    }

    /// Adds a cookie as if a response to `request` had set it, without attributes.
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add).
    pub fn add_for(
        &self,
        request: &CookieRequest<'_>,
        name: &str,
        value: &str,
    ) -> Result<(), CookieError> {
        self.update_parsed(request, [self.own(name, value)?]);
        Ok(())
    }

    /// Adds the cookies of a map or another list of names and values; as [`add`](Self::add).
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add); then none is added.
    ///
    /// ```
    /// # let jar = aio_cookies::CookieJar::new();
    /// jar.add_all([("theme", "dark"), ("lang", "en")])?;
    /// jar.add_all(&std::collections::BTreeMap::from([("tracing".to_owned(), "off".to_owned())]))?;
    /// assert_eq!(jar.len(), 3);
    /// # Ok::<(), aio_cookies::CookieError>(())
    /// ```
    pub fn add_all<N: AsRef<str>, V: AsRef<str>>(
        &self,
        cookies: impl IntoIterator<Item = (N, V)>,
    ) -> Result<(), CookieError> {
        let cookies = self.own_all(cookies)?;
        for cookie in cookies {
            self.share(cookie);
        }
        Ok(())
    }

    /// Adds the cookies of a map or another list, as [`add_for`](Self::add_for) does with one.
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add); then none is added.
    pub fn add_all_for<N: AsRef<str>, V: AsRef<str>>(
        &self,
        request: &CookieRequest<'_>,
        cookies: impl IntoIterator<Item = (N, V)>,
    ) -> Result<(), CookieError> {
        let cookies = self.own_all(cookies)?;
        self.update_parsed(request, cookies);
        Ok(())
    }

    /// Returns the cookies to send with `request`.
    ///
    /// Longer paths come first; among equals, the older cookie. With [`Profile::Aiohttp`]
    /// there is one of each name, the most specific of them last. No more than 150 are sent,
    /// or than 8190 octets; the others stay.
    pub fn filter_cookies(&self, request: &CookieRequest<'_>) -> Vec<CookiePair> {
        let Some(host) = Host::of(request.url) else {
            return Vec::new();
        };
        let query = Query {
            // CKY-37.
            has_own: self.options.allow_ip_hosts || !host.is_ip(),
            host,
            path: request.url.path(),
            secure: self.is_secure(request.url),
            reach: request.site.reach(request.url),
            now: request.now,
        };
        self.index().filter(&query)
    }

    /// Returns the `Cookie` header for a request, if any cookie applies.
    ///
    /// Longer paths come first; among equals, the older cookie. [`Profile::Aiohttp`] sorts
    /// by name. A cookie whose octets are not UTF-8 is left out; to send it too, or cookies
    /// from elsewhere, use [`CookieStyle::merge`].
    ///
    /// ```
    /// # use aio_cookies::{CookieJar, CookieRequest};
    /// # let (now, url) = (std::time::SystemTime::now(), url::Url::parse("http://a.test/")?);
    /// let jar = CookieJar::default();
    /// jar.update_cookies(&CookieRequest::new(&url, now), ["id=7"]);
    /// assert_eq!(jar.cookie_header(&CookieRequest::new(&url, now)).as_deref(), Some("id=7"));
    /// # Ok::<(), url::ParseError>(())
    /// ```
    pub fn cookie_header(&self, request: &CookieRequest<'_>) -> Option<String> {
        let mut pairs = self.filter_cookies(request);
        if self.options.style.profile == Profile::Aiohttp {
            pairs = header::sorted(pairs.into_iter());
        }
        let is_text = |bytes: &[u8]| std::str::from_utf8(bytes).is_ok();
        pairs.retain(|pair| is_text(pair.name()) && is_text(pair.value()));
        if pairs.is_empty() {
            return None;
        }
        String::from_utf8(header::join(&pairs)).ok()
    }

    /// Returns a copy of one cookie, unless it has ended by `now`.
    ///
    /// `path` is that of the cookie. The domain of shared cookies is empty. If there are a
    /// cookie of the host alone and one of its domain, it is the former.
    ///
    /// ```
    /// # use std::time::SystemTime;
    /// # use url::Url;
    /// # use aio_cookies::{CookieJar, CookieRequest};
    /// # let (jar, now) = (CookieJar::new(), SystemTime::now());
    /// let shop = Url::parse("https://shop.example/login")?;
    /// jar.update_cookies(&CookieRequest::new(&shop, now), ["id=7; Path=/"]);
    /// let id = jar.cookie(now, "id", "shop.example", "/").expect("it was set");
    /// assert_eq!(id.value(), "7");
    /// # Ok::<(), url::ParseError>(())
    /// ```
    pub fn cookie(&self, now: SystemTime, name: &str, domain: &str, path: &str) -> Option<Cookie> {
        let domain = match domain {
            "" => None,
            domain => Some(Domain::from_host(domain)?),
        };
        let key = domain.as_ref().map_or("", Domain::as_str);
        let index = self.index();
        let mut found: Vec<&Cookie> = index.named(name, key, path).collect();
        found.retain(|cookie| !cookie.is_expired(now));
        found.into_iter().max_by_key(|c| c.host_only).cloned()
    }

    /// Returns a copy of all cookies that have not ended by `now`, the oldest first.
    pub fn cookies(&self, now: SystemTime) -> Vec<Cookie> {
        let mut index = self.index();
        index.remove_expired(now);
        index.cookies()
    }

    /// Returns copies of all cookies that have not ended by `now`, for a store elsewhere; as
    /// [`cookies`](Self::cookies). [`merge`](Self::merge) brings back what that has.
    ///
    /// A database keeps a jar so, and lets several programs have the same cookies; here SQLite,
    /// by the crates `rusqlite` and `serde_json` and the feature `serde`:
    ///
    /// ```text
    #[doc = include_str!("docs/sqlite.rs")]
    /// ```
    pub fn export(&self, now: SystemTime) -> Vec<Cookie> {
        self.cookies(now)
    }

    /// Adds cookies, as another jar gives them by [`export`](Self::export). Where both have
    /// one of the same name, domain and path, the one that was stored last stays.
    ///
    /// What has ended by `now` is not added, nor what there is no room for. Of the rules for
    /// cookies of responses some hold again, for others may have stored them by other rules: a
    /// cookie for a public suffix, or with the prefix `__Host-`, is for that host alone.
    ///
    /// ```
    /// # use url::Url;
    /// use aio_cookies::{CookieJar, CookieRequest};
    ///
    /// let (url, now) = (Url::parse("https://a.test/")?, std::time::SystemTime::now());
    /// let (ours, theirs) = (CookieJar::new(), CookieJar::new());
    /// theirs.update_cookies(&CookieRequest::new(&url, now), ["id=7; Secure"]);
    /// ours.merge(theirs.export(now), now);
    /// assert_eq!(ours.cookies(now), theirs.cookies(now));
    /// # Ok::<(), url::ParseError>(())
    /// ```
    pub fn merge(&self, cookies: impl IntoIterator<Item = Cookie>, now: SystemTime) {
        let cookies: Vec<Cookie> = cookies.into_iter().map(|one| self.narrowed(one)).collect();
        store_all(self.index(), cookies, |index, cookie| {
            index.merge(cookie, now)
        });
    }

    /// Has these cookies in place of all that there are; as [`merge`](Self::merge).
    pub fn replace(&self, cookies: impl IntoIterator<Item = Cookie>, now: SystemTime) {
        let cookies: Vec<Cookie> = cookies.into_iter().map(|one| self.narrowed(one)).collect();
        let mut index = self.index();
        index.clear();
        store_all(index, cookies, |index, cookie| index.merge(cookie, now));
    }

    /// Has a cookie that others stored go to no more hosts than one of this jar's own may.
    pub(crate) fn narrowed(&self, mut cookie: Cookie) -> Cookie {
        let (suffixes, profile) = (self.options.use_public_suffixes, self.options.style.profile);
        // RFC 6265bis 5.7, step 9, as of that host itself, and step 22.
        let is_shared = |domain: &Domain| is_for_nobody(domain, suffixes, profile);
        cookie.host_only |= cookie.domain.as_ref().is_some_and(is_shared)
            || cookie.domain.is_some()
                && profile == Profile::Rfc6265bis
                && has_prefix(&cookie.name, b"__Host-");
        cookie
    }

    /// Stores `changes` that another jar made, ones that have ended to remove others; but where
    /// this jar holds another cookie than it then did, that stays. Returns what there is no
    /// room for.
    pub(crate) fn change(&self, changes: Vec<Change>, now: SystemTime) -> Vec<Cookie> {
        let mut refused = Vec::new();
        let mut index = self.index();
        index.remove_expired(now);
        for change in changes {
            refused.extend(index.change(change, now));
        }
        refused
    }

    /// Counts the cookies, with those that have ended but were not yet looked at.
    pub fn len(&self) -> usize {
        self.index().len()
    }

    /// Tells whether there are no cookies at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Removes all cookies.
    pub fn clear(&self) {
        self.index().clear();
    }

    /// Removes the cookies for which `predicate` is true, and those that have ended.
    ///
    /// The jar is locked meanwhile; `predicate` must not call it.
    ///
    /// ```
    /// # use std::time::SystemTime;
    /// # let (jar, now) = (aio_cookies::CookieJar::new(), SystemTime::now());
    /// jar.clear_where(now, |cookie| cookie.name().starts_with("session"));
    /// ```
    pub fn clear_where(&self, now: SystemTime, mut predicate: impl FnMut(&Cookie) -> bool) {
        let mut index = self.index();
        index.remove_expired(now);
        // Asked first, then removed: a predicate that panics leaves the jar whole.
        let gone: HashSet<u64> = index.numbers_where(&mut predicate);
        index.remove(&gone);
    }

    /// Removes the cookies of `domain` and of the domains inside it, and those that have
    /// ended. Shared cookies stay, unless `domain` is empty: it is theirs.
    pub fn clear_domain(&self, now: SystemTime, domain: &str) {
        let is_shared = domain.is_empty();
        let domain = Domain::from_host(domain);
        self.clear_where(now, |cookie| match (&domain, cookie.domain()) {
            (Some(domain), Some(of_cookie)) => domain.covers(of_cookie),
            (None, None) => is_shared,
            _ => false,
        });
    }

    /// Returns where the response to `request` came from, if it may set cookies at all.
    fn origin<'a>(&self, request: &CookieRequest<'a>) -> Option<Origin<'a>> {
        let host = Domain::from_host(request.url.host_str()?)?;
        if host.is_ip() && !self.options.allow_ip_hosts {
            tracing::debug!(host = host.as_str(), "cookies of an IP address not stored");
            return None;
        }
        Some(Origin {
            host,
            url: request.url,
            secure: self.is_secure(request.url),
            reach: request.site.reach(request.url),
            use_public_suffixes: self.options.use_public_suffixes,
            now: request.now,
        })
    }

    fn is_secure(&self, url: &Url) -> bool {
        let trusted = &self.options.treat_as_secure_origin;
        matches!(url.scheme(), "https" | "wss")
            || trusted.iter().any(|secure| secure.origin() == url.origin())
    }

    /// Stores a cookie for every host.
    fn share(&self, cookie: SetCookie) {
        let shared = Cookie {
            name: cookie.name,
            value: cookie.value,
            coded: cookie.coded,
            domain: None,
            host_only: false,
            path: "/".into(),
            expires: None,
            secure: false,
            http_only: false,
            partitioned: false,
            same_site: None,
            created: SystemTime::UNIX_EPOCH,
            stored: SystemTime::UNIX_EPOCH,
            last_access: SystemTime::UNIX_EPOCH,
        };
        // Without an end it has not ended, whatever the time.
        let now = SystemTime::UNIX_EPOCH;
        store_all(self.index(), vec![shared], |index, cookie| {
            index.put(cookie, now)
        });
    }

    fn own_all<N: AsRef<str>, V: AsRef<str>>(
        &self,
        cookies: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Vec<SetCookie>, CookieError> {
        let cookies = cookies.into_iter();
        cookies
            .map(|(name, value)| self.own(name.as_ref(), value.as_ref()))
            .collect()
    }

    /// Makes a cookie of a program's own name and value.
    fn own(&self, name: &str, value: &str) -> Result<SetCookie, CookieError> {
        if value.contains(|c: char| c.is_ascii_control()) {
            return Err(CookieError::Value(name.into()));
        }
        let pair = self.options.style.pair(name, value)?;
        let coded = match self.options.style.profile {
            Profile::Rfc6265bis => pair.value,
            // Python's are quoted whatever is sent.
            Profile::Aiohttp => coding::quote(value).as_bytes().into(),
        };
        Ok(SetCookie {
            name: pair.name,
            value: value.as_bytes().into(),
            coded,
            attributes: Attributes::default(),
        })
    }

    /// Stores the cookies of one response, all at once.
    fn put(&self, set_cookies: impl Iterator<Item = SetCookie>, origin: &Origin<'_>) {
        let profile = self.options.style.profile;
        let admitted = set_cookies.filter_map(|set_cookie| {
            let name = set_cookie.name.clone();
            let admitted = admit(set_cookie, origin, profile);
            let refused = |refusal| tell(&name, origin.host.as_str(), refusal);
            admitted.map_err(refused).ok()
        });
        // The lock is taken when no code of the caller is run any more.
        let admitted = admitted.collect();
        store_all(self.index(), admitted, |index, cookie| {
            index.put_from(cookie, origin.secure, origin.now)
        });
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        // No change of the index can panic half way.
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stores cookies by `store`, and unlocks the index before events tell what was refused: who
/// listens to them may ask the jar.
fn store_all(
    mut index: MutexGuard<'_, Index>,
    cookies: Vec<Cookie>,
    store: impl Fn(&mut Index, Cookie) -> Result<(), Refusal>,
) {
    let mut refused = Vec::new();
    for cookie in cookies {
        let (name, domain) = (cookie.name.clone(), cookie.domain.clone());
        if let Err(refusal) = store(&mut index, cookie) {
            refused.push((name, domain, refusal));
        }
    }
    drop(index);
    for (name, domain, refusal) in refused {
        tell(&name, domain.as_ref().map_or("", Domain::as_str), refusal);
    }
}

fn tell(name: &[u8], domain: &str, refusal: Refusal) {
    let name = String::from_utf8_lossy(name);
    tracing::debug!(%name, domain, reason = refusal.reason(), "cookie not stored");
}

impl CookieStore for CookieJar {
    fn update_cookies(
        &self,
        request: &CookieRequest<'_>,
        set_cookie: &mut dyn Iterator<Item = &[u8]>,
    ) {
        self.update_cookies(request, set_cookie);
    }

    fn filter_cookies(&self, request: &CookieRequest<'_>) -> Vec<CookiePair> {
        self.filter_cookies(request)
    }

    fn add(&self, name: &str, value: &str) -> Result<(), CookieError> {
        self.add(name, value)
    }

    fn is_empty(&self) -> bool {
        self.is_empty()
    }

    fn style(&self) -> CookieStyle {
        self.options.style
    }
}

impl fmt::Debug for CookieJar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CookieJar")
            .field("options", &self.options)
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
