//! The one task of a pool: it closes connections that were idle for too long.

use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::{Kept, Pool};
use crate::timer::now;

/// The task, started with the first connection that will be idle for too long.
#[derive(Debug, Default)]
pub(super) struct Reaper {
    task: Mutex<Task>,
    earlier: Arc<Notify>,
}

#[derive(Debug, Default)]
enum Task {
    #[default]
    None,
    Starting,
    Running(AbortHandle),
}

impl Reaper {
    /// Has the task look when to act; starts it in the runtime of whoever calls.
    pub(super) fn rouse<K, C>(&self, pool: &Arc<Pool<K, C>>)
    where
        K: Hash + Eq + Clone + Send + 'static,
        C: Kept,
    {
        let mut task = self.task();
        if !matches!(*task, Task::None) {
            return self.earlier.notify_one();
        }
        let Ok(runtime) = Handle::try_current() else {
            drop(task);
            // Until someone comes from inside a runtime, a check-out sees to it.
            return pool.reaper_ended();
        };
        *task = Task::Starting;
        drop(task);
        // A runtime that is shutting down drops the task at once, and that ends it here.
        let end = End(Arc::downgrade(pool));
        let started = runtime.spawn(reap(end, Arc::clone(&self.earlier)));
        let mut task = self.task();
        if matches!(*task, Task::Starting) {
            *task = Task::Running(started.abort_handle());
        } else {
            started.abort();
        }
    }

    pub(super) fn end(&self) {
        let task = std::mem::take(&mut *self.task());
        if let Task::Running(task) = task {
            task.abort();
        }
    }

    fn task(&self) -> MutexGuard<'_, Task> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn reap<K, C>(end: End<K, C>, earlier: Arc<Notify>)
where
    K: Hash + Eq + Clone + Send + 'static,
    C: Kept,
{
    while let Some(pool) = end.0.upgrade() {
        let next = pool.reap();
        drop(pool);
        match next {
            None => earlier.notified().await,
            Some(next) if next <= now() => tokio::task::yield_now().await,
            Some(next) => {
                let _ = tokio::time::timeout_at(next.into(), earlier.notified()).await;
            }
        }
    }
}

/// Tells the pool when the task ends, be it with its runtime.
struct End<K, C>(Weak<Pool<K, C>>)
where
    K: Hash + Eq + Clone + Send + 'static,
    C: Kept;

impl<K, C> Drop for End<K, C>
where
    K: Hash + Eq + Clone + Send + 'static,
    C: Kept,
{
    fn drop(&mut self) {
        if let Some(pool) = self.0.upgrade() {
            pool.reaper.end();
            pool.reaper_ended();
        }
    }
}
