//! Compresses the messages of one direction.

use bytes::BytesMut;
use flate2::{Compress, Compression, FlushCompress};

use super::{TAIL, WindowBits};

/// The level of aiohttp, zlib's best speed.
const LEVEL: u32 = 1;

/// Room for a flush beside the bytes themselves: zlib repeats its marker when it gets no
/// more than 6 bytes.
const MARGIN: usize = 64;

/// Bytes of output per step.
const STEP: usize = 32 * 1024;

/// Compresses the messages that one side sends.
///
/// Holds no memory before the first message, and without context takeover none between
/// messages.
///
/// ```
/// use aio_ws::{Deflater, Inflater, WindowBits};
/// use bytes::BytesMut;
///
/// let mut wire = BytesMut::new();
/// Deflater::new(WindowBits::MAX, true).deflate(b"hello hello hello", true, &mut wire);
/// assert!(wire.len() < 17);
///
/// let mut text = BytesMut::new();
/// Inflater::new(WindowBits::MAX, true).inflate(&wire, true, &mut text, 1024)?;
/// assert_eq!(text, "hello hello hello");
/// # Ok::<(), aio_ws::InflateError>(())
/// ```
#[derive(Debug)]
pub struct Deflater {
    bits: WindowBits,
    takeover: bool,
    context: Option<Compress>,
    /// Bytes of a message were taken that has not ended.
    open: bool,
}

impl Deflater {
    /// Makes a compressor with this window; with `takeover` a message may refer to those
    /// before it.
    pub const fn new(bits: WindowBits, takeover: bool) -> Self {
        Self {
            bits,
            takeover,
            context: None,
            open: false,
        }
    }

    /// Compresses a piece of a message, or all of it, and appends to `output` what is ready
    /// to be sent; at the end of the message that is all of it.
    pub fn deflate(&mut self, input: &[u8], end_of_message: bool, output: &mut BytesMut) {
        if input.is_empty() && !self.open {
            if end_of_message {
                // RFC 7692 7.2.3.6; a flush of nothing would give nothing.
                output.extend_from_slice(&[0]);
            }
            return;
        }
        self.open = true;
        let flush = match end_of_message {
            true => FlushCompress::Sync,
            false => FlushCompress::None,
        };
        let bits = self.bits;
        let context = self.context.get_or_insert_with(|| new_context(bits));
        compress(context, input, flush, output);
        if end_of_message {
            output.truncate(output.len() - TAIL.len());
            self.open = false;
            if !self.takeover {
                self.context = None;
            }
        }
    }

    /// Compresses a message with a context of its own, in a window of `bits`, but not a
    /// larger one than agreed on.
    ///
    /// The messages behind it refer to none before it: the receiver's window has this one
    /// in between.
    pub fn deflate_alone(&mut self, bits: WindowBits, input: &[u8], output: &mut BytesMut) {
        let bits = bits.min(self.bits);
        Self::new(bits, false).deflate(input, true, output);
        self.context = None;
    }
}

fn new_context(bits: WindowBits) -> Compress {
    Compress::new_with_window_bits(Compression::new(LEVEL), false, bits.get())
}

fn compress(context: &mut Compress, mut input: &[u8], flush: FlushCompress, output: &mut BytesMut) {
    loop {
        let start = output.len();
        let room = (input.len() / 2 + MARGIN).min(STEP);
        output.resize(start + room, 0);
        let (consumed, produced) = (context.total_in(), context.total_out());
        context
            .compress(input, output.get_mut(start..).unwrap_or_default(), flush)
            .expect("raw deflate refuses no input");
        let consumed = (context.total_in() - consumed) as usize;
        let produced = (context.total_out() - produced) as usize;
        output.truncate(start + produced);
        input = input.get(consumed..).unwrap_or_default();
        if input.is_empty() && produced < room {
            return;
        }
    }
}
