//! What holds for every multipart body, whatever its bytes: shared by the properties and
//! the fuzz target.

use aio_core::{MultipartError, MultipartEvent, MultipartLimits, MultipartParser};
use bytes::Bytes;

/// Most lines of a head; they are too short for the other limits.
const MAX_LINES: usize = 128;

/// What a reader sees of a body.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    parts: Vec<Part>,
    end: End,
}

/// The fields and the data of a part.
#[derive(Debug, Default, PartialEq, Eq)]
struct Part {
    fields: Vec<(String, Vec<u8>)>,
    data: Vec<u8>,
}

/// How the reading ends.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Whole,
    NoStart,
    Truncated,
    Length,
    Boundary,
    Head,
}

/// Reads `input` at once and in pieces, whose sizes come from `size`, and compares it with
/// what a simple reader of whole bodies makes of it.
///
/// # Panics
/// If they differ.
pub(crate) fn check(input: &[u8], is_form: bool, mut size: impl FnMut() -> usize) {
    let want = naive(input, is_form);
    let shown = || input.escape_ascii().to_string();
    assert_eq!(parse(input, is_form, || usize::MAX), want, "{}", shown());
    assert_eq!(parse(input, is_form, &mut size), want, "cut: {}", shown());
}

fn parse(input: &[u8], is_form: bool, mut size: impl FnMut() -> usize) -> Outcome {
    let subtype = if is_form { "form-data" } else { "mixed" };
    let content_type = format!("multipart/{subtype}; boundary=B");
    let limits = MultipartLimits::default();
    let mut parser =
        MultipartParser::new(content_type.as_bytes(), limits).expect("it has a boundary");
    let mut rest = Bytes::copy_from_slice(input);
    let mut piece = Bytes::new();
    let (mut parts, mut part) = (Vec::new(), Part::default());
    let end = loop {
        match parser.parse(&mut piece) {
            Ok(None) => {
                assert!(piece.is_empty(), "it asks for more with some left");
                if rest.is_empty() {
                    parser.finish();
                }
                piece = rest.split_to(size().clamp(1, rest.len().max(1)).min(rest.len()));
            }
            Ok(Some(MultipartEvent::Part(headers))) => {
                let fields = headers.iter();
                part.fields = fields
                    .map(|field| (field.name().to_owned(), field.as_bytes().to_vec()))
                    .collect();
            }
            Ok(Some(MultipartEvent::Data(data))) => {
                assert!(!data.is_empty(), "data is never empty");
                part.data.extend_from_slice(&data);
            }
            Ok(Some(MultipartEvent::PartEnd)) => parts.push(std::mem::take(&mut part)),
            Ok(Some(MultipartEvent::End)) => break End::Whole,
            Err(error) => {
                let again = parser.parse(&mut piece).expect_err("it has failed");
                assert_eq!(again.to_string(), error.to_string());
                break match error {
                    MultipartError::NoStart => End::NoStart,
                    MultipartError::Truncated => End::Truncated,
                    MultipartError::LengthMismatch => End::Length,
                    MultipartError::InvalidBoundary => End::Boundary,
                    _ => End::Head,
                };
            }
        }
    };
    Outcome { parts, end }
}

/// Reads a body that is there as a whole.
fn naive(input: &[u8], is_form: bool) -> Outcome {
    let mut parts = Vec::new();
    let end = naive_parts(input, is_form, &mut parts);
    Outcome { parts, end }
}

fn naive_parts(input: &[u8], is_form: bool, parts: &mut Vec<Part>) -> End {
    let mut rest = input;
    let mut last = loop {
        if rest.is_empty() {
            return End::NoStart;
        }
        let line = rest.split_inclusive(|&byte| byte == b'\n').next();
        let line = line.expect("there is one");
        let found = delimiter(line);
        rest = &rest[line.len()..];
        if let Some((last, _)) = found {
            break last;
        }
    };
    while !last {
        let mut part = Part::default();
        let mut lines = rest.split_inclusive(|&byte| byte == b'\n');
        let mut fields: Vec<Vec<u8>> = Vec::new();
        let mut count = 0;
        loop {
            let Some(line) = lines.next().filter(|line| line.ends_with(b"\n")) else {
                return End::Truncated;
            };
            rest = &rest[line.len()..];
            let end = line.iter().rposition(|byte| !b"\r\n".contains(byte));
            let line = &line[..end.map_or(0, |end| end + 1)];
            count += 1;
            match (line, fields.last_mut()) {
                ([], _) => break,
                _ if count > MAX_LINES => return End::Head,
                ([b' ' | b'\t', ..], Some(field)) => field.extend_from_slice(line),
                _ => fields.push(line.to_vec()),
            }
        }
        for field in fields {
            let Some(colon) = field.iter().position(|&byte| byte == b':') else {
                return End::Head;
            };
            let name = String::from_utf8_lossy(&field[..colon]).into_owned();
            let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
            let is_control = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
            if name.is_empty() || !name.chars().all(is_token) || field.iter().any(is_control) {
                return End::Head;
            }
            let mut value = &field[colon + 1..];
            while let [b' ' | b'\t', inner @ ..] | [inner @ .., b' ' | b'\t'] = value {
                value = inner;
            }
            part.fields.push((name, value.to_vec()));
        }
        let named = |name: &str| {
            let fields = part.fields.iter();
            let fields = fields.filter(|(have, _)| have.eq_ignore_ascii_case(name));
            fields
                .map(|(_, value)| value.to_ascii_lowercase())
                .collect::<Vec<_>>()
        };
        let (types, lengths) = (named("content-type"), named("content-length"));
        if types.len() > 1 || lengths.len() > 1 {
            return End::Head;
        }
        let is_nested = types.iter().any(|value| value.starts_with(b"multipart/"));
        let length = match lengths.first().filter(|_| !is_form && !is_nested) {
            None => None,
            Some(value) => {
                let text = String::from_utf8_lossy(value);
                let text = Some(text).filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
                match text.and_then(|text| text.parse::<u64>().ok()) {
                    Some(length) => Some(length),
                    None => return End::Head,
                }
            }
        };
        let at = match length {
            Some(length) => {
                if rest.len() as u64 <= length {
                    return End::Truncated;
                }
                let length = length as usize;
                match &rest[length..] {
                    [b'\r'] => return End::Truncated,
                    [b'\r', b'\n', line @ ..] => match delimiter(line) {
                        Some(_) => length,
                        None if b"--B--".starts_with(line) => return End::Truncated,
                        None if may_be_delimiter(line) => return End::Truncated,
                        None => return End::Boundary,
                    },
                    _ => return End::Length,
                }
            }
            None => {
                let is_end = |at: &usize| match at {
                    // The line end of the head is that of the boundary.
                    at if *at == usize::MAX => delimiter(rest).is_some(),
                    at => rest[*at..]
                        .strip_prefix(b"\r\n")
                        .is_some_and(|line| delimiter(line).is_some()),
                };
                match std::iter::once(usize::MAX)
                    .chain(0..rest.len())
                    .find(is_end)
                {
                    Some(at) => at,
                    None => return End::Truncated,
                }
            }
        };
        let (data, line) = match at {
            usize::MAX => (&rest[..0], rest),
            at => (&rest[..at], &rest[at + 2..]),
        };
        part.data = data.to_vec();
        parts.push(part);
        let (is_last, len) = delimiter(line).expect("found above");
        (last, rest) = (is_last, &line[len..]);
    }
    End::Whole
}

/// Tells of the boundary that `text` begins with whether it is the last one, and how long
/// its line is.
fn delimiter(text: &[u8]) -> Option<(bool, usize)> {
    let line = text.split_inclusive(|&byte| byte == b'\n').next()?;
    let rest = line.strip_prefix(b"--B")?;
    let (is_last, rest) = match rest.strip_prefix(b"--") {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let is_blank = |byte: &u8| b" \t\r\n\x0b\x0c".contains(byte);
    let is_whole = is_last || line.ends_with(b"\n");
    (is_whole && rest.iter().all(is_blank)).then_some((is_last, line.len()))
}

/// Tells whether `text`, at the end of the body, might go on as a boundary.
fn may_be_delimiter(text: &[u8]) -> bool {
    delimiter(&[text, b"\n"].concat()).is_some() && !text.contains(&b'\n')
}
