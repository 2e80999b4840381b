//! Header fields with their order and spelling kept: owned for requests, borrowed from
//! the received bytes for responses.

mod list;

use std::borrow::Cow;
use std::fmt;
use std::str::Utf8Error;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue, InvalidHeaderValue};

/// Header fields to be sent: a case-insensitive multidict that keeps order and spelling.
///
/// aiohttp: `CIMultiDict`.
///
/// ```
/// use aio_core::Headers;
///
/// let mut headers = Headers::new();
/// headers.append("X-Tag", "a")?;
/// headers.append("x-tag", "b")?;
/// assert_eq!(headers.get("X-TAG").unwrap().to_str()?, "a");
/// assert_eq!(headers.get_all("x-tag").count(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers {
    fields: Vec<(Box<str>, Bytes)>,
}

/// A header name or value that would break the head it is written into.
///
/// aiohttp: `ValueError`, "Forbidden control character detected in headers".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// The name is empty or has a byte that is no token character (RFC 9110 §5.6.2).
    #[error("invalid header name {0:?}")]
    Name(Box<str>),
    /// The value has a control character other than TAB.
    #[error("forbidden control character in the value of header {0:?}")]
    Value(Box<str>),
    /// The request target is empty or would end the request line early.
    #[error("forbidden character in the request target")]
    Target,
}

impl Headers {
    /// Makes an empty set of fields.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field behind all others; one of the same name stays.
    ///
    /// # Errors
    /// If the name is no token or the value has a control character other than TAB.
    pub fn append(
        &mut self,
        name: impl AsRef<str>,
        value: impl AsRef<[u8]>,
    ) -> Result<(), HeaderError> {
        let (name, value) = checked(name.as_ref(), value.as_ref())?;
        self.fields.push((name, value));
        Ok(())
    }

    /// Replaces all fields of that name by one, at the place of the first.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn insert(
        &mut self,
        name: impl AsRef<str>,
        value: impl AsRef<[u8]>,
    ) -> Result<(), HeaderError> {
        let (name, value) = checked(name.as_ref(), value.as_ref())?;
        let first = self
            .fields
            .iter()
            .position(|(have, _)| have.eq_ignore_ascii_case(&name));
        match first.and_then(|first| self.fields.get_mut(first)) {
            None => self.fields.push((name, value)),
            Some(field) => {
                *field = (name.clone(), value);
                let mut seen = false;
                self.fields.retain(|(have, _)| {
                    !have.eq_ignore_ascii_case(&name) || !std::mem::replace(&mut seen, true)
                });
            }
        }
        Ok(())
    }

    /// Takes the fields of `other` over these: a name of `other` replaces all fields of
    /// that name here, at the place of the first, and keeps its own repetitions.
    ///
    /// SPEC REQ-36, with names compared without case.
    pub fn merge(&mut self, other: &Self) {
        for (at, (name, value)) in other.fields.iter().enumerate() {
            let repeated = other
                .fields
                .iter()
                .take(at)
                .any(|(earlier, _)| earlier.eq_ignore_ascii_case(name));
            if repeated {
                self.fields.push((name.clone(), value.clone()));
                continue;
            }
            let place = self
                .fields
                .iter()
                .position(|(have, _)| have.eq_ignore_ascii_case(name));
            self.fields
                .retain(|(have, _)| !have.eq_ignore_ascii_case(name));
            let place = place.unwrap_or(self.fields.len()).min(self.fields.len());
            self.fields.insert(place, (name.clone(), value.clone()));
        }
    }

    /// Takes all fields of that name out and tells whether there were any.
    pub fn remove(&mut self, name: impl AsRef<str>) -> bool {
        let before = self.fields.len();
        self.fields
            .retain(|(have, _)| !have.eq_ignore_ascii_case(name.as_ref()));
        before != self.fields.len()
    }

    /// Returns the first field of that name.
    pub fn get(&self, name: impl AsRef<str>) -> Option<HeaderRef<'_>> {
        self.iter()
            .find(|field| field.name().eq_ignore_ascii_case(name.as_ref()))
    }

    /// Returns all fields of that name, in order.
    pub fn get_all<'a>(
        &'a self,
        name: impl AsRef<str> + 'a,
    ) -> impl Iterator<Item = HeaderRef<'a>> + 'a {
        self.iter()
            .filter(move |field| field.name().eq_ignore_ascii_case(name.as_ref()))
    }

    /// Tells whether there is a field of that name.
    pub fn contains(&self, name: impl AsRef<str>) -> bool {
        self.get(name).is_some()
    }

    /// Returns the fields in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = HeaderRef<'_>> + '_ {
        self.fields.iter().map(|(name, value)| HeaderRef {
            name: Name::Text(name),
            value,
        })
    }

    /// Returns the number of fields.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Tells whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Makes an `http::HeaderMap` and says how many fields that type refused.
    pub fn to_map(&self) -> (HeaderMap, usize) {
        to_map(self.iter())
    }
}

fn checked(name: &str, value: &[u8]) -> Result<(Box<str>, Bytes), HeaderError> {
    check_field(name, value)?;
    Ok((name.into(), Bytes::copy_from_slice(value)))
}

/// Tells whether a field can be written into a head without changing its shape.
///
/// # Errors
/// As [`Headers::append`].
pub fn check_field(name: &str, value: &[u8]) -> Result<(), HeaderError> {
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(HeaderError::Name(name.into()));
    }
    // To the end whatever comes: without a way out the compiler takes 16 bytes at a time.
    if value
        .iter()
        .fold(false, |bad, &byte| bad | is_forbidden(byte))
    {
        return Err(HeaderError::Value(name.into()));
    }
    Ok(())
}

/// SPEC REQ-04: 0x00 to 0x08, 0x0A to 0x1F and 0x7F.
pub(crate) fn is_forbidden(byte: u8) -> bool {
    (byte < b' ' && byte != b'\t') || byte == 0x7F
}

/// Compares names without case; most bytes are just the same, and asked so first.
fn is_same_name(name: &[u8], other: &str) -> bool {
    let same = |(a, b): (&u8, &u8)| a == b || a.eq_ignore_ascii_case(b);
    name.len() == other.len() && name.iter().zip(other.as_bytes()).all(same)
}

/// Tells whether `byte` is a token character (RFC 9110 §5.6.2).
pub(crate) fn is_token(byte: u8) -> bool {
    TOKEN.get(byte as usize).is_some_and(|&token| token)
}

/// Tells for each byte whether a token may have it.
#[cfg_attr(
    not(test),
    expect(clippy::indexing_slicing, reason = "evaluated when compiling")
)]
static TOKEN: [bool; 256] = {
    let mut set = [false; 256];
    let marks = b"!#$%&'*+-.^_`|~";
    let mut byte = 0;
    while byte < 256 {
        let mut token = (byte as u8).is_ascii_alphanumeric();
        let mut mark = 0;
        while mark < marks.len() {
            token |= marks[mark] as usize == byte;
            mark += 1;
        }
        set[byte] = token;
        byte += 1;
    }
    set
};

/// The fields of a received head, as ranges over its bytes: order, spelling and
/// repetitions as they came.
///
/// Cloning shares the bytes. aiohttp: `headers` and `raw_headers`.
#[derive(Clone, Default)]
pub struct HeaderView {
    bytes: Bytes,
    fields: Vec<FieldRange>,
}

/// Where a field stands in its head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FieldRange {
    pub(crate) name: u32,
    pub(crate) name_len: u32,
    pub(crate) value: u32,
    pub(crate) value_len: u32,
}

impl HeaderView {
    pub(crate) fn new(bytes: Bytes, fields: Vec<FieldRange>) -> Self {
        Self { bytes, fields }
    }

    /// Makes one with bytes of its own, which keeps no more alive than it shows: not the
    /// block that it was received into, nor the blanks between its fields.
    pub fn detached(self) -> Self {
        let (mut bytes, mut fields) = (Vec::new(), self.fields);
        for field in &mut fields {
            let mut copy = |at: &mut u32, len| {
                let text = slice(&self.bytes, *at, len);
                // It fits: the copy is no longer than what it is of.
                *at = bytes.len() as u32;
                bytes.extend_from_slice(text);
            };
            copy(&mut field.name, field.name_len);
            copy(&mut field.value, field.value_len);
        }
        Self::new(bytes.into(), fields)
    }

    /// Returns the first field of that name.
    pub fn get(&self, name: impl AsRef<str>) -> Option<HeaderRef<'_>> {
        self.find(name.as_ref())
    }

    fn find(&self, name: &str) -> Option<HeaderRef<'_>> {
        let found = self.fields.iter().find(|field| self.is_named(field, name));
        found.map(|field| self.field(field))
    }

    /// Returns all fields of that name, in order.
    pub fn get_all<'a>(
        &'a self,
        name: impl AsRef<str> + 'a,
    ) -> impl Iterator<Item = HeaderRef<'a>> + 'a {
        let named = self
            .fields
            .iter()
            .filter(move |field| self.is_named(field, name.as_ref()));
        named.map(|field| self.field(field))
    }

    /// Returns the values of that name joined by `", "`, as newer aiohttp's `headers[name]`.
    pub fn get_joined(&self, name: impl AsRef<str>) -> Option<Cow<'_, [u8]>> {
        let mut values = self
            .iter()
            .filter(|field| field.name().eq_ignore_ascii_case(name.as_ref()));
        let mut joined = Cow::Borrowed(values.next()?.value);
        for value in values {
            let joined = joined.to_mut();
            joined.extend_from_slice(b", ");
            joined.extend_from_slice(value.value);
        }
        Some(joined)
    }

    /// Tells whether there is a field of that name.
    pub fn contains(&self, name: impl AsRef<str>) -> bool {
        self.get(name).is_some()
    }

    /// Returns the fields in order of arrival.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = HeaderRef<'_>> + '_ {
        self.fields.iter().map(|field| self.field(field))
    }

    fn field(&self, field: &FieldRange) -> HeaderRef<'_> {
        HeaderRef {
            name: Name::Token(slice(&self.bytes, field.name, field.name_len)),
            value: self.value(field),
        }
    }

    pub(crate) fn is_named(&self, field: &FieldRange, name: &str) -> bool {
        // The length sorts out most names without a look.
        field.name_len as usize == name.len()
            && is_same_name(slice(&self.bytes, field.name, field.name_len), name)
    }

    /// Returns where the fields stand, in order of arrival.
    pub(crate) fn ranges(&self) -> &[FieldRange] {
        &self.fields
    }

    pub(crate) fn value(&self, field: &FieldRange) -> &[u8] {
        slice(&self.bytes, field.value, field.value_len)
    }

    /// Returns the number of fields.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Tells whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Makes an `http::HeaderMap` and says how many fields that type refused.
    pub fn to_map(&self) -> (HeaderMap, usize) {
        to_map(self.iter())
    }
}

fn slice(bytes: &[u8], start: u32, len: u32) -> &[u8] {
    let start = start as usize;
    bytes.get(start..start + len as usize).unwrap_or_default()
}

fn to_map<'a>(fields: impl Iterator<Item = HeaderRef<'a>>) -> (HeaderMap, usize) {
    let mut map = HeaderMap::new();
    let mut refused = 0;
    for field in fields {
        let name = HeaderName::from_bytes(field.name().as_bytes());
        let taken = match (name, field.to_value()) {
            // A map has room for some 24,000 fields, and panics when asked for more.
            (Ok(name), Ok(value)) => map.try_append(name, value).is_ok(),
            _ => false,
        };
        refused += usize::from(!taken);
    }
    (map, refused)
}

/// One header field: its name as spelled and its value as bytes.
#[derive(Clone, Copy)]
pub struct HeaderRef<'a> {
    name: Name<'a>,
    value: &'a [u8],
}

#[derive(Clone, Copy)]
enum Name<'a> {
    Text(&'a str),
    /// As received: token characters only. Made text for those who ask; who looks a field
    /// up knows its name.
    Token(&'a [u8]),
}

impl<'a> HeaderRef<'a> {
    /// Returns the name in the spelling it was given or received in.
    pub fn name(&self) -> &'a str {
        match self.name {
            Name::Text(name) => name,
            Name::Token(name) => str::from_utf8(name).unwrap_or_default(),
        }
    }

    /// Returns the value without the blanks around it.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.value
    }

    /// Returns the value as text.
    ///
    /// # Errors
    /// If it is no UTF-8.
    pub fn to_str(&self) -> Result<&'a str, Utf8Error> {
        str::from_utf8(self.value)
    }

    /// Returns the value as the type of the `http` crate.
    ///
    /// # Errors
    /// If it has control characters, which that type refuses.
    pub fn to_value(&self) -> Result<HeaderValue, InvalidHeaderValue> {
        HeaderValue::from_bytes(self.value)
    }
}

impl PartialEq for HeaderRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        (self.name(), self.value) == (other.name(), other.value)
    }
}

impl Eq for HeaderRef<'_> {}

impl fmt::Debug for HeaderRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        write!(f, "{name}: ")?;
        let secret = SECRET
            .iter()
            .any(|secret| name.eq_ignore_ascii_case(secret));
        if secret {
            f.write_str("…")
        } else {
            write!(f, "{}", self.value.escape_ascii())
        }
    }
}

/// Fields whose values no `Debug` shows; a location may have userinfo, and `URI` is one of
/// old.
const SECRET: [&str; 6] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    "location",
    "uri",
];

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl fmt::Debug for HeaderView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;
    use crate::http1::{HeadParser, Limits};

    fn headers(pairs: &[(&str, &str)]) -> Headers {
        let mut headers = Headers::new();
        for (name, value) in pairs {
            headers.append(name, value).expect("test headers are valid");
        }
        headers
    }

    #[test]
    fn a_detached_view_keeps_no_more_than_it_shows() {
        let head = format!(
            "HTTP/1.1 103 Early\r\nA:{:9000}1\r\nbb: 2 \r\nC:\r\n\r\n",
            ""
        );
        let mut received = BytesMut::from(&*head);
        let parsed = HeadParser::new(Limits::default()).parse(&mut received);
        let view = parsed.expect("valid").expect("whole").headers;
        let detached = view.clone().detached();
        assert_eq!(detached.bytes, "A1bb2C");
        let shown = |view: &HeaderView| format!("{:?}", view.iter().collect::<Vec<_>>());
        assert_eq!(shown(&detached), shown(&view));
        assert_eq!(detached.get("BB").expect("a field").as_bytes(), b"2");
    }

    #[track_caller]
    fn check_merge(base: &[(&str, &str)], over: &[(&str, &str)], want: &[(&str, &str)]) {
        let mut merged = headers(base);
        merged.merge(&headers(over));
        assert_eq!(merged, headers(want));
    }

    #[test]
    fn merging_replaces_a_name_and_keeps_repetitions() {
        check_merge(&[("A", "1")], &[("B", "2")], &[("A", "1"), ("B", "2")]);
        check_merge(
            &[("A", "1"), ("B", "2"), ("a", "3")],
            &[("a", "4")],
            &[("a", "4"), ("B", "2")],
        );
        check_merge(
            &[("A", "1")],
            &[("X", "1"), ("x", "2")],
            &[("A", "1"), ("X", "1"), ("x", "2")],
        );
        check_merge(&[], &[], &[]);
    }

    #[test]
    fn insert_replaces_all_of_a_name_in_place() {
        let mut fields = headers(&[("A", "1"), ("B", "2"), ("a", "3")]);
        fields.insert("a", "4").expect("valid");
        assert_eq!(fields, headers(&[("a", "4"), ("B", "2")]));
        assert!(fields.remove("A"));
        assert!(!fields.remove("A"));
    }

    #[track_caller]
    fn refused(name: &str, value: &str) {
        assert!(
            Headers::new().append(name, value).is_err(),
            "{name:?}: {value:?}"
        );
    }

    #[test]
    fn fields_that_split_a_request_are_refused() {
        for name in [
            "", "a b", "a:", "a\r\nb", "a\n", "\0", "ä", "(x)", "a\tb", " a",
        ] {
            refused(name, "v");
        }
        for value in ["\r\n", "a\nb", "a\rb", "\0", "\x01", "\x7f", "\x1b[0m"] {
            refused("a", value);
        }
        for value in ["", "a\tb", "é", " ", "%0d%0a"] {
            assert!(Headers::new().append("a", value).is_ok(), "{value:?}");
        }
    }

    #[test]
    fn debug_hides_credentials() {
        let shown = format!(
            "{:?}",
            headers(&[
                ("COOKIE", "secret"),
                ("Authorization", "secret"),
                ("X", "y")
            ])
        );
        assert_eq!(shown, "[COOKIE: …, Authorization: …, X: y]");
    }

    #[test]
    fn a_map_tells_what_it_refused() {
        let (map, refused) = headers(&[("A", "1"), ("a", "2"), ("b", "\u{e9}")]).to_map();
        assert_eq!(
            (map.get_all("a").iter().count(), map.len(), refused),
            (2, 3, 0)
        );
    }

    #[test]
    fn a_map_that_is_full_refuses_the_rest() {
        let mut fields = Headers::new();
        for at in 0..33_000 {
            fields
                .append(format!("x-{at}").as_str(), "1")
                .expect("a good field");
        }
        let (map, refused) = fields.to_map();
        assert!(refused > 0, "{}", map.len());
        assert_eq!(map.len() + refused, 33_000);
    }
}
