//! The pool: connections by origin, with limits, under one short lock.
//!
//! One lock for all origins, not one for each: who is next is asked over all of them, and
//! what is done under it is a look-up and a few moves.

pub(crate) mod bounds;
pub(crate) mod effects;
pub(crate) mod idle;
mod reaper;
pub(crate) mod slots;
mod user;

use std::future::{Future, poll_fn};
use std::hash::Hash;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use indexmap::Equivalent;

pub use self::bounds::ReuseOrder;
pub(crate) use self::bounds::{Bounds, Served, limit_or_unlimited};
use self::effects::{Effects, Grant, Take};
use self::idle::Keep;
use self::reaper::Reaper;
use self::slots::Slots;
pub(crate) use self::user::User;
use self::user::Users;
use crate::stats::{Eviction, KeyStats, Stats};
use crate::sync::{AtomicBool, Mutex, MutexGuard, Ordering};
use crate::timer::now;

/// The connections `C` of one connector, by origin `K`.
pub(crate) struct Pool<K, C>
where
    K: Hash + Eq + Clone + Send + 'static,
    C: Kept,
{
    bounds: Bounds,
    slots: Mutex<Slots<K, C>>,
    /// Nobody gets a connection any more.
    closing: AtomicBool,
    /// Whoever has one must not use it any more.
    closed: AtomicBool,
    users: Users,
    reaper: Reaper,
}

/// A connection that a pool can keep.
pub(crate) trait Kept: Send + 'static {
    /// Tells whether it is open and silent, when it was idle.
    fn is_quiet(&mut self) -> bool;

    /// Returns when it was made.
    fn created(&self) -> Instant;

    /// Returns how many requests it has served.
    fn requests(&self) -> u64;
}

/// Whom a connection is wanted to.
pub(crate) trait Wanted<K>: Hash + Equivalent<K> {
    /// Makes the key of that origin.
    fn to_key(&self) -> K;
}

/// What the pool has for a request.
pub(crate) enum Acquired<K, C>
where
    K: Hash + Eq + Clone + Send + 'static,
    C: Kept,
{
    /// An idle connection, and its slot.
    Reuse(Slot<K, C>, C),
    /// The slot for a new one.
    Dial(Slot<K, C>),
    /// Nothing: the connector is closed.
    Closed,
}

/// The right to have one connection open; dropping it lets the next in the queue.
pub(crate) struct Slot<K, C>
where
    K: Hash + Eq + Clone + Send + 'static,
    C: Kept,
{
    pool: Arc<Pool<K, C>>,
    key: K,
    origin: usize,
    phase: SlotPhase,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum SlotPhase {
    /// Its connection is being made.
    Dialling,
    /// Its connection is in use; how long it might have been idle, if it was.
    Serving(Option<Keep>),
    /// It went back together with its connection.
    Returned,
}

impl<K, C> Slot<K, C>
where
    K: Hash + Eq + Clone + Send + 'static,
    C: Kept,
{
    fn new(pool: &Arc<Pool<K, C>>, key: K, origin: usize, phase: SlotPhase) -> Self {
        Self {
            pool: Arc::clone(pool),
            key,
            origin,
            phase,
        }
    }

    /// Makes the slot of a connection that belongs to no connector.
    pub(crate) fn of_its_own(wanted: &impl Wanted<K>) -> Self {
        let pool = Pool::new(Bounds::NONE);
        let key = wanted.to_key();
        let origin = pool.with_slots(|slots, _| {
            let at = slots.origin(wanted, || key.clone());
            slots.reserve(at, 1);
            at
        });
        let mut slot = Self::new(&pool, key, origin, SlotPhase::Dialling);
        slot.dialled();
        slot
    }

    pub(crate) fn key(&self) -> &K {
        &self.key
    }

    pub(crate) fn pool(&self) -> &Pool<K, C> {
        &self.pool
    }

    /// Makes the user of the connection that is opened for this slot.
    pub(crate) fn user(&self) -> Arc<User> {
        let user = Arc::default();
        self.pool.users.enter(&user);
        user
    }

    /// Notes that its connection is made.
    pub(crate) fn dialled(&mut self) {
        self.phase = SlotPhase::Serving(None);
        self.pool.with_slots(|slots, _| slots.dialled(self.origin));
    }

    /// Gives a connection that can be used again back together with its slot; its server
    /// keeps it for as long as `hint`, if that said so.
    pub(crate) fn give_back(mut self, connection: C, hint: Option<Duration>, now: Instant) {
        let served = Served {
            created: connection.created(),
            requests: connection.requests(),
            hint,
        };
        match self.pool.bounds.keep(served, now) {
            Ok(keep) => {
                self.phase = SlotPhase::Returned;
                self.pool.with_slots(|slots, effects| {
                    slots.give_back(self.origin, connection, keep, now, effects);
                });
            }
            Err(eviction) => self.give_up(connection, eviction),
        }
    }

    /// Gives a connection back that nobody has used, as it came.
    pub(crate) fn give_back_unused(mut self, connection: C, now: Instant) {
        let SlotPhase::Serving(Some(keep)) = self.phase else {
            return self.give_back(connection, None, now);
        };
        self.phase = SlotPhase::Returned;
        self.pool.with_slots(|slots, effects| {
            slots.give_back_unused(self.origin, connection, keep, now, effects);
        });
    }

    /// Has another connection made in place of one that was found dead: whoever waits was
    /// not here before.
    fn redial(mut self, dead: C) -> Self {
        drop(dead);
        self.phase = SlotPhase::Dialling;
        self.pool.with_slots(|slots, _| slots.redial(self.origin));
        self
    }

    /// Closes a connection that the pool does not keep.
    fn give_up(mut self, connection: C, eviction: Eviction) {
        // The socket first: the slot stands for it.
        drop(connection);
        self.phase = SlotPhase::Returned;
        self.pool
            .with_slots(|slots, effects| slots.give_up(self.origin, eviction, effects));
    }
}

impl<K, C> Drop for Slot<K, C>
where
    K: Hash + Eq + Clone + Send + 'static,
    C: Kept,
{
    fn drop(&mut self) {
        if self.phase != SlotPhase::Returned {
            let dialling = self.phase == SlotPhase::Dialling;
            self.pool
                .with_slots(|slots, effects| slots.vacate(self.origin, dialling, effects));
        }
    }
}

impl<K, C> Pool<K, C>
where
    K: Hash + Eq + Clone + Send + 'static,
    C: Kept,
{
    pub(crate) fn new(bounds: Bounds) -> Arc<Self> {
        Arc::new(Self {
            bounds,
            slots: Mutex::new(Slots::new(bounds)),
            closing: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            users: Users::default(),
            reaper: Reaper::default(),
        })
    }

    /// Returns its limits.
    pub(crate) fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// Gets an idle connection that is open and silent, if nobody need wait for it.
    pub(crate) fn at_hand(
        self: &Arc<Self>,
        wanted: &impl Wanted<K>,
        now: Instant,
    ) -> Option<(Slot<K, C>, C)> {
        loop {
            let (key, origin, mut connection, keep) =
                self.with_slots(|slots, effects| slots.take_idle(wanted, now, effects))?;
            let slot = Slot::new(self, key, origin, SlotPhase::Serving(Some(keep)));
            if connection.is_quiet() {
                return Some((slot, connection));
            }
            slot.give_up(connection, Eviction::Stale);
        }
    }

    /// Gets a connection, or the slot for one; waits in the queue when limits are reached.
    pub(crate) fn acquire<W: Wanted<K>>(self: &Arc<Self>, wanted: W) -> Acquire<'_, K, C, W> {
        Acquire {
            pool: self,
            wanted,
            ticket: None,
        }
    }

    /// Gets the slot for another connection if one is free and fewer than `most` are open.
    pub(crate) fn reserve(
        self: &Arc<Self>,
        wanted: &impl Wanted<K>,
        most: usize,
    ) -> Option<Slot<K, C>> {
        let (key, origin) = self.with_slots(|slots, _| {
            let at = slots.origin(wanted, || wanted.to_key());
            let key = slots.key(at);
            slots.reserve(at, most).then_some((key, at))
        })?;
        Some(Slot::new(self, key, origin, SlotPhase::Dialling))
    }

    /// Closes idle connections and sends all away who wait; what is in use may be used on.
    pub(crate) fn close_gently(self: &Arc<Self>) {
        self.closing.store(true, Ordering::Release);
        self.with_slots(Slots::close);
        self.reaper.end();
    }

    /// Closes everything; who uses a connection is woken to notice.
    pub(crate) fn close(self: &Arc<Self>) {
        self.closed.store(true, Ordering::Release);
        self.close_gently();
        self.users.wake();
    }

    /// Waits until no connection of the closed pool is open.
    pub(crate) async fn emptied(self: &Arc<Self>) {
        poll_fn(|cx| {
            if self.with_slots(|slots, _| slots.is_empty(cx.waker())) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    /// Tells whether nobody gets a connection any more.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Tells whether connections in use must not be used any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(crate) fn stats(&self) -> Stats {
        self.lock().stats()
    }

    pub(crate) fn stats_by_key(&self) -> Vec<(K, KeyStats)> {
        self.lock().stats_by_key()
    }

    /// Closes some connections that were idle for too long; returns when to look again.
    fn reap(self: &Arc<Self>) -> Option<Instant> {
        self.with_slots(|slots, effects| slots.reap(now(), effects))
    }

    fn reaper_ended(&self) {
        self.lock().reaper_ended();
    }

    /// Changes the slots; wakes and drops when the lock is free again.
    fn with_slots<R>(
        self: &Arc<Self>,
        change: impl FnOnce(&mut Slots<K, C>, &mut Effects<C>) -> R,
    ) -> R {
        let mut effects = Effects::default();
        let result = change(&mut self.lock(), &mut effects);
        if !effects.is_empty() {
            self.carry_out(effects);
        }
        result
    }

    #[cold]
    fn carry_out(self: &Arc<Self>, effects: Effects<C>) {
        if effects.reap {
            self.reaper.rouse(self);
        }
        let mut freed = effects.carry_out();
        while !freed.is_empty() {
            let mut effects = Effects::default();
            for origin in freed {
                self.lock().vacate(origin, false, &mut effects);
            }
            freed = effects.carry_out();
        }
    }

    #[cfg(test)]
    pub(crate) fn is_locked(&self) -> bool {
        self.slots.try_lock().is_err()
    }

    fn lock(&self) -> MutexGuard<'_, Slots<K, C>> {
        // Of what runs under the lock only the allocator and foreign wakers' clones can
        // panic, and neither between two changes that belong together.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, C> Drop for Pool<K, C>
where
    K: Hash + Eq + Clone + Send + 'static,
    C: Kept,
{
    fn drop(&mut self) {
        self.reaper.end();
    }
}

/// Waits for a connection; dropped, it leaves the queue and passes on what it got.
pub(crate) struct Acquire<'a, K, C, W>
where
    K: Hash + Eq + Clone + Send + 'static,
    C: Kept,
{
    pool: &'a Arc<Pool<K, C>>,
    wanted: W,
    ticket: Option<Ticket<K>>,
}

/// A place in the queue of an origin.
struct Ticket<K> {
    key: K,
    origin: usize,
    number: usize,
}

impl<K, C, W> Acquire<'_, K, C, W>
where
    K: Hash + Eq + Clone + Send + 'static,
    C: Kept,
{
    /// Tells whether it stands in the queue.
    pub(crate) fn is_queued(&self) -> bool {
        self.ticket.is_some()
    }

    /// Looks whether it was handed something.
    fn collect(&mut self, cx: &Context<'_>) -> Poll<Acquired<K, C>> {
        let pool = self.pool;
        let number = self.ticket.as_ref().map(|ticket| ticket.number);
        let grant = number.and_then(|number| {
            pool.with_slots(|slots, effects| slots.collect(number, cx.waker(), effects))
        });
        let Some((ticket, grant)) = grant.and_then(|grant| Some((self.ticket.take()?, grant)))
        else {
            return Poll::Pending;
        };
        let slot = |phase| Slot::new(pool, ticket.key, ticket.origin, phase);
        Poll::Ready(match grant {
            Grant::Closed => Acquired::Closed,
            Grant::Dial => Acquired::Dial(slot(SlotPhase::Dialling)),
            Grant::Reuse(mut connection, keep) => {
                let slot = slot(SlotPhase::Serving(Some(keep)));
                if connection.is_quiet() {
                    Acquired::Reuse(slot, connection)
                } else {
                    Acquired::Dial(slot.redial(connection))
                }
            }
        })
    }
}

impl<K, C, W> Future for Acquire<'_, K, C, W>
where
    K: Hash + Eq + Clone + Send + Unpin + 'static,
    C: Kept,
    W: Wanted<K> + Unpin,
{
    type Output = Acquired<K, C>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Acquired<K, C>> {
        if self.ticket.is_some() {
            return self.collect(cx);
        }
        let (pool, wanted) = (self.pool, &self.wanted);
        let (key, origin, take) = pool.with_slots(|slots, effects| {
            let at = slots.origin(wanted, || wanted.to_key());
            let key = slots.key(at);
            (key, at, slots.take(at, now(), cx.waker(), effects))
        });
        Poll::Ready(match take {
            Take::Closed => Acquired::Closed,
            Take::Dial => Acquired::Dial(Slot::new(pool, key, origin, SlotPhase::Dialling)),
            Take::Wait(number) => {
                self.ticket = Some(Ticket {
                    key,
                    origin,
                    number,
                });
                return Poll::Pending;
            }
            Take::Reuse(mut connection, keep) => {
                let slot = Slot::new(pool, key, origin, SlotPhase::Serving(Some(keep)));
                if connection.is_quiet() {
                    Acquired::Reuse(slot, connection)
                } else if let Some((other, alive)) = pool.at_hand(wanted, now()) {
                    slot.give_up(connection, Eviction::Stale);
                    Acquired::Reuse(other, alive)
                } else {
                    Acquired::Dial(slot.redial(connection))
                }
            }
        })
    }
}

impl<K, C, W> Drop for Acquire<'_, K, C, W>
where
    K: Hash + Eq + Clone + Send + 'static,
    C: Kept,
{
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.pool
                .with_slots(|slots, effects| slots.cancel(ticket.number, now(), effects));
        }
    }
}
