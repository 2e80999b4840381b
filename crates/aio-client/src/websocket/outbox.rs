//! What was sent, until it is known to have arrived.

use std::collections::VecDeque;
use std::fmt;

use aio_ws::WsMessage;
use bytes::Bytes;

/// Messages that a lost connection had taken, of which nobody knows whether they arrived.
///
/// ```
/// use aio_client::{ReconnectError, ReconnectingWebSocket, Unconfirmed};
///
/// async fn send_again(
///     ws: &mut ReconnectingWebSocket,
///     unconfirmed: Unconfirmed,
/// ) -> Result<(), ReconnectError> {
///     for (_, message) in unconfirmed.messages {
///         ws.send(message).await?;
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unconfirmed {
    /// The messages with the numbers that they were sent by, oldest first.
    pub messages: Vec<(u64, WsMessage)>,
    /// How many more there were at most, older than those, which were
    /// [too many to keep](crate::ReconnectingWebSocket::keep_unconfirmed).
    pub forgotten: u64,
}

impl Unconfirmed {
    /// Tells whether all that was sent is known to have arrived.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.forgotten == 0
    }
}

/// Hides what is said.
impl fmt::Debug for Unconfirmed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<_> = self.messages.iter().map(|(number, _)| number).collect();
        f.debug_struct("Unconfirmed")
            .field("numbers", &numbers)
            .field("forgotten", &self.forgotten)
            .finish()
    }
}

/// How many messages may be sent behind a ping until there is another, though no pong came: a
/// server need answer only the last of its pings (RFC 6455 5.5.3).
const PING_EVERY: u64 = 256;

/// What was sent, until it is known to have arrived.
pub(super) struct Outbox {
    kept: VecDeque<(u64, WsMessage)>,
    bytes: usize,
    /// How many messages of this connection are no longer kept.
    forgotten: u64,
    /// The same of the connections before.
    lost: u64,
    /// The number of the next message.
    next: u64,
    /// That of the first one of this connection.
    cut: u64,
    /// Which messages the ping on its way stands behind: those below.
    ping: Option<u64>,
    pub(super) by_pings: bool,
    pub(super) max_messages: usize,
    pub(super) max_bytes: usize,
}

impl Default for Outbox {
    fn default() -> Self {
        Self {
            kept: VecDeque::new(),
            bytes: 0,
            forgotten: 0,
            lost: 0,
            next: 0,
            cut: 0,
            ping: None,
            by_pings: true,
            max_messages: 1024,
            max_bytes: 1024 * 1024,
        }
    }
}

impl Outbox {
    /// Keeps a message that is sent, and gives its number.
    pub(super) fn sent(&mut self, message: WsMessage) -> u64 {
        let number = self.next;
        self.next += 1;
        // Of pings and pongs nobody asks.
        if let Some(bytes) = data_len(&message) {
            self.bytes += bytes;
            self.kept.push_back((number, message));
        }
        while self.kept.len() > self.max_messages || self.bytes > self.max_bytes {
            match self.pop() {
                Some(number) if number < self.cut => self.lost += 1,
                Some(_) => self.forgotten += 1,
                None => break,
            }
        }
        number
    }

    /// Gives the payload of a ping that is to be sent now, if one is.
    pub(super) fn ping(&mut self) -> Option<Bytes> {
        let newest = self.kept.back().map_or(self.cut, |(number, _)| number + 1);
        let is_due = match self.ping {
            None => newest > self.cut || self.forgotten > 0,
            Some(before) => newest >= before + PING_EVERY,
        };
        if !is_due || !self.by_pings {
            return None;
        }
        self.ping = Some(self.next);
        Some(Bytes::copy_from_slice(&self.next.to_be_bytes()))
    }

    /// Tells whether a ping is on its way.
    pub(super) fn awaits_pong(&self) -> bool {
        self.ping.is_some()
    }

    /// Notes a pong: messages before its ping have arrived. Tells whether it is one to a ping
    /// from here.
    pub(super) fn pong(&mut self, payload: &[u8]) -> bool {
        let Ok(before) = payload.try_into().map(u64::from_be_bytes) else {
            return false;
        };
        let Some(last) = self
            .ping
            .filter(|last| (self.cut..=*last).contains(&before))
        else {
            return false;
        };
        if before == last {
            self.ping = None;
        }
        let older = self.kept.partition_point(|(number, _)| *number < self.cut);
        let arrived = self.kept.partition_point(|(number, _)| *number < before);
        for (_, message) in self.kept.drain(older..arrived.max(older)) {
            self.bytes -= data_len(&message).unwrap_or_default();
        }
        // Those forgotten are older than the first one that is kept.
        let first = self
            .kept
            .get(older)
            .map_or(self.next, |(number, _)| *number);
        self.forgotten = self.forgotten.min(first.saturating_sub(before));
        true
    }

    /// Forgets one message that has arrived.
    pub(super) fn confirm(&mut self, number: u64) {
        if let Ok(at) = self
            .kept
            .binary_search_by_key(&number, |(number, _)| *number)
            && let Some((_, message)) = self.kept.remove(at)
        {
            self.bytes -= data_len(&message).unwrap_or_default();
        }
    }

    /// Notes that the connection is lost: no pong will come.
    pub(super) fn cut(&mut self) {
        self.ping = None;
        self.cut = self.next;
        self.lost += std::mem::take(&mut self.forgotten);
    }

    /// Gives what lost connections had taken.
    pub(super) fn take_lost(&mut self) -> Unconfirmed {
        let mut messages = Vec::new();
        while self
            .kept
            .front()
            .is_some_and(|(number, _)| *number < self.cut)
        {
            messages.extend(self.kept.pop_front());
        }
        let bytes = messages.iter().filter_map(|(_, message)| data_len(message));
        self.bytes -= bytes.sum::<usize>();
        Unconfirmed {
            messages,
            forgotten: std::mem::take(&mut self.lost),
        }
    }

    fn pop(&mut self) -> Option<u64> {
        let (number, message) = self.kept.pop_front()?;
        self.bytes -= data_len(&message).unwrap_or_default();
        Some(number)
    }
}

/// Returns how long a text or a binary message is.
fn data_len(message: &WsMessage) -> Option<usize> {
    match message {
        WsMessage::Text(text) => Some(text.len()),
        WsMessage::TextBytes(bytes) | WsMessage::Binary(bytes) => Some(bytes.len()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends so many messages of one byte.
    fn sent(outbox: &mut Outbox, count: usize) {
        for _ in 0..count {
            outbox.sent("x".into());
        }
    }

    #[track_caller]
    fn check(mut outbox: Outbox, numbers: impl IntoIterator<Item = u64>, forgotten: u64) {
        outbox.cut();
        let lost = outbox.take_lost();
        let kept: Vec<_> = lost.messages.iter().map(|(number, _)| *number).collect();
        assert_eq!(kept, Vec::from_iter(numbers));
        assert_eq!(lost.forgotten, forgotten);
        assert_eq!(outbox.bytes, 0);
        assert!(outbox.take_lost().is_empty());
    }

    #[test]
    fn there_is_one_ping_at_a_time() {
        let mut outbox = Outbox::default();
        assert_eq!(outbox.ping(), None, "there is nothing to confirm");
        sent(&mut outbox, 2);
        let ping = outbox.ping().expect("it is due");
        assert_eq!(outbox.ping(), None);
        sent(&mut outbox, 1);
        assert_eq!(outbox.ping(), None);
        assert!(!outbox.pong(b"") && !outbox.pong(b"of users") && outbox.awaits_pong());
        assert!(outbox.pong(&ping) && !outbox.awaits_pong());
        assert!(outbox.ping().is_some(), "of what was sent meanwhile");
        check(outbox, [2], 0);
    }

    #[test]
    fn a_ping_that_nobody_answers_has_others_behind_it() {
        let mut outbox = Outbox::default();
        sent(&mut outbox, 1);
        let first = outbox.ping().expect("it is due");
        sent(&mut outbox, 255);
        assert_eq!(outbox.ping(), None);
        sent(&mut outbox, 1);
        let second = outbox.ping().expect("it is due");
        sent(&mut outbox, 1);
        // The first one may be answered all the same.
        assert!(outbox.pong(&first) && outbox.awaits_pong());
        assert!(outbox.pong(&second) && !outbox.awaits_pong());
        check(outbox, [257], 0);
    }

    #[test]
    fn pongs_are_of_one_connection() {
        let mut outbox = Outbox::default();
        sent(&mut outbox, 2);
        let old = outbox.ping().expect("it is due");
        outbox.cut();
        sent(&mut outbox, 2);
        assert!(!outbox.pong(&old));
        let ping = outbox.ping().expect("it is due");
        assert!(outbox.pong(&ping));
        check(outbox, [0, 1], 0);
    }

    #[test]
    fn what_was_too_much_to_keep_is_confirmed_as_well() {
        let small = || Outbox {
            max_messages: 2,
            ..Outbox::default()
        };
        let mut outbox = small();
        sent(&mut outbox, 5);
        let ping = outbox.ping().expect("it is due");
        sent(&mut outbox, 1);
        assert!(outbox.pong(&ping));
        check(outbox, [5], 0);

        // Of the six that are not kept, five are confirmed.
        let mut outbox = small();
        sent(&mut outbox, 5);
        let ping = outbox.ping().expect("it is due");
        sent(&mut outbox, 3);
        assert!(outbox.pong(&ping));
        check(outbox, [6, 7], 1);

        // Those of an older connection are not.
        let mut outbox = small();
        sent(&mut outbox, 3);
        outbox.cut();
        sent(&mut outbox, 1);
        let ping = outbox.ping().expect("it is due");
        assert!(outbox.pong(&ping));
        check(outbox, [2], 2);
    }
}
