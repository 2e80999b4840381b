//! Idle connections, in the order in which they were released.

use std::time::Instant;

use slab::Slab;

use crate::stats::Eviction;

/// The idle connections of all origins.
#[derive(Debug)]
pub(crate) struct Idles<C> {
    entries: Slab<Entry<C>>,
    oldest: Option<usize>,
    newest: Option<usize>,
}

/// An idle connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Idle<C> {
    pub(crate) connection: C,
    /// The number of its origin.
    pub(crate) origin: usize,
    pub(crate) keep: Keep,
}

/// For how long a connection may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Keep {
    pub(crate) until: Option<Instant>,
    /// What it is closed for then.
    pub(crate) then: Eviction,
}

#[derive(Debug)]
struct Entry<C> {
    idle: Idle<C>,
    older: Option<usize>,
    newer: Option<usize>,
}

impl<C> Default for Idles<C> {
    fn default() -> Self {
        Self {
            entries: Slab::new(),
            oldest: None,
            newest: None,
        }
    }
}

impl<C> Idles<C> {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Adds the one released last; returns its number.
    pub(crate) fn push(&mut self, idle: Idle<C>) -> usize {
        let older = self.newest;
        let newest = self.entries.insert(Entry {
            idle,
            older,
            newer: None,
        });
        self.newest = Some(newest);
        match older.and_then(|older| self.entries.get_mut(older)) {
            Some(older) => older.newer = Some(newest),
            None => self.oldest = Some(newest),
        }
        newest
    }

    pub(crate) fn remove(&mut self, number: usize) -> Option<Idle<C>> {
        let Entry { idle, older, newer } = self.entries.try_remove(number)?;
        match older.and_then(|older| self.entries.get_mut(older)) {
            Some(older) => older.newer = newer,
            None => self.oldest = newer,
        }
        match newer.and_then(|newer| self.entries.get_mut(newer)) {
            Some(newer) => newer.older = older,
            None => self.newest = older,
        }
        Some(idle)
    }

    /// Returns the number of the one released longest ago.
    pub(crate) fn oldest(&self) -> Option<usize> {
        self.oldest
    }

    /// Returns the numbers of some that are kept too long, and what they are closed for.
    pub(crate) fn overdue(&self, now: Instant, at_most: usize) -> Vec<(usize, Eviction)> {
        let overdue = self.entries.iter().filter(|(_, entry)| {
            let until = entry.idle.keep.until;
            until.is_some_and(|until| until < now)
        });
        overdue
            .map(|(number, entry)| (number, entry.idle.keep.then))
            .take(at_most)
            .collect()
    }

    /// Returns when the first of them is kept too long.
    pub(crate) fn next_overdue(&self) -> Option<Instant> {
        self.entries
            .iter()
            .filter_map(|(_, entry)| entry.idle.keep.until)
            .min()
    }

    /// Takes all out.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Idle<C>> {
        (self.oldest, self.newest) = (None, None);
        self.entries.drain().map(|entry| entry.idle)
    }
}
