//! What came of the stream, as far as it tells how to read on.

use std::io;

use crate::FrameHeader;

/// With so many bytes between two waits a peer is thought to send as many again.
const BULK: usize = 16 * 1024;
/// What is read at once then: a message of 64 KiB with its header.
pub(super) const BULK_READ: usize = 64 * 1024 + FrameHeader::MAX_SIZE + 1;

/// What came of the stream.
pub(super) struct Intake {
    /// What more it has.
    pub(super) rest: Rest,
    /// How many bytes came since the last time that no message was left.
    pub(super) ahead: usize,
    /// How many bytes came since the last wait.
    burst: usize,
    /// Whether as many came before it that the next ones are thought to be many.
    is_bulky: bool,
}

/// What more the stream has.
pub(super) enum Rest {
    Open,
    Ended,
    Broken(io::Error),
}

impl Intake {
    pub(super) const fn new() -> Self {
        Self {
            rest: Rest::Open,
            ahead: 0,
            burst: 0,
            is_bulky: false,
        }
    }

    pub(super) const fn is_open(&self) -> bool {
        matches!(self.rest, Rest::Open)
    }

    /// Notes that bytes came.
    pub(super) fn came(&mut self, count: usize) {
        self.ahead += count;
        self.burst += count;
    }

    /// Notes that nothing is left, and that more is waited for.
    pub(super) fn waits(&mut self) {
        if self.burst > 0 {
            self.is_bulky = self.burst >= BULK;
            self.burst = 0;
        }
    }

    /// Tells whether a buffer that may prove too large is worth it: it costs less than one
    /// read more.
    pub(super) const fn is_bulky(&self) -> bool {
        self.is_bulky || self.burst >= BULK
    }
}
