//! The server's side: whether the request is a handshake, and the answer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONNECTION, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};

use super::{HandshakeOptions, Negotiated, accept_of, fields, first_known, has_token, parts};

/// Why a request is no handshake (RFC 6455 4.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum RequestCheck {
    /// The method is not GET.
    #[error("the method is not GET")]
    Method,
    /// The version is older than HTTP/1.1.
    #[error("the version is older than HTTP/1.1")]
    HttpVersion,
    /// There is no `Host`.
    #[error("there is no Host")]
    Host,
    /// `Upgrade` has no `websocket`.
    #[error("Upgrade has no websocket")]
    Upgrade,
    /// `Connection` has no `upgrade`.
    #[error("Connection has no upgrade")]
    Connection,
    /// `Sec-WebSocket-Version` is not 13.
    #[error("Sec-WebSocket-Version is not 13")]
    Version,
    /// `Sec-WebSocket-Key` is not the base64 of 16 bytes.
    #[error("Sec-WebSocket-Key is not the base64 of 16 bytes")]
    Key,
}

impl RequestCheck {
    /// Returns the answer to such a request: a 400, or 405 or 426 where that says more.
    pub fn response(self) -> Response<()> {
        let mut response = Response::new(());
        let (status, header) = match self {
            Self::Method => (
                StatusCode::METHOD_NOT_ALLOWED,
                Some((http::header::ALLOW, HeaderValue::from_static("GET"))),
            ),
            Self::Version => (
                StatusCode::UPGRADE_REQUIRED,
                Some((SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"))),
            ),
            _ => (StatusCode::BAD_REQUEST, None),
        };
        *response.status_mut() = status;
        response
            .headers_mut()
            .extend(header.map(|(name, value)| (Some(name), value)));
        response
    }
}

/// Checks a request, and returns the answer to it with what that settles.
///
/// The subprotocol is the first one of the client that is among ours. A client that compresses
/// in a way that cannot be met gets an answer without compression.
///
/// ```
/// use aio_ws::{HandshakeOptions, handshake};
///
/// let request = http::Request::get("/chat")
///     .header("host", "example.org")
///     .header("upgrade", "websocket")
///     .header("connection", "keep-alive, Upgrade")
///     .header("sec-websocket-version", "13")
///     .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
///     .body(())?;
/// let (response, _) = handshake::accept(&request, &HandshakeOptions::default())?;
/// assert_eq!(response.status(), 101);
/// assert_eq!(response.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// The first [`RequestCheck`] that fails, in the order in which they are declared.
pub fn accept<T>(
    request: &Request<T>,
    options: &HandshakeOptions,
) -> Result<(Response<()>, Negotiated), RequestCheck> {
    let headers = request.headers();
    if request.method() != Method::GET {
        return Err(RequestCheck::Method);
    }
    if request.version() < Version::HTTP_11 {
        return Err(RequestCheck::HttpVersion);
    }
    if !headers.contains_key(HOST) {
        return Err(RequestCheck::Host);
    }
    if !has_token(headers, &UPGRADE, "websocket") {
        return Err(RequestCheck::Upgrade);
    }
    if !has_token(headers, &CONNECTION, "upgrade") {
        return Err(RequestCheck::Connection);
    }
    let mut versions = parts(headers, &SEC_WEBSOCKET_VERSION);
    if !versions.any(|version| version == b"13") {
        return Err(RequestCheck::Version);
    }
    let key = fields(headers, &SEC_WEBSOCKET_KEY)
        .next()
        .unwrap_or_default();
    if STANDARD.decode(key).map_or(0, |nonce| nonce.len()) != 16 {
        return Err(RequestCheck::Key);
    }

    let asked = parts(headers, &SEC_WEBSOCKET_PROTOCOL);
    let protocol = first_known(asked, &options.protocols);
    let proposals = fields(headers, &SEC_WEBSOCKET_EXTENSIONS);
    let deflate = options.deflate.and_then(|wanted| wanted.accept(proposals));
    let (deflate, extensions) = deflate.unzip();

    let mut response = Response::new(());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let answer = response.headers_mut();
    answer.insert(UPGRADE, HeaderValue::from_static("websocket"));
    answer.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    answer.insert(SEC_WEBSOCKET_ACCEPT, value_of(accept_of(key)));
    if let Some(protocol) = &protocol {
        answer.insert(SEC_WEBSOCKET_PROTOCOL, value_of(protocol.clone()));
    }
    if let Some(extensions) = extensions {
        answer.insert(SEC_WEBSOCKET_EXTENSIONS, value_of(extensions));
    }
    Ok((response, Negotiated { protocol, deflate }))
}

fn value_of(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("base64, a part of a header value, or written by us")
}
