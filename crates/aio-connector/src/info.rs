//! What is known of a connection, also when it is gone.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;

/// What is known of the connection that a response came on; stays when that was given
/// back or closed. Cheap to clone.
///
/// ```
/// # fn show(info: &aio_connector::ConnectionInfo) {
/// println!("{:?} from {:?}", info.peer_addr(), info.local_addr());
/// if let Some(tls) = info.tls() {
///     println!("{} with {}", tls.version(), tls.cipher_suite());
/// }
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct ConnectionInfo {
    pub(crate) facts: Arc<Facts>,
    pub(crate) is_reused: bool,
}

/// What does not change while a connection lives.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) peer_addr: Option<SocketAddr>,
    pub(crate) local_addr: Option<SocketAddr>,
    pub(crate) tls: Option<Arc<TlsInfo>>,
}

impl ConnectionInfo {
    /// Returns the peer's address, if it has one; the proxy's, if it goes through one.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.facts.peer_addr
    }

    /// Returns the address on this side, if it has one.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.facts.local_addr
    }

    /// Returns what was agreed on with the server, if TLS is spoken with it; of TLS with a
    /// proxy nothing is told.
    pub fn tls(&self) -> Option<&TlsInfo> {
        self.facts.tls.as_deref()
    }

    /// Tells whether it had served another request before.
    pub fn is_reused(&self) -> bool {
        self.is_reused
    }
}

/// A version of TLS; `Display` gives it as Python does: `TLSv1.3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum TlsVersion {
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls12 => "TLSv1.2",
            Self::Tls13 => "TLSv1.3",
        })
    }
}

/// What was agreed on in a TLS handshake; of what aiohttp gives as the `ssl_object` and
/// `peercert` of a transport.
pub struct TlsInfo {
    pub(crate) version: TlsVersion,
    pub(crate) cipher_suite: Box<str>,
    pub(crate) alpn: Option<Box<[u8]>>,
    pub(crate) certificates: Arc<[Bytes]>,
    pub(crate) server_name: Box<str>,
}

impl TlsInfo {
    /// Returns the version of TLS.
    pub fn version(&self) -> TlsVersion {
        self.version
    }

    /// Returns the name of the cipher suite as IANA lists it, such as
    /// `TLS_AES_256_GCM_SHA384`.
    pub fn cipher_suite(&self) -> &str {
        &self.cipher_suite
    }

    /// Returns the protocol that ALPN agreed on, if it did, such as `http/1.1`.
    pub fn alpn(&self) -> Option<&[u8]> {
        self.alpn.as_deref()
    }

    /// Returns the certificates that the server showed, its own first, each in DER.
    ///
    /// A session that was resumed has those of the handshake before.
    pub fn certificates(&self) -> &[Bytes] {
        &self.certificates
    }

    /// Returns the name that the server was asked to prove, or its address.
    pub fn server_name(&self) -> &str {
        &self.server_name
    }
}

impl fmt::Debug for TlsInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsInfo")
            .field("version", &self.version)
            .field("cipher_suite", &self.cipher_suite)
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}
