//! The way to the core of a socket: alone, or shared with other tasks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite};

use super::core::Core;
use crate::WsMessage;

/// A core, and whether others have it too.
pub(super) enum Link<S: AsyncRead + AsyncWrite + Unpin> {
    /// Nobody else has it: no lock.
    Own(Box<Core<S>>),
    /// Other halves or a keeper have it too.
    Shared(Arc<Shared<S>>, Party),
}

/// A core that several tasks use, one poll at a time.
pub(super) struct Shared<S: AsyncRead + AsyncWrite + Unpin> {
    core: Mutex<Core<S>>,
    readable: Arc<Bell>,
    writable: Arc<Bell>,
    /// What the stream is polled with: `readable` and `writable`.
    wakers: [Waker; 2],
}

/// Who waits for a shared core: each is one task at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Party {
    /// The whole socket, or its reading half.
    Reader,
    /// The writing half.
    Writer,
    /// The task of the heartbeat.
    Keeper,
}

/// What a poll of the stream may wake.
#[derive(Clone, Copy)]
pub(super) struct Wakers<'a> {
    pub(super) read: &'a Waker,
    pub(super) write: &'a Waker,
}

impl<'a> Wakers<'a> {
    pub(super) const fn of(waker: &'a Waker) -> Self {
        Self {
            read: waker,
            write: waker,
        }
    }
}

/// The parties that wait for one direction of the stream.
///
/// A stream remembers only the last waker of each direction, so that a pong written by the
/// reading task would make it forget the writing one. It is given this one, which wakes all.
#[derive(Default)]
struct Bell {
    waiting: [Mutex<Option<Waker>>; 3],
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        for waiting in &self.waiting {
            let waker = lock(waiting).take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

impl Bell {
    /// Has `party` woken by `waker` the next time.
    fn register(&self, party: Party, waker: &Waker) {
        let mut waiting = lock(self.of(party));
        let is_known = waiting.as_ref().is_some_and(|known| known.will_wake(waker));
        if !is_known {
            let old = waiting.replace(waker.clone());
            // A waker may hold a task, and that a half of this socket.
            drop(waiting);
            drop(old);
        }
    }

    fn forget(&self, party: Party) {
        let waker = lock(self.of(party)).take();
        drop(waker);
    }

    fn of(&self, party: Party) -> &Mutex<Option<Waker>> {
        let [reader, writer, keeper] = &self.waiting;
        match party {
            Party::Reader => reader,
            Party::Writer => writer,
            Party::Keeper => keeper,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Shared<S> {
    pub(super) fn new(core: Core<S>) -> Arc<Self> {
        let (readable, writable) = (Arc::<Bell>::default(), Arc::<Bell>::default());
        Arc::new(Self {
            core: Mutex::new(core),
            wakers: [readable.clone().into(), writable.clone().into()],
            readable,
            writable,
        })
    }

    /// Polls the core for `party`, whose task is woken when it is worth another try.
    pub(super) fn poll<R>(
        &self,
        party: Party,
        cx: &Context<'_>,
        poll: impl FnOnce(&mut Core<S>, Wakers<'_>) -> R,
    ) -> R {
        self.readable.register(party, cx.waker());
        self.writable.register(party, cx.waker());
        self.attempt(poll)
    }

    /// Polls the core for the keeper; see [`Core::poll_keep`].
    pub(super) fn poll_keep(&self, cx: &Context<'_>) -> Option<Instant> {
        let (next, receiving) = self.poll(Party::Keeper, cx, |core, wakers| {
            (core.poll_keep(wakers), core.is_receiving())
        });
        // Who receives sees to the bytes that come; one task is enough for that.
        if receiving {
            self.readable.forget(Party::Keeper);
        }
        next
    }

    /// Tries what wakes nobody that does not wait yet.
    fn attempt<R>(&self, attempt: impl FnOnce(&mut Core<S>, Wakers<'_>) -> R) -> R {
        let [read, write] = &self.wakers;
        self.with(|core| attempt(core, Wakers { read, write }))
    }

    /// Does something to the core that waits for nothing.
    pub(super) fn with<R>(&self, act: impl FnOnce(&mut Core<S>) -> R) -> R {
        let mut core = lock(&self.core);
        let done = act(&mut core);
        let alarm = core.take_alarm();
        drop(core);
        if alarm {
            self.readable.wake_by_ref();
            self.writable.wake_by_ref();
        }
        done
    }

    pub(super) fn into_core(self) -> Core<S> {
        self.core
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    /// Takes a message that is here; without one, nobody is woken when there is.
    #[inline]
    pub(super) fn take_message(&mut self) -> Option<WsMessage> {
        match self {
            Self::Own(core) => core.take_message(Wakers::of(Waker::noop())),
            Self::Shared(shared, _) => shared.attempt(Core::take_message),
        }
    }

    /// Polls the core, with the current task to be woken when it is worth another try.
    #[inline]
    pub(super) fn poll<R>(
        &mut self,
        cx: &Context<'_>,
        poll: impl FnOnce(&mut Core<S>, Wakers<'_>) -> R,
    ) -> R {
        match self {
            Self::Own(core) => poll(core, Wakers::of(cx.waker())),
            Self::Shared(shared, party) => shared.poll(*party, cx, poll),
        }
    }

    /// Does something to the core that waits for nothing.
    pub(super) fn with<R>(&mut self, act: impl FnOnce(&mut Core<S>) -> R) -> R {
        match self {
            Self::Own(core) => act(core),
            Self::Shared(shared, _) => shared.with(act),
        }
    }

    /// Looks at the core.
    pub(super) fn look<R>(&self, look: impl FnOnce(&Core<S>) -> R) -> R {
        match self {
            Self::Own(core) => look(core),
            Self::Shared(shared, _) => look(&lock(&shared.core)),
        }
    }
}

/// A panic elsewhere leaves nothing half done here: what it interrupts is a poll.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
