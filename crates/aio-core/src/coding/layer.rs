//! One coding of a body: where its members begin and end, and what may follow them.

use std::fmt;
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};

use super::{Coding, Progress, brotli, gzip, zstd};
use crate::{BoxError, PayloadError};

/// aiohttp: the largest number of members (gzip, deflate) or frames (zstd) that it decodes in one
/// call. A member costs an allocation but need not give output, so the budget does not
/// bound them.
pub(super) const MAX_MEMBERS: usize = 1024;

/// Bytes of output per step: the output grows by this and is cut back to what came.
/// Measured with 64 KiB of gzipped JSON: 63 µs at 8 KiB, 54 at 16, 50 at 32, 48 at 64, and
/// 48 for flate2 in one call.
const STEP: usize = 32 * 1024;

/// Bytes of output of the first step at least; a step more has four times as many.
const LEAST: usize = 512;

/// Undoes one coding.
#[derive(Debug)]
pub(super) struct Layer {
    coding: Coding,
    state: State,
}

#[derive(Debug)]
enum State {
    /// No byte has come.
    Empty,
    /// Inside a member.
    Open(Engine),
    /// Behind a complete member.
    Complete,
    /// What came is corrupt.
    Failed(PayloadError),
}

/// Decodes one member: of br there is one, of the others there may be several.
enum Engine {
    Gzip(gzip::Engine),
    Brotli(brotli::Engine),
    Zstd(zstd::Engine),
}

/// What an engine did with its input and its room, before it failed or ended.
#[derive(Debug, Default)]
pub(super) struct Step {
    pub(super) consumed: usize,
    pub(super) produced: usize,
    pub(super) ended: bool,
    pub(super) failed: Option<BoxError>,
}

/// What can be wrong with a body, beside what its engine says.
#[derive(Debug, thiserror::Error)]
enum Corrupt {
    #[error("data behind the end")]
    TrailingData,
    #[error("more than {MAX_MEMBERS} members in a row")]
    TooManyMembers,
    #[error("the decoder makes no progress")]
    Stalled,
}

impl Layer {
    pub(super) const fn new(coding: Coding) -> Self {
        Self {
            coding,
            state: State::Empty,
        }
    }

    pub(super) fn decode(
        &mut self,
        input: &mut Bytes,
        output: &mut BytesMut,
        budget: usize,
    ) -> Result<Progress, PayloadError> {
        if let State::Failed(error) = &self.state {
            return Err(error.clone());
        }
        let result = self.decode_members(input, output, budget);
        result.map_err(|what| {
            let error = PayloadError::Decode {
                coding: self.coding.name(),
                source: Arc::from(what),
            };
            self.state = State::Failed(error.clone());
            error
        })
    }

    pub(super) fn finish(&self) -> Result<(), PayloadError> {
        match &self.state {
            State::Empty | State::Complete => Ok(()),
            State::Open(_) => Err(PayloadError::Truncated {
                coding: self.coding.name(),
            }),
            State::Failed(error) => Err(error.clone()),
        }
    }

    fn decode_members(
        &mut self,
        input: &mut Bytes,
        output: &mut BytesMut,
        mut budget: usize,
    ) -> Result<Progress, BoxError> {
        let mut members = 0;
        loop {
            if budget == 0 {
                return Ok(Progress::NeedsBudget);
            }
            if let State::Open(engine) = &mut self.state {
                let before = output.len();
                let stop = engine.decode(input, output, budget)?;
                budget -= output.len() - before;
                match stop {
                    Stop::End => {
                        members += 1;
                        self.state = State::Complete;
                    }
                    Stop::Wants(more) => return Ok(more),
                }
                continue;
            }
            let Some(&first) = input.first() else {
                return Ok(Progress::NeedsInput);
            };
            if matches!(self.state, State::Complete) {
                if !self.coding.may_go_on_with(first) {
                    return Err(Corrupt::TrailingData.into());
                }
                if members == MAX_MEMBERS {
                    return Err(Corrupt::TooManyMembers.into());
                }
            }
            self.state = State::Open(Engine::new(self.coding, first)?);
        }
    }
}

impl Coding {
    /// Tells whether a byte may be the first one behind a member.
    fn may_go_on_with(self, first: u8) -> bool {
        match self {
            Self::Gzip => first == gzip::MAGIC,
            // As aiohttp, whose decoder does not tell it from gzip there.
            Self::Deflate => gzip::is_zlib(first),
            Self::Brotli => false,
            // The frame's own check says more than its first byte.
            Self::Zstd => true,
        }
    }
}

/// Why [`Engine::decode`] returned.
enum Stop {
    End,
    Wants(Progress),
}

impl Engine {
    /// Makes one for a member whose first byte is `first`.
    fn new(coding: Coding, first: u8) -> Result<Self, BoxError> {
        Ok(match coding {
            Coding::Gzip => Self::Gzip(gzip::Engine::gzip()),
            Coding::Deflate => Self::Gzip(gzip::Engine::deflate(first)),
            Coding::Brotli => Self::Brotli(brotli::Engine::new()?),
            Coding::Zstd => Self::Zstd(zstd::Engine::new()?),
        })
    }

    fn step(&mut self, input: &[u8], room: &mut [u8]) -> Step {
        match self {
            Self::Gzip(engine) => engine.step(input, room),
            Self::Brotli(engine) => engine.step(input, room),
            Self::Zstd(engine) => engine.step(input, room),
        }
    }

    /// Decodes inside one member until it ends, the input ends or the budget does.
    fn decode(
        &mut self,
        input: &mut Bytes,
        output: &mut BytesMut,
        mut budget: usize,
    ) -> Result<Stop, BoxError> {
        // What the engine holds back is most often little.
        let mut least = LEAST;
        while budget > 0 {
            let start = output.len();
            // Room that is there need not be made, and each step copies the window.
            let spare = (output.capacity() - start).min(most_of(input.len()));
            let room = budget.min(room_for(input.len()).max(spare).max(least));
            least = (4 * least).min(STEP);
            output.resize(start + room, 0);
            let step = self.step(input, output.get_mut(start..).unwrap_or_default());
            output.truncate(start + step.produced);
            input.advance(step.consumed);
            budget -= step.produced;

            if let Some(what) = step.failed {
                return Err(what);
            }
            if step.ended {
                return Ok(Stop::End);
            }
            if step.produced < room && input.is_empty() {
                return Ok(Stop::Wants(Progress::NeedsInput));
            }
            if step.produced == 0 && step.consumed == 0 {
                return Err(Corrupt::Stalled.into());
            }
        }
        Ok(Stop::Wants(Progress::NeedsBudget))
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gzip(_) => "Gzip",
            Self::Brotli(_) => "Brotli",
            Self::Zstd(_) => "Zstd",
        })
    }
}

/// How much may come of `input` bytes, to be zeroed for it: deflate packs no better than
/// 1:1032. A body of 1 MiB in pieces of a byte takes 0.1 s so, and 0.7 with all the room that
/// is there.
fn most_of(input: usize) -> usize {
    input.saturating_mul(1032)
}

/// How much room to make for what `input` bytes give: text is seldom packed better than
/// 1:16, and zeroing far more than a small piece can fill costs more than decoding it.
fn room_for(input: usize) -> usize {
    input.saturating_mul(16).min(STEP)
}
