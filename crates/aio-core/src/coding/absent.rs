//! The decoder of a coding that is not built in.

use super::layer::Step;
use crate::BoxError;

pub(super) const BUILT_IN: bool = false;

/// There is none.
pub(super) enum Engine {}

impl Engine {
    pub(super) fn new() -> Result<Self, BoxError> {
        Err("the decoder is not built in".into())
    }

    pub(super) fn step(&mut self, _: &[u8], _: &mut [u8]) -> Step {
        match *self {}
    }
}
