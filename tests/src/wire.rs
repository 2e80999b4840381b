//! What a scripted server writes down: requests and frames as JSON records, and their normalisation.

use std::io::Read;

use flate2::read::MultiGzDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use serde_json::{Map, Value, json};

use crate::value::{body_out, bytes_out, str_out};

/// A request head as received.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestHead {
    request_line: Vec<u8>,
    /// Lower-case names, blanks around values stripped, in order of arrival.
    headers: Vec<(String, Vec<u8>)>,
}

/// How the body of a request is delimited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    None,
    Length(usize),
    Chunked,
}

impl RequestHead {
    /// Reads a head that ends with its blank line; nothing in it is an error.
    pub(crate) fn parse(head: &[u8]) -> Self {
        let mut lines = split(head, b"\r\n");
        let request_line = lines.remove(0).to_vec();
        let header = |line: &&[u8]| {
            let (name, value) = split_once(line, b":").unwrap_or((line, b""));
            (
                String::from_utf8_lossy(name).to_lowercase(),
                strip_blanks(value).to_vec(),
            )
        };
        let headers = lines
            .iter()
            .filter(|line| !line.is_empty())
            .map(header)
            .collect();
        Self {
            request_line,
            headers,
        }
    }

    /// Returns the last value of a header.
    pub(crate) fn get(&self, name: &str) -> Option<&[u8]> {
        let found = self.headers.iter().rev().find(|(header, _)| header == name);
        found.map(|(_, value)| value.as_slice())
    }

    /// Decides how the body is delimited: by chunks, else by a length, else there is none.
    ///
    /// The error is the record of a length that is no number.
    pub(crate) fn framing(&self) -> Result<Framing, String> {
        if lower(self.get("transfer-encoding")).contains("chunked") {
            return Ok(Framing::Chunked);
        }
        let Some(length) = self.get("content-length") else {
            return Ok(Framing::None);
        };
        let length = String::from_utf8_lossy(length);
        length
            .parse()
            .map(Framing::Length)
            .map_err(|_| format!("content-length {length:?}"))
    }

    /// Shows the request line and the headers, those sorted by name.
    pub(crate) fn record(&self) -> Map<String, Value> {
        let words = split(&self.request_line, b" ");
        let (method, rest) = words.split_first().expect("split gives at least one piece");
        let (version, target) = rest.split_last().unwrap_or((method, &[]));
        let mut headers: Vec<_> = self.headers.iter().collect();
        headers.sort_by_key(|(name, _)| name);
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| json!([name, str_out(value)]))
            .collect();
        let mut record = Map::new();
        record.insert("method".into(), str_out(method));
        record.insert("target".into(), str_out(&target.join(b" ".as_slice())));
        record.insert("version".into(), str_out(version));
        record.insert("headers".into(), headers.into());
        record
    }

    /// Adds a body to the record of its request, in the form that its headers ask for.
    pub(crate) fn record_body(&self, record: &mut Map<String, Value>, body: Vec<u8>) {
        let (coding, body) = decode(&lower(self.get("content-encoding")), body);
        if let Some(coding) = coding {
            record.insert("coding".into(), coding.into());
        }
        let content_type = String::from_utf8_lossy(self.get("content-type").unwrap_or_default());
        let mime = content_type
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_lowercase();
        if mime.starts_with("multipart/")
            && let Some(boundary) = Boundary::find(&content_type)
            && let Some(parts) = split_multipart(&body, boundary.value)
        {
            record.insert("multipart".into(), parts.into());
            set_header(record, "content-type", &boundary.hidden());
            set_header(record, "content-length", "{len}");
            return;
        }
        if mime == "application/json"
            && coding.is_none()
            && let Ok(parsed) = serde_json::from_slice(&body)
        {
            record.insert("json".into(), parsed);
            set_header(record, "content-length", "{len}");
            return;
        }
        record.insert("body".into(), body_out(&body));
    }
}

/// Hides the header values that differ from run to run, or from client to client.
pub(crate) fn normalise(record: &mut Value, own_user_agent: bool, own_accept_encoding: bool) {
    let Some(Value::Array(headers)) = record.get_mut("headers") else {
        return;
    };
    for header in headers {
        let [Value::String(name), value] = header
            .as_array_mut()
            .expect("written by record()")
            .as_mut_slice()
        else {
            continue;
        };
        match name.as_str() {
            "user-agent" if !own_user_agent => *value = json!("{ua}"),
            "accept-encoding" if !own_accept_encoding => *value = json!("{ae}"),
            "sec-websocket-key" => *value = json!("{key}"),
            // The parameters of Digest are left as they are: nothing verifies
            // them yet, and a record without "digest_valid" matches no scenario.
            _ => {}
        }
    }
}

/// Shows a WebSocket frame whose payload is unmasked already.
pub(crate) fn frame_record(
    first: u8,
    masked: bool,
    mut payload: Vec<u8>,
    inflater: &mut Inflater,
    json: bool,
) -> Value {
    let opcode = first & 0x0f;
    let rsv1 = first & 0x40 != 0;
    let mut frame = Map::new();
    frame.insert("frame".into(), opcode.into());
    frame.insert("fin".into(), (first & 0x80 != 0).into());
    frame.insert("rsv1".into(), rsv1.into());
    frame.insert("masked".into(), masked.into());
    if rsv1 {
        match inflater.inflate(&payload) {
            Ok(inflated) => payload = inflated,
            Err(error) => _ = frame.insert("broken".into(), error.into()),
        }
    }
    let mut payload = payload.as_slice();
    if opcode == 8
        && let Some((code, reason)) = payload.split_first_chunk()
    {
        frame.insert("close_code".into(), u16::from_be_bytes(*code).into());
        payload = reason;
    }
    if !json {
        frame.insert("payload".into(), body_out(payload));
        return frame.into();
    }
    match serde_json::from_slice(payload) {
        Ok(parsed) => frame.insert("json".into(), parsed),
        Err(_) => frame.insert("broken".into(), body_out(payload)),
    };
    frame.into()
}

/// The inflater of a connection's compressed messages.
#[derive(Debug)]
pub(crate) struct Inflater(Decompress);

impl Inflater {
    pub(crate) fn new() -> Self {
        Self(Decompress::new(false))
    }

    fn inflate(&mut self, payload: &[u8]) -> Result<Vec<u8>, String> {
        let message = [payload, b"\x00\x00\xff\xff"].concat();
        let (mut taken, mut inflated) = (0, Vec::new());
        loop {
            inflated.reserve(4096);
            let before = self.0.total_in();
            let rest = message.get(taken..).unwrap_or_default();
            let status = self
                .0
                .decompress_vec(rest, &mut inflated, FlushDecompress::Sync);
            let status = status.map_err(|error| error.to_string())?;
            taken += usize::try_from(self.0.total_in() - before).expect("no more than was given");
            let room_left = inflated.len() < inflated.capacity();
            if status == Status::StreamEnd || (taken == message.len() && room_left) {
                return Ok(inflated);
            }
        }
    }
}

/// Decodes a body by its content coding; one that does not decode stays as it is.
///
/// Brotli is recorded as sent: no scenario sends it.
fn decode(coding: &str, body: Vec<u8>) -> (Option<&'static str>, Vec<u8>) {
    let mut gunzipped = Vec::new();
    match coding {
        // Python's gzip takes nothing for nothing.
        "gzip" if body.is_empty() => (Some("gzip"), body),
        "gzip"
            if MultiGzDecoder::new(body.as_slice())
                .read_to_end(&mut gunzipped)
                .is_ok() =>
        {
            (Some("gzip"), gunzipped)
        }
        "deflate" => {
            if let Some(plain) = inflate_whole(Decompress::new(true), &body) {
                (Some("deflate"), plain)
            } else if let Some(plain) = inflate_whole(Decompress::new(false), &body) {
                (Some("deflate-raw"), plain)
            } else {
                (None, body)
            }
        }
        _ => (None, body),
    }
}

/// Inflates a stream that must be complete: flate2's reader takes a truncated one for a short one.
fn inflate_whole(mut inflater: Decompress, body: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    loop {
        plain.reserve(64 * 1024);
        let (taken, given) = (inflater.total_in(), plain.len());
        let rest = body.get(usize::try_from(taken).ok()?..)?;
        match inflater
            .decompress_vec(rest, &mut plain, FlushDecompress::None)
            .ok()?
        {
            Status::StreamEnd => return Some(plain),
            _ if inflater.total_in() == taken && plain.len() == given => return None,
            _ => {}
        }
    }
}

/// The boundary parameter of a multipart content type.
struct Boundary<'a> {
    before: &'a str,
    value: &'a str,
    after: &'a str,
}

impl<'a> Boundary<'a> {
    fn find(content_type: &'a str) -> Option<Self> {
        let (before, rest) = content_type.split_once("boundary=")?;
        let rest = rest.strip_prefix('"').unwrap_or(rest);
        let end = rest.find(['"', ';']).unwrap_or(rest.len());
        let (value, after) = rest.split_at(end);
        let after = after.strip_prefix('"').unwrap_or(after);
        (!value.is_empty()).then_some(Self {
            before,
            value,
            after,
        })
    }

    fn hidden(&self) -> String {
        format!("{}boundary={{boundary}}{}", self.before, self.after)
    }
}

fn split_multipart(body: &[u8], boundary: &str) -> Option<Vec<Value>> {
    let inner = body.strip_prefix(format!("--{boundary}\r\n").as_bytes())?;
    let inner = inner.strip_suffix(format!("\r\n--{boundary}--\r\n").as_bytes())?;
    let between = format!("\r\n--{boundary}\r\n");
    let part = |raw: &[u8]| {
        let (head, content) = split_once(raw, b"\r\n\r\n").unwrap_or((raw, b""));
        let mut headers: Vec<_> = split(head, b"\r\n")
            .into_iter()
            .map(|line| {
                let (name, value) = split_once(line, b":").unwrap_or((line, b""));
                (
                    String::from_utf8_lossy(name).trim().to_lowercase(),
                    str_out(value.trim_ascii()),
                )
            })
            .collect();
        headers.sort_by(|(a, _), (b, _)| a.cmp(b));
        json!({"headers": headers, "body": bytes_out(content)})
    };
    Some(
        split(inner, between.as_bytes())
            .into_iter()
            .map(part)
            .collect(),
    )
}

fn set_header(record: &mut Map<String, Value>, name: &str, value: &str) {
    let Some(Value::Array(headers)) = record.get_mut("headers") else {
        return;
    };
    for header in headers {
        if header[0] == name {
            header[1] = json!(value);
        }
    }
}

fn lower(value: Option<&[u8]>) -> String {
    String::from_utf8_lossy(value.unwrap_or_default()).to_lowercase()
}

fn strip_blanks(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Splits at every `separator`; gives one piece more than there are separators.
fn split<'a>(mut bytes: &'a [u8], separator: &[u8]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    while let Some((piece, rest)) = split_once(bytes, separator) {
        pieces.push(piece);
        bytes = rest;
    }
    pieces.push(bytes);
    pieces
}

fn split_once<'a>(bytes: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = find(bytes, separator)?;
    let (before, rest) = bytes.split_at(at);
    Some((before, rest.strip_prefix(separator)?))
}

/// Returns where `wanted` begins.
pub(crate) fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    #[track_caller]
    fn check(head: &str, body: &[u8], want: &Value) {
        let head = RequestHead::parse(head.as_bytes());
        let mut record = head.record();
        head.record_body(&mut record, body.to_vec());
        for (key, value) in want.as_object().expect("a table of objects") {
            assert_eq!(record.get(key), Some(value), "{key} of {record:?}");
        }
    }

    fn with_coding(coding: &str) -> String {
        format!("POST / HTTP/1.1\r\nContent-Encoding: {coding}\r\n\r\n")
    }

    #[test]
    fn heads_are_sorted_and_lower_cased() {
        check(
            "GET /a b HTTP/1.1\r\nZ: 1\r\nb: \t2 \r\nB:3\r\nodd\r\n\r\n",
            b"",
            &json!({
                "method": "GET", "target": "/a b", "version": "HTTP/1.1",
                "headers": [["b", "2"], ["b", "3"], ["odd", ""], ["z", "1"]],
            }),
        );
        check(
            "GET\r\n\r\n",
            b"",
            &json!({"method": "GET", "target": "", "version": "GET"}),
        );
    }

    #[test]
    fn json_is_compared_as_json() {
        check(
            "POST / HTTP/1.1\r\nContent-Type: Application/JSON; x\r\nContent-Length: 9\r\n\r\n",
            b"{\"a\": 1 }",
            &json!({"json": {"a": 1}, "headers": [["content-length", "{len}"], ["content-type", "Application/JSON; x"]]}),
        );
        check(
            "POST / HTTP/1.1\r\nContent-Type: application/json\r\n\r\n",
            b"{",
            &json!({"body": {"text": "{"}}),
        );
    }

    #[test]
    fn multipart_loses_its_boundary() {
        let head = "POST / HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=\"xyz\"; a=b\r\nContent-Length: 99\r\n\r\n";
        let body = b"--xyz\r\nX: 1\r\nA: 2\r\n\r\none\r\n--xyz\r\nB: ;\r\n\r\n\x00\r\n--xyz--\r\n";
        check(
            head,
            body,
            &json!({
                "multipart": [
                    {"headers": [["a", "2"], ["x", "1"]], "body": {"text": "one"}},
                    {"headers": [["b", ";"]], "body": {"b64": "AA=="}},
                ],
                "headers": [
                    ["content-length", "{len}"],
                    ["content-type", "multipart/form-data; boundary={boundary}; a=b"],
                ],
            }),
        );
        check(head, b"--abc", &json!({"body": {"text": "--abc"}}));
    }

    #[test]
    fn codings_are_decoded_when_complete() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(b"hello").expect("in memory");
        zlib.write_all(b"hello").expect("in memory");
        raw.write_all(b"hello").expect("in memory");
        let gzip = gzip.finish().expect("in memory");
        let zlib = zlib.finish().expect("in memory");
        let raw = raw.finish().expect("in memory");

        let hello = json!({"text": "hello"});
        check(
            &with_coding("gzip"),
            &gzip,
            &json!({"coding": "gzip", "body": hello}),
        );
        check(
            &with_coding("deflate"),
            &zlib,
            &json!({"coding": "deflate", "body": hello}),
        );
        check(
            &with_coding("deflate"),
            &raw,
            &json!({"coding": "deflate-raw", "body": hello}),
        );
        check(&with_coding("br"), b"hello", &json!({"body": hello}));
        for whole in [gzip, zlib] {
            let coding = if whole.starts_with(b"\x1f\x8b") {
                "gzip"
            } else {
                "deflate"
            };
            let truncated = &whole[..whole.len() - 1];
            check(
                &with_coding(coding),
                truncated,
                &json!({"body": bytes_out(truncated)}),
            );
        }
    }

    #[test]
    fn frames_are_shown() {
        let mut inflater = Inflater::new();
        let mut check = |first, payload: &[u8], want: Value| {
            assert_eq!(
                frame_record(first, true, payload.to_vec(), &mut inflater, false),
                want
            );
        };
        check(
            0x81,
            b"hi",
            json!({"frame": 1, "fin": true, "rsv1": false, "masked": true, "payload": {"text": "hi"}}),
        );
        check(
            0x88,
            b"\x03\xe8bye",
            json!({"frame": 8, "fin": true, "rsv1": false, "masked": true, "close_code": 1000, "payload": {"text": "bye"}}),
        );
        // RFC 7692 7.2.3.2: "Hello" twice, the second by reference to the first.
        let hello = json!({"frame": 1, "fin": true, "rsv1": true, "masked": true, "payload": {"text": "Hello"}});
        check(0xc1, b"\xf2\x48\xcd\xc9\xc9\x07\x00", hello.clone());
        check(0xc1, b"\xf2\x00\x11\x00\x00", hello);
    }
}
