//! A peer's tasks with their open connections, put to work for a stint at a time.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::task::JoinSet;

use crate::{Fallible, cpu, peers::Client, rows::Row, site::Site};

/// How long a crew works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stint {
    For(Duration),
    /// So many requests of the whole crew together.
    Requests(u64),
}

/// The clients of one peer; between stints their connections stay open and idle.
pub(crate) struct Crew<C> {
    row: Row,
    clients: Vec<C>,
}

impl<C: Client> Crew<C> {
    pub(crate) async fn open(row: Row, site: &Site) -> Fallible<Self> {
        Ok(Self {
            row,
            clients: C::open(row, site).await?,
        })
    }

    async fn work_for(&mut self, stint: Stint) -> Fallible<u64> {
        let budget = Arc::new(Budget::of(stint));
        let mut tasks = JoinSet::new();
        for mut client in self.clients.drain(..) {
            let (row, budget) = (self.row, Arc::clone(&budget));
            tasks.spawn(async move {
                let mut answered = 0;
                while budget.take() {
                    client.exchange(row).await?;
                    answered += 1;
                }
                Fallible::Ok((client, answered))
            });
        }
        if let Stint::For(time) = stint {
            tokio::time::sleep(time).await;
            budget.end();
        }
        let mut total = 0;
        while let Some(finished) = tasks.join_next().await {
            let (client, answered) = finished??;
            self.clients.push(client);
            total += answered;
        }
        Ok(total)
    }
}

/// A crew of any peer.
pub(crate) trait Work {
    /// Sends requests, a task per client, and returns how many were answered.
    fn work(&mut self, stint: Stint) -> Pin<Box<dyn Future<Output = Fallible<u64>> + '_>>;

    /// Returns the CPU time of the process at work so far.
    fn spent(&self) -> Duration {
        cpu::process_time()
    }
}

impl<C: Client> Work for Crew<C> {
    fn work(&mut self, stint: Stint) -> Pin<Box<dyn Future<Output = Fallible<u64>> + '_>> {
        Box::pin(self.work_for(stint))
    }
}

/// Requests that may still be begun.
struct Budget(AtomicU64);

impl Budget {
    fn of(stint: Stint) -> Self {
        Self(AtomicU64::new(match stint {
            Stint::For(_) => u64::MAX,
            Stint::Requests(count) => count,
        }))
    }

    fn take(&self) -> bool {
        // All tasks share one thread: nothing comes between load and store, and a locked
        // instruction would be the dearest of the loop.
        let left = self.0.load(Ordering::Relaxed);
        if left == 0 {
            return false;
        }
        self.0.store(left - 1, Ordering::Relaxed);
        true
    }

    fn end(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}
