//! Which ends of HTTP chunks a reader is told of.

/// Follows the data and the ends of chunks; aiohttp's rule (RSP-84).
///
/// An end that comes with data is told with it; one that comes by itself only if the
/// reader had to wait for it.
#[derive(Debug, Default)]
pub(super) struct ChunkMarks {
    /// There was data, and an end of a chunk.
    seen_data: bool,
    seen_end: bool,
    /// There was data since the last end.
    open: bool,
    /// The reader waited since the last end.
    waited: bool,
}

impl ChunkMarks {
    /// Notes that the reader has to wait.
    pub(super) fn waited(&mut self) {
        self.waited = true;
    }

    /// Notes data, with which a chunk may end.
    pub(super) fn data(&mut self, ends: bool) {
        (self.seen_data, self.open) = (true, !ends);
        if ends {
            (self.seen_end, self.waited) = (true, false);
        }
    }

    /// Tells whether the reader is told of an end that comes by itself.
    pub(super) fn chunk_end(&mut self) -> bool {
        let told = self.open || (self.seen_data && self.waited);
        if told {
            (self.seen_end, self.open, self.waited) = (true, false, false);
        }
        told
    }

    /// Tells whether the reader is told of the last chunk, which is empty.
    pub(super) fn end(&mut self) -> bool {
        self.seen_end && !self.open && std::mem::take(&mut self.waited)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_by_itself_is_told_to_those_who_waited() {
        let mut marks = ChunkMarks::default();
        assert!(!marks.chunk_end(), "nothing was there yet");
        marks.data(true);
        assert!(!marks.chunk_end(), "it was told with its data");
        marks.data(false);
        assert!(marks.chunk_end(), "its data came before");
        marks.waited();
        assert!(marks.chunk_end());
        assert!(!marks.end(), "nobody waited for it");
        marks.waited();
        assert!(marks.end());
    }
}
