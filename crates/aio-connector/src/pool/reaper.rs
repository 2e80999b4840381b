//! The one task of a pool: it closes connections that were idle for too long.

use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::{Kept, Pool};
use crate::timer::now;

/// The task, started with the first connection that will be idle for too long.
#[derive(Debug, Default)]
pub(super) struct Reaper {
    task: Mutex<Option<AbortHandle>>,
    earlier: Arc<Notify>,
}

impl Reaper {
    /// Has the task look when to act; starts it in the runtime of whoever calls.
    pub(super) fn rouse<K, C>(&self, pool: &Arc<Pool<K, C>>)
    where
        K: Hash + Eq + Clone + Send + 'static,
        C: Kept,
    {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if task.is_some() {
            self.earlier.notify_one();
        } else if let Ok(runtime) = Handle::try_current() {
            let end = End(Arc::downgrade(pool));
            let reaping = runtime.spawn(reap(end, Arc::clone(&self.earlier)));
            *task = Some(reaping.abort_handle());
        } else {
            drop(task);
            // Until someone comes from inside a runtime, a check-out sees to it.
            pool.reaper_ended();
        }
    }

    pub(super) fn end(&self) {
        let task = self
            .task
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        task.into_iter().for_each(|task| task.abort());
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
