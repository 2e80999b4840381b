//! Reads attributes as leniently as aiohttp does.
//!
//! aiohttp walks along them with a regular expression: quoted values may contain `;`, and
//! a missing `;` between two attributes is tolerated, so that a blank ends a value.

use super::{Attribute, Attributes, end_of_quoted, split_once};
use crate::coding;

/// CKY-25: more are not looked at.
const MAX_ATTRIBUTES: usize = 32;

/// Reads what stands behind the name and the value of a cookie.
pub(super) fn parse_attributes(text: &[u8]) -> Attributes {
    let mut attributes = Attributes::default();
    let mut rest = text;
    for _ in 0..MAX_ATTRIBUTES {
        while let [b';' | b' ' | b'\t', behind @ ..] = rest {
            rest = behind;
        }
        if rest.is_empty() {
            break;
        }
        let Some((name, value, behind)) = next_attribute(rest) else {
            rest = behind_semicolon(rest);
            continue;
        };
        rest = behind;
        if let Some(value) = decode(value) {
            attributes.set(Attribute::named(name), value.as_bytes());
        }
    }
    attributes
}

/// Splits the first attribute from `text`: its name, its value, and what is behind it.
fn next_attribute(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (name, behind) = split_while(text, |byte| is_word(byte) && byte != b'=');
    if name.is_empty() {
        return None;
    }
    let Some(value) = behind.trim_ascii_start().strip_prefix(b"=") else {
        return is_end(behind).then_some((name, b"", behind));
    };
    let value = value.trim_ascii_start();
    if value.starts_with(b"\"") {
        let (quoted, behind) = quoted(value)?;
        return Some((name, quoted, behind));
    }
    let (value, behind) = match Attribute::named(name) {
        Attribute::Expires => split_date(value),
        _ => split_while(value, is_word),
    };
    is_end(behind).then_some((name, value, behind))
}

/// Splits off a quoted string, or what an unclosed one has up to the next `;`.
fn quoted(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let closed = end_of_quoted(text).and_then(|end| text.split_at_checked(end));
    match closed {
        Some((quoted, behind)) if is_end(behind) => Some((quoted, behind)),
        Some(_) => None,
        None => Some(split_while(text, |byte| byte != b';')),
    }
}

/// Splits off a date, which has blanks inside: it ends at `;` or before an attribute.
fn split_date(text: &[u8]) -> (&[u8], &[u8]) {
    let (date, _) = split_while(text, |byte| byte != b';');
    let mut length = 0;
    for word in date.split_inclusive(|&byte| byte == b' ') {
        let name = split_once(word, b'=').map_or(word, |(name, _)| name);
        if !matches!(Attribute::named(name.trim_ascii()), Attribute::Unknown) {
            // The blank before it ends the date.
            length = usize::saturating_sub(length, 1);
            break;
        }
        length += word.len();
    }
    text.split_at_checked(length).unwrap_or((date, b""))
}

/// Takes the quotes away; `None` for what aiohttp ignores.
fn decode(value: &[u8]) -> Option<String> {
    let value = coding::unquote(std::str::from_utf8(value).ok()?);
    let plain = !value.contains(|c: char| c.is_ascii_control());
    plain.then(|| value.into_owned())
}

fn behind_semicolon(text: &[u8]) -> &[u8] {
    split_once(text, b';').map_or(b"", |(_, behind)| behind)
}

fn split_while(text: &[u8], belongs: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let end = text.iter().position(|&byte| !belongs(byte));
    text.split_at_checked(end.unwrap_or(text.len()))
        .unwrap_or((text, b""))
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b';' | b'\\')
}

fn is_end(behind: &[u8]) -> bool {
    matches!(behind, [] | [b';' | b' ' | b'\t', ..])
}
