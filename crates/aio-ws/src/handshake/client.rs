//! The client's side: what it asks, and whether the answer will do.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};
use http::{HeaderMap, StatusCode};

use super::{HandshakeOptions, Negotiated, accept_of, fields, first_known, has_token, parts};

/// What a client asks, to be checked against the answer.
///
/// ```
/// use aio_ws::{ClientHandshake, HandshakeOptions};
/// use http::{HeaderMap, HeaderValue, StatusCode};
///
/// // The key is random; this one is of RFC 6455 1.3.
/// let handshake = ClientHandshake::new(*b"the sample nonce", HandshakeOptions::default());
/// let headers: Vec<_> = handshake.headers().collect();
/// assert_eq!(headers, [("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==".to_owned())]);
///
/// let mut answer = HeaderMap::new();
/// answer.insert("upgrade", HeaderValue::from_static("websocket"));
/// answer.insert("connection", HeaderValue::from_static("Upgrade"));
/// let accept = HeaderValue::from_static("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// answer.insert("sec-websocket-accept", accept);
/// let negotiated = handshake.check(StatusCode::SWITCHING_PROTOCOLS, &answer)?;
/// assert_eq!(negotiated.protocol, None);
/// # Ok::<(), aio_ws::HandshakeCheck>(())
/// ```
#[derive(Debug, Clone)]
pub struct ClientHandshake {
    key: String,
    options: HandshakeOptions,
}

/// What about a server's answer is not as it has to be.
///
/// The texts are those of aiohttp's `WSServerHandshakeError`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeCheck {
    /// The status is not 101.
    #[error("Invalid response status")]
    Status,
    /// `Upgrade` is not `websocket`.
    #[error("Invalid upgrade header")]
    Upgrade,
    /// `Connection` has no `upgrade`.
    #[error("Invalid connection header")]
    Connection,
    /// `Sec-WebSocket-Accept` is not what the key demands.
    #[error("Invalid challenge response")]
    Accept,
    /// A window of permessage-deflate has a size that there is not.
    #[error("Invalid window size")]
    WindowSize,
    /// permessage-deflate has these parameters, of which one is unknown, malformed or there
    /// twice.
    #[error("Extension for deflate not supported{0}")]
    Extension(String),
}

impl ClientHandshake {
    /// The headers of every handshake, unless the user has others with these names; they go
    /// before [`headers`](Self::headers).
    pub const DEFAULT_HEADERS: [(&'static str, &'static str); 3] = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Version", "13"),
    ];

    /// Makes one with this key, which must be random and used once (RFC 6455 4.1):
    /// [`random`](crate::random) draws one.
    pub fn new(key: [u8; 16], options: HandshakeOptions) -> Self {
        Self {
            key: STANDARD.encode(key),
            options,
        }
    }

    /// Returns the headers of this handshake in order: key, subprotocols, origin, extensions.
    /// They replace those of the user.
    ///
    /// Subprotocols and origin are as given, and may be no valid values.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, String)> {
        let HandshakeOptions {
            protocols,
            origin,
            deflate,
        } = &self.options;
        let protocols = (!protocols.is_empty()).then(|| protocols.join(","));
        let all = [
            ("Sec-WebSocket-Key", Some(self.key.clone())),
            ("Sec-WebSocket-Protocol", protocols),
            ("Origin", origin.clone()),
            (
                "Sec-WebSocket-Extensions",
                deflate.as_ref().map(|deflate| deflate.offer()),
            ),
        ];
        all.into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
    }

    /// Checks the answer, and returns what it settles.
    ///
    /// A subprotocol that was not asked for is passed over, and so is an extension, as in
    /// aiohttp.
    ///
    /// # Errors
    ///
    /// The first [`HandshakeCheck`] that fails, in the order in which they are declared.
    pub fn check(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> Result<Negotiated, HandshakeCheck> {
        if status != StatusCode::SWITCHING_PROTOCOLS {
            return Err(HandshakeCheck::Status);
        }
        let first = |name| fields(headers, name).next().unwrap_or_default();
        if !first(&UPGRADE)
            .trim_ascii()
            .eq_ignore_ascii_case(b"websocket")
        {
            return Err(HandshakeCheck::Upgrade);
        }
        if !has_token(headers, &CONNECTION, "upgrade") {
            return Err(HandshakeCheck::Connection);
        }
        if first(&SEC_WEBSOCKET_ACCEPT).trim_ascii() != accept_of(self.key.as_bytes()).as_bytes() {
            return Err(HandshakeCheck::Accept);
        }
        let listed = parts(headers, &SEC_WEBSOCKET_PROTOCOL);
        let protocol = first_known(listed, &self.options.protocols);
        let deflate = match &self.options.deflate {
            None => None,
            Some(offer) => offer.answered(fields(headers, &SEC_WEBSOCKET_EXTENSIONS))?,
        };
        Ok(Negotiated { protocol, deflate })
    }
}
