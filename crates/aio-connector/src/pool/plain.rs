//! The slots beside a simpler pool, which is to do the same.

use std::mem;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::{MILLISECOND, Pool, SECOND, Took};
use crate::pool::bounds::{Bounds, ReuseOrder};
use crate::pool::effects::Grant;
use crate::stats::Stats;

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

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
