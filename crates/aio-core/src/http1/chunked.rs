//! The chunked transfer coding of a response (RFC 9112 §7.1).

use bytes::{Buf, BytesMut};
use memchr::memchr;

use crate::error::{HttpError, PayloadError};
use crate::http1::{Limits, response};

/// Finds the chunks in received bytes.
#[derive(Debug)]
pub(super) struct ChunkedDecoder {
    state: State,
    limits: Limits,
    /// Bytes of size lines beyond the digits that tell the size.
    extensions: usize,
    /// Header fields and trailers so far.
    fields: usize,
    /// A trailer has come, which a folded line may follow.
    in_trailer: bool,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// Within the digits of a chunk size.
    Size {
        size: u64,
        digits: usize,
    },
    /// Behind blanks that follow the digits.
    Blank {
        size: u64,
    },
    /// Behind a semicolon, up to the line end.
    Extension {
        size: u64,
    },
    /// The carriage return was there, the line feed not yet.
    SizeEnd {
        size: u64,
    },
    Data {
        left: u64,
    },
    DataEnd,
    Trailers,
    Done,
}

/// What comes next in a chunked body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    /// So many bytes at the front of the buffer are data; at least one.
    Data(usize),
    /// A chunk has ended.
    End,
    /// The body has ended.
    Last,
    /// More bytes are needed.
    More,
}

impl ChunkedDecoder {
    /// Makes a decoder for a body whose head had so many `fields`.
    pub(super) fn new(limits: Limits, fields: usize) -> Self {
        Self {
            state: State::Size { size: 0, digits: 0 },
            limits,
            extensions: 0,
            fields,
            in_trailer: false,
        }
    }

    /// Consumes framing from the front of `received` and tells what is there.
    ///
    /// After [`Chunk::Data`] the caller takes at most that many bytes and says so with
    /// [`took`](Self::took).
    pub(super) fn next(&mut self, received: &mut BytesMut) -> Result<Chunk, PayloadError> {
        loop {
            match self.state {
                State::Data { left } => {
                    let here = received
                        .len()
                        .min(usize::try_from(left).unwrap_or(usize::MAX));
                    return Ok(if here == 0 {
                        Chunk::More
                    } else {
                        Chunk::Data(here)
                    });
                }
                State::Trailers => return self.trailers(received),
                State::Done => return Ok(Chunk::Last),
                State::DataEnd => {
                    // Both bytes of the line end are looked at as soon as they are there.
                    match (received.first(), received.get(1)) {
                        (Some(b'\r'), Some(b'\n')) => {
                            received.advance(2);
                            self.state = State::Size { size: 0, digits: 0 };
                            return Ok(Chunk::End);
                        }
                        (None, _) | (Some(b'\r'), None) => return Ok(Chunk::More),
                        _ => return Err(PayloadError::BadChunkEnd),
                    }
                }
                State::Size { .. }
                | State::Blank { .. }
                | State::Extension { .. }
                | State::SizeEnd { .. } => {
                    let Some(&byte) = received.first() else {
                        return Ok(Chunk::More);
                    };
                    received.advance(1);
                    self.state = self.size_line(byte)?;
                }
            }
        }
    }

    /// Says that `count` bytes of data were taken.
    pub(super) fn took(&mut self, count: usize) {
        if let State::Data { left } = &mut self.state {
            *left = left.saturating_sub(count as u64);
            if *left == 0 {
                self.state = State::DataEnd;
            }
        }
    }

    /// Returns how many bytes of data the current chunk still has.
    pub(super) fn left(&self) -> u64 {
        if let State::Data { left } = self.state {
            left
        } else {
            0
        }
    }

    /// Takes one byte of a line such as `1a;name=value`.
    fn size_line(&mut self, byte: u8) -> Result<State, PayloadError> {
        Ok(match (self.state, byte) {
            (State::Size { size, digits }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                // Leading zeros are no reason to read for ever.
                if size == 0 && digits > 0 {
                    self.count_extension()?;
                }
                let digit = (byte as char).to_digit(16).unwrap_or_default();
                let size =
                    size.checked_mul(16).ok_or(PayloadError::BadChunkSize)? | u64::from(digit);
                State::Size {
                    size,
                    digits: digits + 1,
                }
            }
            (State::Size { digits: 0, .. }, _) => return Err(PayloadError::BadChunkSize),
            (
                State::Size { size, .. } | State::Blank { size } | State::Extension { size },
                b'\r',
            ) => State::SizeEnd { size },
            (State::Size { size, .. } | State::Blank { size }, b' ' | b'\t') => {
                self.count_extension()?;
                State::Blank { size }
            }
            (State::Size { size, .. } | State::Blank { size }, b';') => {
                self.count_extension()?;
                State::Extension { size }
            }
            (State::Extension { size }, byte) if byte != b'\n' && byte != 0 => {
                self.count_extension()?;
                State::Extension { size }
            }
            (State::SizeEnd { size: 0 }, b'\n') => State::Trailers,
            (State::SizeEnd { size }, b'\n') => State::Data { left: size },
            _ => return Err(PayloadError::BadChunkSize),
        })
    }

    fn count_extension(&mut self) -> Result<(), PayloadError> {
        self.extensions += 1;
        let limit = self.limits.max_chunk_extensions;
        if self.extensions > limit {
            Err(PayloadError::ChunkExtensions { limit })
        } else {
            Ok(())
        }
    }

    /// Checks and drops the trailer section.
    fn trailers(&mut self, received: &mut BytesMut) -> Result<Chunk, PayloadError> {
        loop {
            let end = memchr(b'\n', received);
            let line = received.get(..end.unwrap_or(received.len()));
            let line = line.unwrap_or_default();
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            // Before all else, so that it does not depend on how the line is cut up.
            let limit = self.limits.max_field_size;
            if line.len() > limit.saturating_add(response::LINE_SLACK) {
                return Err(PayloadError::Trailers(HttpError::FieldTooLong { limit }));
            }
            let Some(end) = end else {
                return Ok(Chunk::More);
            };
            let line = received.split_to(end + 1);
            let line = line.strip_suffix(b"\n").unwrap_or(&line);
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() {
                self.state = State::Done;
                return Ok(Chunk::Last);
            }
            self.fields += 1;
            let limit = self.limits.max_headers;
            if self.fields > limit {
                return Err(PayloadError::Trailers(HttpError::TooManyHeaders { limit }));
            }
            let folded = line
                .first()
                .is_some_and(|first| matches!(first, b' ' | b'\t'));
            if folded && self.in_trailer {
                // It belongs to the line before, and all are dropped anyhow.
                continue;
            }
            self.in_trailer = true;
            response::check_trailer(line, &self.limits).map_err(PayloadError::Trailers)?;
        }
    }
}
