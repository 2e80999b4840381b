//! How values become JSON bodies, and bodies values.

use std::fmt;
use std::io;
use std::sync::Arc;

use aio_core::BoxError;
use aio_core::text::float_text;
use serde::de::DeserializeOwned;
use serde::{Deserializer, Serialize, Serializer};
use serde_json::ser::Formatter;

/// Writes a value as the text of a JSON body; aiohttp's `json_serialize`.
pub(crate) type JsonSerialize =
    Arc<dyn Fn(JsonValue<'_>) -> Result<Vec<u8>, BoxError> + Send + Sync>;

/// Reads the text of a JSON body; aiohttp's `loads`.
pub(crate) type JsonDeserialize =
    Arc<dyn Fn(&str, JsonTarget<'_>) -> Result<(), BoxError> + Send + Sync>;

type Fill<'a> =
    dyn FnMut(&mut dyn erased_serde::Deserializer<'_>) -> Result<(), erased_serde::Error> + 'a;

/// Where a value of whatever type goes that is read from JSON.
pub struct JsonTarget<'a>(&'a mut Fill<'a>);

impl JsonTarget<'_> {
    /// Reads the value.
    ///
    /// # Errors
    /// If the deserializer fails, or has something else than such a value.
    pub fn read<'de>(self, deserializer: impl Deserializer<'de>) -> Result<(), BoxError> {
        let mut erased = <dyn erased_serde::Deserializer<'_>>::erase(deserializer);
        Ok((self.0)(&mut erased)?)
    }
}

impl fmt::Debug for JsonTarget<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JsonTarget")
    }
}

/// Reads a value by another's reader; one that reads nothing has failed.
pub(crate) fn read_by<T: DeserializeOwned>(
    deserialize: &JsonDeserialize,
    text: &str,
) -> Result<T, BoxError> {
    let mut value = None;
    let mut fill = |deserializer: &mut dyn erased_serde::Deserializer<'_>| {
        value = Some(erased_serde::deserialize(deserializer)?);
        Ok(())
    };
    deserialize(text, JsonTarget(&mut fill))?;
    value.ok_or_else(|| "nothing was read".into())
}

/// A value of whatever type, to be written as JSON.
pub struct JsonValue<'a>(&'a dyn erased_serde::Serialize);

impl<'a> JsonValue<'a> {
    pub(crate) fn new(value: &'a impl Serialize) -> Self {
        Self(value)
    }
}

impl Serialize for JsonValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        erased_serde::serialize(self.0, serializer)
    }
}

impl fmt::Debug for JsonValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JsonValue")
    }
}

/// Writes JSON without blanks.
pub(crate) fn compact(value: &impl Serialize) -> Result<Vec<u8>, BoxError> {
    Ok(serde_json::to_vec(value)?)
}

/// Writes JSON as Python's `json.dumps` does: a blank behind each `,` and `:`, and ASCII only.
///
/// ```
/// use aio_client::{ClientSession, python_json};
///
/// let session = ClientSession::builder().json_serialize(python_json).build()?;
/// # Ok::<(), aio_client::ClientError>(())
/// ```
///
/// # Errors
/// If the value has no JSON form, as a map whose keys are no text.
#[expect(clippy::needless_pass_by_value, reason = "the shape of a serializer")]
pub fn python_json(value: JsonValue<'_>) -> Result<Vec<u8>, BoxError> {
    let mut text = Vec::new();
    value.serialize(&mut serde_json::Serializer::with_formatter(
        &mut text, Python,
    ))?;
    Ok(text)
}

struct Python;

impl Python {
    fn separate(writer: &mut (impl ?Sized + io::Write), first: bool) -> io::Result<()> {
        if first {
            Ok(())
        } else {
            writer.write_all(b", ")
        }
    }
}

impl Formatter for Python {
    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        Self::separate(writer, first)
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        Self::separate(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(float_text(value).as_bytes())
    }

    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut units = [0; 2];
        for char in fragment.chars() {
            if matches!(char, ' '..='~') {
                writer.write_all(&[char as u8])?;
                continue;
            }
            for unit in char.encode_utf16(&mut units) {
                write!(writer, "\\u{unit:04x}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[track_caller]
    fn check(value: &Value, want: &str) {
        let text = python_json(JsonValue::new(value)).expect("JSON");
        assert_eq!(String::from_utf8(text).as_deref(), Ok(want));
    }

    #[test]
    fn json_is_written_as_python_writes_it() {
        check(
            &json!({"a": [1, "\u{e9}"], "b": {}}),
            r#"{"a": [1, "\u00e9"], "b": {}}"#,
        );
        check(
            &json!("\u{1f600}\n\"\u{7f}\\"),
            r#""\ud83d\ude00\n\"\u007f\\""#,
        );
        check(&json!([1.0, 1e16, 1e-5, -0.5]), "[1.0, 1e+16, 1e-05, -0.5]");
        check(&json!([null, true, []]), "[null, true, []]");
    }
}
