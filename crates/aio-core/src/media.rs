//! `Content-Type` as aiohttp reads it.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

const OCTET_STREAM: &str = "application/octet-stream";

/// The media type and the charset of a `Content-Type` header.
///
/// ```
/// use aio_core::ContentType;
///
/// let media = ContentType::parse(b"Application/Problem+JSON; charset=\"UTF-8\"");
/// assert_eq!(media.essence(), "application/problem+json");
/// assert_eq!(media.charset(), Some("UTF-8"));
/// assert!(media.is_json());
/// assert_eq!(ContentType::parse(b"nonsense").essence(), "application/octet-stream");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentType {
    essence: Cow<'static, str>,
    charset: Option<String>,
}

impl ContentType {
    /// Reads the value of a `Content-Type` header; whatever it is, it means something.
    pub fn parse(value: &[u8]) -> Self {
        let text = String::from_utf8_lossy(value);
        let (essence, rest) = text.split_once(';').unwrap_or((&text, ""));
        Self {
            essence: essence_of(essence),
            charset: charset_of(rest),
        }
    }

    /// Returns `type/subtype` in lower case.
    ///
    /// `application/octet-stream` where the header says nothing of use.
    pub fn essence(&self) -> &str {
        &self.essence
    }

    /// Returns the charset parameter as given, without quotes.
    ///
    /// It may be empty, or no charset that anyone knows.
    pub fn charset(&self) -> Option<&str> {
        self.charset.as_deref()
    }

    /// Says whether this is JSON: `application/json` and what begins so, or `…/…+json`.
    pub fn is_json(&self) -> bool {
        self.essence.starts_with("application/json")
            || self.essence.strip_suffix("+json").is_some_and(|name| {
                !name.ends_with('/') && name.chars().all(|c| c == '/' || of_name(c))
            })
            || self.is_json_by_prefix()
    }

    /// aiohttp 3 matches `application/([\w.+-]+\+)?json` as a prefix.
    fn is_json_by_prefix(&self) -> bool {
        let Some(subtype) = self.essence.strip_prefix("application/") else {
            return false;
        };
        let Some((name, _)) = subtype.split_once("+json") else {
            return false;
        };
        !name.is_empty() && name.chars().all(of_name)
    }
}

/// aiohttp: `[\w.+-]`.
fn of_name(c: char) -> bool {
    c.is_alphanumeric() || "_.+-".contains(c)
}

impl Default for ContentType {
    /// What a response without the header has.
    fn default() -> Self {
        Self {
            essence: Cow::Borrowed(OCTET_STREAM),
            charset: None,
        }
    }
}

fn essence_of(text: &str) -> Cow<'static, str> {
    let essence = text.trim().to_lowercase();
    match essence.split_once('/') {
        Some((_, subtype)) if !subtype.contains('/') => Cow::Owned(essence),
        _ => Cow::Borrowed(OCTET_STREAM),
    }
}

/// Finds the first `charset` that Python's `email` package would keep.
fn charset_of(parameters: &str) -> Option<String> {
    let mut rest = parameters;
    loop {
        let (name, after) = split_name(rest);
        let Some(value) = after.strip_prefix('=') else {
            if name.eq_ignore_ascii_case("charset") {
                return Some(String::new());
            }
            rest = after.strip_prefix(';')?;
            continue;
        };
        let extended = name.strip_suffix('*');
        let (value, after) = value_of(value.trim_start(), extended.is_some());
        match value {
            Some(value) if extended.unwrap_or(name).eq_ignore_ascii_case("charset") => {
                return Some(value);
            }
            _ => rest = after.split_once(';')?.1,
        }
    }
}

fn split_name(text: &str) -> (&str, &str) {
    let (name, rest) = text.split_at(text.find(['=', ';']).unwrap_or(text.len()));
    (name.trim(), rest)
}

/// Reads a value up to its end; returns none where the `email` package finds a defect.
fn value_of(text: &str, is_extended: bool) -> (Option<String>, &str) {
    let (value, rest) = match text.strip_prefix('"') {
        Some(quoted) => unquoted(quoted),
        None => {
            let ends = |c| ends_token(c) || (c == '\'' && !is_extended);
            let (value, rest) = text.split_at(text.find(ends).unwrap_or(text.len()));
            if value.is_empty() || rest.starts_with('\'') {
                return (None, rest);
            }
            (value.to_owned(), rest)
        }
    };
    (
        Some(if is_extended {
            extended_value(&value)
        } else {
            value
        }),
        rest,
    )
}

/// Says whether `c` ends an unquoted value: the tspecials of RFC 2045 and `*`.
fn ends_token(c: char) -> bool {
    c.is_whitespace() || c.is_control() || "()<>@,;:\\\"/[]?=*".contains(c)
}

fn unquoted(quoted: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => value.extend(chars.next()),
            _ => value.push(c),
        }
    }
    (value, chars.as_str())
}

/// Takes charset and language off `utf-8''name` (RFC 2231 4).
fn extended_value(value: &str) -> String {
    let text = value.splitn(3, '\'').last().unwrap_or_default();
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &str, essence: &str, charset: Option<&str>) {
        let media = ContentType::parse(value.as_bytes());
        assert_eq!(
            (media.essence(), media.charset()),
            (essence, charset),
            "{value:?}"
        );
    }

    // Expected values are those of aiohttp 3.14.5 on Python 3.
    #[test]
    fn essence_is_lower_case_or_octet_stream() {
        check("text/HTML", "text/html", None);
        check("  application/xml ;a=b", "application/xml", None);
        check("text/html, x", "text/html, x", None);
        check("text/plain charset=utf-8", "text/plain charset=utf-8", None);
        for odd in ["", "text", "nonsense", "text/html/x", "*"] {
            check(odd, OCTET_STREAM, None);
        }
        check("/b", "/b", None);
        check("a/", "a/", None);
        check("; charset=utf-8", OCTET_STREAM, Some("utf-8"));
    }

    #[test]
    fn charset_is_the_parameter_as_given() {
        check("text/html; Charset=\"UTF-8\"", "text/html", Some("UTF-8"));
        check("a/b;charset=utf-8;x=y", "a/b", Some("utf-8"));
        check("a/b; charset = utf-8", "a/b", Some("utf-8"));
        check("a/b;;x=\";\";charset=u", "a/b", Some("u"));
        check("a/b;x;charset=u", "a/b", Some("u"));
        check("a/b;charset=a; charset=b", "a/b", Some("a"));
        check("a/b;charset", "a/b", Some(""));
        check("a/b;charset=\"\"", "a/b", Some(""));
        check("a/b;charset=", "a/b", None);
        check("a/b;charset=\"it's\"", "a/b", Some("it's"));
        check("a/b;charset=\"a;\\\"b\";x=1", "a/b", Some("a;\"b"));
        check("a/b;charset=\"open", "a/b", Some("open"));
        check("a/b;charset=utf%2d8", "a/b", Some("utf%2d8"));
    }

    #[test]
    fn charset_that_is_no_token_is_cut_or_dropped() {
        check("a/b;charset='latin-1'", "a/b", None);
        check("a/b;charset=it's", "a/b", None);
        check("a/b;charset=a'b;charset=c", "a/b", Some("c"));
        check("a/b;charset=<utf>", "a/b", None);
        check("a/b;charset=utf-8, text/html", "a/b", Some("utf-8"));
        check("a/b;charset=utf-8 (comment)", "a/b", Some("utf-8"));
        check("a/b;charset=u*8", "a/b", Some("u"));
        check("a/b;charset=a=b", "a/b", Some("a"));
    }

    #[test]
    fn extended_charset_is_decoded() {
        check("a/b;charset*=\"utf-8''utf-16\"", "a/b", Some("utf-16"));
        check("a/b;charset*=utf-8''%41b", "a/b", Some("Ab"));
        check("a/b;charset*=x", "a/b", Some("x"));
    }

    #[track_caller]
    fn check_json(essence: &str, want: bool) {
        assert_eq!(
            ContentType::parse(essence.as_bytes()).is_json(),
            want,
            "{essence:?}"
        );
    }

    // SPEC 18.3: the union of what aiohttp 3 and 4 accept.
    #[test]
    fn json_types_are_known() {
        check_json("application/json", true);
        check_json("APPLICATION/JSON; charset=utf-8", true);
        check_json("application/json5", true);
        check_json("application/vnd.api+json", true);
        check_json("application/vnd.api+jsonx", true);
        check_json("text/x+json", true);
        check_json("text/json", false);
        check_json("application/x json", false);
        check_json("application/x y+json", false);
        check_json("", false);
    }
}
