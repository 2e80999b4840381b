//! The addresses of names, kept for a while; aiohttp's `_DNSCacheTable`.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Resolved;

/// What was found for names, for as long as it holds.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    entries: HashMap<Name, Entry>,
    /// The names by their last use, the longest unused in front.
    by_use: BTreeMap<u64, Name>,
    uses: u64,
}

/// What is asked of a resolver, and what its answers are kept by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Name {
    pub(crate) host: Arc<str>,
    pub(crate) port: u16,
}

impl Name {
    pub(crate) fn new(host: &str, port: u16) -> Self {
        let host = host.into();
        Self { host, port }
    }
}

/// How long answers are kept, and how many.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CacheOptions {
    /// `None` is for ever.
    pub(crate) ttl: Option<Duration>,
    /// Whether the TTL of the answer goes before, if it has one.
    pub(crate) honours_ttl: bool,
    /// How long addresses that hold no more are given while new ones are looked for.
    pub(crate) serve_stale: Option<Duration>,
    pub(crate) max_size: usize,
}

impl Default for CacheOptions {
    /// aiohttp's.
    fn default() -> Self {
        Self {
            ttl: Some(Duration::from_secs(10)),
            honours_ttl: false,
            serve_stale: None,
            max_size: 1000,
        }
    }
}

/// What is known of a name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Fresh(Vec<SocketAddr>),
    /// To be used, and looked for anew.
    Stale(Vec<SocketAddr>),
    Nothing,
}

/// A name that a connector has addresses of.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CachedHost {
    /// The name, in lower case and in IDNA form.
    pub host: Box<str>,
    /// The port that it was looked up for.
    pub port: u16,
    /// Its addresses, the one to be tried next in front.
    pub addresses: Vec<SocketAddr>,
    /// How long they hold; `None` is for ever. Zero is for addresses that are given only
    /// while new ones are looked for.
    pub holds_for: Option<Duration>,
}

#[derive(Debug)]
struct Entry {
    addresses: Arc<[SocketAddr]>,
    /// `None` is for ever.
    fresh_until: Option<Instant>,
    /// `None` is for ever.
    served_until: Option<Instant>,
    /// How often they were given.
    turn: usize,
    last_use: u64,
}

impl Cache {
    /// Looks a name up, and passes the first of its addresses on to the end for whoever
    /// comes next (CON-47).
    pub(crate) fn look(&mut self, name: &Name, now: Instant) -> Found {
        let Some(entry) = self.entries.get_mut(name) else {
            return Found::Nothing;
        };
        if !holds(entry.served_until, now) {
            self.forget(name);
            return Found::Nothing;
        }
        let addresses = rotated(&entry.addresses, entry.turn);
        entry.turn = entry.turn.wrapping_add(1);
        let is_fresh = holds(entry.fresh_until, now);
        self.uses += 1;
        let before = std::mem::replace(&mut entry.last_use, self.uses);
        self.by_use.remove(&before);
        self.by_use.insert(self.uses, name.clone());
        if is_fresh {
            Found::Fresh(addresses)
        } else {
            Found::Stale(addresses)
        }
    }

    /// Keeps what was found for a name and given `turn` times already; what was not used
    /// for the longest time goes when there is too much (CON-48).
    pub(crate) fn store(
        &mut self,
        name: Name,
        found: &Resolved,
        turn: usize,
        options: &CacheOptions,
        now: Instant,
    ) {
        self.forget(&name);
        let ttl = match found.ttl {
            Some(ttl) if options.honours_ttl => Some(ttl),
            _ => options.ttl,
        };
        let fresh_until = ttl.and_then(|ttl| now.checked_add(ttl));
        let stale = options.serve_stale.unwrap_or_default();
        self.uses += 1;
        self.by_use.insert(self.uses, name.clone());
        let entry = Entry {
            addresses: found.addresses.as_slice().into(),
            fresh_until,
            served_until: fresh_until.and_then(|until| until.checked_add(stale)),
            turn,
            last_use: self.uses,
        };
        self.entries.insert(name, entry);
        while self.entries.len() > options.max_size
            && let Some((_, oldest)) = self.by_use.pop_first()
        {
            self.entries.remove(&oldest);
        }
    }

    /// Forgets one name.
    pub(crate) fn forget(&mut self, name: &Name) {
        if let Some(entry) = self.entries.remove(name) {
            self.by_use.remove(&entry.last_use);
        }
    }

    /// Forgets all names.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.by_use.clear();
    }

    /// Lists what would be given now, the longest unused in front.
    pub(crate) fn hosts(&self, now: Instant) -> Vec<CachedHost> {
        let entries = self.by_use.values().filter_map(|name| {
            let entry = self.entries.get(name)?;
            holds(entry.served_until, now).then(|| CachedHost {
                host: name.host.as_ref().into(),
                port: name.port,
                addresses: rotated(&entry.addresses, entry.turn),
                holds_for: entry
                    .fresh_until
                    .map(|until| until.saturating_duration_since(now)),
            })
        });
        entries.collect()
    }
}

/// Tells whether what holds until then does so now: to the very end (CON-46).
fn holds(until: Option<Instant>, now: Instant) -> bool {
    until.is_none_or(|until| now <= until)
}

/// Gives `addresses` to the one whose turn it is, each beginning with another one.
pub(crate) fn rotated(addresses: &[SocketAddr], turn: usize) -> Vec<SocketAddr> {
    let mut addresses = addresses.to_vec();
    let first = turn.checked_rem(addresses.len()).unwrap_or(0);
    addresses.rotate_left(first);
    addresses
}

#[cfg(test)]
#[path = "cache/tests.rs"]
mod tests;
