//! Reads the numbers and lines of a pickle.

use crate::persist::CookieFileProblem;

pub(super) type Result<T> = std::result::Result<T, CookieFileProblem>;

/// A pickle and how much of it has been read.
#[derive(Debug)]
pub(super) struct Input<'a> {
    bytes: &'a [u8],
    position: usize,
    /// Where the opcode at work stands.
    start: usize,
}

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            position: 0,
            start: 0,
        }
    }

    /// Where the opcode at work stands.
    pub(super) fn start(&self) -> usize {
        self.start
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.position == self.bytes.len()
    }

    pub(super) fn opcode(&mut self) -> Result<u8> {
        self.start = self.position;
        self.byte()
    }

    pub(super) fn byte(&mut self) -> Result<u8> {
        self.number(1).map(|byte| byte.to_le_bytes()[0])
    }

    /// A little-endian number of `length` octets, at most 8.
    pub(super) fn number(&mut self, length: u64) -> Result<u64> {
        let bytes = self.take(length)?;
        Ok(bytes
            .iter()
            .rfold(0, |sum, &byte| sum << 8 | u64::from(byte)))
    }

    pub(super) fn take(&mut self, length: u64) -> Result<&'a [u8]> {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        let taken = usize::try_from(length)
            .ok()
            .and_then(|length| rest.get(..length));
        let Some(taken) = taken else {
            return self.fault("the pickle is cut off");
        };
        self.position += taken.len();
        Ok(taken)
    }

    /// A line without its end.
    pub(super) fn line(&mut self) -> Result<&'a [u8]> {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        let Some(length) = rest.iter().position(|&byte| byte == b'\n') else {
            return self.fault("the pickle is cut off");
        };
        let line = self.take(length as u64)?;
        self.position += 1;
        Ok(line)
    }

    pub(super) fn decimal_key(&mut self) -> Result<u64> {
        let text = std::str::from_utf8(self.line()?).ok();
        match text.and_then(|text| text.parse().ok()) {
            Some(key) => Ok(key),
            None => self.fault("no number"),
        }
    }

    /// UNICODE: Latin-1 with `\uXXXX` and `\UXXXXXXXX`.
    pub(super) fn escaped_text(&mut self) -> Result<String> {
        let line = self.line()?;
        match unescape(line) {
            Some(text) => Ok(text),
            None => self.fault("no text"),
        }
    }

    /// What is wrong with the opcode at work.
    pub(super) fn fault<T>(&self, reason: impl Into<Box<str>>) -> Result<T> {
        Err(malformed(self.start, reason))
    }
}

pub(super) fn malformed(at: usize, reason: impl Into<Box<str>>) -> CookieFileProblem {
    CookieFileProblem::Malformed {
        line: at,
        reason: reason.into(),
    }
}

fn unescape(line: &[u8]) -> Option<String> {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let [byte, behind @ ..] = rest {
        let digits = match rest {
            [b'\\', b'u', ..] => 4,
            [b'\\', b'U', ..] => 8,
            _ => {
                text.push(char::from(*byte));
                rest = behind;
                continue;
            }
        };
        let code = std::str::from_utf8(rest.get(2..2 + digits)?).ok()?;
        // A half of a surrogate pair is no character, and could not be sent.
        text.push(char::from_u32(u32::from_str_radix(code, 16).ok()?)?);
        rest = rest.get(2 + digits..)?;
    }
    Some(text)
}
