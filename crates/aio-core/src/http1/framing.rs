//! How long a response's body is and whether its connection can be used again.

use http::{Method, StatusCode, Version};

use crate::error::{FramingError, HttpError};
use crate::http1::Head;

/// Where the body of a response ends (RFC 9112 §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    None,
    /// After so many bytes.
    Length(u64),
    /// With the last chunk.
    Chunked,
    /// When the peer closes.
    UntilEof,
}

/// What follows from a response head for its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// Where the body ends.
    pub framing: Framing,
    /// Whether the connection may carry another request once the body has ended.
    pub keep_alive: bool,
    /// The `timeout` of a `Keep-Alive` field in seconds; 0 counts as absent.
    pub keep_alive_timeout: Option<u32>,
    /// What follows the head is no HTTP any more: the response accepts an upgrade (101) or
    /// makes the connection a tunnel (2xx to CONNECT).
    pub upgraded: bool,
}

/// What a response needs to know of the request it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exchanged {
    /// The request was HEAD: its response has no body whatever it says.
    pub head: bool,
    /// Whether a body without length or chunking runs until the peer closes; else there
    /// is none. aiohttp's `read_until_eof`, default true.
    pub read_until_eof: bool,
    /// The request was CONNECT: a 2xx to it makes the connection a tunnel.
    pub connect: bool,
    /// The request asked for another protocol: a 101 to it changes to that, whether it names
    /// it or not.
    pub upgrade: bool,
}

impl Exchanged {
    /// Makes it for a request with that method.
    pub fn of(method: &Method) -> Self {
        Self {
            head: method == Method::HEAD,
            read_until_eof: true,
            connect: method == Method::CONNECT,
            upgrade: false,
        }
    }
}

impl Head {
    /// Decides body length and keep-alive.
    ///
    /// # Errors
    /// If `Content-Length` is no plain number, is repeated, or stands beside
    /// `Transfer-Encoding`, or if `chunked` is given twice: where the body ends cannot be
    /// told for certain, and another parser on the way may have read it otherwise.
    pub fn message(&self, request: Exchanged) -> Result<Message, HttpError> {
        let mut length = None;
        let mut coding: Option<Coding> = None;
        let (mut close, mut keep, mut timeout) = (false, false, None);
        let mut upgrade = request.upgrade;
        for field in self.headers.ranges() {
            let named = |name| self.headers.is_named(field, name);
            let value = || self.headers.value(field);
            // The length sorts out most names without a comparison.
            match field.name_len {
                14 if named("content-length") => {
                    let before = length.replace(parse_length(value())?);
                    before.map_or(Ok(()), |_| {
                        Err(HttpError::Framing(FramingError::RepeatedLength))
                    })?;
                }
                17 if named("transfer-encoding") => {
                    let coding = coding.get_or_insert_default();
                    tokens(value()).try_for_each(|token| coding.push(token))?;
                }
                10 if named("connection") => {
                    for token in tokens(value()) {
                        close |= token.eq_ignore_ascii_case(b"close");
                        keep |= token.eq_ignore_ascii_case(b"keep-alive");
                    }
                }
                16 if named("proxy-connection") => {
                    close |= tokens(value()).any(|token| token.eq_ignore_ascii_case(b"close"));
                }
                7 => upgrade |= named("upgrade"),
                10 if named("keep-alive") => timeout = parse_timeout(value()),
                _ => {}
            }
        }
        if length.is_some() && coding.is_some() {
            return Err(HttpError::Framing(FramingError::LengthAndCoding));
        }
        // RFC 9110 §9.3.6: its length fields mean nothing.
        let tunnel = request.connect && self.status.is_success();
        let framing = match (length, coding) {
            _ if tunnel || request.head || has_no_body(self.status) => Framing::None,
            (_, Some(Coding { chunked: true, .. })) => Framing::Chunked,
            (Some(0), _) => Framing::None,
            (Some(length), _) => Framing::Length(length),
            (None, _) if request.read_until_eof => Framing::UntilEof,
            (None, _) => Framing::None,
        };
        let delimited = framing != Framing::UntilEof
            && (length.is_some()
                || coding.is_some_and(|c| c.chunked)
                || request.head
                || has_no_body(self.status));
        // RFC 9112 §6.1: chunked from an HTTP/1.0 server is not to be trusted further.
        let trusted = self.version == Version::HTTP_11 || coding.is_none();
        // RFC 9110 §8.6, RFC 9112 §6.1: such a response must not announce a body; if one
        // comes all the same, it must not answer the next request.
        let announced = length.is_some_and(|length| length > 0) || coding.is_some();
        close |= announced && has_no_body(self.status) && self.status != StatusCode::NOT_MODIFIED;
        close |= coding.is_some() && self.status == StatusCode::NOT_MODIFIED;
        // What follows such a response is no HTTP any more.
        let upgraded = tunnel || (upgrade && self.status == StatusCode::SWITCHING_PROTOCOLS);
        close |= upgraded;
        let wanted = if self.version == Version::HTTP_11 {
            !close
        } else {
            keep && !close
        };
        Ok(Message {
            framing,
            keep_alive: delimited && trusted && wanted,
            keep_alive_timeout: timeout,
            upgraded,
        })
    }
}

/// Statuses whose responses never have a body: 1xx, 204, 304 (RFC 9112 §6.3).
fn has_no_body(status: StatusCode) -> bool {
    status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED
}

#[derive(Debug, Clone, Copy, Default)]
struct Coding {
    /// The last coding so far is chunked.
    chunked: bool,
    seen_chunked: bool,
}

impl Coding {
    fn push(&mut self, token: &[u8]) -> Result<(), HttpError> {
        self.chunked = token.eq_ignore_ascii_case(b"chunked");
        if self.chunked && std::mem::replace(&mut self.seen_chunked, true) {
            return Err(HttpError::Framing(FramingError::RepeatedChunked));
        }
        Ok(())
    }
}

/// The elements of a comma-separated value, without blanks around them; none are empty.
fn tokens(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|&byte| byte == b',')
        .map(super::response::trim)
        .filter(|token| !token.is_empty())
}

fn parse_length(value: &[u8]) -> Result<u64, HttpError> {
    let digit = |length: u64, byte: &u8| {
        let digit = u64::from(byte.checked_sub(b'0').filter(|digit| *digit < 10)?);
        length.checked_mul(10)?.checked_add(digit)
    };
    let length = value.iter().try_fold(0, digit);
    length
        .filter(|_| !value.is_empty())
        .ok_or(HttpError::Framing(FramingError::BadLength))
}

/// Finds N in `timeout=N, max=100`.
fn parse_timeout(value: &[u8]) -> Option<u32> {
    tokens(value)
        .filter_map(|token| str::from_utf8(token).ok()?.split_once('='))
        .map(|(name, seconds)| {
            (
                name.trim_matches([' ', '\t']),
                seconds.trim_matches([' ', '\t']),
            )
        })
        .find(|(name, _)| name.eq_ignore_ascii_case("timeout"))
        .and_then(|(_, seconds)| seconds.parse().ok())
        .filter(|&seconds| seconds > 0)
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;
    use crate::http1::{HeadParser, Limits};

    fn message(head: &str, request: Exchanged) -> Result<Message, HttpError> {
        let mut bytes = BytesMut::from(format!("{head}\r\n\r\n").as_str());
        let head = HeadParser::new(Limits::default())
            .parse(&mut bytes)
            .expect("valid")
            .expect("whole");
        head.message(request)
    }

    #[track_caller]
    fn check(head: &str, framing: Framing, keep_alive: bool) {
        let got = message(head, Exchanged::of(&Method::GET)).expect("clear framing");
        assert_eq!(
            (got.framing, got.keep_alive),
            (framing, keep_alive),
            "{head:?}"
        );
    }

    #[test]
    fn the_body_ends_where_the_head_says() {
        check(
            "HTTP/1.1 200 OK\r\nContent-Length: 5",
            Framing::Length(5),
            true,
        );
        check(
            "HTTP/1.1 200 OK\r\ncontent-length:  0 ",
            Framing::None,
            true,
        );
        check("HTTP/1.1 200 OK", Framing::UntilEof, false);
        check(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked",
            Framing::Chunked,
            true,
        );
        check(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked",
            Framing::Chunked,
            true,
        );
        check(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
            Framing::Chunked,
            true,
        );
        check(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip",
            Framing::UntilEof,
            false,
        );
        check(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip",
            Framing::UntilEof,
            false,
        );
        check("HTTP/1.1 204 No\r\nContent-Length: 5", Framing::None, false);
        check("HTTP/1.1 204 No\r\nContent-Length: 0", Framing::None, true);
        check("HTTP/1.1 304 No\r\nContent-Length: 5", Framing::None, true);
        check(
            "HTTP/1.1 304 No\r\nTransfer-Encoding: chunked",
            Framing::None,
            false,
        );
        check("HTTP/1.1 101 Sw", Framing::None, true);
    }

    #[test]
    fn a_head_response_has_no_body() {
        let got = message(
            "HTTP/1.1 200 OK\r\nContent-Length: 5",
            Exchanged::of(&Method::HEAD),
        );
        assert_eq!(
            got.map(|m| (m.framing, m.keep_alive)),
            Ok((Framing::None, true))
        );
    }

    #[test]
    fn without_length_nothing_is_read_when_told_so() {
        let request = Exchanged {
            read_until_eof: false,
            ..Exchanged::of(&Method::GET)
        };
        let got = message("HTTP/1.1 200 OK", request);
        assert_eq!(
            got.map(|m| (m.framing, m.keep_alive)),
            Ok((Framing::None, false))
        );
    }

    #[test]
    fn a_switched_protocol_takes_its_connection_along() {
        check(
            "HTTP/1.1 101 Sw\r\nConnection: Upgrade",
            Framing::None,
            true,
        );
        check(
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: upgrade",
            Framing::Length(1),
            true,
        );
        // Who asked for one has it, though the server does not say which.
        let request = Exchanged {
            upgrade: true,
            ..Exchanged::of(&Method::GET)
        };
        for (head, want) in [
            ("HTTP/1.1 101 Sw", (false, true)),
            ("HTTP/1.1 404 No\r\nContent-Length: 0", (true, false)),
        ] {
            let got = message(head, request);
            assert_eq!(got.map(|m| (m.keep_alive, m.upgraded)), Ok(want), "{head}");
        }
    }

    #[test]
    fn a_tunnel_is_not_used_again() {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 5";
        let got = message(head, Exchanged::of(&Method::CONNECT));
        assert_eq!(
            got.map(|m| (m.framing, m.keep_alive)),
            Ok((Framing::None, false))
        );
        let head = "HTTP/1.1 407 No\r\nContent-Length: 5";
        let got = message(head, Exchanged::of(&Method::CONNECT));
        assert_eq!(
            got.map(|m| (m.framing, m.keep_alive)),
            Ok((Framing::Length(5), true))
        );
    }

    #[test]
    fn keep_alive_follows_version_and_connection() {
        check(
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: CLOSE",
            Framing::Length(1),
            false,
        );
        check(
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive, close",
            Framing::Length(1),
            false,
        );
        check(
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nProxy-Connection: close",
            Framing::Length(1),
            false,
        );
        check(
            "HTTP/1.0 200 OK\r\nContent-Length: 1",
            Framing::Length(1),
            false,
        );
        check(
            "HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: Keep-Alive",
            Framing::Length(1),
            true,
        );
        check(
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive",
            Framing::Chunked,
            false,
        );
    }

    #[track_caller]
    fn check_ambiguous(fields: &str, want: FramingError) {
        let got = message(
            &format!("HTTP/1.1 200 OK\r\n{fields}"),
            Exchanged::of(&Method::GET),
        );
        assert_eq!(got, Err(HttpError::Framing(want)), "{fields:?}");
    }

    #[test]
    fn ambiguous_lengths_are_refused() {
        for bad in [
            "+2",
            "-1",
            "2, 2",
            "",
            "0x2",
            "2x",
            "1_0",
            "18446744073709551616",
            "\u{661}",
        ] {
            check_ambiguous(&format!("Content-Length: {bad}"), FramingError::BadLength);
        }
        check_ambiguous(
            "Content-Length: 2\r\ncontent-length: 2",
            FramingError::RepeatedLength,
        );
        check_ambiguous(
            "Content-Length: 2\r\nTransfer-Encoding: chunked",
            FramingError::LengthAndCoding,
        );
        check_ambiguous(
            "Transfer-Encoding: identity\r\nContent-Length: 2",
            FramingError::LengthAndCoding,
        );
        check_ambiguous(
            "Transfer-Encoding: chunked, chunked",
            FramingError::RepeatedChunked,
        );
    }

    #[test]
    fn a_keep_alive_timeout_of_zero_is_none() {
        let timeout = |value: &str| {
            message(
                &format!("HTTP/1.1 200 OK\r\nKeep-Alive: {value}"),
                Exchanged::of(&Method::GET),
            )
            .map(|message| message.keep_alive_timeout)
        };
        assert_eq!(timeout("timeout=5, max=100"), Ok(Some(5)));
        assert_eq!(timeout("max=1, Timeout = 7"), Ok(Some(7)));
        assert_eq!(timeout("timeout=0"), Ok(None));
        assert_eq!(timeout("timeout=x"), Ok(None));
    }
}
