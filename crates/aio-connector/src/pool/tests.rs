//! Tests of the slots: cases, and a comparison with a simpler pool.

use std::mem;
use std::task::Waker;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use crate::pool::bounds::{Bounds, ReuseOrder};
use crate::pool::effects::{Effects, Grant, Take};
use crate::pool::idle::Keep;
use crate::pool::slots::Slots;
use crate::stats::{Eviction, Stats};

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);
const NAMES: [&str; 4] = ["a", "b", "c", "d"];

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

/// The same pool as plainly as can be: lists that are searched through.
#[derive(Debug)]
struct Plain {
    limit: usize,
    per_host: usize,
    order: ReuseOrder,
    open: Vec<Open>,
    queue: Vec<Waiter>,
    dropped: Vec<u32>,
    closed: bool,
}

#[derive(Debug)]
struct Open {
    origin: usize,
    /// The connection and until when it is kept, if it is idle.
    idle: Option<(u32, Instant)>,
}

#[derive(Debug)]
struct Waiter {
    id: usize,
    origin: usize,
    since: Instant,
}

/// What a waiter of the plain pool was handed.
type Handed = Vec<(usize, Option<(u32, Instant)>)>;

impl Plain {
    fn count(&self, origin: usize) -> usize {
        self.open
            .iter()
            .filter(|open| open.origin == origin)
            .count()
    }

    /// Closes an idle connection.
    fn close_idle(&mut self, place: usize) {
        let open = self.open.remove(place);
        self.dropped.extend(open.idle.map(|idle| idle.0));
    }

    fn take(&mut self, id: usize, origin: usize, now: Instant) -> Took {
        if self.closed {
            return Took::Closed;
        }
        if !self.queue.iter().any(|waiter| waiter.origin == origin) {
            loop {
                let is_idle = |open: &Open| open.origin == origin && open.idle.is_some();
                // Connections stand in the order of their release.
                let place = match self.order {
                    ReuseOrder::OldestFirst => self.open.iter().position(is_idle),
                    ReuseOrder::NewestFirst => self.open.iter().rposition(is_idle),
                };
                let Some(place) = place else { break };
                match self.open[place].idle {
                    Some((connection, until)) if now <= until => {
                        self.open[place].idle = None;
                        return Took::Reuse(connection);
                    }
                    _ => self.close_idle(place),
                }
            }
            if self.count(origin) < self.per_host {
                if self.open.len() >= self.limit
                    && let Some(oldest) = self.open.iter().position(|open| open.idle.is_some())
                {
                    self.close_idle(oldest);
                }
                if self.open.len() < self.limit {
                    self.open.push(Open { origin, idle: None });
                    return Took::Dial;
                }
            }
        }
        self.queue.push(Waiter {
            id,
            origin,
            since: now,
        });
        Took::Wait(id)
    }

    fn remove_used(&mut self, origin: usize) {
        let used = |open: &Open| open.origin == origin && open.idle.is_none();
        let place = self.open.iter().position(used).expect("one is in use");
        self.open.remove(place);
    }

    fn give_back(
        &mut self,
        origin: usize,
        connection: u32,
        until: Instant,
        now: Instant,
    ) -> Handed {
        let own = self.queue.iter().position(|waiter| waiter.origin == origin);
        let other = self.queue.iter().find(|waiter| {
            waiter.origin != origin
                && self.open.len() >= self.limit
                && self.count(waiter.origin) < self.per_host
        });
        let yields = match (other, own.map(|own| &self.queue[own])) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(other), Some(own)) => own.since - other.since >= 50 * MILLISECOND,
        };
        if self.closed || yields {
            self.dropped.push(connection);
            return self.vacate(origin);
        }
        if let Some(own) = own {
            return vec![(self.queue.remove(own).id, Some((connection, until)))];
        }
        if until <= now {
            self.dropped.push(connection);
            return self.vacate(origin);
        }
        self.remove_used(origin);
        self.open.push(Open {
            origin,
            idle: Some((connection, until)),
        });
        Vec::new()
    }

    fn vacate(&mut self, origin: usize) -> Handed {
        self.remove_used(origin);
        let mut handed = Vec::new();
        while self.open.len() < self.limit && !self.closed {
            let next = self
                .queue
                .iter()
                .position(|waiter| self.count(waiter.origin) < self.per_host);
            let Some(next) = next else { break };
            let waiter = self.queue.remove(next);
            self.open.push(Open {
                origin: waiter.origin,
                idle: None,
            });
            handed.push((waiter.id, None));
        }
        handed
    }

    fn reap(&mut self, now: Instant) {
        while let Some(place) = self
            .open
            .iter()
            .position(|open| open.idle.is_some_and(|(_, until)| until < now))
        {
            self.close_idle(place);
        }
    }
}

/// Something that happens to a pool; numbers are taken modulo what there is.
#[derive(Debug, Clone, Copy)]
enum Event {
    Take(usize),
    TakeIdle(usize),
    Reserve(usize),
    GiveBack(usize, u64),
    Vacate(usize),
    Collect(usize),
    Cancel(usize),
    Wait(u64),
    Reap,
    Close,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        10 => (0..NAMES.len()).prop_map(Event::Take),
        1 => (0..NAMES.len()).prop_map(Event::TakeIdle),
        1 => (0..NAMES.len()).prop_map(Event::Reserve),
        6 => (any::<usize>(), 0..90_u64).prop_map(|(which, keep)| Event::GiveBack(which, keep)),
        2 => any::<usize>().prop_map(Event::Vacate),
        4 => any::<usize>().prop_map(Event::Collect),
        2 => any::<usize>().prop_map(Event::Cancel),
        4 => (0..40_u64).prop_map(Event::Wait),
        1 => Just(Event::Reap),
    ]
}

/// Both pools side by side, and those who use them.
struct Pair {
    pool: Pool,
    plain: Plain,
    /// Connections in use: their origins, and their numbers.
    used: Vec<(usize, u32)>,
    /// Those who wait, by the number they have in the plain pool: ticket and origin.
    waiting: Vec<(usize, usize, usize)>,
    /// What the plain pool has handed to whom, not yet collected.
    handed: Handed,
    made: u32,
    asked: usize,
}

impl Pair {
    fn new(bounds: Bounds) -> Self {
        Self {
            pool: Pool::of(bounds),
            plain: Plain {
                limit: bounds.limit,
                per_host: bounds.per_host,
                order: bounds.order,
                open: Vec::new(),
                queue: Vec::new(),
                dropped: Vec::new(),
                closed: false,
            },
            used: Vec::new(),
            waiting: Vec::new(),
            handed: Vec::new(),
            made: 0,
            asked: 0,
        }
    }

    fn make(&mut self, origin: usize) {
        self.used.push((origin, self.made));
        self.made += 1;
        let at = self.pool.at(NAMES[origin]);
        self.pool.slots.dialled(at);
    }

    fn step(&mut self, event: Event) {
        match event {
            Event::Take(origin) => {
                let id = self.asked;
                self.asked += 1;
                let want = self.plain.take(id, origin, self.pool.now);
                match (self.pool.take(NAMES[origin]), want) {
                    (Took::Dial, Took::Dial) => self.make(origin),
                    (Took::Wait(ticket), Took::Wait(_)) => {
                        self.waiting.push((id, ticket, origin));
                    }
                    (Took::Reuse(got), Took::Reuse(want)) => {
                        assert_eq!(got, want);
                        self.used.push((origin, got));
                    }
                    (got, want) => assert_eq!(got, want),
                }
            }
            Event::TakeIdle(origin) => {
                let (now, effects) = (self.pool.now, &mut self.pool.effects);
                let got = self.pool.slots.take_idle(&NAMES[origin], now, effects);
                if let Some((_, _, got, _)) = got {
                    assert_eq!(self.plain.take(0, origin, now), Took::Reuse(got));
                    self.used.push((origin, got));
                } else {
                    // What was too old is gone on both sides.
                    let open = &mut self.plain.open;
                    let gone = |open: &Open| open.origin == origin && open.idle.is_some();
                    let (closed, kept) = mem::take(open).into_iter().partition(gone);
                    *open = kept;
                    let closed: Vec<Open> = closed;
                    for open in closed {
                        let (connection, until) = open.idle.expect("only those");
                        assert!(until < now, "a good one was not taken");
                        self.plain.dropped.push(connection);
                    }
                }
            }
            Event::Reserve(origin) => {
                let at = self.pool.at(NAMES[origin]);
                let plain = &mut self.plain;
                let waited_for = plain.queue.iter().any(|waiter| waiter.origin == origin);
                let free = plain.open.len() < plain.limit && plain.count(origin) < plain.per_host;
                let want = free && !waited_for && !plain.closed;
                assert_eq!(self.pool.slots.reserve(at, usize::MAX), want);
                if want {
                    plain.open.push(Open { origin, idle: None });
                    self.make(origin);
                }
            }
            Event::GiveBack(which, keep) if !self.used.is_empty() => {
                let (origin, connection) = self.used.swap_remove(which % self.used.len());
                let (keep, now) = (
                    u32::try_from(keep).expect("small") * MILLISECOND,
                    self.pool.now,
                );
                let handed = self.plain.give_back(origin, connection, now + keep, now);
                self.handed.extend(handed);
                self.pool.give_back_for(NAMES[origin], connection, keep);
            }
            Event::Vacate(which) if !self.used.is_empty() => {
                let (origin, _) = self.used.swap_remove(which % self.used.len());
                self.handed.extend(self.plain.vacate(origin));
                self.pool.vacate(NAMES[origin]);
            }
            Event::Collect(which) if !self.waiting.is_empty() => {
                let place = which % self.waiting.len();
                let (id, ticket, origin) = self.waiting[place];
                let got = self.pool.collect(ticket);
                let want = self.handed.iter().position(|handed| handed.0 == id);
                match (got, want.map(|place| self.handed.remove(place).1)) {
                    (None, None) => return,
                    (Some(Grant::Reuse(got, _)), Some(Some((want, _)))) => {
                        assert_eq!(got, want);
                        self.used.push((origin, got));
                    }
                    (Some(Grant::Dial), Some(None)) => self.make(origin),
                    (Some(Grant::Closed), None) if self.plain.closed => {}
                    (got, want) => panic!("{got:?} for {want:?}"),
                }
                self.waiting.swap_remove(place);
            }
            Event::Cancel(which) if !self.waiting.is_empty() => {
                let (id, ticket, origin) = self.waiting.swap_remove(which % self.waiting.len());
                let (now, effects) = (self.pool.now, &mut self.pool.effects);
                self.pool.slots.cancel(ticket, now, effects);
                self.plain.queue.retain(|waiter| waiter.id != id);
                if let Some(place) = self.handed.iter().position(|handed| handed.0 == id) {
                    let next = match self.handed.remove(place).1 {
                        Some((connection, until)) => {
                            self.plain.give_back(origin, connection, until, now)
                        }
                        None => self.plain.vacate(origin),
                    };
                    self.handed.extend(next);
                }
            }
            Event::Wait(milliseconds) => self.pool.now += Duration::from_millis(milliseconds),
            Event::Reap => {
                self.plain.reap(self.pool.now);
                let (now, effects) = (self.pool.now, &mut self.pool.effects);
                self.pool.slots.reap(now, effects);
            }
            Event::Close => {
                self.pool.slots.close(&mut self.pool.effects);
                self.plain.closed = true;
                self.plain.queue.clear();
                for (id, handed) in mem::take(&mut self.handed) {
                    let waiter = self.waiting.iter().find(|waiter| waiter.0 == id);
                    self.plain.remove_used(waiter.expect("it waits").2);
                    self.plain
                        .dropped
                        .extend(handed.map(|(connection, _)| connection));
                }
                while let Some(idle) = self.plain.open.iter().position(|open| open.idle.is_some()) {
                    self.plain.close_idle(idle);
                }
            }
            Event::GiveBack(..) | Event::Vacate(_) | Event::Collect(_) | Event::Cancel(_) => {}
        }
        self.compare();
    }

    fn compare(&mut self) {
        let (mut got, mut want) = (self.pool.dropped(), mem::take(&mut self.plain.dropped));
        got.sort_unstable();
        want.sort_unstable();
        assert_eq!(got, want, "closed");
        let (
            plain,
            Stats {
                open,
                idle,
                waiting,
                ..
            },
        ) = (&self.plain, self.pool.slots.stats());
        let idle_ones = plain.open.iter().filter(|open| open.idle.is_some()).count();
        let want = (plain.open.len(), idle_ones, plain.queue.len());
        assert_eq!((open, idle, waiting), want, "open, idle, waiting");
        assert!(open <= plain.limit, "more open than may be");
        for (key, stats) in self.pool.slots.stats_by_key() {
            let origin = NAMES.iter().position(|name| *name == key).expect("a name");
            let waiting = plain.queue.iter().filter(|waiter| waiter.origin == origin);
            assert_eq!(stats.open, plain.count(origin), "{key}");
            assert_eq!(stats.waiting, waiting.count(), "{key}");
            assert!(stats.open <= plain.per_host, "more of {key} than may be");
            // Whom a free slot would help finds none, nor an idle connection.
            let helped = stats.waiting > 0 && stats.open < plain.per_host;
            assert!(
                !helped || (open == plain.limit && idle == 0),
                "{key} waits in vain"
            );
        }
    }

    /// Lets everyone come to an end.
    fn end(&mut self) {
        let mut rounds = 0;
        while !self.used.is_empty() || !self.waiting.is_empty() {
            rounds += 1;
            assert!(rounds < 1_000, "someone waits for ever");
            (0..self.waiting.len()).for_each(|which| self.step(Event::Collect(which)));
            self.step(Event::Vacate(0));
        }
        self.pool.now += SECOND;
        self.step(Event::Reap);
        assert_eq!(self.pool.counts(), (0, 0, 0, 0));
        assert!(self.pool.slots.stats_by_key().is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_does_what_the_plain_pool_does(
        limit in 1..6_usize,
        per_host in 1..4_usize,
        newest in any::<bool>(),
        events in prop::collection::vec(event(), 0..120),
        close in any::<Option<u8>>(),
    ) {
        let order = if newest { ReuseOrder::NewestFirst } else { ReuseOrder::OldestFirst };
        let mut pair = Pair::new(Bounds { limit, per_host, order, ..Bounds::NONE });
        for (number, event) in events.into_iter().enumerate() {
            if close.is_some_and(|close| usize::from(close) == number) {
                pair.step(Event::Close);
            }
            pair.step(event);
        }
        pair.end();
    }
}
