//! The head of a response, parsed line by line as its bytes arrive.

use bytes::{Buf, Bytes, BytesMut};
use http::{StatusCode, Version};
use memchr::{memchr, memchr3};

use crate::error::HttpError;
use crate::headers::{FieldRange, HeaderView, is_token};
use crate::http1::Limits;

/// The head of a response as received.
#[derive(Debug, Clone)]
pub struct Head {
    /// HTTP/1.0 or HTTP/1.1.
    pub version: Version,
    /// The status code, 100 to 999.
    pub status: StatusCode,
    /// The reason phrase as bytes; empty when the server sends none.
    pub reason: Bytes,
    /// The header fields.
    pub headers: HeaderView,
}

/// Parses one response head; each byte is looked at once, however the head is cut up.
///
/// More lenient than RFC 9112, as aiohttp is (SPEC §8.4): blank lines before the head,
/// bare line feeds, folded lines (joined) and control characters in values pass; NUL, a
/// bare carriage return and blanks in names do not.
///
/// ```
/// use aio_core::http1::{HeadParser, Limits};
/// use bytes::BytesMut;
///
/// let mut parser = HeadParser::new(Limits::default());
/// let mut received = BytesMut::from("HTTP/1.1 404 Not Fo");
/// assert!(parser.parse(&mut received)?.is_none());
/// received.extend_from_slice(b"und\r\nX-A: 1\r\n\r\nbody");
/// let head = parser.parse(&mut received)?.expect("the head is complete");
/// assert_eq!((head.status.as_u16(), &head.reason[..]), (404, &b"Not Found"[..]));
/// assert_eq!(received, "body");
/// # Ok::<(), aio_core::HttpError>(())
/// ```
#[derive(Debug)]
pub struct HeadParser {
    limits: Limits,
    /// Where the last line must end: its CR and LF are held, too.
    head_limit: usize,
    /// Where the line begins that is not yet complete.
    line: usize,
    /// Up to where no line end was found.
    scanned: usize,
    /// The line has NUL or a bare carriage return.
    stray: bool,
    blank_lines: usize,
    status: Option<StatusLine>,
    fields: Vec<FieldRange>,
    /// Where the value of the last field ends, blanks behind it counted in.
    value_end: usize,
}

#[derive(Debug, Clone, Copy)]
struct StatusLine {
    version: Version,
    status: StatusCode,
    reason: (usize, usize),
}

/// Most blank lines before a status line. Servers that send any send one, behind the
/// body of the response before.
const MAX_BLANK_LINES: usize = 8;

/// What a line may have beyond the limit on its name and value: colon, blanks and CR.
const LINE_SLACK: usize = 8;

/// The length of `HTTP/1.1 200 `.
const STATUS_PREFIX: usize = 13;

impl HeadParser {
    /// Makes a parser for one head.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            head_limit: limits.max_head_size().saturating_sub(2),
            line: 0,
            scanned: 0,
            stray: false,
            blank_lines: 0,
            status: None,
            fields: Vec::new(),
            value_end: 0,
        }
    }

    /// Makes a parser for the trailer section behind a head with so many `fields`: what it
    /// gives has them as its headers, and nothing else that means anything.
    pub(super) fn of_trailers(limits: Limits, fields: usize) -> Self {
        let max_headers = limits.max_headers.saturating_sub(fields);
        Self {
            status: Some(StatusLine {
                version: Version::HTTP_11,
                status: StatusCode::OK,
                reason: (0, 0),
            }),
            ..Self::new(Limits {
                max_headers,
                ..limits
            })
        }
    }

    /// Parses on with what `received` holds by now; a complete head is split off, what
    /// follows it stays.
    ///
    /// Between the calls bytes may only be added to the end of `received`. After a head
    /// or an error the parser is as new.
    ///
    /// # Errors
    /// If the bytes are no HTTP/1.0 or 1.1 response head or break a limit.
    pub fn parse(&mut self, received: &mut BytesMut) -> Result<Option<Head>, HttpError> {
        let parsed = self.parse_lines(received);
        if !matches!(parsed, Ok(None)) {
            (self.line, self.scanned, self.blank_lines) = (0, 0, 0);
            (self.status, self.stray) = (None, false);
            self.fields.clear();
        }
        parsed
    }

    fn parse_lines(&mut self, received: &mut BytesMut) -> Result<Option<Head>, HttpError> {
        loop {
            let start = self.line;
            let Some((end, next)) = self.line_end(received) else {
                // Its end may have come half.
                let line = received.get(start..).unwrap_or_default();
                self.check_line(line.strip_suffix(b"\r").unwrap_or(line))?;
                return Ok(None);
            };
            let line = received.get(start..end).unwrap_or_default();
            self.check_line(line)?;
            (self.line, self.scanned) = (next, next);
            let stray = std::mem::take(&mut self.stray);
            match (self.status, line.first()) {
                (None, None) => {
                    self.blank_lines += 1;
                    if self.blank_lines > MAX_BLANK_LINES {
                        return Err(HttpError::BadStatusLine("".into()));
                    }
                    received.advance(next);
                    (self.line, self.scanned) = (0, 0);
                }
                (None, Some(_)) if stray => return Err(HttpError::BadStatusLine(shown(line))),
                (None, Some(_)) => self.status = Some(status_line(line, start, &self.limits)?),
                (Some(status), None) => return Ok(Some(self.finish(status, received))),
                // RFC 9112 §2.2: before the first field it is consumed unprocessed.
                (Some(_), Some(b' ' | b'\t')) if self.fields.is_empty() => {}
                (Some(_), Some(b' ' | b'\t')) if stray => {
                    return Err(HttpError::InvalidHeader("folded line".into()));
                }
                (Some(_), Some(b' ' | b'\t')) => self.fold(received, start, end)?,
                (Some(_), Some(_)) if stray => return Err(HttpError::InvalidHeader(shown(line))),
                (Some(_), Some(_)) => {
                    if self.fields.len() >= self.limits.max_headers {
                        return Err(HttpError::TooManyHeaders {
                            limit: self.limits.max_headers,
                        });
                    }
                    if self.fields.is_empty() {
                        self.fields.reserve_exact(16.min(self.limits.max_headers));
                    }
                    self.fields.push(field(line, start)?);
                    self.value_end = end;
                }
            }
        }
    }

    /// Finds where the line ends and where the next one begins, and notes on the way what
    /// no line may have: other parsers take it for a line end.
    fn line_end(&mut self, received: &[u8]) -> Option<(usize, usize)> {
        loop {
            let unseen = received.get(self.scanned..).unwrap_or_default();
            let Some(found) = memchr3(b'\n', b'\r', 0, unseen) else {
                self.scanned = received.len();
                return None;
            };
            self.scanned += found;
            match unseen.get(found..).unwrap_or_default() {
                [b'\n', ..] => return Some((self.scanned, self.scanned + 1)),
                [b'\r', b'\n', ..] => return Some((self.scanned, self.scanned + 2)),
                [b'\r'] => return None,
                _ => (self.stray, self.scanned) = (true, self.scanned + 1),
            }
        }
    }

    /// Refuses a line, be it whole or its beginning, that is no HTTP or too long for its
    /// kind or for the head. What is refused does not depend on how the head is cut up:
    /// the first byte too many tells the error.
    fn check_line(&self, line: &[u8]) -> Result<(), HttpError> {
        let over_head = (self.line + line.len()).saturating_sub(self.head_limit);
        let usual = match self.status {
            Some(_) => line.len() <= self.limits.max_field_size,
            None => line.len() <= self.limits.max_line_size && line.starts_with(b"HTTP/"),
        };
        if usual && over_head == 0 {
            return Ok(());
        }
        self.check_odd_line(line, over_head)
    }

    #[cold]
    fn check_odd_line(&self, line: &[u8], over_head: usize) -> Result<(), HttpError> {
        let Limits {
            max_line_size,
            max_field_size,
            max_headers,
            ..
        } = self.limits;
        let (over_line, error) = if self.status.is_some() {
            let error = HttpError::FieldTooLong {
                limit: max_field_size,
            };
            (surplus(line, max_field_size), error)
        } else {
            let stray = line
                .iter()
                .zip(b"HTTP/")
                .position(|(have, want)| have != want);
            if let Some(stray) = stray {
                // What is no HTTP need not come to an end.
                let line = line.get(..=stray).unwrap_or_default();
                return Err(HttpError::BadStatusLine(shown(line)));
            }
            let error = HttpError::LineTooLong {
                limit: max_line_size,
            };
            let limit = max_line_size.saturating_add(STATUS_PREFIX + LINE_SLACK);
            (line.len().saturating_sub(limit), error)
        };
        match (over_line, over_head) {
            (0, 0) => Ok(()),
            (line, head) if line >= head => Err(error),
            _ => Err(HttpError::TooManyHeaders { limit: max_headers }),
        }
    }

    /// Joins a folded line to the field before it (RFC 9112 §5.2), in place: the line end
    /// goes, all blanks around it stay, as in aiohttp.
    #[cold]
    fn fold(&mut self, received: &mut BytesMut, start: usize, end: usize) -> Result<(), HttpError> {
        let Some(field) = self.fields.last_mut() else {
            return Ok(());
        };
        let line = received.get(start..end).unwrap_or_default();
        if field.value_len == 0 {
            field.value = (start + leading_blanks(line)) as u32;
            field.value_len = trim(line).len() as u32;
            self.value_end = end;
        } else {
            // Blanks at the end count once something follows them.
            let content = leading_blanks(line) + trim(line).len();
            if !trim(line).is_empty() {
                field.value_len = (self.value_end + content) as u32 - field.value;
            }
            received.copy_within(start..end, self.value_end);
            self.value_end += end - start;
        }
        if field.name_len as usize + field.value_len as usize > self.limits.max_field_size {
            return Err(HttpError::FieldTooLong {
                limit: self.limits.max_field_size,
            });
        }
        Ok(())
    }

    fn finish(&mut self, status: StatusLine, received: &mut BytesMut) -> Head {
        let bytes = received.split_to(self.line).freeze();
        let (start, end) = status.reason;
        Head {
            version: status.version,
            status: status.status,
            reason: if start == end {
                Bytes::new()
            } else {
                bytes.slice(start..end)
            },
            headers: HeaderView::new(bytes, std::mem::take(&mut self.fields)),
        }
    }
}

/// Parses `HTTP/1.1 200 OK`, which begins at `start` in its head.
fn status_line(line: &[u8], start: usize, limits: &Limits) -> Result<StatusLine, HttpError> {
    let bad = || HttpError::BadStatusLine(shown(line));
    let (version, rest) = if let Some(rest) = line.strip_prefix(b"HTTP/1.1 ") {
        (Version::HTTP_11, rest)
    } else if let Some(rest) = line.strip_prefix(b"HTTP/1.0 ") {
        (Version::HTTP_10, rest)
    } else {
        return Err(bad());
    };
    let (code, reason) = rest.split_at_checked(3).ok_or_else(bad)?;
    let status = StatusCode::from_bytes(code).map_err(|_| bad())?;
    let reason = match reason.split_first() {
        None => reason,
        Some((b' ', reason)) => reason,
        Some(_) => return Err(bad()),
    };
    if reason.len() > limits.max_line_size {
        return Err(HttpError::LineTooLong {
            limit: limits.max_line_size,
        });
    }
    let end = start + line.len();
    Ok(StatusLine {
        version,
        status,
        reason: (end - reason.len(), end),
    })
}

/// Parses `Name: value`, which begins at `start` in its head.
pub(crate) fn field(line: &[u8], start: usize) -> Result<FieldRange, HttpError> {
    let mut name_len = 0;
    while line.get(name_len).is_some_and(|&byte| is_token(byte)) {
        name_len += 1;
    }
    if name_len == 0 || line.get(name_len) != Some(&b':') {
        return Err(HttpError::InvalidHeader(shown(line)));
    }
    let rest = line.get(name_len + 1..).unwrap_or_default();
    let blanks = leading_blanks(rest);
    Ok(FieldRange {
        name: start as u32,
        name_len: name_len as u32,
        value: (start + name_len + 1 + blanks) as u32,
        value_len: trim_end(rest.get(blanks..).unwrap_or_default()).len() as u32,
    })
}

/// How many bytes of a line lie behind the last that a field within `limit` may have: the
/// colon and the blanks before the value do not count, but those within reason.
fn surplus(line: &[u8], limit: usize) -> usize {
    let beyond_reason = line
        .len()
        .saturating_sub(limit.saturating_mul(2) + LINE_SLACK);
    let name_len = memchr(b':', line).unwrap_or(line.len());
    if name_len > limit {
        return line.len() - limit;
    }
    let rest = line.get(name_len + 1..).unwrap_or_default();
    let value_len = rest.len() - leading_blanks(rest);
    (name_len + value_len)
        .saturating_sub(limit)
        .max(beyond_reason)
}

/// Returns the fields of a request head as it was sent.
///
/// The head was written by this crate; a line that is no field is left out.
pub fn sent_fields(head: &Bytes) -> HeaderView {
    let mut fields = Vec::new();
    let mut start = memchr(b'\n', head).map_or(head.len(), |end| end + 1);
    while let Some(line) = head.get(start..)
        && let Some(end) = memchr(b'\n', line)
    {
        let line = line.get(..end).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        fields.extend(field(line, start).ok());
        start += end + 1;
    }
    HeaderView::new(head.clone(), fields)
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn leading_blanks(line: &[u8]) -> usize {
    line.iter()
        .position(|&byte| !is_blank(byte))
        .unwrap_or(line.len())
}

/// Cuts spaces and tabs off both ends.
pub(super) fn trim(value: &[u8]) -> &[u8] {
    trim_end(value.get(leading_blanks(value)..).unwrap_or_default())
}

fn trim_end(mut value: &[u8]) -> &[u8] {
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// The name in a line, as an error shows it; what follows may be a secret.
pub(crate) fn shown(line: &[u8]) -> Box<str> {
    let no_token = || line.iter().position(|&byte| !is_token(byte));
    let end = memchr(b':', line).or_else(no_token).unwrap_or(line.len());
    let name = line.get(..end.min(80)).unwrap_or_default();
    name.escape_ascii().to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &[u8]) -> Result<Option<Head>, HttpError> {
        HeadParser::new(Limits::default()).parse(&mut BytesMut::from(text))
    }

    fn fields(head: &Head) -> Vec<(String, Vec<u8>)> {
        head.headers
            .iter()
            .map(|f| (f.name().to_owned(), f.as_bytes().to_vec()))
            .collect()
    }

    #[track_caller]
    fn check(text: &str, want: &[(&str, &str)]) {
        let head = parse(text.as_bytes())
            .expect("a valid head")
            .expect("a whole head");
        let want: Vec<_> = want
            .iter()
            .map(|(n, v)| ((*n).to_owned(), v.as_bytes().to_vec()))
            .collect();
        assert_eq!(fields(&head), want, "{text:?}");
        // However the head is cut in two, the outcome is the same.
        for cut in 0..text.len() {
            let mut parser = HeadParser::new(Limits::default());
            let (first, second) = text.as_bytes().split_at(cut);
            let mut received = BytesMut::from(first);
            assert!(
                parser
                    .parse(&mut received)
                    .expect("a valid start")
                    .is_none(),
                "{cut}"
            );
            received.extend_from_slice(second);
            let head = parser.parse(&mut received).expect("valid").expect("whole");
            assert_eq!(fields(&head), want, "{text:?} cut at {cut}");
        }
    }

    #[test]
    fn fields_keep_spelling_order_and_repetitions() {
        check("HTTP/1.1 200 OK\r\n\r\n", &[]);
        check(
            "HTTP/1.1 200 OK\r\nB: 1\r\na:2\r\nb: \t3 \r\nE:\r\n\r\n",
            &[("B", "1"), ("a", "2"), ("b", "3"), ("E", "")],
        );
        check("\r\n\nHTTP/1.0 200\nA: 1\n\n", &[("A", "1")]);
        check(
            "HTTP/1.1 200 OK\r\nA: x\x01y\x7f\r\n\r\n",
            &[("A", "x\x01y\x7f")],
        );
    }

    #[test]
    fn folded_lines_are_joined() {
        check(
            "HTTP/1.1 200 OK\r\nA: one\r\n two\r\n\tthree\r\nB: 1\r\n\r\n",
            &[("A", "one two\tthree"), ("B", "1")],
        );
        check(
            "HTTP/1.1 200 OK\r\nA:\r\n   x  \r\n \r\n\r\n",
            &[("A", "x")],
        );
        check("HTTP/1.1 200 OK\r\n X: y\r\nA: 1\r\n\r\n", &[("A", "1")]);
    }

    #[track_caller]
    fn check_status(line: &str, want: Option<(u16, &str)>) {
        let got = parse(format!("{line}\r\n\r\n").as_bytes());
        let got = got
            .ok()
            .flatten()
            .map(|head| (head.status.as_u16(), head.reason));
        assert_eq!(
            got,
            want.map(|(status, reason)| (status, Bytes::from(reason.to_owned()))),
            "{line:?}"
        );
    }

    #[test]
    fn status_lines_are_judged_as_aiohttp_does() {
        check_status("HTTP/1.1 200 OK", Some((200, "OK")));
        check_status("HTTP/1.1 200", Some((200, "")));
        check_status("HTTP/1.1 200 ", Some((200, "")));
        check_status("HTTP/1.0 999 a  b", Some((999, "a  b")));
        for bad in [
            "HTTP/1.1 99 x",
            "HTTP/1.1 099 x",
            "HTTP/1.1 20 OK",
            "HTTP/1.1 2000 OK",
            "HTTP/1.1 2x0 OK",
            "HTTP/1.1  200 OK",
            "HTTP/1.1 200\tOK",
            "HTTP/2.0 200 OK",
            "HTTP/0.9 200 OK",
            "HTTP/1.2 200 OK",
            "HTTP/1.10 200 OK",
            "HTTP/11 200 OK",
            "http/1.1 200 OK",
            "ICY 200 OK",
            "hello",
            "HTTP/1.1",
            "HTTP/1.1 200 a\rb",
        ] {
            check_status(bad, None);
        }
    }

    #[track_caller]
    fn check_refused(field: &str) {
        assert!(
            parse(format!("HTTP/1.1 200 OK\r\n{field}\r\n\r\n").as_bytes()).is_err(),
            "{field:?}"
        );
    }

    #[test]
    fn malformed_fields_are_refused() {
        for field in [
            "A",
            ": x",
            "A : x",
            "A(b): x",
            "A\0: x",
            "A: \0",
            "A: x\ry",
            "A: x\r\n \0",
            "ä: x",
        ] {
            check_refused(field);
        }
    }

    #[test]
    fn limits_hold_to_the_byte() {
        let field = |len: usize| {
            parse(format!("HTTP/1.1 200 OK\r\nCustom: {}\r\n\r\n", "x".repeat(len)).as_bytes())
        };
        assert!(field(8184).is_ok());
        assert_eq!(
            field(8185).expect_err("refused"),
            HttpError::FieldTooLong { limit: 8190 }
        );
        let reason =
            |len: usize| parse(format!("HTTP/1.1 200 {}\r\n\r\n", "x".repeat(len)).as_bytes());
        assert!(reason(8190).is_ok());
        assert_eq!(
            reason(8191).expect_err("refused"),
            HttpError::LineTooLong { limit: 8190 }
        );
        let many = |count: usize| {
            parse(format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(count)).as_bytes())
        };
        assert!(many(128).is_ok());
        assert_eq!(
            many(129).expect_err("refused"),
            HttpError::TooManyHeaders { limit: 128 }
        );
        assert!(parse("\n".repeat(100).as_bytes()).is_err());
    }

    #[test]
    fn an_endless_line_is_refused_before_its_end() {
        assert!(parse(&[b'x'; 9000]).is_err());
        let mut line = b"HTTP/1.1 200 OK\r\nA: ".to_vec();
        line.resize(9000, b'x');
        assert!(parse(&line).is_err());
    }

    #[test]
    fn errors_do_not_show_values() {
        let error = parse(b"HTTP/1.1 200 OK\r\nSet-Cookie : secret\r\n\r\n").expect_err("refused");
        assert_eq!(error.to_string(), "invalid header \"Set-Cookie \"");
    }
}
