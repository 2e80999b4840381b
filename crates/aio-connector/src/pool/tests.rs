//! Tests of the slots.

mod plain;

use std::mem;
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::pool::bounds::{Bounds, ReuseOrder};
use crate::pool::effects::{Effects, Grant, Take};
use crate::pool::idle::Keep;
use crate::pool::slots::Slots;
use crate::stats::Eviction;

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

/// Slots with a clock, whose connections are numbers.
struct Pool {
    slots: Slots<&'static str, u32>,
    effects: Effects<u32>,
    closed: Vec<u32>,
    start: Instant,
    now: Instant,
}

impl Pool {
    fn of(bounds: Bounds) -> Self {
        let start = Instant::now();
        Self {
            slots: Slots::new(bounds),
            effects: Effects::default(),
            closed: Vec::new(),
            start,
            now: start,
        }
    }

    fn new(limit: usize, per_host: usize) -> Self {
        Self::of(Bounds {
            limit,
            per_host,
            ..Bounds::NONE
        })
    }

    fn at(&mut self, key: &'static str) -> usize {
        self.slots.origin(&key, || key)
    }

    fn take(&mut self, key: &'static str) -> Took {
        let at = self.at(key);
        let waker = Waker::noop();
        let took = self.slots.take(at, self.now, waker, &mut self.effects);
        self.settle();
        match took {
            Take::Reuse(connection, _) => Took::Reuse(connection),
            Take::Dial => Took::Dial,
            Take::Wait(ticket) => Took::Wait(ticket),
            Take::Closed => Took::Closed,
        }
    }

    fn wait(&mut self, key: &'static str) -> usize {
        match self.take(key) {
            Took::Wait(ticket) => ticket,
            other => panic!("should wait: {other:?}"),
        }
    }

    fn dial(&mut self, key: &'static str) {
        assert_eq!(self.take(key), Took::Dial, "{key}");
        let at = self.at(key);
        self.slots.dialled(at);
    }

    fn give_back(&mut self, key: &'static str, connection: u32) {
        self.give_back_for(key, connection, 15 * SECOND);
    }

    fn give_back_for(&mut self, key: &'static str, connection: u32, keep: Duration) {
        let (at, keep) = (self.at(key), until(self.now + keep));
        self.slots
            .give_back(at, connection, keep, self.now, &mut self.effects);
        self.settle();
    }

    fn vacate(&mut self, key: &'static str) {
        let at = self.at(key);
        self.slots.vacate(at, false, &mut self.effects);
        self.settle();
    }

    fn collect(&mut self, ticket: usize) -> Option<Grant<u32>> {
        self.slots.collect(ticket, Waker::noop(), &mut self.effects)
    }

    /// The connection that a ticket was handed.
    fn handed(&mut self, ticket: usize) -> Option<u32> {
        match self.collect(ticket)? {
            Grant::Reuse(connection, _) => Some(connection),
            other => panic!("should be a connection: {other:?}"),
        }
    }

    /// The connections that were closed since it was asked last.
    fn dropped(&mut self) -> Vec<u32> {
        self.settle();
        mem::take(&mut self.closed)
    }

    /// Closes what is to be closed.
    fn settle(&mut self) {
        while !self.effects.closing.is_empty() {
            let (connection, slot) = self.effects.closing.remove(0);
            self.closed.push(connection);
            if let Some(at) = slot {
                self.slots.vacate(at, false, &mut self.effects);
            }
        }
    }

    /// Open, idle, dialling, waiting.
    fn counts(&self) -> (usize, usize, usize, usize) {
        let stats = self.slots.stats();
        (stats.open, stats.idle, stats.dialling, stats.waiting)
    }
}

/// What a request got, whatever its connection's time.
#[derive(Debug, PartialEq, Eq)]
enum Took {
    Reuse(u32),
    Dial,
    Wait(usize),
    Closed,
}

fn until(until: Instant) -> Keep {
    Keep {
        until: Some(until),
        then: Eviction::Expired,
    }
}

#[test]
fn the_oldest_released_connection_is_reused_first() {
    let mut pool = Pool::new(9, 9);
    (0..3).for_each(|_| pool.dial("a"));
    (0..3).for_each(|connection| pool.give_back("a", connection));
    assert_eq!(pool.take("a"), Took::Reuse(0));
    pool.dial("b");
    assert_eq!(pool.counts(), (4, 2, 0, 0));
    assert_eq!(
        (pool.slots.stats().created, pool.slots.stats().reused),
        (4, 1)
    );
}

#[test]
fn the_newest_is_reused_first_where_asked_for() {
    let mut pool = Pool::of(Bounds {
        order: ReuseOrder::NewestFirst,
        ..Bounds::NONE
    });
    (0..3).for_each(|_| pool.dial("a"));
    (0..3).for_each(|connection| pool.give_back("a", connection));
    assert_eq!(pool.take("a"), Took::Reuse(2));
    assert_eq!(pool.take("a"), Took::Reuse(1));
}

#[test]
fn an_expired_connection_is_dropped_and_its_slot_dialled() {
    let mut pool = Pool::new(1, 9);
    pool.dial("a");
    pool.give_back("a", 1);
    pool.now += 15 * SECOND;
    assert_eq!(pool.take("a"), Took::Reuse(1));
    pool.give_back("a", 1);
    pool.now += 15 * SECOND + MILLISECOND;
    pool.dial("a");
    assert_eq!(pool.dropped(), [1]);
    assert_eq!(pool.counts(), (1, 0, 0, 0));
    assert_eq!(pool.slots.stats().expired, 1);
}

#[test]
fn waiters_are_served_in_order_and_nobody_overtakes() {
    let mut pool = Pool::new(1, 9);
    pool.dial("a");
    let (first, second) = (pool.wait("a"), pool.wait("a"));
    pool.give_back("a", 1);
    let third = pool.wait("a");
    assert_eq!(pool.handed(second), None);
    assert_eq!(pool.handed(first), Some(1));
    pool.give_back("a", 1);
    assert_eq!(pool.handed(third), None);
    assert_eq!(pool.handed(second), Some(1));
}

#[test]
fn a_freed_slot_goes_to_the_longest_waiter_of_all() {
    let mut pool = Pool::new(2, 9);
    pool.dial("a");
    pool.dial("b");
    let (c, a) = (pool.wait("c"), pool.wait("a"));
    pool.vacate("b");
    assert_eq!(pool.collect(a), None);
    assert_eq!(pool.collect(c), Some(Grant::Dial));
    assert_eq!(pool.counts(), (2, 0, 1, 1));
}

#[test]
fn a_released_connection_gives_way_when_only_another_origin_waits() {
    let mut pool = Pool::new(1, 9);
    pool.dial("a");
    let b = pool.wait("b");
    pool.give_back("a", 1);
    assert_eq!(pool.dropped(), [1]);
    assert_eq!(pool.collect(b), Some(Grant::Dial));
    assert_eq!(pool.slots.stats().evicted.room, 1);
}

#[test]
fn a_released_connection_stays_with_its_origin_for_fifty_milliseconds() {
    for (longer, yields) in [(49, false), (50, true)] {
        let mut pool = Pool::new(1, 9);
        pool.dial("a");
        let b = pool.wait("b");
        pool.now += longer * MILLISECOND;
        let a = pool.wait("a");
        pool.give_back("a", 1);
        let (a, b) = (pool.collect(a), pool.collect(b));
        assert_eq!(a.is_none(), yields, "{longer}");
        assert_eq!(b == Some(Grant::Dial), yields, "{longer}");
    }
}

#[test]
fn an_origin_that_has_all_connections_does_not_starve_another() {
    let mut pool = Pool::new(1, 9);
    pool.dial("a");
    let b = pool.wait("b");
    let mut rounds = 0;
    loop {
        let a = pool.wait("a");
        pool.now += 10 * MILLISECOND;
        pool.give_back("a", 1);
        if pool.collect(b).is_some() {
            break;
        }
        assert_eq!(pool.handed(a), Some(1));
        rounds += 1;
        assert!(rounds < 10, "b waits for ever");
    }
    assert_eq!(pool.now - pool.start, 60 * MILLISECOND);
}

#[test]
fn at_the_limit_the_oldest_idle_connection_gives_way() {
    let mut pool = Pool::new(2, 9);
    pool.dial("a");
    pool.dial("b");
    pool.give_back("b", 2);
    pool.give_back("a", 1);
    pool.dial("c");
    assert_eq!(pool.dropped(), [2]);
    assert_eq!(pool.counts(), (2, 1, 0, 0));
}

#[test]
fn the_limit_per_host_holds_up_that_host_alone() {
    let mut pool = Pool::new(3, 1);
    pool.dial("a");
    let a = pool.wait("a");
    pool.dial("b");
    pool.vacate("b");
    assert_eq!(pool.collect(a), None);
    pool.vacate("a");
    assert_eq!(pool.collect(a), Some(Grant::Dial));
}

#[test]
fn a_cancelled_waiter_passes_on_what_it_was_handed() {
    let mut pool = Pool::new(1, 9);
    pool.dial("a");
    let (first, second, third) = (pool.wait("a"), pool.wait("a"), pool.wait("a"));
    pool.slots.cancel(second, pool.now, &mut pool.effects);
    pool.give_back("a", 1);
    pool.slots.cancel(first, pool.now, &mut pool.effects);
    assert_eq!(pool.handed(third), Some(1));
    let fourth = pool.wait("a");
    pool.vacate("a");
    pool.slots.cancel(fourth, pool.now, &mut pool.effects);
    assert_eq!(pool.counts(), (0, 0, 0, 0));
    assert!(pool.slots.stats_by_key().is_empty());
}

#[test]
fn no_more_are_idle_than_may_be() {
    let mut pool = Pool::of(Bounds {
        idle: 2,
        idle_per_host: 1,
        ..Bounds::NONE
    });
    for key in ["a", "a", "b", "c"] {
        pool.dial(key);
    }
    pool.give_back("a", 1);
    pool.give_back("a", 2);
    assert_eq!(pool.dropped(), [1]);
    pool.give_back("b", 3);
    pool.give_back("c", 4);
    assert_eq!(pool.dropped(), [2]);
    assert_eq!(pool.counts(), (2, 2, 0, 0));
    assert_eq!(pool.slots.stats().evicted.idle, 2);
}

#[test]
fn the_reaper_closes_what_is_idle_for_too_long() {
    let mut pool = Pool::new(9, 9);
    for key in ["a", "a", "b"] {
        pool.dial(key);
    }
    pool.give_back_for("a", 1, 2 * SECOND);
    assert!(
        mem::take(&mut pool.effects.reap),
        "it must be told of the first"
    );
    pool.give_back_for("a", 2, 5 * SECOND);
    assert!(!pool.effects.reap, "it looks earlier than that");
    pool.give_back_for("b", 3, SECOND);
    assert!(pool.effects.reap, "it would come too late");
    pool.now += SECOND;
    let look = |pool: &mut Pool| {
        let next = pool.slots.reap(pool.now, &mut pool.effects);
        next.map(|next| next - pool.start)
    };
    // Until its time is over it may be used.
    assert_eq!(look(&mut pool), Some(1100 * MILLISECOND));
    pool.now += 100 * MILLISECOND;
    assert_eq!(look(&mut pool), Some(2 * SECOND));
    assert_eq!(pool.dropped(), [3]);
    pool.now += 5 * SECOND;
    assert_eq!(look(&mut pool), None);
    assert_eq!(pool.dropped(), [1, 2]);
    assert_eq!(pool.counts(), (0, 0, 0, 0));
    assert_eq!(pool.slots.stats().expired, 3);
}

#[test]
fn a_reservation_takes_nothing_from_anyone() {
    let mut pool = Pool::new(2, 9);
    let a = pool.at("a");
    assert!(pool.slots.reserve(a, 1));
    assert!(!pool.slots.reserve(a, 1), "one is open");
    assert!(pool.slots.reserve(a, 9));
    let b = pool.at("b");
    assert!(!pool.slots.reserve(b, 9), "the limit is reached");
    assert_eq!(pool.counts(), (2, 0, 2, 0));
}

#[test]
fn closing_sends_waiters_away_and_keeps_nothing() {
    let mut pool = Pool::new(2, 9);
    pool.dial("a");
    pool.dial("b");
    pool.give_back("b", 2);
    pool.dial("c");
    let a = pool.wait("a");
    pool.slots.close(&mut pool.effects);
    assert_eq!(pool.collect(a), Some(Grant::Closed));
    assert_eq!(pool.take("a"), Took::Closed);
    assert!(!pool.slots.is_empty(Waker::noop()));
    pool.give_back("a", 1);
    pool.vacate("c");
    assert!(pool.slots.is_empty(Waker::noop()));
    assert_eq!(pool.counts(), (0, 0, 0, 0));
    assert!(pool.slots.stats_by_key().is_empty());
}
