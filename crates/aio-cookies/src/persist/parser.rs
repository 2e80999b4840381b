//! Reads JSON into a tree that knows its lines.
//!
//! An error must tell the line of a value and must not show it, and strings are octets: lone
//! surrogates stand for those that are not UTF-8. Usual parsers have it the other way round.

use super::CookieFileProblem;

type Result<T> = std::result::Result<T, CookieFileProblem>;

/// Deeper than any file of cookies goes.
const MAX_DEPTH: usize = 16;

/// A value of JSON and the line that it begins in.
#[derive(Debug, PartialEq)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) kind: Kind,
}

#[derive(Debug, PartialEq)]
pub(super) enum Kind {
    Null,
    Flag(bool),
    Number(f64),
    Text(Vec<u8>),
    List(Vec<Node>),
    /// In the order of the file; a name may be there twice.
    Object(Vec<(Vec<u8>, Node)>),
}

/// Reads a whole file.
pub(super) fn parse(bytes: &[u8]) -> Result<Node> {
    if let Err(error) = std::str::from_utf8(bytes) {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        return Err(CookieFileProblem::malformed(line, "not UTF-8"));
    }
    let mut parser = Parser {
        rest: bytes,
        line: 1,
    };
    let node = parser.node(0)?;
    parser.skip_blanks();
    if parser.rest.is_empty() {
        Ok(node)
    } else {
        parser.fail("something behind the end")
    }
}

impl Node {
    pub(super) fn object(&self) -> Result<&[(Vec<u8>, Self)]> {
        match &self.kind {
            Kind::Object(entries) => Ok(entries),
            _ => self.fail("not an object"),
        }
    }

    pub(super) fn list(&self) -> Result<&[Self]> {
        match &self.kind {
            Kind::List(list) => Ok(list),
            _ => self.fail("not an array"),
        }
    }

    /// The last value of the name `key`, as in Python and JavaScript; none if it is null.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let Kind::Object(entries) = &self.kind else {
            return None;
        };
        let mut entries = entries.iter().rev();
        let (_, found) = entries.find(|(name, _)| name == key.as_bytes())?;
        (found.kind != Kind::Null).then_some(found)
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&[u8]>> {
        match self.get(key) {
            None => Ok(None),
            Some(Self {
                kind: Kind::Text(text),
                ..
            }) => Ok(Some(text)),
            Some(other) => other.fail(format!("`{key}` is not a string")),
        }
    }

    pub(super) fn needed_text(&self, key: &str) -> Result<&[u8]> {
        match self.text(key)? {
            Some(text) => Ok(text),
            None => self.fail(format!("`{key}` is missing")),
        }
    }

    pub(super) fn number(&self, key: &str) -> Result<Option<f64>> {
        match self.get(key) {
            None => Ok(None),
            Some(Self {
                kind: Kind::Number(number),
                ..
            }) => Ok(Some(*number)),
            Some(other) => other.fail(format!("`{key}` is not a number")),
        }
    }

    /// Whether it is there and true, or what Python takes for true.
    pub(super) fn flag(&self, key: &str) -> bool {
        self.get(key).is_some_and(|node| match &node.kind {
            Kind::Null => false,
            Kind::Flag(flag) => *flag,
            Kind::Number(number) => *number != 0.0,
            Kind::Text(text) => !text.is_empty(),
            Kind::List(list) => !list.is_empty(),
            Kind::Object(entries) => !entries.is_empty(),
        })
    }

    pub(super) fn fail<T>(&self, reason: impl Into<Box<str>>) -> Result<T> {
        Err(CookieFileProblem::malformed(self.line, reason))
    }
}

struct Parser<'a> {
    rest: &'a [u8],
    line: usize,
}

impl Parser<'_> {
    fn node(&mut self, depth: usize) -> Result<Node> {
        self.skip_blanks();
        let line = self.line;
        if depth > MAX_DEPTH {
            return self.fail("nested too deeply");
        }
        let kind = match self.rest.first() {
            Some(b'{') => Kind::Object(self.all(b'}', |parser| {
                parser.skip_blanks();
                let name = parser.text()?;
                parser.skip_blanks();
                if !parser.take(b":") {
                    return parser.fail("`:` expected");
                }
                Ok((name, parser.node(depth + 1)?))
            })?),
            Some(b'[') => Kind::List(self.all(b']', |parser| parser.node(depth + 1))?),
            Some(b'"') => Kind::Text(self.text()?),
            Some(b'-' | b'0'..=b'9') => Kind::Number(self.number()?),
            _ if self.take(b"null") => Kind::Null,
            _ if self.take(b"true") => Kind::Flag(true),
            _ if self.take(b"false") => Kind::Flag(false),
            _ => return self.fail("a value expected"),
        };
        Ok(Node { line, kind })
    }

    /// Reads a bracket and all up to the one that closes it.
    fn all<T>(&mut self, close: u8, one: impl Fn(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        self.next();
        let mut all = Vec::new();
        self.skip_blanks();
        if self.take(&[close]) {
            return Ok(all);
        }
        loop {
            all.push(one(self)?);
            self.skip_blanks();
            match self.next() {
                Some(b',') => {}
                Some(byte) if byte == close => return Ok(all),
                _ => return self.fail(format!("`,` or `{}` expected", char::from(close))),
            }
        }
    }

    fn text(&mut self) -> Result<Vec<u8>> {
        if !self.take(b"\"") {
            return self.fail("a string expected");
        }
        let mut text = Vec::new();
        loop {
            match self.next() {
                None => return self.fail("the end of a string is missing"),
                Some(b'"') => return Ok(text),
                Some(b'\\') => self.escape(&mut text)?,
                Some(..b' ') => return self.fail("a control character in a string"),
                Some(byte) => text.push(byte),
            }
        }
    }

    /// Reads what a backslash stands before.
    fn escape(&mut self, text: &mut Vec<u8>) -> Result<()> {
        let byte = match self.next() {
            Some(byte @ (b'"' | b'\\' | b'/')) => byte,
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => return self.code_point(text),
            _ => return self.fail("an unknown escape in a string"),
        };
        text.push(byte);
        Ok(())
    }

    fn code_point(&mut self, text: &mut Vec<u8>) -> Result<()> {
        let first = self.unit()?;
        // The octets that are written so: no text has them.
        if let 0xdc00..=0xdcff = first {
            text.extend(first.to_be_bytes().get(1));
            return Ok(());
        }
        let mut units = vec![first];
        if let 0xd800..=0xdbff = first
            && self.take(b"\\u")
        {
            units.push(self.unit()?);
        }
        match String::from_utf16(&units) {
            Ok(decoded) => text.extend_from_slice(decoded.as_bytes()),
            Err(_) => return self.fail("half a surrogate pair in a string"),
        }
        Ok(())
    }

    fn unit(&mut self) -> Result<u16> {
        let digits = self.rest.get(..4).unwrap_or_default();
        let is_hex = digits.len() == 4 && digits.iter().all(u8::is_ascii_hexdigit);
        let digits = std::str::from_utf8(digits).unwrap_or_default();
        match u16::from_str_radix(digits, 16) {
            Ok(unit) if is_hex => {
                self.rest = self.rest.get(4..).unwrap_or_default();
                Ok(unit)
            }
            _ => self.fail("`\\u` without four digits in a string"),
        }
    }

    fn number(&mut self) -> Result<f64> {
        let belongs = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
        let end = self.rest.iter().position(|byte| !belongs(byte));
        let (digits, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        let digits = std::str::from_utf8(digits).unwrap_or_default();
        match digits.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number),
            _ => self.fail("not a finite number"),
        }
    }

    fn skip_blanks(&mut self) {
        while let [byte @ (b' ' | b'\t' | b'\r' | b'\n'), rest @ ..] = self.rest {
            self.line += usize::from(*byte == b'\n');
            self.rest = rest;
        }
    }

    fn next(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(byte)
    }

    fn take(&mut self, text: &[u8]) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn fail<T>(&self, reason: impl Into<Box<str>>) -> Result<T> {
        Err(CookieFileProblem::malformed(self.line, reason))
    }
}
