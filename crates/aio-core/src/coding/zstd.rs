//! The coding zstd (RFC 8878), decoded by libzstd.
//!
//! ruzstd, which is all Rust, holds back a whole window before it gives any output: what a
//! server flushes would not come until megabytes behind it had.

use zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer, get_error_name};

use super::layer::Step;
use crate::BoxError;

pub(super) const BUILT_IN: bool = true;

/// The largest window as a power of two: 8 MiB, which RFC 9659 sets for this coding.
const MAX_WINDOW_LOG: u32 = 23;

/// Decodes a frame, or passes over a skippable one.
pub(super) struct Engine(DCtx<'static>);

impl Engine {
    pub(super) fn new() -> Result<Self, BoxError> {
        let mut engine = DCtx::try_create().ok_or("no memory for the decoder")?;
        engine
            .set_parameter(DParameter::WindowLogMax(MAX_WINDOW_LOG))
            .map_err(get_error_name)?;
        Ok(Self(engine))
    }

    pub(super) fn step(&mut self, input: &[u8], room: &mut [u8]) -> Step {
        let mut input = InBuffer::around(input);
        let mut output = OutBuffer::around(room);
        let status = self.0.decompress_stream(&mut output, &mut input);
        Step {
            consumed: input.pos(),
            produced: output.pos(),
            ended: status == Ok(0),
            failed: status.err().map(|code| get_error_name(code).into()),
        }
    }
}
