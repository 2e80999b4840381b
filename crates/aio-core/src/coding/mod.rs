//! Content codings, as decoders and encoders that take bytes and give a bounded number of
//! bytes.

#[cfg(not(all(feature = "brotli", feature = "zstd")))]
mod absent;
#[cfg(feature = "brotli")]
mod brotli;
mod encoder;
mod gzip;
mod layer;
#[cfg(test)]
mod tests;
#[cfg(feature = "zstd")]
mod zstd;

use bytes::{Bytes, BytesMut};

#[cfg(not(feature = "brotli"))]
use self::absent as brotli;
#[cfg(not(feature = "zstd"))]
use self::absent as zstd;
pub use self::encoder::Encoder;
use self::layer::Layer;
use crate::PayloadError;

/// The most codings of one body that are undone: each costs a decoder, and nobody uses more
/// than two.
const MAX_STACKED: usize = 4;

/// Between stacked codings, how much is decoded at a time, and how much in one call.
const BETWEEN: usize = 16 * 1024;
const BETWEEN_MAX: usize = 256 * 1024;

/// A content coding.
///
/// Which of them can be decoded depends on the features: [`has_decoder`](Self::has_decoder)
/// tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Coding {
    /// `gzip` (RFC 1952): one or more members.
    Gzip,
    /// `deflate`: the zlib container (RFC 1950), or raw deflate (RFC 1951), which some
    /// servers send under this name.
    Deflate,
    /// `br` (RFC 7932), with feature `brotli`.
    Brotli,
    /// `zstd` (RFC 8878), with feature `zstd`: one or more frames, with windows up to 8 MiB
    /// (RFC 9659).
    Zstd,
}

impl Coding {
    /// All of them, in the order in which aiohttp offers them.
    pub const ALL: [Self; 4] = [Self::Gzip, Self::Deflate, Self::Brotli, Self::Zstd];

    /// Returns the coding that has this name, in any case.
    ///
    /// Everything else is `None`: `identity`, `x-gzip`, lists of codings, unknown names. What
    /// a whole `Content-Encoding` says, [`Decoder::of_fields`] knows.
    ///
    /// ```
    /// use aio_core::coding::Coding;
    ///
    /// assert_eq!(Coding::from_header(b"GZip"), Some(Coding::Gzip));
    /// assert_eq!(Coding::from_header(b"gzip, br"), None);
    /// ```
    pub fn from_header(value: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|coding| value.eq_ignore_ascii_case(coding.name().as_bytes()))
    }

    /// Returns the name of the coding, as in `Content-Encoding`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }

    /// Tells whether there is a decoder for it here.
    pub const fn has_decoder(self) -> bool {
        match self {
            Self::Gzip | Self::Deflate => true,
            Self::Brotli => brotli::BUILT_IN,
            Self::Zstd => zstd::BUILT_IN,
        }
    }

    /// Tells whether there is an [`Encoder`] for it: for gzip and deflate.
    pub const fn has_encoder(self) -> bool {
        matches!(self, Self::Gzip | Self::Deflate)
    }
}

/// Decodes one body.
///
/// The memory it holds does not grow with the body, and is none before the first byte: about
/// 50 KiB for gzip and deflate, and for the others as much as the window that the sender
/// chose, up to 16 MiB for br and 8 MiB for zstd; that for each of up to four codings above
/// each other. How fast the output grows is the caller's
/// to say, by the `budget` of each call.
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
    layer: Layer,
    /// What undoes the codings that were applied behind this one.
    before: Option<Box<Before>>,
}

/// The decoder that feeds another.
#[derive(Debug)]
struct Before {
    decoder: Decoder,
    /// What it gave, and the other has not taken yet.
    given: Bytes,
    /// The other may have more from what it took before.
    more: bool,
}

/// What a [`Decoder`] waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// All input is decoded; more output needs more input.
    NeedsInput,
    /// The budget is used up; there may be more output, even if no input is left. With
    /// stacked codings also when much was decoded between them, though little or nothing
    /// came out.
    NeedsBudget,
}

impl Decoder {
    /// Makes a decoder for one body; it allocates with the body's first byte.
    ///
    /// Of a coding that is not built in each body fails, but an empty one.
    pub const fn new(coding: Coding) -> Self {
        Self {
            layer: Layer::new(coding),
            before: None,
        }
    }

    /// Makes a decoder for a body whose head has these `Content-Encoding` fields, of which
    /// each may be a list; the last coding was applied last and is undone first.
    ///
    /// `None` where the body is to be passed on as it came: if it has no coding (`identity`
    /// is none), one that is not among `known`, or more than four.
    ///
    /// ```
    /// use aio_core::coding::{Coding, Decoder};
    ///
    /// let fields = |value: &'static str| [value.as_bytes()];
    /// assert!(Decoder::of_fields(fields("identity, gzip"), &Coding::ALL).is_some());
    /// assert!(Decoder::of_fields(fields("gzip, exi"), &Coding::ALL).is_none());
    /// ```
    pub fn of_fields<'a>(
        fields: impl IntoIterator<Item = &'a [u8]>,
        known: &[Coding],
    ) -> Option<Self> {
        let mut applied = [None; MAX_STACKED];
        let mut free = applied.iter_mut();
        let names = fields
            .into_iter()
            .flat_map(|field| field.split(|&b| b == b','));
        for name in names.map(<[u8]>::trim_ascii) {
            if name.is_empty() || name.eq_ignore_ascii_case(b"identity") {
                continue;
            }
            let coding = Coding::from_header(name).filter(|coding| known.contains(coding))?;
            *free.next()? = Some(coding);
        }
        let last_first = applied.into_iter().rev().flatten();
        last_first.fold(None, |before: Option<Self>, coding| {
            let before = before.map(|decoder| {
                Box::new(Before {
                    decoder,
                    given: Bytes::new(),
                    more: false,
                })
            });
            let layer = Layer::new(coding);
            Some(Self { layer, before })
        })
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
    /// further gzip member, zlib container or zstd frame follows the end, or when one call
    /// meets more than 1024 of these. What was decoded before stays in `output`; each later call fails with
    /// the same error.
    pub fn decode(
        &mut self,
        input: &mut Bytes,
        output: &mut BytesMut,
        budget: usize,
    ) -> Result<Progress, PayloadError> {
        self.decode_within(input, output, budget, &mut { BETWEEN_MAX })
    }

    /// Decodes as long as there is something left `between` the layers, all of them together:
    /// with a bound for each, the third would allow what the second does as often as that.
    fn decode_within(
        &mut self,
        input: &mut Bytes,
        output: &mut BytesMut,
        budget: usize,
        between: &mut usize,
    ) -> Result<Progress, PayloadError> {
        let Self { layer, before } = self;
        match before {
            None => layer.decode(input, output, budget),
            Some(before) => before.decode_behind(layer, input, output, budget, between),
        }
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
        if let Some(before) = &self.before {
            before.decoder.finish()?;
        }
        self.layer.finish()
    }
}

impl Before {
    /// Decodes what comes out of this decoder with `layer`.
    fn decode_behind(
        &mut self,
        layer: &mut Layer,
        input: &mut Bytes,
        output: &mut BytesMut,
        mut budget: usize,
        between: &mut usize,
    ) -> Result<Progress, PayloadError> {
        let mut progress = Progress::NeedsBudget;
        loop {
            if self.more || !self.given.is_empty() {
                let had = output.len();
                // So that an error is met again.
                self.more = true;
                let wants = layer.decode(&mut self.given, output, budget)?;
                budget -= output.len() - had;
                self.more = wants == Progress::NeedsBudget;
                if self.more {
                    return Ok(wants);
                }
            }
            if progress == Progress::NeedsInput {
                return Ok(progress);
            }
            if budget == 0 || *between == 0 {
                return Ok(Progress::NeedsBudget);
            }
            let mut given = BytesMut::new();
            let decoded = self
                .decoder
                .decode_within(input, &mut given, BETWEEN, between);
            *between = between.saturating_sub(given.len());
            self.given = given.freeze();
            match decoded {
                Err(error) if self.given.is_empty() => return Err(error),
                // What came before it is good; it is met again.
                Err(_) => {}
                Ok(wants) if self.given.is_empty() => return Ok(wants),
                Ok(wants) => progress = wants,
            }
        }
    }
}
