//! Runs a pickle, and builds nothing but what jars consist of.
//!
//! Python's unpickler calls whatever a pickle names. Here a name is one of a few or refused, a
//! call makes an empty object, and everything built lies in lists that refer to each other by
//! number: nothing is copied when it is used again, and nothing is deep when it is dropped.

use std::borrow::Cow;
use std::collections::HashMap;

use super::input::{Input, Result};
use super::value::{Global, Kind, Object, Pickle, Value};
use crate::parse::seconds as integer;

/// How much a pickle may make.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// Of each kind of things.
    pub(super) values: usize,
    /// Of all that is ever on the stack: a pickle can put one value into any number of places.
    pub(super) pushed: usize,
}

/// A jar holds 3300 cookies, of about 20 values each.
const LIMITS: Limits = Limits {
    values: 1 << 20,
    pushed: 1 << 21,
};

/// Python 3.14 writes no newer one.
const NEWEST_PROTOCOL: u8 = 5;

/// How much of a foreign name an error shows.
const SHOWN: usize = 80;

/// Runs `bytes` to their end; gives what was built and which value it comes to.
pub(super) fn run(bytes: &[u8]) -> Result<(Pickle<'_>, Value)> {
    run_within(bytes, LIMITS)
}

pub(super) fn run_within(bytes: &[u8], limits: Limits) -> Result<(Pickle<'_>, Value)> {
    let mut machine = Machine {
        input: Input::new(bytes),
        limits,
        protocol: 0,
        stack: Vec::new(),
        pushed: 0,
        marks: Vec::new(),
        memo: HashMap::new(),
        pickle: Pickle::default(),
    };
    loop {
        let opcode = machine.input.opcode()?;
        if opcode == b'.' {
            let top = machine.pop()?;
            if !machine.input.is_at_end() {
                return machine
                    .input
                    .fault("something behind the end of the pickle");
            }
            return Ok((machine.pickle, top));
        }
        machine.step(opcode)?;
    }
}

struct Machine<'a> {
    input: Input<'a>,
    limits: Limits,
    protocol: u8,
    stack: Vec<Value>,
    /// How many have been on it.
    pushed: usize,
    /// How high the stack was at each mark.
    marks: Vec<usize>,
    memo: HashMap<u64, Value>,
    pickle: Pickle<'a>,
}

impl<'a> Machine<'a> {
    fn step(&mut self, opcode: u8) -> Result<()> {
        match opcode {
            0x80 => self.set_protocol(),
            // FRAME: only how much to read ahead.
            0x95 => self.input.number(8).map(drop),
            b'N' => self.push(Value::None),
            0x88 => self.push(Value::Bool(true)),
            0x89 => self.push(Value::Bool(false)),
            b'I' | b'L' => self.decimal(opcode),
            b'J' => self.binary_int(4),
            b'K' => self.input.number(1).and_then(|int| self.push_int(int)),
            b'M' => self.input.number(2).and_then(|int| self.push_int(int)),
            0x8a => self
                .input
                .number(1)
                .and_then(|length| self.binary_int(length)),
            0x8b => self
                .input
                .number(4)
                .and_then(|length| self.binary_int(length)),
            b'F' => self.decimal_float(),
            b'G' => self.binary_float(),
            b'V' => {
                let text = self.input.escaped_text()?;
                self.push_text(Cow::Owned(text.into_bytes()))
            }
            0x8c => self.input.number(1).and_then(|length| self.text(length)),
            b'X' => self.input.number(4).and_then(|length| self.text(length)),
            0x8d => self.input.number(8).and_then(|length| self.text(length)),
            b'(' => self.mark(),
            b'0' => self.drop_top(),
            b'1' => self.pop_to_mark().map(drop),
            b'2' => self.top().and_then(|top| self.push(top)),
            b')' => self.make_tuple(Vec::new()),
            0x85..=0x87 => self
                .pop_many(usize::from(opcode - 0x84))
                .and_then(|items| self.make_tuple(items)),
            b't' => self.pop_to_mark().and_then(|items| self.make_tuple(items)),
            b'}' => self.make(Kind::Dict, Vec::new()),
            b'd' => {
                let items = self.pop_pairs()?;
                self.make(Kind::Dict, items)
            }
            b's' => {
                let items = self.pop_many(2)?;
                self.set_items(pairs(&items))
            }
            b'u' => {
                let items = self.pop_pairs()?;
                self.set_items(items)
            }
            0x8f => self.make(Kind::Set, Vec::new()),
            0x90 => self.add_items(),
            0x91 => {
                self.pop_to_mark()?;
                self.make(Kind::Set, Vec::new())
            }
            b'c' => self.global(),
            0x93 => self.stack_global(),
            b'R' | 0x81 => self.call(),
            b'b' => self.build(),
            b'p' => self.input.decimal_key().and_then(|key| self.put(key)),
            b'q' => self.input.number(1).and_then(|key| self.put(key)),
            b'r' => self.input.number(4).and_then(|key| self.put(key)),
            0x94 => self.put(self.memo.len() as u64),
            b'g' => self.input.decimal_key().and_then(|key| self.get(key)),
            b'h' => self.input.number(1).and_then(|key| self.get(key)),
            b'j' => self.input.number(4).and_then(|key| self.get(key)),
            _ => self.input.fault(match refused_name(opcode) {
                Some(name) => format!("forbidden opcode {name}"),
                None => format!("unknown opcode 0x{opcode:02x}"),
            }),
        }
    }

    fn set_protocol(&mut self) -> Result<()> {
        self.protocol = self.input.byte()?;
        if self.protocol > NEWEST_PROTOCOL {
            return self
                .input
                .fault(format!("unknown protocol {}", self.protocol));
        }
        Ok(())
    }

    /// INT, which writes booleans with two digits, and LONG, which may have an `L` at its end.
    fn decimal(&mut self, opcode: u8) -> Result<()> {
        let line = self.input.line()?;
        let value = match (opcode, line) {
            (b'I', b"00") => Value::Bool(false),
            (b'I', b"01") => Value::Bool(true),
            _ => {
                let digits = line.strip_suffix(b"L").unwrap_or(line);
                match integer(digits) {
                    Some(int) => Value::Int(int),
                    None => return self.input.fault("no number"),
                }
            }
        };
        self.push(value)
    }

    fn push_int(&mut self, int: u64) -> Result<()> {
        self.push(Value::Int(i64::try_from(int).unwrap_or(i64::MAX)))
    }

    /// A little-endian number in two's complement, of any length.
    fn binary_int(&mut self, length: u64) -> Result<()> {
        let bytes = self.input.take(length)?;
        let is_negative = bytes.last().is_some_and(|last| last & 0x80 != 0);
        let fill = if is_negative { 0xff } else { 0 };
        let mut low = [fill; 8];
        for (to, from) in low.iter_mut().zip(bytes) {
            *to = *from;
        }
        let low = i64::from_le_bytes(low);
        let fits = bytes.iter().skip(8).all(|byte| *byte == fill) && (low < 0) == is_negative;
        let int = match (fits, is_negative) {
            (true, _) => low,
            (false, true) => i64::MIN,
            (false, false) => i64::MAX,
        };
        self.push(Value::Int(int))
    }

    fn decimal_float(&mut self) -> Result<()> {
        let text = std::str::from_utf8(self.input.line()?).ok();
        match text.and_then(|text| text.parse().ok()) {
            Some(float) => self.push(Value::Float(float)),
            None => self.input.fault("no number"),
        }
    }

    fn binary_float(&mut self) -> Result<()> {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(self.input.take(8)?);
        self.push(Value::Float(f64::from_be_bytes(bytes)))
    }

    fn text(&mut self, length: u64) -> Result<()> {
        let text = self.input.take(length)?;
        self.push_text(Cow::Borrowed(text))
    }

    fn push_text(&mut self, text: Cow<'a, [u8]>) -> Result<()> {
        self.check_room(self.pickle.texts.len())?;
        self.pickle.texts.push(text);
        self.push(Value::Text(self.pickle.texts.len() - 1))
    }

    fn make_tuple(&mut self, items: Vec<Value>) -> Result<()> {
        self.check_room(self.pickle.tuples.len())?;
        self.pickle.tuples.push(items);
        self.push(Value::Tuple(self.pickle.tuples.len() - 1))
    }

    fn make(&mut self, kind: Kind, items: Vec<(Value, Value)>) -> Result<()> {
        self.check_room(self.pickle.objects.len())?;
        self.pickle.objects.push(Object {
            kind,
            at: self.input.start(),
            items,
            state: None,
        });
        self.push(Value::Object(self.pickle.objects.len() - 1))
    }

    fn set_items(&mut self, items: Vec<(Value, Value)>) -> Result<()> {
        match self.top_object()? {
            Some(object) if object.kind != Kind::Set => {
                object.items.extend(items);
                Ok(())
            }
            _ => self.input.fault("items for what has none"),
        }
    }

    fn add_items(&mut self) -> Result<()> {
        self.pop_to_mark()?;
        match self.top_object()? {
            Some(object) if object.kind == Kind::Set => Ok(()),
            _ => self.input.fault("items for what has none"),
        }
    }

    fn global(&mut self) -> Result<()> {
        let (module, name) = (self.input.line()?, self.input.line()?);
        let global = self.named(module, name)?;
        self.push(Value::Global(global))
    }

    fn stack_global(&mut self) -> Result<()> {
        let (name, module) = (self.pop()?, self.pop()?);
        let global = match (self.pickle.text(module), self.pickle.text(name)) {
            (Some(module), Some(name)) => self.named(module, name)?,
            _ => return self.input.fault("a global whose name is no text"),
        };
        self.push(Value::Global(global))
    }

    fn named(&self, module: &[u8], name: &[u8]) -> Result<Global> {
        match Global::named(module, name, self.protocol) {
            Some(global) => Ok(global),
            None => self.input.fault(format!(
                "forbidden global {}.{}",
                shown(module),
                shown(name)
            )),
        }
    }

    /// REDUCE and NEWOBJ: both make an object of a class.
    fn call(&mut self) -> Result<()> {
        let (arguments, callee) = (self.pop()?, self.pop()?);
        let Value::Global(global) = callee else {
            return self.input.fault("a call of what is no class");
        };
        let Some(arguments) = self.pickle.tuple(arguments) else {
            return self.input.fault("a call without arguments");
        };
        match (global, arguments) {
            (Global::Class(kind), []) => self.make(kind, Vec::new()),
            (Global::DefaultDict, [] | [Value::None | Value::Global(Global::Class(_))]) => {
                self.make(Kind::Dict, Vec::new())
            }
            (Global::Tuple, []) => self.make_tuple(Vec::new()),
            (
                Global::Reconstructor,
                &[
                    Value::Global(Global::Class(kind)),
                    Value::Global(Global::Class(Kind::Dict)),
                    Value::Object(items),
                ],
            ) => {
                // Taken, not copied: a pickle could have them copied any number of times.
                let items = self
                    .pickle
                    .objects
                    .get_mut(items)
                    .map(|object| &mut object.items);
                let items = items.map(std::mem::take).unwrap_or_default();
                self.make(kind, items)
            }
            _ => self
                .input
                .fault("a call with arguments that jars do not need"),
        }
    }

    /// BUILD: the name and the value of a `Morsel`.
    fn build(&mut self) -> Result<()> {
        let state = self.pop()?;
        let Value::Object(state) = state else {
            return self.input.fault("a state that is no dictionary");
        };
        let is_dict = |object: &Object| object.kind == Kind::Dict;
        if !self.pickle.objects.get(state).is_some_and(is_dict) {
            return self.input.fault("a state that is no dictionary");
        }
        match self.top_object()? {
            Some(object) if object.kind == Kind::Morsel => {
                object.state = Some(state);
                Ok(())
            }
            _ => self.input.fault("a state for what has none"),
        }
    }

    fn put(&mut self, key: u64) -> Result<()> {
        self.check_room(self.memo.len())?;
        let top = self.top()?;
        self.memo.insert(key, top);
        Ok(())
    }

    fn get(&mut self, key: u64) -> Result<()> {
        match self.memo.get(&key) {
            Some(&value) => self.push(value),
            None => self.input.fault("a memo that is not there"),
        }
    }

    fn mark(&mut self) -> Result<()> {
        self.check_room(self.marks.len())?;
        self.marks.push(self.stack.len());
        Ok(())
    }

    /// POP takes a mark away, where there is nothing above it.
    fn drop_top(&mut self) -> Result<()> {
        if self.marks.last() == Some(&self.stack.len()) {
            self.marks.pop();
            return Ok(());
        }
        self.pop().map(drop)
    }

    fn push(&mut self, value: Value) -> Result<()> {
        self.check_room(self.stack.len())?;
        let limit = self.limits.pushed;
        if self.pushed == limit {
            return self.input.fault(format!("more than {limit} values in all"));
        }
        self.pushed += 1;
        self.stack.push(value);
        Ok(())
    }

    fn pop(&mut self) -> Result<Value> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    /// The value on top, if there is one above the last mark.
    fn top(&self) -> Result<Value> {
        let above = self.stack.get(self.marks.last().copied().unwrap_or(0)..);
        match above.and_then(<[_]>::last) {
            Some(&top) => Ok(top),
            None => self.input.fault("nothing on the stack"),
        }
    }

    fn top_object(&mut self) -> Result<Option<&mut Object>> {
        let Value::Object(number) = self.top()? else {
            return Ok(None);
        };
        Ok(self.pickle.objects.get_mut(number))
    }

    fn pop_many(&mut self, count: usize) -> Result<Vec<Value>> {
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(self.pop()?);
        }
        items.reverse();
        Ok(items)
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Value>> {
        match self.marks.pop() {
            Some(height) => Ok(self.stack.split_off(height)),
            None => self.input.fault("no mark on the stack"),
        }
    }

    fn pop_pairs(&mut self) -> Result<Vec<(Value, Value)>> {
        let items = self.pop_to_mark()?;
        if items.len() % 2 == 1 {
            return self.input.fault("a key without a value");
        }
        Ok(pairs(&items))
    }

    fn check_room(&self, taken: usize) -> Result<()> {
        let limit = self.limits.values;
        if taken < limit {
            return Ok(());
        }
        self.input.fault(format!("more than {limit} values"))
    }
}

fn pairs(items: &[Value]) -> Vec<(Value, Value)> {
    let (pairs, _) = items.as_chunks::<2>();
    pairs.iter().map(|&[key, value]| (key, value)).collect()
}

/// Part of a name, without what a terminal would obey.
fn shown(name: &[u8]) -> String {
    let start = name.get(..SHOWN).unwrap_or(name);
    start.escape_ascii().to_string()
}

/// The opcodes that no jar needs, by the names of Python's `pickletools`.
fn refused_name(opcode: u8) -> Option<&'static str> {
    Some(match opcode {
        b'P' => "PERSID",
        b'Q' => "BINPERSID",
        b'S' => "STRING",
        b'T' => "BINSTRING",
        b'U' => "SHORT_BINSTRING",
        b'B' => "BINBYTES",
        b'C' => "SHORT_BINBYTES",
        0x8e => "BINBYTES8",
        0x96 => "BYTEARRAY8",
        0x97 => "NEXT_BUFFER",
        0x98 => "READONLY_BUFFER",
        b'l' => "LIST",
        b']' => "EMPTY_LIST",
        b'a' => "APPEND",
        b'e' => "APPENDS",
        b'i' => "INST",
        b'o' => "OBJ",
        0x92 => "NEWOBJ_EX",
        0x82 => "EXT1",
        0x83 => "EXT2",
        0x84 => "EXT4",
        _ => return None,
    })
}
