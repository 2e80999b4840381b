//! The head of a request: what the caller set, and what is added by itself.

use aio_connector::{ConnectionKey, Proxy, UploadFraming};
use aio_core::coding::Coding;
use aio_core::http1::{write_field, write_request_line};
use aio_core::{Body, HeaderError, HeaderRef, PayloadError, check_field};
use bytes::BytesMut;
use http::{Method, Version};

use crate::error::UsageError;
use crate::request::RequestParts;

/// What requests of this crate name themselves.
const USER_AGENT: &str = concat!("aio-client/", env!("CARGO_PKG_VERSION"));

/// What `Expect` asks for.
const CONTINUE: &[u8] = b"100-continue";

/// The fields that most requests get, as they are written: before and behind what
/// `Accept-Encoding` says.
const BEFORE_CODINGS: &[u8] = b"Accept: */*\r\nAccept-Encoding: ";
const BEHIND_CODINGS: &str = concat!(
    "\r\nUser-Agent: aio-client/",
    env!("CARGO_PKG_VERSION"),
    "\r\n"
);

/// How the body of a request goes out, decided before a connection is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) framing: UploadFraming,
    /// The coding that the body is to be compressed with.
    pub(super) compress: Option<Coding>,
    /// Whether the body waits for `100 Continue`.
    pub(super) expect: bool,
    /// Whether the head must still tell the framing; else the caller's fields do.
    tell: bool,
    /// Whether the caller asks for the connection to be closed.
    pub(super) close: bool,
    /// Whether the caller asks for another protocol.
    pub(super) upgrade: bool,
}

/// Why a request is not sent at all.
#[derive(Debug)]
pub(super) enum Refusal {
    Usage(UsageError),
    Payload(PayloadError),
}

impl Plan {
    /// Decides the framing from the caller's fields and options and the body (SPEC REQ-10 to
    /// 14, REQ-46 to 54).
    pub(super) fn of(request: &RequestParts, body: &Body) -> Result<Self, Refusal> {
        let sending = request.options.sending;
        let compress = sending.compress.filter(|_| !body.is_empty());
        let (mut length, mut chunked, mut close) = (None, false, false);
        let (mut coded, mut upgrade, mut expect) = (false, false, sending.expect100);
        for field in request.headers.iter() {
            match field.name().len() {
                6 if field.name().eq_ignore_ascii_case("expect") => {
                    expect |= field.as_bytes().eq_ignore_ascii_case(CONTINUE);
                }
                7 => upgrade |= field.name().eq_ignore_ascii_case("upgrade"),
                16 => coded |= field.name().eq_ignore_ascii_case("content-encoding"),
                14 if field.name().eq_ignore_ascii_case("content-length") => {
                    let value = given_length(field)?;
                    if length.replace(value).is_some() {
                        return Err(bad_length(field));
                    }
                }
                17 if field.name().eq_ignore_ascii_case("transfer-encoding") => {
                    let value = field.as_bytes();
                    if chunked || !value.eq_ignore_ascii_case(b"chunked") {
                        let shown = value.escape_ascii().to_string().into();
                        return Err(Refusal::Usage(UsageError::TransferEncoding(shown)));
                    }
                    chunked = true;
                }
                10 if field.name().eq_ignore_ascii_case("connection") => {
                    let mut tokens = field.as_bytes().split(|&byte| byte == b',');
                    close |= tokens.any(|token| token.trim_ascii().eq_ignore_ascii_case(b"close"));
                }
                _ => {}
            }
        }
        if let Some(content_type) = body.content_type() {
            check_field("Content-Type", content_type.as_bytes())
                .map_err(|error| Refusal::Usage(error.into()))?;
        }
        let refused = |error| Err(Refusal::Usage(error));
        if compress.is_some() && coded {
            return refused(UsageError::CompressedTwice);
        }
        let given = length.is_some() || chunked;
        // REQ-50: a request that says nothing of a body has no chunks either.
        let silent = body.is_none() && announces_nothing(&request.method);
        let wants_chunks = sending.chunked || compress.is_some();
        if wants_chunks && chunked {
            return refused(UsageError::ChunkedTwice);
        }
        if length.is_some() && (chunked || wants_chunks) {
            return refused(UsageError::LengthAndChunked);
        }
        chunked |= wants_chunks && !silent;
        let framing = match (length, chunked) {
            (_, true) => UploadFraming::Chunked,
            (Some(given), false) => {
                if let Some(actual) = body.len().filter(|&actual| actual != given) {
                    let error = PayloadError::UploadLength {
                        actual,
                        expected: given,
                    };
                    return Err(Refusal::Payload(error));
                }
                UploadFraming::Length(given)
            }
            (None, false) => body
                .len()
                .map_or(UploadFraming::Chunked, UploadFraming::Length),
        };
        Ok(Self {
            framing,
            compress,
            expect,
            tell: !given && !silent,
            close,
            upgrade,
        })
    }
}

/// Methods that announce no body when they have none (REQ-46).
fn announces_nothing(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE
    )
}

/// Methods whose body has a type even when it names none (REQ-45).
fn has_default_type(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

fn given_length(field: HeaderRef<'_>) -> Result<u64, Refusal> {
    let value = field.to_str().unwrap_or_default();
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    digits
        .then(|| value.parse().ok())
        .flatten()
        .ok_or_else(|| bad_length(field))
}

fn bad_length(field: HeaderRef<'_>) -> Refusal {
    let shown = field.as_bytes().escape_ascii().to_string().into();
    Refusal::Usage(UsageError::ContentLength(shown))
}

/// Writes the head in aiohttp's order (REQ-40).
pub(super) fn write(
    head: &mut BytesMut,
    request: &RequestParts,
    body: &Body,
    plan: Plan,
    cookie: Option<&[u8]>,
    key: &ConnectionKey,
    force_close: bool,
) -> Result<(), HeaderError> {
    let RequestParts {
        method,
        url,
        headers,
        options,
        ..
    } = request;
    // CON-84: through a tunnel it is the server that reads this. The connection tells, not
    // the request: whose connector knows no proxies has none (CON-102).
    let proxy = key.forwarded_by();
    let authorization = proxy.and_then(Proxy::authorization);
    let is_tunnelled = proxy.is_none() && key.proxy().is_some();
    let (host_port, absolute);
    let target = if method == Method::CONNECT {
        // Authority form (RFC 9112 §3.2.3).
        let host = key.host();
        host_port = match host.contains(':') {
            true => format!("[{host}]:{}", key.port()),
            false => format!("{host}:{}", key.port()),
        };
        &host_port
    } else if proxy.is_some() {
        absolute = url.absolute_form();
        &*absolute
    } else {
        url.target()
    };
    write_request_line(head, method, target, options.version)?;
    // Of several the last one, as in aiohttp.
    match headers.get_all("host").last() {
        Some(host) => write_field(head, host.name(), host.as_bytes())?,
        // No need to check it: nothing that ends a line gets through a URL.
        None => {
            head.extend_from_slice(b"Host: ");
            head.extend_from_slice(key.host_header().as_bytes());
            head.extend_from_slice(b"\r\n");
        }
    }
    let mut given = Given::default();
    for field in headers.iter() {
        let is_merged = cookie.is_some() && field.name().eq_ignore_ascii_case("cookie");
        // The proxy's own take its place; nor is it for the server behind a tunnel.
        let is_kept_back = (authorization.is_some() || is_tunnelled)
            && field.name().eq_ignore_ascii_case("proxy-authorization");
        if given.note(field.name()) || is_merged || is_kept_back {
            continue;
        }
        let replaced = options.sending.expect100 && field.name().eq_ignore_ascii_case("expect");
        let value = if replaced { CONTINUE } else { field.as_bytes() };
        write_field(head, field.name(), value)?;
    }
    let skipped = |name: &str| {
        options
            .skip_auto_headers
            .iter()
            .any(|skip| skip.eq_ignore_ascii_case(name))
    };
    let mut auto = |given: bool, name: &'static str, value: &str| {
        if given || skipped(name) {
            Ok(())
        } else {
            write_field(head, name, value.as_bytes())
        }
    };
    let codings = options.reading.codings.accept();
    let usual = !(given.accept || given.accept_encoding || given.user_agent);
    if usual && options.skip_auto_headers.is_empty() {
        head.extend_from_slice(BEFORE_CODINGS);
        head.extend_from_slice(codings.as_bytes());
        head.extend_from_slice(BEHIND_CODINGS.as_bytes());
    } else {
        auto(given.accept, "Accept", "*/*")?;
        auto(given.accept_encoding, "Accept-Encoding", codings)?;
        auto(given.user_agent, "User-Agent", USER_AGENT)?;
    }
    if let Some(cookie) = cookie {
        write_field(head, "Cookie", cookie)?;
    }
    if let Some(coding) = plan.compress {
        write_field(head, "Content-Encoding", coding.name().as_bytes())?;
    }
    if plan.tell
        && let UploadFraming::Length(length) = plan.framing
    {
        write_field(head, "Content-Length", length.to_string().as_bytes())?;
    }
    let wants_type = !given.content_type && !skipped("Content-Type");
    let content_type = body.content_type();
    if let Some(content_type) = content_type.filter(|_| wants_type) {
        write_field(head, "Content-Type", content_type.as_bytes())?;
    }
    if plan.tell && plan.framing == UploadFraming::Chunked {
        write_field(head, "Transfer-Encoding", b"chunked")?;
    }
    if plan.expect && !given.expect {
        write_field(head, "Expect", CONTINUE)?;
    }
    if wants_type && content_type.is_none() && has_default_type(method) {
        write_field(head, "Content-Type", b"application/octet-stream")?;
    }
    if let Some(authorization) = authorization {
        write_field(head, "Proxy-Authorization", authorization)?;
    }
    if !given.connection {
        match (options.version, force_close) {
            (Version::HTTP_10, false) => write_field(head, "Connection", b"keep-alive")?,
            (Version::HTTP_10, true) => {}
            (_, true) => write_field(head, "Connection", b"close")?,
            _ => {}
        }
    }
    head.extend_from_slice(b"\r\n");
    Ok(())
}

/// Which of the fields that are added by themselves the caller gave.
#[derive(Default)]
struct Given {
    accept: bool,
    expect: bool,
    accept_encoding: bool,
    user_agent: bool,
    content_type: bool,
    connection: bool,
}

impl Given {
    /// Takes note of a field; tells whether it is `Host`, which is written already.
    fn note(&mut self, name: &str) -> bool {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        match name.len() {
            4 => return is("host"),
            6 => {
                self.accept |= is("accept");
                self.expect |= is("expect");
            }
            10 => {
                self.user_agent |= is("user-agent");
                self.connection |= is("connection");
            }
            12 => self.content_type |= is("content-type"),
            15 => self.accept_encoding |= is("accept-encoding"),
            _ => {}
        }
        false
    }
}
