//! The head of a part.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use memchr::memchr;

use super::MultipartLimits;
use crate::body::multipart::error::MultipartError;
use crate::headers::{HeaderView, is_forbidden};
use crate::http1::{field, shown};
use crate::{HeaderRef, HttpError};

/// The head of a part as far as it has come.
#[derive(Default)]
pub(super) struct PartHead {
    /// Its lines without their ends.
    text: BytesMut,
    /// Where each field stands, folded lines and all.
    fields: Vec<Range<usize>>,
    lines: usize,
    /// Where the line begins that is not yet complete.
    line: usize,
}

/// Names that count once, of those that say how the part is read.
const SINGLE: [&str; 2] = ["Content-Type", "Content-Length"];

impl PartHead {
    /// Takes lines off the front of `input`; gives the fields once the head is complete.
    pub(super) fn take(
        &mut self,
        input: &mut Bytes,
        limits: &MultipartLimits,
    ) -> Result<Option<HeaderView>, MultipartError> {
        while !input.is_empty() {
            let end = memchr(b'\n', input).map(|at| at + 1);
            let piece = input.split_to(end.unwrap_or(input.len()));
            let limit = limits.max_field_size.min(u32::MAX as usize);
            if self.text.len() - self.line + piece.len() > limit
                || self.text.len() + piece.len() > u32::MAX as usize
            {
                return Err(MultipartError::Head(HttpError::FieldTooLong { limit }));
            }
            self.text.extend_from_slice(&piece);
            if end.is_none() {
                break;
            }
            if self.end_line(limits)? {
                return self.fields().map(Some);
            }
        }
        Ok(None)
    }

    /// Ends a line; tells whether it was the empty one.
    fn end_line(&mut self, limits: &MultipartLimits) -> Result<bool, MultipartError> {
        let start = self.line;
        while let Some(b'\r' | b'\n') = self.text.get(start..).unwrap_or_default().last() {
            self.text.truncate(self.text.len() - 1);
        }
        let end = self.text.len();
        self.line = end;
        let line = self.text.get(start..end).unwrap_or_default();
        let Some(first) = line.first() else {
            return Ok(true);
        };
        self.lines += 1;
        if self.lines > limits.max_headers {
            let limit = limits.max_headers;
            return Err(MultipartError::Head(HttpError::TooManyHeaders { limit }));
        }
        match self.fields.last_mut() {
            // Folded (RFC 822 3.1.1), which mail has and aiohttp refuses.
            Some(field) if matches!(first, b' ' | b'\t') => {
                field.end = end;
                if field.len() > limits.max_field_size {
                    let limit = limits.max_field_size;
                    return Err(MultipartError::Head(HttpError::FieldTooLong { limit }));
                }
            }
            _ => self.fields.push(start..end),
        }
        Ok(false)
    }

    fn fields(&mut self) -> Result<HeaderView, MultipartError> {
        let text = std::mem::take(&mut self.text).freeze();
        let mut ranges = Vec::with_capacity(self.fields.len());
        for range in &self.fields {
            let line = text.get(range.clone()).unwrap_or_default();
            if line.iter().any(|&byte| is_forbidden(byte)) {
                let error = HttpError::InvalidHeader(shown(line));
                return Err(MultipartError::Head(error));
            }
            ranges.push(field(line, range.start).map_err(MultipartError::Head)?);
        }
        let headers = HeaderView::new(text, ranges);
        match SINGLE
            .into_iter()
            .find(|name| headers.get_all(*name).count() > 1)
        {
            Some(name) => Err(MultipartError::Repeated(name)),
            None => Ok(headers),
        }
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.text.capacity() + self.fields.capacity() * size_of::<Range<usize>>()
    }
}

/// BODY-79: digits only.
pub(super) fn content_length(headers: &HeaderView) -> Option<Result<u64, MultipartError>> {
    let field: HeaderRef<'_> = headers.get("content-length")?;
    let text = String::from_utf8_lossy(field.as_bytes());
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let length = text.parse().ok().filter(|_| is_number);
    Some(length.ok_or_else(|| MultipartError::ContentLength((*text).into())))
}
