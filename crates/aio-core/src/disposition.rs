//! `Content-Disposition` as aiohttp reads it.

use std::borrow::Cow;
use std::collections::HashSet;

use percent_encoding::percent_decode_str;

use crate::headers::is_token;
use crate::multidict::MultiDict;
use crate::text::{Charset, OnError};

/// The type and the parameters of a `Content-Disposition` header; aiohttp's
/// `ContentDisposition` and `parse_content_disposition`.
///
/// ```
/// use aio_core::ContentDisposition;
///
/// let header = b"attachment; filename=fallback.txt; filename*=UTF-8''%e2%82%ac%20rates.txt";
/// let disposition = ContentDisposition::parse(header);
/// assert_eq!(disposition.kind(), Some("attachment"));
/// assert_eq!(disposition.filename().as_deref(), Some("€ rates.txt"));
/// assert_eq!(disposition.parameters().get("filename").unwrap(), "fallback.txt");
///
/// let disposition = ContentDisposition::parse(b"attachment; filename=\"../../.profile\"");
/// assert_eq!(disposition.filename().as_deref(), Some("../../.profile"));
/// assert_eq!(disposition.safe_filename().as_deref(), Some("profile"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContentDisposition {
    kind: Option<String>,
    parameters: MultiDict<String>,
}

impl ContentDisposition {
    /// Reads the value of a header.
    ///
    /// A value that is malformed beyond mending has neither type nor parameters; a single
    /// bad parameter is left out. Bytes that are no UTF-8 are read as ISO-8859-1.
    pub fn parse(value: &[u8]) -> Self {
        let text = match str::from_utf8(value) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => value.iter().map(|&byte| char::from(byte)).collect(),
        };
        parse(&text).unwrap_or_default()
    }

    /// Returns the type in lower case, as `attachment` or `form-data`; `None` if the
    /// header is malformed. aiohttp's `type`.
    pub fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }

    /// Returns the parameters in order: names in lower case, each once, the `*` of
    /// `filename*` among them.
    ///
    /// The value of `name*` is decoded; the pieces of a value (`name*0`, `name*1*`) are as
    /// they stand.
    pub fn parameters(&self) -> &MultiDict<String> {
        &self.parameters
    }

    /// Returns the file name as the sender wrote it: whoever saves a file under it gives
    /// the sender the choice of the place. [`safe_filename`](Self::safe_filename) does not.
    pub fn filename(&self) -> Option<Cow<'_, str>> {
        self.parameter("filename")
    }

    /// Returns the value of a parameter: that of `name*`, else that of `name`, else its
    /// pieces put together. aiohttp's `content_disposition_filename`.
    pub fn parameter(&self, name: &str) -> Option<Cow<'_, str>> {
        let extended = self.parameters.get(&format!("{name}*"));
        if let Some(value) = extended.or_else(|| self.parameters.get(name)) {
            return Some(Cow::Borrowed(value));
        }
        let joined = self.joined(name)?;
        let mut parts = joined.splitn(3, '\'');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(charset), Some(_language), Some(text)) => decoded(text, charset).map(Cow::Owned),
            _ => Some(Cow::Owned(joined)),
        }
    }

    /// Puts `name*0`, `name*1` … together, up to the first gap (RFC 2231 3).
    fn joined(&self, name: &str) -> Option<String> {
        let piece = |(key, value)| {
            let number: &str = str::strip_prefix(str::strip_prefix(key, name)?, "*")?;
            Some((number, value))
        };
        let mut pieces: Vec<(&str, &String)> = self.parameters.iter().filter_map(piece).collect();
        // As text, so that `10` is before `2` and ends the value, as in aiohttp.
        pieces.sort_unstable();
        let mut joined = None;
        for (at, (number, value)) in pieces.into_iter().enumerate() {
            if number.strip_suffix('*').unwrap_or(number) != at.to_string() {
                break;
            }
            joined.get_or_insert_with(String::new).push_str(value);
        }
        joined
    }

    /// Returns the last part of the file name, fit for a file in a directory of one's own
    /// on any system; `None` if nothing is left of it.
    ///
    /// There are no directories in it, no control and no invisible direction characters,
    /// no dot in front, none of `<>:"|?*` (they become `_`), no blank or dot behind, no
    /// device name of Windows (`CON`, `nul.txt` get a `_` in front), and no more than 255
    /// bytes.
    pub fn safe_filename(&self) -> Option<String> {
        let name = self.filename()?;
        let name = name.rsplit(['/', '\\']).next()?;
        let is_shown = |c: &char| {
            !c.is_control()
                && !matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        let plain = |c| if "<>:\"|?*".contains(c) { '_' } else { c };
        let name: String = name.chars().filter(is_shown).map(plain).collect();
        let is_frame = |c: char| c == '.' || c.is_whitespace();
        let name = name.trim_matches(is_frame);
        let stem = name.split('.').next()?.trim_end().to_ascii_uppercase();
        let is_device = match stem.as_bytes() {
            b"CON" | b"PRN" | b"AUX" | b"NUL" | b"CONIN$" | b"CONOUT$" => true,
            [b'C', b'O', b'M', number @ ..] | [b'L', b'P', b'T', number @ ..] => {
                matches!(number, [b'0'..=b'9'])
                    || matches!(str::from_utf8(number), Ok("¹" | "²" | "³"))
            }
            _ => false,
        };
        let name = if is_device {
            format!("_{name}")
        } else {
            name.to_owned()
        };
        let end = (0..=name.len().min(255)).rfind(|&end| name.is_char_boundary(end))?;
        let kept = name.get(..end)?.trim_end_matches(is_frame);
        (!kept.is_empty()).then(|| kept.to_owned())
    }
}

/// Reads a header as aiohttp's parser does; `None` where it gives up on the whole of it.
fn parse(header: &str) -> Option<ContentDisposition> {
    let mut items = header.split(';').peekable();
    let kind = trim(items.next()?);
    if !is_token_text(kind) {
        return None;
    }
    let mut parameters = MultiDict::new();
    // To look through the parameters each time would take ten milliseconds for 8 KiB.
    let mut names = HashSet::new();
    while let Some(item) = items.next() {
        if item.is_empty() {
            continue;
        }
        let (key, value) = item.split_once('=')?;
        let key = trim(&key.to_lowercase()).to_owned();
        let value = value.trim_start_matches(is_blank);
        if names.contains(&key) {
            return None;
        }
        if !is_token_text(&key) {
            continue;
        }
        let value = if is_piece(&key) {
            piece(value)
        } else if key.ends_with('*') {
            extended(value)
        } else if let Some(value) = plain(value) {
            Some(value)
        } else {
            // A semicolon in quotes has cut the value in two; more of them are an error.
            Some(split_quoted(value, items.next()?)?)
        };
        if let Some(value) = value {
            names.insert(key.clone());
            parameters.add(key, value);
        }
    }
    Some(ContentDisposition {
        kind: Some(kind.to_ascii_lowercase()),
        parameters,
    })
}

/// Says whether a name is that of a part of a value: `name*0`, `name*1*`.
fn is_piece(key: &str) -> bool {
    key.split_once('*').is_some_and(|(_, number)| {
        let number = number.strip_suffix('*').unwrap_or(number);
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn piece(value: &str) -> Option<String> {
    match quoted(value) {
        Some(inner) => Some(unescaped(inner)),
        None => is_token_text(value).then(|| value.to_owned()),
    }
}

/// Decodes `charset'language'percent-encoded` (RFC 8187 3.2).
fn extended(value: &str) -> Option<String> {
    if !is_token_text(value) {
        return None;
    }
    let mut parts = value.split('\'');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(charset), Some(_language), Some(text), None) => decoded(text, charset),
        _ => None,
    }
}

fn plain(value: &str) -> Option<String> {
    match quoted(value.trim_end_matches(is_blank)) {
        Some(inner) => Some(without_root(inner)),
        None => is_token_text(value).then(|| value.to_owned()),
    }
}

fn split_quoted(value: &str, rest: &str) -> Option<String> {
    let inner = (value.strip_prefix('"')?, rest.strip_suffix('"')?);
    Some(without_root(&format!("{};{}", inner.0, inner.1)))
}

/// BODY-94: no absolute path.
fn without_root(inner: &str) -> String {
    unescaped(inner.trim_start_matches(['\\', '/']))
}

fn quoted(value: &str) -> Option<&str> {
    value.strip_prefix('"')?.strip_suffix('"')
}

fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match chars.next_if(|next| c == '\\' && next.is_ascii()) {
            Some(escaped) => out.push(escaped),
            None => out.push(c),
        }
    }
    out
}

/// Decodes escapes strictly, as Python's `unquote`: text without any needs no charset.
fn decoded(text: &str, charset: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let charset = match charset {
        "" => Charset::UTF_8,
        label => Charset::for_label(label)?,
    };
    let mut out = String::with_capacity(text.len());
    // What is beyond ASCII is text already.
    for run in text.split_inclusive(|c: char| !c.is_ascii()) {
        let end = run.find(|c: char| !c.is_ascii()).unwrap_or(run.len());
        let (escaped, beyond) = run.split_at(end);
        let bytes: Cow<'_, [u8]> = percent_decode_str(escaped).into();
        out.push_str(&charset.decode(&bytes, OnError::Strict).ok()?);
        out.push_str(beyond);
    }
    Some(out)
}

/// aiohttp takes a TAB for part of a token, too; RFC 9110 5.6.2 does not.
fn is_token_text(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token)
}

fn trim(text: &str) -> &str {
    text.trim_matches(is_blank)
}

/// What Python's `strip` takes away.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

#[cfg(test)]
mod tests;
