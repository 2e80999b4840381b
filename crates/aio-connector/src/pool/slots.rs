//! Who gets which connection, decided without a socket, a clock or a task.

use std::collections::{BTreeMap, VecDeque};
use std::hash::Hash;
use std::task::Waker;
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;
use indexmap::{Equivalent, IndexMap};
use slab::Slab;

use super::bounds::{Bounds, ReuseOrder};
use super::effects::{Effects, Grant, Take};
use super::idle::{Idle, Idles, Keep};
use crate::stats::{Eviction, KeyStats, Stats};

/// How much longer than the first waiter of its own origin another must have waited for a
/// connection to be closed for it: long enough that a busy origin keeps its connections,
/// short enough that nobody notices (DESIGN: the fair pool).
const PATIENCE: Duration = Duration::from_millis(50);

/// How often the reaper looks at most: many connections may end one after the other.
const REAPER_PAUSE: Duration = Duration::from_millis(100);

/// How many connections the reaper closes in one go.
const REAPED_AT_ONCE: usize = 64;

/// The connections of a pool, idle, in use and waited for, by origin.
///
/// An open connection holds a slot, idle or not. While anyone waits whom a free slot would
/// help, no slot is free and no connection idle. `K` tells origins apart, `C` is an idle
/// connection. Nothing is woken or dropped in here: that is carried out in [`Effects`],
/// so that a caller can do it when its lock is free.
#[derive(Debug)]
pub(crate) struct Slots<K, C> {
    bounds: Bounds,
    numbers: IndexMap<K, usize, RandomState>,
    origins: Slab<Origin<K>>,
    idles: Idles<C>,
    tickets: Slab<Ticket<C>>,
    /// Origins with waiters that a free slot would help, by the arrival of their first.
    helped: BTreeMap<u64, usize>,
    arrivals: u64,
    stats: Stats,
    /// When the reaper looks next.
    reap_at: Option<Instant>,
    /// Who waits for the last connection to be closed.
    emptied: Vec<Waker>,
    closed: bool,
}

#[derive(Debug)]
struct Origin<K> {
    key: K,
    open: usize,
    dialling: usize,
    /// Numbers of idle connections, the one released longest ago first.
    idle: VecDeque<usize>,
    /// Arrivals and numbers of tickets, the longest waiter first.
    waiters: VecDeque<(u64, usize)>,
    /// Under which arrival it stands among the helped.
    listed: Option<u64>,
}

/// What one who waits holds.
#[derive(Debug)]
struct Ticket<C> {
    origin: usize,
    state: State<C>,
}

#[derive(Debug)]
enum State<C> {
    Waiting {
        arrival: u64,
        since: Instant,
        waker: Waker,
    },
    Granted(Grant<C>),
}

impl<K: Hash + Eq + Clone, C> Slots<K, C> {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            numbers: IndexMap::default(),
            origins: Slab::new(),
            idles: Idles::default(),
            tickets: Slab::new(),
            helped: BTreeMap::new(),
            arrivals: 0,
            stats: Stats::default(),
            reap_at: None,
            emptied: Vec::new(),
            closed: false,
        }
    }

    /// Returns the number of the origin `key`, which `make` makes when it is new. It holds
    /// while the origin has a connection or a waiter.
    pub(crate) fn origin<Q>(&mut self, key: &Q, make: impl FnOnce() -> K) -> usize
    where
        Q: Hash + Equivalent<K>,
    {
        if let Some(number) = self.numbers.get(key) {
            return *number;
        }
        let key = make();
        let number = self.origins.insert(Origin {
            key: key.clone(),
            open: 0,
            dialling: 0,
            idle: VecDeque::new(),
            waiters: VecDeque::new(),
            listed: None,
        });
        self.numbers.insert(key, number);
        number
    }

    /// Returns the key of an origin.
    pub(crate) fn key(&mut self, at: usize) -> K {
        self.origin_at(at).key.clone()
    }

    /// Takes a connection of an origin.
    ///
    /// Nobody overtakes: behind others of its origin one waits, whatever is free.
    pub(crate) fn take(
        &mut self,
        at: usize,
        now: Instant,
        waker: &Waker,
        effects: &mut Effects<C>,
    ) -> Take<C> {
        if self.closed {
            self.forget_unused(at);
            return Take::Closed;
        }
        if self.origin_at(at).waiters.is_empty() {
            if let Some((connection, keep)) = self.reuse(at, now, effects) {
                return Take::Reuse(connection, keep);
            }
            self.take_over(at, effects);
            if self.origin_at(at).open < self.bounds.per_host {
                if self.stats.open >= self.bounds.limit
                    && let Some(oldest) = self.idles.oldest()
                {
                    self.evict(oldest, Eviction::Room, effects);
                    self.take_over(at, effects);
                }
                if self.stats.open < self.bounds.limit {
                    self.occupy(at);
                    return Take::Dial;
                }
            }
        }
        let arrival = self.arrivals;
        self.arrivals += 1;
        self.stats.waiting += 1;
        let ticket = self.tickets.insert(Ticket {
            origin: at,
            state: State::Waiting {
                arrival,
                since: now,
                waker: waker.clone(),
            },
        });
        self.origin_at(at).waiters.push_back((arrival, ticket));
        self.list(at);
        Take::Wait(ticket)
    }

    /// Takes an idle connection of the origin `key`, if it has one.
    pub(crate) fn take_idle<Q>(
        &mut self,
        key: &Q,
        now: Instant,
        effects: &mut Effects<C>,
    ) -> Option<(K, usize, C, Keep)>
    where
        Q: Hash + Equivalent<K>,
    {
        let at = *self.numbers.get(key)?;
        let Some((connection, keep)) = self.reuse(at, now, effects) else {
            self.forget_unused(at);
            return None;
        };
        Some((self.key(at), at, connection, keep))
    }

    /// Occupies the slot for another connection of an origin if one is free that nobody
    /// waits for, and the origin has fewer than `most`.
    pub(crate) fn reserve(&mut self, at: usize, most: usize) -> bool {
        let (open, limits) = (self.stats.open, self.bounds);
        let origin = self.origin_at(at);
        let free = origin.waiters.is_empty()
            && origin.open < limits.per_host.min(most)
            && open < limits.limit;
        let reserves = free && !self.closed;
        if reserves {
            self.occupy(at);
        } else {
            self.forget_unused(at);
        }
        reserves
    }

    /// Notes that a slot was filled: its connection is made.
    pub(crate) fn dialled(&mut self, at: usize) {
        self.stats.dialling -= 1;
        self.stats.created += 1;
        self.origin_at(at).dialling -= 1;
    }

    /// Notes that the connection of a slot was found dead, and another is being dialled.
    pub(crate) fn redial(&mut self, at: usize) {
        self.stats.count(Eviction::Stale);
        self.stats.reused -= 1;
        self.stats.dialling += 1;
        self.origin_at(at).dialling += 1;
    }

    /// Looks whether the holder of a ticket was handed something; else `waker` is told
    /// when it is.
    pub(crate) fn collect(
        &mut self,
        ticket: usize,
        waker: &Waker,
        effects: &mut Effects<C>,
    ) -> Option<Grant<C>> {
        if let State::Waiting { waker: kept, .. } = &mut self.tickets.get_mut(ticket)?.state {
            if !kept.will_wake(waker) {
                effects.wakers.push(std::mem::replace(kept, waker.clone()));
            }
            return None;
        }
        match self.tickets.remove(ticket).state {
            State::Granted(grant) => {
                if matches!(grant, Grant::Reuse(..)) {
                    self.stats.reused += 1;
                }
                Some(grant)
            }
            State::Waiting { .. } => None,
        }
    }

    /// Gives up a ticket; what its holder was handed goes on to the next.
    pub(crate) fn cancel(&mut self, ticket: usize, now: Instant, effects: &mut Effects<C>) {
        let Some(Ticket { origin: at, state }) = self.tickets.try_remove(ticket) else {
            return;
        };
        match state {
            State::Granted(Grant::Reuse(connection, keep)) => {
                self.give_back(at, connection, keep, now, effects);
            }
            State::Granted(Grant::Dial) => self.vacate(at, true, effects),
            State::Granted(Grant::Closed) => {}
            State::Waiting { arrival, waker, .. } => {
                effects.wakers.push(waker);
                self.stats.waiting -= 1;
                let waiters = &mut self.origin_at(at).waiters;
                if let Ok(place) = waiters.binary_search_by_key(&arrival, |waiter| waiter.0) {
                    waiters.remove(place);
                }
                self.list(at);
                self.forget_unused(at);
            }
        }
    }

    /// Takes back a connection that can be used again.
    ///
    /// The longest waiter of its origin gets it. It is closed when one of another origin
    /// waits for just its slot and nobody of its own does, or not for so long. Else it is
    /// kept.
    pub(crate) fn give_back(
        &mut self,
        at: usize,
        connection: C,
        keep: Keep,
        now: Instant,
        effects: &mut Effects<C>,
    ) {
        if self.closed {
            effects.closing.push((connection, Some(at)));
        } else if self.is_owed_to_another(at) {
            effects.closing.push((connection, Some(at)));
            self.stats.count(Eviction::Room);
        } else if !self.origin_at(at).waiters.is_empty() {
            self.grant(at, Grant::Reuse(connection, keep), effects);
        } else {
            self.rest(at, connection, keep, now, effects);
        }
    }

    /// Takes back a connection that was taken and not used.
    pub(crate) fn give_back_unused(
        &mut self,
        at: usize,
        connection: C,
        keep: Keep,
        now: Instant,
        effects: &mut Effects<C>,
    ) {
        self.stats.reused -= 1;
        self.give_back(at, connection, keep, now, effects);
    }

    /// Frees the slot of a connection that the pool itself closes.
    pub(crate) fn give_up(&mut self, at: usize, eviction: Eviction, effects: &mut Effects<C>) {
        self.stats.count(eviction);
        if eviction == Eviction::Stale {
            // It served nobody after all.
            self.stats.reused -= 1;
        }
        self.vacate(at, false, effects);
    }

    /// Frees the slot of a connection that was closed, or never made.
    pub(crate) fn vacate(&mut self, at: usize, dialling: bool, effects: &mut Effects<C>) {
        self.free(at, dialling);
        self.grant_free_slots(effects);
        self.forget_unused(at);
        if self.closed && self.stats.open == 0 {
            effects.wake.extend(self.emptied.drain(..));
        }
    }

    /// Closes the idle connections and sends all away who wait or have not yet collected
    /// what they were handed; what is in use is closed as it comes back.
    pub(crate) fn close(&mut self, effects: &mut Effects<C>) {
        self.closed = true;
        self.helped.clear();
        let mut freed = Vec::new();
        for (_, ticket) in &mut self.tickets {
            match std::mem::replace(&mut ticket.state, State::Granted(Grant::Closed)) {
                State::Waiting { waker, .. } => {
                    self.stats.waiting -= 1;
                    effects.wake.push(waker);
                }
                State::Granted(Grant::Reuse(connection, _)) => {
                    effects.closing.push((connection, Some(ticket.origin)));
                }
                State::Granted(Grant::Dial) => freed.push(ticket.origin),
                State::Granted(Grant::Closed) => {}
            }
        }
        for idle in self.idles.drain() {
            effects.closing.push((idle.connection, Some(idle.origin)));
        }
        let numbers: Vec<usize> = self.numbers.values().copied().collect();
        for at in numbers {
            let origin = self.origin_at(at);
            origin.idle.clear();
            origin.waiters.clear();
            origin.listed = None;
            self.forget_unused(at);
        }
        for at in freed {
            self.vacate(at, true, effects);
        }
    }

    /// Closes some connections that were idle for too long; returns when to look again.
    pub(crate) fn reap(&mut self, now: Instant, effects: &mut Effects<C>) -> Option<Instant> {
        let overdue = self.idles.overdue(now, REAPED_AT_ONCE);
        for (number, eviction) in &overdue {
            self.evict(*number, *eviction, effects);
        }
        self.reap_at = if overdue.len() == REAPED_AT_ONCE {
            Some(now)
        } else {
            let next = self.idles.next_overdue();
            next.map(|next| next.max(now + REAPER_PAUSE))
        };
        self.reap_at
    }

    /// Notes that no reaper looks any more.
    pub(crate) fn reaper_ended(&mut self) {
        self.reap_at = None;
    }

    /// Returns the counts over all origins.
    pub(crate) fn stats(&self) -> Stats {
        Stats {
            idle: self.idles.len(),
            ..self.stats
        }
    }

    /// Returns the counts of each origin that has a connection or a waiter.
    pub(crate) fn stats_by_key(&self) -> Vec<(K, KeyStats)> {
        let stats = |origin: &Origin<K>| KeyStats {
            open: origin.open,
            idle: origin.idle.len(),
            dialling: origin.dialling,
            waiting: origin.waiters.len(),
        };
        self.origins
            .iter()
            .map(|(_, origin)| (origin.key.clone(), stats(origin)))
            .collect()
    }

    /// Tells whether nothing is open; if something is, `waker` is told of the end of a
    /// closed pool's last connection.
    pub(crate) fn is_empty(&mut self, waker: &Waker) -> bool {
        if self.stats.open == 0 {
            return true;
        }
        if !self.emptied.iter().any(|kept| kept.will_wake(waker)) {
            self.emptied.push(waker.clone());
        }
        false
    }

    /// Takes an idle connection of an origin that has not been so for too long.
    fn reuse(&mut self, at: usize, now: Instant, effects: &mut Effects<C>) -> Option<(C, Keep)> {
        loop {
            let order = self.bounds.order;
            let idle = &mut self.origin_at(at).idle;
            let number = match order {
                ReuseOrder::OldestFirst => idle.pop_front(),
                ReuseOrder::NewestFirst => idle.pop_back(),
            };
            let found = self.idles.remove(number?)?;
            if found.keep.until.is_none_or(|until| now <= until) {
                self.stats.reused += 1;
                return Some((found.connection, found.keep));
            }
            effects.closing.push((found.connection, Some(at)));
            self.stats.count(found.keep.then);
        }
    }

    fn origin_at(&mut self, at: usize) -> &mut Origin<K> {
        self.origins
            .get_mut(at)
            .expect("whoever has its number keeps it")
    }

    fn occupy(&mut self, at: usize) {
        self.stats.open += 1;
        self.stats.dialling += 1;
        let origin = self.origin_at(at);
        origin.open += 1;
        origin.dialling += 1;
    }

    fn free(&mut self, at: usize, dialling: bool) {
        let dialling = usize::from(dialling);
        self.stats.open -= 1;
        self.stats.dialling -= dialling;
        let origin = self.origin_at(at);
        origin.open -= 1;
        origin.dialling -= dialling;
        self.list(at);
    }

    /// Keeps a connection that nobody waits for.
    fn rest(
        &mut self,
        at: usize,
        connection: C,
        keep: Keep,
        now: Instant,
        effects: &mut Effects<C>,
    ) {
        if keep.until.is_some_and(|until| until <= now) {
            effects.closing.push((connection, Some(at)));
            return self.stats.count(keep.then);
        }
        let number = self.idles.push(Idle {
            connection,
            origin: at,
            keep,
        });
        self.origin_at(at).idle.push_back(number);
        if let Some(until) = keep.until
            && self.reap_at.is_none_or(|reap_at| until < reap_at)
        {
            self.reap_at = Some(until);
            effects.reap = true;
        }
        let first = self.origin_at(at).idle.front().copied();
        if self.origin_at(at).idle.len() > self.bounds.idle_per_host {
            first
                .into_iter()
                .for_each(|first| self.evict(first, Eviction::Idle, effects));
        } else if self.idles.len() > self.bounds.idle
            && let Some(oldest) = self.idles.oldest()
        {
            self.evict(oldest, Eviction::Idle, effects);
        }
    }

    /// Frees the slot of a connection that whoever takes one for the origin `at` closes
    /// first.
    fn take_over(&mut self, at: usize, effects: &mut Effects<C>) {
        let last = effects.closing.last_mut();
        if let Some(from) = last.and_then(|(_, slot)| slot.take()) {
            self.free(from, false);
            self.grant_free_slots(effects);
            if from != at {
                self.forget_unused(from);
            }
        }
    }

    /// Closes an idle connection.
    fn evict(&mut self, number: usize, eviction: Eviction, effects: &mut Effects<C>) {
        let Some(Idle {
            connection,
            origin: at,
            ..
        }) = self.idles.remove(number)
        else {
            return;
        };
        let idle = &mut self.origin_at(at).idle;
        if let Some(place) = idle.iter().position(|other| *other == number) {
            idle.remove(place);
        }
        effects.closing.push((connection, Some(at)));
        self.stats.count(eviction);
    }

    /// Tells whether a waiter of another origin has a right to the slot of a connection.
    fn is_owed_to_another(&self, at: usize) -> bool {
        if self.stats.open < self.bounds.limit {
            return false;
        }
        let first = |at: usize| {
            let (_, ticket) = self.origins.get(at)?.waiters.front()?;
            match self.tickets.get(*ticket)?.state {
                State::Waiting { since, .. } => Some(since),
                State::Granted(_) => None,
            }
        };
        // The origin may stand among the helped itself.
        let other = self.helped.values().find(|other| **other != at);
        match (other.and_then(|other| first(*other)), first(at)) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(other), Some(own)) => other + PATIENCE <= own,
        }
    }

    /// Hands something to the longest waiter of an origin.
    fn grant(&mut self, at: usize, grant: Grant<C>, effects: &mut Effects<C>) {
        let first = self.origin_at(at).waiters.pop_front();
        if let Some(ticket) = first.and_then(|(_, ticket)| self.tickets.get_mut(ticket)) {
            let before = std::mem::replace(&mut ticket.state, State::Granted(grant));
            if let State::Waiting { waker, .. } = before {
                effects.wake.push(waker);
            }
            self.stats.waiting -= 1;
        }
        self.list(at);
    }

    fn grant_free_slots(&mut self, effects: &mut Effects<C>) {
        while self.stats.open < self.bounds.limit
            && let Some((_, at)) = self.helped.first_key_value()
        {
            let at = *at;
            self.occupy(at);
            self.grant(at, Grant::Dial, effects);
        }
    }

    /// Puts an origin into its place among the helped, or takes it away.
    fn list(&mut self, at: usize) {
        let per_host = self.bounds.per_host;
        let origin = self.origin_at(at);
        let first = origin.waiters.front().map(|(arrival, _)| *arrival);
        let place = first.filter(|_| origin.open < per_host);
        let before = std::mem::replace(&mut origin.listed, place);
        if before == place {
            return;
        }
        if let Some(before) = before {
            self.helped.remove(&before);
        }
        if let Some(place) = place {
            self.helped.insert(place, at);
        }
    }

    /// Forgets an origin without connections and waiters.
    fn forget_unused(&mut self, at: usize) {
        let unused = |origin: &Origin<K>| origin.open == 0 && origin.waiters.is_empty();
        if self.origins.get(at).is_some_and(unused) {
            let origin = self.origins.remove(at);
            self.numbers.swap_remove(&origin.key);
        }
    }
}
