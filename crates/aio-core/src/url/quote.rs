//! Percent-encoding of the parts of a URL as yarl does it.

/// What part of a URL a text is: each has its own characters that stand for themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Path,
    Query,
    Fragment,
    /// A key or a value of a query: `+ & = ;` in it are no delimiters.
    QueryItem,
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

impl Part {
    /// Says whether `byte` stands for itself, written plainly or as an escape.
    fn is_safe(self, byte: u8) -> bool {
        match byte {
            b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'\'' | b'(' | b')' | b'*' | b',' => true,
            b'@' | b':' => true,
            b'&' | b'=' | b';' => matches!(self, Self::Path | Self::Fragment),
            b'+' => self == Self::Fragment,
            b'?' | b'/' => self != Self::Path,
            _ => byte.is_ascii_alphanumeric(),
        }
    }

    /// Says whether `byte` is a delimiter: kept plain, and its escape kept an escape.
    fn is_delimiter(self, byte: u8) -> bool {
        match self {
            Self::Path => matches!(byte, b'/' | b'+'),
            Self::Query => matches!(byte, b'=' | b'+' | b'&' | b';'),
            Self::Fragment | Self::QueryItem => false,
        }
    }

    fn blank_is_plus(self) -> bool {
        matches!(self, Self::Query | Self::QueryItem)
    }

    fn push_plain(self, out: &mut String, byte: u8) {
        if byte == b' ' && self.blank_is_plus() {
            out.push('+');
        } else if self.is_safe(byte) || self.is_delimiter(byte) {
            out.push(char::from(byte));
        } else {
            push_escape(out, byte);
        }
    }

    fn push_escaped(self, out: &mut String, byte: u8) {
        if self.is_safe(byte) {
            out.push(char::from(byte));
        } else {
            push_escape(out, byte);
        }
    }
}

/// Appends `text` quoted; a `%` in it is data.
pub(super) fn quote(out: &mut String, text: &str, part: Part) {
    for byte in text.bytes() {
        part.push_plain(out, byte);
    }
}

/// Appends `text` with what needs an escape escaped, and needless escapes undone.
///
/// What comes out is ASCII without blanks and control characters.
pub(super) fn requote(out: &mut String, text: &str, part: Part) {
    let mut rest = text.as_bytes();
    while let [byte, tail @ ..] = rest {
        rest = match escape(rest) {
            Some((escaped, after)) => {
                part.push_escaped(out, escaped);
                after
            }
            None => {
                part.push_plain(out, *byte);
                tail
            }
        };
    }
}

/// Returns `path` without its `.` and `..` segments (RFC 3986 5.2.4).
pub(super) fn without_dot_segments(path: &str) -> String {
    let (root, segments) = match path.strip_prefix('/') {
        Some(rest) => ("/", rest),
        None => ("", path),
    };
    let mut kept = Vec::new();
    let mut ends_in_dots = false;
    for segment in segments.split('/') {
        ends_in_dots = matches!(segment, "." | "..");
        if segment == ".." {
            kept.pop();
        } else if segment != "." {
            kept.push(segment);
        }
    }
    if ends_in_dots {
        kept.push("");
    }
    format!("{root}{}", kept.join("/"))
}

/// Says whether all of `text` may be sent as it is: ASCII, no blanks, no controls.
pub(super) fn is_sendable(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn escape(text: &[u8]) -> Option<(u8, &[u8])> {
    let [b'%', high, low, after @ ..] = text else {
        return None;
    };
    Some(((hex_digit(*high)? << 4) | hex_digit(*low)?, after))
}

fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

fn push_escape(out: &mut String, byte: u8) {
    let digit = |nibble: u8| {
        HEX.get(usize::from(nibble & 0xF))
            .map_or('0', |&hex| hex.into())
    };
    out.push('%');
    out.push(digit(byte >> 4));
    out.push(digit(byte));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(part: Part, text: &str, want: &str) {
        let mut out = String::new();
        requote(&mut out, text, part);
        assert_eq!(out, want, "{text:?}");
        let mut again = String::new();
        requote(&mut again, &out, part);
        assert_eq!(again, want, "requoting {text:?} twice");
    }

    // Expected values are yarl 1.25.1's.
    #[test]
    fn parts_are_requoted() {
        check(Part::Path, "/a b/\u{e9}/%c3%a9", "/a%20b/%C3%A9/%C3%A9");
        check(Part::Path, "/%7Euser/%41%2f%3a%2e", "/~user/A%2F:.");
        check(Part::Path, "/100%/%zz/%e", "/100%25/%25zz/%25e");
        check(Part::Path, "/%25%2B+%3D%26%3B", "/%25%2B+=&;");
        check(
            Part::Path,
            "/;b=c,d!$&'()*+,;=:@~-._",
            "/;b=c,d!$&'()*+,;=:@~-._",
        );
        check(
            Part::Path,
            "/a[b]{c}|d^e`f\"<>\\",
            "/a%5Bb%5D%7Bc%7D%7Cd%5Ee%60f%22%3C%3E%5C",
        );
        check(Part::Path, "/\0\x7f\r\n\t", "/%00%7F%0D%0A%09");
        check(
            Part::Query,
            "a=b+c&d=%2B&e=%26&f=%3d",
            "a=b+c&d=%2B&e=%26&f=%3D",
        );
        check(Part::Query, "a=%20%2b+%3b b", "a=%20%2B+%3B+b");
        check(Part::Query, ";a;b&&c=/?:@'", ";a;b&&c=/?:@'");
        check(
            Part::Fragment,
            "frag ment[\u{e9}]#%2B+",
            "frag%20ment%5B%C3%A9%5D%23++",
        );
    }

    #[track_caller]
    fn check_dots(path: &str, want: &str) {
        assert_eq!(without_dot_segments(path), want, "{path:?}");
    }

    #[test]
    fn dot_segments_are_removed() {
        check_dots("/a/./b/../c", "/a/c");
        check_dots("/a/../../..", "/");
        check_dots("/a/b/..", "/a/");
        check_dots("/a//b/..//c", "/a///c");
        check_dots("/..;/.../x", "/..;/.../x");
    }
}
