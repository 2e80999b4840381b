//! The cookies of a jar by their domain, within its limits.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::time::SystemTime;

use crate::admit::Refusal;
use crate::cookie::Cookie;
use crate::domain::Domain;
use crate::header::{CookiePair, CookieStyle, Profile};
use crate::host::Host;
use crate::options::CookieLimits;
use crate::path::path_match;
use crate::persist::Change;
use crate::site::Reach;

// CKY-38: aiohttp's limits of a request; the header counts with its name. RFC 6265bis has
// none, but who may set cookies for a domain and those above it would fill the header of
// each request to them with megabytes, which no server takes.
const MAX_OF_A_REQUEST: usize = 150;
const MAX_HEADER: usize = 8190 - "Cookie: ".len();

/// Cookies by domain; shared ones are under the empty domain.
#[derive(Default)]
pub(super) struct Index {
    style: CookieStyle,
    limits: CookieLimits,
    domains: HashMap<Box<str>, OfDomain>,
    /// The keys of `domains` by their site.
    sites: HashMap<Box<str>, Vec<Box<str>>>,
    len: usize,
    /// The last number given out; numbers order cookies by use, and those of one age.
    last_number: u64,
}

/// The cookies of a domain; there are some.
struct OfDomain {
    site: Box<str>,
    cookies: Vec<Stored>,
}

struct Stored {
    cookie: Cookie,
    /// A cookie that replaces one inherits it.
    number: u64,
    used: u64,
}

/// Orders cookies, older ones first: by their creation, then as they came.
type Age = (SystemTime, u64);

impl Stored {
    fn age(&self) -> Age {
        (self.cookie.created, self.number)
    }
}

/// What cookies must match to be sent.
#[derive(Debug)]
pub(super) struct Query<'a> {
    pub(super) host: Host<'a>,
    /// Whether the host has cookies of its own, not just shared ones.
    pub(super) has_own: bool,
    pub(super) path: &'a str,
    pub(super) secure: bool,
    pub(super) reach: Reach,
    pub(super) now: SystemTime,
}

/// A cookie that matches a request, and where it is.
struct Match<'a> {
    domain: &'a str,
    at: usize,
    age: Age,
    path_len: usize,
    pair: CookiePair,
}

impl Index {
    pub(super) fn new(style: CookieStyle, limits: CookieLimits) -> Self {
        Self {
            style,
            limits,
            ..Self::default()
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn clear(&mut self) {
        self.domains.clear();
        self.sites.clear();
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
        // A cookie that has ended hands down nothing.
        self.remove_expired_of(cookie.domain_key(), now);
        match self.replaced_by(&cookie) {
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

    /// Stores a cookie of another jar, unless there is one that was stored later.
    pub(super) fn merge(&mut self, cookie: Cookie, now: SystemTime) -> Result<(), Refusal> {
        if cookie.is_expired(now) {
            return Ok(());
        }
        let used = self.next_number();
        let cookie = cookie.in_profile(self.style.profile);
        self.remove_expired_of(cookie.domain_key(), now);
        let Some(stored) = self.replaced_by(&cookie) else {
            return self.add(cookie, used, now);
        };
        let own = &mut stored.cookie;
        let created = [own.created, cookie.created].into_iter();
        let known = created.filter(|time| *time > SystemTime::UNIX_EPOCH).min();
        let last_access = own.last_access.max(cookie.last_access);
        if own.stored <= cookie.stored {
            *own = cookie;
            stored.used = used;
        }
        own.created = known.unwrap_or(SystemTime::UNIX_EPOCH);
        own.last_access = last_access;
        Ok(())
    }

    /// Finds the cookie that `cookie` takes the place of.
    fn replaced_by(&mut self, cookie: &Cookie) -> Option<&mut Stored> {
        let profile = self.style.profile;
        let found = self.domains.get_mut(cookie.domain_key())?;
        let mut stored = found.cookies.iter_mut();
        stored.find(|stored| stored.cookie.is_replaced_by(cookie, profile))
    }

    /// Stores a cookie of another jar in the place of the one that was seen there, or in its own
    /// if there is room; returns it, if there is none.
    pub(super) fn change(&mut self, change: Change, now: SystemTime) -> Option<Cookie> {
        let Change { seen, cookie } = change;
        let profile = self.style.profile;
        let mut stored = self.of_domain(cookie.domain_key()).iter();
        let own = stored.find(|stored| stored.cookie.is_replaced_by(&cookie, profile));
        let is_as_seen = match (own, &seen) {
            (Some(own), Some(seen)) => own.cookie.is_same_but_for_use(seen),
            (own, seen) => own.is_none() && seen.is_none(),
        };
        if !is_as_seen {
            return None;
        }
        let is_full = own.is_none() && self.is_full_for(&cookie);
        if is_full || self.put(cookie.clone(), now).is_err() {
            return Some(cookie);
        }
        None
    }

    fn is_full_for(&self, cookie: &Cookie) -> bool {
        let of_site = self.of_site(self.site(cookie)).count();
        of_site >= self.limits.of_a_site || self.len >= self.limits.in_all
    }

    /// Tells whether `cookie` would hide a secure one: RFC 6265bis 5.7, step 16.
    ///
    /// Only cookies of its own site are looked at: others are for other hosts, but for those
    /// of a whole public suffix, which a jar has that does not use the list.
    fn overlays_secure(&self, cookie: &Cookie, now: SystemTime) -> bool {
        let overlap = |other: &Cookie| match (other.domain(), cookie.domain()) {
            (Some(other), Some(own)) => other.covers(own) || own.covers(other),
            _ => false,
        };
        self.of_site(self.site(cookie)).any(|stored| {
            let other = &stored.cookie;
            other.secure
                && !other.is_expired(now)
                && other.name == cookie.name
                && overlap(other)
                && path_match(&cookie.path, &other.path)
        })
    }

    /// Returns what the limit of a site counts `cookie` under.
    fn site<'a>(&self, cookie: &'a Cookie) -> &'a str {
        match self.style.profile {
            Profile::Rfc6265bis => cookie.domain().map_or("", Domain::site),
            // CKY-26: aiohttp counts each host for itself.
            Profile::Aiohttp => cookie.domain_key(),
        }
    }

    fn all(&self) -> impl Iterator<Item = &Stored> {
        self.domains.values().flat_map(|found| &found.cookies)
    }

    fn of_site(&self, site: &str) -> impl Iterator<Item = &Stored> {
        let domains = self.sites.get(site).into_iter().flatten();
        domains.flat_map(|domain| self.of_domain(domain))
    }

    fn of_domain(&self, domain: &str) -> &[Stored] {
        self.domains
            .get(domain)
            .map_or(&[], |found| &*found.cookies)
    }

    /// Returns the pairs to send and notes that their cookies were used.
    pub(super) fn filter(&mut self, query: &Query<'_>) -> Vec<CookiePair> {
        let mut matches = Vec::new();
        let own = query.host.domains().filter(|_| query.has_own);
        for domain in own.chain([""]) {
            // This moves none that was collected: of their domains, all that had ended are gone.
            self.remove_expired_of(domain, query.now);
            self.collect(domain, query, &mut matches);
        }
        match self.style.profile {
            Profile::Rfc6265bis => {
                matches.sort_by_key(|found| (Reverse(found.path_len), found.age));
                keep_what_fits(&mut matches);
            }
            Profile::Aiohttp => most_specific(&mut matches),
        }
        let used = self.next_number();
        let mut pairs = Vec::with_capacity(matches.len());
        for found in matches {
            let of_domain = self.domains.get_mut(found.domain);
            if let Some(stored) = of_domain.and_then(|found_in| found_in.cookies.get_mut(found.at))
            {
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
        for (at, stored) in self.of_domain(domain).iter().enumerate() {
            let cookie = &stored.cookie;
            let applies = (is_host || !cookie.host_only)
                && (query.secure || !cookie.secure)
                && query.reach.may_send(cookie)
                && cookie.is_for_path(query.path, profile);
            if applies {
                matches.push(Match {
                    domain,
                    at,
                    age: stored.age(),
                    path_len: cookie.compared_path(profile).len(),
                    pair: cookie.pair(self.style),
                });
            }
        }
    }

    /// Returns the cookies of a domain that have this name and path.
    pub(super) fn named(
        &self,
        name: &str,
        domain: &str,
        path: &str,
    ) -> impl Iterator<Item = &Cookie> {
        let cookies = self.of_domain(domain).iter().map(|stored| &stored.cookie);
        cookies.filter(move |cookie| {
            *cookie.name == *name.as_bytes() && cookie.has_path(path, self.style.profile)
        })
    }

    /// Copies all cookies, the oldest first.
    pub(super) fn cookies(&self) -> Vec<Cookie> {
        let mut all: Vec<&Stored> = self.all().collect();
        all.sort_unstable_by_key(|stored| stored.age());
        all.into_iter()
            .map(|stored| stored.cookie.clone())
            .collect()
    }

    /// The numbers of the cookies for which `predicate` is true.
    pub(super) fn numbers_where(&self, predicate: &mut dyn FnMut(&Cookie) -> bool) -> HashSet<u64> {
        self.all()
            .filter(|stored| predicate(&stored.cookie))
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
        let Some(found) = self.domains.get(domain) else {
            return;
        };
        let is_expired = |stored: &Stored| stored.cookie.is_expired(now);
        if found.cookies.iter().any(is_expired) {
            let site = found.site.clone();
            self.retain_of_site(&site, |stored| !is_expired(stored));
        }
    }

    fn retain(&mut self, keep: impl Fn(&Stored) -> bool) {
        self.domains.retain(|_, found| {
            found.cookies.retain(&keep);
            !found.cookies.is_empty()
        });
        self.sites.retain(|_, domains| {
            domains.retain(|domain| self.domains.contains_key(domain));
            !domains.is_empty()
        });
        self.len = self.all().count();
    }

    fn retain_of_site(&mut self, site: &str, keep: impl Fn(&Stored) -> bool) {
        let Some(domains) = self.sites.get_mut(site) else {
            return;
        };
        domains.retain(|domain| {
            let Some(found) = self.domains.get_mut(domain) else {
                return false;
            };
            let before = found.cookies.len();
            found.cookies.retain(&keep);
            self.len -= before - found.cookies.len();
            if found.cookies.is_empty() {
                self.domains.remove(domain);
                return false;
            }
            true
        });
        if domains.is_empty() {
            self.sites.remove(site);
        }
    }

    fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// Adds a cookie that replaces none, if there is room.
    fn add(&mut self, cookie: Cookie, number: u64, now: SystemTime) -> Result<(), Refusal> {
        if self.limits.of_a_site == 0 || self.limits.in_all == 0 {
            return Err(Refusal::NoRoom);
        }
        let site = self.site(&cookie);
        if self.of_site(site).count() >= self.limits.of_a_site {
            if !self.make_room_in_site(site, cookie.secure, now) {
                return Err(Refusal::FullSite);
            }
        } else if self.len >= self.limits.in_all {
            self.make_room(now);
        }
        let domain = cookie.domain_key();
        if !self.domains.contains_key(domain) {
            let found = OfDomain {
                site: site.into(),
                cookies: Vec::new(),
            };
            self.domains.insert(domain.into(), found);
            let domains = self.sites.entry(site.into()).or_default();
            domains.push(domain.into());
        }
        if let Some(found) = self.domains.get_mut(domain) {
            self.len += 1;
            found.cookies.push(Stored {
                cookie,
                number,
                used: number,
            });
        }
        Ok(())
    }

    /// Counts the domains, having looked whether all parts say the same.
    #[cfg(test)]
    pub(super) fn domain_count(&self) -> usize {
        let mut by_site = 0;
        for (site, domains) in &self.sites {
            by_site += domains.len();
            assert!(!domains.is_empty(), "{site} is empty");
            assert!(
                domains
                    .iter()
                    .all(|domain| self.domains[domain].site == *site)
            );
            assert!(
                self.of_site(site).count() <= self.limits.of_a_site,
                "{site}"
            );
        }
        assert_eq!(by_site, self.domains.len());
        assert!(self.domains.values().all(|found| !found.cookies.is_empty()));
        assert_eq!(self.len, self.all().count());
        assert!(self.len <= self.limits.in_all);
        self.domains.len()
    }

    /// Removes cookies of a full site, so that it ends at its quota with a new one; false if
    /// it still is full of secure ones, and the new one is not.
    fn make_room_in_site(&mut self, site: &str, secure: bool, now: SystemTime) -> bool {
        self.retain_of_site(site, |stored| !stored.cookie.is_expired(now));
        let count = self.of_site(site).count();
        let surplus = (count + 1).saturating_sub(self.limits.quota_of_a_site());
        let insecure = self.of_site(site).filter(|stored| !stored.cookie.secure);
        let mut gone = longest_unused(insecure, surplus);
        if gone.is_empty() && count >= self.limits.of_a_site {
            if !secure {
                return false;
            }
            gone = longest_unused(self.of_site(site), surplus);
        }
        self.retain_of_site(site, |stored| !gone.contains(&stored.number));
        true
    }

    /// Removes cookies of a full jar down to its quota.
    fn make_room(&mut self, now: SystemTime) {
        self.remove_expired(now);
        let surplus = self.len.saturating_sub(self.limits.quota_in_all());
        let gone = longest_unused(self.all(), surplus);
        self.remove(&gone);
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
            Reverse(found.age),
        )
    });
    let mut names = HashSet::new();
    matches.retain(|found| names.insert(found.pair.name.clone()));
    keep_what_fits(matches);
    matches.reverse();
}
