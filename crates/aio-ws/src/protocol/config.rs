//! What a WebSocket is set to.

use std::time::Duration;

use crate::DeflateParams;

/// Which end of the connection this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The end that asked for the connection; all it sends is masked.
    Client,
    /// The end that answered; nothing it sends is masked.
    Server,
}

/// The settings of an open WebSocket.
///
/// ```
/// use aio_ws::WsConfig;
///
/// let config = WsConfig { max_msg_size: 64 * 1024, ..WsConfig::default() };
/// assert!(config.autoping);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WsConfig {
    /// The size in bytes from which on a message is refused, with code 1009: one of just this
    /// size is, too, as in aiohttp, unless it is compressed. Default 4 MiB; 0 is no limit.
    pub max_msg_size: usize,
    /// Whether pings are answered and pongs swallowed; otherwise both are received. Default
    /// true.
    pub autoping: bool,
    /// Whether a close of the peer is answered at once; otherwise
    /// [`Protocol::close`](crate::Protocol::close) does. Default true.
    pub autoclose: bool,
    /// Whether texts are checked to be UTF-8; otherwise they come as
    /// [`WsMessage::TextBytes`](crate::WsMessage::TextBytes). Default true.
    pub decode_text: bool,
    /// Whether frames are refused that are masked by a server or not masked by a client, as
    /// RFC 6455 5.1 demands. Default false: aiohttp takes them.
    pub strict_masking: bool,
    /// What was negotiated for permessage-deflate. Default none: nothing is compressed.
    ///
    /// The task that sends a message compresses it, at some 4 ms for a MiB; aiohttp has a thread
    /// do that from 16 KiB on.
    pub deflate: Option<DeflateParams>,
    /// The size in bytes below which messages are sent uncompressed. Default 0: none are. A
    /// message in fragments, whose size is not known, is compressed.
    pub min_compress_size: usize,
    /// The silence behind which the peer is asked for a sign of life, by a ping; without one
    /// half this time later the connection is given up. Default none.
    pub heartbeat: Option<Duration>,
}

impl Default for WsConfig {
    fn default() -> Self {
        Self {
            max_msg_size: 4 * 1024 * 1024,
            autoping: true,
            autoclose: true,
            decode_text: true,
            strict_masking: false,
            deflate: None,
            min_compress_size: 0,
            heartbeat: None,
        }
    }
}
