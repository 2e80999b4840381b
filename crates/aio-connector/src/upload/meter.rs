//! Counts the bytes of a body out of all that is written of a request.

use std::collections::VecDeque;
use std::ops::Range;

use aio_core::UploadProgress;

/// Knows where in the request its body lies, as far as it is queued.
pub(super) struct Meter {
    progress: UploadProgress,
    /// Pieces of the body that are not written whole.
    pieces: VecDeque<Range<u64>>,
    /// Bytes of the body in the pieces before.
    before: u64,
}

impl Meter {
    pub(super) fn start(progress: UploadProgress) -> Self {
        progress.set_sent(0);
        Self {
            progress,
            pieces: VecDeque::new(),
            before: 0,
        }
    }

    /// Says that the request, as far as it is queued, has a piece of the body there.
    pub(super) fn queued(&mut self, piece: Range<u64>) {
        self.pieces.push_back(piece);
    }

    /// Says how many bytes of the request are written.
    pub(super) fn written(&mut self, written: u64) {
        let mut sent = self.before;
        while let Some(piece) = self.pieces.front() {
            let here = written.clamp(piece.start, piece.end) - piece.start;
            sent += here;
            if written < piece.end {
                break;
            }
            self.before = sent;
            self.pieces.pop_front();
        }
        self.progress.set_sent(sent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_pieces_of_the_body_count() {
        let progress = UploadProgress::default();
        progress.set_sent(9);
        let mut meter = Meter::start(progress.clone());
        assert_eq!(progress.sent(), 0);
        meter.queued(10..13);
        meter.queued(18..20);
        for (written, want) in [(0, 0), (10, 0), (11, 1), (13, 3), (17, 3), (19, 4), (99, 5)] {
            meter.written(written);
            assert_eq!(progress.sent(), want, "{written}");
        }
    }

    #[test]
    fn pieces_may_come_while_others_are_written() {
        let progress = UploadProgress::default();
        let mut meter = Meter::start(progress.clone());
        meter.queued(0..4);
        meter.written(2);
        meter.queued(4..8);
        meter.written(6);
        assert_eq!(progress.sent(), 6);
        meter.written(8);
        meter.queued(8..9);
        meter.written(9);
        assert_eq!(progress.sent(), 9);
    }
}
