//! Jars in files.

mod browser;
mod error;
mod file;
mod json;
mod netscape;
mod parser;
#[cfg(feature = "pickle")]
mod pickle;
#[cfg(not(feature = "pickle"))]
#[path = "no_pickle.rs"]
mod pickle;
mod place;
mod surrogates;
mod sync;
#[cfg(unix)]
#[path = "unix.rs"]
mod system;
#[cfg(not(unix))]
#[path = "no_unix.rs"]
mod system;
mod turn;
mod writer;

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use crate::admit::LAST_SECOND;
use crate::coding;
use crate::cookie::Cookie;
use crate::domain::Domain;

pub use self::error::{CookieFileError, CookieFileProblem};
pub(crate) use self::sync::{Change, Synced};

/// How cookies are written into a file.
///
/// No format has the times at which a cookie was stored and sent; the order in the file is
/// that of their age. [`read_cookies`] reads all of them. Of cookies with the same name,
/// domain, path and scope, of which a jar has one, JSON of aiohttp has the last. No format has
/// cookies of a host whose name begins with a dot.
///
/// ```
/// # use std::time::SystemTime;
/// # use url::Url;
/// use aio_cookies::{CookieFormat, CookieJar, CookieRequest, read_cookies};
///
/// let (url, now) = (Url::parse("https://a.test/")?, SystemTime::now());
/// let jar = CookieJar::new();
/// jar.update_cookies(&CookieRequest::new(&url, now), ["id=7; HttpOnly"]);
///
/// let text = CookieFormat::Netscape.write(&jar.cookies(now));
/// assert!(text.ends_with(b"\n#HttpOnly_a.test\tFALSE\t/\tFALSE\t0\tid\t7\n"));
/// assert_eq!(read_cookies(&text, now)?.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum CookieFormat {
    /// The JSON of Python's aiohttp, 3.14 and later, as it writes it.
    ///
    /// It holds all that a jar has; of the end of a cookie, microseconds. A cookie that
    /// aiohttp cannot have, of octets that are not UTF-8 or with a tab, has them as lone
    /// surrogates, as Python calls them: aiohttp leaves the cookie out. Where cookies differ
    /// in a slash at the end of their path, or in being for one host, aiohttp takes the last.
    /// Cookies of one domain and path stand together: of their age, the order among others is
    /// not held.
    #[default]
    Aiohttp,
    /// The `cookies.txt` of curl, wget, yt-dlp and Python's `http.cookiejar`.
    ///
    /// It has no `SameSite` and no `Partitioned`, and whole seconds. A shared cookie is left
    /// out, and one with a tab or an end of a line in its name, its value or its path. To
    /// curl, what has no name is a name without a value.
    Netscape,
    /// A JSON array, as the browser extensions Cookie-Editor and EditThisCookie export it.
    ///
    /// It has no `Partitioned`, and of `SameSite` what browsers know; of the end of a cookie,
    /// microseconds. A shared cookie is left out. Octets are as in [`Self::Aiohttp`].
    ///
    /// What Puppeteer, Playwright (its whole storage state) and Selenium save is read, too. A
    /// cookie that the browser kept for pages of another site than its own is left out then:
    /// requests here have no pages.
    Browser,
}

impl CookieFormat {
    /// Writes `cookies` as the content of a file; what has ended, too.
    ///
    /// What the format does not hold is left out, and a `tracing` event names the cookie.
    pub fn write(self, cookies: &[Cookie]) -> Vec<u8> {
        let cookies: Vec<&Cookie> = cookies.iter().filter(|one| has_plain_domain(one)).collect();
        match self {
            Self::Aiohttp => json::write(&cookies).into_bytes(),
            Self::Netscape => netscape::write(&cookies),
            Self::Browser => browser::write(&cookies).into_bytes(),
        }
    }
}

/// Reads the content of a file of cookies, in any [`CookieFormat`], which it finds out.
///
/// With feature `pickle`, it reads the files of aiohttp before 3.14, too. What has ended by
/// `now` is left out, and what could not be sent, with a `tracing` event; so is what would
/// be for another domain than it is filed under. A jar takes the rest by
/// [`replace`](crate::CookieJar::replace) or [`merge`](crate::CookieJar::merge). Ends are as
/// the file has them: that servers may have a cookie last 400 days, and no more, is not asked
/// of files.
///
/// # Errors
///
/// When the format is not known, when there are more than 524,288 cookies, and when anything
/// is malformed: which line, and what it is.
pub fn read_cookies(bytes: &[u8], now: SystemTime) -> Result<Vec<Cookie>, CookieFileProblem> {
    read(bytes, now).map(|(_, cookies)| cookies)
}

/// Reads the content of a file; returns which format, of those that are written, holds as much.
fn read(bytes: &[u8], now: SystemTime) -> Result<(CookieFormat, Vec<Cookie>), CookieFileProblem> {
    // As editors on Windows put it there.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let first_line = bytes.split(|&byte| byte == b'\n').next();
    let has_columns = first_line.is_some_and(|line| line.contains(&b'\t'));
    let (format, mut cookies) = match bytes.trim_ascii_start() {
        [] => return Err(CookieFileProblem::UnknownFormat),
        [b'{', ..] => (CookieFormat::Aiohttp, json::read(bytes)?),
        [b'[', ..] => (CookieFormat::Browser, browser::read(bytes)?),
        // The version of a pickle, or in older ones a dict, a mark or a class.
        [0x80 | b'}' | b'(', ..] => (CookieFormat::Aiohttp, pickle::read(bytes, now)?),
        [b'c', ..] if !has_columns => (CookieFormat::Aiohttp, pickle::read(bytes, now)?),
        _ => (CookieFormat::Netscape, netscape::read(bytes)?),
    };
    cookies.retain(|cookie| {
        !cookie.is_expired(now) && can_be_sent(cookie) && has_plain_domain(cookie)
    });
    Ok((format, cookies))
}

/// Tells whether `cookie` would not end the header that it is sent in, or its pair there.
fn can_be_sent(cookie: &Cookie) -> bool {
    let flaw = cookie.flaw();
    if let Some(flaw) = flaw {
        tracing::debug!(name = %cookie.name(), flaw, "cookie of a file left out");
    }
    flaw.is_none()
}

/// Tells whether the domain is one to which a dot in front means that it is not for one host.
fn has_plain_domain(cookie: &Cookie) -> bool {
    let domain = cookie.domain_key();
    let is_plain = !domain.starts_with('.');
    if !is_plain {
        tracing::debug!(name = %cookie.name(), domain, "cookie left out of a file");
    }
    is_plain
}

/// A cookie of a file of which nothing but this is known yet.
fn cookie(name: &[u8], coded: &[u8], domain: Option<Domain>, path: Option<&[u8]>) -> Cookie {
    let path = path.filter(|path| path.starts_with(b"/"));
    let path = path.map_or(Cow::Borrowed("/"), String::from_utf8_lossy);
    Cookie {
        name: name.into(),
        value: coding::plain(coded),
        coded: coded.into(),
        // Nothing is inside an address.
        host_only: domain.as_ref().is_some_and(Domain::is_ip),
        domain,
        path: path.into(),
        expires: None,
        secure: false,
        http_only: false,
        partitioned: false,
        same_site: None,
        created: SystemTime::UNIX_EPOCH,
        stored: SystemTime::UNIX_EPOCH,
        last_access: SystemTime::UNIX_EPOCH,
    }
}

/// Reads octets as a host or a domain; none, if no URL can have such a host. Formats take
/// some of what these would have for the end of the name.
pub(crate) fn domain(octets: &[u8]) -> Option<Domain> {
    let text = std::str::from_utf8(octets).ok()?;
    if text.contains(|c: char| c.is_ascii_control() || " #/<>?@\\^|".contains(c)) {
        return None;
    }
    // A colon is in addresses alone.
    Domain::from_host(text).filter(|domain| domain.is_ip() || !text.contains(':'))
}

/// Seconds of Unix time.
fn seconds(time: SystemTime) -> f64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}

/// The time of so many seconds of Unix time; of times that no one will see, the last.
fn time(seconds: f64) -> SystemTime {
    let since = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(LAST_SECOND);
    let time = SystemTime::UNIX_EPOCH.checked_add(since.min(LAST_SECOND));
    time.unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests;
