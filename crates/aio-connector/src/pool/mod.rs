//! The pool: connections by origin, with limits, under one short lock.

mod slots;

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use aio_core::RequestUrl;

pub(crate) use self::slots::{Bounds, limit_or_unlimited};
use self::slots::{Effects, Grant, Slots, Take};
use crate::drive::Link;
use crate::key::{ConnectionKey, KeyParts};
use crate::stats::Stats;
use crate::timer::now;

type Key = Arc<ConnectionKey>;

/// The connections of one connector.
pub(crate) struct Pool {
    slots: Mutex<Slots<Key, Box<Link>>>,
    closed: AtomicBool,
}

/// What the pool has for a request.
pub(crate) enum Acquired {
    /// An idle connection.
    Reuse(Key, Box<Link>),
    /// The slot for a new one.
    Dial(Slot),
    /// Nothing: the connector is closed.
    Closed,
}

/// The right to open one connection; dropping it lets the next in the queue.
pub(crate) struct Slot {
    pool: Arc<Pool>,
    key: Key,
    used: bool,
}

impl Slot {
    pub(crate) fn key(&self) -> &Key {
        &self.key
    }

    /// Hands the slot over to the connection that was opened for it.
    pub(crate) fn used(mut self) -> (Arc<Pool>, Key) {
        self.used = true;
        (self.pool.clone(), self.key.clone())
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if !self.used {
            self.pool.vacate(&self.key);
        }
    }
}

impl Pool {
    pub(crate) fn new(bounds: Bounds) -> Arc<Self> {
        Arc::new(Self {
            slots: Mutex::new(Slots::new(bounds)),
            closed: AtomicBool::new(false),
        })
    }

    /// Makes a pool whose one slot, for the origin of `url`, is taken.
    pub(crate) fn of_one(url: &RequestUrl) -> (Arc<Self>, Key) {
        let pool = Self::new(Bounds {
            limit: 1,
            per_host: 1,
            keepalive: None,
        });
        let key = Arc::new(ConnectionKey::from(url));
        let (own, waker) = (Arc::clone(&key), Waker::noop());
        pool.with_slots(|slots, effects| {
            slots.take(&KeyParts::from(url), || own, now(), waker, effects)
        });
        (pool, key)
    }

    /// Gets a connection to the origin of `url`, or the slot for one.
    pub(crate) fn acquire<'a>(self: &'a Arc<Self>, url: &'a RequestUrl) -> Acquire<'a> {
        Acquire {
            pool: self,
            url,
            ticket: None,
        }
    }

    pub(crate) fn give_back(
        &self,
        key: &Key,
        link: Box<Link>,
        now: Instant,
        hint: Option<Duration>,
    ) {
        self.with_slots(|slots, effects| slots.give_back(key, link, now, hint, effects));
    }

    pub(crate) fn vacate(&self, key: &Key) {
        self.with_slots(|slots, effects| slots.vacate(key, effects));
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.with_slots(Slots::close);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(crate) fn stats(&self) -> Stats {
        let (open, idle, waiting) = self.lock().counts();
        Stats {
            open,
            idle,
            waiting,
        }
    }

    /// Changes the slots; wakes and drops when the lock is free again.
    fn with_slots<R>(
        &self,
        change: impl FnOnce(&mut Slots<Key, Box<Link>>, &mut Effects<Box<Link>>) -> R,
    ) -> R {
        let mut effects = Effects::default();
        let result = change(&mut self.lock(), &mut effects);
        effects.carry_out();
        result
    }

    fn lock(&self) -> MutexGuard<'_, Slots<Key, Box<Link>>> {
        // Nothing that can panic runs under the lock but the allocator.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for a connection; dropped, it leaves the queue and passes on what it got.
pub(crate) struct Acquire<'a> {
    pool: &'a Arc<Pool>,
    url: &'a RequestUrl,
    ticket: Option<(Key, u64)>,
}

impl Acquire<'_> {
    /// Tells whether it stands in the queue.
    pub(crate) fn is_queued(&self) -> bool {
        self.ticket.is_some()
    }

    fn reuse(&self, key: Key, mut link: Box<Link>) -> Option<Acquired> {
        if link.is_quiet() {
            return Some(Acquired::Reuse(key, link));
        }
        drop(link);
        None
    }
}

impl Future for Acquire<'_> {
    type Output = Acquired;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Acquired> {
        let pool = self.pool;
        if let Some((key, ticket)) = self.ticket.take() {
            let grant = pool.lock().collect(&key, ticket, cx.waker());
            let slot = |key| Slot {
                pool: Arc::clone(pool),
                key,
                used: false,
            };
            return Poll::Ready(match grant {
                None => {
                    self.ticket = Some((key, ticket));
                    return Poll::Pending;
                }
                Some(Grant::Closed) => Acquired::Closed,
                Some(Grant::Dial) => Acquired::Dial(slot(key)),
                // A dead one leaves its slot to us: nobody overtakes.
                Some(Grant::Reuse(link)) => match self.reuse(key.clone(), link) {
                    Some(reused) => reused,
                    None => Acquired::Dial(slot(key)),
                },
            });
        }
        let url = self.url;
        loop {
            let make = || Arc::new(ConnectionKey::from(url));
            let (key, take) = pool.with_slots(|slots, effects| {
                slots.take(&KeyParts::from(url), make, now(), cx.waker(), effects)
            });
            match take {
                Take::Closed => return Poll::Ready(Acquired::Closed),
                Take::Dial => {
                    return Poll::Ready(Acquired::Dial(Slot {
                        pool: Arc::clone(pool),
                        key,
                        used: false,
                    }));
                }
                Take::Reuse(link) => match self.reuse(key.clone(), link) {
                    Some(reused) => return Poll::Ready(reused),
                    None => pool.vacate(&key),
                },
                Take::Wait(ticket) => {
                    self.ticket = Some((key, ticket));
                    return Poll::Pending;
                }
            }
        }
    }
}

impl Drop for Acquire<'_> {
    fn drop(&mut self) {
        if let Some((key, ticket)) = self.ticket.take() {
            self.pool
                .with_slots(|slots, effects| slots.cancel(&key, ticket, now(), effects));
        }
    }
}
