//! Encoding text into a charset, as strictly as Python does.

use std::borrow::Cow;

use encoding_rs::{EncoderResult, Encoding};

use super::{Charset, Codec, odd};

/// A character that a charset lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{charset} has no {character:?}")]
pub struct EncodeError {
    charset: &'static str,
    character: char,
}

impl EncodeError {
    /// Returns the charset's name.
    pub fn charset(&self) -> &'static str {
        self.charset
    }

    /// Returns the first character that cannot be encoded.
    pub fn character(&self) -> char {
        self.character
    }
}

impl Charset {
    /// Encodes `text`; nothing is replaced or left out.
    ///
    /// The charsets of China, Japan and Korea are the web's, whose characters are not quite
    /// Python's; all others are encoded as Python does.
    ///
    /// ```
    /// use aio_core::text::Charset;
    ///
    /// let koi = Charset::for_label("koi8-r").expect("a known charset");
    /// assert_eq!(koi.encode("тест").as_deref(), Ok(b"\xd4\xc5\xd3\xd4".as_slice()));
    /// assert_eq!(koi.encode("naïve").unwrap_err().character(), 'ï');
    /// ```
    ///
    /// # Errors
    /// If the charset lacks one of the characters.
    pub fn encode(self, text: &str) -> Result<Cow<'_, [u8]>, EncodeError> {
        let lacks = |character| EncodeError {
            charset: self.name,
            character,
        };
        if odd(self.name).next().is_some() && !text.is_ascii() {
            let bytes = text.chars().map(|c| self.byte(c).ok_or_else(|| lacks(c)));
            return bytes.collect::<Result<Vec<_>, _>>().map(Into::into);
        }
        let encoded = match self.codec {
            Codec::Utf8 => return Ok(text.as_bytes().into()),
            Codec::Utf8Sig => ["\u{feff}", text].concat().into_bytes(),
            Codec::Utf16Bom => utf16("\u{feff}", u16::to_le_bytes)
                .chain(utf16(text, u16::to_le_bytes))
                .collect(),
            Codec::Utf16Little => utf16(text, u16::to_le_bytes).collect(),
            Codec::Utf16Big => utf16(text, u16::to_be_bytes).collect(),
            Codec::Ascii => match text.chars().find(|c| !c.is_ascii()) {
                None => return Ok(text.as_bytes().into()),
                Some(c) => return Err(lacks(c)),
            },
            Codec::Latin1 => text
                .chars()
                .map(|c| u8::try_from(u32::from(c)).map_err(|_| lacks(c)))
                .collect::<Result<_, _>>()?,
            Codec::Single(encoding) | Codec::Multi(encoding) => {
                whole(encoding, text).map_err(lacks)?
            }
            // The web has C1 controls where Python has gaps.
            Codec::Windows(encoding) => match text.chars().find(|&c| is_c1(c)) {
                None => whole(encoding, text).map_err(lacks)?,
                Some(c) => return Err(lacks(c)),
            },
            Codec::Iso(encoding) => text
                .chars()
                .map(|c| iso(encoding, c).ok_or_else(|| lacks(c)))
                .collect::<Result<_, _>>()?,
        };
        Ok(encoded.into())
    }

    /// Encodes one character of a charset some of whose bytes are odd.
    fn byte(self, c: char) -> Option<u8> {
        if let Some((byte, _)) = odd(self.name).find(|(_, odd)| *odd == Some(c)) {
            return Some(byte);
        }
        let byte = match self.codec {
            Codec::Iso(encoding) => iso(encoding, c)?,
            Codec::Windows(_) if is_c1(c) => return None,
            Codec::Single(encoding) | Codec::Windows(encoding) => {
                *whole(encoding, c.encode_utf8(&mut [0; 4])).ok()?.first()?
            }
            _ => return None,
        };
        odd(self.name).all(|(odd, _)| odd != byte).then_some(byte)
    }
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> impl Iterator<Item = u8> {
    text.encode_utf16().flat_map(bytes)
}

fn whole(encoding: &'static Encoding, text: &str) -> Result<Vec<u8>, char> {
    let mut encoder = encoding.new_encoder();
    let (mut encoded, mut rest) = (Vec::new(), text);
    loop {
        let room = encoder.max_buffer_length_from_utf8_without_replacement(rest.len());
        encoded.reserve(room.unwrap_or(rest.len()));
        let (result, read) =
            encoder.encode_from_utf8_to_vec_without_replacement(rest, &mut encoded, true);
        rest = rest.get(read..).unwrap_or_default();
        match result {
            EncoderResult::InputEmpty => return Ok(encoded),
            EncoderResult::OutputFull => {}
            EncoderResult::Unmappable(c) => return Err(c),
        }
    }
}

/// Encodes one character: C1 controls are themselves, and what the Windows charset has in
/// their place is none of the ISO charset's.
fn iso(encoding: &'static Encoding, c: char) -> Option<u8> {
    if is_c1(c) {
        return u8::try_from(u32::from(c)).ok();
    }
    let encoded = whole(encoding, c.encode_utf8(&mut [0; 4])).ok()?;
    encoded
        .first()
        .copied()
        .filter(|byte| !(0x80..=0x9f).contains(byte))
}

fn is_c1(c: char) -> bool {
    ('\u{80}'..='\u{9f}').contains(&c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(label: &str, text: &str, want: Result<&[u8], char>) {
        let charset = Charset::for_label(label).expect("label is known");
        let encoded = charset.encode(text).map_err(|error| error.character());
        assert_eq!(encoded.as_deref(), want.as_deref(), "{label} {text:?}");
    }

    // Expected values are those of `str.encode` in CPython 3.11.
    #[test]
    fn text_is_encoded_as_python_does() {
        check("utf-8", "h\u{e9}", Ok(b"h\xc3\xa9"));
        check("koi8-u", "\u{491}\u{255d}", Ok(b"\xad\xae"));
        check("koi8-u", "\u{45e}", Err('\u{45e}'));
        check("tis-620", "\u{e01}\u{a0}", Err('\u{a0}'));
        check("cp1255", "\u{5b9}", Ok(b"\xc9"));
        check("cp1255", "\u{5ba}", Err('\u{5ba}'));
        check("utf-8-sig", "h", Ok(b"\xef\xbb\xbfh"));
        check("utf-16", "h", Ok(b"\xff\xfeh\0"));
        check("utf-16-be", "\u{1f4a9}", Ok(b"\xd8\x3d\xdc\xa9"));
        check("ascii", "h\u{e9}", Err('\u{e9}'));
        check("latin-1", "\u{80}\u{e9}", Ok(b"\x80\xe9"));
        check("latin-1", "a\u{20ac}", Err('\u{20ac}'));
        check("cp1252", "\u{20ac}\u{e9}", Ok(b"\x80\xe9"));
        check("cp1252", "\u{81}", Err('\u{81}'));
        check("cp1251", "\u{436}", Ok(b"\xe6"));
        check("koi8-r", "\u{436}\u{443}\u{43a}", Ok(b"\xd6\xd5\xcb"));
        check("latin5", "\u{80}\u{131}", Ok(b"\x80\xfd"));
        check("latin5", "\u{20ac}", Err('\u{20ac}'));
        check("iso8859-11", "\u{e01}", Ok(b"\xa1"));
        check("shift_jis", "\u{65e5}\u{672c}", Ok(b"\x93\xfa\x96\x7b"));
        check("gbk", "\u{4f60}a", Ok(b"\xc4\xe3a"));
        check("iso2022_jp", "\u{65e5}", Ok(b"\x1b$BF|\x1b(B"));
        check("big5", "\u{1f4a9}", Err('\u{1f4a9}'));
        check("cp1252", "", Ok(b""));
    }
}
