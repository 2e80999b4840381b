//! Who gets which connection, decided without a socket, a clock or a task.

use std::collections::VecDeque;
use std::hash::{BuildHasherDefault, Hash};
use std::task::Waker;
use std::time::{Duration, Instant};

use indexmap::{Equivalent, IndexMap};
use rustc_hash::{FxHashMap, FxHasher};

/// The connections of a pool, idle, in use and waited for, by origin.
///
/// An open connection holds a slot, idle or not. `K` tells origins apart, `C` is an idle
/// connection. Nothing is woken or dropped in here: that is carried out in [`Effects`],
/// so that a caller can do it when its lock is free.
#[derive(Debug)]
pub(crate) struct Slots<K, C> {
    bounds: Bounds,
    origins: IndexMap<K, Origin<C>, BuildHasherDefault<FxHasher>>,
    open: usize,
    idle: usize,
    waiting: usize,
    next_ticket: u64,
    granted: FxHashMap<u64, (K, Grant<C>)>,
    closed: bool,
}

/// How many connections there may be, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Most open connections; `usize::MAX` for no limit.
    pub(crate) limit: usize,
    /// Most open connections of one origin.
    pub(crate) per_host: usize,
    /// How long an idle connection may be used again; `None` for ever.
    pub(crate) keepalive: Option<Duration>,
}

#[derive(Debug)]
struct Origin<C> {
    open: usize,
    /// The one released longest ago first (CON-20).
    idle: VecDeque<Idle<C>>,
    waiters: VecDeque<Waiter>,
}

#[derive(Debug)]
struct Idle<C> {
    connection: C,
    released: Instant,
    expires: Option<Instant>,
}

#[derive(Debug)]
struct Waiter {
    ticket: u64,
    waker: Waker,
}

/// What one who wants a connection gets.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Take<C> {
    /// An idle connection.
    Reuse(C),
    /// The slot for a new one.
    Dial,
    /// A place in the queue; see [`Slots::collect`].
    Wait(u64),
    /// Nothing any more: the pool is closed.
    Closed,
}

/// What one who waited is handed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Grant<C> {
    /// A connection, and for how long its server keeps it open.
    Reuse(C, Option<Duration>),
    Dial,
    Closed,
}

/// What is to be woken and dropped once the lock is free: a waker that is dropped may
/// drop a task, and that a connection of this same pool.
#[derive(Debug)]
pub(crate) struct Effects<C> {
    pub(crate) wake: Vec<Waker>,
    pub(crate) wakers: Vec<Waker>,
    pub(crate) dropped: Vec<C>,
}

impl<C> Default for Effects<C> {
    fn default() -> Self {
        Self {
            wake: Vec::new(),
            wakers: Vec::new(),
            dropped: Vec::new(),
        }
    }
}

impl<C> Effects<C> {
    /// Drops and wakes.
    pub(crate) fn carry_out(self) {
        drop((self.dropped, self.wakers));
        self.wake.into_iter().for_each(Waker::wake);
    }
}

impl<K: Hash + Eq + Clone, C> Slots<K, C> {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            origins: IndexMap::default(),
            open: 0,
            idle: 0,
            waiting: 0,
            next_ticket: 0,
            granted: FxHashMap::default(),
            closed: false,
        }
    }

    /// Takes a connection of the origin `key`, which `make` makes when it is new.
    ///
    /// Nobody overtakes: behind others of its origin one waits, whatever is free.
    pub(crate) fn take<Q>(
        &mut self,
        key: &Q,
        make: impl FnOnce() -> K,
        now: Instant,
        waker: &Waker,
        effects: &mut Effects<C>,
    ) -> (K, Take<C>)
    where
        Q: Hash + Equivalent<K>,
    {
        let index = self.origins.get_index_of(key).unwrap_or_else(|| {
            let origin = Origin {
                open: 0,
                idle: VecDeque::new(),
                waiters: VecDeque::new(),
            };
            self.origins.insert_full(make(), origin).0
        });
        let Some((key, origin)) = self.origins.get_index_mut(index) else {
            unreachable!("the index was looked up above");
        };
        let key = key.clone();
        if self.closed {
            self.forget_unused(&key);
            return (key, Take::Closed);
        }
        if origin.waiters.is_empty() {
            while let Some(idle) = origin.idle.pop_front() {
                self.idle -= 1;
                if idle.expires.is_none_or(|expires| now <= expires) {
                    return (key, Take::Reuse(idle.connection));
                }
                self.open -= 1;
                origin.open -= 1;
                effects.dropped.push(idle.connection);
            }
            if origin.open < self.bounds.per_host {
                if self.open >= self.bounds.limit {
                    self.evict_oldest(effects);
                }
                if self.open < self.bounds.limit {
                    self.occupy(&key);
                    return (key, Take::Dial);
                }
            }
        }
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.waiting += 1;
        if let Some(origin) = self.origins.get_mut(&key) {
            origin.waiters.push_back(Waiter {
                ticket,
                waker: waker.clone(),
            });
        }
        (key, Take::Wait(ticket))
    }

    /// Looks whether the holder of `ticket` was handed something; else `waker` is told
    /// when it is.
    pub(crate) fn collect(
        &mut self,
        key: &K,
        ticket: u64,
        waker: &Waker,
        effects: &mut Effects<C>,
    ) -> Option<Grant<C>> {
        if let Some((_, grant)) = self.granted.remove(&ticket) {
            return Some(grant);
        }
        let waiters = &mut self.origins.get_mut(key)?.waiters;
        let at = waiters
            .binary_search_by_key(&ticket, |waiter| waiter.ticket)
            .ok()?;
        let waiter = waiters.get_mut(at)?;
        if !waiter.waker.will_wake(waker) {
            let before = std::mem::replace(&mut waiter.waker, waker.clone());
            effects.wakers.push(before);
        }
        None
    }

    /// Gives up a ticket; what its holder was handed goes on to the next.
    pub(crate) fn cancel(&mut self, key: &K, ticket: u64, now: Instant, effects: &mut Effects<C>) {
        match self.granted.remove(&ticket).map(|(_, grant)| grant) {
            Some(Grant::Reuse(connection, keepalive)) => {
                self.give_back(key, connection, now, keepalive, effects);
            }
            Some(Grant::Dial) => self.vacate(key, effects),
            Some(Grant::Closed) => {}
            None => {
                if let Some(origin) = self.origins.get_mut(key)
                    && let Ok(at) = origin.waiters.binary_search_by_key(&ticket, |w| w.ticket)
                {
                    effects
                        .wakers
                        .extend(origin.waiters.remove(at).map(|waiter| waiter.waker));
                    self.waiting -= 1;
                    self.forget_unused(key);
                }
            }
        }
    }

    /// Takes back a connection that can be used again.
    ///
    /// The longest waiter of its origin gets it. When only others wait for the slot it
    /// is closed for them. Else it is kept; for at most `keepalive` if the server said so.
    pub(crate) fn give_back(
        &mut self,
        key: &K,
        connection: C,
        now: Instant,
        keepalive: Option<Duration>,
        effects: &mut Effects<C>,
    ) {
        if self.closed || self.bounds.keepalive.is_some_and(|limit| limit.is_zero()) {
            effects.dropped.push(connection);
            return self.vacate(key, effects);
        }
        let Some(origin) = self.origins.get_mut(key) else {
            effects.dropped.push(connection);
            return self.vacate(key, effects);
        };
        if let Some(waiter) = origin.waiters.pop_front() {
            self.waiting -= 1;
            let grant = Grant::Reuse(connection, keepalive);
            self.granted.insert(waiter.ticket, (key.clone(), grant));
            effects.wake.push(waiter.waker);
            return;
        }
        let full = self.open >= self.bounds.limit;
        if full && self.waiting > 0 && self.longest_waiter().is_some() {
            effects.dropped.push(connection);
            self.vacate(key, effects);
        } else if let Some(origin) = self.origins.get_mut(key) {
            let limits = [self.bounds.keepalive, keepalive].into_iter().flatten();
            let expires = limits.min().and_then(|limit| now.checked_add(limit));
            origin.idle.push_back(Idle {
                connection,
                released: now,
                expires,
            });
            self.idle += 1;
        }
    }

    /// Frees the slot of a connection that was closed or never made.
    pub(crate) fn vacate(&mut self, key: &K, effects: &mut Effects<C>) {
        self.open -= 1;
        if let Some(origin) = self.origins.get_mut(key) {
            origin.open -= 1;
        }
        self.grant_free_slots(effects);
        self.forget_unused(key);
    }

    /// Closes the idle connections and sends all away who wait or have not yet collected
    /// what they were handed; what is in use is closed as it comes back.
    pub(crate) fn close(&mut self, effects: &mut Effects<C>) {
        self.closed = true;
        for (key, grant) in self.granted.values_mut() {
            let freed = match std::mem::replace(grant, Grant::Closed) {
                Grant::Reuse(connection, _) => {
                    effects.dropped.push(connection);
                    true
                }
                Grant::Dial => true,
                Grant::Closed => false,
            };
            if freed && let Some(origin) = self.origins.get_mut(key) {
                self.open -= 1;
                origin.open -= 1;
            }
        }
        for (key, origin) in &mut self.origins {
            for idle in origin.idle.drain(..) {
                self.idle -= 1;
                self.open -= 1;
                origin.open -= 1;
                effects.dropped.push(idle.connection);
            }
            for waiter in origin.waiters.drain(..) {
                self.waiting -= 1;
                self.granted
                    .insert(waiter.ticket, (key.clone(), Grant::Closed));
                effects.wake.push(waiter.waker);
            }
        }
        self.origins.retain(|_, origin| origin.open > 0);
    }

    /// Returns how many connections are open and how many of them idle, and how many
    /// requests wait for one.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        (self.open, self.idle, self.waiting)
    }

    fn occupy(&mut self, key: &K) {
        self.open += 1;
        if let Some(origin) = self.origins.get_mut(key) {
            origin.open += 1;
        }
    }

    /// Closes the connection that has been idle longest, whatever its origin.
    fn evict_oldest(&mut self, effects: &mut Effects<C>) {
        let oldest = self
            .origins
            .iter()
            .filter_map(|(key, origin)| Some((origin.idle.front()?.released, key)))
            .min_by_key(|(released, _)| *released);
        let Some(key) = oldest.map(|(_, key)| key.clone()) else {
            return;
        };
        if let Some(origin) = self.origins.get_mut(&key)
            && let Some(idle) = origin.idle.pop_front()
        {
            self.idle -= 1;
            self.open -= 1;
            origin.open -= 1;
            effects.dropped.push(idle.connection);
        }
        self.forget_unused(&key);
    }

    /// The origin whose first waiter waits longest of all that a free slot would help.
    fn longest_waiter(&self) -> Option<usize> {
        let helped = |(index, origin): (usize, &Origin<C>)| {
            let below = origin.open < self.bounds.per_host;
            origin
                .waiters
                .front()
                .filter(|_| below)
                .map(|waiter| (waiter.ticket, index))
        };
        self.origins
            .values()
            .enumerate()
            .filter_map(helped)
            .min()
            .map(|(_, index)| index)
    }

    fn grant_free_slots(&mut self, effects: &mut Effects<C>) {
        while self.waiting > 0 && self.open < self.bounds.limit {
            let Some(index) = self.longest_waiter() else {
                return;
            };
            let Some((key, origin)) = self.origins.get_index_mut(index) else {
                return;
            };
            let Some(waiter) = origin.waiters.pop_front() else {
                return;
            };
            origin.open += 1;
            self.open += 1;
            self.waiting -= 1;
            self.granted
                .insert(waiter.ticket, (key.clone(), Grant::Dial));
            effects.wake.push(waiter.waker);
        }
    }

    /// Forgets an origin without connections and waiters.
    fn forget_unused(&mut self, key: &K) {
        let unused = |origin: &Origin<C>| origin.open == 0 && origin.waiters.is_empty();
        if self.origins.get(key).is_some_and(unused) {
            self.origins.swap_remove(key);
        }
    }
}

/// Returns a limit where 0 means none.
pub(crate) fn limit_or_unlimited(limit: Option<usize>) -> usize {
    match limit {
        None | Some(0) => usize::MAX,
        Some(limit) => limit,
    }
}

#[cfg(test)]
mod tests {
    use std::mem;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    struct Model {
        slots: Slots<&'static str, u32>,
        effects: Effects<u32>,
        now: Instant,
    }

    impl Model {
        fn new(limit: usize, per_host: usize) -> Self {
            let bounds = Bounds {
                limit: limit_or_unlimited(Some(limit)),
                per_host: limit_or_unlimited(Some(per_host)),
                keepalive: Some(15 * SECOND),
            };
            Self {
                slots: Slots::new(bounds),
                effects: Effects::default(),
                now: Instant::now(),
            }
        }

        fn take(&mut self, key: &'static str) -> Take<u32> {
            let waker = Waker::noop();
            self.slots
                .take(&key, || key, self.now, waker, &mut self.effects)
                .1
        }

        fn wait(&mut self, key: &'static str) -> u64 {
            match self.take(key) {
                Take::Wait(ticket) => ticket,
                other => panic!("should wait: {other:?}"),
            }
        }

        fn give_back(&mut self, key: &'static str, connection: u32) {
            self.slots
                .give_back(&key, connection, self.now, None, &mut self.effects);
        }

        fn collect(&mut self, key: &'static str, ticket: u64) -> Option<Grant<u32>> {
            self.slots
                .collect(&key, ticket, Waker::noop(), &mut self.effects)
        }

        fn dropped(&mut self) -> Vec<u32> {
            mem::take(&mut self.effects.dropped)
        }
    }

    #[test]
    fn the_oldest_released_connection_is_reused_first() {
        let mut pool = Model::new(0, 0);
        for connection in 0..3 {
            assert_eq!(pool.take("a"), Take::Dial);
            pool.now += SECOND;
            let _ = connection;
        }
        (0..3).for_each(|connection| pool.give_back("a", connection));
        assert_eq!(pool.take("a"), Take::Reuse(0));
        assert_eq!(pool.take("b"), Take::Dial);
        assert_eq!(pool.slots.counts(), (4, 2, 0));
    }

    #[test]
    fn an_expired_connection_is_dropped_and_its_slot_dialled() {
        let mut pool = Model::new(1, 0);
        assert_eq!(pool.take("a"), Take::Dial);
        pool.give_back("a", 1);
        pool.now += 15 * SECOND;
        assert_eq!(pool.take("a"), Take::Reuse(1));
        pool.give_back("a", 1);
        pool.now += 16 * SECOND;
        assert_eq!(pool.take("a"), Take::Dial);
        assert_eq!(pool.dropped(), [1]);
        assert_eq!(pool.slots.counts(), (1, 0, 0));
    }

    #[test]
    fn a_server_may_shorten_keep_alive() {
        let mut pool = Model::new(1, 0);
        assert_eq!(pool.take("a"), Take::Dial);
        pool.slots
            .give_back(&"a", 1, pool.now, Some(SECOND), &mut pool.effects);
        pool.now += 2 * SECOND;
        assert_eq!(pool.take("a"), Take::Dial);
    }

    #[test]
    fn waiters_are_served_in_order_and_nobody_overtakes() {
        let mut pool = Model::new(1, 0);
        assert_eq!(pool.take("a"), Take::Dial);
        let (first, second) = (pool.wait("a"), pool.wait("a"));
        pool.give_back("a", 1);
        let third = pool.wait("a");
        assert_eq!(pool.collect("a", second), None);
        assert_eq!(pool.collect("a", first), Some(Grant::Reuse(1, None)));
        pool.give_back("a", 1);
        assert_eq!(pool.collect("a", third), None);
        assert_eq!(pool.collect("a", second), Some(Grant::Reuse(1, None)));
    }

    #[test]
    fn a_freed_slot_goes_to_the_longest_waiter_of_all() {
        let mut pool = Model::new(2, 0);
        assert_eq!((pool.take("a"), pool.take("b")), (Take::Dial, Take::Dial));
        let (c, a) = (pool.wait("c"), pool.wait("a"));
        pool.slots.vacate(&"b", &mut pool.effects);
        assert_eq!(pool.collect("a", a), None);
        assert_eq!(pool.collect("c", c), Some(Grant::Dial));
        assert_eq!(pool.slots.counts(), (2, 0, 1));
    }

    #[test]
    fn a_released_connection_gives_way_to_another_origin_that_waits() {
        let mut pool = Model::new(1, 0);
        assert_eq!(pool.take("a"), Take::Dial);
        let b = pool.wait("b");
        pool.give_back("a", 1);
        assert_eq!(pool.dropped(), [1]);
        assert_eq!(pool.collect("b", b), Some(Grant::Dial));
    }

    #[test]
    fn at_the_limit_the_oldest_idle_connection_gives_way() {
        let mut pool = Model::new(2, 0);
        for key in ["a", "b"] {
            assert_eq!(pool.take(key), Take::Dial);
        }
        pool.give_back("b", 2);
        pool.now += SECOND;
        pool.give_back("a", 1);
        assert_eq!(pool.take("c"), Take::Dial);
        assert_eq!(pool.dropped(), [2]);
        assert_eq!(pool.slots.counts(), (2, 1, 0));
    }

    #[test]
    fn the_limit_per_host_holds_up_that_host_alone() {
        let mut pool = Model::new(3, 1);
        assert_eq!(pool.take("a"), Take::Dial);
        let a = pool.wait("a");
        assert_eq!(pool.take("b"), Take::Dial);
        pool.slots.vacate(&"b", &mut pool.effects);
        assert_eq!(pool.collect("a", a), None);
        pool.slots.vacate(&"a", &mut pool.effects);
        assert_eq!(pool.collect("a", a), Some(Grant::Dial));
    }

    #[test]
    fn a_cancelled_waiter_passes_on_what_it_was_handed() {
        let mut pool = Model::new(1, 0);
        assert_eq!(pool.take("a"), Take::Dial);
        let (first, second, third) = (pool.wait("a"), pool.wait("a"), pool.wait("a"));
        pool.slots.cancel(&"a", second, pool.now, &mut pool.effects);
        pool.give_back("a", 1);
        pool.slots.cancel(&"a", first, pool.now, &mut pool.effects);
        assert_eq!(pool.collect("a", third), Some(Grant::Reuse(1, None)));
        let fourth = pool.wait("a");
        pool.slots.vacate(&"a", &mut pool.effects);
        pool.slots.cancel(&"a", fourth, pool.now, &mut pool.effects);
        assert_eq!(pool.slots.counts(), (0, 0, 0));
        assert!(pool.slots.origins.is_empty());
    }

    #[test]
    fn closing_sends_waiters_away_and_keeps_nothing() {
        let mut pool = Model::new(2, 0);
        assert_eq!((pool.take("a"), pool.take("b")), (Take::Dial, Take::Dial));
        pool.give_back("b", 2);
        let _ = pool.take("c");
        let a = pool.wait("a");
        pool.slots.close(&mut pool.effects);
        assert_eq!(pool.collect("a", a), Some(Grant::Closed));
        assert_eq!(pool.take("a"), Take::Closed);
        pool.give_back("a", 1);
        pool.slots.vacate(&"c", &mut pool.effects);
        assert_eq!(pool.slots.counts(), (0, 0, 0));
        assert!(pool.slots.origins.is_empty());
    }
}
