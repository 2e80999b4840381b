//! The cookies of a jar by their domain, within its limits.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::time::SystemTime;

use crate::admit::Refusal;
use crate::cookie::Cookie;
use crate::header::{CookiePair, CookieStyle, Profile};
use crate::host::Host;
use crate::path::path_match;

// CKY-26, CKY-27: Firefox's numbers, which aiohttp took.
const MAX_OF_A_DOMAIN: usize = 180;
const QUOTA_OF_A_DOMAIN: usize = 150;
const MAX_IN_ALL: usize = 3300;
const QUOTA_IN_ALL: usize = 3000;

// CKY-38: aiohttp's limits of a request; the header counts with its name. RFC 6265bis has
// none, but who may set cookies for a domain and those above it would fill the header of
// each request to them with megabytes, which no server takes.
const MAX_OF_A_REQUEST: usize = 150;
const MAX_HEADER: usize = 8190 - "Cookie: ".len();

/// Cookies by domain; shared ones are under the empty domain.
#[derive(Default)]
pub(super) struct Index {
    style: CookieStyle,
    domains: HashMap<Box<str>, Vec<Stored>>,
    len: usize,
    /// The last number given out; numbers order cookies by age and by use.
    last_number: u64,
}

struct Stored {
    cookie: Cookie,
    /// By this one cookie is older than another; a cookie that replaces one inherits it.
    number: u64,
    used: u64,
}

/// What cookies must match to be sent.
#[derive(Debug)]
pub(super) struct Query<'a> {
    pub(super) host: Host<'a>,
    pub(super) path: &'a str,
    pub(super) secure: bool,
    pub(super) now: SystemTime,
}

/// A cookie that matches a request, and where it is.
struct Match<'a> {
    domain: &'a str,
    at: usize,
    number: u64,
    path_len: usize,
    pair: CookiePair,
}

impl Index {
    pub(super) fn new(style: CookieStyle) -> Self {
        Self {
            style,
            ..Self::default()
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn clear(&mut self) {
        self.domains.clear();
        self.len = 0;
    }

    /// Stores a cookie of a response; `secure` tells how that came.
    pub(super) fn put_from(
        &mut self,
        cookie: Cookie,
        secure: bool,
        now: SystemTime,
    ) -> Result<(), Refusal> {
        let may_overlay = secure || cookie.secure || self.style.profile == Profile::Aiohttp;
        if !may_overlay && self.overlays_secure(&cookie, now) {
            return Err(Refusal::OverlaysSecure);
        }
        self.put(cookie, now)
    }

    /// Stores `cookie` in the place of the one that it replaces; one that has ended by
    /// `now` only removes that.
    pub(super) fn put(&mut self, cookie: Cookie, now: SystemTime) -> Result<(), Refusal> {
        let used = self.next_number();
        let profile = self.style.profile;
        // A cookie that has ended hands down nothing.
        self.remove_expired_of(cookie.domain_key(), now);
        let of_domain = self.domains.get_mut(cookie.domain_key());
        let mut of_domain = of_domain.into_iter().flatten();
        match of_domain.find(|stored| stored.cookie.is_replaced_by(&cookie, profile)) {
            Some(stored) if cookie.is_expired(now) => {
                stored.cookie.expires = cookie.expires;
                self.remove_expired_of(cookie.domain_key(), now);
                Ok(())
            }
            Some(stored) => {
                let created = stored.cookie.created;
                stored.cookie = cookie;
                stored.cookie.created = created;
                stored.used = used;
                Ok(())
            }
            // CKY-28: what only deletes takes no one's room.
            None if cookie.is_expired(now) => Ok(()),
            None => self.add(cookie, used, now),
        }
    }

    /// Stores a cookie of another jar, unless there is one that was stored or sent later.
    pub(super) fn merge(&mut self, cookie: Cookie, now: SystemTime) {
        if cookie.is_expired(now) {
            return;
        }
        let profile = self.style.profile;
        let of_domain = self.domains.get(cookie.domain_key());
        let mut of_domain = of_domain.into_iter().flatten();
        let own = of_domain.find(|stored| stored.cookie.is_replaced_by(&cookie, profile));
        if own.is_some_and(|own| own.cookie.last_access > cookie.last_access) {
            return;
        }
        if let Err(refusal) = self.put(cookie, now) {
            tracing::debug!(reason = refusal.reason(), "cookie not merged");
        }
    }

    /// Tells whether `cookie` would hide a secure one: RFC 6265bis 5.7, step 16.
    fn overlays_secure(&self, cookie: &Cookie, now: SystemTime) -> bool {
        let overlap = |other: &Cookie| match (other.domain(), cookie.domain()) {
            (Some(other), Some(own)) => other.covers(own) || own.covers(other),
            _ => false,
        };
        self.domains.values().flatten().any(|stored| {
            let other = &stored.cookie;
            other.secure
                && !other.is_expired(now)
                && other.name == cookie.name
                && overlap(other)
                && path_match(&cookie.path, &other.path)
        })
    }

    /// Returns the pairs to send and notes that their cookies were used.
    pub(super) fn filter(&mut self, query: &Query<'_>) -> Vec<CookiePair> {
        let mut matches = Vec::new();
        for domain in query.host.domains().chain([""]) {
            self.remove_expired_of(domain, query.now);
            self.collect(domain, query, &mut matches);
        }
        match self.style.profile {
            Profile::Rfc6265bis => {
                matches.sort_by_key(|found| (Reverse(found.path_len), found.number));
                keep_what_fits(&mut matches);
            }
            Profile::Aiohttp => most_specific(&mut matches),
        }
        let used = self.next_number();
        let mut pairs = Vec::with_capacity(matches.len());
        for found in matches {
            let of_domain = self.domains.get_mut(found.domain);
            if let Some(stored) = of_domain.and_then(|of_domain| of_domain.get_mut(found.at)) {
                stored.used = used;
                stored.cookie.last_access = query.now;
            }
            pairs.push(found.pair);
        }
        pairs
    }

    /// Adds the cookies of `domain` that match to `matches`.
    fn collect<'a>(&self, domain: &'a str, query: &Query<'_>, matches: &mut Vec<Match<'a>>) {
        let profile = self.style.profile;
        let is_host = query.host.as_str() == domain;
        let of_domain = self.domains.get(domain).into_iter().flatten();
        for (at, stored) in of_domain.enumerate() {
            let cookie = &stored.cookie;
            let applies = (is_host || !cookie.host_only)
                && (query.secure || !cookie.secure)
                && cookie.is_for_path(query.path, profile);
            if applies {
                matches.push(Match {
                    domain,
                    at,
                    number: stored.number,
                    path_len: cookie.compared_path(profile).len(),
                    pair: cookie.pair(self.style),
                });
            }
        }
    }

    /// Copies all cookies, the oldest first.
    pub(super) fn cookies(&self) -> Vec<Cookie> {
        let mut all: Vec<&Stored> = self.domains.values().flatten().collect();
        all.sort_unstable_by_key(|stored| stored.number);
        all.into_iter()
            .map(|stored| stored.cookie.clone())
            .collect()
    }

    /// The numbers of the cookies for which `predicate` is true.
    pub(super) fn numbers_where(&self, predicate: &mut dyn FnMut(&Cookie) -> bool) -> HashSet<u64> {
        let all = self.domains.values().flatten();
        all.filter(|stored| predicate(&stored.cookie))
            .map(|stored| stored.number)
            .collect()
    }

    pub(super) fn remove(&mut self, numbers: &HashSet<u64>) {
        self.retain(|stored| !numbers.contains(&stored.number));
    }

    pub(super) fn remove_expired(&mut self, now: SystemTime) {
        self.retain(|stored| !stored.cookie.is_expired(now));
    }

    fn remove_expired_of(&mut self, domain: &str, now: SystemTime) {
        let Some(of_domain) = self.domains.get_mut(domain) else {
            return;
        };
        let before = of_domain.len();
        of_domain.retain(|stored| !stored.cookie.is_expired(now));
        self.len -= before - of_domain.len();
        if of_domain.is_empty() {
            self.domains.remove(domain);
        }
    }

    fn retain(&mut self, keep: impl Fn(&Stored) -> bool) {
        self.domains.retain(|_, of_domain| {
            of_domain.retain(&keep);
            !of_domain.is_empty()
        });
        self.len = self.domains.values().map(Vec::len).sum();
    }

    fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// Adds a cookie that replaces none, if there is room.
    fn add(&mut self, cookie: Cookie, number: u64, now: SystemTime) -> Result<(), Refusal> {
        let domain = cookie.domain_key();
        // Of the domain itself, those that have ended are gone already.
        if self.len_of(domain) >= MAX_OF_A_DOMAIN {
            if !self.make_room_in_domain(domain, cookie.secure) {
                return Err(Refusal::FullDomain);
            }
        } else if self.len >= MAX_IN_ALL {
            self.remove_expired(now);
            let all = self.domains.values().flatten();
            let surplus = longest_unused(all, self.len.saturating_sub(QUOTA_IN_ALL));
            self.remove(&surplus);
        }
        let of_domain = self.domains.entry(cookie.domain_key().into()).or_default();
        of_domain.push(Stored {
            cookie,
            number,
            used: number,
        });
        self.len += 1;
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn domain_count(&self) -> usize {
        self.domains.len()
    }

    fn len_of(&self, domain: &str) -> usize {
        self.domains.get(domain).map_or(0, Vec::len)
    }

    /// Removes cookies of a domain that was full, so that it ends at its quota with a new
    /// one; false if it still is full of secure ones, and the new one is not.
    fn make_room_in_domain(&mut self, domain: &str, secure: bool) -> bool {
        let of_domain = self.domains.get(domain).map_or(&[][..], Vec::as_slice);
        let surplus = (of_domain.len() + 1).saturating_sub(QUOTA_OF_A_DOMAIN);
        let insecure = of_domain.iter().filter(|stored| !stored.cookie.secure);
        let mut gone = longest_unused(insecure, surplus);
        if gone.is_empty() && of_domain.len() >= MAX_OF_A_DOMAIN {
            if !secure {
                return false;
            }
            gone = longest_unused(of_domain.iter(), surplus);
        }
        self.remove(&gone);
        true
    }
}

/// The numbers of the `count` cookies that were used the longest ago.
fn longest_unused<'a>(all: impl Iterator<Item = &'a Stored>, count: usize) -> HashSet<u64> {
    let mut by_use: Vec<(u64, u64)> = all.map(|stored| (stored.used, stored.number)).collect();
    by_use.sort_unstable();
    by_use.truncate(count);
    by_use.into_iter().map(|(_, number)| number).collect()
}

/// Keeps no more than a request may carry, the first ones first: CKY-38.
fn keep_what_fits(matches: &mut Vec<Match<'_>>) {
    let (mut count, mut length) = (0, 0);
    matches.retain(|found| {
        let separator = if count == 0 { 0 } else { "; ".len() };
        let with_it = length + separator + found.pair.written_len();
        let fits = count < MAX_OF_A_REQUEST && with_it <= MAX_HEADER;
        if fits {
            (count, length) = (count + 1, with_it);
        }
        fits
    });
}

/// Keeps one cookie of each name, and of these what fits into a request; the most specific
/// ones, in whose order they come: CKY-31 to 33 and CKY-38.
fn most_specific(matches: &mut Vec<Match<'_>>) {
    matches.sort_by_key(|found| {
        (
            Reverse(found.domain.len()),
            Reverse(found.path_len),
            Reverse(found.number),
        )
    });
    let mut names = HashSet::new();
    matches.retain(|found| names.insert(found.pair.name.clone()));
    keep_what_fits(matches);
    matches.reverse();
}
