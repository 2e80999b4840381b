//! Where HTTP chunks end, and which ends a reader is told of.

use std::collections::VecDeque;

/// The ends of chunks within what is held; aiohttp's rule (RSP-84).
///
/// An end that comes with its data is told with it. One that comes by itself is told by
/// itself, as is that of the last chunk, if the reader has waited for it and knows of no
/// other one yet.
#[derive(Debug, Default)]
pub(super) struct ChunkMarks {
    /// Counted from the body's begin, and not told yet.
    ends: VecDeque<u64>,
    /// The last end, as long as it counts.
    last: u64,
    chunked: bool,
}

impl ChunkMarks {
    /// Notes that the reader has to wait.
    pub(super) fn waited(&mut self) {
        if self.ends.is_empty() {
            self.last = 0;
        }
    }

    /// Notes that a chunk has ended behind `total` bytes, of which `given` are handed out.
    pub(super) fn chunk_end(&mut self, total: u64, given: u64) {
        self.chunked = true;
        // Nobody will ask for those before: else they would outgrow what is held.
        while self.ends.front().is_some_and(|end| *end < given) {
            self.ends.pop_front();
        }
        if total != self.last {
            self.last = total;
            self.ends.push_back(total);
        }
    }

    /// Tells whether there was any end: then the body ends with one, too.
    pub(super) fn is_chunked(&self) -> bool {
        self.chunked
    }

    /// Tells whether there is none to be told.
    pub(super) fn is_told(&self) -> bool {
        self.ends.is_empty()
    }

    /// Takes the next end that is not behind the reader.
    pub(super) fn next(&mut self, given: u64) -> Option<u64> {
        while let Some(end) = self.ends.pop_front() {
            if end >= given {
                return Some(end);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_by_itself_is_told_to_those_who_waited() {
        let mut marks = ChunkMarks::default();
        marks.chunk_end(0, 0);
        assert_eq!(marks.next(0), None, "nothing was there yet");
        marks.chunk_end(3, 0);
        marks.chunk_end(3, 0);
        assert_eq!(marks.next(0), Some(3));
        marks.chunk_end(3, 3);
        assert_eq!(marks.next(3), None, "it was told, and nobody waited");
        marks.waited();
        marks.chunk_end(3, 3);
        assert_eq!(marks.next(3), Some(3));
        marks.chunk_end(3, 3);
        assert_eq!(marks.next(3), None, "the end of the body does not wait");
    }

    #[test]
    fn ends_that_others_have_read_over_are_not_told() {
        let mut marks = ChunkMarks::default();
        marks.chunk_end(3, 0);
        marks.chunk_end(5, 0);
        marks.chunk_end(9, 0);
        assert_eq!(marks.next(5), Some(5), "the reader stands at it");
        assert_eq!(marks.next(6), Some(9));
        marks.chunk_end(10, 10);
        assert_eq!(marks.next(11), None);
    }

    #[test]
    fn ends_do_not_pile_up_behind_the_reader() {
        let mut marks = ChunkMarks::default();
        for total in 1..100_000 {
            marks.chunk_end(total, total.saturating_sub(10));
        }
        assert!(marks.ends.len() <= 11, "{}", marks.ends.len());
    }
}
