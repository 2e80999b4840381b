//! The boundary that a content type names.

use crate::body::multipart::error::MultipartError;

/// What stands between the parts.
#[derive(Debug)]
pub(super) struct Boundary {
    /// With the line end and the dashes before it.
    delimiter: Box<[u8]>,
    is_form: bool,
}

/// RFC 2046 5.1.1.
const MAX_CHARS: usize = 70;

impl Boundary {
    /// Reads it from the value of a `Content-Type` header.
    pub(super) fn of(content_type: &[u8]) -> Result<Self, MultipartError> {
        let text = String::from_utf8_lossy(content_type);
        let (essence, parameters) = text.split_once(';').unwrap_or((&text, ""));
        let essence = essence.trim().to_ascii_lowercase();
        let Some(subtype) = essence.strip_prefix("multipart/") else {
            return Err(MultipartError::NotMultipart((*text).into()));
        };
        // A line ends with its blanks, so that no boundary can.
        let boundary = parameter(parameters, "boundary").unwrap_or_default();
        let boundary = boundary.trim_end();
        // Header values have no line ends; whoever calls with another text finds no parts.
        if boundary.is_empty() || boundary.contains(['\r', '\n']) {
            return Err(MultipartError::NoBoundary((*text).into()));
        }
        if boundary.chars().count() > MAX_CHARS {
            return Err(MultipartError::LongBoundary(boundary.into()));
        }
        Ok(Self {
            delimiter: format!("\r\n--{boundary}").into_bytes().into(),
            is_form: subtype == "form-data",
        })
    }

    pub(super) fn delimiter(&self) -> &[u8] {
        &self.delimiter
    }

    pub(super) fn is_form(&self) -> bool {
        self.is_form
    }
}

/// Finds a parameter's value, without its quotes.
fn parameter(parameters: &str, name: &str) -> Option<String> {
    let mut rest = parameters;
    while !rest.is_empty() {
        let (parameter, after) = split_unquoted(rest);
        if let Some((have, value)) = parameter.split_once('=')
            && have.trim().eq_ignore_ascii_case(name)
        {
            return Some(unquoted(value.trim()));
        }
        rest = after;
    }
    None
}

/// Splits at the first semicolon outside of quotes.
fn split_unquoted(text: &str) -> (&str, &str) {
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ';' if !quoted => {
                let (before, after) = text.split_at(at);
                return (before, after.trim_start_matches(';'));
            }
            _ => {}
        }
    }
    (text, "")
}

fn unquoted(value: &str) -> String {
    let Some(quoted) = value.strip_prefix('"') else {
        return value.to_owned();
    };
    let mut text = String::new();
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => text.extend(chars.next()),
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(content_type: &str, want: &str) {
        let boundary = Boundary::of(content_type.as_bytes()).expect("it has one");
        let delimiter = String::from_utf8_lossy(boundary.delimiter()).into_owned();
        assert_eq!(delimiter, format!("\r\n--{want}"), "{content_type:?}");
    }

    #[test]
    fn boundary_is_the_first_parameter_of_that_name() {
        check("multipart/mixed; boundary=B", "B");
        check(
            "Multipart/Mixed;charset=x; BOUNDARY=\"B \"; boundary=C",
            "B",
        );
        check("multipart/mixed; boundary = B ; x=y", "B");
        check("multipart/mixed; x=\"; boundary=A\"; boundary=B", "B");
        check(r#"multipart/mixed; boundary="a;\"\\b' c""#, r#"a;"\b' c"#);
        check("multipart/mixed; boundary=a=b", "a=b");
        check("multipart/mixed; boundary=\"open", "open");
        check("multipart/mixed; boundary=é", "é");
        let long = "x".repeat(70);
        check(&format!("multipart/mixed; boundary={long}"), &long);
    }

    #[track_caller]
    fn check_refused(content_type: &str, class: &str, want: &str) {
        let error = Boundary::of(content_type.as_bytes()).expect_err("none");
        assert_eq!(
            (error.aiohttp_class(), error.to_string().as_str()),
            (class, want)
        );
    }

    // BODY-70.
    #[test]
    fn content_type_without_a_boundary_is_refused() {
        let want = "multipart/* content type expected, not \"text/plain; boundary=B\"";
        check_refused("text/plain; boundary=B", "AssertionError", want);
        let want = "multipart/* content type expected, not \"\"";
        check_refused("", "AssertionError", want);
        for none in [
            "multipart/mixed",
            "multipart/mixed; boundary",
            "multipart/mixed; boundary=",
            "multipart/mixed; boundary=\" \"",
            "multipart/mixed; boundary=\"a\nb\"",
        ] {
            let want = format!("boundary missed for content type {none:?}");
            check_refused(none, "ValueError", &want);
        }
        let long = "x".repeat(71);
        let want = format!("boundary {long:?} is too long (70 chars max)");
        check_refused(
            &format!("multipart/mixed; boundary={long}"),
            "ValueError",
            &want,
        );
    }

    #[test]
    fn forms_are_known() {
        let is_form = |text: &[u8]| Boundary::of(text).expect("it has one").is_form();
        assert!(is_form(b"Multipart/Form-Data; boundary=B"));
        assert!(!is_form(b"multipart/mixed; boundary=B"));
    }
}
