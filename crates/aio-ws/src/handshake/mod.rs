//! The opening handshake (RFC 6455 4), as values of `http`: what a client asks, how the answer
//! is checked, and how a server answers. Without I/O.

mod client;
mod server;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::HeaderName;
use sha1::{Digest as _, Sha1};

pub use self::client::{ClientHandshake, HandshakeCheck};
pub use self::server::{RequestCheck, accept};
use crate::DeflateParams;

/// What one side of a handshake can do.
///
/// ```
/// use aio_ws::{DeflateParams, HandshakeOptions};
///
/// let options = HandshakeOptions {
///     protocols: vec!["chat.v2".to_owned(), "chat.v1".to_owned()],
///     deflate: Some(DeflateParams::default()),
///     ..HandshakeOptions::default()
/// };
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HandshakeOptions {
    /// The subprotocols, those that are liked best first. Default: none.
    pub protocols: Vec<String>,
    /// The `Origin` that a client sends; servers ignore it. Default: none.
    pub origin: Option<String>,
    /// What is proposed (by a client) or wanted (by a server) for permessage-deflate.
    /// Default: no compression.
    pub deflate: Option<DeflateParams>,
}

/// What a handshake has settled.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Negotiated {
    /// The subprotocol that both sides have, if there is one.
    pub protocol: Option<String>,
    /// How messages are compressed, if they are.
    pub deflate: Option<DeflateParams>,
}

/// Returns the `Sec-WebSocket-Accept` that answers this `Sec-WebSocket-Key`.
fn accept_of(key: &[u8]) -> String {
    let hash = Sha1::new()
        .chain_update(key)
        .chain_update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
        .finalize();
    STANDARD.encode(hash)
}

/// Tells whether one of the fields, each a list, has this token.
fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    parts(headers, name).any(|part| part.eq_ignore_ascii_case(token.as_bytes()))
}

/// The parts of the fields with this name, each of which is a list.
fn parts<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    let fields = headers.get_all(name).into_iter();
    fields
        .flat_map(|field| field.as_bytes().split(|&b| b == b','))
        .map(<[u8]>::trim_ascii)
}

/// The fields with this name.
fn fields<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    headers
        .get_all(name)
        .into_iter()
        .map(|field| field.as_bytes())
}

/// The first of these parts that is among `known`.
fn first_known<'a>(parts: impl Iterator<Item = &'a [u8]>, known: &[String]) -> Option<String> {
    let mut parts = parts;
    parts.find_map(|part| known.iter().find(|name| name.as_bytes() == part).cloned())
}
