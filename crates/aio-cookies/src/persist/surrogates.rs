//! The octets of a text in which those that are not UTF-8 are lone surrogates, as Python's
//! `surrogateescape` has them.

use std::borrow::Cow;

/// Puts octets in the place of the surrogates U+DC00 to U+DCFF; `None` if there are others, or
/// halves of them.
pub(super) fn octets(text: &[u8]) -> Option<Cow<'_, [u8]>> {
    if std::str::from_utf8(text).is_ok() {
        return Some(Cow::Borrowed(text));
    }
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, behind @ ..] = rest {
        rest = match rest {
            [0xed, high @ 0xb0..=0xb3, low @ 0x80..=0xbf, behind @ ..] => {
                octets.push((high & 3) << 6 | (low & 0x3f));
                behind
            }
            [0xed, 0xa0..=0xbf, ..] => return None,
            _ => {
                octets.push(*first);
                behind
            }
        };
    }
    Some(Cow::Owned(octets))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &[u8], want: Option<&[u8]>) {
        assert_eq!(octets(text).as_deref(), want, "{}", text.escape_ascii());
    }

    #[test]
    fn lone_surrogates_stand_for_octets() {
        check(b"", Some(b""));
        check(
            "\u{d7ff}ы\u{10ffff}".as_bytes(),
            Some("\u{d7ff}ы\u{10ffff}".as_bytes()),
        );
        check(b"a\xed\xb2\x80\xed\xb3\xbf", Some(b"a\x80\xff"));
        check(b"\xed\xb0\x89\xc3\xa9\xed\xb2\xbf", Some(b"\t\xc3\xa9\xbf"));
        check(b"\xed\xa0\x80", None);
        check(b"\xed\xb4\x80", None);
        check(b"a\xed\xb2", None);
        check(b"\xff\xed", Some(b"\xff\xed"));
    }
}
