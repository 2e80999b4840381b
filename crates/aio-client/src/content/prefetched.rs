//! What came of a body together with its head.

use std::collections::VecDeque;

use aio_connector::{Exchange, ExchangeError};
use aio_core::http1::BodyEvent;
use bytes::Bytes;

/// What came with the head: most often nothing, or one piece.
#[derive(Debug)]
pub(super) enum Prefetched {
    None,
    One(Bytes),
    Many(VecDeque<BodyEvent>),
}

impl Prefetched {
    /// Takes what came with the head; when that is all, the connection goes back.
    pub(super) fn take(exchange: &mut Exchange) -> (Self, Option<ExchangeError>) {
        let mut prefetched = Self::None;
        loop {
            match exchange.buffered() {
                Ok(BodyEvent::More | BodyEvent::End) => return (prefetched, None),
                Ok(event) => prefetched.push(event),
                Err(error) => return (prefetched, Some(error)),
            }
            if exchange.connection().is_none() {
                return (prefetched, None);
            }
        }
    }

    pub(super) fn push(&mut self, event: BodyEvent) {
        let before = std::mem::replace(self, Self::None);
        *self = match (before, event) {
            (Self::None, BodyEvent::Data(data)) => Self::One(data),
            (Self::None, event) => Self::Many(VecDeque::from([event])),
            (Self::One(data), event) => Self::Many(VecDeque::from([BodyEvent::Data(data), event])),
            (Self::Many(mut events), event) => {
                events.push_back(event);
                Self::Many(events)
            }
        };
    }

    pub(super) fn next(&mut self) -> Option<BodyEvent> {
        match self {
            Self::None => None,
            Self::One(data) => {
                let data = std::mem::take(data);
                *self = Self::None;
                Some(BodyEvent::Data(data))
            }
            Self::Many(events) => events.pop_front(),
        }
    }

    pub(super) fn only_piece(&mut self) -> Option<Bytes> {
        let Self::One(only) = self else { return None };
        let only = std::mem::take(only);
        *self = Self::None;
        Some(only)
    }

    pub(super) fn skip_chunk_end(&mut self) -> bool {
        let Self::Many(events) = self else {
            return false;
        };
        let ends = events.front() == Some(&BodyEvent::ChunkEnd);
        if ends {
            events.pop_front();
        }
        ends
    }

    /// Returns how many bytes of body are in it.
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::None => 0,
            Self::One(data) => data.len() as u64,
            Self::Many(events) => events.iter().map(data_len).sum(),
        }
    }

    /// Tells whether there is no data in it.
    pub(super) fn is_spent(&self) -> bool {
        match self {
            Self::None => true,
            Self::One(_) => false,
            Self::Many(events) => events.iter().all(|event| *event == BodyEvent::ChunkEnd),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::None => true,
            Self::One(_) => false,
            Self::Many(events) => events.is_empty(),
        }
    }
}

fn data_len(event: &BodyEvent) -> u64 {
    match event {
        BodyEvent::Data(data) => data.len() as u64,
        _ => 0,
    }
}
