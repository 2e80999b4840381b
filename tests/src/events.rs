//! Named one-shot events, shared by the scripts of the servers and the calls of the client.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

/// The events of one scenario; a clone is the same set.
#[derive(Clone, Debug, Default)]
pub struct Events {
    by_name: Arc<Mutex<HashMap<String, watch::Sender<bool>>>>,
}

impl Events {
    /// Sets the event; setting it again changes nothing.
    pub fn signal(&self, name: &str) {
        self.event(name).send_replace(true);
    }

    /// Waits until the event is set, at once if it is already.
    pub async fn wait(&self, name: &str) {
        let mut set = self.event(name).subscribe();
        // An error would say that the sender is gone; the map has it as long as self lives.
        _ = set.wait_for(|is_set| *is_set).await;
    }

    fn event(&self, name: &str) -> watch::Sender<bool> {
        let mut by_name = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        by_name.entry(name.to_owned()).or_default().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_waiter_sees_signals_of_before_and_after() {
        let events = Events::default();
        events.signal("early");
        events.wait("early").await;
        tokio::join!(events.wait("late"), async { events.signal("late") });
    }
}
