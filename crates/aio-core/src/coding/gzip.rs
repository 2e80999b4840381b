//! The codings gzip and deflate, decoded by flate2.

use flate2::{Decompress, FlushDecompress, Status};

use super::layer::Step;

/// The window of both codings: 2^15 bytes, the largest deflate has.
const WINDOW_BITS: u8 = 15;

/// The first byte of each gzip member (RFC 1952 2.3.1).
pub(super) const MAGIC: u8 = 0x1f;

/// Tells whether a zlib container may begin so: with its method, which is always 8
/// (RFC 1950 2.2).
pub(super) const fn is_zlib(first: u8) -> bool {
    first & 0x0f == 8
}

/// Decodes a gzip member, or deflate.
pub(super) struct Engine(Box<Decompress>);

impl Engine {
    pub(super) fn gzip() -> Self {
        Self(Box::new(Decompress::new_gzip(WINDOW_BITS)))
    }

    /// Decodes the zlib container or raw deflate, whichever begins with `first`.
    pub(super) fn deflate(first: u8) -> Self {
        let engine = Decompress::new_with_window_bits(is_zlib(first), WINDOW_BITS);
        Self(Box::new(engine))
    }

    pub(super) fn step(&mut self, input: &[u8], room: &mut [u8]) -> Step {
        let engine = &mut self.0;
        let (consumed, produced) = (engine.total_in(), engine.total_out());
        let status = engine.decompress(input, room, FlushDecompress::None);
        Step {
            consumed: (engine.total_in() - consumed) as usize,
            produced: (engine.total_out() - produced) as usize,
            ended: matches!(status, Ok(Status::StreamEnd)),
            failed: status.err().map(Into::into),
        }
    }
}
