//! Text whose bytes come in pieces, checked as they come.

use std::str;

/// Gathers a text from pieces that may end inside a character.
#[derive(Default)]
pub(crate) struct TextPieces {
    text: String,
    /// The start of a character whose end has not come.
    start: [u8; 4],
    start_len: usize,
}

/// The bytes are not UTF-8, whatever follows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotUtf8;

impl TextPieces {
    /// Returns how many bytes came.
    pub(crate) fn len(&self) -> usize {
        self.text.len() + self.start_len
    }

    /// Makes room for that many more bytes.
    pub(crate) fn reserve(&mut self, count: usize) {
        self.text.reserve(count);
    }

    /// Appends a piece; fails as soon as no bytes that may follow could make it good.
    pub(crate) fn push(&mut self, mut piece: &[u8]) -> Result<(), NotUtf8> {
        while self.start_len > 0 {
            let Some((&byte, rest)) = piece.split_first() else {
                return Ok(());
            };
            piece = rest;
            self.push_start(byte)?;
        }
        let (whole, start) = piece.split_at(whole_characters(piece));
        let text = simdutf8::basic::from_utf8(whole).map_err(|_| NotUtf8)?;
        self.text.push_str(text);
        start.iter().try_for_each(|&byte| self.push_start(byte))
    }

    /// Adds a byte to the start of a character, which may end it.
    fn push_start(&mut self, byte: u8) -> Result<(), NotUtf8> {
        let Some(end) = self.start.get_mut(self.start_len) else {
            return Err(NotUtf8);
        };
        *end = byte;
        self.start_len += 1;
        match str::from_utf8(self.start.get(..self.start_len).unwrap_or_default()) {
            Ok(character) => {
                self.text.push_str(character);
                self.start_len = 0;
                Ok(())
            }
            Err(error) if error.error_len().is_none() => Ok(()),
            Err(_) => Err(NotUtf8),
        }
    }

    /// Returns the text, which must not end inside a character.
    pub(crate) fn finish(self) -> Result<String, NotUtf8> {
        if self.start_len > 0 {
            return Err(NotUtf8);
        }
        Ok(self.text)
    }
}

/// Returns where the last character of `piece` starts if its end is missing, else the length.
fn whole_characters(piece: &[u8]) -> usize {
    let mut missing = 3;
    for (at, &byte) in piece.iter().enumerate().rev().take(3) {
        let is_cut = match byte {
            0x80..=0xbf => {
                missing -= 1;
                continue;
            }
            0xc0..=0xdf => missing > 2,
            0xe0..=0xef => missing > 1,
            0xf0.. => true,
            _ => false,
        };
        return if is_cut { at } else { piece.len() };
    }
    piece.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gather<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<String, NotUtf8> {
        let mut text = TextPieces::default();
        for piece in pieces {
            text.push(piece)?;
        }
        text.finish()
    }

    /// Checks that every split of `bytes` in three gives what std says of them, and that
    /// nothing good is refused before its end.
    #[track_caller]
    fn check_splits(bytes: &[u8]) {
        let want = str::from_utf8(bytes)
            .map(str::to_owned)
            .map_err(|_| NotUtf8);
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                assert_eq!(gather(pieces), want, "{bytes:02x?} {first} {second}");
            }
        }
    }

    /// Checks that `bytes` are refused with the byte at `bad`, neither before nor behind it.
    #[track_caller]
    fn check_refused_at(bytes: &[u8], bad: usize) {
        let mut text = TextPieces::default();
        for (at, byte) in bytes.iter().enumerate() {
            let pushed = text.push(&[*byte]);
            assert_eq!(pushed.is_err(), at == bad, "{bytes:02x?} {at}");
            if at == bad {
                return;
            }
        }
    }

    #[test]
    fn every_split_of_good_text_is_taken() {
        check_splits("".as_bytes());
        check_splits("ascii".as_bytes());
        check_splits("aé€😀z".as_bytes());
        check_splits("κόσμε😀😀".as_bytes());
        check_splits("\u{7ff}\u{800}\u{d7ff}\u{e000}\u{ffff}\u{10000}\u{10ffff}".as_bytes());
    }

    #[test]
    fn every_split_of_bad_text_is_refused() {
        check_splits(b"a\xc0\x80");
        check_splits(b"\xed\xa0\x80z");
        check_splits(b"\xf4\x90\x80\x80");
        check_splits(b"\xe0\x80\x80");
        check_splits(b"\xf0\x80\x80\x80");
        check_splits(b"\xf8\x88\x80\x80\x80");
        check_splits(b"\x80");
        check_splits(b"ab\xe2\x82");
        check_splits(b"\xf0\x9f\x98");
        check_splits(b"\xe2\x82\xe2\x82\xac");
        check_splits(b"\xff\xfe");
        check_splits(b"\x80\x80\x80\x80\x80");
    }

    #[test]
    fn bad_text_is_refused_with_the_byte_that_makes_it_bad() {
        // Autobahn 6.4.1 to 6.4.4.
        check_refused_at(b"\xce\xba\xe1\xbd\xb9\xf4\x90\x80\x80", 6);
        check_refused_at(b"\xce\xba\xed\xa0\x80", 3);
        check_refused_at(b"\xe0\x9f\x80", 1);
        check_refused_at(b"\xf0\x8f\xbf", 1);
        check_refused_at(b"ok\xc1\xbf", 2);
        check_refused_at(b"\xf5\x80", 0);
        check_refused_at(b"\xe2\x28", 1);
    }

    #[test]
    fn all_short_bytes_are_judged_as_by_std() {
        let bytes = [
            0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc1, 0xc2, 0xe0, 0xe1, 0xed,
        ];
        let bytes: Vec<u8> = bytes.into_iter().chain([0xf0, 0xf1, 0xf4, 0xf5]).collect();
        for &a in &bytes {
            for &b in &bytes {
                for &c in &bytes {
                    check_splits(&[a, b, c]);
                    check_splits(&[0xf1, a, b, c]);
                }
            }
        }
    }
}
