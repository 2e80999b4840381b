//! A multipart body as it is received, taken apart.

mod boundary;
mod head;
mod line;

use std::fmt;

use bytes::{Buf, Bytes, BytesMut};
use memchr::memmem::Finder;
use memchr::{memchr, memrchr};

use self::boundary::Boundary;
use self::head::PartHead;
use self::line::{Line, Step};
use super::error::MultipartError;
use crate::HeaderView;

/// Bounds on a multipart body that is read.
///
/// ```
/// use aio_core::MultipartLimits;
///
/// let limits = MultipartLimits { max_part_size: Some(1 << 20), ..MultipartLimits::default() };
/// assert_eq!((limits.max_headers, limits.max_field_size), (128, 8190));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MultipartLimits {
    /// Most header lines of a part; default 128.
    pub max_headers: usize,
    /// Longest line of a part's head in bytes, line end and all; default 8190.
    pub max_field_size: usize,
    /// Most parts; default any number: they are read one at a time.
    pub max_parts: Option<usize>,
    /// Longest part in bytes, as it came and decoded; default any length.
    pub max_part_size: Option<u64>,
    /// Most bytes that a part with a `Content-Encoding` may decode to; default any number,
    /// for a response as many as its body.
    pub max_decoded_size: Option<u64>,
    /// How deep multipart bodies may stand in each other; default 16.
    pub max_depth: usize,
}

impl Default for MultipartLimits {
    fn default() -> Self {
        Self {
            max_headers: 128,
            max_field_size: 8190,
            max_parts: None,
            max_part_size: None,
            max_decoded_size: None,
            max_depth: 16,
        }
    }
}

/// What a [`MultipartParser`] has found.
#[derive(Debug, Clone)]
pub enum MultipartEvent {
    /// A part begins, with these headers.
    Part(HeaderView),
    /// Data of the part, never empty.
    Data(Bytes),
    /// The part has ended.
    PartEnd,
    /// The last part has ended; what follows means nothing.
    End,
}

/// Takes a multipart body apart, however it is cut up.
///
/// Data is passed on as slices of what came. Held are the head of a part while it is not
/// complete, and what may turn out to be a boundary; nothing else.
///
/// A boundary is a line of its own: content that only begins like it stays content. Blanks
/// behind it, bare line feeds in heads and around the parts, and folded header lines pass.
/// A part that is itself multipart is data, for a parser of its own.
///
/// ```
/// use aio_core::{MultipartEvent, MultipartLimits, MultipartParser};
/// use bytes::Bytes;
///
/// let mut parser = MultipartParser::new(b"multipart/mixed; boundary=B", MultipartLimits::default())?;
/// let mut received = Bytes::from("--B\r\nX-A: 1\r\n\r\nhello\r\n--B--\r\n");
/// let mut text = Vec::new();
/// while let Some(event) = parser.parse(&mut received)? {
///     match event {
///         MultipartEvent::Part(headers) => assert!(headers.contains("x-a")),
///         MultipartEvent::Data(data) => text.extend_from_slice(&data),
///         MultipartEvent::PartEnd => assert_eq!(text, b"hello"),
///         MultipartEvent::End => break,
///     }
/// }
/// # Ok::<(), aio_core::MultipartError>(())
/// ```
pub struct MultipartParser {
    boundary: Boundary,
    finder: Finder<'static>,
    limits: MultipartLimits,
    state: State,
    /// What may turn out to be a boundary and came in an earlier piece.
    held: BytesMut,
    parts: usize,
    /// Bytes of the part so far.
    size: u64,
    /// The body has ended.
    ended: bool,
    failed: Option<MultipartError>,
}

enum State {
    /// In a line before the first boundary.
    Preamble(Line),
    /// In a line before the first boundary that is none, so many bytes long.
    OtherLine(usize),
    Head(PartHead),
    Content,
    /// In what may be the boundary behind content.
    Candidate(Line),
    /// So many bytes of content are left.
    Counted(u64),
    /// In what must be the boundary behind counted content.
    Closing(Line),
    /// Behind the last boundary; the end is still to be told.
    End,
    /// The end was told.
    Epilogue,
}

/// The longest line before the first boundary; aiohttp's, with its default `read_bufsize`.
const MAX_PREAMBLE_LINE: usize = 512 * 1024;

impl MultipartParser {
    /// Makes a parser for a body of this `Content-Type`.
    ///
    /// # Errors
    /// If it is not a multipart type, has no boundary, or one of more than 70 characters.
    pub fn new(content_type: &[u8], limits: MultipartLimits) -> Result<Self, MultipartError> {
        let boundary = Boundary::of(content_type)?;
        Ok(Self {
            finder: Finder::new(boundary.delimiter()).into_owned(),
            boundary,
            limits,
            state: State::Preamble(Line::after_line_end()),
            held: BytesMut::new(),
            parts: 0,
            size: 0,
            ended: false,
            failed: None,
        })
    }

    /// Tells whether the body is a form, `multipart/form-data`: the parts of those have
    /// neither lengths nor content codings (RFC 7578 4.8).
    pub fn is_form(&self) -> bool {
        self.boundary.is_form()
    }

    /// Notes that the body has ended: once its last bytes are parsed, no more come.
    pub fn finish(&mut self) {
        self.ended = true;
    }

    /// Parses on at the front of `input`, which advances; without an event all of it is
    /// taken and more is needed, or the end was told before.
    ///
    /// # Errors
    /// If the body is not the multipart body it should be, or breaks a limit. Each later
    /// call fails with the same error.
    pub fn parse(&mut self, input: &mut Bytes) -> Result<Option<MultipartEvent>, MultipartError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let event = self.advance(input);
        self.failed = event.as_ref().err().cloned();
        event
    }

    fn advance(&mut self, input: &mut Bytes) -> Result<Option<MultipartEvent>, MultipartError> {
        loop {
            if input.is_empty() && !matches!(self.state, State::End) {
                return if self.ended { self.at_end() } else { Ok(None) };
            }
            match &mut self.state {
                State::Preamble(line) => match line.take(&self.boundary, input)? {
                    Step::More => {}
                    Step::Other => self.state = State::OtherLine(line.len()),
                    step => self.begin(step),
                },
                State::OtherLine(len) => {
                    let end = memchr(b'\n', input).map(|at| at + 1);
                    *len += end.unwrap_or(input.len());
                    if *len > MAX_PREAMBLE_LINE {
                        let limit = MAX_PREAMBLE_LINE;
                        return Err(MultipartError::LineTooLong { limit });
                    }
                    input.advance(end.unwrap_or(input.len()));
                    if end.is_some() {
                        self.state = State::Preamble(Line::after_line_end());
                    }
                }
                State::Head(head) => {
                    if let Some(headers) = head.take(input, &self.limits)? {
                        self.begin_content(&headers)?;
                        return Ok(Some(MultipartEvent::Part(headers)));
                    }
                }
                State::Content => {
                    let len = self.content_len(input);
                    if len > 0 {
                        return self.data(input.split_to(len)).map(Some);
                    }
                    self.state = State::Candidate(Line::new());
                }
                State::Candidate(line) => {
                    let mut rest = input.clone();
                    match line.take(&self.boundary, &mut rest)? {
                        Step::More => {
                            self.held.extend_from_slice(input);
                            *input = rest;
                        }
                        Step::Other => {
                            self.state = State::Content;
                            if !self.held.is_empty() {
                                let held = self.held.split().freeze();
                                return self.data(held).map(Some);
                            }
                        }
                        step => {
                            *input = rest;
                            self.held.clear();
                            self.begin(step);
                            return Ok(Some(MultipartEvent::PartEnd));
                        }
                    }
                }
                State::Counted(0) => self.state = State::Closing(Line::new()),
                State::Counted(left) => {
                    let len = usize::try_from(*left).map_or(input.len(), |l| l.min(input.len()));
                    *left -= len as u64;
                    return self.data(input.split_to(len)).map(Some);
                }
                State::Closing(line) => match line.take(&self.boundary, input)? {
                    Step::More => {}
                    Step::Other if line.has_line_end() => {
                        return Err(MultipartError::InvalidBoundary);
                    }
                    Step::Other => return Err(MultipartError::LengthMismatch),
                    step => {
                        self.begin(step);
                        return Ok(Some(MultipartEvent::PartEnd));
                    }
                },
                State::End => {
                    self.state = State::Epilogue;
                    return Ok(Some(MultipartEvent::End));
                }
                State::Epilogue => input.clear(),
            }
        }
    }

    /// What it means that nothing more comes.
    fn at_end(&mut self) -> Result<Option<MultipartEvent>, MultipartError> {
        match &self.state {
            State::Preamble(line) if line.is_last() => {
                self.state = State::Epilogue;
                Ok(Some(MultipartEvent::End))
            }
            State::Candidate(line) | State::Closing(line) if line.is_last() => {
                self.state = State::End;
                Ok(Some(MultipartEvent::PartEnd))
            }
            State::End | State::Epilogue => Ok(None),
            State::Preamble(_) | State::OtherLine(_) => Err(MultipartError::NoStart),
            _ => Err(MultipartError::Truncated),
        }
    }

    /// Goes on behind a boundary.
    fn begin(&mut self, step: Step) {
        self.state = match step {
            Step::Last => State::End,
            _ => State::Head(PartHead::default()),
        };
    }

    fn begin_content(&mut self, headers: &HeaderView) -> Result<(), MultipartError> {
        self.parts += 1;
        self.size = 0;
        if let Some(limit) = self.limits.max_parts.filter(|limit| self.parts > *limit) {
            return Err(MultipartError::TooManyParts { limit });
        }
        // aiohttp reads nested bodies to their own last boundary.
        let counts = !self.is_form() && !is_multipart(headers);
        self.state = match head::content_length(headers).filter(|_| counts) {
            Some(length) => State::Counted(length?),
            // Where there is no content, the line end of the head is that of the boundary.
            None => State::Candidate(Line::after_line_end()),
        };
        Ok(())
    }

    fn data(&mut self, data: Bytes) -> Result<MultipartEvent, MultipartError> {
        self.size += data.len() as u64;
        match self.limits.max_part_size {
            Some(limit) if self.size > limit => Err(MultipartError::PartTooLarge { limit }),
            _ => Ok(MultipartEvent::Data(data)),
        }
    }

    /// How much of `input` is content for certain.
    fn content_len(&self, input: &Bytes) -> usize {
        let delimiter = self.boundary.delimiter();
        let mut searched = 0;
        while let Some(found) = self.finder.find(input.get(searched..).unwrap_or_default()) {
            let start = searched + found;
            let mut line = input.slice(start..);
            let len = line.len();
            match Line::new().take(&self.boundary, &mut line) {
                Ok(Step::Other) => searched = start + (len - line.len()),
                _ => return start,
            }
        }
        // A carriage return is but the first byte of the delimiter.
        let tail = input.len().saturating_sub(delimiter.len()).max(searched);
        let rest = input.get(tail..).unwrap_or_default();
        match memrchr(b'\r', rest) {
            Some(at) if delimiter.starts_with(rest.get(at..).unwrap_or_default()) => tail + at,
            _ => input.len(),
        }
    }

    /// How many bytes it holds.
    #[cfg(test)]
    fn held(&self) -> usize {
        let head = match &self.state {
            State::Head(head) => head.held(),
            _ => 0,
        };
        head + self.held.capacity()
    }
}

impl fmt::Debug for MultipartParser {
    /// Without what it holds: the head of a part may have secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MultipartParser")
            .field("limits", &self.limits)
            .field("parts", &self.parts)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

/// Tells whether a part with these headers is a multipart body of its own.
fn is_multipart(headers: &HeaderView) -> bool {
    headers.get("content-type").is_some_and(|field| {
        let start = field.as_bytes().get(..10);
        start.is_some_and(|start| start.eq_ignore_ascii_case(b"multipart/"))
    })
}

#[cfg(test)]
mod tests;
