//! The pool under every order in which its threads can run: waiters, hand-over,
//! cancelling and closing.
//!
//! The pool's own sources are compiled here once more, over loom's mutex.

#![expect(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "the model uses but a part of the pool"
)]

#[path = "../src/pool/mod.rs"]
mod pool;
#[path = "../src/stats.rs"]
mod stats;

mod sync {
    pub(crate) use loom::sync::atomic::{AtomicBool, Ordering};
    pub(crate) use loom::sync::{Mutex, MutexGuard};
}

mod timer {
    /// Time stands still.
    pub(crate) fn now() -> std::time::Instant {
        static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
        *START.get_or_init(std::time::Instant::now)
    }
}

use std::future::Future;
use std::hash::{Hash, Hasher};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use indexmap::Equivalent;
use loom::future::block_on;
use loom::thread;

use self::pool::{Acquired, Bounds, Kept, Slot, Wanted};

type Pool = pool::Pool<u8, Wire>;

/// A connection.
struct Wire;

impl Kept for Wire {
    fn is_quiet(&mut self) -> bool {
        true
    }

    fn created(&self) -> Instant {
        timer::now()
    }

    fn requests(&self) -> u64 {
        0
    }
}

struct To(u8);

impl Hash for To {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl Equivalent<u8> for To {
    fn equivalent(&self, key: &u8) -> bool {
        self.0 == *key
    }
}

impl Wanted<u8> for To {
    fn to_key(&self) -> u8 {
        self.0
    }
}

fn pool(limit: usize) -> Arc<Pool> {
    Pool::new(Bounds {
        limit,
        ..Bounds::NONE
    })
}

/// What a request comes to.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Served,
    Closed,
}

/// A request: gets a connection, makes it if it must, and gives it back.
fn request(pool: &Arc<Pool>, origin: u8) -> Outcome {
    match block_on(pool.acquire(To(origin))) {
        Acquired::Closed => Outcome::Closed,
        Acquired::Dial(slot) => {
            serve(dialled(slot), Wire);
            Outcome::Served
        }
        Acquired::Reuse(slot, wire) => {
            serve(slot, wire);
            Outcome::Served
        }
    }
}

fn dialled(mut slot: Slot<u8, Wire>) -> Slot<u8, Wire> {
    slot.dialled();
    slot
}

fn serve(slot: Slot<u8, Wire>, wire: Wire) {
    assert!(slot.pool().stats().open <= 1, "more open than may be");
    slot.give_back(wire, None, timer::now());
}

/// A request that is polled once and given up.
fn half_a_request(pool: &Arc<Pool>, origin: u8) {
    let mut acquire = pin!(pool.acquire(To(origin)));
    let polled = acquire
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    if let Poll::Ready(Acquired::Dial(slot)) = polled {
        drop(slot);
    }
}

fn counts(pool: &Pool) -> (usize, usize, usize, usize) {
    let stats = pool.stats();
    (stats.open, stats.idle, stats.dialling, stats.waiting)
}

fn first(pool: &Arc<Pool>, origin: u8) -> Slot<u8, Wire> {
    let mut acquire = pool.acquire(To(origin));
    let polled = Pin::new(&mut acquire).poll(&mut Context::from_waker(Waker::noop()));
    match polled {
        Poll::Ready(Acquired::Dial(slot)) => dialled(slot),
        _ => panic!("the slot is free"),
    }
}

#[test]
fn everyone_is_served() {
    loom::model(|| {
        let pool = pool(1);
        let other = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || request(&pool, 1))
        };
        assert_eq!(request(&pool, 1), Outcome::Served);
        assert_eq!(other.join().expect("no panic"), Outcome::Served);
        assert_eq!(counts(&pool), (1, 1, 0, 0));
    });
}

#[test]
fn another_origin_is_served_too() {
    loom::model(|| {
        let pool = pool(1);
        let other = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || request(&pool, 2))
        };
        assert_eq!(request(&pool, 1), Outcome::Served);
        assert_eq!(other.join().expect("no panic"), Outcome::Served);
        assert_eq!(counts(&pool), (1, 1, 0, 0));
    });
}

/// Gives up one of two who wait for the connection that `end` parts with.
fn cancel(end: impl Fn(Slot<u8, Wire>) + Send + Sync + 'static) {
    loom::model(move || {
        let pool = pool(1);
        let slot = first(&pool, 1);
        let cancelled = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || half_a_request(&pool, 1))
        };
        let patient = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || request(&pool, 1))
        };
        end(slot);
        cancelled.join().expect("no panic");
        assert_eq!(patient.join().expect("no panic"), Outcome::Served);
        let (open, idle, dialling, waiting) = counts(&pool);
        assert_eq!((dialling, waiting), (0, 0));
        assert!(open == idle, "all that is open is idle");
    });
}

#[test]
fn a_connection_that_a_cancelled_waiter_was_handed_goes_on() {
    cancel(|slot| slot.give_back(Wire, None, timer::now()));
}

#[test]
fn a_slot_that_a_cancelled_waiter_was_handed_goes_on() {
    cancel(drop);
}

#[test]
fn a_connection_that_breaks_lets_the_next_in() {
    loom::model(|| {
        let pool = pool(1);
        let slot = first(&pool, 1);
        let patient = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || request(&pool, 2))
        };
        drop(slot);
        assert_eq!(patient.join().expect("no panic"), Outcome::Served);
        assert_eq!(counts(&pool), (1, 1, 0, 0));
    });
}

#[test]
fn closing_leaves_nobody_waiting_and_nothing_open() {
    loom::model(|| {
        let pool = pool(1);
        let slot = first(&pool, 1);
        let waiter = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || request(&pool, 1))
        };
        let closer = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || pool.close())
        };
        slot.give_back(Wire, None, timer::now());
        // Served or sent away, but not left alone.
        waiter.join().expect("no panic");
        closer.join().expect("no panic");
        assert_eq!(counts(&pool), (0, 0, 0, 0));
        assert!(pool.is_closed());
        assert_eq!(request(&pool, 1), Outcome::Closed);
    });
}

#[test]
fn a_gentle_close_sees_the_last_connection_end() {
    loom::model(|| {
        let pool = pool(1);
        let slot = first(&pool, 1);
        let user = thread::spawn(move || slot.give_back(Wire, None, timer::now()));
        pool.close_gently();
        block_on(pool.emptied());
        assert_eq!(counts(&pool), (0, 0, 0, 0));
        user.join().expect("no panic");
    });
}
