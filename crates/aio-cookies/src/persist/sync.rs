//! Merges a jar with a file that another process has changed meanwhile.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::CookieFormat;
use crate::cookie::Cookie;
use crate::header::Profile;

/// A jar is saved in one or two; each takes as much memory as the jar.
const MAX_FILES: usize = 8;

/// The files that a jar was loaded from or saved in, the last one first, and what of the jar
/// was in them then, in which format.
#[derive(Default)]
pub(crate) struct Synced(VecDeque<(PathBuf, CookieFormat, Vec<Cookie>)>);

impl Synced {
    /// What a file and the jar had in common, if that is known.
    pub(super) fn with(&self, file: &Path) -> Option<(CookieFormat, Vec<Cookie>)> {
        let mut files = self.0.iter();
        let (_, format, cookies) = files.find(|(other, ..)| other == file)?;
        Some((*format, cookies.clone()))
    }

    pub(super) fn remember(&mut self, file: PathBuf, format: CookieFormat, cookies: Vec<Cookie>) {
        self.0.retain(|(other, ..)| *other != file);
        self.0.push_front((file, format, cookies));
        self.0.truncate(MAX_FILES);
    }
}

/// Where a cookie is: two that have the same replace each other.
type Key<'a> = (&'a [u8], &'a str, &'a str, bool);

/// What another jar did to a cookie.
pub(crate) struct Change {
    /// What this jar held in its place.
    pub(crate) seen: Option<Cookie>,
    /// What it is now; it has ended, if it was removed.
    pub(crate) cookie: Cookie,
}

/// What a jar and a file hold, all as it comes back from a file.
#[derive(Clone, Copy)]
pub(super) struct Versions<'a> {
    /// What both held when the jar was last loaded or saved.
    pub(super) base: &'a [Cookie],
    /// What the jar holds.
    pub(super) ours: &'a [Cookie],
    /// What the file holds.
    pub(super) theirs: &'a [Cookie],
}

impl Versions<'_> {
    /// Returns what `jar`, which holds `ours`, must take to have what both did. Where both did
    /// something to a cookie, the jar's own counts.
    pub(super) fn changes(self, jar: &[Cookie], profile: Profile) -> Vec<Change> {
        let [base, ours, theirs, jar] =
            [self.base, self.ours, self.theirs, jar].map(|all| by_key(all, profile));
        // What the jar itself did nothing to, and the file is of another mind about.
        let is_changed = |cookie: &&Cookie| {
            let key = key(cookie, profile);
            ours.get(&key) == base.get(&key) && theirs.get(&key) != base.get(&key)
        };
        let is_gone = |cookie: &&Cookie| !theirs.contains_key(&key(cookie, profile));
        let gone = self.base.iter().filter(is_gone).filter(is_changed);
        let new = self.theirs.iter().filter(is_changed);
        let gone = gone.map(|cookie| Cookie {
            expires: Some(SystemTime::UNIX_EPOCH),
            ..cookie.clone()
        });
        let changed = gone.chain(new.cloned()).map(|cookie| Change {
            seen: jar.get(&key(&cookie, profile)).map(|&own| own.clone()),
            cookie: cookie.in_profile(profile),
        });
        changed.collect()
    }
}

/// Returns those of `cookies` that are in `others` too, in whatever version, and the rest.
pub(super) fn common(
    cookies: Vec<Cookie>,
    others: &[Cookie],
    profile: Profile,
) -> (Vec<Cookie>, Vec<Cookie>) {
    let others = by_key(others, profile);
    let is_there = |cookie: &Cookie| others.contains_key(&key(cookie, profile));
    cookies.into_iter().partition(is_there)
}

fn by_key(cookies: &[Cookie], profile: Profile) -> HashMap<Key<'_>, &Cookie> {
    let entries = cookies.iter().map(|cookie| (key(cookie, profile), cookie));
    entries.collect()
}

/// As [`Cookie::is_replaced_by`] has it.
fn key(cookie: &Cookie, profile: Profile) -> Key<'_> {
    let host_only = profile == Profile::Rfc6265bis && cookie.host_only;
    let path = cookie.compared_path(profile);
    (&cookie.name, cookie.domain_key(), path, host_only)
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;
    use crate::{CookieJar, CookieJarOptions, CookieLimits, CookieRequest};

    const GONE: &str = "a=; Max-Age=0";

    fn site() -> Url {
        Url::parse("https://a.test/").expect("a URL")
    }

    fn set(jar: &CookieJar, fields: &[&str]) {
        let now = SystemTime::now();
        jar.update_cookies(&CookieRequest::new(&site(), now), fields);
    }

    fn sent(jar: &CookieJar) -> String {
        let request = site();
        let header = jar.cookie_header(&CookieRequest::new(&request, SystemTime::now()));
        header.unwrap_or_default()
    }

    fn jar(limit: usize, fields: &[&str]) -> CookieJar {
        let jar = CookieJar::with_options(CookieJarOptions {
            limits: CookieLimits {
                of_a_site: limit,
                ..CookieLimits::default()
            },
            ..CookieJarOptions::default()
        });
        set(&jar, fields);
        jar
    }

    /// A jar that had `before` gets `meanwhile`, as it takes what another made of that.
    #[track_caller]
    fn check(before: &[&str], theirs: &[&str], meanwhile: &[&str], want: &str) {
        let (now, profile) = (SystemTime::now(), Profile::Rfc6265bis);
        let [ours, base] = [jar(180, before), jar(180, before)];
        set(&base, theirs);
        let (seen, theirs) = (ours.cookies(now), base.cookies(now));
        let versions = Versions {
            base: &seen,
            ours: &seen,
            theirs: &theirs,
        };
        let changes = versions.changes(&seen, profile);
        set(&ours, meanwhile);
        assert!(ours.change(changes, now).is_empty());
        assert_eq!(sent(&ours), want);
    }

    #[test]
    fn what_a_jar_did_meanwhile_counts() {
        check(&["a=1"], &["a=2"], &[], "a=2");
        check(&["a=1"], &[GONE], &[], "");
        check(&[], &["a=2"], &[], "a=2");
        check(&["a=1"], &["a=2"], &["a=3"], "a=3");
        check(&["a=1"], &["a=2"], &[GONE], "");
        check(&["a=1"], &[GONE], &["a=3"], "a=3");
        check(&["a=1"], &[GONE], &[GONE], "");
        check(&[], &["a=2"], &["a=3"], "a=3");
        check(&["a=1"], &["a=2"], &["b=1"], "a=2; b=1");
    }

    #[test]
    fn a_cookie_that_was_only_sent_meanwhile_is_changed() {
        let ours = jar(180, &["a=1"]);
        let now = SystemTime::now();
        let seen = ours.cookies(now).pop();
        sent(&ours);
        let cookie = jar(180, &["a=2"]).cookies(now).pop().expect("it was set");
        assert!(ours.change(vec![Change { seen, cookie }], now).is_empty());
        assert_eq!(sent(&ours), "a=2");
    }

    #[test]
    fn a_full_jar_takes_no_more_and_loses_none() {
        let ours = jar(2, &["a=1", "b=1"]);
        let now = SystemTime::now();
        let theirs = jar(2, &["c=1"]).cookies(now);
        let added = theirs.iter().map(|cookie| Change {
            seen: None,
            cookie: cookie.clone(),
        });
        assert_eq!(ours.change(added.collect(), now), theirs);
        assert_eq!(sent(&ours), "a=1; b=1");
    }

    #[test]
    fn of_many_files_the_last_ones_are_remembered() {
        let mut synced = Synced::default();
        let cookies = jar(180, &["a=1"]).cookies(SystemTime::now());
        let mut remember = |numbers: &[usize]| {
            for number in numbers {
                let format = CookieFormat::Netscape;
                synced.remember(number.to_string().into(), format, cookies.clone());
            }
            synced.0.len()
        };
        assert_eq!(remember(&[0, 1, 0]), 2);
        assert_eq!(remember(&[2, 3, 4, 5, 6, 7, 8]), MAX_FILES);
        assert_eq!(synced.with(Path::new("1")), None);
        let known = Some((CookieFormat::Netscape, cookies));
        assert_eq!(synced.with(Path::new("0")), known);
    }
}
