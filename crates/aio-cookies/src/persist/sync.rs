//! Merges a jar with a file that another process has changed meanwhile.

use std::collections::HashMap;
use std::time::SystemTime;

use crate::cookie::Cookie;
use crate::header::Profile;

/// Where a cookie is: two that have the same replace each other.
type Key<'a> = (&'a [u8], &'a str, &'a str, bool);

/// What a jar and a file hold.
#[derive(Clone, Copy)]
pub(super) struct Versions<'a> {
    /// What both held when the jar was last loaded or saved.
    pub(super) base: &'a [Cookie],
    /// What the jar holds, as it comes back from a file.
    pub(super) ours: &'a [Cookie],
    /// What the file holds.
    pub(super) theirs: &'a [Cookie],
}

impl Versions<'_> {
    /// Returns what a jar must take to have what both did: cookies of the file, and its own
    /// that the file has no more, as ones that have ended. Where both did something to a
    /// cookie, the jar's own counts.
    pub(super) fn changes(self, profile: Profile) -> Vec<Cookie> {
        let [base, ours, theirs] =
            [self.base, self.ours, self.theirs].map(|all| by_key(all, profile));
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
        gone.chain(new.cloned()).collect()
    }
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
