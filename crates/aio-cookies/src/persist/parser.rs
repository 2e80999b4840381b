//! Reads JSON value by value.
//!
//! serde_json says what is JSON. A value is a slice of the file that is looked into when it is
//! asked for, so that an error can tell its line, and shows no value as serde_json's own would.

use std::fmt;

use serde_core::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::CookieFileProblem;
use super::error::MAX_COOKIES;
use super::surrogates::octets;

type Result<T, E = CookieFileProblem> = std::result::Result<T, E>;

/// A value of a file.
#[derive(Clone, Copy)]
pub(super) struct Node<'a> {
    file: &'a str,
    value: &'a RawValue,
}

/// What is in an object, in the order of the file; a name may be there twice.
pub(super) struct Object<'a> {
    whole: Node<'a>,
    entries: Vec<(Vec<u8>, &'a RawValue)>,
}

/// Reads a whole file.
pub(super) fn parse(bytes: &[u8]) -> Result<Node<'_>> {
    let file = match std::str::from_utf8(bytes) {
        Ok(file) => file,
        Err(error) => {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            return Err(CookieFileProblem::malformed(
                line_behind(before),
                "not UTF-8",
            ));
        }
    };
    match serde_json::from_str(file) {
        Ok(value) => Ok(Node { file, value }),
        Err(error) => {
            let reason = match (error.is_eof(), error.column()) {
                (true, _) => "cut off".into(),
                (false, column) => format!("not JSON at column {column}"),
            };
            Err(CookieFileProblem::malformed(error.line(), reason))
        }
    }
}

fn line_behind(before: &[u8]) -> usize {
    1 + before.iter().filter(|&&byte| byte == b'\n').count()
}

impl<'a> Node<'a> {
    pub(super) fn object(self) -> Result<Object<'a>> {
        match json(self.value).deserialize_map(Entries) {
            Ok(entries) => {
                CookieFileProblem::check_count(entries.len())?;
                Ok(Object {
                    whole: self,
                    entries,
                })
            }
            Err(_) => self.fail("not an object"),
        }
    }

    pub(super) fn list(self) -> Result<impl Iterator<Item = Self>> {
        let Ok(values) = json(self.value).deserialize_seq(Elements) else {
            return self.fail("not an array");
        };
        CookieFileProblem::check_count(values.len())?;
        Ok(values.into_iter().map(move |value| Self { value, ..self }))
    }

    pub(super) fn fail<T>(self, reason: impl Into<Box<str>>) -> Result<T> {
        let start = self.value.get().as_ptr().addr() - self.file.as_ptr().addr();
        let before = self.file.as_bytes().get(..start).unwrap_or_default();
        Err(CookieFileProblem::malformed(line_behind(before), reason))
    }
}

impl<'a> Object<'a> {
    pub(super) fn entries(&self) -> impl Iterator<Item = (&[u8], Node<'a>)> {
        let entries = self.entries.iter();
        entries.map(|(name, value)| {
            (
                &**name,
                Node {
                    value,
                    ..self.whole
                },
            )
        })
    }

    /// The last value of the name `key`, as in Python and JavaScript; none if it is null.
    pub(super) fn get(&self, key: &str) -> Option<Node<'a>> {
        let mut entries = self.entries.iter().rev();
        let (_, value) = entries.find(|(name, _)| name == key.as_bytes())?;
        (value.get() != "null").then_some(Node {
            value,
            ..self.whole
        })
    }

    /// The octets of a string.
    pub(super) fn text(&self, key: &str) -> Result<Option<Vec<u8>>> {
        let Some(found) = self.get(key) else {
            return Ok(None);
        };
        let Ok(text) = json(found.value).deserialize_bytes(Text) else {
            return found.fail(format!("`{key}` is not a string"));
        };
        match octets(&text) {
            Some(octets) => Ok(Some(octets.into_owned())),
            None => found.fail(format!("half a surrogate pair in `{key}`")),
        }
    }

    pub(super) fn needed_text(&self, key: &str) -> Result<Vec<u8>> {
        match self.text(key)? {
            Some(text) => Ok(text),
            None => self.fail(format!("`{key}` is missing")),
        }
    }

    pub(super) fn number(&self, key: &str) -> Result<Option<f64>> {
        let Some(found) = self.get(key) else {
            return Ok(None);
        };
        // What JSON has for a number, Rust has, too, and to the last digit.
        match found.value.get().parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Some(number)),
            _ => found.fail(format!("`{key}` is not a finite number")),
        }
    }

    /// Whether it is there and true, or a text or a number that Python takes for true.
    pub(super) fn flag(&self, key: &str) -> bool {
        self.get(key).is_some_and(|found| match found.value.get() {
            "false" | "\"\"" => false,
            other => other.parse() != Ok(0.0),
        })
    }

    pub(super) fn fail<T>(&self, reason: impl Into<Box<str>>) -> Result<T> {
        self.whole.fail(reason)
    }
}

fn json(value: &RawValue) -> serde_json::Deserializer<serde_json::de::StrRead<'_>> {
    serde_json::Deserializer::from_str(value.get())
}

/// Reads an object, and keeps one entry more than there may be cookies.
struct Entries;

impl<'a> Visitor<'a> for Entries {
    type Value = Vec<(Vec<u8>, &'a RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(name) = map.next_key_seed(Text)? {
            let value = map.next_value()?;
            if entries.len() <= MAX_COOKIES {
                entries.push((name, value));
            }
        }
        Ok(entries)
    }
}

/// Reads an array, as far as [`Entries`].
struct Elements;

impl<'a> Visitor<'a> for Elements {
    type Value = Vec<&'a RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(value) = list.next_element()? {
            if elements.len() <= MAX_COOKIES {
                elements.push(value);
            }
        }
        Ok(elements)
    }
}

/// Reads a string as UTF-8 in which there may be surrogates.
struct Text;

impl Visitor<'_> for Text {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_bytes<E: Error>(self, text: &[u8]) -> Result<Vec<u8>, E> {
        Ok(text.to_vec())
    }
}

impl<'a> DeserializeSeed<'a> for Text {
    type Value = Vec<u8>;

    fn deserialize<D: Deserializer<'a>>(self, from: D) -> Result<Vec<u8>, D::Error> {
        from.deserialize_bytes(self)
    }
}
