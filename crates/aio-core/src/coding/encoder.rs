//! The codings gzip and deflate, encoded by flate2.

use std::sync::Arc;

use bytes::BytesMut;
use flate2::{Compress, Compression, FlushCompress, Status};

use super::Coding;
use crate::PayloadError;

/// The window of both codings: 2^15 bytes, the largest deflate has.
const WINDOW_BITS: u8 = 15;

/// Bytes of room per step: the output grows by this and is cut back to what came.
const STEP: usize = 32 * 1024;

/// Encodes one body.
///
/// The memory it holds is constant (about 300 KiB, none before the first byte), whatever
/// the body; the output grows by hardly more than the input at once.
///
/// ```
/// use aio_core::coding::{Coding, Decoder, Encoder};
/// use bytes::{Bytes, BytesMut};
///
/// let (mut encoder, mut packed) = (Encoder::new(Coding::Gzip), BytesMut::new());
/// for piece in ["hello, ", "hello, ", "hello"] {
///     encoder.encode(piece.as_bytes(), &mut packed)?;
/// }
/// encoder.finish(&mut packed)?;
///
/// let mut text = BytesMut::new();
/// Decoder::new(Coding::Gzip).decode(&mut packed.freeze(), &mut text, 1024)?;
/// assert_eq!(text, "hello, hello, hello");
/// # Ok::<(), aio_core::PayloadError>(())
/// ```
#[derive(Debug)]
pub struct Encoder {
    coding: Coding,
    engine: Option<Compress>,
}

/// What can be wrong with an encoder.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Deflate(#[from] flate2::CompressError),
    #[error("the encoder makes no progress")]
    Stalled,
    #[error("there is no encoder for it")]
    Absent,
}

impl Encoder {
    /// Makes an encoder for one body: gzip without a time and a name (RFC 1952), or deflate
    /// in its zlib container (RFC 1950); at zlib's default level, 6. For the other codings
    /// there is none, and encoding fails.
    pub const fn new(coding: Coding) -> Self {
        Self {
            coding,
            engine: None,
        }
    }

    /// Encodes all of `input` and appends to `output` what comes of it: nothing at times,
    /// and what is short of a block is held back.
    ///
    /// # Errors
    ///
    /// [`PayloadError::Encode`] when there is no encoder for the coding, or it is itself
    /// broken; any input can be encoded.
    pub fn encode(&mut self, mut input: &[u8], output: &mut BytesMut) -> Result<(), PayloadError> {
        let coding = self.coding;
        let engine = match &mut self.engine {
            Some(engine) => engine,
            engine => engine.insert(start(coding)?),
        };
        while !input.is_empty() {
            let (_, consumed) = step(engine, input, output, FlushCompress::None)
                .map_err(|what| failed(coding, what))?;
            input = input.get(consumed..).unwrap_or_default();
        }
        Ok(())
    }

    /// Appends the end to `output`; another body may follow then.
    ///
    /// # Errors
    ///
    /// As [`encode`](Self::encode).
    pub fn finish(&mut self, output: &mut BytesMut) -> Result<(), PayloadError> {
        let coding = self.coding;
        let mut engine = match self.engine.take() {
            Some(engine) => engine,
            None => start(coding)?,
        };
        loop {
            let (status, _) = step(&mut engine, &[], output, FlushCompress::Finish)
                .map_err(|what| failed(coding, what))?;
            if status == Status::StreamEnd {
                return Ok(());
            }
        }
    }
}

fn start(coding: Coding) -> Result<Compress, PayloadError> {
    let level = Compression::default();
    match coding {
        Coding::Gzip => Ok(Compress::new_gzip(level, WINDOW_BITS)),
        Coding::Deflate => Ok(Compress::new_with_window_bits(level, true, WINDOW_BITS)),
        Coding::Brotli | Coding::Zstd => Err(failed(coding, Broken::Absent)),
    }
}

/// Encodes once; gives how much of `input` was taken.
fn step(
    engine: &mut Compress,
    input: &[u8],
    output: &mut BytesMut,
    flush: FlushCompress,
) -> Result<(Status, usize), Broken> {
    let start = output.len();
    output.resize(start + input.len().clamp(512, STEP), 0);
    let (before_in, before_out) = (engine.total_in(), engine.total_out());
    let room = output.get_mut(start..).unwrap_or_default();
    let status = engine.compress(input, room, flush);
    let consumed = (engine.total_in() - before_in) as usize;
    let produced = (engine.total_out() - before_out) as usize;
    output.truncate(start + produced);
    let status = status?;
    if consumed == 0 && produced == 0 && status != Status::StreamEnd {
        return Err(Broken::Stalled);
    }
    Ok((status, consumed))
}

fn failed(coding: Coding, what: Broken) -> PayloadError {
    PayloadError::Encode {
        coding: coding.name(),
        source: Arc::new(what),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use bytes::Bytes;
    use flate2::read::{GzDecoder, ZlibDecoder};

    use super::super::Decoder;
    use super::*;

    const BOTH: [Coding; 2] = [Coding::Gzip, Coding::Deflate];

    /// Encodes a text in pieces of so many bytes.
    fn encode(coding: Coding, text: &[u8], piece: usize) -> Bytes {
        let (mut encoder, mut packed) = (Encoder::new(coding), BytesMut::new());
        for piece in text.chunks(piece) {
            encoder.encode(piece, &mut packed).expect("any input");
        }
        encoder.finish(&mut packed).expect("any input");
        packed.freeze()
    }

    /// Bytes that pack well, or not at all.
    fn samples() -> [Vec<u8>; 5] {
        let mut state = 7_u64;
        let noise = (0..300_000).map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        });
        [
            Vec::new(),
            b"x".to_vec(),
            b"hello, hello, hello".to_vec(),
            vec![0; 1_000_000],
            noise.collect(),
        ]
    }

    #[test]
    fn what_is_encoded_can_be_decoded() {
        for text in samples() {
            for coding in BOTH {
                for piece in [1000, 100_000, 1 << 20] {
                    let mut packed = encode(coding, &text, piece);
                    let (mut decoder, mut got) = (Decoder::new(coding), BytesMut::new());
                    decoder
                        .decode(&mut packed, &mut got, usize::MAX)
                        .expect("good");
                    decoder.finish().expect("whole");
                    assert!(got == text, "{coding:?} in pieces of {piece}");
                    assert!(packed.is_empty(), "nothing behind the end");
                }
            }
        }
    }

    #[test]
    fn containers_are_as_others_write_them() {
        // RFC 1952 2.3: no flags, no time, no hint at the level, Unix; as aiohttp sends it.
        let packed = encode(Coding::Gzip, b"text", 4);
        assert!(packed.starts_with(b"\x1f\x8b\x08\0\0\0\0\0\0\x03"));
        let mut text = String::new();
        let mut decoder = GzDecoder::new(&packed[..]);
        decoder.read_to_string(&mut text).expect("good");
        let packed = encode(Coding::Deflate, b"text", 4);
        assert!(packed.starts_with(b"\x78\x9c"));
        let mut decoder = ZlibDecoder::new(&packed[..]);
        decoder.read_to_string(&mut text).expect("good");
        assert_eq!(text, "texttext");
    }

    #[test]
    fn an_encoder_begins_anew_behind_the_end() {
        let mut encoder = Encoder::new(Coding::Gzip);
        let mut packed = BytesMut::new();
        for text in ["a", "b"] {
            encoder
                .encode(text.as_bytes(), &mut packed)
                .expect("any input");
            encoder.finish(&mut packed).expect("any input");
        }
        let mut text = BytesMut::new();
        let mut decoder = Decoder::new(Coding::Gzip);
        decoder
            .decode(&mut packed.freeze(), &mut text, 99)
            .expect("two members");
        assert_eq!(text, "ab");
    }

    #[test]
    fn the_output_grows_hardly_more_than_the_input() {
        let (mut encoder, mut output) = (Encoder::new(Coding::Deflate), BytesMut::new());
        for piece in samples().iter().flat_map(|text| text.chunks(64 * 1024)) {
            output.clear();
            encoder.encode(piece, &mut output).expect("any input");
            // What was held back comes along.
            assert!(output.len() <= 2 * 64 * 1024, "{}", output.len());
        }
    }
}
