//! One timer for all timeouts of a request, handed on with its connection.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Mutex, PoisonError};
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

/// A [`Timer`] for a phase and for the phases within it: a session bounds the connecting,
/// and whoever connects bounds its steps, with the same sleep.
///
/// All of them must be polled in the same task and with its waker, since the sleep knows
/// the last one only.
///
/// ```
/// use std::time::Duration;
/// use aio_connector::{SharedTimer, now};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let (timer, start) = (SharedTimer::default(), now());
/// let inner = timer.within(Some(start + Duration::from_millis(1)), std::future::pending::<()>());
/// let outer = timer.within(Some(start + Duration::from_secs(60)), inner);
/// assert_eq!(outer.await, Some(None));
/// # }
/// ```
#[derive(Debug, Default)]
pub struct SharedTimer(Mutex<Timer>);

impl SharedTimer {
    /// Runs `future` until `deadline`, without one to its end; gives nothing when the
    /// deadline is over first.
    pub async fn within<F: Future>(
        &self,
        deadline: Option<Instant>,
        future: F,
    ) -> Option<F::Output> {
        let mut future = pin!(future);
        poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => self.poll(cx, deadline).map(|()| None),
        })
        .await
    }

    /// Is ready once `deadline` is over; without one, never.
    pub(crate) fn poll(&self, cx: &mut Context<'_>, deadline: Option<Instant>) -> Poll<()> {
        let mut timer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        timer.poll(cx, deadline)
    }

    /// Gives the timer to who goes on with it.
    pub fn into_inner(self) -> Timer {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
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

    #[tokio::test(start_paused = true)]
    async fn phases_within_a_phase_share_the_sleep() {
        let (timer, start) = (SharedTimer::default(), now());
        let never = std::future::pending::<()>;
        // The inner phases are late one after the other, and then the outer one.
        let phases = async {
            for seconds in 1..=3 {
                let late = timer.within(Some(start + seconds * SECOND), never()).await;
                assert_eq!((late, now() - start), (None, seconds * SECOND));
            }
            timer.within(Some(start + 9 * SECOND), never()).await
        };
        let late = timer.within(Some(start + 5 * SECOND), phases).await;
        assert_eq!((late, now() - start), (None, 5 * SECOND));
        assert!(timer.into_inner().sleep.is_some());
    }
}
