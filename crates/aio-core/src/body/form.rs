//! Forms as text, and the names of the parts of those that are not.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use crate::text::{Charset, EncodeError, OnError};
use crate::{HeaderError, ParamError};

/// A form or a multipart body that cannot be sent as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormError {
    /// A control character other than TAB in what becomes part of a header.
    #[error("forbidden control character in the {0} of a form's part")]
    ControlCharacter(&'static str),
    /// A header of a part is none.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The charset is none of Python's.
    #[error("unknown encoding {0:?}")]
    UnknownCharset(Box<str>),
    /// The charset lacks a character of the form.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The boundary is empty, or has characters that no boundary may have.
    #[error("boundary value contains invalid characters: {0:?}")]
    Boundary(Box<str>),
    /// The subtype of a multipart body is no token (RFC 9110 5.6.2).
    #[error("invalid multipart subtype {0:?}")]
    Subtype(Box<str>),
    /// A part asks for a coding that there is none of.
    #[error("unknown content encoding: {0}")]
    ContentEncoding(Box<str>),
    /// A part asks for a transfer encoding that there is none of.
    #[error("unknown content transfer encoding: {0}")]
    TransferEncoding(Box<str>),
    /// A header that no part of a form may have (RFC 7578 4.8).
    #[error("{0} is not for a part of a form")]
    FormHeader(&'static str),
    /// A number has no text form.
    #[error(transparent)]
    Number(#[from] ParamError),
}

impl FormError {
    /// Returns the name of the class that Python has for it.
    pub fn aiohttp_class(&self) -> &'static str {
        match self {
            Self::UnknownCharset(_) => "LookupError",
            Self::Encode(_) => "UnicodeEncodeError",
            Self::ContentEncoding(_) | Self::TransferEncoding(_) => "RuntimeError",
            _ => "ValueError",
        }
    }
}

/// The content type of a form as text.
pub const URLENCODED: &str = "application/x-www-form-urlencoded";

/// What Python's `urllib.parse.quote` leaves as it is.
const QUOTED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'_')
    .remove(b'.')
    .remove(b'-')
    .remove(b'~');

/// A blank is written as a plus.
const FORM: &AsciiSet = &QUOTED.remove(b' ');

/// Writes pairs as `application/x-www-form-urlencoded`, in their order.
///
/// ```
/// use aio_core::form::urlencode;
/// use aio_core::text::Charset;
///
/// let text = urlencode([("a", "1 2"), ("b", "é&")], Charset::UTF_8)?;
/// assert_eq!(text, "a=1+2&b=%C3%A9%26");
/// # Ok::<(), aio_core::text::EncodeError>(())
/// ```
///
/// # Errors
/// If `charset` lacks one of the characters.
pub fn urlencode<K: AsRef<str>, V: AsRef<str>>(
    pairs: impl IntoIterator<Item = (K, V)>,
    charset: Charset,
) -> Result<String, EncodeError> {
    let mut text = String::new();
    for (name, value) in pairs {
        if !text.is_empty() {
            text.push('&');
        }
        push_quoted(&mut text, &charset.encode(name.as_ref())?);
        text.push('=');
        push_quoted(&mut text, &charset.encode(value.as_ref())?);
    }
    Ok(text)
}

fn push_quoted(text: &mut String, bytes: &[u8]) {
    for piece in percent_encode(bytes, FORM) {
        match piece.contains(' ') {
            true => text.push_str(&piece.replace(' ', "+")),
            false => text.push_str(piece),
        }
    }
}

/// Reads pairs of `application/x-www-form-urlencoded`, in their order, as Python's
/// `parse_qsl`; names without a value are kept, bytes that mean nothing are replaced.
///
/// ```
/// use aio_core::form::urldecode;
/// use aio_core::text::Charset;
///
/// let pairs = urldecode("a=1+2&b=%C3%A9%26&c", Charset::UTF_8);
/// assert_eq!(pairs[1], ("b".to_owned(), "é&".to_owned()));
/// assert_eq!((pairs[0].1.as_str(), pairs[2].1.as_str()), ("1 2", ""));
/// ```
pub fn urldecode(text: &str, charset: Charset) -> Vec<(String, String)> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (unquoted(name, charset), unquoted(value, charset))
        })
        .collect()
}

fn unquoted(text: &str, charset: Charset) -> String {
    let text = text.replace('+', " ");
    if !text.contains('%') {
        return text;
    }
    // Characters that are not ASCII are none of the charset's bytes.
    let runs = text.split_inclusive(|c: char| !c.is_ascii());
    let mut unquoted = String::with_capacity(text.len());
    for run in runs {
        let ascii = run.trim_end_matches(|c: char| !c.is_ascii());
        let bytes: Vec<u8> = percent_decode_str(ascii).collect();
        let decoded = charset.decode(&bytes, OnError::Replace);
        unquoted.push_str(&decoded.unwrap_or_default());
        unquoted.push_str(run.get(ascii.len()..).unwrap_or_default());
    }
    unquoted
}

/// Refuses what must not get into the header of a part; `what` names it in the error.
///
/// # Errors
/// If there is a control character other than TAB.
pub fn check(what: &'static str, text: &str) -> Result<(), FormError> {
    match text
        .bytes()
        .any(|byte| byte.is_ascii_control() && byte != b'\t')
    {
        true => Err(FormError::ControlCharacter(what)),
        false => Ok(()),
    }
}

/// Writes the `Content-Disposition` of a form's part in ASCII; aiohttp's `quote_fields`.
///
/// The file name is percent-encoded, the name is a quoted string, or percent-encoded as
/// `name*` if it is not ASCII.
///
/// ```
/// use aio_core::form::quoted_disposition;
///
/// let header = quoted_disposition("photo", Some("fi\"lé.txt"));
/// assert_eq!(header, r#"form-data; name="photo"; filename="fi%22l%C3%A9.txt""#);
/// ```
pub fn quoted_disposition(name: &str, filename: Option<&str>) -> String {
    let mut header = match name.bytes().all(|byte| byte.is_ascii()) {
        // aiohttp puts a backslash before blanks as well.
        true => format!("form-data; name=\"{}\"", escaped(name, "\\\" \t")),
        false => format!("form-data; name*=utf-8''{}", quoted(name)),
    };
    if let Some(filename) = filename {
        header.push_str(&format!("; filename=\"{}\"", quoted(filename)));
    }
    header
}

/// Writes the same in UTF-8, with nothing but `\` and `"` escaped.
pub fn plain_disposition(name: &str, filename: Option<&str>) -> String {
    let mut header = format!("form-data; name=\"{}\"", escaped(name, "\\\""));
    if let Some(filename) = filename {
        header.push_str(&format!("; filename=\"{}\"", escaped(filename, "\\\"")));
    }
    header
}

/// Writes the `Content-Disposition` that aiohttp gives a file in a multipart body that is no
/// form.
///
/// ```
/// use aio_core::form::attachment;
///
/// assert_eq!(attachment("x y.txt"), r#"attachment; filename="x%20y.txt""#);
/// ```
pub fn attachment(filename: &str) -> String {
    format!("attachment; filename=\"{}\"", quoted(filename))
}

fn quoted(text: &str) -> String {
    percent_encode(text.as_bytes(), QUOTED).to_string()
}

/// Puts a backslash before each of `special`.
pub(super) fn escaped(text: &str, special: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if special.contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_text(label: &str, pairs: &[(&str, &str)], want: &str) {
        let charset = Charset::for_label(label).expect("label is known");
        let text = urlencode(pairs.iter().copied(), charset);
        assert_eq!(text.as_deref(), Ok(want), "{label} {pairs:?}");
    }

    // Expected values are those of aiohttp 3.14.5.
    #[test]
    fn forms_are_urlencoded() {
        let pairs = [
            ("a", "1"),
            ("b c", "d&e=f"),
            ("a", "\u{fc}+%~*-_."),
            ("e", ""),
        ];
        let want = "a=1&b+c=d%26e%3Df&a=%C3%BC%2B%25~%2A-_.&e=";
        check_text("utf-8", &pairs, want);
        check_text("utf-8", &[], "");
        check_text("utf-8", &[("", "")], "=");
        check_text("utf-8", &[("a", "  \r\n")], "a=++%0D%0A");
    }

    #[test]
    fn forms_are_urlencoded_in_a_charset() {
        let test = ("n", "\u{442}\u{435}\u{441}\u{442} \u{438}");
        check_text("koi8-r", &[test], "n=%D4%C5%D3%D4+%C9");
        let day = ("\u{65e5}\u{672c}", "\u{65e5} \u{672c}");
        check_text("shift_jis", &[day], "%93%FA%96%7B=%93%FA+%96%7B");
        let want = "%FF%FEn%00=%FF%FEa%00+%00b%00";
        check_text("utf-16", &[("n", "a b")], want);
    }

    #[test]
    fn a_charset_that_lacks_a_character_is_an_error() {
        let latin = Charset::for_label("latin-1").expect("label is known");
        let error = urlencode([("n", "5 \u{20ac}")], latin).expect_err("no euro");
        assert_eq!(
            (error.charset(), error.character()),
            ("iso8859-1", '\u{20ac}')
        );
    }

    #[track_caller]
    fn check_name(name: &str, quoted: &str, plain: &str) {
        assert_eq!(quoted_disposition(name, None), quoted, "{name:?}");
        assert_eq!(plain_disposition(name, None), plain, "{name:?}");
    }

    // Expected values are those of aiohttp 3.14.5.
    #[test]
    fn names_are_quoted() {
        let plain = r#"form-data; name="n""#;
        check_name("n", plain, plain);
        let plain = r#"form-data; name="a b""#;
        check_name("a b", r#"form-data; name="a\ b""#, plain);
        let both = r#"form-data; name="q\"q""#;
        check_name("q\"q", both, both);
        let both = r#"form-data; name="b\\s""#;
        check_name("b\\s", both, both);
        check_name(
            "t\tt",
            "form-data; name=\"t\\\tt\"",
            "form-data; name=\"t\tt\"",
        );
        let both = r#"form-data; name="a'b;c=d%~!*()""#;
        check_name("a'b;c=d%~!*()", both, both);
        check_name(
            "\u{e9}\"",
            "form-data; name*=utf-8''%C3%A9%22",
            "form-data; name=\"\u{e9}\\\"\"",
        );
        check_name("", r#"form-data; name="""#, r#"form-data; name="""#);
    }

    #[track_caller]
    fn check_file(filename: &str, quoted: &str, plain: &str) {
        let start = "form-data; name=\"n\"; filename=";
        assert_eq!(
            quoted_disposition("n", Some(filename)),
            format!("{start}{quoted}")
        );
        assert_eq!(
            plain_disposition("n", Some(filename)),
            format!("{start}{plain}")
        );
    }

    #[test]
    fn file_names_are_quoted() {
        check_file("a.txt", "\"a.txt\"", "\"a.txt\"");
        check_file(
            "fi\"l\u{e9}.txt",
            "\"fi%22l%C3%A9.txt\"",
            "\"fi\\\"l\u{e9}.txt\"",
        );
        check_file("a b.txt", "\"a%20b.txt\"", "\"a b.txt\"");
        check_file("b\\s.txt", "\"b%5Cs.txt\"", "\"b\\\\s.txt\"");
        check_file("~-_.", "\"~-_.\"", "\"~-_.\"");
        check_file("a/b%c", "\"a%2Fb%25c\"", "\"a/b%c\"");
        check_file("*'()!", "\"%2A%27%28%29%21\"", "\"*'()!\"");
        check_file("", "\"\"", "\"\"");
    }

    #[track_caller]
    fn check_refused(text: &str) {
        let error = FormError::ControlCharacter("name");
        assert_eq!(check("name", text), Err(error), "{text:?}");
    }

    #[test]
    fn control_characters_are_refused() {
        for c in (0..32).chain([127]).map(char::from).filter(|&c| c != '\t') {
            check_refused(&format!("a{c}b"));
        }
        assert_eq!(check("name", "a\tb \u{85}\u{e9}"), Ok(()));
    }
}
