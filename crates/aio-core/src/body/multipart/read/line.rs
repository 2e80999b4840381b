//! Tells the lines that are boundaries from others.

use bytes::{Buf, Bytes};

use super::boundary::Boundary;
use crate::body::multipart::error::MultipartError;

/// A line that may be a boundary, as far as it has come.
pub(super) struct Line {
    /// How much of the delimiter was met, the line end before it counted in.
    matched: usize,
    dashes: u8,
    blanks: usize,
}

/// What bytes do to a [`Line`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It may still be a boundary.
    More,
    /// It is none.
    Other,
    /// It is a boundary between parts.
    Boundary,
    /// It is the last boundary.
    Last,
}

/// Most blanks behind a boundary. Nobody writes any.
const MAX_BLANKS: usize = 8190;

const LINE_END: &[u8] = b"\r\n";

impl Line {
    /// Makes one that is to begin with the line end before it.
    pub(super) fn new() -> Self {
        Self {
            matched: 0,
            dashes: 0,
            blanks: 0,
        }
    }

    /// Makes one whose line end was there before.
    pub(super) fn after_line_end() -> Self {
        Self {
            matched: LINE_END.len(),
            ..Self::new()
        }
    }

    /// Takes bytes off the front of `input`, up to the end of the line or to the byte that
    /// no boundary has, which stays.
    pub(super) fn take(
        &mut self,
        boundary: &Boundary,
        input: &mut Bytes,
    ) -> Result<Step, MultipartError> {
        let mut taken = 0;
        let mut step = Step::More;
        for &byte in input.iter() {
            step = self.step(boundary.delimiter(), byte);
            if step == Step::Other {
                break;
            }
            taken += 1;
            if step != Step::More {
                break;
            }
            if self.blanks > MAX_BLANKS {
                let limit = MAX_BLANKS;
                return Err(MultipartError::LineTooLong { limit });
            }
        }
        input.advance(taken);
        Ok(step)
    }

    fn step(&mut self, delimiter: &[u8], byte: u8) -> Step {
        if let Some(&next) = delimiter.get(self.matched) {
            if byte != next {
                return Step::Other;
            }
            self.matched += 1;
            return Step::More;
        }
        match (byte, self.dashes) {
            (b'\n', 0) => Step::Boundary,
            (b'\n', 2) => Step::Last,
            (b'-', 0 | 1) if self.blanks == 0 => {
                self.dashes += 1;
                Step::More
            }
            // What Python's `rstrip` takes off.
            (b' ' | b'\t' | b'\r' | 0x0B | 0x0C, 0 | 2) => {
                self.blanks += 1;
                Step::More
            }
            _ => Step::Other,
        }
    }

    /// How many bytes it has, without the line end before it.
    pub(super) fn len(&self) -> usize {
        self.matched.saturating_sub(LINE_END.len()) + usize::from(self.dashes) + self.blanks
    }

    /// Tells whether the line end before it was there.
    pub(super) fn has_line_end(&self) -> bool {
        self.matched >= LINE_END.len()
    }

    /// Tells whether it is the last boundary, if the body ends here.
    pub(super) fn is_last(&self) -> bool {
        self.dashes == 2
    }
}
