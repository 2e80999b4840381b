//! A limit on how long something is waited for.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// A timer that is made when it is first waited for, and kept.
///
/// It stands in the socket and not in a future, so that a `Stream` can have limits too.
#[derive(Debug, Default)]
pub(super) struct Deadline {
    sleep: Option<Pin<Box<Sleep>>>,
    set: bool,
}

impl Deadline {
    /// The next [`poll`](Self::poll) starts anew.
    #[inline]
    pub(super) fn clear(&mut self) {
        self.set = false;
    }

    /// Waits until `limit` has passed since the first poll behind [`clear`](Self::clear);
    /// for ever if there is none.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, limit: Option<Duration>) -> Poll<()> {
        let Some(limit) = limit else {
            return Poll::Pending;
        };
        let sleep = match &mut self.sleep {
            Some(sleep) if self.set => sleep,
            sleep => {
                let Some(at) = Instant::now().checked_add(limit) else {
                    return Poll::Pending;
                };
                self.set = true;
                match sleep {
                    Some(sleep) => {
                        sleep.as_mut().reset(at);
                        sleep
                    }
                    none => none.insert(Box::pin(sleep_until(at))),
                }
            }
        };
        sleep.as_mut().poll(cx)
    }
}
