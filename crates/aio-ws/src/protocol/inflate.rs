//! Inflates the messages of the peer, within the limit on their size.

use bytes::{Bytes, BytesMut};

use crate::{InflateError, Inflater, ProtocolError};

/// A larger buffer is not kept.
const KEPT: usize = 64 * 1024;

pub(super) struct Inflate {
    inflater: Inflater,
    /// The largest message in bytes; 0: none is too large.
    limit: usize,
    inflated: BytesMut,
}

impl Inflate {
    pub(super) fn new(inflater: Inflater, limit: usize) -> Self {
        Self {
            inflater,
            limit,
            inflated: BytesMut::new(),
        }
    }

    /// Inflates a whole message.
    pub(super) fn message(&mut self, payload: &[u8]) -> Result<Bytes, ProtocolError> {
        self.piece(payload, true, 0)?;
        Ok(self.inflated.split().freeze())
    }

    /// Inflates a piece of a message of which `before` bytes are inflated.
    pub(super) fn piece(
        &mut self,
        piece: &[u8],
        is_end: bool,
        before: usize,
    ) -> Result<&[u8], ProtocolError> {
        self.inflated.clear();
        if self.inflated.capacity() > KEPT {
            self.inflated = BytesMut::new();
        }
        let room = match self.limit {
            0 => usize::MAX,
            limit => limit.saturating_sub(before),
        };
        self.inflater
            .inflate(piece, is_end, &mut self.inflated, room)
            .map_err(|error| match error {
                InflateError::TooLarge => ProtocolError::InflatedTooBig {
                    limit: self.limit as u64,
                },
                InflateError::TooManyMembers => ProtocolError::TooManyMembers,
                InflateError::Corrupt => ProtocolError::Inflate,
            })?;
        Ok(&self.inflated)
    }

    pub(super) fn release_memory(&mut self) {
        self.inflated = BytesMut::new();
    }
}
