//! The server's answers, made once.

use std::{fmt::Write as _, io::Write as _};

use brotli::CompressorWriter;
use flate2::{Compression, write::GzEncoder};

use crate::{Fallible, rows::DOWNLOAD};

pub(crate) const SMALL: &str = "Hello, World!";

/// Body length of the `headers` row.
pub(crate) const KILOBYTE: usize = 1024;

/// Body length of the `body` row.
pub(crate) const BODY: usize = 4 * 1024;

/// What one chunk of a chunked download holds.
pub(crate) const CHUNK: usize = 16 * 1024;

/// Decoded body length of the `gzip` and `brotli` rows.
pub(crate) const JSON: usize = 64 * 1024;

/// Decoded length of the messages of the `ws-json` row.
pub(crate) const MESSAGE: usize = 4 * 1024;

/// The ten header lines that the `headers` row reads.
pub(crate) const TEN_HEADERS: &str = "date: Mon, 23 Nov 2026 06:40:23 GMT\r\n\
    server: bench/1.0\r\n\
    content-type: application/octet-stream\r\n\
    etag: \"5d8c72a5edda8d6a:0\"\r\n\
    last-modified: Sun, 22 Nov 2026 10:11:12 GMT\r\n\
    cache-control: public, max-age=3600\r\n\
    vary: accept-encoding\r\n\
    accept-ranges: bytes\r\n\
    age: 17\r\n\
    x-request-id: 7f9c2ba4e88f827d616045507605853e\r\n";

pub(crate) fn small() -> Vec<u8> {
    let headers = "date: Mon, 23 Nov 2026 06:40:23 GMT\r\n\
        server: bench/1.0\r\n\
        content-type: text/plain\r\n";
    answer(headers, SMALL.as_bytes())
}

pub(crate) fn ten_headers() -> Vec<u8> {
    answer(TEN_HEADERS, &[b'x'; KILOBYTE])
}

pub(crate) fn body() -> Vec<u8> {
    answer("content-type: application/octet-stream\r\n", &[b'x'; BODY])
}

/// The head alone; the server sends `DOWNLOAD` bytes after it.
pub(crate) fn download_head() -> Vec<u8> {
    head("content-type: application/octet-stream\r\n", DOWNLOAD).into_bytes()
}

pub(crate) fn gzip() -> Fallible<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(json(JSON).as_bytes())?;
    let headers = "content-type: application/json\r\ncontent-encoding: gzip\r\n";
    Ok(answer(headers, &encoder.finish()?))
}

/// As servers encode what they make anew for each request: at level 5 of 11.
pub(crate) fn brotli() -> Fallible<Vec<u8>> {
    let mut encoder = CompressorWriter::new(Vec::new(), 4096, 5, 22);
    encoder.write_all(json(JSON).as_bytes())?;
    encoder.flush()?;
    let headers = "content-type: application/json\r\ncontent-encoding: br\r\n";
    Ok(answer(headers, &encoder.into_inner()))
}

/// The head alone; the server sends chunks of `DOWNLOAD` bytes together after it.
pub(crate) fn chunked_head() -> Vec<u8> {
    b"HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\n\
        transfer-encoding: chunked\r\n\r\n"
        .to_vec()
}

/// The end of a chunked body.
pub(crate) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// `length` bytes of body in chunks.
pub(crate) fn chunks(length: usize) -> Vec<u8> {
    let mut chunk = format!("{CHUNK:x}\r\n").into_bytes();
    chunk.resize(chunk.len() + CHUNK, b'd');
    chunk.extend_from_slice(b"\r\n");
    chunk.repeat(length / CHUNK)
}

fn answer(headers: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = head(headers, body.len()).into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

fn head(headers: &str, length: usize) -> String {
    format!("HTTP/1.1 200 OK\r\n{headers}content-length: {length}\r\n\r\n")
}

/// A list of made-up users, filled up with spaces to `length` bytes.
pub(crate) fn json(length: usize) -> String {
    let mut text = String::from("[");
    for id in 0_u64.. {
        let mut user = String::new();
        let mixed = id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        write!(
            user,
            r#"{{"id":{id},"name":"user {}","email":"u{:x}@example.org","score":{},"tags":["a{}","b{}"]}},"#,
            mixed >> 48,
            mixed >> 24,
            mixed % 10_007,
            mixed % 13,
            mixed % 29,
        )
        .expect("a String takes all text");
        if text.len() + user.len() >= length {
            break;
        }
        text.push_str(&user);
    }
    text.pop();
    text.push(']');
    text.push_str(&" ".repeat(length - text.len()));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_the_promised_length() {
        assert_eq!(json(JSON).len(), JSON);
        assert!(json(JSON).trim_end().ends_with("}]"));
    }
}
