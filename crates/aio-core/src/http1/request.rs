//! The head of a request and the framing of its body, written into one buffer.

use bytes::{BufMut, BytesMut};
use http::{Method, Version};

use crate::headers::{HeaderError, check_field};

/// What ends a chunked body without trailers.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Appends `GET /path HTTP/1.1`.
///
/// ```
/// use aio_core::http1::{write_field, write_request_line};
/// use bytes::BytesMut;
/// use http::{Method, Version};
///
/// let mut head = BytesMut::new();
/// write_request_line(&mut head, &Method::GET, "/a?b=c", Version::HTTP_11)?;
/// write_field(&mut head, "Host", b"example.org")?;
/// head.extend_from_slice(b"\r\n");
/// assert_eq!(head, "GET /a?b=c HTTP/1.1\r\nHost: example.org\r\n\r\n");
/// # Ok::<(), aio_core::HeaderError>(())
/// ```
///
/// # Errors
/// If `target` is empty or has a blank, a control character or a byte beyond ASCII: it
/// would end the line early. (A [`Method`] cannot.)
pub fn write_request_line(
    head: &mut BytesMut,
    method: &Method,
    target: &str,
    version: Version,
) -> Result<(), HeaderError> {
    if target.is_empty() || !target.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(HeaderError::Target);
    }
    let version: &[u8] = if version == Version::HTTP_10 {
        b" HTTP/1.0\r\n"
    } else {
        b" HTTP/1.1\r\n"
    };
    head.reserve(method.as_str().len() + target.len() + version.len() + 1);
    head.put_slice(method.as_str().as_bytes());
    head.put_u8(b' ');
    head.put_slice(target.as_bytes());
    head.put_slice(version);
    Ok(())
}

/// Appends `Name: value`.
///
/// # Errors
/// As [`check_field`](crate::check_field).
pub fn write_field(head: &mut BytesMut, name: &str, value: &[u8]) -> Result<(), HeaderError> {
    check_field(name, value)?;
    head.reserve(name.len() + value.len() + 4);
    head.put_slice(name.as_bytes());
    head.put_slice(b": ");
    head.put_slice(value);
    head.put_slice(b"\r\n");
    Ok(())
}

/// Writes the line before a chunk's data: its size in hexadecimal digits.
pub fn chunk_size_line(size: usize) -> String {
    format!("{size:x}\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(target: &str, fine: bool) {
        let written =
            write_request_line(&mut BytesMut::new(), &Method::GET, target, Version::HTTP_11);
        assert_eq!(written.is_ok(), fine, "{target:?}");
    }

    #[test]
    fn a_target_that_splits_the_request_is_refused() {
        check("/", true);
        check("*", true);
        check("http://a/%20?b#", true);
        for bad in [
            "",
            " ",
            "/a b",
            "/\r\nX: y",
            "/\n",
            "/\0",
            "/\x7f",
            "/é",
            "/\t",
        ] {
            check(bad, false);
        }
    }
}
