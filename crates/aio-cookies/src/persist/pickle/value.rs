//! What a pickle can build, and what it can name.

use std::borrow::Cow;

/// What a pickle built.
#[derive(Debug, Default)]
pub(super) struct Pickle<'a> {
    pub(super) texts: Vec<Cow<'a, [u8]>>,
    pub(super) tuples: Vec<Vec<Value>>,
    pub(super) objects: Vec<Object>,
}

/// A value on the stack; of larger ones, their number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value {
    None,
    Bool(bool),
    /// As far as it can be counted.
    Int(i64),
    Float(f64),
    Text(usize),
    Tuple(usize),
    Object(usize),
    Global(Global),
}

/// Something that has items.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) kind: Kind,
    /// Where its making stands in the pickle.
    pub(super) at: usize,
    /// In the order of the pickle; the last of a key counts.
    pub(super) items: Vec<(Value, Value)>,
    /// The dictionary that a `Morsel` keeps its name and value in.
    pub(super) state: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Dict,
    /// No jar has one; what is in it is not kept.
    Set,
    SimpleCookie,
    Morsel,
}

/// What a pickle may name: the classes that aiohttp 3.14 lets old pickles name (CKY-85), and
/// what makes objects in protocols 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Global {
    DefaultDict,
    Tuple,
    Class(Kind),
    Reconstructor,
}

impl Global {
    pub(super) fn named(module: &[u8], name: &[u8], protocol: u8) -> Option<Self> {
        // Up to protocol 2 modules have their names of Python 2.
        let module: &[u8] = match module {
            b"Cookie" if protocol < 3 => b"http.cookies",
            b"__builtin__" if protocol < 3 => b"builtins",
            b"copy_reg" if protocol < 3 => b"copyreg",
            module => module,
        };
        Some(match (module, name) {
            (b"http.cookies", b"SimpleCookie") => Self::Class(Kind::SimpleCookie),
            (b"http.cookies", b"Morsel") => Self::Class(Kind::Morsel),
            (b"collections", b"defaultdict") => Self::DefaultDict,
            (b"builtins", b"dict") => Self::Class(Kind::Dict),
            (b"builtins", b"set" | b"frozenset") => Self::Class(Kind::Set),
            (b"builtins", b"tuple") => Self::Tuple,
            (b"copyreg", b"_reconstructor") => Self::Reconstructor,
            _ => return None,
        })
    }
}

impl Pickle<'_> {
    pub(super) fn text(&self, value: Value) -> Option<&[u8]> {
        match value {
            Value::Text(number) => self.texts.get(number).map(AsRef::as_ref),
            _ => None,
        }
    }

    pub(super) fn tuple(&self, value: Value) -> Option<&[Value]> {
        match value {
            Value::Tuple(number) => self.tuples.get(number).map(Vec::as_slice),
            _ => None,
        }
    }

    pub(super) fn object(&self, value: Value, kind: Kind) -> Option<&Object> {
        match value {
            Value::Object(number) => self.objects.get(number).filter(|found| found.kind == kind),
            _ => None,
        }
    }
}
