//! Content codings, as decoders and encoders that take bytes and give a bounded number of
//! bytes.

mod encoder;
mod gzip;

use bytes::{Bytes, BytesMut};

pub use self::encoder::Encoder;
use self::gzip::Inflater;
use crate::PayloadError;

/// A content coding that can be decoded and encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Coding {
    /// `gzip` (RFC 1952): one or more members.
    Gzip,
    /// `deflate`: the zlib container (RFC 1950), or raw deflate (RFC 1951), which some
    /// servers send under this name.
    Deflate,
}

impl Coding {
    /// Returns the coding that the value of a `Content-Encoding` field names, in any case.
    ///
    /// Everything else is `None`, and such a body is passed through as it came: `identity`,
    /// `x-gzip`, lists of codings, unknown names.
    ///
    /// ```
    /// use aio_core::coding::Coding;
    ///
    /// assert_eq!(Coding::from_header(b"GZip"), Some(Coding::Gzip));
    /// assert_eq!(Coding::from_header(b"gzip, br"), None);
    /// ```
    pub fn from_header(value: &[u8]) -> Option<Self> {
        [Self::Gzip, Self::Deflate]
            .into_iter()
            .find(|coding| value.eq_ignore_ascii_case(coding.name().as_bytes()))
    }

    /// Returns the name of the coding, as in `Content-Encoding`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        }
    }
}

/// Decodes one body.
///
/// The memory it holds is constant (about 50 KiB, none before the first byte), whatever
/// the body; how fast the output grows is the caller's to say, by the `budget` of each
/// call.
///
/// ```
/// use aio_core::coding::{Coding, Decoder, Progress};
/// use bytes::{Bytes, BytesMut};
///
/// // The zlib container around "hello".
/// let mut body = Bytes::from_static(b"\x78\x9c\xcb\x48\xcd\xc9\xc9\x07\x00\x06\x2c\x02\x15");
/// let mut text = BytesMut::new();
/// let mut decoder = Decoder::new(Coding::Deflate);
///
/// assert_eq!(decoder.decode(&mut body, &mut text, 3)?, Progress::NeedsBudget);
/// assert_eq!(text, "hel");
/// assert_eq!(decoder.decode(&mut body, &mut text, 64 * 1024)?, Progress::NeedsInput);
/// assert_eq!(text, "hello");
/// decoder.finish()?;
/// # Ok::<(), aio_core::PayloadError>(())
/// ```
#[derive(Debug)]
pub struct Decoder {
    inflater: Inflater,
}

/// What a [`Decoder`] waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// All input is decoded; more output needs more input.
    NeedsInput,
    /// The budget is used up; there may be more output, even if no input is left.
    NeedsBudget,
}

impl Decoder {
    /// Makes a decoder for one body; it allocates with the body's first byte.
    pub const fn new(coding: Coding) -> Self {
        Self {
            inflater: Inflater::new(coding),
        }
    }

    /// Decodes from the front of `input`, which advances, and appends at most `budget`
    /// bytes to `output`.
    ///
    /// Call it until it answers [`Progress::NeedsInput`]. With a budget of 0 it does
    /// nothing.
    ///
    /// # Errors
    ///
    /// [`PayloadError::Decode`] when the input is corrupt, when something other than a
    /// further gzip member follows the end, or when one call meets more than 1024 members.
    /// What was decoded before stays in `output`; each later call fails with the same
    /// error.
    pub fn decode(
        &mut self,
        input: &mut Bytes,
        output: &mut BytesMut,
        budget: usize,
    ) -> Result<Progress, PayloadError> {
        self.inflater.decode(input, output, budget)
    }

    /// Checks that the coding is complete, to be called when the body is.
    ///
    /// A body without any byte is complete. A caller that tolerates truncated bodies does
    /// not call this.
    ///
    /// # Errors
    ///
    /// [`PayloadError::Truncated`] when the coding expects more, or the error that
    /// [`decode`](Self::decode) failed with.
    pub fn finish(&self) -> Result<(), PayloadError> {
        self.inflater.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &str, want: Option<Coding>) {
        assert_eq!(Coding::from_header(value.as_bytes()), want, "{value:?}");
    }

    #[test]
    fn a_decoder_is_small() {
        assert!(size_of::<Decoder>() <= 56, "{}", size_of::<Decoder>());
    }

    #[test]
    fn single_known_codings_are_decoded() {
        check("gzip", Some(Coding::Gzip));
        check("GZIP", Some(Coding::Gzip));
        check("deflate", Some(Coding::Deflate));
        check("Deflate", Some(Coding::Deflate));
    }

    #[test]
    fn everything_else_passes_through() {
        check("", None);
        check("identity", None);
        check("x-gzip", None);
        check("gzip, deflate", None);
        check("gzip ", None);
        check("gzipp", None);
        check("gzıp", None);
    }
}
