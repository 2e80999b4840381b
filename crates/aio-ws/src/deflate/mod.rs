//! The extension permessage-deflate (RFC 7692): what the two sides agree on, and the codec.

mod deflater;
mod inflater;
mod negotiate;
#[cfg(test)]
mod tests;

use std::fmt;

pub use self::deflater::Deflater;
pub use self::inflater::{InflateError, Inflater};

/// What each flush ends with; it is not sent (RFC 7692 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// What the two sides agree on for permessage-deflate, or what one of them proposes.
///
/// The default leaves both sides all freedom, and is what aiohttp's `compress=15` asks for.
///
/// ```
/// use aio_ws::{DeflateParams, WindowBits};
///
/// // The server shall be content with a window of 1 KiB.
/// let params = DeflateParams { server_max_window_bits: WindowBits::new(10)?, ..DeflateParams::default() };
/// # Ok::<(), aio_ws::InvalidWindowBits>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct DeflateParams {
    /// The server compresses each message by itself.
    pub server_no_context_takeover: bool,
    /// The client compresses each message by itself.
    pub client_no_context_takeover: bool,
    /// The window that the server compresses with, at most.
    pub server_max_window_bits: WindowBits,
    /// The window that the client compresses with, at most.
    pub client_max_window_bits: WindowBits,
}

impl DeflateParams {
    /// Returns what a client compresses its messages with, and what a server decompresses
    /// them with.
    pub const fn client_to_server(&self) -> (Deflater, Inflater) {
        codec(self.client_max_window_bits, self.client_no_context_takeover)
    }

    /// Returns what a server compresses its messages with, and what a client decompresses
    /// them with.
    pub const fn server_to_client(&self) -> (Deflater, Inflater) {
        codec(self.server_max_window_bits, self.server_no_context_takeover)
    }
}

/// Makes both ends of one direction; neither allocates before its first byte.
const fn codec(bits: WindowBits, no_takeover: bool) -> (Deflater, Inflater) {
    let takeover = !no_takeover;
    (Deflater::new(bits, takeover), Inflater::new(takeover))
}

/// The size of a compression window: the base-2 logarithm of its bytes, 9 to 15.
///
/// ```
/// use aio_ws::WindowBits;
///
/// assert_eq!(WindowBits::default(), WindowBits::MAX);
/// assert_eq!(WindowBits::new(12)?.get(), 12);
/// assert!(WindowBits::new(8).is_err());
/// # Ok::<(), aio_ws::InvalidWindowBits>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WindowBits(u8);

/// A number that no [`WindowBits`] have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Compress wbits must between 9 and 15, zlib does not support wbits=8")]
pub struct InvalidWindowBits;

impl WindowBits {
    /// 9: a window of 512 bytes. RFC 7692 also has 8, which zlib does not compress with.
    pub const MIN: Self = Self(9);
    /// 15: a window of 32 KiB, the largest of deflate, and the default.
    pub const MAX: Self = Self(15);

    /// Makes a window of 2^`bits` bytes.
    ///
    /// # Errors
    ///
    /// [`InvalidWindowBits`] unless `bits` is 9 to 15; its text is aiohttp's.
    pub const fn new(bits: u8) -> Result<Self, InvalidWindowBits> {
        if bits < Self::MIN.0 || Self::MAX.0 < bits {
            return Err(InvalidWindowBits);
        }
        Ok(Self(bits))
    }

    /// Returns the number.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl Default for WindowBits {
    fn default() -> Self {
        Self::MAX
    }
}

impl TryFrom<u8> for WindowBits {
    type Error = InvalidWindowBits;

    fn try_from(bits: u8) -> Result<Self, InvalidWindowBits> {
        Self::new(bits)
    }
}

impl fmt::Display for WindowBits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
