//! Reads attributes and `Cookie` headers as leniently as aiohttp does.
//!
//! aiohttp walks along them with a regular expression: quoted values may contain `;`, and
//! a missing `;` between two is tolerated, so that a blank ends a value, but for dates.

use super::{Attribute, Attributes, MAX_ATTRIBUTE, seconds};
use crate::coding;
use crate::header::{CookiePair, end_of_quoted, is_name, split_once};

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
        let Some((name, value, behind)) = next_match(rest) else {
            rest = behind_semicolon(rest);
            continue;
        };
        rest = behind;
        match Attribute::named(name) {
            flag @ (Attribute::Secure | Attribute::HttpOnly | Attribute::Partitioned) => {
                attributes.set(flag, b"");
            }
            _ if value.len() > MAX_ATTRIBUTE => {}
            attribute => match (attribute, decode(value)) {
                (Attribute::MaxAge, Some(age)) => attributes.max_age = whole_number(&age),
                (_, Some(value)) => attributes.set(attribute, value.as_bytes()),
                (_, None) => {}
            },
        }
    }
    attributes
}

/// Reads the pairs of a `Cookie` header: what is no name is skipped, without its neighbours.
pub(crate) fn parse_pairs(header: &[u8]) -> Vec<CookiePair> {
    let mut pairs = Vec::new();
    let mut rest = header;
    while !rest.is_empty() {
        let (name, value, behind) = match next_match(rest.trim_ascii_start()) {
            Some((name, value, behind)) => {
                let behind = behind.trim_ascii_start();
                (name, value, behind.strip_prefix(b";").unwrap_or(behind))
            }
            // What the regular expression knows nothing about ends at the semicolon.
            None => {
                let (pair, behind) = split_once(rest, b';').unwrap_or((rest, b""));
                let (name, value) = split_once(pair, b'=').unwrap_or_default();
                (name.trim_ascii(), value.trim_ascii(), behind)
            }
        };
        rest = behind;
        if is_name(name) {
            pairs.push(CookiePair {
                name: name.into(),
                value: value.into(),
            });
        }
    }
    pairs
}

/// Splits the first attribute or pair from `text`: its name, its value, and what is behind.
fn next_match(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (name, behind) = split_while(text, |byte| is_word(byte) && byte != b'=');
    if name.is_empty() {
        return None;
    }
    let value = behind.trim_ascii_start().strip_prefix(b"=");
    match value.and_then(split_value) {
        Some((value, behind)) => Some((name, value, behind)),
        None => is_end(behind).then_some((name, b"", behind)),
    }
}

/// Splits off a value; where what is behind a blank cannot be one, it is empty.
fn split_value(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let from = text.trim_ascii_start();
    let (value, behind) = match from {
        [b'"', ..] => split_quoted(from),
        _ => split_date(from).unwrap_or_else(|| split_while(from, is_word)),
    };
    if is_end(behind) {
        return Some((value, behind));
    }
    is_end(text).then_some((b"", text))
}

/// Splits off a quoted string, or what an unclosed one has up to the next `;`; where it is
/// not behind either that the value can end, up to the last blank.
fn split_quoted(text: &[u8]) -> (&[u8], &[u8]) {
    let closed = end_of_quoted(text).and_then(|end| text.split_at_checked(end));
    if let Some((quoted, behind)) = closed
        && is_end(behind)
    {
        return (quoted, behind);
    }
    let inside = text.get(1..).unwrap_or_default();
    let (inside, behind) = split_while(inside, |byte| !matches!(byte, b'"' | b';'));
    let end = match inside.iter().rposition(|&byte| is_blank(byte)) {
        Some(blank) if !is_end(behind) => blank,
        _ => inside.len(),
    };
    text.split_at_checked(end + 1).unwrap_or((text, b""))
}

/// Splits off a date, which has blanks inside; in any other form it ends at the first one, and
/// is none.
fn split_date(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let lengths = [http_date(value), asctime(value)].into_iter().flatten();
    let mut split = lengths.filter_map(|length| value.split_at_checked(length));
    split.find(|(_, behind)| is_end(behind))
}

/// The length of `Wed, 09 Jun 2100 10:18:14 GMT` or a like date that `text` starts with: its
/// weekday is a name or three letters, its zone may be a number.
fn http_date(text: &[u8]) -> Option<usize> {
    // The longest weekday has nine letters.
    let comma = text.iter().take(10).position(|&byte| byte == b',')?;
    let weekday = text.get(..comma)?;
    let is_weekday = match comma {
        3 => true,
        6..=9 => weekday.ends_with(b"day"),
        _ => false,
    };
    if !is_weekday || !weekday.iter().copied().all(is_letter) {
        return None;
    }
    let is_day = |byte: u8| is_letter(byte) || is_blank(byte) || byte == b'-';
    let is_time = |byte: u8| byte.is_ascii_digit() || byte == b':';
    // A short date is tried last, as it is the beginning of a longer one.
    [11, 10, 9].into_iter().find_map(|day| {
        let at = expect(text, comma + 1, 1, is_blank)?;
        let at = expect(text, at, day, is_day)?;
        let at = expect(text, at, 1, is_blank)?;
        let at = expect(text, at, 8, is_time)?;
        let at = expect(text, at, 1, is_blank)?;
        if text.get(at..)?.starts_with(b"GMT") {
            return Some(at + 3);
        }
        let at = expect(text, at, 1, |byte| matches!(byte, b'+' | b'-'))?;
        expect(text, at, 4, |byte| byte.is_ascii_digit())
    })
}

/// The length of `Wed Jun  9 10:18:14 2100` or a like date that `text` starts with.
fn asctime(text: &[u8]) -> Option<usize> {
    let is_digit = |byte: u8| byte.is_ascii_digit();
    let blanks = |at: usize| {
        let rest = text.get(at..)?;
        let (blanks, _) = split_while(rest, is_blank);
        (!blanks.is_empty()).then_some(at + blanks.len())
    };
    let at = blanks(expect(text, 0, 3, is_letter)?)?;
    let behind_month = expect(text, at, 3, is_letter)?;
    let at = blanks(behind_month)?;
    // Two places: a day of one digit has one more blank in front.
    let at = match split_while(text.get(at..)?, is_digit).0.len() {
        1 if at - behind_month > 1 => at + 1,
        2 => at + 2,
        _ => return None,
    };
    let at = blanks(at)?;
    let at = expect(text, at, 2, is_digit)?;
    let at = expect(text, at, 1, |byte| byte == b':')?;
    let at = expect(text, at, 2, is_digit)?;
    let at = expect(text, at, 1, |byte| byte == b':')?;
    let at = blanks(expect(text, at, 2, is_digit)?)?;
    expect(text, at, 4, is_digit)
}

/// Returns where the `count` octets from `at` end, if they all are such.
fn expect(text: &[u8], at: usize, count: usize, is_such: impl Fn(u8) -> bool) -> Option<usize> {
    let octets = text.get(at..at + count)?;
    octets.iter().copied().all(is_such).then_some(at + count)
}

/// Reads an age as Python reads a number: blanks and a `+` in front do not count.
fn whole_number(age: &str) -> Option<i64> {
    let age = age.trim_ascii();
    let digits = age.strip_prefix('+').filter(|rest| !rest.starts_with('-'));
    seconds(digits.unwrap_or(age).as_bytes())
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

/// A letter, a digit or a `_`, as regular expressions have it.
fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn is_end(behind: &[u8]) -> bool {
    matches!(behind, [] | [b';' | b' ' | b'\t', ..])
}
