//! The chunked transfer coding of a response (RFC 9112 §7.1).

use bytes::{Buf, BytesMut};

use crate::error::{HttpError, PayloadError};
use crate::headers::HeaderView;
use crate::http1::{HeadParser, Limits};

/// Finds the chunks in received bytes.
#[derive(Debug)]
pub(super) struct ChunkedDecoder {
    state: State,
    limits: Limits,
    /// Bytes of size lines beyond the digits that tell the size.
    extensions: usize,
    /// Header fields of the head.
    fields: usize,
    trailers: Trailers,
}

/// What came behind the last chunk. Boxed: hardly any body has trailers.
#[derive(Debug)]
enum Trailers {
    None,
    Parsing(Box<HeadParser>),
    Some(Box<HeaderView>),
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
            trailers: Trailers::None,
        }
    }

    /// Takes out the trailers, once the body has ended.
    pub(super) fn take_trailers(&mut self) -> Option<Box<HeaderView>> {
        match std::mem::replace(&mut self.trailers, Trailers::None) {
            Trailers::Some(trailers) => Some(trailers),
            Trailers::None | Trailers::Parsing(_) => None,
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

    /// Reads the trailer section, which has the form and the bounds of a head's fields.
    fn trailers(&mut self, received: &mut BytesMut) -> Result<Chunk, PayloadError> {
        let parser = match (&mut self.trailers, received.as_ref()) {
            (Trailers::Parsing(parser), _) => parser,
            (_, [] | [b'\r']) => return Ok(Chunk::More),
            (_, [b'\r', b'\n', ..]) => {
                received.advance(2);
                self.state = State::Done;
                return Ok(Chunk::Last);
            }
            // There is no line before it that it could belong to.
            (_, [b' ' | b'\t', ..]) => {
                let error = HttpError::InvalidHeader("folded line".into());
                return Err(PayloadError::Trailers(error));
            }
            (trailers, _) => {
                let parser = Box::new(HeadParser::of_trailers(self.limits, self.fields));
                *trailers = Trailers::Parsing(parser);
                return self.trailers(received);
            }
        };
        let parsed = parser.parse(received).map_err(|error| match error {
            // Of the bound they share with the head's fields, not of what is left of it.
            HttpError::TooManyHeaders { .. } => HttpError::TooManyHeaders {
                limit: self.limits.max_headers,
            },
            error => error,
        });
        let Some(section) = parsed.map_err(PayloadError::Trailers)? else {
            return Ok(Chunk::More);
        };
        self.trailers = match section.headers {
            none if none.is_empty() => Trailers::None,
            // Copied: they must not keep a block for bulk reads alive.
            some => Trailers::Some(Box::new(some.detached())),
        };
        self.state = State::Done;
        Ok(Chunk::Last)
    }
}
