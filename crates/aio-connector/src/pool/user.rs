//! Those who use connections, to be woken when their pool is closed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;

/// Whoever uses a connection.
#[derive(Debug, Default)]
pub(crate) struct User(Mutex<Option<Waker>>);

impl User {
    /// Has `waker` woken instead of the one before.
    pub(crate) fn is_waiting(&self, waker: &Waker) {
        let mut kept = self.kept();
        if kept.as_ref().is_none_or(|kept| !kept.will_wake(waker)) {
            let before = kept.replace(waker.clone());
            drop(kept);
            drop(before);
        }
    }

    /// Forgets the waker: the connection is in nobody's use.
    pub(crate) fn rests(&self) {
        let before = self.kept().take();
        drop(before);
    }

    fn wake(&self) {
        let waker = self.kept().take();
        waker.into_iter().for_each(Waker::wake);
    }

    fn kept(&self) -> MutexGuard<'_, Option<Waker>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All users of a pool's connections.
#[derive(Debug, Default)]
pub(super) struct Users(Mutex<Vec<Weak<User>>>);

impl Users {
    /// Enters the user of a new connection.
    pub(super) fn enter(&self, user: &Arc<User>) {
        let mut users = self.all();
        // Now and then those of closed connections are cleared away.
        if users.len() == users.capacity() {
            users.retain(|user| user.strong_count() > 0);
        }
        users.push(Arc::downgrade(user));
    }

    pub(super) fn wake(&self) {
        let users = std::mem::take(&mut *self.all());
        for user in users.iter().filter_map(Weak::upgrade) {
            user.wake();
        }
    }

    fn all(&self) -> MutexGuard<'_, Vec<Weak<User>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Wake;

    use super::*;

    /// Notes, when it is dropped, whether the locks are free: what a waker keeps alive may
    /// be a task with a connection of the same pool.
    struct Owner {
        users: Arc<Users>,
        user: Arc<User>,
        dropped: Arc<Mutex<Vec<bool>>>,
    }

    impl Wake for Owner {
        fn wake(self: Arc<Self>) {}
    }

    impl Drop for Owner {
        fn drop(&mut self) {
            let free = self.users.0.try_lock().is_ok() && self.user.0.try_lock().is_ok();
            self.dropped.lock().expect("no panic").push(free);
        }
    }

    #[test]
    fn wakers_are_dropped_without_a_lock() {
        let (users, user) = (Arc::new(Users::default()), Arc::new(User::default()));
        let dropped = Arc::default();
        let owner = || {
            Waker::from(Arc::new(Owner {
                users: Arc::clone(&users),
                user: Arc::clone(&user),
                dropped: Arc::clone(&dropped),
            }))
        };
        users.enter(&user);
        user.is_waiting(&owner());
        user.is_waiting(&owner());
        user.rests();
        user.is_waiting(&owner());
        users.wake();
        assert_eq!(*dropped.lock().expect("no panic"), [true; 3]);
    }
}
