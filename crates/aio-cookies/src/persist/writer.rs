//! Writes JSON as Python's `json.dump` does with `indent=2`.
//!
//! serde_json has neither strings of octets nor ASCII alone: a `Formatter` of ours that has
//! both would be as long as this.

use std::borrow::Cow;
use std::fmt::Write;

/// A value of JSON, its text in octets.
pub(super) enum Value<'a> {
    Text(Cow<'a, [u8]>),
    Number(f64),
    Flag(bool),
    List(Vec<Self>),
    Object(Vec<(Cow<'a, [u8]>, Self)>),
}

impl<'a> Value<'a> {
    pub(super) fn text(text: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self::Text(Cow::Borrowed(text.as_ref()))
    }

    pub(super) fn to_json(&self) -> String {
        let mut out = String::new();
        self.write(0, &mut out);
        out
    }

    fn write(&self, depth: usize, out: &mut String) {
        match self {
            Self::Text(text) => write_text(text, out),
            // The shortest that is read as the same, as in Python; without exponents, which
            // times do not need.
            Self::Number(number) => write!(out, "{number}").expect("a string takes all"),
            Self::Flag(flag) => write!(out, "{flag}").expect("a string takes all"),
            Self::List(list) => write_all("[]", list, depth, out, |value, out| {
                value.write(depth + 1, out);
            }),
            Self::Object(entries) => write_all("{}", entries, depth, out, |(key, value), out| {
                write_text(key, out);
                out.push_str(": ");
                value.write(depth + 1, out);
            }),
        }
    }
}

/// The fields of an object, in their order.
#[derive(Default)]
pub(super) struct Fields<'a>(Vec<(Cow<'a, [u8]>, Value<'a>)>);

impl<'a> Fields<'a> {
    pub(super) fn push(&mut self, name: &'static str, value: Value<'a>) {
        self.0.push((Cow::Borrowed(name.as_bytes()), value));
    }

    /// Adds a text, if it is one.
    pub(super) fn push_text(&mut self, name: &'static str, text: &'a str) {
        if !text.is_empty() {
            self.push(name, Value::text(text));
        }
    }

    /// Adds a flag that is set.
    pub(super) fn push_flag(&mut self, name: &'static str, is_set: bool) {
        if is_set {
            self.push(name, Value::Flag(true));
        }
    }
}

impl<'a> From<Fields<'a>> for Value<'a> {
    fn from(fields: Fields<'a>) -> Self {
        Value::Object(fields.0)
    }
}

fn write_all<T>(
    brackets: &str,
    all: &[T],
    depth: usize,
    out: &mut String,
    write: impl Fn(&T, &mut String),
) {
    let (open, close) = brackets.split_at(1);
    out.push_str(open);
    for (at, one) in all.iter().enumerate() {
        out.push_str(if at == 0 { "\n" } else { ",\n" });
        out.push_str(&"  ".repeat(depth + 1));
        write(one, out);
    }
    if !all.is_empty() {
        out.push('\n');
        out.push_str(&"  ".repeat(depth));
    }
    out.push_str(close);
}

/// Writes a string in ASCII.
fn write_text(text: &[u8], out: &mut String) {
    out.push('"');
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' | '\\' => out.extend(['\\', c]),
                ' '..='~' => out.push(c),
                // In Python, a cookie with a control character breaks the whole file.
                '\0'..='\x7f' => write_octet(u32::from(c), out),
                c => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        write!(out, "\\u{unit:04x}").expect("a string takes all");
                    }
                }
            }
        }
        for &octet in chunk.invalid() {
            write_octet(octet.into(), out);
        }
    }
    out.push('"');
}

/// Writes an octet that stands for no character, as Python's `surrogateescape` does.
fn write_octet(octet: u32, out: &mut String) {
    write!(out, "\\u{:04x}", 0xdc00 + octet).expect("a string takes all");
}
