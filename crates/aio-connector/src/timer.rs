//! One timer for all timeouts of a request, handed on with its connection.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::task::coop;
use tokio::time::Sleep;

/// A sleep that is set only when it must ring earlier than it already would.
///
/// It may ring too early, then it is set again; so a connection that serves request
/// after request, each with a later deadline, hardly ever touches the runtime's timers.
#[derive(Debug, Default)]
pub struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Timer {
    /// Is ready once `deadline` is over; without one, never.
    ///
    /// Must be called inside a tokio runtime with its timer enabled, as all of tokio's
    /// timers.
    pub fn poll(&mut self, cx: &mut Context<'_>, deadline: Option<Instant>) -> Poll<()> {
        let Some(deadline) = deadline.map(tokio::time::Instant::from_std) else {
            return Poll::Pending;
        };
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        loop {
            if sleep.as_mut().poll(cx).is_pending() {
                // Without budget it is pending whatever the time: a task that always has
                // something to do must come to its deadline all the same.
                let late = !coop::has_budget_remaining() && now() >= deadline.into_std();
                return if late { Poll::Ready(()) } else { Poll::Pending };
            }
            if sleep.deadline() >= deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
    }

    /// Takes over the sleep of `other` if this has none.
    pub(crate) fn adopt(&mut self, other: &mut Self) {
        if self.sleep.is_none() {
            self.sleep = other.sleep.take();
        }
    }
}

/// Returns the runtime's time, which a test may have paused.
pub fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn it_rings_at_the_deadline_of_the_day() {
        let (mut timer, start) = (Timer::default(), now());
        poll_fn(|cx| timer.poll(cx, Some(start + SECOND))).await;
        assert_eq!(now() - start, SECOND);
        // A later deadline: the sleep that was set for the earlier one is set again.
        poll_fn(|cx| timer.poll(cx, Some(start + 3 * SECOND))).await;
        assert_eq!(now() - start, 3 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn an_earlier_deadline_is_not_missed() {
        let (mut timer, start) = (Timer::default(), now());
        let far = poll_fn(|cx| Poll::Ready(timer.poll(cx, Some(start + 9 * SECOND)))).await;
        assert!(far.is_pending());
        poll_fn(|cx| timer.poll(cx, Some(start + SECOND))).await;
        assert_eq!(now() - start, SECOND);
    }
}
