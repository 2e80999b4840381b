//! Reads and writes the heads of the handshake.

use bytes::BytesMut;
use http::header::{
    AUTHORIZATION, COOKIE, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHORIZATION, SET_COOKIE,
};
use http::{Method, Request, Response, StatusCode, Uri, Version};
use httparse::Status;
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::HandshakeError;

/// The longest head in bytes, and the most headers it may have.
const MAX_LEN: usize = 64 * 1024;
const MAX_HEADERS: usize = 128;

/// Bytes to read at once: a head is seldom longer.
const READ: usize = 4096;

/// Reads the head of an answer; what comes behind it stays in `buffer`.
///
/// Interim answers are passed over (RFC 9110 15.2), all of them in the bound of one head.
pub(super) async fn read_response<S: AsyncRead + Unpin>(
    stream: &mut S,
    buffer: &mut BytesMut,
) -> Result<Response<()>, HandshakeError> {
    let mut left = MAX_LEN;
    loop {
        let head = read_head(stream, buffer, left).await?;
        let response = parse_response(&head)?;
        let status = response.status();
        if !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(response);
        }
        left -= head.len();
    }
}

/// Reads the head of a request; what comes behind it stays in `buffer`.
pub(super) async fn read_request<S: AsyncRead + Unpin>(
    stream: &mut S,
    buffer: &mut BytesMut,
) -> Result<Request<()>, HandshakeError> {
    let head = read_head(stream, buffer, MAX_LEN).await?;
    parse_request(&head)
}

/// Reads up to the end of a head of at most `most` bytes, and takes it out of `buffer`.
async fn read_head<S: AsyncRead + Unpin>(
    stream: &mut S,
    buffer: &mut BytesMut,
    most: usize,
) -> Result<BytesMut, HandshakeError> {
    let mut seen = 0;
    loop {
        let end = end_of_head(buffer, seen);
        if end.unwrap_or(buffer.len()) > most {
            return Err(HandshakeError::TooLarge);
        }
        if let Some(end) = end {
            return Ok(buffer.split_to(end));
        }
        seen = buffer.len();
        buffer.reserve(READ);
        if stream.read_buf(buffer).await? == 0 {
            return Err(HandshakeError::UnexpectedEnd);
        }
    }
}

/// Returns the length of the head, through its empty line; `None` if that is not there. It is
/// not within the first `seen` bytes.
fn end_of_head(bytes: &[u8], seen: usize) -> Option<usize> {
    // The empty line may have begun before.
    let start = seen.saturating_sub(2);
    let mut line = start;
    for rest in bytes.get(start..)?.split_inclusive(|&b| b == b'\n') {
        line += rest.len();
        let behind = bytes.get(line..)?;
        if !rest.ends_with(b"\n") {
            return None;
        }
        if behind.starts_with(b"\n") {
            return Some(line + 1);
        }
        if behind.starts_with(b"\r\n") {
            return Some(line + 2);
        }
    }
    None
}

fn parse_response(head: &[u8]) -> Result<Response<()>, HandshakeError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Response::new(&mut headers);
    let status = parsed.parse(head).map_err(wrong)?;
    let (Status::Complete(_), Some(code)) = (status, parsed.code) else {
        return Err(HandshakeError::Malformed);
    };
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::from_u16(code).map_err(malformed)?;
    *response.version_mut() = version(parsed.version);
    *response.headers_mut() = header_map(parsed.headers)?;
    Ok(response)
}

fn parse_request(head: &[u8]) -> Result<Request<()>, HandshakeError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let status = parsed.parse(head).map_err(wrong)?;
    let (Status::Complete(_), Some(method), Some(target)) = (status, parsed.method, parsed.path)
    else {
        return Err(HandshakeError::Malformed);
    };
    let mut request = Request::new(());
    *request.method_mut() = Method::from_bytes(method.as_bytes()).map_err(malformed)?;
    *request.uri_mut() = Uri::try_from(target).map_err(malformed)?;
    *request.version_mut() = version(parsed.version);
    *request.headers_mut() = header_map(parsed.headers)?;
    Ok(request)
}

fn wrong(error: httparse::Error) -> HandshakeError {
    match error {
        httparse::Error::TooManyHeaders => HandshakeError::TooLarge,
        _ => HandshakeError::Malformed,
    }
}

fn malformed<E>(_: E) -> HandshakeError {
    HandshakeError::Malformed
}

/// The version HTTP/1.`minor`.
fn version(minor: Option<u8>) -> Version {
    match minor {
        Some(0) => Version::HTTP_10,
        _ => Version::HTTP_11,
    }
}

fn header_map(headers: &[httparse::Header<'_>]) -> Result<HeaderMap, HandshakeError> {
    let secrets = [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE, SET_COOKIE];
    let mut map = HeaderMap::with_capacity(headers.len());
    for header in headers {
        let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(malformed)?;
        let mut value = HeaderValue::from_bytes(header.value).map_err(malformed)?;
        // So it is not printed for debugging.
        value.set_sensitive(secrets.contains(&name));
        map.append(name, value);
    }
    Ok(map)
}

/// Appends a header.
pub(super) fn write_header(head: &mut Vec<u8>, name: &str, value: &HeaderValue) {
    head.extend_from_slice(name.as_bytes());
    head.extend_from_slice(b": ");
    head.extend_from_slice(value.as_bytes());
    head.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_end(bytes: &str, want: Option<usize>) {
        for seen in 0..=want.unwrap_or(bytes.len()).saturating_sub(1) {
            let got = end_of_head(bytes.as_bytes(), seen);
            assert_eq!(got, want, "{bytes:?} with {seen} seen");
        }
    }

    #[test]
    fn a_head_ends_with_its_empty_line() {
        check_end("a\r\n\r\nb", Some(5));
        check_end("a\n\nb\n\n", Some(3));
        check_end("a\r\n\nb", Some(4));
        check_end("a\n\r\nb", Some(4));
        check_end("a\r\nb\r\n\r\n", Some(8));
        check_end("a\r\nb\r\n\r", None);
        check_end("a\r\nb\r\n", None);
        check_end("a\r\n b", None);
        check_end("", None);
    }

    #[track_caller]
    fn check_refused(head: &str, want: &str) {
        let got = parse_response(head.as_bytes()).expect_err(head);
        assert_eq!(
            got.to_string(),
            HandshakeError::Malformed.to_string(),
            "{want}"
        );
    }

    #[test]
    fn heads_that_are_no_http_are_refused() {
        check_refused("\r\n\r\n", "no line");
        check_refused("SSH-2.0-x\r\n\r\n", "another protocol");
        check_refused("HTTP/1.1 099 x\r\n\r\n", "no status");
        check_refused("HTTP/1.1 101 x\r\na b: c\r\n\r\n", "a name with a blank");
        check_refused(
            "HTTP/1.1 101 x\r\na: \x01\r\n\r\n",
            "a value with a control",
        );
    }

    #[test]
    fn there_are_at_most_128_headers() {
        let head = |count| format!("HTTP/1.1 101 x\r\n{}\r\n", "a: b\r\n".repeat(count));
        let response = parse_response(head(MAX_HEADERS).as_bytes());
        assert_eq!(
            response.map(|it| it.headers().len()).ok(),
            Some(MAX_HEADERS)
        );
        let response = parse_response(head(MAX_HEADERS + 1).as_bytes());
        assert!(matches!(response, Err(HandshakeError::TooLarge)));
    }
}
