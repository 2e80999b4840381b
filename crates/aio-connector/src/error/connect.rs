//! A connection that could not be made.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use super::{Attempt, CertificateProblem, TlsProblem};
use crate::socket::BindError;

/// A connection that could not be made.
///
/// aiohttp: `ClientConnectorError` and all below it, and `ServerFingerprintMismatch`.
#[derive(Debug, Clone)]
pub struct ConnectError(Box<ConnectFailure>);

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ConnectFailure {
            host,
            port,
            kind,
            attempt,
            ..
        } = &*self.0;
        match kind {
            // Nobody went to the host.
            ConnectErrorKind::Unix { .. } | ConnectErrorKind::Pipe { .. } => {
                write!(f, "cannot connect to {kind}: {attempt}")
            }
            _ => write!(f, "cannot connect to {host}:{port} [{kind}]: {attempt}"),
        }
    }
}

impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause().map(|cause| cause as _)
    }
}

#[derive(Debug, Clone)]
struct ConnectFailure {
    host: Box<str>,
    port: u16,
    kind: ConnectErrorKind,
    attempt: Attempt,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

/// What a connection could not be made for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectErrorKind {
    /// The host's name has no address.
    Resolve,
    /// No address of the host accepts.
    Refused,
    /// The host's addresses may not be dialled, by the connector's filter.
    Forbidden {
        /// The first of them.
        address: IpAddr,
    },
    /// The process, or the system, has as many files open as it may (`EMFILE`, `ENFILE`).
    ///
    /// A connection takes one. Keep the connector's `limit` below what the process may have
    /// (`ulimit -n`), or raise that; idle connections are not closed to make room.
    FileLimit,
    /// All local ports towards the peer are taken (`EADDRNOTAVAIL`, `EADDRINUSE`).
    ///
    /// Linux has some 28,000 for each local address and peer. Connections that are kept
    /// need fewer than those that are closed, whose ports rest for a minute; more local
    /// addresses ([`local_addrs`](crate::TcpConnectorBuilder)) have more ports.
    NoLocalPort,
    /// The operating system gives no socket as the connector asks for: of the address's
    /// family, with a local address or an interface, or by the `socket_factory`.
    Socket,
    /// The proxy cannot be reached, or says more than its answer; one of SOCKS gives no
    /// tunnel: the cause is then a `SocksError`.
    Proxy,
    /// The Unix socket cannot be reached.
    Unix {
        /// The path of the socket; the name of an abstract one behind an `@`.
        path: Box<str>,
    },
    /// The named pipe cannot be reached.
    Pipe {
        /// The path of the pipe.
        path: Box<str>,
    },
    /// The connection broke while TLS was agreed on.
    Lost,
    /// TLS could not be agreed on, or is not built in.
    Tls(TlsProblem),
    /// The server's certificate is not trusted.
    Certificate(CertificateProblem),
    /// The server's certificate is not the pinned one.
    Fingerprint {
        /// The SHA-256 that was asked for.
        expected: [u8; 32],
        /// The SHA-256 of the server's certificate.
        got: [u8; 32],
    },
}

impl fmt::Display for ConnectErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve => f.write_str("no address"),
            Self::Refused => f.write_str("no address accepts"),
            Self::Forbidden { address } => write!(f, "address {address} not allowed"),
            Self::FileLimit => f.write_str("too many open files"),
            Self::NoLocalPort => f.write_str("no free local port"),
            Self::Socket => f.write_str("no socket as asked for"),
            Self::Proxy => f.write_str("proxy"),
            Self::Unix { path } => write!(f, "Unix socket {path}"),
            Self::Pipe { path } => write!(f, "named pipe {path}"),
            Self::Lost => f.write_str("connection lost"),
            Self::Tls(problem) => write!(f, "TLS: {problem}"),
            Self::Certificate(problem) => problem.fmt(f),
            Self::Fingerprint { expected, got } => {
                let (expected, got) = (hex(expected), hex(got));
                write!(f, "certificate has fingerprint {got}, not {expected}")
            }
        }
    }
}

/// Writes a hash as `openssl` does: `AB:CD:…`.
pub(crate) fn hex(bytes: &[u8; 32]) -> String {
    let bytes: Vec<_> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    bytes.join(":")
}

impl ConnectError {
    /// Makes an error about a connection to `host` and `port`.
    pub fn new(
        host: &str,
        port: u16,
        kind: ConnectErrorKind,
        attempt: Attempt,
        source: Option<Arc<dyn Error + Send + Sync>>,
    ) -> Self {
        Self(Box::new(ConnectFailure {
            host: host.into(),
            port,
            kind,
            attempt,
            source,
        }))
    }

    /// Returns the host that was dialled: the URL's, or the proxy's.
    pub fn host(&self) -> &str {
        &self.0.host
    }

    /// Returns the port that was dialled.
    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// Returns what it failed for.
    pub fn kind(&self) -> &ConnectErrorKind {
        &self.0.kind
    }

    /// Returns where the request was going and how far it had come.
    pub fn attempt(&self) -> &Attempt {
        &self.0.attempt
    }

    pub(super) fn attempt_mut(&mut self) -> &mut Attempt {
        &mut self.0.attempt
    }

    /// Returns the operating system's error, if there is one; aiohttp's `os_error`.
    pub fn os_error(&self) -> Option<&io::Error> {
        let cause = self.cause()?;
        let bind = cause.downcast_ref::<BindError>();
        bind.map(|bind| &bind.error)
            .or_else(|| cause.downcast_ref())
    }

    /// Returns the cause, if there is one.
    pub fn cause(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.0.source.as_deref()
    }

    pub(super) fn aiohttp_class(&self) -> &'static str {
        match self.kind() {
            ConnectErrorKind::Resolve => "ClientConnectorDNSError",
            ConnectErrorKind::Refused
            | ConnectErrorKind::Forbidden { .. }
            | ConnectErrorKind::FileLimit
            | ConnectErrorKind::NoLocalPort
            | ConnectErrorKind::Lost
            | ConnectErrorKind::Pipe { .. }
            | ConnectErrorKind::Socket => "ClientConnectorError",
            ConnectErrorKind::Proxy => "ClientProxyConnectionError",
            ConnectErrorKind::Unix { .. } => "UnixClientConnectorError",
            ConnectErrorKind::Tls(_) => "ClientConnectorSSLError",
            ConnectErrorKind::Certificate(_) => "ClientConnectorCertificateError",
            ConnectErrorKind::Fingerprint { .. } => "ServerFingerprintMismatch",
        }
    }
}
