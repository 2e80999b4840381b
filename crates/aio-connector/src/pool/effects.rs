//! What follows from a change of the slots.

use std::task::Waker;

use smallvec::SmallVec;

use super::idle::Keep;

/// What one who wants a connection gets.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Take<C> {
    /// An idle connection, and for how long it may be kept should nobody use it.
    Reuse(C, Keep),
    /// The slot for a new one.
    Dial,
    /// A place in the queue; see `Slots::collect`.
    Wait(usize),
    /// Nothing any more: the pool is closed.
    Closed,
}

/// What one who waited is handed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Grant<C> {
    /// A connection, and for how long it may be kept should nobody use it.
    Reuse(C, Keep),
    Dial,
    Closed,
}

/// What is to be woken and dropped once the lock is free: a waker that is dropped may
/// drop a task, and that a connection of this same pool.
#[derive(Debug)]
pub(crate) struct Effects<C> {
    pub(crate) wake: SmallVec<[Waker; 1]>,
    pub(crate) wakers: SmallVec<[Waker; 1]>,
    /// Connections to close, and whose slots are free once they are.
    pub(crate) closing: SmallVec<[(C, Option<usize>); 1]>,
    /// The reaper is to look earlier than it thinks.
    pub(crate) reap: bool,
}

impl<C> Default for Effects<C> {
    fn default() -> Self {
        Self {
            wake: SmallVec::new(),
            wakers: SmallVec::new(),
            closing: SmallVec::new(),
            reap: false,
        }
    }
}

impl<C> Effects<C> {
    /// Tells whether nothing follows, as from most changes.
    pub(crate) fn is_empty(&self) -> bool {
        self.wake.is_empty() && self.wakers.is_empty() && self.closing.is_empty() && !self.reap
    }

    /// Drops and wakes; gives the origins whose slots are free then.
    pub(crate) fn carry_out(self) -> SmallVec<[usize; 1]> {
        drop(self.wakers);
        let freed = self.closing.into_iter().filter_map(|(connection, slot)| {
            // The socket first: the slot stands for it.
            drop(connection);
            slot
        });
        let freed = freed.collect();
        self.wake.into_iter().for_each(Waker::wake);
        freed
    }
}
