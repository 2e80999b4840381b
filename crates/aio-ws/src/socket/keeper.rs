//! The task that keeps the heartbeat of a socket.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::task::{Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use super::link::Shared;

/// Ends the task of a heartbeat when it is dropped.
#[derive(Debug)]
pub(super) struct Keeper(AbortHandle);

impl Drop for Keeper {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Keeper {
    /// Starts the heartbeat of a socket.
    pub(super) fn spawn<S>(shared: &Arc<Shared<S>>) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        Self(tokio::spawn(keep(Arc::downgrade(shared))).abort_handle())
    }
}

/// Lives as long as the socket is open. It does not hold the socket: one whose last half is
/// dropped is closed then and there.
async fn keep<S: AsyncRead + AsyncWrite + Unpin>(shared: Weak<Shared<S>>) {
    let mut sleep = pin!(sleep_until(Instant::now()));
    poll_fn(|cx| {
        loop {
            let Some(shared) = shared.upgrade() else {
                return Poll::Ready(());
            };
            let Some(next) = shared.poll_keep(cx).map(Instant::from_std) else {
                return Poll::Ready(());
            };
            if sleep.deadline() != next {
                sleep.as_mut().reset(next);
            }
            ready!(sleep.as_mut().poll(cx));
        }
    })
    .await;
}
