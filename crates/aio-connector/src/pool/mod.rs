//! The pool: connections by origin, with limits, under one short lock.

mod slots;

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

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
    /// Who is to be told when the pool is closed: whoever uses a connection then.
    users: Mutex<Vec<Weak<User>>>,
}

/// Whoever uses a connection, to be woken when its pool is closed.
#[derive(Debug, Default)]
pub(crate) struct User(Mutex<Option<Waker>>);

impl User {
    /// Has `waker` woken instead of the one before.
    pub(crate) fn is_waiting(&self, waker: &Waker) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.as_ref().is_none_or(|kept| !kept.will_wake(waker)) {
            let before = kept.replace(waker.clone());
            drop(kept);
            drop(before);
        }
    }

    /// Forgets the waker: the connection is in nobody's use.
    pub(crate) fn rests(&self) {
        let before = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(before);
    }
}

/// What the pool has for a request.
pub(crate) enum Acquired {
    /// An idle connection, and its slot.
    Reuse(Slot, Box<Link>),
    /// The slot for a new one.
    Dial(Slot),
    /// Nothing: the connector is closed.
    Closed,
}

/// The right to have one connection open; dropping it lets the next in the queue.
pub(crate) struct Slot {
    pool: Arc<Pool>,
    key: Key,
    /// The slot went back together with its connection.
    returned: bool,
}

impl Slot {
    fn new(pool: &Arc<Pool>, key: Key) -> Self {
        Self {
            pool: Arc::clone(pool),
            key,
            returned: false,
        }
    }

    /// Makes the slot of a connection that belongs to no connector.
    pub(crate) fn of_its_own(url: &RequestUrl) -> Self {
        let pool = Pool::new(Bounds {
            limit: 1,
            per_host: 1,
            keepalive: None,
        });
        let (key, waker) = (Arc::new(ConnectionKey::from(url)), Waker::noop());
        let own = || Arc::clone(&key);
        pool.with_slots(|slots, effects| {
            slots.take(&KeyParts::from(url), own, now(), waker, effects)
        });
        Self::new(&pool, key)
    }

    pub(crate) fn key(&self) -> &Key {
        &self.key
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Makes the user of the connection that is opened for this slot.
    pub(crate) fn user(&self) -> Arc<User> {
        let user = Arc::default();
        self.pool.enter(&user);
        user
    }

    /// Gives a connection that can be used again back together with its slot; it is kept
    /// for at most `hint`.
    pub(crate) fn give_back(mut self, link: Box<Link>, hint: Option<Duration>) {
        self.returned = true;
        self.pool.with_slots(|slots, effects| {
            slots.give_back(&self.key, link, now(), hint, effects);
        });
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if !self.returned {
            self.pool
                .with_slots(|slots, effects| slots.vacate(&self.key, effects));
        }
    }
}

impl Pool {
    pub(crate) fn new(bounds: Bounds) -> Arc<Self> {
        Arc::new(Self {
            slots: Mutex::new(Slots::new(bounds)),
            closed: AtomicBool::new(false),
            users: Mutex::default(),
        })
    }

    /// Gets a connection to the origin of `url`, or the slot for one.
    pub(crate) fn acquire<'a>(self: &'a Arc<Self>, url: &'a RequestUrl) -> Acquire<'a> {
        Acquire {
            pool: self,
            url,
            ticket: None,
        }
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.with_slots(Slots::close);
        let users = std::mem::take(&mut *self.users());
        for user in users.iter().filter_map(Weak::upgrade) {
            let waker = user.0.lock().unwrap_or_else(PoisonError::into_inner).take();
            waker.into_iter().for_each(Waker::wake);
        }
    }

    /// Enters the user of a new connection.
    fn enter(&self, user: &Arc<User>) {
        let mut users = self.users();
        // Now and then those of closed connections are cleared away.
        if users.len() == users.capacity() {
            users.retain(|user| user.strong_count() > 0);
        }
        users.push(Arc::downgrade(user));
    }

    fn users(&self) -> MutexGuard<'_, Vec<Weak<User>>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
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
}

impl Future for Acquire<'_> {
    type Output = Acquired;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Acquired> {
        let (pool, url) = (self.pool, self.url);
        if let Some((key, ticket)) = self.ticket.take() {
            let grant =
                pool.with_slots(|slots, effects| slots.collect(&key, ticket, cx.waker(), effects));
            return Poll::Ready(match grant {
                None => {
                    self.ticket = Some((key, ticket));
                    return Poll::Pending;
                }
                Some(Grant::Closed) => Acquired::Closed,
                Some(Grant::Dial) => Acquired::Dial(Slot::new(pool, key)),
                Some(Grant::Reuse(mut link, _)) => {
                    let slot = Slot::new(pool, key);
                    if link.is_quiet() {
                        Acquired::Reuse(slot, link)
                    } else {
                        // A dead one leaves its slot to us: nobody overtakes.
                        drop(link);
                        Acquired::Dial(slot)
                    }
                }
            });
        }
        loop {
            let make = || Arc::new(ConnectionKey::from(url));
            let (key, take) = pool.with_slots(|slots, effects| {
                slots.take(&KeyParts::from(url), make, now(), cx.waker(), effects)
            });
            match take {
                Take::Closed => return Poll::Ready(Acquired::Closed),
                Take::Dial => return Poll::Ready(Acquired::Dial(Slot::new(pool, key))),
                Take::Wait(ticket) => {
                    self.ticket = Some((key, ticket));
                    return Poll::Pending;
                }
                Take::Reuse(mut link) => {
                    let slot = Slot::new(pool, key);
                    if link.is_quiet() {
                        return Poll::Ready(Acquired::Reuse(slot, link));
                    }
                    // The socket first: the slot stands for it.
                    drop(link);
                    drop(slot);
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

#[cfg(test)]
mod tests {
    use std::task::Wake;

    use super::*;

    /// A waker that notes, when it is dropped, whether the locks were free: what a waker
    /// keeps alive may be a task with a connection of this same pool.
    struct Owner {
        is_free: Box<dyn Fn() -> bool + Send + Sync>,
        dropped: Arc<Mutex<Vec<bool>>>,
    }

    impl Owner {
        fn waker(
            dropped: &Arc<Mutex<Vec<bool>>>,
            is_free: impl Fn() -> bool + Send + Sync + 'static,
        ) -> Waker {
            let (is_free, dropped) = (Box::new(is_free), Arc::clone(dropped));
            Waker::from(Arc::new(Self { is_free, dropped }))
        }
    }

    impl Wake for Owner {
        fn wake(self: Arc<Self>) {}
    }

    impl Drop for Owner {
        fn drop(&mut self) {
            self.dropped
                .lock()
                .expect("no panic")
                .push((self.is_free)());
        }
    }

    fn pool() -> Arc<Pool> {
        Pool::new(Bounds {
            limit: 1,
            per_host: 1,
            keepalive: None,
        })
    }

    /// Has a request wait with an [`Owner`], and tells what that noted when `end` is over.
    #[track_caller]
    fn check(what: &str, end: impl FnOnce(&Arc<Pool>, Pin<&mut Option<Acquire<'_>>>, Slot)) {
        let pool = pool();
        let url = RequestUrl::parse("http://a.test/").expect("a URL");
        let mut noop = Context::from_waker(Waker::noop());
        let Poll::Ready(Acquired::Dial(slot)) = Pin::new(&mut pool.acquire(&url)).poll(&mut noop)
        else {
            panic!("the slot is free");
        };
        let dropped = Arc::default();
        let shared = Arc::clone(&pool);
        let owner = Owner::waker(&dropped, move || shared.slots.try_lock().is_ok());
        let mut second = Some(pool.acquire(&url));
        let polled = Pin::new(&mut second)
            .as_pin_mut()
            .expect("made above")
            .poll(&mut Context::from_waker(&owner));
        assert!(polled.is_pending(), "{what}");
        drop(owner);
        assert!(dropped.lock().expect("no panic").is_empty(), "{what}");
        end(&pool, Pin::new(&mut second), slot);
        let dropped = dropped.lock().expect("no panic").clone();
        assert_eq!(dropped, [true], "{what}: once, and without the lock");
    }

    #[test]
    fn wakers_are_dropped_without_the_lock() {
        check("given up", |_, mut second, _| second.set(None));
        check("polled by another", |_, second, _| {
            let again = second.as_pin_mut().expect("it waits");
            let polled = again.poll(&mut Context::from_waker(Waker::noop()));
            assert!(polled.is_pending(), "the slot is taken");
        });
        check("woken by a free slot", |_, _, slot| drop(slot));
        check("woken by the closing", |pool, _, _| pool.close());
    }

    #[test]
    fn users_drop_their_wakers_without_their_lock() {
        let (pool, user, dropped) = (pool(), Arc::new(User::default()), Arc::default());
        let owner = || {
            let (pool, user) = (Arc::clone(&pool), Arc::clone(&user));
            Owner::waker(&dropped, move || {
                pool.users.try_lock().is_ok() && user.0.try_lock().is_ok()
            })
        };
        pool.enter(&user);
        user.is_waiting(&owner());
        user.is_waiting(&owner());
        user.rests();
        user.is_waiting(&owner());
        pool.close();
        assert_eq!(*dropped.lock().expect("no panic"), [true; 3]);
    }
}
