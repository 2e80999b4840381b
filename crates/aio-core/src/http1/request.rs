//! The head of a request and the framing of its body, written into one buffer.

use bytes::{BufMut, Bytes, BytesMut};
use http::header::{self, HeaderMap, HeaderName};
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

/// Writes what ends a chunked body with these trailers.
///
/// Fields that RFC 9110 §6.5.1 forbids there are left out: those that frame or route the
/// message, say who asks or how, or tell what the content is.
///
/// # Errors
/// As [`check_field`](crate::check_field).
pub fn last_chunk(trailers: &HeaderMap) -> Result<Bytes, HeaderError> {
    let mut chunk = BytesMut::from("0\r\n");
    for (name, value) in trailers {
        if !is_forbidden_trailer(name) {
            write_field(&mut chunk, name.as_str(), value.as_bytes())?;
        }
    }
    chunk.put_slice(b"\r\n");
    Ok(chunk.freeze())
}

fn is_forbidden_trailer(name: &HeaderName) -> bool {
    const FORBIDDEN: [HeaderName; 29] = [
        // Framing, connection and routing.
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
        header::TRAILER,
        header::TE,
        header::CONNECTION,
        HeaderName::from_static("keep-alive"),
        HeaderName::from_static("proxy-connection"),
        header::UPGRADE,
        header::HOST,
        // Controls and conditions.
        header::CACHE_CONTROL,
        header::EXPECT,
        header::MAX_FORWARDS,
        header::PRAGMA,
        header::RANGE,
        header::IF_MATCH,
        header::IF_NONE_MATCH,
        header::IF_MODIFIED_SINCE,
        header::IF_UNMODIFIED_SINCE,
        header::IF_RANGE,
        // Who asks.
        header::AUTHORIZATION,
        header::PROXY_AUTHORIZATION,
        header::COOKIE,
        header::SET_COOKIE,
        header::WWW_AUTHENTICATE,
        header::PROXY_AUTHENTICATE,
        // What the content is.
        header::CONTENT_ENCODING,
        header::CONTENT_TYPE,
        header::CONTENT_RANGE,
        header::CONTENT_LOCATION,
    ];
    FORBIDDEN.contains(name)
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

    #[track_caller]
    fn check_trailers(fields: &[(&'static str, &'static str)], want: &str) {
        let mut trailers = HeaderMap::new();
        for &(name, value) in fields {
            let value = http::HeaderValue::from_static(value);
            trailers.append(HeaderName::from_static(name), value);
        }
        let chunk = last_chunk(&trailers).expect("fields of a map are fine");
        assert_eq!(chunk, want, "{fields:?}");
    }

    #[test]
    fn trailers_stand_behind_the_last_chunk() {
        check_trailers(&[], "0\r\n\r\n");
        check_trailers(
            &[("x-sum", "1"), ("x-sum", "2")],
            "0\r\nx-sum: 1\r\nx-sum: 2\r\n\r\n",
        );
    }

    #[test]
    fn trailers_that_would_change_the_request_are_left_out() {
        for name in [
            "content-length",
            "transfer-encoding",
            "host",
            "trailer",
            "authorization",
            "cookie",
            "content-type",
            "content-encoding",
            "connection",
            "expect",
            "range",
        ] {
            check_trailers(&[(name, "x"), ("etag", "1")], "0\r\netag: 1\r\n\r\n");
        }
    }
}
