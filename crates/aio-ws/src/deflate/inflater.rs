//! Decompresses the messages of one direction.

use std::cell::Cell;

use bytes::BytesMut;
use flate2::{Decompress, FlushDecompress, Status};

use super::{TAIL, WindowBits};

/// aiohttp: the largest number of deflate streams in a message. One costs time but need not
/// give output, so the bound on the output does not bound them.
const MAX_MEMBERS: usize = 1024;

/// Bytes of output per step; each step copies the window.
const STEP: usize = 32 * 1024;

/// Bytes of output of the first step at least.
const LEAST: usize = 512;

/// Decompresses the messages that one side receives.
///
/// The window is always 32 KiB, which holds every smaller one. With context takeover it
/// holds 40 KiB from the first message on, else nothing between messages: each thread keeps one
/// context for all.
#[derive(Debug)]
pub struct Inflater {
    takeover: bool,
    context: Option<Decompress>,
    /// A final block came: what follows is a stream of its own, without a window, as to zlib.
    ended: bool,
    /// The streams of this message that have ended.
    members: usize,
    failed: Option<InflateError>,
}

/// A compressed message that cannot be decompressed, or must not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InflateError {
    /// The message is larger than there is room for.
    #[error("the decompressed message is too large")]
    TooLarge,
    /// The message has more than 1024 deflate streams.
    #[error("Compressed message has too many deflate members")]
    TooManyMembers,
    /// The message is not deflate.
    #[error("the compressed message is corrupt")]
    Corrupt,
}

impl Inflater {
    /// Makes a decompressor; with `takeover` a message may refer to those before it.
    pub const fn new(takeover: bool) -> Self {
        Self {
            takeover,
            context: None,
            ended: false,
            members: 0,
            failed: None,
        }
    }

    /// Decompresses a piece of a message, or all of it, and appends to `output` what it gives,
    /// at most `room` bytes.
    ///
    /// # Errors
    ///
    /// [`InflateError::TooLarge`] as soon as there is one byte more than `room`, which stays
    /// filled; [`InflateError::TooManyMembers`] and [`InflateError::Corrupt`] where the input
    /// is to blame. Each later call fails with the same error.
    pub fn inflate(
        &mut self,
        input: &[u8],
        end_of_message: bool,
        output: &mut BytesMut,
        room: usize,
    ) -> Result<(), InflateError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let result = self.inflate_piece(input, end_of_message, output, room);
        if let Err(error) = result {
            self.failed = Some(error);
            self.context = None;
        }
        result
    }

    fn inflate_piece(
        &mut self,
        input: &[u8],
        end_of_message: bool,
        output: &mut BytesMut,
        room: usize,
    ) -> Result<(), InflateError> {
        let most = output.len().saturating_add(room);
        self.run(input, output, most)?;
        if !end_of_message {
            return Ok(());
        }
        // Behind a final block the sender ought to have put an empty one, whose end the tail
        // is (RFC 7692 7.2.3.4); without it there is nothing that the tail would end.
        if !self.ended {
            self.run(&TAIL, output, most)?;
        }
        self.members = 0;
        if !self.takeover {
            let spare = self.context.take();
            // Where the thread ends there is no place left for it.
            let _ = SPARE.try_with(|place| place.set(spare));
            self.ended = false;
        }
        Ok(())
    }

    /// Decompresses all of `input`; `output` may become as long as `most`.
    fn run(
        &mut self,
        mut input: &[u8],
        output: &mut BytesMut,
        most: usize,
    ) -> Result<(), InflateError> {
        let context = self.context.get_or_insert_with(take_spare);
        let mut least = LEAST;
        // The engine may hold output back when all input is taken.
        let mut more = true;
        while more || !input.is_empty() {
            if self.ended {
                if input.is_empty() {
                    return Ok(());
                }
                context.reset(false);
                self.ended = false;
            }
            let start = output.len();
            // One byte more than allowed tells a full message from one too large.
            let room = (most.saturating_add(1) - start).min(room_for(input.len()).max(least));
            least = (4 * least).min(STEP);
            output.resize(start + room, 0);
            let (consumed, produced) = (context.total_in(), context.total_out());
            let status = context.decompress(
                input,
                output.get_mut(start..).unwrap_or_default(),
                FlushDecompress::None,
            );
            let consumed = (context.total_in() - consumed) as usize;
            let produced = (context.total_out() - produced) as usize;
            output.truncate((start + produced).min(most));
            input = input.get(consumed..).unwrap_or_default();

            // However the message is split, what comes first is told.
            if start + produced > most {
                return Err(InflateError::TooLarge);
            }
            if status.map_err(|_| InflateError::Corrupt)? == Status::StreamEnd {
                self.members += 1;
                if self.members > MAX_MEMBERS {
                    return Err(InflateError::TooManyMembers);
                }
                self.ended = true;
            }
            if consumed == 0 && produced == 0 && !input.is_empty() && !self.ended {
                return Err(InflateError::Corrupt);
            }
            more = produced == room;
        }
        Ok(())
    }
}

thread_local! {
    /// What the last message without context takeover was decompressed with.
    static SPARE: Cell<Option<Decompress>> = const { Cell::new(None) };
}

/// Returns a context without history.
fn take_spare() -> Decompress {
    match SPARE.try_with(Cell::take) {
        Ok(Some(mut context)) => {
            context.reset(false);
            context
        }
        _ => Decompress::new_with_window_bits(false, WindowBits::MAX.get()),
    }
}

/// How much room to make for what `input` bytes give: text is seldom packed better than
/// 1:16, and zeroing far more than a small piece can fill costs more than decompressing it.
fn room_for(input: usize) -> usize {
    input.saturating_mul(16).min(STEP)
}
