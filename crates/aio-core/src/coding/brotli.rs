//! The coding br (RFC 7932), decoded by brotli-decompressor.

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};

use super::layer::Step;
use crate::BoxError;

pub(super) const BUILT_IN: bool = true;

/// Decodes a stream.
pub(super) struct Engine(Box<BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>>);

impl Engine {
    pub(super) fn new() -> Result<Self, BoxError> {
        let alloc = StandardAlloc::default;
        // Strict: no windows above the 16 MiB that RFC 7932 has.
        let state = BrotliState::new_strict(alloc(), alloc(), alloc());
        Ok(Self(Box::new(state)))
    }

    pub(super) fn step(&mut self, input: &[u8], room: &mut [u8]) -> Step {
        let (mut input_left, mut room_left) = (input.len(), room.len());
        let mut step = Step::default();
        let result = BrotliDecompressStream(
            &mut input_left,
            &mut step.consumed,
            input,
            &mut room_left,
            &mut step.produced,
            room,
            &mut 0,
            &mut self.0,
        );
        match result {
            BrotliResult::ResultSuccess => step.ended = true,
            BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => {}
            BrotliResult::ResultFailure => {
                step.failed = Some(format!("{:?}", self.0.error_code).into());
            }
        }
        step
    }
}
