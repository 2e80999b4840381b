//! Quotes values as Python's `http.cookies` does.

use std::borrow::Cow;
use std::fmt::Write;

/// Wraps `value` in quotes, unless it consists of characters that need none.
pub(crate) fn quote(value: &str) -> Cow<'_, str> {
    if !value.is_empty() && value.chars().all(is_legal) {
        return Cow::Borrowed(value);
    }
    let mut quoted = String::with_capacity(value.len() + 2);
    quoted.push('"');
    for c in value.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            // Code points, not octets: Python quotes before it encodes.
            c if u32::from(c) < 256 && !is_legal(c) && !" ()/<=>?@[]{}".contains(c) => {
                write!(quoted, "\\{:03o}", u32::from(c)).expect("a string takes all");
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    Cow::Owned(quoted)
}

/// Takes quotes and escapes from `coded`, if it has quotes at both ends.
pub(crate) fn unquote(coded: &str) -> Cow<'_, str> {
    let inside = coded
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    let Some(mut rest) = inside else {
        return Cow::Borrowed(coded);
    };
    let mut value = String::with_capacity(rest.len());
    while let Some((plain, escaped)) = rest.split_once('\\') {
        value.push_str(plain);
        let (c, length) = unescape(escaped);
        value.push(c);
        rest = escaped.get(length..).unwrap_or_default();
    }
    value.push_str(rest);
    Cow::Owned(value)
}

/// The value that `coded` stands for, where Python would have it: in a cookie of a file.
pub(crate) fn plain(coded: &[u8]) -> Box<[u8]> {
    match std::str::from_utf8(coded).map(unquote) {
        // EDGE-238: aiohttp has no value with a control character.
        Ok(value) if !value.contains(|c: char| c.is_ascii_control()) => value.as_bytes().into(),
        _ => coded.into(),
    }
}

/// Reads what a backslash stands before; tells its character and its length.
fn unescape(escaped: &str) -> (char, usize) {
    if let Some(&[a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7']) =
        escaped.as_bytes().first_chunk::<3>()
    {
        let code = (a - b'0') * 64 + (b - b'0') * 8 + (c - b'0');
        return (char::from(code), 3);
    }
    match escaped.chars().next() {
        Some(c) => (c, c.len_utf8()),
        None => ('\\', 0),
    }
}

/// Tells whether `name` can be the name of a cookie that a Python program sets.
pub(crate) fn is_legal_key(name: &str) -> bool {
    !name.is_empty() && name.chars().all(is_legal) && !is_reserved(name)
}

/// Tells whether Python has an attribute of this name, and so no cookie of a program.
fn is_reserved(name: &str) -> bool {
    const NAMES: [&str; 9] = [
        "path", "domain", "max-age", "expires", "secure", "httponly", "samesite", "version",
        "comment",
    ];
    NAMES.iter().any(|known| known.eq_ignore_ascii_case(name))
}

fn is_legal(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~:".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_quote(value: &str, want: &str) {
        assert_eq!(quote(value), want, "{value:?}");
    }

    #[track_caller]
    fn check_unquote(coded: &str, want: &str) {
        assert_eq!(unquote(coded), want, "{coded:?}");
    }

    // CKY-51.
    #[test]
    fn values_are_quoted_as_python_does() {
        check_quote("plain-_.~", "plain-_.~");
        check_quote("!#$%&'*+-.^_`|~:", "!#$%&'*+-.^_`|~:");
        check_quote("a,b", "\"a\\054b\"");
        check_quote("x y", "\"x y\"");
        check_quote("a=b", "\"a=b\"");
        check_quote("a[1]", "\"a[1]\"");
        check_quote("(x)/<y>?@{z}", "\"(x)/<y>?@{z}\"");
        check_quote("q\"q\\", "\"q\\\"q\\\\\"");
        check_quote("é", "\"\\351\"");
        check_quote("ы;", "\"ы\\073\"");
        check_quote("\n", "\"\\012\"");
        check_quote("", "\"\"");
    }

    #[test]
    fn quotes_and_escapes_are_taken_away() {
        check_unquote("\"hello world\"", "hello world");
        check_unquote("\"a\\\"b\\\\\"", "a\"b\\");
        check_unquote("\"\\303\\251\"", "Ã©");
        check_unquote("\"\\400\\08\"", "40008");
        check_unquote("\"\\ы\"", "ы");
        check_unquote("\"\"", "");
    }

    #[test]
    fn what_is_not_quoted_at_both_ends_stays() {
        check_unquote("\"", "\"");
        check_unquote("\"open", "\"open");
        check_unquote("open\"", "open\"");
        check_unquote("a\\054", "a\\054");
        check_unquote("", "");
        check_unquote("\"\\\"", "\\");
    }

    #[test]
    fn quoting_is_undone_by_unquoting() {
        for value in ["", "a", "a b", "\"", "\\", "\\054", "é;ы\u{7f}", "\u{0}"] {
            let quoted = quote(value);
            if quoted.starts_with('"') {
                check_unquote(&quoted, value);
            }
        }
    }
}
